//! Derivations made by an evaluation.

/// All derivations so far.
#[derive(Default)]
pub(crate) struct Derivations {}
