//! What `esker option` shows of an option: read from the module system's `options`, and only what is shown is evaluated.

use lang::{Eval, Value as Nix};
use serde_json::{Map, Value, json};

use crate::evaluation::{attribute_path, evaluate};
use crate::{Configuration, Session, Subject, SystemError};

/// An option, shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownOption {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

/// How much of a value is shown to people, in characters.
const VALUE_WIDTH: usize = 400;

impl Session {
    /// Shows an option of a configuration, or lists those below a prefix.
    ///
    /// Errors when there is no such option.
    pub fn option(&self, configuration: &Configuration, system: &str, name: &str) -> Result<ShownOption, SystemError> {
        self.ensure_lock(configuration)?;
        let subject = Subject::System { configuration: configuration.clone(), system: system.to_owned() };
        let path = attribute_path(name);
        let (shown, _) = evaluate(self, &subject, |eval, value| {
            let mut options = eval.select(value, "options")?;
            for name in &path {
                options = eval.select(options, name)?;
            }
            if is_option(eval, options)? { show_option(eval, name, options) } else { list(eval, name, options) }
        })?;
        Ok(shown)
    }
}

fn is_option<'a>(eval: &Eval<'a>, value: Nix<'a>) -> Result<bool, lang::Error> {
    let Nix::Attrs(attrs) = eval.force(value)? else { return Ok(false) };
    match eval.get(attrs, "_type") {
        Some(kind) => Ok(matches!(eval.force(kind.value())?, Nix::String(s) if s.as_bytes() == b"option")),
        None => Ok(false),
    }
}

fn list<'a>(eval: &Eval<'a>, name: &str, options: Nix<'a>) -> Result<ShownOption, lang::Error> {
    let names: Vec<String> = eval
        .sorted_attrs(eval.force_attrs(options)?)
        .into_iter()
        .map(|attr| String::from_utf8_lossy(eval.symbols().bytes(attr.name)).into_owned())
        .filter(|n| !n.starts_with('_'))
        .collect();
    let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
    let text = names.iter().map(|n| format!("{prefix}{n}\n")).collect();
    Ok(ShownOption { text, json: json!(names) })
}

/// One field of an option, where it has it and it can be evaluated.
fn field<'a>(eval: &Eval<'a>, option: Nix<'a>, name: &str) -> Option<Nix<'a>> {
    let attrs = eval.force_attrs(option).ok()?;
    eval.force(eval.get(attrs, name)?.value()).ok()
}

fn text_field<'a>(eval: &Eval<'a>, option: Nix<'a>, name: &str) -> Option<String> {
    match field(eval, option, name)? {
        Nix::String(text) => Some(text.to_string_lossy().into_owned()),
        other => text_field(eval, other, "text"),
    }
}

fn printed<'a>(eval: &Eval<'a>, value: Nix<'a>) -> String {
    let text = eval.force_deep(value).map_or_else(|error| format!("«error: {}»", error.message()), |value| eval.show(value));
    match text.char_indices().nth(VALUE_WIDTH) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

fn show_option<'a>(eval: &Eval<'a>, name: &str, option: Nix<'a>) -> Result<ShownOption, lang::Error> {
    let mut json = Map::new();
    let mut text = format!("{name}\n");
    let mut line = |label: &str, key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("\n{label}\n    {}\n", value.trim_end().replace('\n', "\n    ")));
            json.insert(key.to_owned(), Value::String(value));
        }
    };
    let option_type = field(eval, option, "type").and_then(|t| text_field(eval, t, "description"));
    line("Type", "type", option_type);
    line("Value", "value", Some(printed(eval, eval.select(option, "value")?)));
    let default = text_field(eval, option, "defaultText").or_else(|| field(eval, option, "default").map(|v| printed(eval, v)));
    line("Default", "default", default);
    line("Example", "example", text_field(eval, option, "example").or_else(|| field(eval, option, "example").map(|v| printed(eval, v))));
    line("Description", "description", text_field(eval, option, "description"));
    let priority = match field(eval, option, "highestPrio") {
        Some(Nix::Int(priority)) => Some(priority_name(priority)),
        _ => None,
    };
    line("Set by", "definitions", Some(definitions(eval, option)?));
    line("Priority", "priority", priority);
    let declared = field(eval, option, "declarations").map(|list| strings(eval, list).join("\n"));
    line("Declared by", "declarations", declared);
    Ok(ShownOption { text, json: Value::Object(json) })
}

/// A priority as a person writes it.
fn priority_name(priority: i64) -> String {
    let name = match priority {
        1500 => "the option's own default",
        1000 => "mkDefault",
        100 => "a plain definition",
        60 => "mkImageMediaOverride",
        50 => "mkForce",
        10 => "mkVMOverride",
        _ => "mkOverride",
    };
    format!("{priority} ({name})")
}

fn strings<'a>(eval: &Eval<'a>, list: Nix<'a>) -> Vec<String> {
    let Ok(list) = eval.force_list(list) else { return Vec::new() };
    list.iter()
        .filter_map(|item| match eval.force(item).ok()? {
            Nix::String(text) | Nix::Path(text) => Some(text.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect()
}

fn definitions<'a>(eval: &Eval<'a>, option: Nix<'a>) -> Result<String, lang::Error> {
    let Some(list) = field(eval, option, "definitionsWithLocations") else {
        return Ok("nobody: the default holds".to_owned());
    };
    let mut lines = Vec::new();
    for definition in eval.force_list(list)?.iter() {
        let file = text_field(eval, definition, "file").unwrap_or_else(|| "unknown".to_owned());
        lines.push(format!("{file}: {}", printed(eval, eval.select(definition, "value")?)));
    }
    Ok(if lines.is_empty() { "nobody: the default holds".to_owned() } else { lines.join("\n") })
}
