//! Values, and the cells that hold them before and after evaluation.
//!
//! A [`Value`] is 16 bytes and `Copy`; what it points to lies in the arena `'a` and is never freed before the arena.
//! Each variant carries at most one word, whole: that, and nothing looser, makes the compiler pass values around in two
//! registers. It is why there are [`Bool`] and [`Float`], and why no variant has two fields.
//! A [`Slot`] is the storage form: a list element, an attribute or a thunk is one `Slot`, which holds either a value
//! or the suspended computation of it. Nothing here evaluates.

use std::any::Any;
use std::cell::Cell;
use std::fmt;

use diagnostics::{Pos, Span};

use crate::Eval;
use crate::attrs::{Attr, Attrs};
use crate::code::{LambdaCode, ThunkCode};
use crate::error::Res;
use crate::string::Str;

/// A truth value, a word wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Bool {
    /// `false`
    False,
    /// `true`
    True,
}

impl Bool {
    /// As the usual type.
    #[inline]
    pub fn get(self) -> bool {
        self == Bool::True
    }
}

/// A float as its bits.
#[derive(Clone, Copy, Debug)]
pub struct Float(u64);

impl Float {
    /// As the usual type.
    #[inline]
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A value of the language, or a reference to one not yet evaluated ([`Value::Thunk`]).
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(Bool),
    /// 64-bit integer
    Int(i64),
    /// 64-bit float
    Float(Float),
    /// A string with its context
    String(&'a Str<'a>),
    /// An absolute, normalised path
    Path(&'a Str<'a>),
    /// A list
    List(&'a List<'a>),
    /// An attribute set
    Attrs(&'a Attrs<'a>),
    /// A function written in the language
    Lambda(&'a Closure<'a>),
    /// A function written in Rust
    Native(&'a NativeFn<'a>),
    /// A function that got some of its arguments
    Partial(&'a Partial<'a>),
    /// A value of another package, opaque to the language
    External(&'a External<'a>),
    /// Not evaluated yet: [`Eval::force`] it
    Thunk(&'a Slot<'a>),

    // What follows is suspended code. It stands only inside of slots, never in a value handed out, and is part of this
    // type only because that makes a slot as small as a value. Captured values are counted by the variant, so that a
    // thin pointer to them is enough.
    #[doc(hidden)]
    Code0(&'a ThunkCode<'a>),
    #[doc(hidden)]
    Code1(&'a Suspended<'a, 1>),
    #[doc(hidden)]
    Code2(&'a Suspended<'a, 2>),
    #[doc(hidden)]
    Code3(&'a Suspended<'a, 3>),
    #[doc(hidden)]
    Code4(&'a Suspended<'a, 4>),
    #[doc(hidden)]
    Code5(&'a Suspended<'a, 5>),
    #[doc(hidden)]
    Code6(&'a Suspended<'a, 6>),
    #[doc(hidden)]
    CodeN(&'a (&'a ThunkCode<'a>, &'a [Value<'a>])),
    /// `f x`
    #[doc(hidden)]
    Apply(&'a (Value<'a>, Value<'a>)),
    /// `f x y`
    #[doc(hidden)]
    Apply2(&'a (Value<'a>, Value<'a>, Value<'a>)),
    /// `f` of the element of another list that has this slot's place
    #[doc(hidden)]
    Map(&'a (Value<'a>, &'a List<'a>, Place)),
    /// `f` of the name and the value of the attribute of another set that has this slot's place
    #[doc(hidden)]
    MapAttrs(&'a (Value<'a>, &'a [Attr<'a>], Place)),
    /// `f` of this slot's place in its list
    #[doc(hidden)]
    Generate(&'a (Value<'a>, Place)),
    /// Attribute of a set: `inherit (from) name`
    #[doc(hidden)]
    Inherit(&'a (Value<'a>, syntax::Sym, diagnostics::Pos)),
    #[doc(hidden)]
    LazyNative(&'a &'a LazyCode<'a>),
    /// Being evaluated right now.
    #[doc(hidden)]
    Running,
    /// Allocated, its code comes before anything can force it.
    #[doc(hidden)]
    Unset,
}

/// Code to be run later, and the values it captured.
#[doc(hidden)]
pub struct Suspended<'a, const N: usize> {
    pub(crate) code: &'a ThunkCode<'a>,
    pub(crate) captures: [Value<'a>; N],
}

/// Where a list's or a set's first slot lies: a slot's own address then says which element it is, so that a list of
/// calls needs no memory beyond its slots.
#[doc(hidden)]
#[derive(Default)]
pub struct Place(Cell<usize>);

impl Place {
    /// Of a list that has just been made.
    pub(crate) fn set(&self, items: &[Slot<'_>]) {
        self.0.set(items.as_ptr().addr());
    }

    /// Which element of its list a slot is.
    #[inline]
    pub(crate) fn index(&self, slot: &Slot<'_>) -> usize {
        (std::ptr::from_ref(slot).addr() - self.0.get()) / size_of::<Slot<'_>>()
    }

    /// Of a set's attributes that have just been made.
    pub(crate) fn set_attrs(&self, attrs: &[Attr<'_>]) {
        self.0.set(attrs.first().map_or(0, |first| std::ptr::from_ref(&first.slot).addr()));
    }

    /// Which attribute of its set a slot is.
    #[inline]
    pub(crate) fn attr_index(&self, slot: &Slot<'_>) -> usize {
        (std::ptr::from_ref(slot).addr() - self.0.get()) / size_of::<Attr<'_>>()
    }
}

/// A list's elements.
pub struct List<'a> {
    pub(crate) items: &'a [Slot<'a>],
}

impl<'a> List<'a> {
    /// The elements; each may be a thunk.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'a>> + DoubleEndedIterator + use<'a> {
        self.items.iter().map(Slot::value)
    }

    /// The n-th element, perhaps a thunk.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        self.items.get(index).map(Slot::value)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// A function with the values it captured.
pub struct Closure<'a> {
    pub(crate) code: &'a LambdaCode<'a>,
    pub(crate) captures: &'a [Value<'a>],
}

impl<'a> Closure<'a> {
    /// The whole function in its source.
    pub fn span(&self) -> Span {
        self.code.span
    }

    /// The name the function was bound to, if any.
    pub fn name(&self) -> Option<syntax::Sym> {
        self.code.name
    }

    /// The set pattern of the parameter, if it has one.
    pub fn formals(&self) -> Option<&'a crate::code::FormalsCode<'a>> {
        self.code.formals
    }
}

/// Rust code behind a function value.
pub type NativeCode<'a> = dyn Fn(&Eval<'a>, &[Value<'a>]) -> Res<Value<'a>> + 'a;

/// A function written in Rust.
pub struct NativeFn<'a> {
    /// As messages name it.
    pub name: &'a str,
    /// How many arguments it takes, at least 1.
    pub arity: usize,
    pub(crate) code: &'a NativeCode<'a>,
}

impl NativeFn<'_> {
    /// `toString`, which strings with interpolations do themselves.
    pub(crate) fn is_to_string(&self) -> bool {
        self.name == "toString"
    }

    /// `derivation`, which the reference writes in the language.
    pub(crate) fn is_derivation(&self) -> bool {
        self.name == "derivation"
    }
}

/// A function with some of its arguments.
pub struct Partial<'a> {
    /// A lambda or native function.
    pub(crate) function: Value<'a>,
    /// Fewer than it wants.
    pub(crate) args: &'a [Value<'a>],
}

/// A value that only some other package understands; `typeOf` says `type_name`.
pub struct External<'a> {
    /// As `builtins.typeOf` calls it.
    pub type_name: &'static str,
    /// What it holds, by downcast. Must be `'static`; arena values go beside it.
    pub data: &'a dyn Any,
    /// Values it carries.
    pub values: &'a [Value<'a>],
}

/// Rust code that computes a value when it is first needed.
pub type LazyCode<'a> = dyn Fn(&Eval<'a>) -> Res<Value<'a>> + 'a;

/// A place for one value, evaluated at most once.
pub struct Slot<'a> {
    pub(crate) state: Cell<Value<'a>>,
}

const _: () = assert!(size_of::<Value<'_>>() == 16);
const _: () = assert!(size_of::<Slot<'_>>() == 16);

impl<'a> Slot<'a> {
    /// A slot that holds a value or suspended code.
    #[inline]
    pub(crate) fn new(state: Value<'a>) -> Self {
        Slot { state: Cell::new(state) }
    }

    /// The value if there is one, else a thunk that refers to this slot.
    #[inline]
    pub fn value(&'a self) -> Value<'a> {
        let value = self.state.get();
        if value.is_suspended() { Value::Thunk(self) } else { value }
    }
}

impl<'a> Value<'a> {
    /// `true` or `false`.
    #[inline]
    pub fn bool(value: bool) -> Self {
        Value::Bool(if value { Bool::True } else { Bool::False })
    }

    /// A float.
    #[inline]
    pub fn float(value: f64) -> Self {
        Value::Float(Float(value.to_bits()))
    }

    /// Whether this is code in a slot rather than a value.
    #[inline]
    pub(crate) fn is_suspended(self) -> bool {
        !self.is_value() && !matches!(self, Value::Thunk(_))
    }

    /// Where suspended code was written; of a call to come, the function.
    pub(crate) fn place(self) -> Option<Pos> {
        let code = match self {
            Value::Code0(code) => code,
            Value::Code1(s) => s.code,
            Value::Code2(s) => s.code,
            Value::Code3(s) => s.code,
            Value::Code4(s) => s.code,
            Value::Code5(s) => s.code,
            Value::Code6(s) => s.code,
            Value::CodeN((code, _)) => code,
            Value::Inherit((_, _, pos)) => return Some(*pos),
            Value::Apply((function, ..))
            | Value::Apply2((function, ..))
            | Value::Map((function, ..))
            | Value::MapAttrs((function, ..))
            | Value::Generate((function, _)) => match function.peek() {
                Value::Lambda(closure) => return Some(closure.code.span.start),
                _ => return None,
            },
            _ => return None,
        };
        Some(code.pos)
    }

    /// Whether this is in weak head normal form.
    #[inline]
    pub(crate) fn is_value(self) -> bool {
        matches!(
            self,
            Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::String(_)
                | Value::Path(_)
                | Value::List(_)
                | Value::Attrs(_)
                | Value::Lambda(_)
                | Value::Native(_)
                | Value::Partial(_)
                | Value::External(_)
        )
    }

    /// Follows evaluated thunks; what is not evaluated stays a thunk. Never evaluates.
    #[inline]
    pub fn peek(self) -> Value<'a> {
        let mut value = self;
        while let Value::Thunk(slot) = value {
            let inner = slot.state.get();
            if inner.is_suspended() {
                break;
            }
            value = inner;
        }
        value
    }

    /// Whether [`Value::peek`] finds a value.
    pub fn is_evaluated(self) -> bool {
        !matches!(self.peek(), Value::Thunk(_))
    }

    /// The name `builtins.typeOf` gives; `"thunk"` for what is not evaluated.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::String(_) => "string",
            Value::Path(_) => "path",
            Value::List(_) => "list",
            Value::Attrs(_) => "set",
            Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => "lambda",
            Value::External(e) => e.type_name,
            _ => "thunk",
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => write!(f, "{}", b.get()),
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(n) => write!(f, "{}", n.get()),
            Value::String(s) | Value::Path(s) => write!(f, "{:?}", s.to_string_lossy()),
            Value::List(l) => write!(f, "[list of {}]", l.len()),
            Value::Attrs(a) => write!(f, "{{set of {}}}", a.len()),
            other => f.write_str(other.type_name()),
        }
    }
}
