//! Compiled code: expressions with every name resolved to a place.
//!
//! An activation (one run of a function or thunk body) has numbered local slots and the values it captured. A
//! variable is therefore a local, a capture, a constant, or, under `with`, a name to be looked for in some sets.

use std::cell::Cell;

use diagnostics::{Pos, Span};
use syntax::Sym;
use syntax::ast::Op;

use crate::value::Value;

/// An expression, to be evaluated at once. A tag and a word: it travels in two registers, as a value does.
#[derive(Clone, Copy)]
pub(crate) enum Code<'a> {
    Const(&'a Value<'a>),
    Local(usize),
    Captured(usize),
    WithVar(&'a WithVar<'a>),
    Str(&'a Template<'a>),
    Path(&'a Template<'a>),
    List(&'a &'a [Lazy<'a>]),
    Attrs(&'a AttrsCode<'a>),
    RecAttrs(&'a RecCode<'a>),
    Let(&'a LetCode<'a>),
    With(&'a WithCode<'a>),
    Assert(&'a AssertCode<'a>),
    If(&'a IfCode<'a>),
    Lambda(&'a LambdaCode<'a>),
    Call(&'a CallCode<'a>),
    Select(&'a SelectCode<'a>),
    HasAttr(&'a HasAttrCode<'a>),
    Not(&'a (Code<'a>, Span)),
    Negate(&'a (Code<'a>, Span)),
    Binary(&'a BinaryCode<'a>),
    Unread(&'a UnreadCode<'a>),
}

/// What was left as text, to be compiled when it is first run.
pub(crate) struct UnreadCode<'a> {
    pub(crate) text: Span,
    /// What the captured values are called.
    pub(crate) names: &'a [Sym],
    /// Which of the evaluation's surroundings of texts.
    pub(crate) surroundings: usize,
    pub(crate) compiled: Cell<Option<&'a ThunkCode<'a>>>,
}

/// An expression whose value may be needed later; what is at hand already is no thunk.
#[derive(Clone, Copy)]
pub(crate) enum Lazy<'a> {
    Const(&'a Value<'a>),
    Local(usize),
    Captured(usize),
    /// Cheap and unable to fail: a function, a small list or set.
    Now(&'a Code<'a>),
    /// Arithmetic that is done at once when its operands are evaluated integers.
    Arithmetic(&'a Arithmetic<'a>),
    Thunk(&'a ThunkCode<'a>),
}

/// Where a captured value comes from in the activation that captures it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Local(u32),
    Captured(u32),
}

/// The body of something evaluated later.
pub struct ThunkCode<'a> {
    pub(crate) body: Code<'a>,
    pub(crate) captures: &'a [Source],
    pub(crate) locals: u32,
    pub(crate) pos: Pos,
}

/// `variable op constant`, and the thunk to make when that cannot be computed now.
pub(crate) struct Arithmetic<'a> {
    pub(crate) op: Op,
    pub(crate) lhs: Operand<'a>,
    pub(crate) rhs: Operand<'a>,
    pub(crate) thunk: &'a ThunkCode<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    Int(i64),
    Local(usize),
    Captured(usize),
    Nested(&'a (Op, Operand<'a>, Operand<'a>)),
}

/// A function: either `arity` plain parameters, or one argument with a set pattern.
pub struct LambdaCode<'a> {
    pub(crate) span: Span,
    pub(crate) name: Option<Sym>,
    pub(crate) captures: &'a [Source],
    /// Arguments that a call must give before the body runs.
    pub(crate) arity: usize,
    /// What the plain parameters are called.
    pub(crate) param_names: &'a [Sym],
    pub(crate) formals: Option<&'a FormalsCode<'a>>,
    /// `args @ { … }`: the whole argument is local 0 and the formals follow it.
    pub(crate) named: Option<Sym>,
    pub(crate) locals: u32,
    pub(crate) body: Code<'a>,
}

/// The set pattern of a function.
pub struct FormalsCode<'a> {
    /// In the order written.
    pub(crate) list: &'a [FormalCode<'a>],
    /// Whether other attributes may be given.
    pub ellipsis: bool,
}

impl<'a> FormalsCode<'a> {
    /// Name, place and whether there is a default, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (Sym, Span, bool)> + use<'a> {
        self.list.iter().map(|f| (f.name, f.span, f.default.is_some()))
    }
}

pub(crate) struct FormalCode<'a> {
    pub(crate) name: Sym,
    pub(crate) span: Span,
    pub(crate) default: Option<Lazy<'a>>,
    /// Whether a default refers to this formal before its own default is bound.
    pub(crate) early: bool,
    /// Where the argument set had it the last time.
    pub(crate) guess: Cell<u32>,
}

pub(crate) struct WithVar<'a> {
    pub(crate) name: Sym,
    pub(crate) pos: Pos,
    /// Innermost first.
    pub(crate) sets: &'a [Source],
}

/// A string or path with interpolations.
pub(crate) struct Template<'a> {
    pub(crate) parts: &'a [Piece<'a>],
}

#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Text(&'a [u8]),
    Code(Code<'a>, Span),
    /// `toString` of a variable: an integer is written straight into the string.
    ToString(&'a ToStringCode<'a>),
}

pub(crate) struct ToStringCode<'a> {
    pub(crate) of: Source,
    /// The call, for whatever is no evaluated integer.
    pub(crate) call: Code<'a>,
    pub(crate) span: Span,
}

pub(crate) struct AttrCode<'a> {
    pub(crate) name: Sym,
    pub(crate) pos: Pos,
    pub(crate) value: AttrValue<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum AttrValue<'a> {
    Lazy(Lazy<'a>),
    /// Attribute of the set in a local slot.
    From(u32, Pos),
}

pub(crate) struct DynamicCode<'a> {
    pub(crate) name: Code<'a>,
    pub(crate) pos: Pos,
    pub(crate) value: Lazy<'a>,
}

pub(crate) struct AttrsCode<'a> {
    /// Sorted by name.
    pub(crate) attrs: &'a [AttrCode<'a>],
    pub(crate) dynamics: &'a [DynamicCode<'a>],
    pub(crate) from: &'a [(u32, Lazy<'a>)],
}

pub(crate) struct RecCode<'a> {
    pub(crate) attrs: &'a [AttrCode<'a>],
    /// Local slot of the attribute, same order as `attrs`.
    pub(crate) slots: &'a [u32],
    pub(crate) dynamics: &'a [DynamicCode<'a>],
    pub(crate) from: &'a [(u32, Lazy<'a>)],
    /// Whether there is an attribute `__overrides`.
    pub(crate) overrides: bool,
}

pub(crate) struct LetCode<'a> {
    /// Slots that something refers to before they are bound.
    pub(crate) early: &'a [u32],
    pub(crate) from: &'a [(u32, Lazy<'a>)],
    pub(crate) bindings: &'a [LetBinding<'a>],
    pub(crate) body: Code<'a>,
}

pub(crate) struct LetBinding<'a> {
    pub(crate) slot: u32,
    pub(crate) name: Sym,
    /// Whether something refers to the slot before it is bound.
    pub(crate) early: bool,
    pub(crate) value: AttrValue<'a>,
}

pub(crate) struct WithCode<'a> {
    pub(crate) slot: u32,
    pub(crate) set: Lazy<'a>,
    pub(crate) body: Code<'a>,
}

pub(crate) struct AssertCode<'a> {
    pub(crate) condition: Code<'a>,
    pub(crate) body: Code<'a>,
    pub(crate) span: Span,
}

pub(crate) struct IfCode<'a> {
    pub(crate) condition: Code<'a>,
    pub(crate) then: Code<'a>,
    pub(crate) other: Code<'a>,
    /// Of the condition.
    pub(crate) span: Span,
}

pub(crate) struct CallCode<'a> {
    pub(crate) function: Code<'a>,
    pub(crate) args: &'a [Lazy<'a>],
    pub(crate) span: Span,
}

#[derive(Clone, Copy)]
pub(crate) enum NameCode<'a> {
    Static(Sym, Span),
    Dynamic(Code<'a>, Span),
}

pub(crate) struct SelectCode<'a> {
    pub(crate) base: Code<'a>,
    pub(crate) path: &'a [NameCode<'a>],
    pub(crate) default: Option<Code<'a>>,
    pub(crate) span: Span,
    /// Where the first name was found the last time.
    pub(crate) guess: Cell<u32>,
}

pub(crate) struct HasAttrCode<'a> {
    pub(crate) base: Code<'a>,
    pub(crate) path: &'a [NameCode<'a>],
}

pub(crate) struct BinaryCode<'a> {
    pub(crate) op: Op,
    pub(crate) pos: Pos,
    pub(crate) lhs: Code<'a>,
    pub(crate) rhs: Code<'a>,
}

impl BinaryCode<'_> {
    /// The operator itself.
    pub(crate) fn span(&self) -> Span {
        self.op.span(self.pos)
    }
}

const _: () = assert!(size_of::<Code<'_>>() == 16);
const _: () = assert!(size_of::<Lazy<'_>>() == 16);
