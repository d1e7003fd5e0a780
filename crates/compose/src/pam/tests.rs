//! The files in `testdata/all` and `testdata/systemd-only` were written by the real pam-auth-update of libpam-runtime
//! 1.7.0-5, from the profiles and templates beside them.

use std::path::PathBuf;

use super::*;

fn files(directory: &str) -> BTreeMap<String, String> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/pam/testdata").join(directory);
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

fn only(names: &[&str]) -> BTreeMap<String, String> {
    let mut profiles = files("profiles");
    profiles.retain(|name, _| names.contains(&name.as_str()));
    profiles
}

#[test]
fn writes_what_pam_auth_update_writes() {
    for (expected, profiles) in [("all", files("profiles")), ("systemd-only", only(&["systemd"]))] {
        let stacks = compose_stacks(&profiles, &files("templates"), &PamSelection::default());
        for (name, text) in files(expected) {
            assert_eq!(stacks[&name], text, "{expected}/{name}");
        }
    }
}

#[test]
fn profiles_can_be_added_and_switched() {
    let selection = PamSelection {
        profiles: BTreeMap::from([(
            "u2f".to_owned(),
            "Name: u2f\nPriority: 900\nAuth-Type: Primary\nAuth:\n\tsufficient pam_u2f.so\n".to_owned(),
        )]),
        enable: BTreeSet::from(["mkhomedir".to_owned()]),
        disable: BTreeSet::from(["extra".to_owned()]),
    };
    let stacks = compose_stacks(&files("profiles"), &files("templates"), &selection);
    assert!(
        stacks["common-auth"].contains("auth\tsufficient pam_u2f.so \nauth\t[success=1 default=ignore]\tpam_unix.so")
    );
    assert!(!stacks["common-auth"].contains("pam_extra"));
    assert!(stacks["common-session"].contains("pam_mkhomedir.so"));
    assert!(!stacks["common-session-noninteractive"].contains("pam_mkhomedir.so"));
}

#[test]
fn a_stack_without_modules_still_lets_people_in() {
    let stacks = compose_stacks(&BTreeMap::new(), &files("templates"), &PamSelection::default());
    assert!(stacks["common-auth"].contains("\nauth\t[default=1]\t\t\tpam_permit.so\n"));
}
