//! String contexts: which store objects a string refers to.
//!
//! Elements are kept sorted as the reference orders them: constant paths, deep derivations (`drvPath`), then outputs.

use bumpalo::Bump;

/// What one reference is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Element<'a> {
    /// A store path itself.
    Opaque(&'a str),
    /// A derivation with its whole closure and all outputs (`=drv`).
    DrvDeep(&'a str),
    /// An output of a derivation (`!out!drv`); the first is the .drv path, the second the output.
    Built(&'a str, &'a str),
}

/// A sorted set of references, never empty.
#[derive(PartialEq, Eq, Debug)]
pub struct Context<'a> {
    elements: &'a [Element<'a>],
}

impl<'a> Context<'a> {
    /// The references in order; store paths are written out in full.
    pub fn elements(&self) -> &'a [Element<'a>] {
        self.elements
    }

    /// The set of `elements`; none for an empty one.
    pub(crate) fn new(bump: &'a Bump, mut elements: Vec<Element<'a>>) -> Option<&'a Context<'a>> {
        if elements.is_empty() {
            return None;
        }
        elements.sort_unstable();
        elements.dedup();
        Some(bump.alloc(Context { elements: bump.alloc_slice_copy(&elements) }))
    }

    /// Union of two contexts; shares one of them where it can.
    pub(crate) fn union(
        bump: &'a Bump,
        a: Option<&'a Context<'a>>,
        b: Option<&'a Context<'a>>,
    ) -> Option<&'a Context<'a>> {
        match (a, b) {
            (None, other) | (other, None) => other,
            (Some(a), Some(b)) if std::ptr::eq(a, b) => Some(a),
            (Some(a), Some(b)) => {
                if b.elements.iter().all(|e| a.elements.binary_search(e).is_ok()) {
                    return Some(a);
                }
                let mut all = a.elements.to_vec();
                all.extend_from_slice(b.elements);
                Context::new(bump, all)
            }
        }
    }
}
