//! Types of options: native ones, and those made in the language.
//!
//! A [`NativeType`] is known to Rust and is an attribute set for the language; such a set with changed attributes
//! (`types.str // { check = …; }`) or one made by `mkOptionType` is a [`CustomType`], whose functions are called.
//! The parts: `attrs` makes the set, `check` decides, `merge` joins, `describe` names, `unify` merges declarations.

mod attrs;
mod check;
mod construct;
mod describe;
mod merge;
mod unify;

use std::cell::Cell;

use lang::{Attrs, Error, Eval, Res, Value};

use crate::definition::Definition;
use crate::loc::Loc;
use crate::submodule::SubmoduleSpec;
use crate::system::{System, TypeNumber};

pub(crate) use attrs::definitions_from;
pub(crate) use check::is_function;
pub(crate) use construct::{constructors, leaf, make};
pub(crate) use merge::{merge_default, merge_equal, merge_unique};
pub(crate) use unify::concat;

/// A type, decoded from its value.
#[derive(Clone, Copy)]
pub(crate) enum Type<'a> {
    Native(&'a NativeType<'a>),
    Custom(&'a CustomType<'a>),
}

/// A type Rust knows.
pub(crate) struct NativeType<'a> {
    pub(crate) number: u32,
    pub(crate) kind: Kind<'a>,
    /// The set the language sees; set right after the type is made.
    attrs: Cell<Option<&'a Attrs<'a>>>,
}

/// A type with functions of the language.
pub(crate) struct CustomType<'a> {
    attrs: &'a Attrs<'a>,
    /// What it was made from by changing attributes.
    native: Option<&'a NativeType<'a>>,
    /// `check`, unless it is the native one.
    check: Option<Value<'a>>,
    /// `merge`, unless it is the native one.
    merge: Option<Value<'a>>,
}

/// What a native type is.
pub(crate) enum Kind<'a> {
    Leaf(Leaf),
    /// `ints.*`: bounds, both inclusive
    IntRange(Bounds),
    /// `numbers.*`
    NumberRange(NumberBounds),
    /// `strMatching`
    StrMatching(Value<'a>),
    /// `separatedString`
    Separated(&'a str),
    /// `pathWith`
    Path {
        absolute: Option<bool>,
        in_store: Option<bool>,
    },
    /// `passwdEntry`
    PasswdEntry(Elem<'a>),
    Enum(Value<'a>),
    List(Elem<'a>),
    /// `nonEmptyListOf`
    NonEmptyList(Elem<'a>),
    Attrs {
        elem: Elem<'a>,
        lazy: bool,
        placeholder: &'a str,
    },
    NullOr(Elem<'a>),
    Unique {
        message: Value<'a>,
        elem: Elem<'a>,
    },
    Either(Elem<'a>, Elem<'a>),
    CoercedTo {
        from: Elem<'a>,
        function: Value<'a>,
        to: Elem<'a>,
    },
    FunctionTo(Elem<'a>),
    Submodule(&'a SubmoduleSpec<'a>),
    /// `deferredModuleWith`: the static modules
    Deferred(Value<'a>),
    AttrTag {
        tags: Value<'a>,
        lib: Value<'a>,
    },
}

/// Types without parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Unspecified,
    Raw,
    Anything,
    Bool,
    BoolByOr,
    Int,
    Float,
    Str,
    NonEmptyStr,
    SingleLineStr,
    Attrs,
    Package,
    ShellPackage,
    OptionType,
    Pkgs,
    LuaInline,
}

/// Bounds of an integer type, with the words for it.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) name: &'static str,
    pub(crate) lowest: i64,
    pub(crate) highest: i64,
    pub(crate) words: BoundsWords,
}

/// How a bounded integer is described.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoundsWords {
    Between,
    Unsigned,
    Positive,
    Bits(u32, bool),
}

/// Bounds of `numbers.*`.
#[derive(Clone, Copy)]
pub(crate) enum NumberBounds {
    Between(f64, f64),
    Nonnegative,
    Positive,
}

/// A type that another is made of; decoded when first needed, so that types may refer to themselves.
pub(crate) struct Elem<'a> {
    pub(crate) value: Value<'a>,
    decoded: Cell<Option<Type<'a>>>,
}

impl<'a> Elem<'a> {
    pub(crate) fn new(value: Value<'a>) -> Self {
        Elem { value, decoded: Cell::new(None) }
    }

    pub(crate) fn get(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Type<'a>> {
        if let Some(decoded) = self.decoded.get() {
            return Ok(decoded);
        }
        let decoded = Type::decode(eval, system, self.value)?;
        self.decoded.set(Some(decoded));
        Ok(decoded)
    }
}

impl<'a> Type<'a> {
    /// The type a value means.
    ///
    /// # Errors
    /// When the value is no type.
    pub(crate) fn decode(eval: &Eval<'a>, system: &'a System<'a>, value: Value<'a>) -> Res<Self> {
        let value = eval.force(value)?;
        let Value::Attrs(attrs) = value else {
            let what = crate::errors::a_type(value);
            let error = Error::type_error(format!("expected a type of options, but found {what}"));
            return Err(match value {
                Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => {
                    error.hint("is this a type that takes an argument, such as `listOf str`?")
                }
                _ => error,
            });
        };
        let names = &system.names;
        let native = match attrs.get(names.native).map(|a| a.value().peek()) {
            Some(Value::External(external)) => {
                external.data.downcast_ref::<TypeNumber>().and_then(|n| system.native_type(n))
            }
            _ => None,
        };
        let Some(native) = native else {
            if attrs.get(names.merge).is_none() {
                return Err(Error::type_error("expected a type of options, but found a set without `merge`"));
            }
            let (check, merge) = (attrs.get(names.check), attrs.get(names.merge));
            return Ok(Type::Custom(eval.bump().alloc(CustomType {
                attrs,
                native: None,
                check: check.map(lang::Attr::value),
                merge: merge.map(lang::Attr::value),
            })));
        };
        let own = native.attrs();
        if std::ptr::eq(own, attrs) {
            return Ok(Type::Native(native));
        }
        let changed = |name| {
            let (mine, theirs) = (own.get(name)?.value(), attrs.get(name)?.value());
            (!same_function(mine, theirs)).then_some(theirs)
        };
        let custom =
            CustomType { attrs, native: Some(native), check: changed(names.check), merge: changed(names.merge) };
        Ok(Type::Custom(eval.bump().alloc(custom)))
    }

    /// As the language sees it.
    pub(crate) fn value(self) -> Value<'a> {
        match self {
            Type::Native(native) => Value::Attrs(native.attrs()),
            Type::Custom(custom) => Value::Attrs(custom.attrs),
        }
    }

    /// The native type it is or was made from, whatever was changed.
    pub(crate) fn native(self) -> Option<&'a NativeType<'a>> {
        match self {
            Type::Native(native) => Some(native),
            Type::Custom(custom) => custom.native,
        }
    }

    /// Whether a value, in weak head normal form, is of the type.
    ///
    /// # Errors
    /// Whatever the check runs into.
    pub(crate) fn check(self, eval: &Eval<'a>, system: &'a System<'a>, value: Value<'a>) -> Res<bool> {
        match self {
            Type::Native(native) => native.check(eval, system, value),
            Type::Custom(CustomType { check: Some(check), .. }) => {
                let result = eval.call(*check, &[value])?;
                eval.force_bool(result)
            }
            Type::Custom(CustomType { native: Some(native), .. }) => native.check(eval, system, value),
            Type::Custom(_) => Ok(true),
        }
    }

    /// Joins definitions that passed the check.
    ///
    /// # Errors
    /// When they conflict, or whatever their values run into.
    pub(crate) fn merge(
        self,
        eval: &Eval<'a>,
        system: &'a System<'a>,
        loc: Loc<'a>,
        definitions: &[Definition<'a>],
    ) -> Res<Value<'a>> {
        match self {
            Type::Native(native) => native.merge(eval, system, loc, definitions),
            Type::Custom(CustomType { merge: Some(merge), .. }) => {
                let list: Vec<Value<'a>> = definitions.iter().map(|d| d.attrs(eval, system)).collect();
                eval.call(*merge, &[loc.value(eval), eval.list(list)])
            }
            Type::Custom(CustomType { native: Some(native), .. }) => native.merge(eval, system, loc, definitions),
            Type::Custom(_) => Err(Error::type_error("this type has no `merge`")),
        }
    }

    /// An attribute of the type as the language sees it.
    pub(crate) fn attr(self, eval: &Eval<'a>, name: syntax::Sym) -> Res<Option<Value<'a>>> {
        let attrs = match self {
            Type::Native(native) => native.attrs(),
            Type::Custom(custom) => custom.attrs,
        };
        attrs.get(name).map(|a| eval.force(a.value())).transpose()
    }

    /// `description`, or `name` where there is none.
    pub(crate) fn description(self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<String> {
        match self {
            Type::Native(native) => native.description(eval, system),
            Type::Custom(custom) => {
                let text = |name| match custom.attrs.get(name).map(|a| eval.force(a.value())).transpose() {
                    Ok(Some(Value::String(s))) => Ok(Some(s.to_string_lossy().into_owned())),
                    Ok(_) => Ok(None),
                    Err(e) => Err(e),
                };
                Ok(match text(system.names.description)? {
                    Some(text) => text,
                    None => text(system.names.name)?.unwrap_or_else(|| "unnamed type".to_owned()),
                })
            }
        }
    }
}

impl<'a> NativeType<'a> {
    /// The set the language sees.
    pub(crate) fn attrs(&'a self) -> &'a Attrs<'a> {
        match self.attrs.get() {
            Some(attrs) => attrs,
            // `construct::make` sets it before anybody gets hold of the type.
            None => unreachable!("a native type without its attribute set"),
        }
    }
}

fn same_function<'a>(a: Value<'a>, b: Value<'a>) -> bool {
    matches!((a.peek(), b.peek()), (Value::Native(x), Value::Native(y)) if std::ptr::eq(x, y))
}
