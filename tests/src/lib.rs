//! What stories about whole systems share: building systems with the real `esker` program, booting them, and checking
//! facts one by one.
//!
//! `ESKER` names the program; the store and the caches lie below `target/stories`, so that later runs are quick. The
//! lock of the stories is kept there too, with the files that it pins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

mod cache_disk;
mod check;
mod debian_archive;
mod lab;
pub mod live_media;
mod loopback;
pub mod menu;
pub mod mirror;
pub mod power_cut;
mod ssh;
pub mod write_log;

pub use cache_disk::CacheDisk;
pub use check::Checks;
pub use debian_archive::{DebianArchive, Extent, Invented, State};
pub use lab::{Built, Lab, Ports};
pub use loopback::Loopback;
pub use ssh::Ssh;
