//! What happens while a plan is applied, for whoever shows progress. Rendering is not done here.

use nix_formats::StorePath;

use crate::BuildPlan;

/// What is being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// A derivation is built.
    Build,
    /// A fixed output is fetched.
    Fetch,
    /// A path is copied from a binary cache.
    Substitute,
}

/// One thing that happened. `path` is the derivation, for substitution the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEvent<'e> {
    /// A plan is applied from here on.
    Planned {
        /// What there is to do.
        plan: &'e BuildPlan,
    },
    /// Work began.
    Started {
        /// Which kind.
        task: Task,
        /// On what.
        path: &'e StorePath,
    },
    /// Work succeeded.
    Finished {
        /// Which kind.
        task: Task,
        /// On what.
        path: &'e StorePath,
    },
    /// Work failed; details come with the error at the end.
    Failed {
        /// Which kind.
        task: Task,
        /// On what.
        path: &'e StorePath,
    },
    /// Somebody else made the outputs meanwhile.
    Reused {
        /// On what.
        path: &'e StorePath,
    },
    /// A builder wrote a line.
    LogLine {
        /// Whose.
        path: &'e StorePath,
        /// Without line end; bytes that are no UTF-8 are replaced.
        line: &'e str,
    },
    /// How far all fetching of the plan is.
    Fetched {
        /// Bytes so far.
        received_bytes: u64,
        /// Bytes in all, as far as known; zero when unknown.
        total_bytes: u64,
    },
    /// Finished paths were made durable and registered.
    Registered {
        /// How many.
        paths: usize,
    },
}

/// Receives events, from several threads at once.
pub trait BuildObserver: Send + Sync {
    /// Something happened. Must return soon: work waits for it.
    fn event(&self, event: &BuildEvent<'_>);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl BuildObserver for Silent {
    fn event(&self, _event: &BuildEvent<'_>) {}
}
