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
pub mod archive;
pub mod index;
pub mod snapshot;
pub use archive::{Archive, ArchiveError};
pub use index::{Index, Package, PackageId};
pub use snapshot::{Expiry, Update, update_lock};
pub mod search;
pub mod solver;
pub use solver::{
    Essential, Recommends, Request, Root, Solution, SolveError, SolvedPackage, solve,
};
