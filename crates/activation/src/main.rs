//! The program behind `<toplevel>/init`, `<toplevel>/activate` and `<toplevel>/dry-activate`; which of them it is, its
//! name says. Only arguments, printing and exit codes; `esker switch` has the comfort.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use diagnostics::one_line;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use activation::boot::{boot, toplevel_of_program};
use activation::machine::{CURRENT_SYSTEM, Occasion};
use activation::{ApplyError, Root, Systemctl, Toplevel, accounts, apply_system, container, plan_switch, plan_system};

const USAGE: &str = "\
usage: <toplevel>/init               become PID 1's second stage; in a container also /sbin/init
       <toplevel>/activate           activate without touching services
       <toplevel>/dry-activate [--json]  say what switching would do
       activate sync-accounts        persist changes made with passwd, useradd and the like";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    match run(&name, &arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", one_line(error.as_ref()));
            ExitCode::from(1)
        }
    }
}

fn run(name: &OsString, arguments: &[OsString]) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let root = Root::machine();
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let program = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match (program, words.as_slice()) {
        ("init", _) => {
            let toplevel = match container::is_container() {
                true => container::prepare(&root, Path::new(name))?,
                false => toplevel_of(name)?,
            };
            let arguments =
                arguments.iter().map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()?;
            Err(Box::new(boot(&toplevel, &arguments)))
        }
        ("activate", ["sync-accounts"]) => {
            let state_directory = Toplevel::load(&root, Path::new(CURRENT_SYSTEM))?.config.state_directory;
            for file in accounts::sync_accounts(&root, &state_directory)? {
                println!("persisted /etc/{file}");
            }
            Ok(ExitCode::SUCCESS)
        }
        ("activate", []) => {
            let plan = plan_system(&root, &toplevel_of(name)?, Occasion::Switch)?;
            let failures = apply_system(&root, &plan, &mut || Ok::<(), ApplyError>(()));
            for failure in &failures {
                eprintln!("error: {}", one_line(failure));
            }
            Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        ("dry-activate", ["--json"]) => {
            let plan = plan_switch(&root, &toplevel_of(name)?, &mut Systemctl, None)?;
            println!("{}", serde_json::to_string_pretty(&plan)?);
            Ok(ExitCode::SUCCESS)
        }
        ("dry-activate", []) => {
            print!("{}", plan_switch(&root, &toplevel_of(name)?, &mut Systemctl, None)?);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The folder of the link by which this program was called: that is the toplevel, not where the program itself lies.
fn toplevel_of(name: &OsString) -> Result<PathBuf, String> {
    match toplevel_of_program(name) {
        Some(toplevel) => Ok(toplevel.to_owned()),
        None => Err(format!(
            "`{}` has to be called by its path in a toplevel",
            OsString::from_vec(name.as_bytes().to_vec()).to_string_lossy()
        )),
    }
}
