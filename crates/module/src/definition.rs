//! Definitions and their properties: `mkIf`, `mkMerge`, `mkOverride`, `mkOrder`.
//!
//! Properties around a set are not copied onto its attributes; a [`Raw`] definition carries the chain of them and
//! pays for a condition only when somebody wants the definition's value. Nothing here knows types.

use diagnostics::Pos;
use lang::{Attrs, Error, Eval, Res, Value};
use syntax::Sym;

use crate::loc::Loc;
use crate::system::System;
use crate::toml::TomlFile;

/// Priority of a definition that states none.
pub(crate) const DEFAULT_PRIORITY: i64 = 100;
/// Priority of an option's default.
pub(crate) const OPTION_DEFAULT_PRIORITY: i64 = 1500;
/// Order of a definition that states none.
const DEFAULT_ORDER: i64 = 1000;

/// A definition as written, with the properties around it that were not looked at yet.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    /// The module's file, as the language sees it.
    pub(crate) file: Value<'a>,
    /// Where the attribute is.
    pub(crate) pos: Pos,
    pub(crate) value: Value<'a>,
    pub(crate) pending: Option<&'a Pending<'a>>,
    /// Set when it stands in TOML, where a string may mean a package or a path.
    pub(crate) toml: Option<&'a TomlFile<'a>>,
}

/// A property around a definition; the chain goes outwards.
pub(crate) struct Pending<'a> {
    property: Property<'a>,
    outer: Option<&'a Pending<'a>>,
}

#[derive(Clone, Copy)]
enum Property<'a> {
    If(Value<'a>),
    Override(i64),
    Order(i64),
}

/// A definition that counts: conditions decided, properties taken off, value evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Definition<'a> {
    pub(crate) file: Value<'a>,
    pub(crate) pos: Pos,
    /// In weak head normal form.
    pub(crate) value: Value<'a>,
    pub(crate) priority: i64,
    pub(crate) order: Option<i64>,
    pub(crate) toml: Option<&'a TomlFile<'a>>,
}

impl<'a> Raw<'a> {
    pub(crate) fn new(file: Value<'a>, pos: Pos, value: Value<'a>) -> Self {
        Raw { file, pos, value, pending: None, toml: None }
    }

    /// The same with a priority around it.
    pub(crate) fn with_priority(self, eval: &Eval<'a>, priority: i64) -> Self {
        self.within(eval, Property::Override(priority), self.value)
    }

    /// The properties that were put aside, around the value again as the language writes them.
    pub(crate) fn with_properties(&self, eval: &Eval<'a>, system: &System<'a>) -> Value<'a> {
        let names = &system.names;
        let mut value = self.value;
        let mut next = self.pending;
        while let Some(pending) = next {
            let (kind, field, given) = match pending.property {
                Property::If(condition) => ("if", names.condition, condition),
                Property::Override(priority) => ("override", names.priority, Value::Int(priority)),
                Property::Order(priority) => ("order", names.priority, Value::Int(priority)),
            };
            let mut set = eval.attrs();
            set.insert(names.underscore_type, Pos::NONE, eval.string(kind));
            set.insert(field, Pos::NONE, given);
            set.insert(names.content, Pos::NONE, value);
            value = set.finish();
            next = pending.outer;
        }
        value
    }

    fn within(self, eval: &Eval<'a>, property: Property<'a>, value: Value<'a>) -> Self {
        let pending = eval.bump().alloc(Pending { property, outer: self.pending });
        Raw { value, pending: Some(pending), ..self }
    }
}

impl<'a> Definition<'a> {
    /// A definition made by the machine, of plain priority.
    pub(crate) fn plain(file: Value<'a>, pos: Pos, value: Value<'a>) -> Self {
        Definition { file, pos, value, priority: DEFAULT_PRIORITY, order: None, toml: None }
    }

    /// The definition of something inside of this one.
    pub(crate) fn part(&self, pos: Pos, value: Value<'a>) -> Raw<'a> {
        let pos = if pos.is_some() { pos } else { self.pos };
        Raw { toml: self.toml, ..Raw::new(self.file, pos, value) }
    }

    /// As the language sees it: `{ file; value; }`.
    pub(crate) fn attrs(&self, eval: &Eval<'a>, system: &System<'a>) -> Value<'a> {
        let mut set = eval.attrs();
        set.insert(system.names.file, Pos::NONE, self.file);
        set.insert(system.names.value, Pos::NONE, self.value);
        set.finish()
    }
}

/// What a set marked with `_type` says about the definition in it.
enum Marked<'a> {
    Plain,
    Merge(Value<'a>),
    Wrapped(Property<'a>, Value<'a>),
    /// `mkDefinition`: a file of its own.
    Located(Value<'a>, Value<'a>),
}

fn marked<'a>(eval: &Eval<'a>, system: &System<'a>, value: Value<'a>) -> Res<Marked<'a>> {
    let Value::Attrs(set) = value else { return Ok(Marked::Plain) };
    let names = &system.names;
    let Some(kind) = set.get(names.underscore_type) else { return Ok(Marked::Plain) };
    let Value::String(kind) = eval.force(kind.value())? else { return Ok(Marked::Plain) };
    let field = |name: Sym| {
        set.get(name).map(lang::Attr::value).ok_or_else(|| {
            Error::eval(format!(
                "a property of type `{}` lacks its `{}`",
                kind.to_string_lossy(),
                eval.symbols().text(name)
            ))
        })
    };
    Ok(match kind.as_bytes() {
        b"merge" => Marked::Merge(field(names.contents)?),
        b"if" => Marked::Wrapped(Property::If(field(names.condition)?), field(names.content)?),
        b"override" => {
            Marked::Wrapped(Property::Override(eval.force_int(field(names.priority)?)?), field(names.content)?)
        }
        b"order" => Marked::Wrapped(Property::Order(eval.force_int(field(names.priority)?)?), field(names.content)?),
        b"definition" => Marked::Located(field(names.file)?, field(names.value)?),
        _ => Marked::Plain,
    })
}

/// Takes a set of definitions apart into those of its attributes, leaving conditions undecided.
///
/// # Errors
/// When the value is no set, or cannot be evaluated.
pub(crate) fn push_down<'a>(
    eval: &Eval<'a>,
    system: &System<'a>,
    raw: Raw<'a>,
    out: &mut dyn FnMut(&'a Attrs<'a>, Raw<'a>) -> Res<()>,
    loc: Loc<'a>,
) -> Res<()> {
    let value = eval.force(raw.value)?;
    match marked(eval, system, value)? {
        Marked::Plain => match value {
            Value::Attrs(set) => out(set, Raw { value, ..raw }),
            other => Err(crate::errors::not_a_set(eval, loc, &raw, other)),
        },
        Marked::Merge(contents) => {
            for content in eval.force_list(contents)?.iter() {
                push_down(eval, system, Raw { value: content, ..raw }, out, loc)?;
            }
            Ok(())
        }
        Marked::Wrapped(property, content) => push_down(eval, system, raw.within(eval, property, content), out, loc),
        Marked::Located(file, value) => push_down(eval, system, Raw { file, value, ..raw }, out, loc),
    }
}

/// Decides conditions and takes a definition's properties off; appends what counts.
///
/// # Errors
/// When a condition or the value cannot be evaluated.
pub(crate) fn discharge<'a>(
    eval: &Eval<'a>,
    system: &System<'a>,
    raw: Raw<'a>,
    out: &mut Vec<Definition<'a>>,
) -> Res<()> {
    let mut found = Definition { toml: raw.toml, ..Definition::plain(raw.file, raw.pos, raw.value) };
    let mut priority = None;
    if let Some(pending) = raw.pending {
        if !settle(eval, pending, &mut priority, &mut found.order)? {
            return Ok(());
        }
    }
    discharge_value(eval, system, found, priority, out)
}

/// Applies a chain of properties from the outside in; false when a condition does not hold.
fn settle<'a>(
    eval: &Eval<'a>,
    pending: &'a Pending<'a>,
    priority: &mut Option<i64>,
    order: &mut Option<i64>,
) -> Res<bool> {
    if let Some(outer) = pending.outer {
        if !settle(eval, outer, priority, order)? {
            return Ok(false);
        }
    }
    hold(eval, pending.property, priority, order)
}

fn hold<'a>(eval: &Eval<'a>, property: Property<'a>, priority: &mut Option<i64>, order: &mut Option<i64>) -> Res<bool> {
    match property {
        Property::If(condition) => match eval.force(condition)? {
            Value::Bool(holds) => return Ok(holds.get()),
            other => {
                return Err(Error::type_error(format!(
                    "the condition of `mkIf` is {}, not a Boolean",
                    crate::errors::a_type(other)
                )));
            }
        },
        // The outermost property wins.
        Property::Override(p) => *priority = priority.or(Some(p)),
        Property::Order(p) => *order = order.or(Some(p)),
    }
    Ok(true)
}

fn discharge_value<'a>(
    eval: &Eval<'a>,
    system: &System<'a>,
    mut found: Definition<'a>,
    mut priority: Option<i64>,
    out: &mut Vec<Definition<'a>>,
) -> Res<()> {
    loop {
        found.value = eval.force(found.value)?;
        match marked(eval, system, found.value)? {
            Marked::Plain => {
                found.priority = priority.unwrap_or(DEFAULT_PRIORITY);
                out.push(found);
                return Ok(());
            }
            Marked::Merge(contents) => {
                for content in eval.force_list(contents)?.iter() {
                    discharge_value(eval, system, Definition { value: content, ..found }, priority, out)?;
                }
                return Ok(());
            }
            Marked::Wrapped(property, content) => {
                if !hold(eval, property, &mut priority, &mut found.order)? {
                    return Ok(());
                }
                found.value = content;
            }
            Marked::Located(file, value) => {
                found.file = file;
                found.value = value;
            }
        }
    }
}

/// Keeps the definitions of the smallest priority, in the order `mkOrder` asks for; returns that priority.
pub(crate) fn select(definitions: &mut Vec<Definition<'_>>) -> i64 {
    let highest = definitions.iter().map(|d| d.priority).min().unwrap_or(9999);
    if definitions.len() > 1 {
        definitions.retain(|d| d.priority == highest);
        if definitions.iter().any(|d| d.order.is_some()) {
            definitions.sort_by_key(|d| d.order.unwrap_or(DEFAULT_ORDER));
        }
    }
    highest
}
