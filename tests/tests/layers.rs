//! The layers of ARCHITECTURE.md: a package depends only on packages of a lower layer, and says which layer it is in.

use std::collections::BTreeMap;
use std::process::Command;

#[test]
fn dependencies_point_down_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");

    let layers: BTreeMap<&str, u64> = packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("name");
            let layer = package["metadata"]["esker"]["layer"].as_u64();
            (name, layer.unwrap_or_else(|| panic!("{name} states no [package.metadata.esker] layer")))
        })
        .collect();

    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("dependency name");
            // A test may use what its package must not.
            if dependency["kind"] == "dev" {
                continue;
            }
            if let Some(layer) = layers.get(on) {
                if *layer >= layers[name] {
                    wrong.push(format!("{name} (layer {}) depends on {on} (layer {layer})", layers[name]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "dependencies that do not point down:\n{}", wrong.join("\n"));
    assert!(layers.len() >= 20, "too few packages seen: {}", layers.len());
}
