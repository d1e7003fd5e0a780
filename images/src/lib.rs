//! A closure on a bootable disk.
