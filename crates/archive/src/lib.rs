//! Pinned Debian snapshots, dependency solving, conflicts explained.

pub mod architecture;
pub mod fetch;
pub mod lock;
pub mod mirror;
pub mod signature;

pub use architecture::Architecture;
pub use fetch::{AptFetcher, Download, FetchError, Fetcher, HttpFetcher, Mirrors, Progress};
pub use lock::Lock;
pub use mirror::{MirrorName, MirrorUrl};
