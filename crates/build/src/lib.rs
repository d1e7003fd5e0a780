//! Realising derivations: from `.drv` files to valid outputs.
//!
//! Three steps. `Builder::plan` looks at the store and the caches and says what is to be built, fetched and substituted;
//! `BuildPlan::describe` prints that value; `Builder::apply` does it, on all cores. Builtin builders run in process,
//! other programs in a sandbox where only the inputs are visible.
//!
//! Nothing here evaluates the language or knows Debian: what a builtin builder does is its own affair, where files are
//! fetched from is the `Fetcher`'s, and what a view looks like is the `ViewProvider`'s.

mod builder;
mod builtin;
mod cancel;
mod environment;
mod error;
mod fetch;
mod fetching;
mod fetchurl;
mod log;
mod observer;
mod output;
mod plan;
mod queue;
mod registrar;
mod sandboxed;
mod schedule;
mod substitute;
mod view;

pub use builder::{Builder, BuilderOptions, FailurePolicy, Tools};
pub use builtin::{BuiltinBuilder, BuiltinContext, BuiltinError, BuiltinRegistry, References};
pub use cancel::Cancellation;
pub use environment::{BUILD_DIR, BuildFiles};
pub use error::{BuildError, BuildFailure, FailureReason};
pub use fetch::{DirectFetcher, FetchError, FetchProgress, FetchRequest, Fetcher, Quiet};
pub use observer::{BuildEvent, BuildObserver, Silent, Task};
pub use plan::{BuildPlan, BuildTarget, OutputSelection, PlannedBuild, PlannedSubstitution};
pub use schedule::BuildReport;
pub use substitute::{
    BinaryCache, CacheError, ExportReport, FileCache, HttpCache, Substituter, export_closure, generate_key,
};
pub use view::{MaterialisedView, ViewError, ViewProvider};
