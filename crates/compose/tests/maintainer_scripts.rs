//! The decisions in `pkgs/maintainer-scripts` can be read, and say something.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;

use compose::decisions::parse_decisions;

#[test]
fn every_decision_is_readable_and_has_a_reason() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pkgs/maintainer-scripts");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let decisions = parse_decisions(name, &std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| {
            panic!("{error}: {}", error.source);
        });
        assert!(!decisions.script.is_empty(), "{name}");
        for decision in &decisions.script {
            assert!(["preinst", "postinst"].contains(&decision.name.as_str()), "{name}");
            assert!(decision.reason.trim().len() > 20, "{name}");
            assert!(!decision.lines.is_empty() || !decision.actions.is_empty(), "{name}");
        }
        seen += 1;
    }
    assert!(seen > 10);
}
