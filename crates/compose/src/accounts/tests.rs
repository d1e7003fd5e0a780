use super::*;

const GROUP: &str = "root:*:0:\nman:*:12:\nshadow:*:42:\nwww-data:*:33:\nnogroup:*:65534:\nusers:*:100:\n";
const PASSWD: &str = "root:*:0:0:root:/root:/bin/bash\nman:*:6:12:man:/var/cache/man:/usr/sbin/nologin\n\
                      www-data:*:33:33:www-data:/var/www:/usr/sbin/nologin\n";

fn packages(sysusers: &str, effects: Vec<Effect>) -> PackageAccounts {
    PackageAccounts {
        passwd_master: PASSWD.into(),
        group_master: GROUP.into(),
        sysusers: BTreeMap::from([("x.conf".to_owned(), sysusers.to_owned())]),
        effects,
    }
}

fn declared(json: &str) -> DeclaredAccounts {
    serde_json::from_str(json).unwrap()
}

fn user<'a>(accounts: &'a Accounts, name: &str) -> &'a AccountUser {
    accounts.users.iter().find(|user| user.name == name).unwrap()
}

fn group<'a>(accounts: &'a Accounts, name: &str) -> &'a AccountGroup {
    accounts.groups.iter().find(|group| group.name == name).unwrap()
}

#[test]
fn packages_bring_their_users_with_numbers_from_names() {
    let lines = "u messagebus - \"System Message Bus\" /nonexistent\nu sshd -:nogroup \"sshd user\" /run/sshd\n\
                 g input -\nm messagebus input\nu! locked -\n";
    let accounts = plan_accounts(&packages(lines, Vec::new()), &DeclaredAccounts::default()).unwrap();
    let bus = user(&accounts, "messagebus");
    assert_eq!((bus.uid, bus.gid), (Some(ids::user_id("messagebus")), Some(ids::group_id("messagebus"))));
    assert_eq!((bus.description.as_str(), bus.home.as_str()), ("System Message Bus", "/nonexistent"));
    assert_eq!(user(&accounts, "sshd").gid, Some(65534));
    assert_eq!(group(&accounts, "input").members, ["messagebus"]);
    assert_eq!(user(&accounts, "locked").shell.as_deref(), Some("/usr/sbin/nologin"));
    assert_eq!(user(&accounts, "man").gid, Some(12));
}

#[test]
fn another_package_renumbers_nobody() {
    let few = plan_accounts(&packages("u a -\nu zz -\n", Vec::new()), &DeclaredAccounts::default()).unwrap();
    let more =
        plan_accounts(&packages("u a -\nu b -\nu c -\nu zz -\n", Vec::new()), &DeclaredAccounts::default()).unwrap();
    for user in &few.users {
        assert!(more.users.contains(user), "{user:?}");
    }
}

#[test]
fn a_declaration_changes_fields_of_a_packages_user() {
    let json = r#"{ "mutableUsers": true,
        "users": [{ "name": "www-data", "group": "", "groups": ["shadow"], "home": "/srv/www", "system": true },
                  { "name": "alice", "group": "users", "home": "/home/alice", "shell": "/bin/bash", "createHome": true,
                    "homeMode": "700", "hashedPassword": "!", "expires": "2030-01-01",
                    "subUidRanges": [{ "startUid": 100000, "count": 65536 }], "autoSubUidGidRange": false }],
        "groups": [{ "name": "shadow", "members": ["alice"] }, { "name": "crew", "members": [] }] }"#;
    let accounts = plan_accounts(&packages("", Vec::new()), &declared(json)).unwrap();
    let web = user(&accounts, "www-data");
    assert_eq!((web.uid, web.home.as_str(), web.group.as_str()), (Some(33), "/srv/www", "www-data"));
    assert_eq!(group(&accounts, "shadow").members, ["alice", "www-data"]);
    assert_eq!(group(&accounts, "shadow").gid, Some(42));
    assert_eq!(group(&accounts, "crew").gid, None);
    let alice = serde_json::to_value(user(&accounts, "alice")).unwrap();
    assert_eq!(
        alice,
        serde_json::json!({ "name": "alice", "gid": 100, "group": "users", "home": "/home/alice", "shell": "/bin/bash",
            "description": "", "system": false, "createHome": true, "homeMode": "700", "hashedPassword": "!",
            "expires": 21915, "subUidRanges": [{ "start": 100_000, "count": 65536 }] })
    );
}

#[test]
fn two_names_on_one_number_are_named() {
    let json = r#"{ "users": [{ "name": "a", "uid": 1000, "group": "users" }, { "name": "b", "uid": 1000, "group": "users" }] }"#;
    let error = plan_accounts(&packages("", Vec::new()), &declared(json)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "users share an id:\n  1000: a, b\nhint: give one of them another number in `users.users.<name>.uid`"
    );
}

#[test]
fn a_missing_primary_group_is_named() {
    let json = r#"{ "users": [{ "name": "a", "uid": 1000, "group": "crew" }] }"#;
    let error = plan_accounts(&packages("", Vec::new()), &declared(json)).unwrap_err();
    assert_eq!(error, AccountsError::NoSuchGroup { user: "a".into(), group: "crew".into() });
}

#[test]
fn sysusers_lines_without_meaning_are_named() {
    for line in ["x what", "u", "m a", "u a - \"open"] {
        let error = parse_sysusers("f.conf", line).unwrap_err();
        assert_eq!(error, AccountsError::Line { file: "f.conf".into(), line: line.into() });
    }
}
