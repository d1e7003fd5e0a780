//! Evaluation bound to store and build: from a configuration on disk to its toplevel in the store.
//!
//! [`Session`] is the way in. It boots nothing, writes no disk image and mounts nothing
//! but the store of the machine that it runs on, writable for itself.

pub mod binary_cache;
pub mod boot_entries;
mod cache;
mod configuration;
mod error;
mod eval_command;
mod evaluation;
mod exclusive_fetcher;
mod fetch;
mod fetchers;
pub mod language;
pub mod locations;
mod locking;
mod mirrors;
mod natives;
mod options;
mod pretty;
pub mod profile;
mod realiser;
mod record;
mod search;
mod session;
pub mod shared_store;
pub mod ssh;
mod store_mount;
pub mod study;
mod tree_stamp;
mod views;
mod world;

pub use configuration::Configuration;
pub use error::SystemError;
pub use eval_command::Printed;
pub use evaluation::{Instantiated, Subject};
pub use locations::Locations;
pub use locking::{LockUpdate, WriteLock};
pub use mirrors::ArchiveOptions;
pub use options::ShownOption;
pub use search::Found;
pub use session::{BuiltSystem, Session, SessionOptions};

/// The system that this program runs on, in Nix's words.
pub fn host_system() -> String {
    format!("{}-linux", std::env::consts::ARCH)
}
