//! A live system boots from every medium on aarch64, too. A story of its own, so that it runs beside the other.

use qemu::Architecture;
use stories::live_media;

#[test]
fn one_file_boots_from_a_drive_and_from_a_stick() {
    live_media::iso(Architecture::Aarch64);
}

#[test]
fn an_initrd_or_one_program_is_a_whole_system() {
    live_media::memory(Architecture::Aarch64);
}
