//! What packages ship or make outside of /usr and /etc, as lines of tmpfiles.d(5).
//!
//! /var is the machine's own; a package's files there are only its first content. The lines sort after all others
//! (`zz-packages.conf`), so that a package's own tmpfiles.d has the last word on a path. Pure.

use std::collections::BTreeMap;

use crate::effect::{Effect, Permissions};
use crate::manifest::MemberKind;
use crate::package::{Overlay, Package};
use crate::view::AccountIds;

/// Top-level directories that belong to the view, to the kernel, or to activation.
const NOT_OURS: [&str; 11] = ["usr", "etc", "boot", "proc", "sys", "dev", "tmp", "nix", "DEBIAN", "root", "home"];

/// Paths that systemd's own tmpfiles.d makes as links or with other modes.
const SYSTEMS_OWN: [&str; 5] = ["var", "var/run", "var/lock", "var/tmp", "run"];

/// dpkg's database is generated (`dpkg_status`); its empty directories would be in the way.
const DPKG: &str = "var/lib/dpkg";

/// The text of `zz-packages.conf`.
#[must_use]
pub fn package_lines(packages: &[Package], overlays: &[Overlay], ids: &AccountIds) -> String {
    let overrides = permissions_by_path(packages);
    // By path: the first package's line wins, as its directory would on disk.
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let mut verbatim = Vec::new();
    for package in packages {
        for member in &package.members {
            let top = member.path.split('/').next().unwrap_or_default();
            if package.control.is_none() || !is_ours(&member.path) || top == "bin" || top.starts_with("lib") || top == "sbin" {
                continue;
            }
            let path = format!("/{}", member.path);
            let owner = |name: &str, number: u32| if name.is_empty() { number.to_string() } else { name.to_owned() };
            let mut mode = format!("{:04o}", member.mode);
            let mut user = ids.user(&owner(&member.user, member.uid));
            let mut group = ids.group(&owner(&member.group, member.gid));
            if let Some(permissions) = overrides.get(path.as_str()) {
                mode = permissions.mode.clone().unwrap_or(mode);
                user = permissions.user.as_deref().map_or(user, |name| ids.user(name));
                group = permissions.group.as_deref().map_or(group, |name| ids.group(name));
            }
            let place = quote(&path);
            let line = match member.kind {
                MemberKind::Directory => format!("d {place} {mode} {user} {group} -"),
                MemberKind::Symlink => format!("L {place} - - - - {}", quote_argument(&member.link)),
                MemberKind::File | MemberKind::HardLink => {
                    format!("C {place} {mode} {user} {group} - {}{path}", package.store_path)
                }
                _ => continue,
            };
            lines.entry(path).or_insert(line);
        }
        for effect in &package.effects {
            if let Effect::Tmpfiles(line) = effect {
                verbatim.push(line.line.clone());
            } else if let Some((path, line)) = effect_line(effect, ids) {
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

fn is_ours(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    !NOT_OURS.contains(&top) && !SYSTEMS_OWN.contains(&path) && !path.starts_with(DPKG)
}

fn permissions_by_path(packages: &[Package]) -> BTreeMap<&str, &Permissions> {
    let effects = packages.iter().flat_map(|package| &package.effects);
    effects
        .filter_map(|effect| match effect {
            Effect::Permissions(permissions) => Some((permissions.path.as_str(), permissions)),
            _ => None,
        })
        .collect()
}

/// The line of something a script makes outside of /usr and /etc.
fn effect_line(effect: &Effect, ids: &AccountIds) -> Option<(String, String)> {
    let outside = |path: &str| !path.starts_with("/usr/") && !path.starts_with("/etc/");
    match effect {
        Effect::Directory(d) if outside(&d.path) => {
            let user = ids.user(d.user.as_deref().unwrap_or("root"));
            let group = ids.group(d.group.as_deref().unwrap_or("root"));
            let mode = d.mode.as_deref().unwrap_or("0755");
            Some((d.path.clone(), format!("d {} {mode} {user} {group} -", quote(&d.path))))
        }
        Effect::Link(l) if outside(&l.path) => {
            Some((l.path.clone(), format!("L {} - - - - {}", quote(&l.path), quote_argument(&l.target))))
        }
        Effect::Copy(c) if outside(&c.to) => {
            let mode = c.mode.as_deref().unwrap_or("-");
            Some((c.to.clone(), format!("C {} {mode} 0 0 - {}", quote(&c.to), quote_argument(&c.from))))
        }
        Effect::File(f) if outside(&f.path) => {
            let mode = f.mode.as_deref().unwrap_or("0644");
            let text = f.text.replace('\\', "\\\\").replace('\n', "\\n");
            Some((f.path.clone(), format!("f {} {mode} 0 0 - {}", quote(&f.path), quote_argument(&text))))
        }
        _ => None,
    }
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
