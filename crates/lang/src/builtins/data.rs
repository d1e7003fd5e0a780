//! Other data formats: JSON, TOML, XML.

use diagnostics::Pos;

use toml_edit::{Item, TableLike};

use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::json::Writer;
use crate::value::Value;
use crate::xml::XmlStyle;

pub(super) const TABLE: Table = &[
    ("fromJSON", 1, |e, a| {
        let text = e.force_plain(a[0])?;
        crate::json::parse(e, text)
    }),
    ("fromTOML", 1, from_toml),
    ("toJSON", 1, |e, a| {
        let mut writer = Writer::new(e, Vec::new());
        writer.value(a[0])?;
        let (text, context) = writer.finish();
        Ok(e.arena_string(e.bump().alloc_slice_copy(&text), context))
    }),
    ("toXML", 1, |e, a| {
        let (text, context) = crate::xml::print(e, a[0], XmlStyle { strict: true, places: false })?;
        Ok(e.arena_string(e.bump().alloc_slice_copy(&text), context))
    }),
];

fn from_toml<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = String::from_utf8_lossy(eval.force_plain(args[0])?).into_owned();
    match text.parse::<toml_edit::DocumentMut>() {
        Ok(document) => toml_table(eval, document.as_table()),
        Err(error) => Err(Error::eval(format!("while parsing TOML: {}", error.to_string().trim_end()))),
    }
}

fn toml_table<'a>(eval: &Eval<'a>, table: &dyn TableLike) -> Res<Value<'a>> {
    let mut set = eval.attrs();
    for (name, item) in table.iter() {
        set.insert(eval.sym(name), Pos::NONE, toml_item(eval, item)?);
    }
    Ok(set.finish())
}

fn toml_item<'a>(eval: &Eval<'a>, item: &Item) -> Res<Value<'a>> {
    Ok(match item {
        Item::None => Value::Null,
        Item::Value(value) => toml_value(eval, value)?,
        Item::Table(table) => toml_table(eval, table)?,
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|t| toml_table(eval, t)).collect::<Res<Vec<_>>>()?;
            eval.list(tables)
        }
    })
}

/// A number that is too large is no way to write `inf`.
fn toml_float<'a>(number: &toml_edit::Formatted<f64>) -> Res<Value<'a>> {
    let text = number.as_repr().and_then(|repr| repr.as_raw().as_str()).unwrap_or_default();
    if number.value().is_infinite() && !text.ends_with("inf") {
        return Err(Error::eval(format!("while parsing TOML: number {text} is too large")));
    }
    Ok(Value::float(*number.value()))
}

fn toml_value<'a>(eval: &Eval<'a>, value: &toml_edit::Value) -> Res<Value<'a>> {
    Ok(match value {
        toml_edit::Value::String(s) => no_null(eval, s.value().as_bytes())?,
        toml_edit::Value::Integer(n) => Value::Int(*n.value()),
        toml_edit::Value::Float(n) => toml_float(n)?,
        toml_edit::Value::Boolean(b) => Value::bool(*b.value()),
        toml_edit::Value::Datetime(time) => {
            if !eval.has_feature("parse-toml-timestamps") {
                return Err(Error::eval("while parsing TOML: Dates and times are not supported"));
            }
            let written = time.as_repr().and_then(|r| r.as_raw().as_str().map(str::to_owned));
            let text = timestamp(written.unwrap_or_else(|| time.value().to_string()).trim());
            eval.attrs().entry("_type", eval.string("timestamp")).entry("value", eval.string(&text)).finish()
        }
        toml_edit::Value::Array(items) => {
            let items = items.iter().map(|v| toml_value(eval, v)).collect::<Res<Vec<_>>>()?;
            eval.list(items)
        }
        toml_edit::Value::InlineTable(table) => toml_table(eval, table)?,
    })
}

/// A time as the reference writes it again: as it was, with at most nine decimals and `Z` for no offset.
fn timestamp(written: &str) -> String {
    let end = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut text = written.to_owned();
    if let Some(dot) = text.find('.') {
        let digits = end(&text[dot + 1..]);
        if digits > 9 {
            text.replace_range(dot + 10..dot + 1 + digits, "");
        }
    }
    for zero in ["z", "+00:00", "-00:00"] {
        if let Some(rest) = text.strip_suffix(zero) {
            return format!("{rest}Z");
        }
    }
    text
}

/// A string from outside, which must not hold a null byte.
pub(crate) fn no_null<'a>(eval: &Eval<'a>, bytes: &[u8]) -> Res<Value<'a>> {
    if bytes.contains(&0) {
        let shown = String::from_utf8_lossy(bytes).replace('\0', "␀");
        return Err(Error::eval(format!(
            "input string '{shown}' cannot be represented as Nix string because it contains null bytes"
        )));
    }
    Ok(eval.bytes(bytes))
}
