//! Debian's archive as Esker uses it: pinned, verified, indexed, solved.
//!
//! A lock ([`Lock`], made by [`update_lock`]) names a state of the archive by hashes that Debian signed. [`Archive`] is that
//! state at hand: its index, its packages, solutions to requests. What goes over the network goes through a [`Fetcher`];
//! which host serves it is known nowhere else. Nothing is unpacked, built or installed here, no maintainer script is looked
//! at, and after a lock is made neither the clock nor the network decides anything.

pub mod architecture;
pub mod archive;
pub mod changes;
pub mod fetch;
pub mod index;
pub mod lock;
pub mod mirror;
pub mod search;
pub mod signature;
pub mod snapshot;
pub mod solution;
pub mod solver;

pub use architecture::Architecture;
pub use archive::{Archive, ArchiveError};
pub use changes::Changes;
pub use fetch::{AptFetcher, Download, FetchError, Fetcher, HttpFetcher, Interrupt, Mirrors, Progress};
pub use index::{Index, Package, PackageId};
pub use lock::Lock;
pub use mirror::{MirrorName, MirrorUrl};
pub use snapshot::{Expiry, Update, update_lock};
pub use solver::{Essential, Recommends, Request, Root, Solution, SolveError, SolvedPackage, solve};
