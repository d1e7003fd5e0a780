//! What Esker gives to editors: the schema of configuration.toml, and a language server. No machine is booted here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking, with the reason in its words")]

mod client;
mod json_schema;
mod lsp;

use serde_json::{Value, json};
use stories::{Checks, Lab};

fn schema(lab: &Lab) -> Value {
    let minimal = lab.repository().join("examples/minimal");
    let output = lab.run(&["schema", "-C", minimal.to_str().expect("a path in UTF-8")]);
    serde_json::from_slice(&output.stdout).expect("a schema is JSON")
}

#[test]
fn the_schema_admits_good_configurations_and_refuses_bad_ones() {
    let lab = Lab::open("editors");
    let schema = schema(&lab);
    let text =
        fs_err::read_to_string(lab.repository().join("examples/minimal/configuration.toml")).expect("the example");
    let example: Value = toml::from_str(&text).expect("the example is TOML");
    let mut checks = Checks::new();
    let mut admits = |name: &str, value: &Value| {
        let mistakes = json_schema::mistakes(&schema, value);
        checks.fact(name, mistakes.is_empty(), mistakes.join("\n"));
    };
    admits("the example is admitted", &example);
    admits("other modules are", &json!({ "imports": ["./hardware.nix"] }));
    admits("priorities are", &json!({ "services": { "openssh": { "enable": { "$force": false } } } }));
    admits("priorities of sets are", &json!({ "services": { "openssh": { "$default": { "enable": true } } } }));
    admits("packages by attribute are", &json!({ "environment": { "systemPackages": [{ "$pkg": "python3" }] } }));
    let mut refuses = |name: &str, value: Value, place: &str| {
        let mistakes = json_schema::mistakes(&schema, &value);
        checks.fact(name, matches!(mistakes.as_slice(), [one] if one.starts_with(place)), mistakes.join("\n"));
    };
    refuses("an option that does not exist", json!({ "services": { "opensh": {} } }), ".services.opensh:");
    refuses("another type", json!({ "networking": { "hostName": 5 } }), ".networking.hostName:");
    let user = json!({ "users": { "users": { "admin": { "isNormalUser": "yes" } } } });
    refuses("another type within a submodule", user, ".users.users.admin.isNormalUser:");
    let port = json!({ "networking": { "firewall": { "allowedTCPPorts": [70000] } } });
    refuses("a number out of its range", port, ".networking.firewall.allowedTCPPorts:");
    refuses("an unknown key of a package", json!({ "environment": { "systemPackages": [{ "pkg": "vim" }] } }), ".env");
    refuses(
        "a priority of another type",
        json!({ "networking": { "hostName": { "$force": 5 } } }),
        ".networking.hostName:",
    );
    checks.done();
}

#[test]
fn the_schema_describes_options_and_is_the_same_each_time() {
    let lab = Lab::open("editors");
    let first = schema(&lab);
    assert_eq!(first.to_string(), schema(&lab).to_string());
    let mut enable = &first;
    for name in ["services", "openssh", "enable"] {
        enable = &json_schema::resolved(&first, enable)["properties"][name];
    }
    assert_eq!(enable["default"], json!(false));
    assert!(enable["description"].as_str().is_some_and(|text| !text.is_empty()), "{enable}");
}
