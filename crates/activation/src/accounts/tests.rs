//! The rules of users and groups: declared, current and remembered state in, account files out.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

use super::database::{GroupEntry, PasswdEntry, ShadowEntry, SubIdEntry, parse_entries};
use super::merge::{Mutability, plan_accounts};
use super::observe::ObservedAccounts;
use super::password::{PasswordError, SaltSource};
use super::plan::AccountsPlan;
use super::spec::{AccountsSpec, GroupSpec, SubIdRange, UserSpec};

struct FixedSalt;

impl SaltSource for FixedSalt {
    fn salt(&mut self) -> Result<String, PasswordError> {
        Ok("abcdefghijklmnop".to_owned())
    }
}

fn user(name: &str, uid: u32) -> UserSpec {
    let home = format!("/home/{name}");
    UserSpec { name: name.into(), uid: Some(uid), group: "users".into(), home, ..UserSpec::default() }
}

fn group(name: &str, gid: u32, members: &[&str]) -> GroupSpec {
    GroupSpec { name: name.into(), gid: Some(gid), members: members.iter().map(|&name| name.into()).collect() }
}

fn spec(users: Vec<UserSpec>) -> AccountsSpec {
    let groups = vec![group("root", 0, &[]), group("shadow", 42, &[]), group("users", 100, &[])];
    AccountsSpec { users, groups }
}

fn plan(spec: &AccountsSpec, mutability: Mutability, observed: &ObservedAccounts) -> AccountsPlan {
    plan_accounts(spec, mutability, observed, &mut FixedSalt).unwrap()
}

fn file<'a>(plan: &'a AccountsPlan, name: &str) -> &'a str {
    &plan.files.iter().find(|file| file.name == name).unwrap().content
}

/// The machine after a plan was applied, and then some lines appended by hand.
fn after(plan: &AccountsPlan, more: &[(&str, &str)]) -> ObservedAccounts {
    let text = |name: &str| {
        let extra = more.iter().find(|(file, _)| *file == name).map_or("", |(_, text)| text);
        format!("{}{extra}", file(plan, name))
    };
    ObservedAccounts {
        passwd: parse_entries::<PasswdEntry>(&text("passwd")),
        shadow: parse_entries::<ShadowEntry>(&text("shadow")),
        group: parse_entries::<GroupEntry>(&text("group")),
        gshadow: parse_entries(&text("gshadow")),
        subuid: parse_entries::<SubIdEntry>(&text("subuid")),
        subgid: parse_entries::<SubIdEntry>(&text("subgid")),
        state: plan.state.clone(),
        ..ObservedAccounts::default()
    }
}

fn changes(plan: &AccountsPlan) -> Vec<String> {
    plan.changes.iter().map(ToString::to_string).collect()
}

fn hash_of(plan: &AccountsPlan, name: &str) -> String {
    let entries = parse_entries::<ShadowEntry>(file(plan, "shadow"));
    entries.into_iter().find(|entry| entry.name == name).unwrap().password
}

#[test]
fn the_first_boot_writes_what_is_declared_sorted_by_id() {
    let alice = UserSpec {
        description: "Alice".into(),
        shell: Some("/bin/bash".into()),
        hashed_password: Some("$6$x$y".into()),
        ..user("alice", 1000)
    };
    let root = UserSpec { group: "root".into(), home: "/root".into(), ..user("root", 0) };
    let mut spec = spec(vec![alice, root]);
    spec.groups.push(group("sudo", 27, &["bob", "alice"]));
    let plan = plan(&spec, Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!(
        file(&plan, "passwd"),
        "root:x:0:0::/root:/usr/sbin/nologin\nalice:x:1000:100:Alice:/home/alice:/bin/bash\n"
    );
    assert_eq!(file(&plan, "group"), "root:x:0:\nsudo:x:27:alice,bob\nshadow:x:42:\nusers:x:100:\n");
    assert_eq!(file(&plan, "shadow"), "root:!:1::::::\nalice:$6$x$y:1::::::\n");
    assert_eq!(file(&plan, "gshadow"), "root:!::\nsudo:!::alice,bob\nshadow:!::\nusers:!::\n");
    let shadow = plan.files.iter().find(|file| file.name == "shadow").unwrap().ownership;
    assert_eq!((shadow.mode, shadow.uid, shadow.gid), (0o640, 0, 42));
    assert!(!format!("{plan:?}{plan}").contains("$6$"), "hashes are never shown");
    assert!(!serde_json::to_string(&plan).unwrap().contains("$6$"), "hashes are never shown");
}

#[test]
fn planning_again_changes_nothing() {
    let spec = spec(vec![UserSpec { auto_sub_id_range: true, password: Some("pw".into()), ..user("alice", 1000) }]);
    for mutability in [Mutability::Mutable, Mutability::Immutable] {
        let first = plan(&spec, mutability, &ObservedAccounts::default());
        let second = plan(&spec, mutability, &after(&first, &[]));
        assert_eq!(changes(&second), Vec::<String>::new());
        assert!(first.files == second.files, "{mutability:?}");
        assert_eq!(first.state, second.state);
    }
}

#[test]
fn a_password_changed_on_the_machine_survives_only_mutable_users() {
    let spec = spec(vec![UserSpec { hashed_password: Some("$6$declared".into()), ..user("alice", 1000) }]);
    let first = plan(&spec, Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!(hash_of(&first, "alice"), "$6$declared");
    let mut changed = after(&first, &[]);
    changed.shadow[0].password = "$y$changed".into();
    changed.shadow[0].aging[0] = "20777".into();
    let mutable = plan(&spec, Mutability::Mutable, &changed);
    assert_eq!(file(&mutable, "shadow"), "alice:$y$changed:20777::::::\n");
    let immutable = plan(&spec, Mutability::Immutable, &changed);
    assert_eq!(hash_of(&immutable, "alice"), "$6$declared");
    assert_eq!(changes(&immutable), ["set the declared password of user alice"]);
}

#[test]
fn without_a_declared_password_immutable_users_are_locked() {
    let spec = spec(vec![user("alice", 1000)]);
    let mut observed = after(&plan(&spec, Mutability::Mutable, &ObservedAccounts::default()), &[]);
    observed.shadow[0].password = "$y$changed".into();
    assert_eq!(hash_of(&plan(&spec, Mutability::Immutable, &observed), "alice"), "!");
}

#[test]
fn password_options_override_each_other_in_nixos_order() {
    let everything = UserSpec {
        initial_hashed_password: Some("$6$initial-hashed".into()),
        initial_password: Some("initial".into()),
        hashed_password: Some("$6$hashed".into()),
        password: Some("clear".into()),
        hashed_password_file: Some("/secret".into()),
        ..user("alice", 1000)
    };
    let mut observed = ObservedAccounts {
        password_files: BTreeMap::from([("/secret".into(), "$6$from-file".into())]),
        ..ObservedAccounts::default()
    };
    let mut spec = spec(vec![everything]);
    let both = |spec: &AccountsSpec, observed: &ObservedAccounts| {
        [Mutability::Mutable, Mutability::Immutable].map(|how| hash_of(&plan(spec, how, observed), "alice"))
    };
    assert_eq!(both(&spec, &observed), ["$6$from-file", "$6$from-file"]);
    observed.password_files.clear();
    let warnings = plan(&spec, Mutability::Mutable, &observed).warnings;
    assert_eq!(warnings, ["the password file `/secret` of user `alice` cannot be read"]);
    let clear = super::password::hash("alice", "clear", None, &mut FixedSalt).unwrap();
    assert_eq!(both(&spec, &observed), [clear.clone(), clear]);
    spec.users[0].password = None;
    let initial = super::password::hash("alice", "initial", None, &mut FixedSalt).unwrap();
    assert_eq!(both(&spec, &observed), ["$6$hashed".to_owned(), initial]);
    spec.users[0].initial_password = None;
    spec.users[0].hashed_password = None;
    assert_eq!(both(&spec, &observed), ["$6$initial-hashed", "$6$initial-hashed"]);
}

#[test]
fn people_made_with_useradd_stay_unless_users_are_immutable() {
    let mut spec = spec(vec![user("alice", 1000)]);
    spec.groups.push(group("sudo", 27, &["alice"]));
    let first = plan(&spec, Mutability::Mutable, &ObservedAccounts::default());
    let more = [
        ("passwd", "bob:x:1001:1001:,,,:/home/bob:/bin/sh\n"),
        ("shadow", "bob:$y$bob:20000:0:99999:7:::\n"),
        ("group", "bob:x:1001:\n"),
        ("gshadow", "bob:!::\n"),
        ("subuid", "bob:100000:65536\n"),
    ];
    let mut observed = after(&first, &more);
    observed.group.iter_mut().find(|group| group.name == "sudo").unwrap().members.push("bob".into());
    let mutable = plan(&spec, Mutability::Mutable, &observed);
    assert!(file(&mutable, "passwd").contains("bob:x:1001:1001:,,,:/home/bob:/bin/sh\n"));
    assert!(file(&mutable, "shadow").contains("bob:$y$bob:20000:0:99999:7:::\n"));
    assert!(file(&mutable, "group").contains("sudo:x:27:alice,bob\n"));
    assert_eq!(file(&mutable, "subuid"), "bob:100000:65536\n");
    assert_eq!(changes(&mutable), Vec::<String>::new());
    let immutable = plan(&spec, Mutability::Immutable, &observed);
    assert_eq!(changes(&immutable), ["change group sudo", "remove user bob (its files stay)", "remove group bob"]);
    assert_eq!(file(&immutable, "subuid"), "");
}

#[test]
fn a_declared_account_that_leaves_the_configuration_goes() {
    let both = spec(vec![user("alice", 1000), user("carol", 1002)]);
    let first = plan(&both, Mutability::Mutable, &ObservedAccounts::default());
    let second = plan(&spec(vec![user("alice", 1000)]), Mutability::Mutable, &after(&first, &[]));
    assert_eq!(changes(&second), ["remove user carol (its files stay)"]);
    assert!(!file(&second, "shadow").contains("carol"));
    assert_eq!(second.state.uids["carol"], 1002, "her id is remembered");
}

#[test]
fn a_member_that_the_configuration_drops_leaves_the_group() {
    let mut with = spec(vec![user("alice", 1000)]);
    with.groups.push(group("sudo", 27, &["alice"]));
    let first = plan(&with, Mutability::Mutable, &ObservedAccounts::default());
    with.groups[3].members.clear();
    let second = plan(&with, Mutability::Mutable, &after(&first, &[]));
    assert!(file(&second, "group").contains("sudo:x:27:\n"));
}

#[test]
fn ids_never_change_and_are_never_given_twice() {
    let person = |name: &str| UserSpec { uid: None, ..user(name, 0) };
    let first = plan(&spec(vec![person("a"), person("b")]), Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!((first.uid("a"), first.uid("b")), (Some(1000), Some(1001)));
    let second = plan(&spec(vec![person("c"), person("b")]), Mutability::Mutable, &after(&first, &[]));
    assert_eq!((second.uid("b"), second.uid("c")), (Some(1001), Some(1002)), "c does not get a's files");
    let third = plan(&spec(vec![person("a"), person("b")]), Mutability::Mutable, &after(&second, &[]));
    assert_eq!(third.uid("a"), Some(1000), "a gets its own back");
    let moved = plan(&spec(vec![user("b", 1500)]), Mutability::Mutable, &after(&third, &[]));
    assert_eq!(moved.uid("b"), Some(1001));
    assert!(moved.warnings[0].starts_with("user `b` keeps its id 1001; the declared 1500 is not applied"));
}

#[test]
fn a_declared_number_that_somebody_has_is_not_shared() {
    let first = plan(&spec(vec![user("a", 1000), user("c", 1001)]), Mutability::Mutable, &ObservedAccounts::default());
    let observed = after(&first, &[("passwd", "byhand:x:1007:100::/:/bin/sh\n")]);
    // Evaluation numbers people anew when one comes between.
    let shifted = spec(vec![user("a", 1000), user("b", 1001), user("c", 1002), user("d", 1007)]);
    let second = plan(&shifted, Mutability::Mutable, &observed);
    let ids = ["a", "b", "c", "d", "byhand"].map(|name| second.uid(name));
    assert_eq!(ids, [Some(1000), Some(1003), Some(1001), Some(1004), Some(1007)]);
    assert_eq!(second.warnings[1], "user `b` gets the id 1003; the declared 1001 belongs to `c`");
    assert_eq!(second.warnings[2], "user `d` gets the id 1004; the declared 1007 belongs to `byhand`");
}

#[test]
fn a_renamed_user_takes_its_number_along() {
    let first = plan(&spec(vec![user("bob", 1000)]), Mutability::Mutable, &ObservedAccounts::default());
    let second = plan(&spec(vec![user("robert", 1000)]), Mutability::Mutable, &after(&first, &[]));
    assert_eq!((second.uid("robert"), second.uid("bob")), (Some(1000), None));
    assert_eq!(second.warnings, Vec::<String>::new());
}

#[test]
fn a_number_that_found_a_new_owner_is_not_given_back() {
    let person = |name: &str| UserSpec { uid: None, ..user(name, 0) };
    let first = plan(&spec(vec![person("a")]), Mutability::Mutable, &ObservedAccounts::default());
    let second = plan(&spec(vec![]), Mutability::Mutable, &after(&first, &[]));
    let third = plan(&spec(vec![person("a"), user("b", 1000)]), Mutability::Mutable, &after(&second, &[]));
    assert_eq!((third.uid("b"), third.uid("a")), (Some(1000), Some(1001)));
}

#[test]
fn two_users_that_both_declare_a_number_share_it() {
    let toor = UserSpec { uid: Some(0), ..user("toor", 0) };
    let plan = plan(&spec(vec![user("root", 0), toor]), Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!((plan.uid("root"), plan.uid("toor")), (Some(0), Some(0)));
}

#[test]
fn automatic_ids_keep_clear_of_declared_ones() {
    let person = UserSpec { uid: None, ..user("zoe", 0) };
    let plan = plan(&spec(vec![person, user("alice", 1000)]), Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!(plan.uid("zoe"), Some(1001));
}

#[test]
fn automatic_subordinate_ranges_are_remembered_and_overlap_nothing() {
    let auto = |name: &str, uid| UserSpec { auto_sub_id_range: true, ..user(name, uid) };
    let range = SubIdRange { start: 100_000, count: 65536 };
    let explicit = UserSpec { sub_uid_ranges: vec![range], ..user("x", 1009) };
    let first = plan(&spec(vec![auto("a", 1000), explicit]), Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!(file(&first, "subuid"), "x:100000:65536\na:165536:65536\n");
    assert_eq!(file(&first, "subgid"), "a:165536:65536\n");
    let second = plan(&spec(vec![auto("b", 1001), auto("a", 1000)]), Mutability::Mutable, &after(&first, &[]));
    assert_eq!(file(&second, "subuid"), "a:165536:65536\nb:231072:65536\n", "x's range is free, a keeps its own");
}

#[test]
fn an_unknown_primary_group_is_reported() {
    let lost = UserSpec { group: "nowhere".into(), ..user("lost", 1000) };
    let plan = plan(&spec(vec![lost]), Mutability::Mutable, &ObservedAccounts::default());
    assert_eq!(plan.warnings, ["user `lost` has the unknown group `nowhere`"]);
    assert!(file(&plan, "passwd").contains("lost:x:1000:65534:"));
}

/// A few names, so that configurations and machines overlap; ids are given or left to activation.
fn any_spec() -> impl Strategy<Value = AccountsSpec> {
    let name = proptest::sample::select(vec!["a", "b", "c", "d"]);
    let id = proptest::option::of(1000_u32..1006);
    let users = proptest::collection::btree_map(name, (id, proptest::bool::ANY), 0..4);
    users.prop_map(|users| {
        let mut taken = BTreeSet::new();
        let users = users.into_iter().map(|(name, (uid, ranged))| {
            // Evaluation refuses two users with one number.
            let uid = uid.filter(|uid| taken.insert(*uid));
            UserSpec { uid, auto_sub_id_range: ranged, ..user(name, 0) }
        });
        let users: Vec<UserSpec> = users.map(|spec| UserSpec { uid: spec.uid, ..spec }).collect();
        spec(users)
    })
}

fn any_mutability() -> impl Strategy<Value = Mutability> {
    proptest::sample::select(vec![Mutability::Mutable, Mutability::Immutable])
}

proptest! {
    #[test]
    fn over_any_sequence_of_configurations_ids_stay_and_files_agree(
        steps in proptest::collection::vec((any_spec(), any_mutability()), 1..6)
    ) {
        let mut observed = ObservedAccounts::default();
        for (spec, mutability) in steps {
            let result = plan(&spec, mutability, &observed);
            for (name, (uid, _)) in &result.users {
                let before = observed.passwd.iter().find(|line| line.name == *name);
                prop_assert!(before.is_none_or(|line| line.uid == *uid), "the id of {} never changes", name);
            }
            let distinct: BTreeSet<u32> = result.users.values().map(|(uid, _)| *uid).collect();
            prop_assert_eq!(distinct.len(), result.users.len(), "nobody shares an id");
            for declared in &spec.users {
                prop_assert!(result.uid(&declared.name).is_some(), "{} exists", declared.name);
            }
            let next = after(&result, &[]);
            let names = |lines: &[ShadowEntry]| -> BTreeSet<String> { lines.iter().map(|line| line.name.clone()).collect() };
            let users: BTreeSet<String> = next.passwd.iter().map(|line| line.name.clone()).collect();
            prop_assert_eq!(names(&next.shadow), users, "passwd and shadow name the same users");
            let mut ranges: Vec<(u32, u32)> = next.subuid.iter().map(|entry| (entry.start, entry.count)).collect();
            ranges.sort_unstable();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "ranges overlap: {:?}", ranges);
            let again = plan(&spec, mutability, &next);
            prop_assert_eq!(changes(&again), Vec::<String>::new(), "a second activation changes nothing");
            prop_assert!(again.files == result.files);
            observed = next;
        }
    }
}
