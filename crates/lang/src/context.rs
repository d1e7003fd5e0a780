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

/// The union of many contexts, of which nothing is kept in between.
#[derive(Default)]
pub(crate) struct Union<'a> {
    /// As long as there is only one.
    only: Option<&'a Context<'a>>,
    /// Of several; up to `sorted` they are in order.
    elements: Vec<Element<'a>>,
    sorted: usize,
}

impl<'a> Union<'a> {
    /// Adds a context.
    #[inline]
    pub(crate) fn add(&mut self, context: Option<&'a Context<'a>>) {
        if let Some(context) = context {
            self.add_some(context);
        }
    }

    fn add_some(&mut self, context: &'a Context<'a>) {
        match self.only {
            None if self.elements.is_empty() => self.only = Some(context),
            Some(only) if std::ptr::eq(only, context) => {}
            only => {
                self.only = None;
                self.elements.extend_from_slice(only.map_or(&[], |only| only.elements));
                self.elements.extend_from_slice(context.elements);
                // Many may share most elements: what comes again does not pile up.
                if self.elements.len() > 2 * self.sorted + 64 {
                    self.elements.sort_unstable();
                    self.elements.dedup();
                    self.sorted = self.elements.len();
                }
            }
        }
    }

    /// The union.
    pub(crate) fn finish(self, bump: &'a Bump) -> Option<&'a Context<'a>> {
        self.only.or_else(|| Context::new(bump, self.elements))
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Element, Union};
    use bumpalo::Bump;

    #[test]
    fn a_union_of_many_has_each_element_once() {
        let bump = Bump::new();
        let of = |n: usize| Context::new(&bump, vec![Element::Opaque(bump.alloc_str(&n.to_string()))]);
        let mut union = Union::default();
        assert!(Union::default().finish(&bump).is_none());
        let first = of(7);
        union.add(first);
        union.add(None);
        union.add(first);
        assert!(std::ptr::eq(union.finish(&bump).unwrap(), first.unwrap()));
        let mut union = Union::default();
        let mut expected = None;
        for n in 0..500 {
            union.add(of(n % 90));
            expected = Context::union(&bump, expected, of(n % 90));
        }
        let all = union.finish(&bump);
        assert_eq!(all.unwrap().elements().len(), 90);
        assert_eq!(all, expected);
    }
}
