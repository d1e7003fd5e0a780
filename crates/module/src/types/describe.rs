//! Names and descriptions of native types, in the words of nixpkgs.

use lang::{Eval, Res, Value};

use super::{BoundsWords, Kind, Leaf, NativeType, NumberBounds, Type};
use crate::system::System;

/// How a description reads inside of another: says where parentheses are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Noun,
    NonRestrictiveClause,
    Conjunction,
    Composite,
}

impl Class {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Class::Noun => "noun",
            Class::NonRestrictiveClause => "nonRestrictiveClause",
            Class::Conjunction => "conjunction",
            Class::Composite => "composite",
        }
    }
}

impl<'a> NativeType<'a> {
    pub(crate) fn name(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<String> {
        Ok(match &self.kind {
            Kind::Leaf(leaf) => leaf.words().0.to_owned(),
            Kind::IntRange(b) => b.name.to_owned(),
            Kind::NumberRange(NumberBounds::Between(..)) => "numberBetween".to_owned(),
            Kind::NumberRange(NumberBounds::Nonnegative) => "numberNonnegative".to_owned(),
            Kind::NumberRange(NumberBounds::Positive) => "numberPositive".to_owned(),
            Kind::StrMatching(pattern) => format!("strMatching {}", eval.show(eval.force(*pattern)?)),
            Kind::Separated(_) => "separatedString".to_owned(),
            Kind::Path { absolute: Some(true), in_store: None } => "path".to_owned(),
            Kind::Path { in_store: Some(true), .. } => "pathInStore".to_owned(),
            Kind::Path { .. } => "path".to_owned(),
            Kind::PasswdEntry(elem) => format!("passwdEntry {}", elem.get(eval, system)?.name(eval, system)?),
            Kind::Enum(_) => "enum".to_owned(),
            Kind::List(_) | Kind::NonEmptyList(_) => "listOf".to_owned(),
            Kind::Attrs { lazy: false, .. } => "attrsOf".to_owned(),
            Kind::Attrs { lazy: true, .. } => "lazyAttrsOf".to_owned(),
            Kind::NullOr(_) => "nullOr".to_owned(),
            Kind::Unique { .. } => "unique".to_owned(),
            Kind::Either(..) => "either".to_owned(),
            Kind::CoercedTo { .. } => "coercedTo".to_owned(),
            Kind::FunctionTo(_) => "functionTo".to_owned(),
            Kind::Submodule(_) => "submodule".to_owned(),
            Kind::Deferred(_) => "deferredModule".to_owned(),
            Kind::AttrTag { .. } => "attrTag".to_owned(),
        })
    }

    pub(crate) fn description(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<String> {
        let phrase = |t: Type<'a>, bare: &[Class]| t.phrase(eval, system, bare);
        Ok(match &self.kind {
            Kind::Leaf(leaf) => leaf.words().1.to_owned(),
            Kind::IntRange(b) => {
                let between = format!("between {} and {} (both inclusive)", b.lowest, b.highest);
                match b.words {
                    BoundsWords::Between => format!("integer {between}"),
                    BoundsWords::Unsigned => "unsigned integer, meaning >=0".to_owned(),
                    BoundsWords::Positive => "positive integer, meaning >0".to_owned(),
                    BoundsWords::Bits(bits, true) => format!("{bits} bit signed integer; {between}"),
                    BoundsWords::Bits(bits, false) => format!("{bits} bit unsigned integer; {between}"),
                }
            }
            Kind::NumberRange(NumberBounds::Between(low, high)) => {
                format!("integer or floating point number between {low} and {high} (both inclusive)")
            }
            Kind::NumberRange(NumberBounds::Nonnegative) => {
                "nonnegative integer or floating point number, meaning >=0".to_owned()
            }
            Kind::NumberRange(NumberBounds::Positive) => {
                "positive integer or floating point number, meaning >0".to_owned()
            }
            Kind::StrMatching(pattern) => {
                format!("string matching the pattern {}", eval.force_str(*pattern)?.to_string_lossy())
            }
            Kind::Separated("") => "Concatenated string".to_owned(),
            Kind::Separated(sep) => format!("strings concatenated with {}", crate::errors::json_string(sep)),
            Kind::Path { absolute, in_store } => {
                let how = match absolute {
                    Some(true) => "absolute ",
                    Some(false) => "relative ",
                    None => "",
                };
                let place = match in_store {
                    Some(true) => " in the Nix store",
                    Some(false) => " not in the Nix store",
                    None => "",
                };
                format!("{how}path{place}")
            }
            Kind::PasswdEntry(elem) => {
                let elem = phrase(elem.get(eval, system)?, &[Class::Noun])?;
                format!("{elem}, not containing newlines or colons")
            }
            Kind::Enum(values) => describe_enum(eval, *values)?,
            Kind::List(elem) => {
                format!("list of {}", phrase(elem.get(eval, system)?, &[Class::Noun, Class::Composite])?)
            }
            Kind::NonEmptyList(elem) => {
                format!("non-empty (list of {})", phrase(elem.get(eval, system)?, &[Class::Noun, Class::Composite])?)
            }
            Kind::Attrs { elem, lazy, .. } => {
                let elem = phrase(elem.get(eval, system)?, &[Class::Noun, Class::Composite])?;
                format!("{}attribute set of {elem}", if *lazy { "lazy " } else { "" })
            }
            Kind::NullOr(elem) => {
                format!("null or {}", phrase(elem.get(eval, system)?, &[Class::Noun, Class::Conjunction])?)
            }
            Kind::Unique { elem, .. } => elem.get(eval, system)?.description(eval, system)?,
            Kind::Either(a, b) => {
                let a = phrase(a.get(eval, system)?, &[Class::Noun, Class::Conjunction])?;
                let b = phrase(b.get(eval, system)?, &[Class::Noun, Class::Conjunction, Class::Composite])?;
                format!("{a} or {b}")
            }
            Kind::CoercedTo { from, to, .. } => {
                let to = phrase(to.get(eval, system)?, &[Class::Noun])?;
                let from = phrase(from.get(eval, system)?, &[Class::Noun])?;
                format!("{to} or {from} convertible to it")
            }
            Kind::FunctionTo(elem) => {
                let elem = phrase(elem.get(eval, system)?, &[Class::Noun, Class::Composite])?;
                format!("function that evaluates to a(n) {elem}")
            }
            Kind::Submodule(spec) => spec.description(eval)?.unwrap_or_else(|| "submodule".to_owned()),
            Kind::Deferred(_) => "module".to_owned(),
            Kind::AttrTag { tags, .. } => {
                let tags = eval.sorted_attrs(eval.force_attrs(*tags)?);
                let names: Vec<String> = tags.iter().map(|t| eval.symbols().text(t.name)).collect();
                format!("attribute-tagged union with choices: {}", names.join(", "))
            }
        })
    }

    pub(crate) fn class(&self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Option<Class>> {
        Ok(Some(match &self.kind {
            Kind::Leaf(_) | Kind::Separated(_) | Kind::Path { .. } | Kind::Submodule(_) | Kind::Deferred(_) => {
                Class::Noun
            }
            Kind::IntRange(b) if b.words == BoundsWords::Between => Class::Noun,
            Kind::IntRange(b) if matches!(b.words, BoundsWords::Bits(..)) => Class::Noun,
            Kind::IntRange(_) | Kind::NumberRange(_) => Class::NonRestrictiveClause,
            Kind::StrMatching(_) => Class::Noun,
            Kind::PasswdEntry(_) => Class::NonRestrictiveClause,
            Kind::Enum(values) if eval.force_list(*values)?.len() < 2 => Class::Noun,
            Kind::Enum(_) | Kind::NullOr(_) | Kind::Either(..) => Class::Conjunction,
            Kind::NonEmptyList(_) | Kind::CoercedTo { .. } => Class::Noun,
            Kind::List(_) | Kind::Attrs { .. } | Kind::FunctionTo(_) => Class::Composite,
            Kind::Unique { elem, .. } => return elem.get(eval, system)?.class(eval, system),
            Kind::AttrTag { .. } => return Ok(None),
        }))
    }
}

impl<'a> Type<'a> {
    pub(crate) fn name(self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<String> {
        match self {
            Type::Native(native) => native.name(eval, system),
            Type::Custom(_) => Ok(match self.attr(eval, system.names.name)? {
                Some(Value::String(s)) => s.to_string_lossy().into_owned(),
                _ => "unnamed".to_owned(),
            }),
        }
    }

    fn class(self, eval: &Eval<'a>, system: &'a System<'a>) -> Res<Option<Class>> {
        let Type::Custom(_) = self else {
            return self.native().map_or(Ok(None), |native| native.class(eval, system));
        };
        let Some(Value::String(text)) = self.attr(eval, system.names.description_class)? else { return Ok(None) };
        let all = [Class::Noun, Class::NonRestrictiveClause, Class::Conjunction, Class::Composite];
        Ok(all.into_iter().find(|c| c.text().as_bytes() == text.as_bytes()))
    }

    /// The description, in parentheses unless its class is among `bare`.
    pub(crate) fn phrase(self, eval: &Eval<'a>, system: &'a System<'a>, bare: &[Class]) -> Res<String> {
        let text = self.description(eval, system)?;
        let class = self.class(eval, system)?;
        Ok(if class.is_some_and(|c| bare.contains(&c)) { text } else { format!("({text})") })
    }
}

impl Leaf {
    /// Name and description.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Leaf::Unspecified => ("unspecified", "unspecified value"),
            Leaf::Raw => ("raw", "raw value"),
            Leaf::Anything => ("anything", "anything"),
            Leaf::Bool => ("bool", "boolean"),
            Leaf::BoolByOr => ("boolByOr", "boolean (merged using or)"),
            Leaf::Int => ("int", "signed integer"),
            Leaf::Float => ("float", "floating point number"),
            Leaf::Str => ("str", "string"),
            Leaf::NonEmptyStr => ("nonEmptyStr", "non-empty string"),
            Leaf::SingleLineStr => ("singleLineStr", "(optionally newline-terminated) single-line string"),
            Leaf::Attrs => ("attrs", "attribute set"),
            Leaf::Package => ("package", "package"),
            Leaf::ShellPackage => ("shellPackage", "package"),
            Leaf::OptionType => ("optionType", "optionType"),
            Leaf::Pkgs => ("pkgs", "Nixpkgs package set"),
            Leaf::LuaInline => ("luaInline", "inline lua"),
        }
    }
}

fn describe_enum<'a>(eval: &Eval<'a>, values: Value<'a>) -> Res<String> {
    let mut shown = Vec::new();
    for value in eval.force_list(values)?.iter() {
        shown.push(match eval.force(value)? {
            Value::String(s) => crate::errors::json_string(&s.to_string_lossy()),
            Value::Int(n) => n.to_string(),
            Value::Bool(b) => b.get().to_string(),
            other => format!("<{}>", other.type_name()),
        });
    }
    Ok(match shown.len() {
        0 => "impossible (empty enum)".to_owned(),
        1 => format!("value {} (singular enum)", shown[0]),
        _ => format!("one of {}", shown.join(", ")),
    })
}
