//! Other data formats: JSON, TOML, XML.

use diagnostics::Pos;

use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::json::Writer;
use crate::value::Value;

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
        let (text, context) = crate::xml::print(e, a[0])?;
        Ok(e.arena_string(e.bump().alloc_slice_copy(text.as_bytes()), context))
    }),
];

fn from_toml<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let text = String::from_utf8_lossy(eval.force_plain(args[0])?).into_owned();
    match text.parse::<toml::Table>() {
        Ok(table) => toml_table(eval, &table),
        Err(error) => Err(Error::eval(format!("while parsing TOML: {}", error.to_string().trim_end()))),
    }
}

fn toml_table<'a>(eval: &Eval<'a>, table: &toml::Table) -> Res<Value<'a>> {
    let mut set = eval.attrs();
    for (name, value) in table {
        set.insert(eval.sym(name), Pos::NONE, toml_value(eval, value)?);
    }
    Ok(set.finish())
}

fn toml_value<'a>(eval: &Eval<'a>, value: &toml::Value) -> Res<Value<'a>> {
    Ok(match value {
        toml::Value::String(s) => eval.string(s),
        toml::Value::Integer(n) => Value::Int(*n),
        toml::Value::Float(n) => Value::float(*n),
        toml::Value::Boolean(b) => Value::bool(*b),
        toml::Value::Datetime(_) => return Err(Error::eval("while parsing TOML: Dates and times are not supported")),
        toml::Value::Array(items) => {
            let items = items.iter().map(|v| toml_value(eval, v)).collect::<Res<Vec<_>>>()?;
            eval.list(items)
        }
        toml::Value::Table(table) => toml_table(eval, table)?,
    })
}
