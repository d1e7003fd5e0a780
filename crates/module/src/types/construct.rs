//! Making native types: the set of types and type constructors the language gets.

use diagnostics::Pos;
use lang::{Error, Eval, Res, Value};

use super::{Bounds, BoundsWords, Elem, Kind, Leaf, NativeType, NumberBounds};
use crate::submodule::{Shorthand, SubmoduleSpec};
use crate::system::System;

/// A new native type as the language sees it.
pub(crate) fn make<'a>(eval: &Eval<'a>, system: &'a System<'a>, kind: Kind<'a>) -> Value<'a> {
    Value::Attrs(make_native(eval, system, kind).attrs())
}

pub(super) fn make_native<'a>(eval: &Eval<'a>, system: &'a System<'a>, kind: Kind<'a>) -> &'a NativeType<'a> {
    let native: &'a NativeType<'a> =
        eval.bump().alloc(NativeType { number: system.next_type(), kind, attrs: std::cell::Cell::new(None) });
    system.add_type(native);
    native.attrs.set(Some(native.make_attrs(eval, system)));
    native
}

/// A type without parameters; always the same one.
pub(crate) fn leaf<'a>(eval: &Eval<'a>, system: &'a System<'a>, leaf: Leaf) -> Value<'a> {
    let key = ("leaf", leaf as u32, 0);
    if let Some(known) = system.compound(key) {
        return Value::Attrs(known.attrs());
    }
    let native = make_native(eval, system, Kind::Leaf(leaf));
    system.remember_compound(key, native);
    Value::Attrs(native.attrs())
}

/// A type made of one or two others; the same one again for the same native parts.
fn compound<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    name: &'static str,
    parts: &[Value<'a>],
    kind: impl FnOnce() -> Kind<'a>,
) -> Value<'a> {
    let number = |value: Option<&Value<'a>>| match value {
        None => Some(0),
        Some(value) => match value.peek() {
            Value::Attrs(attrs) => match super::Type::decode(eval, system, Value::Attrs(attrs)) {
                Ok(super::Type::Native(native)) => Some(native.number),
                _ => None,
            },
            _ => None,
        },
    };
    let (Some(a), Some(b)) = (number(parts.first()), number(parts.get(1))) else {
        return make(eval, system, kind());
    };
    if let Some(known) = system.compound((name, a, b)) {
        return Value::Attrs(known.attrs());
    }
    let native = make_native(eval, system, kind());
    system.remember_compound((name, a, b), native);
    Value::Attrs(native.attrs())
}

const LEAVES: &[(&str, Leaf)] = &[
    ("unspecified", Leaf::Unspecified),
    ("raw", Leaf::Raw),
    ("anything", Leaf::Anything),
    ("bool", Leaf::Bool),
    ("boolByOr", Leaf::BoolByOr),
    ("int", Leaf::Int),
    ("float", Leaf::Float),
    ("str", Leaf::Str),
    ("string", Leaf::Str),
    ("nonEmptyStr", Leaf::NonEmptyStr),
    ("singleLineStr", Leaf::SingleLineStr),
    ("attrs", Leaf::Attrs),
    ("package", Leaf::Package),
    ("shellPackage", Leaf::ShellPackage),
    ("optionType", Leaf::OptionType),
    ("pkgs", Leaf::Pkgs),
    ("luaInline", Leaf::LuaInline),
];

/// All types and constructors, for modules that get `lib` as an argument.
pub(crate) fn constructors<'a>(eval: &Eval<'a>, system: &'a System<'a>, lib: Value<'a>) -> Value<'a> {
    let mut set = eval.attrs();
    let mut add = |name: &str, value: Value<'a>| set.insert(eval.sym(name), Pos::NONE, value);
    for (name, kind) in LEAVES {
        add(name, leaf(eval, system, *kind));
    }
    for (name, separator) in [("lines", "\n"), ("commas", ","), ("envVar", ":")] {
        add(name, make(eval, system, Kind::Separated(separator)));
    }
    add("path", make(eval, system, Kind::Path { absolute: Some(true), in_store: None }));
    add("pathInStore", make(eval, system, Kind::Path { absolute: None, in_store: Some(true) }));
    add("externalPath", make(eval, system, Kind::Path { absolute: Some(true), in_store: Some(false) }));
    add("ints", ints(eval, system));
    add("port", int_range(eval, system, bits("unsignedInt16", 0, 0xffff, 16, false)));
    let (int, float) = (leaf(eval, system, Leaf::Int), leaf(eval, system, Leaf::Float));
    let either = compound(eval, system, "either", &[int, float], || Kind::Either(Elem::new(int), Elem::new(float)));
    add("number", either);
    add("numbers", numbers(eval, system));
    let mut function = |name: &'static str, arity: usize, make: Constructor<'a>| {
        set.insert(eval.sym(name), Pos::NONE, eval.native_fn(name, arity, move |eval, args| make(eval, system, args)));
    };
    for (name, arity, make) in functions() {
        function(name, arity, make);
    }
    let mut with_lib = |name: &'static str, make: WithLib<'a>| {
        set.insert(
            eval.sym(name),
            Pos::NONE,
            eval.native_fn(name, 1, move |eval, args| make(eval, system, lib, args[0])),
        );
    };
    with_lib("submodule", |eval, system, lib, modules| {
        let list = eval.lazy(move |eval| match eval.force(modules)? {
            list @ Value::List(_) => Ok(list),
            one => Ok(eval.list([one])),
        });
        let spec = SubmoduleSpec::new(lib, list, Shorthand::OnlyConfig);
        Ok(make(eval, system, Kind::Submodule(eval.bump().alloc(spec))))
    });
    with_lib("submoduleWith", |eval, system, lib, args| {
        let spec = SubmoduleSpec::from_args(eval, system, lib, args)?;
        Ok(make(eval, system, Kind::Submodule(eval.bump().alloc(spec))))
    });
    with_lib("attrTag", |eval, system, lib, tags| Ok(make(eval, system, Kind::AttrTag { tags, lib })));
    let deferred = |static_modules| Kind::Deferred(static_modules);
    set.insert(eval.sym("deferredModule"), Pos::NONE, make(eval, system, deferred(eval.empty_list())));
    set.finish()
}

type Constructor<'a> = fn(&Eval<'a>, &'a System<'a>, &[Value<'a>]) -> Res<Value<'a>>;
type WithLib<'a> = fn(&Eval<'a>, &'a System<'a>, Value<'a>, Value<'a>) -> Res<Value<'a>>;

/// Constructors that need nothing but their arguments.
fn functions<'a>() -> Vec<(&'static str, usize, Constructor<'a>)> {
    vec![
        ("listOf", 1, |eval, system, args| {
            Ok(compound(eval, system, "listOf", args, || Kind::List(Elem::new(args[0]))))
        }),
        ("nonEmptyListOf", 1, |eval, system, args| {
            Ok(compound(eval, system, "nonEmptyListOf", args, || Kind::NonEmptyList(Elem::new(args[0]))))
        }),
        ("attrsOf", 1, |eval, system, args| {
            Ok(compound(eval, system, "attrsOf", args, || attrs_of(args[0], Laziness::Strict, "name")))
        }),
        ("lazyAttrsOf", 1, |eval, system, args| {
            Ok(compound(eval, system, "lazyAttrsOf", args, || attrs_of(args[0], Laziness::Lazy, "name")))
        }),
        ("attrsWith", 1, |eval, system, args| attrs_with(eval, system, args[0])),
        ("nullOr", 1, |eval, system, args| {
            Ok(compound(eval, system, "nullOr", args, || Kind::NullOr(Elem::new(args[0]))))
        }),
        ("either", 2, |eval, system, args| Ok(either(eval, system, args[0], args[1]))),
        ("oneOf", 1, |eval, system, args| {
            let types: Vec<Value<'_>> = eval.force_list(args[0])?.iter().collect();
            let Some((first, rest)) = types.split_first() else {
                return Err(Error::eval("`types.oneOf` needs one type at least"));
            };
            Ok(rest.iter().fold(*first, |left, right| either(eval, system, left, *right)))
        }),
        ("uniq", 1, |eval, system, args| {
            let message = eval.string("");
            Ok(make(eval, system, Kind::Unique { message, elem: Elem::new(args[0]) }))
        }),
        ("unique", 2, |eval, system, args| {
            let message = eval.select(args[0], "message")?;
            Ok(make(eval, system, Kind::Unique { message, elem: Elem::new(args[1]) }))
        }),
        ("coercedTo", 3, |eval, system, args| {
            let (from, to) = (Elem::new(args[0]), Elem::new(args[2]));
            Ok(make(eval, system, Kind::CoercedTo { from, function: args[1], to }))
        }),
        ("functionTo", 1, |eval, system, args| Ok(make(eval, system, Kind::FunctionTo(Elem::new(args[0]))))),
        ("enum", 1, |eval, system, args| Ok(make(eval, system, Kind::Enum(args[0])))),
        ("strMatching", 1, |eval, system, args| Ok(make(eval, system, Kind::StrMatching(args[0])))),
        ("separatedString", 1, |eval, system, args| {
            let separator = eval.force_str(args[0])?;
            let separator = eval.bump().alloc_str(&separator.to_string_lossy());
            Ok(make(eval, system, Kind::Separated(separator)))
        }),
        ("passwdEntry", 1, |eval, system, args| Ok(make(eval, system, Kind::PasswdEntry(Elem::new(args[0]))))),
        ("pathWith", 1, |eval, system, args| {
            let set = eval.force_attrs(args[0])?;
            let flag = |name| match eval.get(set, name).map(|a| eval.force(a.value())).transpose()? {
                None | Some(Value::Null) => Ok(None),
                Some(value) => eval.force_bool(value).map(Some),
            };
            Ok(make(eval, system, Kind::Path { absolute: flag("absolute")?, in_store: flag("inStore")? }))
        }),
        ("deferredModuleWith", 1, |eval, system, args| {
            let set = eval.force_attrs(args[0])?;
            let modules = eval.get(set, "staticModules").map_or_else(|| eval.empty_list(), lang::Attr::value);
            Ok(make(eval, system, Kind::Deferred(modules)))
        }),
    ]
}

fn either<'a>(eval: &Eval<'a>, system: &'a System<'a>, left: Value<'a>, right: Value<'a>) -> Value<'a> {
    compound(eval, system, "either", &[left, right], || Kind::Either(Elem::new(left), Elem::new(right)))
}

/// Whether a set's attributes are known to be defined without looking at them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Laziness {
    Strict,
    Lazy,
}

fn attrs_of<'a>(elem: Value<'a>, laziness: Laziness, placeholder: &'a str) -> Kind<'a> {
    Kind::Attrs { elem: Elem::new(elem), lazy: laziness == Laziness::Lazy, placeholder }
}

fn attrs_with<'a>(eval: &Eval<'a>, system: &'a System<'a>, args: Value<'a>) -> Res<Value<'a>> {
    let set = eval.force_attrs(args)?;
    let Some(elem) = eval.get(set, "elemType") else {
        return Err(Error::eval("`types.attrsWith` needs `elemType`"));
    };
    let laziness = match eval.get(set, "lazy") {
        Some(lazy) if eval.force_bool(lazy.value())? => Laziness::Lazy,
        _ => Laziness::Strict,
    };
    let placeholder = match eval.get(set, "placeholder") {
        Some(text) => eval.bump().alloc_str(&eval.force_str(text.value())?.to_string_lossy()),
        None => "name",
    };
    Ok(make(eval, system, attrs_of(elem.value(), laziness, placeholder)))
}

fn int_range<'a>(eval: &Eval<'a>, system: &'a System<'a>, bounds: Bounds) -> Value<'a> {
    make(eval, system, Kind::IntRange(bounds))
}

fn bits(name: &'static str, lowest: i64, highest: i64, bits: u32, signed: bool) -> Bounds {
    Bounds { name, lowest, highest, words: BoundsWords::Bits(bits, signed) }
}

/// `types.ints`
fn ints<'a>(eval: &Eval<'a>, system: &'a System<'a>) -> Value<'a> {
    let fixed = [
        ("unsigned", Bounds { name: "unsignedInt", lowest: 0, highest: i64::MAX, words: BoundsWords::Unsigned }),
        ("positive", Bounds { name: "positiveInt", lowest: 1, highest: i64::MAX, words: BoundsWords::Positive }),
        ("u8", bits("unsignedInt8", 0, 0xff, 8, false)),
        ("u16", bits("unsignedInt16", 0, 0xffff, 16, false)),
        ("u32", bits("unsignedInt32", 0, 0xffff_ffff, 32, false)),
        ("s8", bits("signedInt8", -0x80, 0x7f, 8, true)),
        ("s16", bits("signedInt16", -0x8000, 0x7fff, 16, true)),
        ("s32", bits("signedInt32", -0x8000_0000, 0x7fff_ffff, 32, true)),
    ];
    let mut set = eval.attrs();
    for (name, bounds) in fixed {
        set.insert(eval.sym(name), Pos::NONE, int_range(eval, system, bounds));
    }
    let between = eval.native_fn("between", 2, move |eval, args| {
        let (lowest, highest) = (eval.force_int(args[0])?, eval.force_int(args[1])?);
        if lowest > highest {
            return Err(Error::eval("`types.ints.between`: the lower bound is above the upper one"));
        }
        Ok(int_range(eval, system, Bounds { name: "intBetween", lowest, highest, words: BoundsWords::Between }))
    });
    set.insert(eval.sym("between"), Pos::NONE, between);
    set.finish()
}

/// `types.numbers`
fn numbers<'a>(eval: &Eval<'a>, system: &'a System<'a>) -> Value<'a> {
    let between = eval.native_fn("between", 2, move |eval, args| {
        let (low, high) = (eval.force_float(args[0])?, eval.force_float(args[1])?);
        if low > high {
            return Err(Error::eval("`types.numbers.between`: the lower bound is above the upper one"));
        }
        Ok(make(eval, system, Kind::NumberRange(NumberBounds::Between(low, high))))
    });
    eval.attrs()
        .entry("between", between)
        .entry("nonnegative", make(eval, system, Kind::NumberRange(NumberBounds::Nonnegative)))
        .entry("positive", make(eval, system, Kind::NumberRange(NumberBounds::Positive)))
        .finish()
}
