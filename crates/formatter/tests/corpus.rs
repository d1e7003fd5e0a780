//! All texts in the repository keep their meaning and their comments, and a second pass changes nothing.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as the test does")]

use std::path::{Path, PathBuf};

use formatter::{FormatError, format};
use syntax::concrete::{TokenKind, Tree};

fn nix_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !path.is_symlink() && !name.starts_with('.') && name != "target" {
            nix_files(&path, found);
        } else if name.ends_with(".nix") {
            found.push(path);
        }
    }
}

/// The words of the comments, in order.
fn comments(text: &str) -> Vec<String> {
    let tree = Tree::of(text);
    let is_comment = |kind| matches!(kind, TokenKind::LineComment | TokenKind::BlockComment);
    let comments = (0..tree.tokens.len()).filter(|i| is_comment(tree.tokens[*i].kind));
    let words = comments.flat_map(|i| tree.token_text(i).split_whitespace().collect::<Vec<_>>());
    words.map(|word| word.trim_matches(['#', '*', '/']).to_owned()).filter(|word| !word.is_empty()).collect()
}

#[test]
fn meaning_and_comments_survive_and_a_second_pass_changes_nothing() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    nix_files(&repository, &mut files);
    let (mut formatted, mut wrong) = (0, Vec::new());
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match format(&text) {
            // Cases about syntax errors.
            Err(FormatError::Syntax(_)) => continue,
            // `format` itself compares what both mean.
            Err(FormatError::Meaning) => wrong.push(format!("{} would mean something else", file.display())),
            Ok(result) => {
                formatted += 1;
                if comments(&text) != comments(&result) {
                    wrong.push(format!("{} loses comments", file.display()));
                }
                if format(&result).unwrap() != result {
                    wrong.push(format!("{} changes again", file.display()));
                }
            }
        }
    }
    assert!(formatted > 150, "only {formatted} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
