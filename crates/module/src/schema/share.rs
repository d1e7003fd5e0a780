//! Sets of options that occur several times in a schema, written once: a unit's options are those of each kind of unit,
//! and a specialisation has all options there are. Changes no meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

/// Sets shorter than this, in bytes of JSON, are repeated.
const SHORT: usize = 400;

/// Keywords that say something about one option and not about the set of options that it holds.
const ANNOTATIONS: [&str; 2] = ["description", "default"];

/// Moves the sets of options that occur more than once to definitions; returns these by name.
pub(super) fn share(schema: &mut Json) -> Map<String, Json> {
    let mut counts = BTreeMap::new();
    count(schema, &mut counts);
    let repeated = counts.into_iter().filter(|(text, count)| *count > 1 && text.len() >= SHORT);
    let mut sharing = Sharing { repeated: repeated.map(|(text, _)| (text, None)).collect(), ..Sharing::default() };
    sharing.replace_below(schema, &mut Vec::new());
    sharing.definitions
}

/// A set of options without what is said about the option that holds it.
fn body(schema: &Json) -> Option<Map<String, Json>> {
    let map = schema.as_object().filter(|map| map.contains_key("patternProperties"))?;
    Some(
        map.iter()
            .filter(|(key, _)| !ANNOTATIONS.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    )
}

fn count(schema: &Json, counts: &mut BTreeMap<String, usize>) {
    if let Some(body) = body(schema) {
        let known = counts.entry(Json::Object(body).to_string()).or_default();
        *known += 1;
        // What is below a set that is written once occurs once more for each of its own occurrences only.
        if *known > 1 {
            return;
        }
    }
    match schema {
        Json::Object(map) => map.values().for_each(|value| count(value, counts)),
        Json::Array(items) => items.iter().for_each(|item| count(item, counts)),
        _ => {}
    }
}

#[derive(Default)]
struct Sharing {
    /// Repeated sets, and the names of those already moved.
    repeated: BTreeMap<String, Option<String>>,
    names: BTreeSet<String>,
    definitions: Map<String, Json>,
}

impl Sharing {
    fn replace(&mut self, schema: &mut Json, path: &mut Vec<String>) {
        let Some(body) = body(schema) else { return self.replace_below(schema, path) };
        let text = Json::Object(body.clone()).to_string();
        let name = match self.repeated.get(&text) {
            None => return self.replace_below(schema, path),
            Some(Some(name)) => name.clone(),
            Some(None) => self.define(text, Json::Object(body), path),
        };
        if let Json::Object(map) = schema {
            map.retain(|key, _| ANNOTATIONS.contains(&key.as_str()));
            map.insert("$ref".to_owned(), json!(format!("#/$defs/{name}")));
        }
    }

    /// Makes a definition, named after the first place where its set stands.
    fn define(&mut self, text: String, mut body: Json, path: &mut Vec<String>) -> String {
        let place = path.join(".");
        let mut name = place.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{place}-{number}");
        }
        self.repeated.insert(text, Some(name.clone()));
        self.replace_below(&mut body, path);
        self.definitions.insert(name.clone(), body);
        name
    }

    fn replace_below(&mut self, schema: &mut Json, path: &mut Vec<String>) {
        match schema {
            Json::Object(map) => {
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), value) {
                        ("properties", Json::Object(properties)) => {
                            for (name, value) in properties.iter_mut() {
                                path.push(in_a_reference(name));
                                self.replace(value, path);
                                path.pop();
                            }
                        }
                        ("default", _) => {}
                        (_, value) => self.replace(value, path),
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.replace(item, path)),
            _ => {}
        }
    }
}

/// A name with what would have to be escaped in a reference left out.
fn in_a_reference(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_occurs_twice_is_written_once() {
        let long = "x".repeat(SHORT);
        let set = json!({ "type": "object", "properties": { long: true }, "patternProperties": {} });
        let mut about = set.clone();
        about["description"] = json!("The second.");
        let once = json!({ "properties": { "short": true }, "patternProperties": {} });
        let mut schema = json!({ "properties": { "a": set, "b": about, "c": once }, "patternProperties": {} });
        let definitions = share(&mut schema);
        assert_eq!(definitions, *json!({ "a": set }).as_object().unwrap());
        let properties = &schema["properties"];
        assert_eq!(properties["a"], json!({ "$ref": "#/$defs/a" }));
        assert_eq!(properties["b"], json!({ "$ref": "#/$defs/a", "description": "The second." }));
        assert_eq!(properties["c"], once);
    }
}
