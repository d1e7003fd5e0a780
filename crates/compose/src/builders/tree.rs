//! `builtin:tree`: files, links and directories written down.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use build::{BuiltinBuilder, BuiltinContext, BuiltinError};
use nix_formats::placeholder;
use serde::Deserialize;
use thiserror::Error;

use super::io_error;

/// Attributes of `builtin:tree`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeAttributes {
    /// Path in the output → what stands there. The path "" is the output itself. Parent directories are made.
    pub entries: BTreeMap<String, TreeEntry>,
}

/// One entry; exactly one of `text`, `source`, `link` and `directory`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TreeEntry {
    /// A file with this text. The placeholder of the derivation's own output is replaced.
    pub text: Option<String>,
    /// A copy of this file or tree in the store.
    pub source: Option<String>,
    /// A symbolic link with this text; placeholders as above.
    pub link: Option<String>,
    /// An (empty) directory, when true.
    pub directory: bool,
    /// Whether a file of `text` or `source` is executable; absent: not, or as the source is.
    pub executable: Option<bool>,
}

/// Why a tree cannot be made.
#[derive(Debug, Error)]
pub enum TreeError {
    /// Not exactly one kind.
    #[error("the entry `{path}` needs exactly one of `text`, `source`, `link` and `directory`")]
    Kind {
        /// The entry.
        path: String,
    },
    /// A path that leaves the output.
    #[error("the entry `{path}` is not a plain relative path")]
    Path {
        /// The entry.
        path: String,
    },
}

/// The builder.
pub struct TreeBuilder;

impl BuiltinBuilder for TreeBuilder {
    fn name(&self) -> &str {
        "tree"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let attributes: TreeAttributes = context.parse_attributes()?;
        let output = context.output("out")?.to_owned();
        let own = context.output_logical("out")?;
        let resolve = |text: &str| text.replace(&placeholder::own_output("out"), &own);
        if !attributes.entries.contains_key("") {
            std::fs::create_dir_all(&output).map_err(io_error("make", &output))?;
        }
        for (path, entry) in &attributes.entries {
            let place = place_of(&output, path)?;
            if let Some(parent) = place.parent() {
                std::fs::create_dir_all(parent).map_err(io_error("make", parent))?;
            }
            match (&entry.text, &entry.source, &entry.link, entry.directory) {
                (Some(text), None, None, false) => {
                    std::fs::write(&place, resolve(text)).map_err(io_error("write", &place))?;
                    set_executable(&place, entry.executable)?;
                }
                (None, Some(source), None, false) => {
                    let source = context.physical(source)?;
                    copy_tree(&source, &place).map_err(io_error("copy", &source))?;
                    set_executable(&place, entry.executable)?;
                }
                (None, None, Some(link), false) => {
                    symlink(resolve(link), &place).map_err(io_error("link", &place))?;
                }
                (None, None, None, true) => {
                    std::fs::create_dir_all(&place).map_err(io_error("make", &place))?;
                }
                _ => return Err(BuiltinError::new(TreeError::Kind { path: path.clone() })),
            }
        }
        Ok(())
    }
}

fn place_of(output: &Path, path: &str) -> Result<PathBuf, BuiltinError> {
    if path.is_empty() {
        return Ok(output.to_owned());
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(BuiltinError::new(TreeError::Path { path: path.to_owned() }));
    }
    Ok(output.join(path))
}

fn set_executable(place: &Path, executable: Option<bool>) -> Result<(), BuiltinError> {
    let Some(executable) = executable else {
        return Ok(());
    };
    let mode = if executable { 0o755 } else { 0o644 };
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode)).map_err(io_error("change", place))
}

fn copy_tree(source: &Path, place: &Path) -> io::Result<()> {
    let metadata = source.symlink_metadata()?;
    if metadata.is_symlink() {
        return symlink(std::fs::read_link(source)?, place);
    }
    if !metadata.is_dir() {
        return std::fs::copy(source, place).map(|_| ());
    }
    std::fs::create_dir_all(place)?;
    let mut names: Vec<_> =
        std::fs::read_dir(source)?.map(|entry| entry.map(|e| e.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    names.iter().try_for_each(|name| copy_tree(&source.join(name), &place.join(name)))
}
