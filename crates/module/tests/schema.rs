//! The JSON Schema of configurations in TOML: what types become, and what it admits.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};
use serde_json::{Value as Json, json};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

/// The schema of modules that declare these options; `options` is code of the language.
fn schema_of(options: &str) -> Json {
    let text = format!(
        "let lib = import ./default.nix; inherit (lib) mkOption types; in
         lib.evalModules {{ modules = [ {{ options = {options}; }} ]; }}"
    );
    let lib = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib");
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    let modules = module::install(&eval);
    let configuration = eval.eval_string(&text, "configuration.nix", lib).unwrap();
    modules.schema(&eval, configuration).unwrap()
}

/// The schema of a value of a type, without its form that sets a priority.
fn schema_of_type(ty: &str) -> Json {
    let schema = schema_of(&format!("{{ x = mkOption {{ type = {ty}; }}; }}"));
    let mut schema = schema["properties"]["x"].clone();
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        alternatives.retain(|schema| schema["properties"].get("$force").is_none());
        if let [only] = alternatives.as_slice() {
            return only.clone();
        }
    }
    schema
}

#[test]
fn types_become_schemas() {
    for (ty, schema) in [
        ("types.bool", json!({ "type": "boolean" })),
        ("types.int", json!({ "type": "integer" })),
        ("types.port", json!({ "type": "integer", "minimum": 0, "maximum": 65535 })),
        ("types.ints.positive", json!({ "type": "integer", "minimum": 1 })),
        ("types.ints.between 2 4", json!({ "type": "integer", "minimum": 2, "maximum": 4 })),
        ("types.numbers.positive", json!({ "type": "number", "exclusiveMinimum": 0 })),
        ("types.lines", json!({ "type": "string" })),
        ("types.path", json!({ "type": "string" })),
        ("types.enum [ \"a\" 1 ]", json!({ "enum": ["a", 1] })),
        ("types.nullOr types.int", json!({ "type": "integer" })),
        ("types.either types.int types.str", json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] })),
        (
            "types.coercedTo types.int toString types.str",
            json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] }),
        ),
        ("types.package", json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/$package" }] })),
        ("types.functionTo types.int", json!({})),
        ("types.anything", json!({})),
    ] {
        assert_eq!(schema_of_type(ty), schema, "{ty}");
    }
}

#[test]
fn lists_and_sets_say_what_is_in_them() {
    let list = schema_of_type("types.nonEmptyListOf types.bool");
    assert_eq!((&list["type"], &list["minItems"]), (&json!("array"), &json!(1)));
    assert_eq!(list["items"], json!({ "type": "boolean" }));
    let set = schema_of_type("types.attrsOf (types.submodule { options.root = mkOption { type = types.str; }; })");
    let root = &set["additionalProperties"]["properties"]["root"];
    assert_eq!(root["anyOf"][0], json!({ "type": "string" }));
}

#[test]
fn a_freeform_submodule_admits_what_it_does_not_declare() {
    let declared = "options.a = mkOption { type = types.int; }";
    let closed = schema_of_type(&format!("types.submodule {{ {declared}; }}"));
    assert_eq!(closed["additionalProperties"], json!(false));
    let free = schema_of_type(&format!("types.submodule {{ freeformType = types.attrsOf types.str; {declared}; }}"));
    assert_eq!(free["additionalProperties"]["anyOf"][0], json!({ "type": "string" }));
}

#[test]
fn a_type_that_refers_to_itself_is_left_open_where_it_does() {
    let schema =
        schema_of_type("let tree = types.either types.int (types.listOf tree) // { description = \"tree\"; }; in tree");
    assert_eq!(schema["anyOf"][1], json!({ "type": "array", "items": {} }));
}

#[test]
fn options_have_their_descriptions_and_literal_defaults() {
    let schema = schema_of(
        "{
           a = mkOption { type = types.port; default = 80; description = ''The port. ''; };
           b = mkOption { type = types.str; default = throw \"evaluated\"; defaultText = lib.literalExpression \"x\"; };
           c = mkOption { type = types.functionTo types.int; default = x: x; };
         }",
    );
    let properties = &schema["properties"];
    assert_eq!(properties["a"]["default"], json!(80));
    assert_eq!(properties["a"]["description"], json!("The port."));
    assert!(properties["b"].get("default").is_none());
    assert!(properties["c"].get("default").is_none());
}

#[test]
fn what_nobody_sets_is_left_out() {
    let schema = schema_of(
        "{ a.b = mkOption { internal = true; }; c = mkOption { readOnly = true; default = 1; }; d = mkOption { }; }",
    );
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(schema["properties"].get("d").is_some());
    assert!(schema["properties"].get("imports").is_some());
    assert_eq!(schema["additionalProperties"], json!(false));
}
