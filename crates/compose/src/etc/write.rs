//! Writes an [`EtcPlan`](super::EtcPlan): the tree `etc/` and `manifest.json` (ARCHITECTURE.md, "Toplevel").

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde::Serialize;

use super::{Content, EtcPlan, Item, Placement};

#[derive(Serialize)]
struct Manifest<'a> {
    entries: Vec<ManifestEntry<'a>>,
}

/// One line of the manifest; activation's `EtcEntry` reads it.
#[derive(Serialize)]
struct ManifestEntry<'a> {
    path: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
}

/// Writes `etc/` and `manifest.json` into an existing directory.
///
/// # Errors
/// When a file cannot be written; the path is in the message.
pub fn write_etc(plan: &EtcPlan, output: &Path) -> io::Result<()> {
    let root = output.join("etc");
    std::fs::create_dir_all(&root)?;
    for (path, item) in plan {
        let place = root.join(path);
        write_item(item, &place)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write `{}`: {error}", place.display())))?;
    }
    let manifest = Manifest { entries: plan.iter().map(|(path, item)| manifest_entry(path, item)).collect() };
    let mut text = serde_json::to_string_pretty(&manifest)?;
    text.push('\n');
    std::fs::write(output.join("manifest.json"), text)
}

fn write_item(item: &Item, place: &Path) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match &item.content {
        Content::Directory => std::fs::create_dir_all(place),
        Content::Link(target) | Content::Store(target) => symlink(target, place),
        Content::Text(text) => std::fs::write(place, text),
    }
}

fn manifest_entry<'a>(path: &'a str, item: &'a Item) -> ManifestEntry<'a> {
    let mut entry = ManifestEntry { path, kind: "link", target: None, mode: None, uid: None, gid: None };
    if let Content::Link(target) = &item.content {
        entry.target = Some(target);
    }
    if let Placement::Own { mode, uid, gid } = item.placement {
        entry.kind = if item.content == Content::Directory { "directory" } else { "copy" };
        entry.mode = Some(format!("{mode:04o}"));
        entry.uid = Some(uid);
        entry.gid = Some(gid);
    }
    entry
}
