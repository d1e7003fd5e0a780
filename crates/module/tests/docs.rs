//! Documentation and information about single options.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings, Value};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

const CONFIGURATION: &str = r#"
let lib = import ./default.nix; inherit (lib) mkOption types; in
lib.evalModules {
  modules = [
    {
      options.a.port = mkOption { type = types.port; default = 80; description = "The port."; };
      options.a.computed = mkOption { type = types.str; default = throw "evaluated"; defaultText = lib.literalExpression "config.x"; };
      options.hosts = mkOption {
        default = { };
        type = types.attrsOf (types.submodule { options.root = mkOption { type = types.path; description = "Where."; }; });
      };
      options.list = mkOption { type = types.listOf (types.submodule { options.x = mkOption { }; }); default = [ ]; };
      options.hidden = mkOption { internal = true; };
    }
    { a.port = lib.mkDefault 81; }
    { a.port = 82; hosts.one.root = "/srv"; }
  ];
}
"#;

fn with_configuration(test: impl for<'a> Fn(&Eval<'a>, module::ModuleSystem<'a>, Value<'a>)) {
    let lib = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib");
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    let modules = module::install(&eval);
    let configuration = eval.eval_string(CONFIGURATION, "configuration.nix", lib).unwrap();
    test(&eval, modules, configuration);
}

#[test]
fn documents_every_option_in_order_without_evaluating_defaults_that_have_a_text() {
    with_configuration(|eval, modules, configuration| {
        let docs = modules.docs(eval, configuration).unwrap();
        let lines: Vec<String> = docs
            .iter()
            .map(|d| format!("{} | {} | {}", d.name, d.type_description, d.default.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            lines,
            [
                "a.computed | string | config.x",
                "a.port | 16 bit unsigned integer; between 0 and 65535 (both inclusive) | 80",
                "hidden | unspecified value | -",
                "hosts | attribute set of submodule | { }",
                "hosts.<name>.root | absolute path | -",
                "list | list of submodule | [ ]",
                "list.*.x | unspecified value | -",
            ]
        );
        assert!(docs[2].internal);
        assert_eq!(docs[1].description.as_deref(), Some("The port."));
    });
}

#[test]
fn tells_who_set_an_option_with_which_priority() {
    with_configuration(|eval, modules, configuration| {
        let info = modules.option(eval, configuration, &["a", "port"]).unwrap();
        assert!(matches!(info.value, Ok(Value::Int(82))));
        let set: Vec<(i64, bool, u32)> =
            info.definitions.iter().map(|d| (d.priority, d.counts, d.place.location.as_ref().unwrap().line)).collect();
        assert_eq!(set, [(100, true, 16), (1000, false, 15), (1500, false, 6)]);
    });
}

#[test]
fn finds_options_of_submodule_instances() {
    with_configuration(|eval, modules, configuration| {
        let info = modules.option(eval, configuration, &["hosts", "one", "root"]).unwrap();
        assert_eq!(info.doc.name, "hosts.one.root");
        assert!(matches!(info.value, Ok(Value::String(s)) if s.as_bytes() == b"/srv"));
    });
}

#[test]
fn suggests_names_for_an_unknown_option() {
    with_configuration(|eval, modules, configuration| {
        let error = modules.option(eval, configuration, &["a", "prot"]).err().unwrap();
        let text = diagnostics::render_all(error.diagnostics(), &eval.sources(), diagnostics::Style::default());
        assert_eq!(text, "error[unknown-option]: the option `a.prot` does not exist\n  hint: did you mean `a.port`?\n");
    });
}
