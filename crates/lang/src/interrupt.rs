//! Ending an evaluation from outside: a limit of nested calls that somebody else may set to none.
//!
//! Every call compares its depth with the limit anyway, so that looking for an interrupt costs nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A handle to end an evaluation with; clones are the same handle.
#[derive(Clone, Debug)]
pub struct Interrupt {
    limit: Arc<AtomicU32>,
    depth: u32,
}

impl Interrupt {
    pub(crate) fn new(depth: u32) -> Self {
        Interrupt { limit: Arc::new(AtomicU32::new(depth)), depth }
    }

    /// How many calls may be nested now.
    #[inline]
    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether [`Interrupt::set`] was called and [`Interrupt::clear`] was not since.
    pub fn is_set(&self) -> bool {
        self.limit() == 0
    }

    /// Ends the evaluation at its next call. Safe in a signal handler.
    pub fn set(&self) {
        self.limit.store(0, Ordering::Relaxed);
    }

    /// Lets evaluations run again.
    pub fn clear(&self) {
        self.limit.store(self.depth, Ordering::Relaxed);
    }
}
