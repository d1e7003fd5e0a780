//! Where the bytes of a closure are, and what would go with what.
//!
//! [`ClosureMap::load`] reads sizes and references from the store, [`tree`] arranges them by *dominators*: a path stands
//! below the one thing without which it would not be there, so an entry's size is what the system loses with it.
//! [`treemap`] draws that. Sizes are those of NARs, as the store knows them; no file of the closure is opened. Not here:
//! evaluating (the packages' dependencies are an argument), and what of a size compresses.

mod dominators;
mod graph;
pub mod tree;
pub mod treemap;

pub use graph::{ClosureMap, Package, PackageGraph, PackageRoot};
