//! Whether the user wants no more: asked by a fetcher while it waits.

use std::fmt;
use std::sync::Arc;

/// A question that a fetcher asks now and then; by default the answer is no.
#[derive(Clone)]
pub struct Interrupt(Arc<dyn Fn() -> bool + Send + Sync>);

impl Interrupt {
    /// An interrupt that happened when `asked` says so.
    pub fn new(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(asked))
    }

    /// Whether it happened.
    pub fn happened(&self) -> bool {
        (self.0)()
    }
}

impl Default for Interrupt {
    fn default() -> Self {
        Self::new(|| false)
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Interrupt").field(&self.happened()).finish()
    }
}
