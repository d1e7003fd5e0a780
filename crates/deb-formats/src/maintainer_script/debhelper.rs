//! The few of debhelper's fragments that cannot be followed command by command, because they loop over data or edit files in
//! place. All others are ordinary commands.
//!
//! Source: debhelper 13's autoscripts, dh-nss 1.7.

use super::{Action, Step};

const BEGIN: &str = "# Automatically added by ";
const END: &str = "# End automatically added section";

/// Takes those fragments out of a script, leaving empty lines in their place so that line numbers stay, and returns what they
/// do.
pub(super) fn translate(text: &str) -> (String, Vec<Step>) {
    let mut rest = String::with_capacity(text.len());
    let mut steps = Vec::new();
    let mut fragment: Option<(&str, Vec<&str>)> = None;
    for (position, line) in text.lines().enumerate() {
        if let Some(tool) = line.strip_prefix(BEGIN).and_then(|tool| tool.split('/').next()) {
            if matches!(tool, "dh_usrlocal" | "dh_installnss") {
                fragment = Some((tool, Vec::new()));
            }
        }
        match &mut fragment {
            None => rest.push_str(line),
            Some((tool, lines)) if line.starts_with(END) => {
                let actions = if *tool == "dh_usrlocal" { directories(lines) } else { name_services(lines) };
                steps.extend(actions.into_iter().map(|action| Step {
                    action,
                    line: position + 1 - lines.len(),
                    conditional: false,
                }));
                fragment = None;
            }
            Some((_, lines)) => lines.push(line),
        }
        rest.push('\n');
    }
    match fragment {
        // An unfinished fragment is none; the script is left as it is.
        Some(_) => (text.to_owned(), Vec::new()),
        None => (rest, steps),
    }
}

/// `/usr/local/share/x default` or `PATH MODE USER GROUP`, in a here-document.
fn directories(lines: &[&str]) -> Vec<Action> {
    let mut actions = Vec::new();
    for line in lines.iter().filter(|line| line.starts_with('/')) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let own = |position: usize| words.get(position).map(|word| (*word).to_owned());
        actions.push(match words[..] {
            [path, "default"] => Action::Directory { path: path.to_owned(), mode: None, user: None, group: None },
            _ => Action::Directory { path: own(0).unwrap_or_default(), mode: own(1), user: own(2), group: own(3) },
        });
    }
    actions
}

/// `# Installing passwd/systemd from libnss-systemd in position last`
fn name_services(lines: &[&str]) -> Vec<Action> {
    let mut actions = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if let ["#", "Installing", what, "from", _, "in", "position", position] = words[..] {
            if let Some((database, service)) = what.split_once('/') {
                let (database, service, position) = (database.to_owned(), service.to_owned(), position.to_owned());
                actions.push(Action::NameService { database, service, position });
            }
        }
    }
    actions
}
