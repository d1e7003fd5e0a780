//! Attribute sets: sorted by symbol, with a position per attribute, cheap to update.
//!
//! A set is a sorted slice, perhaps laid over another set. `a // b` makes such a layer when `b` is small against
//! `a`; layers of similar size are merged, so there are never more than a logarithm of them and a chain of updates
//! costs what a sorted merge costs. Whoever wants all attributes flattens the set, once.

use std::cell::Cell;

use bumpalo::Bump;
use diagnostics::Pos;
use syntax::Sym;

use crate::code::AttrCode;
use crate::value::{Slot, Value};

/// A set that is this many times larger than what is laid over it is not copied.
const LAYER_RATIO: usize = 8;

/// An attribute: name, place of its definition, value.
pub struct Attr<'a> {
    /// Its name.
    pub name: Sym,
    /// Where it was defined, if in a text.
    pub pos: Pos,
    pub(crate) slot: Slot<'a>,
}

impl<'a> Attr<'a> {
    pub(crate) fn new(name: Sym, pos: Pos, slot: Slot<'a>) -> Self {
        Attr { name, pos, slot }
    }

    /// The value, perhaps a thunk.
    pub fn value(&'a self) -> Value<'a> {
        self.slot.value()
    }

    fn copy(&'a self) -> Attr<'a> {
        Attr { name: self.name, pos: self.pos, slot: Slot::new(self.slot.value()) }
    }
}

/// An attribute set.
pub struct Attrs<'a> {
    layer: Cell<Layer<'a>>,
}

#[derive(Clone, Copy)]
struct Layer<'a> {
    /// Sorted by name.
    own: &'a [Attr<'a>],
    below: Option<&'a Below<'a>>,
}

struct Below<'a> {
    bump: &'a Bump,
    layer: Layer<'a>,
    /// Attributes of the whole, own and below.
    len: usize,
}

impl<'a> Attrs<'a> {
    /// A set of attributes sorted by name, each name once.
    pub(crate) fn sorted(own: &'a [Attr<'a>]) -> Self {
        debug_assert!(own.windows(2).all(|w| w[0].name < w[1].name));
        Attrs { layer: Cell::new(Layer { own, below: None }) }
    }

    /// The attribute called `name`.
    #[inline]
    pub fn get(&self, name: Sym) -> Option<&'a Attr<'a>> {
        let mut layer = self.layer.get();
        loop {
            if let Some(found) = find(layer.own, name) {
                return Some(found);
            }
            layer = layer.below?.layer;
        }
    }

    /// Like [`Attrs::get`], looking first where `guess` says the name was the last time.
    #[inline]
    pub(crate) fn get_guessing(&self, name: Sym, guess: &Cell<u32>) -> Option<&'a Attr<'a>> {
        let layer = self.layer.get();
        if let Some(attr) = layer.own.get(guess.get() as usize) {
            if attr.name == name {
                return Some(attr);
            }
        }
        let Ok(index) = layer.own.binary_search_by_key(&name, |a| a.name) else {
            return if layer.below.is_some() { self.get(name) } else { None };
        };
        guess.set(u32::try_from(index).unwrap_or(0));
        Some(&layer.own[index])
    }

    /// How many attributes there are.
    pub fn len(&self) -> usize {
        let layer = self.layer.get();
        layer.below.map_or(layer.own.len(), |b| b.len)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All attributes, sorted by symbol (not by name). Flattens the set.
    pub fn all(&self) -> &'a [Attr<'a>] {
        let layer = self.layer.get();
        match layer.below {
            None => layer.own,
            Some(below) => self.flatten(layer, below),
        }
    }

    #[cold]
    fn flatten(&self, layer: Layer<'a>, below: &'a Below<'a>) -> &'a [Attr<'a>] {
        let mut layers = vec![layer.own];
        let mut next = Some(below);
        while let Some(b) = next {
            layers.push(b.layer.own);
            next = b.layer.below;
        }
        let mut merged: Vec<&'a Attr<'a>> = Vec::new();
        for own in layers.into_iter().rev() {
            merged = merge_refs(&merged, own);
        }
        let own = &*below.bump.alloc_slice_fill_iter(merged.into_iter().map(Attr::copy));
        self.layer.set(Layer { own, below: None });
        own
    }

    /// `self // { … }` for attributes that are still to be made: they go straight into the result, if that is no layer.
    /// `right` is sorted by name.
    pub(crate) fn update_with<R: Named>(
        &'a self,
        bump: &'a Bump,
        right: &[R],
        mut make: impl FnMut(&R) -> Attr<'a>,
    ) -> Option<&'a Attrs<'a>> {
        let Layer { own: left, below: None } = self.layer.get() else { return None };
        if left.len() >= right.len().saturating_mul(LAYER_RATIO) {
            return None;
        }
        let len = left.len() + right.len() - shared(left, right);
        let (mut i, mut j) = (0, 0);
        let own = bump.alloc_slice_fill_with(len, |_| {
            if j >= right.len() || (i < left.len() && left[i].name < right[j].name()) {
                i += 1;
                return left[i - 1].copy();
            }
            if i < left.len() && left[i].name == right[j].name() {
                i += 1;
            }
            j += 1;
            make(&right[j - 1])
        });
        Some(bump.alloc(Attrs::sorted(own)))
    }

    /// `self // right`.
    pub(crate) fn update(&'a self, bump: &'a Bump, right: &'a Attrs<'a>) -> &'a Attrs<'a> {
        if right.is_empty() {
            return self;
        }
        if self.is_empty() {
            return right;
        }
        let mut own = right.all();
        let mut base = self.layer.get();
        // Merge while the layer below is not much larger: layer sizes grow geometrically downwards.
        while base.own.len() < own.len().saturating_mul(LAYER_RATIO) {
            own = merge(bump, base.own, own);
            match base.below {
                Some(b) => base = b.layer,
                None => return bump.alloc(Attrs::sorted(own)),
            }
        }
        let beneath = Attrs { layer: Cell::new(base) };
        let new = own.iter().filter(|a| beneath.get(a.name).is_none()).count();
        let len = beneath.len() + new;
        bump.alloc(Attrs { layer: Cell::new(Layer { own, below: Some(bump.alloc(Below { bump, layer: base, len })) }) })
    }
}

#[inline]
fn find<'a>(own: &'a [Attr<'a>], name: Sym) -> Option<&'a Attr<'a>> {
    if own.len() <= 8 {
        return own.iter().find(|a| a.name == name);
    }
    own.binary_search_by_key(&name, |a| a.name).ok().map(|i| &own[i])
}

/// What has a name to be sorted by.
pub(crate) trait Named {
    /// The name.
    fn name(&self) -> Sym;
}

impl Named for Attr<'_> {
    fn name(&self) -> Sym {
        self.name
    }
}

impl Named for AttrCode<'_> {
    fn name(&self) -> Sym {
        self.name
    }
}

/// How many names two sorted slices share.
fn shared(left: &[impl Named], right: &[impl Named]) -> usize {
    let mut both = 0;
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        match left[i].name().cmp(&right[j].name()) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                i += 1;
                j += 1;
            }
        }
    }
    both
}

fn merge<'a>(bump: &'a Bump, left: &'a [Attr<'a>], right: &'a [Attr<'a>]) -> &'a [Attr<'a>] {
    let len = left.len() + right.len() - shared(left, right);
    let (mut i, mut j) = (0, 0);
    bump.alloc_slice_fill_with(len, |_| {
        let from_left = j >= right.len() || (i < left.len() && left[i].name < right[j].name);
        if from_left {
            i += 1;
            return left[i - 1].copy();
        }
        if i < left.len() && left[i].name == right[j].name {
            i += 1;
        }
        j += 1;
        right[j - 1].copy()
    })
}

fn merge_refs<'a>(left: &[&'a Attr<'a>], right: &'a [Attr<'a>]) -> Vec<&'a Attr<'a>> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let mut i = 0;
    for attr in right {
        while i < left.len() && left[i].name < attr.name {
            out.push(left[i]);
            i += 1;
        }
        if i < left.len() && left[i].name == attr.name {
            i += 1;
        }
        out.push(attr);
    }
    out.extend_from_slice(&left[i..]);
    out
}
