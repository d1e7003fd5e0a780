//! Interned names.
//!
//! A [`Sym`] is a number; equal names have equal numbers. Numbers follow the order of first use, not the alphabet.

use std::cell::{Ref, RefCell};
use std::hash::BuildHasher;

use bumpalo::Bump;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// An interned name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sym(pub u32);

/// The table of names; their bytes live in the arena.
pub struct Symbols<'a> {
    bump: &'a Bump,
    hasher: FixedState,
    inner: RefCell<Inner<'a>>,
}

struct Inner<'a> {
    /// Part of the hash beside the number: most misses need no look at a name, and growing needs none at all.
    table: HashTable<(u32, u32)>,
    names: Vec<&'a [u8]>,
}

impl<'a> Symbols<'a> {
    /// An empty table that keeps its names in `bump`.
    pub fn new(bump: &'a Bump) -> Self {
        let inner = Inner { table: HashTable::with_capacity(1024), names: Vec::with_capacity(1024) };
        Symbols { bump, hasher: FixedState::with_seed(0), inner: RefCell::new(inner) }
    }

    /// The number of `name`.
    pub fn intern(&self, name: &[u8]) -> Sym {
        self.intern_with(name, || self.bump.alloc_slice_copy(name))
    }

    /// The number of `name`, whose bytes stay where they are.
    pub fn intern_kept(&self, name: &'a [u8]) -> Sym {
        self.intern_with(name, || name)
    }

    #[inline]
    fn intern_with(&self, name: &[u8], kept: impl FnOnce() -> &'a [u8]) -> Sym {
        let short = self.short_hash(name);
        let mut inner = self.inner.borrow_mut();
        let Inner { table, names } = &mut *inner;
        let same = |entry: &(u32, u32)| entry.0 == short && names[entry.1 as usize] == name;
        if let Some(entry) = table.find(spread(short), same) {
            return Sym(entry.1);
        }
        // 2³² different names do not fit in memory together with their texts.
        let id = u32::try_from(names.len()).unwrap_or(u32::MAX);
        names.push(kept());
        table.insert_unique(spread(short), (short, id), |entry| spread(entry.0));
        Sym(id)
    }

    /// The number of `name`, if it was ever interned.
    pub fn lookup(&self, name: &[u8]) -> Option<Sym> {
        let short = self.short_hash(name);
        let inner = self.inner.borrow();
        let same = |entry: &(u32, u32)| entry.0 == short && inner.names[entry.1 as usize] == name;
        inner.table.find(spread(short), same).map(|entry| Sym(entry.1))
    }

    #[allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    fn short_hash(&self, name: &[u8]) -> u32 {
        self.hasher.hash_one(name) as u32
    }

    /// The bytes of a name.
    pub fn bytes(&self, sym: Sym) -> &'a [u8] {
        self.inner.borrow().names[sym.0 as usize]
    }

    /// Access to many names at once.
    pub fn names(&self) -> Names<'_, 'a> {
        Names(self.inner.borrow())
    }

    /// A name as text, for messages.
    pub fn text(&self, sym: Sym) -> String {
        String::from_utf8_lossy(self.bytes(sym)).into_owned()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.inner.borrow().names.len()
    }

    /// Whether no name was interned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The bytes of names, while no name is added.
pub struct Names<'t, 'a>(Ref<'t, Inner<'a>>);

impl<'a> Names<'_, 'a> {
    /// The bytes of a name.
    pub fn bytes(&self, sym: Sym) -> &'a [u8] {
        self.0.names[sym.0 as usize]
    }
}

/// The table looks at the highest and the lowest bits of a 64-bit hash.
fn spread(short: u32) -> u64 {
    u64::from(short).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::Symbols;
    use bumpalo::Bump;

    #[test]
    fn equal_names_have_equal_numbers() {
        let bump = Bump::new();
        let symbols = Symbols::new(&bump);
        let a = symbols.intern(b"a");
        let b = symbols.intern(b"b");
        assert_ne!(a, b);
        assert_eq!(symbols.intern(b"a"), a);
        assert_eq!(symbols.bytes(b), b"b");
        assert!(symbols.lookup(b"c").is_none());
    }
}
