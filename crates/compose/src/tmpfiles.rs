//! What packages ship or make outside of /usr and /etc, as lines of tmpfiles.d(5).
//!
//! /var is the machine's own; a package's files there are only its first content. The lines sort after all others
//! (`zz-packages.conf`), so that a package's own tmpfiles.d has the last word on a path. Pure.

use std::collections::BTreeMap;

use crate::effect::{Effect, Permissions};
use crate::manifest::{Member, MemberKind};
use crate::package::{Overlay, Package};
use crate::view::{AccountIds, change_mode, merged_path};

/// Top-level directories that belong to the view, to the kernel, or to activation.
const NOT_OURS: [&str; 11] = ["usr", "etc", "boot", "proc", "sys", "dev", "tmp", "nix", "DEBIAN", "root", "home"];

/// Paths that systemd's own tmpfiles.d makes as links or with other modes.
const SYSTEMS_OWN: [&str; 5] = ["var", "var/run", "var/lock", "var/tmp", "run"];

/// dpkg's database is generated (`dpkg_status`); its empty directories would be in the way.
const DPKG: &str = "var/lib/dpkg";

/// Mode and owner of a line.
#[derive(Debug, Clone, Copy)]
struct Owner {
    mode: u32,
    user: u32,
    group: u32,
}

/// Permissions that scripts set, by path, in order.
type Changes<'a> = BTreeMap<&'a str, Vec<&'a Permissions>>;

/// The text of `zz-packages.conf`.
#[must_use]
pub fn package_lines(packages: &[Package], overlays: &[Overlay], ids: &AccountIds) -> String {
    let changes = permissions_by_path(packages);
    // By path: the first package's line wins, as its directory would on disk.
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut verbatim = Vec::new();
    for package in packages {
        for member in package.members.iter().filter(|member| package.control.is_some() && is_ours(&member.path)) {
            let path = format!("/{}", member.path);
            let owner = changed(
                member_owner(member, ids),
                member.kind == MemberKind::Directory,
                changes.get(path.as_str()),
                ids,
            );
            if let Some(line) = member_line(package, member, &path, owner) {
                lines.entry(path).or_insert(line);
            }
        }
        for effect in &package.effects {
            if let Effect::Tmpfiles(line) = effect {
                verbatim.push(line.line.clone());
            } else if let Some((path, line)) = effect_line(effect, &changes, ids) {
                lines.entry(path).or_insert(line);
            }
        }
    }
    for overlay in overlays {
        for member in overlay.members.iter().filter(|member| member.kind == MemberKind::File) {
            if member.path.starts_with("var/") {
                let path = format!("/{}", member.path);
                // Replaces what an earlier generation's line linked.
                lines.insert(path.clone(), format!("L+ {} - - - - {}{path}", quote(&path), overlay.store_path));
            }
        }
    }
    let mut text = String::from("# What the packages of this system ship or make in /var and elsewhere.\n");
    for line in lines.into_values().chain(verbatim) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Whether a path (without leading slash) is one that tmpfiles.d has to make.
fn is_ours(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    let elsewhere = NOT_OURS.contains(&top) || merged_path(top) != top || SYSTEMS_OWN.contains(&path);
    !elsewhere && !path.starts_with(DPKG)
}

fn permissions_by_path(packages: &[Package]) -> Changes<'_> {
    let mut changes = Changes::new();
    for effect in packages.iter().flat_map(|package| &package.effects) {
        if let Effect::Permissions(permissions) = effect {
            changes.entry(permissions.path.trim_end_matches('/')).or_default().push(permissions);
        }
    }
    changes
}

fn changed(mut owner: Owner, directory: bool, changes: Option<&Vec<&Permissions>>, ids: &AccountIds) -> Owner {
    for change in changes.into_iter().flatten() {
        let mode = change.mode.as_deref().and_then(|text| change_mode(owner.mode, text, directory));
        owner.mode = mode.unwrap_or(owner.mode);
        owner.user = change.user.as_deref().map_or(owner.user, |name| ids.user(name));
        owner.group = change.group.as_deref().map_or(owner.group, |name| ids.group(name));
    }
    owner
}

fn member_owner(member: &Member, ids: &AccountIds) -> Owner {
    Owner {
        mode: member.mode,
        user: if member.user.is_empty() { member.uid } else { ids.user(&member.user) },
        group: if member.group.is_empty() { member.gid } else { ids.group(&member.group) },
    }
}

fn member_line(package: &Package, member: &Member, path: &str, owner: Owner) -> Option<String> {
    let Owner { mode, user, group } = owner;
    let place = quote(path);
    Some(match member.kind {
        MemberKind::Directory => format!("d {place} {mode:04o} {user} {group} -"),
        MemberKind::Symlink => format!("L {place} - - - - {}", quote_argument(&member.link)),
        MemberKind::File | MemberKind::HardLink => {
            format!("C {place} {mode:04o} {user} {group} - {}{path}", package.store_path)
        }
        _ => return None,
    })
}

/// The line of something a script makes outside of /usr and /etc.
fn effect_line(effect: &Effect, changes: &Changes<'_>, ids: &AccountIds) -> Option<(String, String)> {
    let owner = |path: &str, mode: Option<&str>, usual: u32, directory: bool| {
        let mode = mode.and_then(|text| change_mode(usual, text, directory)).unwrap_or(usual);
        changed(Owner { mode, user: 0, group: 0 }, directory, changes.get(path.trim_end_matches('/')), ids)
    };
    let (path, line) = match effect {
        Effect::Directory(d) => {
            let mut own = owner(&d.path, d.mode.as_deref(), 0o755, true);
            own.user = d.user.as_deref().map_or(own.user, |name| ids.user(name));
            own.group = d.group.as_deref().map_or(own.group, |name| ids.group(name));
            (&d.path, format!("d {} {:04o} {} {} -", quote(&d.path), own.mode, own.user, own.group))
        }
        Effect::Link(l) => (&l.path, format!("L {} - - - - {}", quote(&l.path), quote_argument(&l.target))),
        Effect::Copy(c) => {
            let own = owner(&c.to, c.mode.as_deref(), 0o644, false);
            let (place, from) = (quote(&c.to), quote_argument(&c.from));
            (&c.to, format!("C {place} {:04o} {} {} - {from}", own.mode, own.user, own.group))
        }
        Effect::File(f) => {
            let own = owner(&f.path, f.mode.as_deref(), 0o644, false);
            let text = f.text.replace('\\', "\\\\").replace('\n', "\\n");
            let line =
                format!("f {} {:04o} {} {} - {}", quote(&f.path), own.mode, own.user, own.group, quote_argument(&text));
            (&f.path, line.trim_end().to_owned())
        }
        _ => return None,
    };
    let relative = path.trim_start_matches('/').trim_end_matches('/');
    // What scripts make in /run, services make again at each start.
    let ours = (is_ours(relative) && !relative.starts_with("run/")) || relative.starts_with("root/");
    ours.then(|| (format!("/{relative}"), line))
}

/// A path as tmpfiles.d takes it: `%` begins a specifier, blanks need quotes.
fn quote(path: &str) -> String {
    let path = path.replace('%', "%%");
    if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path }
}

/// An argument runs to the end of the line; only `%` is special.
fn quote_argument(argument: &str) -> String {
    argument.replace('%', "%%")
}

#[cfg(test)]
mod tests;
