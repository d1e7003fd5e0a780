//! Running the real tools that the formats are checked against.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::path::Path;
use std::process::{Command, Output};

/// Runs a tool whatever its verdict; fails with the tool's name if it is missing.
pub fn output_of(program: &str, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}, which this test needs: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
    (output, text)
}

/// Runs a tool and returns what it printed; fails if it is unhappy.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let (output, text) = output_of(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}", output.status);
    text
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}
