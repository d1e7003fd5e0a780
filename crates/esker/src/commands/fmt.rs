//! `esker fmt`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use diagnostics::{SourceMap, Style, render};
use formatter::FormatError;
use serde_json::json;

use super::Outcome;
use crate::context::Context;

/// Format texts in the Nix language, in the style of RFC 166
///
/// Of folders all files that end in .nix, those in hidden folders and behind links left out. What a text means never changes.
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files and folders; the current folder for none, standard input to standard output for -
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Change nothing: list what would change, and fail if something would
    #[arg(long)]
    check: bool,
}

/// Why a file was not formatted.
#[derive(Debug, thiserror::Error)]
enum FmtError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{report}")]
    Text { report: String },
    #[error("cannot format `{name}`")]
    Formatter { name: String, source: FormatError },
}

impl Fmt {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        if self.paths == [PathBuf::from("-")] {
            return self.standard_input(context);
        }
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths };
        let mut files = Vec::new();
        for path in &paths {
            find_files(path, &mut files)?;
        }
        let (mut changed, mut failed) = (Vec::new(), false);
        for file in files {
            match format_file(&file, self.check) {
                Ok(true) => changed.push(file.display().to_string()),
                Ok(false) => {}
                Err(error) => {
                    failed = true;
                    crate::report::failure(&error, context);
                }
            }
        }
        context.print(json!(changed), &changed.join("\n"));
        let is_bad = failed || (self.check && !changed.is_empty());
        Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn standard_input(&self, context: &Context) -> Outcome {
        let (path, mut text) = (PathBuf::from("standard input"), String::new());
        std::io::stdin().read_to_string(&mut text).map_err(|source| FmtError::Read { path, source })?;
        let formatted = formatted(&text, "«stdin»")?;
        if !self.check {
            context.print_text(&formatted);
        }
        Ok(if self.check && formatted != text { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// The file itself, or the .nix files below a folder, in order of their names.
fn find_files(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), FmtError> {
    let failed = |source| FmtError::Read { path: path.to_owned(), source };
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(failed)?.collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(failed)?);
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !is_hidden {
            find_files(&entry.path(), found)?;
        } else if kind.is_file() && entry.path().extension().is_some_and(|ending| ending == "nix") {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Whether a file changes; unless it is only checked, it is changed.
fn format_file(path: &Path, check: bool) -> Result<bool, FmtError> {
    let text = std::fs::read_to_string(path).map_err(|source| FmtError::Read { path: path.to_owned(), source })?;
    let formatted = formatted(&text, &path.display().to_string())?;
    if formatted == text {
        return Ok(false);
    }
    if !check {
        replace(path, &formatted).map_err(|source| FmtError::Write { path: path.to_owned(), source })?;
    }
    Ok(true)
}

fn formatted(text: &str, name: &str) -> Result<String, FmtError> {
    formatter::format(text).map_err(|error| match error {
        FormatError::Syntax(error) => {
            let mut sources = SourceMap::new();
            // The only text of its map begins where the formatter counts from.
            sources.add(name.to_owned(), text.as_bytes().into(), true);
            let report = render(&error.diagnostic(), &sources, Style::default());
            FmtError::Text { report: report.trim_end().trim_start_matches("error: ").to_owned() }
        }
        source => FmtError::Formatter { name: name.to_owned(), source },
    })
}

/// Puts a text in the place of a file at once, with the same mode; what a link leads to is replaced, not the link.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(path.metadata()?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
