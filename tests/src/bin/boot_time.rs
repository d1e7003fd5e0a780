//! Boots a disk image by OVMF and ends when the console asks for a login: what a benchmark times.
//!
//! It measures nothing itself and judges nothing. usage: ESKER=PROGRAM boot-time IMAGE
#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so and ends")]

use std::path::PathBuf;
use std::time::Duration;

use qemu::Disk;
use stories::{Lab, Ports};

fn main() {
    let image = std::env::args_os().nth(1).map(PathBuf::from).expect("usage: boot-time IMAGE");
    let lab = Lab::open("boot-time");
    let mut vm = lab.boot(vec![Disk::raw(image)], Ports::free());
    vm.console.wait_for("login:", Duration::from_secs(300)).expect("a login prompt");
    vm.cut_power();
}
