//! What `esker option` shows: what an option is, its value, and who set it where with which priority. A prefix lists what
//! is below it. The configuration need not be sound: this is how one finds out what is wrong with it.

use lang::{Eval, Value as Nix};
use module::{DefinitionInfo, ModuleSystem, OptionDoc, OptionInfo, Place};
use serde_json::{Value, json};

use crate::evaluation::{attribute_path, evaluate_unchecked};
use crate::pretty::pretty;
use crate::{Configuration, Session, Subject, SystemError};

/// An option, shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownOption {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Session {
    /// Shows an option of a configuration, or lists those below a prefix; the empty name lists all.
    ///
    /// Errors when there is no such option.
    pub fn option(&self, configuration: &Configuration, system: &str, name: &str) -> Result<ShownOption, SystemError> {
        self.ensure_lock(configuration)?;
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let path = attribute_path(name);
        let (shown, _) =
            evaluate_unchecked(self, &subject, |eval, modules, value| look_up(eval, modules, value, &path))?;
        Ok(shown)
    }

    /// The JSON Schema of a configuration in TOML, from the options that this configuration has.
    ///
    /// Errors when its options cannot be evaluated.
    pub fn schema(&self, configuration: &Configuration, system: &str) -> Result<Value, SystemError> {
        self.ensure_lock(configuration)?;
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let (schema, _) = evaluate_unchecked(self, &subject, |eval, modules, value| modules.schema(eval, value))?;
        Ok(schema)
    }
}

fn look_up<'a>(
    eval: &Eval<'a>,
    modules: ModuleSystem<'a>,
    configuration: Nix<'a>,
    path: &[String],
) -> Result<ShownOption, lang::Error> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let found = modules.option(eval, configuration, &names);
    let docs = modules.docs(eval, configuration)?;
    let below: Vec<&OptionDoc> =
        docs.iter().filter(|doc| doc.loc.len() > path.len() && doc.loc.starts_with(path) && is_shown(doc)).collect();
    match (found, docs.iter().find(|doc| doc.loc == path)) {
        (Ok(info), _) => Ok(show_option(eval, &info, &below)),
        // `services.nginx.virtualHosts.<name>.root`: an option of hosts that may be, without a value.
        (Err(_), Some(doc)) => Ok(show_doc(doc)),
        (Err(_), None) if !below.is_empty() => Ok(list(&below)),
        (Err(error), None) => Err(error),
    }
}

fn is_shown(doc: &OptionDoc) -> bool {
    doc.visible && !doc.internal
}

fn list(docs: &[&OptionDoc]) -> ShownOption {
    let width = docs.iter().map(|doc| doc.name.chars().count()).max().unwrap_or(0).min(48);
    let text = docs.iter().map(|doc| format!("{:width$}  {}\n", doc.name, first_line(doc))).collect();
    ShownOption {
        text,
        json: docs
            .iter()
            .map(|doc| json!({ "name": doc.name, "type": doc.type_description, "description": doc.description }))
            .collect(),
    }
}

/// The first sentence or line of a description.
fn first_line(doc: &OptionDoc) -> &str {
    let line = doc.description.as_deref().unwrap_or_default().trim_start().lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence)
}

fn show_option<'a>(eval: &Eval<'a>, info: &OptionInfo<'a>, below: &[&OptionDoc]) -> ShownOption {
    let value = match &info.value {
        Ok(value) => pretty(eval, *value),
        Err(error) => format!("none: {}", error.message()),
    };
    let mut page = Page::of(&info.doc);
    page.field("value", &value);
    page.documentation(&info.doc);
    let definitions: Vec<String> = info.definitions.iter().map(|d| definition_text(eval, d)).collect();
    page.field("set by", &if definitions.is_empty() { "nobody".to_owned() } else { definitions.join("\n") });
    page.declared(&info.doc);
    if !below.is_empty() {
        let names: Vec<&str> = below.iter().map(|doc| doc.name.as_str()).collect();
        page.field("below it", &names.join("\n"));
    }
    let mut json = doc_json(&info.doc);
    json["value"] = info.value.as_ref().map_or(Value::Null, |value| as_json(eval, *value));
    json["definitions"] = info.definitions.iter().map(|d| definition_json(eval, d)).collect();
    ShownOption { text: page.text, json }
}

fn show_doc(doc: &OptionDoc) -> ShownOption {
    let mut page = Page::of(doc);
    page.documentation(doc);
    page.declared(doc);
    ShownOption { text: page.text, json: doc_json(doc) }
}

/// What is shown to people: a name, a description, and fields with their values beside them.
struct Page {
    text: String,
}

/// Where values of fields start.
const FIELD_WIDTH: usize = 12;

impl Page {
    fn of(doc: &OptionDoc) -> Self {
        let mut text = format!("{}\n", doc.name);
        for line in doc.description.as_deref().unwrap_or_default().trim().lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
        text.push('\n');
        Page { text }
    }

    fn field(&mut self, label: &str, value: &str) {
        let mut label = label;
        for line in value.trim_end().lines() {
            self.text.push_str(format!("  {label:FIELD_WIDTH$}{line}").trim_end());
            self.text.push('\n');
            label = "";
        }
    }

    fn documentation(&mut self, doc: &OptionDoc) {
        self.field("type", &doc.type_description);
        if let Some(default) = &doc.default {
            self.field("default", default);
        }
        if let Some(example) = &doc.example {
            self.field("example", example);
        }
    }

    fn declared(&mut self, doc: &OptionDoc) {
        let places: Vec<String> = doc.declarations.iter().map(place_text).collect();
        self.field("declared", &places.join("\n"));
        if doc.read_only {
            self.field("", "it cannot be set");
        }
    }
}

fn place_text(place: &Place) -> String {
    match &place.location {
        Some(at) if at.is_file => format!("{}:{}:{}", at.file, at.line, at.column),
        _ => place.file.clone(),
    }
}

fn definition_text<'a>(eval: &Eval<'a>, definition: &DefinitionInfo<'a>) -> String {
    let overridden = if definition.counts { "" } else { ", overridden" };
    let value = pretty(eval, definition.value);
    format!(
        "{} ({}{overridden})\n  {}",
        place_text(&definition.place),
        priority_text(definition.priority),
        value.replace('\n', "\n  ")
    )
}

/// A priority as a person writes it.
fn priority_text(priority: i64) -> String {
    match priority {
        1500 => "the option's default".to_owned(),
        1000 => "mkDefault, priority 1000".to_owned(),
        100 => "priority 100".to_owned(),
        50 => "mkForce, priority 50".to_owned(),
        other => format!("mkOverride {other}"),
    }
}

fn doc_json(doc: &OptionDoc) -> Value {
    json!({
        "name": doc.name,
        "type": doc.type_description,
        "description": doc.description,
        "default": doc.default,
        "example": doc.example,
        "readOnly": doc.read_only,
        "declarations": doc.declarations.iter().map(place_json).collect::<Vec<_>>(),
    })
}

fn definition_json<'a>(eval: &Eval<'a>, definition: &DefinitionInfo<'a>) -> Value {
    let mut json = place_json(&definition.place);
    json["priority"] = json!(definition.priority);
    json["counts"] = json!(definition.counts);
    json["value"] = as_json(eval, definition.value);
    json
}

fn place_json(place: &Place) -> Value {
    let at = place.location.as_ref();
    json!({ "file": place.file, "line": at.map(|at| at.line), "column": at.map(|at| at.column) })
}

/// A value as JSON; null where it has none, as functions have.
fn as_json<'a>(eval: &Eval<'a>, value: Nix<'a>) -> Value {
    let text = || -> Result<String, lang::Error> {
        let to_json = eval.eval_string("builtins.toJSON", "«esker»", "/")?;
        Ok(eval.force_str(eval.call(to_json, &[value])?)?.to_string_lossy().into_owned())
    };
    text().ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_beside_their_labels() {
        let mut page = Page { text: String::new() };
        page.field("value", "[\n  1\n]");
        assert_eq!(page.text, "  value       [\n                1\n              ]\n");
    }
}
