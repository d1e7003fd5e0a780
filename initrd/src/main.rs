//! `/init` of the initrd: process 1 until the system's own init takes over.

fn main() -> std::process::ExitCode {
    initrd::stage1::run()
}
