//! A live system boots from every medium on x86_64, and its variant with firmware is complete.
#![allow(clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

use qemu::Architecture;
use stories::{Lab, live_media};

#[test]
fn one_file_boots_from_a_drive_and_from_a_stick() {
    live_media::iso(Architecture::X86_64);
}

#[test]
fn an_initrd_or_one_program_is_a_whole_system() {
    live_media::memory(Architecture::X86_64);
}

/// Firmware is as large as everything else: it is a variant, and this asks only whether its packages are there.
#[test]
fn the_variant_with_firmware_is_complete() {
    let lab = Lab::open("media-firmware");
    for architecture in [Architecture::X86_64, Architecture::Aarch64] {
        let configuration = lab.repository().join("examples/live/firmware.nix");
        let names = "config.hardware.firmware";
        let output = lab.run(&[
            "eval",
            "--json",
            "-C",
            configuration.to_str().expect("a path in UTF-8"),
            "--system",
            architecture.system(),
            names,
        ]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for package in ["firmware-iwlwifi", "firmware-realtek", "firmware-amd-graphics", "wireless-regdb"] {
            assert!(text.contains(package), "{package} for {}: {text}", architecture.system());
        }
    }
}
