//! Writers of disk formats.
//!
//! Each module is one format with its own types and its own source. They write through `std::io` traits to whatever the
//! caller hands them. Nothing here opens a device, knows what a store or a system is, reads a clock or draws a random
//! number: identifiers and times are arguments, so the same arguments give the same bytes.

mod bios_message;
pub mod btrfs;
mod checksum;
pub mod compression;
pub mod cpio;
pub mod erofs;
pub mod ext4;
pub mod fat;
pub mod gpt;
pub mod gpt_growth;
pub mod guid;
pub mod iso9660;
pub mod pe;
pub mod qcow2;
pub mod sector;
pub mod swap;
pub mod tree;
pub mod window;
pub mod xfs;
