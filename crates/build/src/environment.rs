//! What a sandboxed builder gets besides its inputs: environment variables and files in its build folder. Pure.
//!
//! Names and values are Nix's. Nothing depends on the clock or the host, save `NIX_BUILD_CORES` and, for fixed outputs,
//! the variables that the derivation lists in `impureEnvVars`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bstr::{BString, ByteSlice as _};
use nix_formats::{Derivation, Hash, HashAlgo, StoreDir};
use serde_json::{Map, Value};

use crate::builtin::attributes_of;
use crate::error::FailureReason;

/// The build folder as the builder sees it.
pub const BUILD_DIR: &str = "/build";

/// The host's part in an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostPart {
    /// How many cores a builder may use.
    pub(crate) cores: usize,
    /// Variables that fixed-output derivations may ask for.
    pub(crate) impure_variables: BTreeMap<String, String>,
}

/// Variables, and files by their name in the build folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildFiles {
    /// The whole environment.
    pub variables: BTreeMap<String, BString>,
    /// Files to write before the builder starts.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl BuildFiles {
    pub(crate) fn of(derivation: &Derivation, dir: &StoreDir, host: &HostPart) -> Result<Self, FailureReason> {
        let mut build = Self::default();
        build.set("PATH", "/path-not-set");
        build.set("HOME", "/homeless-shelter");
        build.set("NIX_STORE", dir.as_str());
        build.set("NIX_BUILD_CORES", host.cores.to_string());
        if derivation.structured_attrs().is_some() {
            build.add_structured(derivation, dir)?;
        } else {
            build.add_variables(derivation);
        }
        for name in ["NIX_BUILD_TOP", "TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD"] {
            build.set(name, BUILD_DIR);
        }
        if derivation.fixed_output().is_some() {
            build.set("NIX_OUTPUT_CHECKED", "1");
            build.add_impure(derivation, host)?;
        }
        build.set("NIX_LOG_FD", "2");
        build.set("TERM", "xterm-256color");
        Ok(build)
    }

    fn set(&mut self, name: &str, value: impl Into<BString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    fn add_variables(&mut self, derivation: &Derivation) {
        let as_files = derivation.env.get("passAsFile").map(|names| names.to_str_lossy().into_owned());
        let as_files: Vec<&str> = as_files.as_deref().unwrap_or_default().split_whitespace().collect();
        for (name, value) in &derivation.env {
            if as_files.contains(&name.as_str()) {
                let file = format!(".attr-{}", Hash::of(HashAlgo::Sha256, name.as_bytes()).to_base32());
                self.set(&format!("{name}Path"), format!("{BUILD_DIR}/{file}"));
                self.files.insert(file, value.to_vec());
            } else {
                self.set(name, value.clone());
            }
        }
    }

    fn add_structured(&mut self, derivation: &Derivation, dir: &StoreDir) -> Result<(), FailureReason> {
        let malformed = || FailureReason::Attribute { name: "__json".to_owned(), expected: "a JSON object" };
        let Ok(Value::Object(mut attributes)) = attributes_of(derivation) else {
            return Err(malformed());
        };
        let outputs: Map<String, Value> = derivation
            .outputs
            .iter()
            .filter_map(|(name, output)| Some((name.clone(), Value::String(dir.display(output.path()?)))))
            .collect();
        attributes.insert("outputs".to_owned(), Value::Object(outputs));
        // As Nix prints objects, whatever order the file had.
        attributes.sort_keys();
        self.files.insert(".attrs.sh".to_owned(), shell_declarations(&attributes).into_bytes());
        let json = serde_json::to_vec(&Value::Object(attributes)).map_err(|_| malformed())?;
        self.files.insert(".attrs.json".to_owned(), json);
        self.set("NIX_ATTRS_SH_FILE", format!("{BUILD_DIR}/.attrs.sh"));
        self.set("NIX_ATTRS_JSON_FILE", format!("{BUILD_DIR}/.attrs.json"));
        Ok(())
    }

    fn add_impure(&mut self, derivation: &Derivation, host: &HostPart) -> Result<(), FailureReason> {
        for name in string_list(derivation, "impureEnvVars")?.unwrap_or_default() {
            let value = host.impure_variables.get(&name).cloned().unwrap_or_default();
            self.set(&name, value);
        }
        Ok(())
    }
}

/// A list-valued attribute: structured, or separated by white space in a variable. `None` when absent.
pub(crate) fn string_list(derivation: &Derivation, name: &str) -> Result<Option<Vec<String>>, FailureReason> {
    let malformed = || FailureReason::Attribute { name: name.to_owned(), expected: "a list of strings" };
    let attributes = attributes_of(derivation).map_err(|_| malformed())?;
    match attributes.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.split_whitespace().map(str::to_owned).collect())),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(malformed))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(malformed()),
    }
}

/// `.attrs.sh`: bash declarations of every attribute whose name and value bash can hold.
fn shell_declarations(attributes: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in attributes {
        if !is_shell_name(name) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = match value {
            Value::Array(items) => match items.iter().map(shell_value).collect::<Option<Vec<_>>>() {
                Some(items) => writeln!(text, "declare -a {name}=({})", joined(items.iter())),
                None => Ok(()),
            },
            Value::Object(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| Some(format!("[{}]={}", quote(key), shell_value(value)?)));
                match entries.collect::<Option<Vec<_>>>() {
                    Some(entries) => {
                        writeln!(text, "declare -A {name}=({})", joined(entries.iter()))
                    }
                    None => Ok(()),
                }
            }
            simple => match shell_value(simple) {
                Some(value) => writeln!(text, "declare {name}={value}"),
                None => Ok(()),
            },
        };
    }
    text
}

fn joined<'s>(items: impl Iterator<Item = &'s String>) -> String {
    items.fold(String::new(), |mut text, item| {
        text.push_str(item);
        text.push(' ');
        text
    })
}

fn is_shell_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value as a bash word; `None` for what bash cannot hold.
fn shell_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(quote(text)),
        Value::Null => Some("''".to_owned()),
        Value::Bool(true) => Some("1".to_owned()),
        Value::Bool(false) => Some(String::new()),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use nix_formats::{Derivation, DerivationOutput, StoreDir, StorePath};

    use super::{BuildFiles, HostPart};

    fn derivation(env: &[(&str, &str)]) -> Derivation {
        let path = StorePath::from_base_name("7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-x").unwrap();
        Derivation {
            name: "x".into(),
            outputs: BTreeMap::from([("out".to_owned(), DerivationOutput::InputAddressed { path })]),
            input_drvs: BTreeMap::new(),
            input_srcs: BTreeSet::new(),
            system: "x86_64-linux".into(),
            builder: "/bin/sh".into(),
            args: Vec::new(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        }
    }

    fn build_files(env: &[(&str, &str)]) -> BuildFiles {
        let host = HostPart { cores: 3, impure_variables: BTreeMap::new() };
        BuildFiles::of(&derivation(env), &StoreDir::default(), &host).unwrap()
    }

    #[test]
    fn a_derivation_overrides_defaults_but_not_the_build_folder() {
        let build = build_files(&[("PATH", "/bin"), ("TMPDIR", "/elsewhere"), ("x", "1")]);
        assert_eq!(build.variables["PATH"], "/bin");
        assert_eq!(build.variables["TMPDIR"], "/build");
        assert_eq!(build.variables["x"], "1");
        assert_eq!(build.variables["NIX_BUILD_CORES"], "3");
    }

    #[test]
    fn big_values_can_be_passed_as_files() {
        let build = build_files(&[("passAsFile", "text"), ("text", "hello")]);
        assert!(!build.variables.contains_key("text"));
        let file = build.variables["textPath"].to_string();
        assert_eq!(build.files[file.strip_prefix("/build/").unwrap()], b"hello");
    }

    #[test]
    fn structured_attributes_become_json_and_shell() {
        let json = r#"{"s":"it's","n":7,"f":1.5,"t":true,"b":false,"z":null,"l":["a","b c"],"o":{"k":"v"},"d":[[1]],"no-name":1}"#;
        let build = build_files(&[("__json", json)]);
        assert!(!build.variables.contains_key("__json"));
        assert_eq!(
            String::from_utf8(build.files[".attrs.sh"].clone()).unwrap(),
            "declare b=\ndeclare -a l=('a' 'b c' )\ndeclare n=7\ndeclare -A o=(['k']='v' )\n\
             declare -A outputs=(['out']='/nix/store/7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-x' )\n\
             declare s='it'\\''s'\ndeclare t=1\ndeclare z=''\n"
        );
        let back: serde_json::Value = serde_json::from_slice(&build.files[".attrs.json"]).unwrap();
        assert_eq!(back["outputs"]["out"], "/nix/store/7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-x");
        assert_eq!(back["f"], 1.5);
    }
}
