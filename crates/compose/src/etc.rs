//! /etc of a system: packages' defaults, what is generated, and what the configuration declares, in that order.
//!
//! [`plan_etc`] is pure; [`write`](write::write_etc) makes `etc/` and `manifest.json` out of the plan. How files get into
//! the running /etc (links through /etc/static, copies, removal of old ones) is activation's.

pub mod generated;
pub mod write;

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::view::{AccountIds, EntryKind, ViewError, ViewPlan};

/// Files that must be copied because a program refuses or misreads links: prefix relative to /etc, and the reason.
const COPIED: [(&str, &str); 5] = [
    ("crontab", "cron reads only regular files"),
    ("cron.d/", "cron reads only regular files"),
    ("systemd/system/", "a unit that is a link into the store counts as linked, and its aliases chain"),
    ("systemd/user/", "as for the system's units"),
    (".updated", "systemd looks at the file's own time, not at the target's"),
];

/// Files that activation makes out of accounts.json and of the machine; what packages' scripts put there does not count.
const ACTIVATIONS_OWN: [&str; 7] = ["passwd", "group", "shadow", "gshadow", "subuid", "subgid", "machine-id"];

/// Directories of systemd that its own tmpfiles.d makes with another mode than its package has: with both, every switch
/// would open them and every boot close them again.
const TMPFILES_OWN: [&str; 2] = ["credstore", "credstore.encrypted"];

/// A declared file: attribute `entries` of `builtin:etc`, by path relative to /etc. One of `text`, `source` and `link`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EntrySpec {
    /// The content.
    pub text: Option<String>,
    /// The file or directory in the store whose content it has.
    pub source: Option<String>,
    /// The text of a symbolic link.
    pub link: Option<String>,
    /// Octal digits. With it the file is a copy, else a link to /etc/static.
    pub mode: Option<String>,
    /// Owner of a copy: a name, or `+` and a number.
    pub user: Option<String>,
    /// Group of a copy: a name, or `+` and a number.
    pub group: Option<String>,
    /// `false` leaves a package's file of this path out.
    pub enable: Option<bool>,
    /// A unit that says only what differs: where a package has the unit, this is a drop-in of it.
    pub dropin_if_packaged: bool,
}

/// What stands at a path of /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A symbolic link with exactly this text.
    Link(String),
    /// A file or directory in the store (a logical path).
    Store(String),
    /// A file with this text.
    Text(String),
    /// A directory.
    Directory,
}

/// How an item gets into /etc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// As a link.
    Link,
    /// As itself, with mode and owner.
    Own {
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// One path of /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What.
    pub content: Content,
    /// How.
    pub placement: Placement,
    /// Who provides it, for messages: `package \`bash\``, `environment.etc`.
    pub from: String,
}

/// Every path of /etc, relative to it. Directories are listed when they are empty or not 0755 root:root.
pub type EtcPlan = BTreeMap<String, Item>;

/// Why /etc cannot be planned.
#[derive(Debug, Error)]
pub enum EtcError {
    /// Not exactly one content.
    #[error("`environment.etc.\"{path}\"` needs exactly one of `text`, `source` and `link`")]
    Content {
        /// The path relative to /etc.
        path: String,
    },
    /// A path that leaves /etc or is not plain.
    #[error("`{path}` is not a plain path relative to /etc")]
    Path {
        /// As declared.
        path: String,
    },
    /// A file beneath a file.
    #[error("`/etc/{path}` ({from}) lies beneath `/etc/{above}`, which {above_from} makes a file or link")]
    Beneath {
        /// The path.
        path: String,
        /// Who declares it.
        from: String,
        /// The file or link above it.
        above: String,
        /// Who declares that.
        above_from: String,
    },
    /// A mode that is not octal.
    #[error(transparent)]
    Mode(#[from] ViewError),
}

/// Lays generated and declared files over the packages' defaults.
///
/// # Errors
/// When a declaration is contradictory, or one file lies beneath another.
pub fn plan_etc(
    view: &ViewPlan,
    generated: &BTreeMap<String, Content>,
    entries: &BTreeMap<String, EntrySpec>,
    ids: &AccountIds,
) -> Result<EtcPlan, EtcError> {
    let mut plan = package_defaults(view);
    for (path, content) in generated {
        let item = Item { content: content.clone(), placement: placement_of(path, content), from: "Esker".to_owned() };
        put(&mut plan, path, item)?;
    }
    plan.retain(|path, _| !ACTIVATIONS_OWN.contains(&path.as_str()) && !TMPFILES_OWN.contains(&path.as_str()));
    for (path, spec) in entries {
        check_path(path)?;
        if spec.enable == Some(false) {
            remove(&mut plan, path);
            continue;
        }
        let item = declared_item(path, spec, ids)?;
        if spec.dropin_if_packaged && view.resolve(&format!("usr/lib/{path}")).is_some() {
            put(&mut plan, &format!("{path}.d/overrides.conf"), item)?;
        } else {
            put(&mut plan, path, item)?;
        }
    }
    drop_implied_directories(&mut plan);
    Ok(plan)
}

fn package_defaults(view: &ViewPlan) -> EtcPlan {
    let mut plan = EtcPlan::new();
    for (path, entry) in view.beneath("etc") {
        let own = Placement::Own { mode: entry.mode, uid: entry.uid, gid: entry.gid };
        let (content, placement) = match &entry.kind {
            EntryKind::Directory => (Content::Directory, own),
            EntryKind::Symlink(target) => (Content::Link(target.clone()), Placement::Link),
            EntryKind::File(source) => {
                let content = Content::Store(format!("{}/{}", source.store_path, source.path));
                let usual = matches!(entry.mode, 0o644 | 0o755 | 0o444 | 0o555) && (entry.uid, entry.gid) == (0, 0);
                (content, if usual && !must_copy(path) { Placement::Link } else { own })
            }
        };
        let from = format!("package `{}`", view.layers[entry.layer].name);
        plan.insert(path.to_owned(), Item { content, placement, from });
    }
    plan
}

fn must_copy(path: &str) -> bool {
    COPIED.iter().any(|(prefix, _)| path == *prefix || (prefix.ends_with('/') && path.starts_with(prefix)))
}

fn placement_of(path: &str, content: &Content) -> Placement {
    match content {
        Content::Directory => Placement::Own { mode: 0o755, uid: 0, gid: 0 },
        Content::Link(_) => Placement::Link,
        Content::Store(_) | Content::Text(_) if must_copy(path) => Placement::Own { mode: 0o644, uid: 0, gid: 0 },
        Content::Store(_) | Content::Text(_) => Placement::Link,
    }
}

fn declared_item(path: &str, spec: &EntrySpec, ids: &AccountIds) -> Result<Item, EtcError> {
    let content = match (&spec.text, &spec.source, &spec.link) {
        (Some(text), None, None) => Content::Text(text.clone()),
        (None, Some(source), None) => Content::Store(source.clone()),
        (None, None, Some(link)) => Content::Link(link.clone()),
        _ => {
            return Err(EtcError::Content { path: path.to_owned() });
        }
    };
    let placement = match &spec.mode {
        Some(mode) if !matches!(content, Content::Link(_)) => Placement::Own {
            mode: crate::view::parse_mode(mode, path)?,
            uid: ids.user(account_name(spec.user.as_deref())),
            gid: ids.group(account_name(spec.group.as_deref())),
        },
        _ => placement_of(path, &content),
    };
    Ok(Item { content, placement, from: "environment.etc".to_owned() })
}

/// NixOS writes numbers as `+0`.
fn account_name(name: Option<&str>) -> &str {
    name.map_or("root", |name| name.strip_prefix('+').unwrap_or(name))
}

fn check_path(path: &str) -> Result<(), EtcError> {
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if plain { Ok(()) } else { Err(EtcError::Path { path: path.to_owned() }) }
}

fn put(plan: &mut EtcPlan, path: &str, item: Item) -> Result<(), EtcError> {
    for (slash, _) in path.match_indices('/') {
        let above = &path[..slash];
        if let Some(there) = plan.get(above).filter(|there| there.content != Content::Directory) {
            return Err(EtcError::Beneath {
                path: path.to_owned(),
                from: item.from,
                above: above.to_owned(),
                above_from: there.from.clone(),
            });
        }
    }
    if item.content != Content::Directory {
        remove(plan, path);
    }
    plan.insert(path.to_owned(), item);
    Ok(())
}

fn remove(plan: &mut EtcPlan, path: &str) {
    let beneath = format!("{path}/");
    plan.retain(|other, _| other != path && !other.starts_with(&beneath));
}

fn drop_implied_directories(plan: &mut EtcPlan) {
    let parents: std::collections::BTreeSet<String> =
        plan.keys().filter_map(|path| path.rfind('/').map(|slash| path[..slash].to_owned())).collect();
    let usual = Placement::Own { mode: 0o755, uid: 0, gid: 0 };
    plan.retain(|path, item| item.content != Content::Directory || item.placement != usual || !parents.contains(path));
}

#[cfg(test)]
mod tests;
