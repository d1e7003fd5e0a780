//! `/init` of the initrd: process 1 until the system's own init takes over. Under the name `shutdown`, process 1 after it.

use std::ffi::OsStr;
use std::path::Path;

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    match Path::new(&name).file_name() == Some(OsStr::new("shutdown")) {
        true => initrd::shutdown::run(arguments.next().as_deref()),
        false => initrd::stage1::run(),
    }
}
