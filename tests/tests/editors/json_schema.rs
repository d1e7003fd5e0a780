//! Does JSON satisfy a schema? The keywords that `esker schema` writes; any other is a panic, so that none goes
//! unchecked. Source: JSON Schema, draft 2020-12, core and validation.

use serde_json::{Map, Value};

/// Keywords that say nothing about values.
const ANNOTATIONS: [&str; 5] = ["$schema", "$defs", "title", "description", "default"];

/// What is wrong with a value, each with its place; empty when nothing is.
pub(crate) fn mistakes(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Checker { root }.check(root, value, "", &mut found);
    found
}

/// What a schema is that may be a reference.
pub(crate) fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return schema };
    let pointer = reference.strip_prefix('#').expect("a reference into the same schema");
    root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

struct Checker<'s> {
    root: &'s Value,
}

impl Checker<'_> {
    fn admits(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.check(schema, value, "", &mut found);
        found.is_empty()
    }

    fn check(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Bool(false) => return found.push(format!("{place}: nothing may stand here")),
            Value::Object(keywords) => keywords,
            other => panic!("no schema: {other}"),
        };
        self.members(keywords, value, place, found);
        for (keyword, wanted) in keywords {
            let holds = match keyword.as_str() {
                // `members` looks at the three together.
                "properties" | "patternProperties" | "additionalProperties" => true,
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{place}[{index}]"), found);
                    }
                    true
                }
                "$ref" => {
                    self.check(resolved(self.root, schema), value, place, found);
                    true
                }
                "anyOf" => wanted.as_array().expect("schemas").iter().any(|schema| self.admits(schema, value)),
                "type" => has_type(value, wanted.as_str().expect("one type")),
                "enum" => wanted.as_array().expect("values").contains(value),
                _ => holds(keyword, wanted, value),
            };
            if !holds {
                found.push(format!("{place}: {value} is not {keyword} {wanted}"));
            }
        }
    }

    fn members(&self, keywords: &Map<String, Value>, value: &Value, place: &str, found: &mut Vec<String>) {
        for (name, member) in value.as_object().into_iter().flatten() {
            let below = format!("{place}.{name}");
            let patterns = keywords.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
            let by_pattern = patterns.filter(|(pattern, _)| matches(pattern, name)).map(|(_, schema)| schema);
            let named = keywords.get("properties").and_then(|properties| properties.get(name));
            let mut schemas: Vec<&Value> = named.into_iter().chain(by_pattern).collect();
            if schemas.is_empty() {
                schemas.extend(keywords.get("additionalProperties"));
            }
            for schema in schemas {
                self.check(schema, member, &below, found);
            }
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the type {other}"),
    }
}

/// Keywords about numbers, lengths and texts; each says nothing about other values.
fn holds(keyword: &str, wanted: &Value, value: &Value) -> bool {
    let number =
        |test: fn(f64, f64) -> bool| value.as_f64().is_none_or(|n| test(n, wanted.as_f64().expect("a number")));
    let count = |size: Option<usize>, test: fn(usize, usize) -> bool| {
        let wanted = wanted.as_u64().and_then(|n| usize::try_from(n).ok()).expect("a count");
        size.is_none_or(|size| test(size, wanted))
    };
    match keyword {
        "minimum" => number(|n, least| n >= least),
        "maximum" => number(|n, most| n <= most),
        "exclusiveMinimum" => number(|n, bound| n > bound),
        "minItems" => count(value.as_array().map(Vec::len), |n, least| n >= least),
        "minProperties" => count(value.as_object().map(Map::len), |n, least| n >= least),
        "maxProperties" => count(value.as_object().map(Map::len), |n, most| n <= most),
        "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().expect("a pattern"), text)),
        other if ANNOTATIONS.contains(&other) => true,
        other => panic!("the keyword {other} is not known to this test"),
    }
}

/// The patterns that schemas have.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        r"^\$(force|default)$" => ["$force", "$default"].contains(&text),
        r"[^ \t\n]" => text.chars().any(|c| !" \t\n".contains(c)),
        r"^[^\r\n]*\n?$" => !text.strip_suffix('\n').unwrap_or(text).contains(['\r', '\n']),
        other => panic!("the pattern {other} is not known to this test"),
    }
}
