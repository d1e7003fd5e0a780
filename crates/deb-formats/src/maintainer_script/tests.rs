//! Scripts as packages have them, and what must be understood of each. Followed with nothing known of the system's files
//! unless said otherwise.

use super::*;

fn read_as(kind: ScriptKind, text: &str, exists: &dyn Fn(&str) -> Option<bool>) -> Meaning {
    let templates =
        "Template: x/setuid\nType: boolean\nDefault: false\n\nTemplate: x/level\nType: string\nDefault: 3\n";
    read_script(&Script { kind, package: "x", architecture: "amd64", text, templates, exists })
}

fn read(text: &str) -> Meaning {
    read_as(ScriptKind::PostInst, text, &|_| None)
}

/// The actions of a script that must leave nothing over; `?` marks those that are conditional.
#[track_caller]
fn actions(text: &str) -> Vec<Action> {
    let meaning = read(text);
    assert_eq!(meaning.leftover, [], "{text}");
    meaning.steps.into_iter().map(|step| step.action).collect()
}

fn lines(meaning: &Meaning) -> Vec<usize> {
    meaning.leftover.iter().map(|leftover| leftover.line).collect()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn permissions(path: &str, mode: Option<&str>, user: Option<&str>, group: Option<&str>) -> Action {
    Action::Permissions {
        path: text(path),
        mode: mode.map(text),
        user: user.map(text),
        group: group.map(text),
        recursive: false,
    }
}

fn enable(unit: &str) -> Action {
    Action::EnableUnit { unit: text(unit), scope: UnitScope::System }
}

fn file(path: &str, content: &str) -> Action {
    Action::File { path: text(path), text: text(content) }
}

fn cache(program: &str) -> Action {
    Action::Cache { program: text(program) }
}

#[test]
fn an_empty_script_does_nothing() {
    assert_eq!(actions("#!/bin/sh\nset -e\n\nexit 0\n"), []);
}

#[test]
fn debhelpers_units_are_enabled() {
    let script = "#!/bin/sh\nset -e\n# Automatically added by dh_installsystemd/13.24.2\n\
        if [ \"$1\" = \"configure\" ] || [ \"$1\" = \"abort-upgrade\" ] || [ \"$1\" = \"abort-deconfigure\" ] || [ \"$1\" = \"abort-remove\" ] ; then\n\
        \tdeb-systemd-helper unmask 'cron.service' >/dev/null || true\n\
        \tif deb-systemd-helper --quiet was-enabled 'cron.service'; then\n\t\tdeb-systemd-helper enable 'cron.service' >/dev/null || true\n\
        \telse\n\t\tdeb-systemd-helper update-state 'cron.service' >/dev/null || true\n\tfi\nfi\n# End automatically added section\n";
    assert_eq!(actions(script), [enable("cron.service")]);
}

#[test]
fn units_that_an_earlier_version_managed_are_not_enabled() {
    assert_eq!(
        actions(
            "if deb-systemd-helper debian-installed 'ssh.socket'; then\n deb-systemd-helper enable 'ssh.socket'\nfi\n"
        ),
        []
    );
}

#[test]
fn only_starting_services_is_left_to_activation() {
    let script = "if [ -d /run/systemd/system ]; then\n systemctl --system daemon-reload >/dev/null || true\n deb-systemd-invoke start 'a.service'\nfi\n";
    assert_eq!(actions(script), []);
    assert_eq!(actions("deb-systemd-invoke start a.service b.service\n").len(), 2);
}

#[test]
fn tmpfiles_and_sysusers_are_named() {
    let script = "if [ -x \"$(command -v systemd-tmpfiles)\" ]; then\n\tsystemd-tmpfiles ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} --create a.conf b.conf || true\nfi\n\
        systemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} a.conf\n";
    let expected = [
        Action::Tmpfiles { file: text("a.conf") },
        Action::Tmpfiles { file: text("b.conf") },
        Action::Sysusers { file: text("a.conf") },
    ];
    assert_eq!(actions(script), expected);
    assert!(read(script).steps.iter().all(|step| !step.conditional));
}

#[test]
fn alternatives_come_with_their_slaves() {
    let script = "update-alternatives --quiet --install \\\n  /usr/bin/pager pager /usr/bin/less 77 \\\n  --slave /usr/share/man/man1/pager.1.gz pager.1.gz /usr/share/man/man1/less.1.gz\n";
    let slave = AlternativeSlave {
        link: text("/usr/share/man/man1/pager.1.gz"),
        name: text("pager.1.gz"),
        path: text("/usr/share/man/man1/less.1.gz"),
    };
    let expected = Alternative {
        name: text("pager"),
        link: text("/usr/bin/pager"),
        path: text("/usr/bin/less"),
        priority: 77,
        slaves: vec![slave],
    };
    assert_eq!(actions(script), [Action::Alternative(expected)]);
}

#[test]
fn functions_loops_and_variables_are_followed() {
    let script = "install_from_default() {\n  if [ ! -f \"$DPKG_ROOT$2\" ]; then\n    cp -p \"$DPKG_ROOT/usr/share/base-files/$1\" \"$DPKG_ROOT$2\"\n  fi\n}\n\
        for name in profile motd; do\n  install_from_default $name /etc/$name\ndone\n";
    let copy = |name: &str| Action::Copy {
        from: format!("/usr/share/base-files/{name}"),
        to: format!("/etc/{name}"),
        mode: None,
    };
    assert_eq!(actions(script), [copy("profile"), copy("motd")]);
    assert!(read(script).steps[0].conditional);
    let known = read_as(ScriptKind::PostInst, script, &|path| Some(path == "/etc/motd"));
    assert_eq!(known.steps, [Step { action: copy("profile"), line: 3, conditional: false }]);
}

#[test]
fn what_only_upgrades_do_is_not_done() {
    let script = "if [ \"$1\" = configure ] && [ -n \"$2\" ]; then\n  mystery\nfi\nif dpkg --compare-versions \"$2\" lt-nl 1.0; then\n  mystery\nfi\n\
        case \"$1\" in\n  configure) ldconfig ;;\n  abort-*|triggered) mystery ;;\n  *) mystery; exit 1 ;;\nesac\n[ -f /etc/x.dpkg-bak ] && mystery\nexit 0\nmystery\n";
    assert_eq!(actions(script), [cache("ldconfig")]);
    // An empty version counts as earlier than any, where the operator does not say otherwise.
    assert_eq!(lines(&read("if dpkg --compare-versions \"$2\" lt 1.0; then\n mystery\nfi\n")), [2]);
}

#[test]
fn accounts_are_made_once() {
    let script = "if ! getent passwd daemon-x >/dev/null; then\n  adduser --system --group --home /var/lib/x --no-create-home --gecos 'The X daemon' daemon-x\nfi\n\
        getent group crontab > /dev/null 2>&1 || addgroup --system crontab\ngetent passwd www-data >/dev/null || adduser --system www-data\nadduser daemon-x crontab\n\
        id -u daemon-x >/dev/null || mystery\n";
    let group = |name: &str| Action::Group(SystemGroup { name: text(name), gid: None });
    let user = SystemUser {
        name: text("daemon-x"),
        group: text("daemon-x"),
        home: Some(text("/var/lib/x")),
        description: Some(text("The X daemon")),
        ..SystemUser::default()
    };
    let membership = Action::Membership { user: text("daemon-x"), group: text("crontab") };
    assert_eq!(actions(script), [group("daemon-x"), Action::User(user), group("crontab"), membership]);
}

#[test]
fn the_two_families_of_account_commands_agree() {
    let user = |group: &str| Action::User(SystemUser { name: text("u"), group: text(group), ..SystemUser::default() });
    let group = |name: &str| Action::Group(SystemGroup { name: text(name), gid: None });
    assert_eq!(actions("adduser --system u\n"), [user("nogroup")]);
    assert_eq!(actions("adduser --system --ingroup g u\n"), [user("g")]);
    assert_eq!(actions("useradd --system u\n"), [group("u"), user("u")]);
    assert_eq!(actions("useradd -r -g g u\n"), [user("g")]);
    assert_eq!(actions("groupadd -r -g 42 g\n"), [Action::Group(SystemGroup { name: text("g"), gid: Some(42) })]);
    let member = |name: &str| Action::Membership { user: text("u"), group: text(name) };
    assert_eq!(actions("usermod -a -G g,h u\n"), [member("g"), member("h")]);
}

#[test]
fn permissions_have_many_spellings() {
    let script = "if ! dpkg-statoverride --list /usr/bin/a >/dev/null; then\n  dpkg-statoverride --update --add root crontab 2755 /usr/bin/a\nfi\n\
        chown root:adm /var/log/b\nchmod 0750 /var/log/b\nchgrp _ssh /usr/bin/c\nsetcap cap_net_raw=ep /usr/bin/d\n";
    let expected = [
        permissions("/usr/bin/a", Some("2755"), Some("root"), Some("crontab")),
        permissions("/var/log/b", None, Some("root"), Some("adm")),
        permissions("/var/log/b", Some("0750"), None, None),
        permissions("/usr/bin/c", None, None, Some("_ssh")),
        Action::Capabilities { path: text("/usr/bin/d"), capabilities: text("cap_net_raw=ep") },
    ];
    assert_eq!(actions(script), expected);
}

#[test]
fn debconf_answers_with_the_templates_defaults() {
    let script = ". /usr/share/debconf/confmodule\ndb_get x/setuid\nif [ \"$RET\" = true ]; then\n  chmod 6755 /usr/bin/x\nelse\n  chmod 0755 /usr/bin/x\nfi\ndb_stop\n";
    assert_eq!(actions(script), [permissions("/usr/bin/x", Some("0755"), None, None)]);
    let unknown = script.replace("x/setuid", "x/other");
    let meaning = read(&unknown);
    assert_eq!((meaning.steps.len(), meaning.steps.iter().all(|step| step.conditional)), (2, true));
}

#[test]
fn configuration_by_way_of_a_temporary_file_is_a_copy() {
    let script = "new=\"$(mktemp)\"\ncp -aZ /usr/share/openssh/sshd_config \"$new\"\nucf --three-way --sum-file /usr/share/x.md5sum \"$new\" /etc/ssh/sshd_config\nrm -f \"$new\"\n";
    let expected =
        Action::Copy { from: text("/usr/share/openssh/sshd_config"), to: text("/etc/ssh/sshd_config"), mode: None };
    assert_eq!(actions(script), [expected]);
}

#[test]
fn here_documents_and_echo_write_files() {
    let script = "cat > /etc/hosts <<EOF || true\n127.0.0.1\t$1\nEOF\necho amd64 >/var/lib/arch\ncat <<-'END' > /etc/raw\n\t$1\n\tEND\n> /etc/empty\n";
    let expected = [
        file("/etc/hosts", "127.0.0.1\tconfigure\n"),
        file("/var/lib/arch", "amd64\n"),
        file("/etc/raw", "$1\n"),
        file("/etc/empty", ""),
    ];
    assert_eq!(actions(script), expected);
}

#[test]
fn what_is_made_beside_its_place_is_found_there() {
    let script = "ln -nsf /usr/share/zoneinfo/UTC /etc/localtime.dpkg-new && mv -f /etc/localtime.dpkg-new /etc/localtime\nln -sfr /etc/locale.conf /etc/default/locale\n";
    let link = |path: &str, target: &str| Action::Link { path: text(path), target: text(target) };
    assert_eq!(
        actions(script),
        [link("/etc/localtime", "/usr/share/zoneinfo/UTC"), link("/etc/default/locale", "../locale.conf")]
    );
}

#[test]
fn directories_have_modes_and_owners() {
    let script = "install -d -o man -g man -m 0755 /var/cache/man\nmkdir -p /var/lib/x\n";
    let expected = [
        Action::Directory {
            path: text("/var/cache/man"),
            mode: Some(text("0755")),
            user: Some(text("man")),
            group: Some(text("man")),
        },
        Action::Directory { path: text("/var/lib/x"), mode: None, user: None, group: None },
    ];
    assert_eq!(actions(script), expected);
}

#[test]
fn diversions_guarding_merged_usr_are_void() {
    let script = "dpkg-divert --package x --add --rename --divert /usr/bin/a.real /usr/bin/a\n\
        dpkg-divert --package usr-is-merged --no-rename --divert /lib/a.usr-is-merged /lib/a\nif [ \"$(dpkg-divert --truename /usr/bin/a)\" != /usr/bin/a ]; then mystery; fi\n";
    assert_eq!(actions(script), [Action::Diversion { from: text("/usr/bin/a"), to: text("/usr/bin/a.real") }]);
}

#[test]
fn fragments_that_edit_in_place_are_translated() {
    let script = "#!/bin/sh\n# Automatically added by dh_installnss/1.7\nif something; then\n\t# Installing passwd/systemd from libnss-systemd in position last\n\
        \tsed -i x y\nfi\n# End automatically added section\n# Automatically added by dh_usrlocal/13\n(\nwhile read line; do mkdir \"$line\"; done\n) << DATA\n/usr/local/share/x default\nDATA\n\
        # End automatically added section\nmystery\n";
    let meaning = read(script);
    let expected = [
        Action::NameService { database: text("passwd"), service: text("systemd"), position: text("last") },
        Action::Directory { path: text("/usr/local/share/x"), mode: None, user: None, group: None },
    ];
    assert_eq!(meaning.steps.iter().map(|step| step.action.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(lines(&meaning), [15]);
}

#[test]
fn caches_name_their_program() {
    assert_eq!(
        actions("ldconfig -r \"$DPKG_ROOT/\" || ldconfig\n/usr/bin/update-mime-database /usr/share/mime\n"),
        [cache("ldconfig"), cache("update-mime-database")]
    );
    let script = "if command -v py3compile >/dev/null 2>&1; then\n\tpy3compile -p x\nfi\n";
    assert!(read(script).steps[0].conditional);
    assert_eq!(read_as(ScriptKind::PostInst, script, &|_| Some(false)).steps, []);
}

#[test]
fn what_is_not_known_is_left_over_with_its_line() {
    let meaning = read(
        "#!/bin/sh\nset -e\nldconfig\nmystery --now\nsed -i s/a/b/ /etc/x\nmv /etc/a /etc/b\nrm -f /etc/newt/palette*\necho x >> /etc/y\nchmod 600 \"$(unknown)\"\n",
    );
    assert_eq!(lines(&meaning), [4, 5, 6, 7, 8, 9]);
    assert_eq!(meaning.leftover[0].text, "mystery --now");
}

#[test]
fn both_ways_of_an_unknown_condition_are_followed() {
    let meaning = read(
        "if grep -q x /etc/y; then\n  level=1\n  mystery\nelse\n  level=2\nfi\nchmod \"$level\" /etc/z\nldconfig\n",
    );
    assert_eq!(lines(&meaning), [3, 7]);
    assert_eq!(meaning.steps, [Step { action: cache("ldconfig"), line: 8, conditional: false }]);
}

#[test]
fn loops_over_unknown_words_run_once() {
    let meaning = read(
        "for file in /etc/x/*; do\n  rm -f \"$file\"\ndone\nwhile read line; do\n  mystery \"$line\"\ndone < /etc/list\n",
    );
    assert_eq!(lines(&meaning), [2, 5]);
}

#[test]
fn endless_recursion_ends() {
    let meaning = read("again() {\n  again\n}\nagain\n");
    assert!(!meaning.leftover.is_empty());
    let nested = read("a() { for x in 1 2 3 4 5 6 7 8 9; do a; done; }\na\n");
    assert!(!nested.leftover.is_empty());
}

#[test]
fn other_languages_and_unknown_syntax_are_left_over_whole() {
    assert_eq!(lines(&read("#!/usr/bin/perl\n# comment\nuse strict;\n\nexit 0;\n")), [3, 5]);
    assert_eq!(lines(&read("#!/bin/sh\nif true; then\n")), [2]);
    assert_eq!(check_syntax("if true; then\n").unwrap_err().to_string(), "line 2: expected `fi`");
    assert_eq!(check_syntax("sleep 1 &\n").unwrap_err().problem, "a background job");
}

#[test]
fn removal_scripts_have_no_effect() {
    for kind in [ScriptKind::PreRm, ScriptKind::PostRm] {
        assert_eq!(read_as(kind, "#!/bin/sh\nmystery\n", &|_| None), Meaning::default());
    }
}

#[test]
fn preinst_is_told_to_install() {
    let meaning = read_as(
        ScriptKind::PreInst,
        "if [ \"$1\" = install ] && [ -z \"$2\" ]; then\n mkdir -p /etc/sgml\nfi\n[ \"$1\" = upgrade ] && mystery\nexit 0\n",
        &|_| None,
    );
    assert_eq!((meaning.steps.len(), meaning.leftover.len()), (1, 0));
}

/// The real shell agrees on quoting, splitting and expansions: each script echoes words, and both must print the same.
#[test]
fn words_expand_as_the_shell_does() {
    let scripts = [
        "a='x  y'; echo $a \"$a\" ${a}z",
        "echo \"${none:-dflt}\" ${none-other} \"${none:+no}\" \"${1:+yes}\" ${2:-two}",
        "a=/lib/x.so; echo ${a#/lib} ${a%.so} \"${a#no}\"",
        "echo a\\ b 'c d' \"e \\\"f\\\" \\$g\"",
        "set -- p 'q r' s; shift; echo \"$1\" $# \"$@\"",
        "f() { echo in $1; }; f out; echo $1",
        "x=$(echo nested \"$(echo deep)\"); echo \"$x\"; y=`echo back`; echo $y",
        "echo $(dirname /a/b/c) $(basename /a/b/c) $(echo a:b:c | cut -d: -f2)",
        "case configure in abort-*) echo no;; con*|x) echo yes;; *) echo other;; esac",
        "for i in 1 2 '3 4'; do echo \"<$i>\"; done",
        "if [ -z \"\" -a x = x ] && ! [ 1 -gt 2 ]; then echo t; else echo f; fi",
        "cat <<EOF\n$1 and \\$1\nEOF",
        "cat <<'EOF'\n$1 raw\nEOF",
        "true && echo a || echo b; false && echo c || echo d",
        "{ echo grouped; } ; ( echo sub )",
    ];
    for script in scripts {
        let output = std::process::Command::new("sh").args(["-c", script, "x", "configure"]).output().unwrap();
        let expected = String::from_utf8(output.stdout).unwrap();
        // Every command that prints is made to print into a file instead, so that what it prints becomes visible.
        let body = format!("{{\n{script}\n}}\n");
        let meaning = read(&redirected(&body));
        let printed: String = meaning
            .steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::File { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!((printed, meaning.leftover), (expected, vec![]), "{script}");
    }
}

/// Gives each `echo` and `cat` outside substitutions a file of its own.
fn redirected(script: &str) -> String {
    let mut count = 0;
    let mut result = String::new();
    let bytes: Vec<char> = script.chars().collect();
    let mut position = 0;
    while position < bytes.len() {
        let rest: String = bytes[position..].iter().collect();
        let before = position.checked_sub(1).map(|at| bytes[at]);
        let inside = matches!(before, Some('(') | Some('`'));
        let command = ["echo ", "cat "].into_iter().find(|command| rest.starts_with(command));
        match command.filter(|_| !inside) {
            Some(command) => {
                count += 1;
                result += &format!(">/out/{count} {command}");
                position += command.len();
            }
            None => {
                result.push(bytes[position]);
                position += 1;
            }
        }
    }
    result
}
