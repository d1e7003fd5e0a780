//! Texts in the Nix language, laid out in the one style of Nix's RFC 166.
//!
//! [`format`](fn@format) reads the concrete syntax ([`syntax::concrete`]), makes a document of it that says where lines
//! may and must end (`layout`, `comments`), and prints that in 100 columns (`print`). What a text means never changes: the
//! result is parsed and compared before it is handed out. Nothing here opens a file.
//!
//! Source: RFC 166 of the Nix project, "Nix formatting". Written for Esker because the formatters on the registry need a
//! newer compiler than Debian's.

mod comments;
mod doc;
mod layout;
mod print;

use bumpalo::Bump;
use diagnostics::Pos;
use syntax::concrete::Tree;
use syntax::{Features, Symbols, SyntaxError};

/// Why a text was not formatted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is not of the language; positions count from 1, the text's first byte.
    #[error("the text is not of the Nix language: {}", .0.message)]
    Syntax(Box<SyntaxError>),
    /// The result would not mean the same. A mistake of the formatter's own.
    #[error("this is a bug in the formatter: its result would not mean what the text means")]
    Meaning,
}

/// The position of a text's first byte in [`FormatError::Syntax`].
pub const BASE: Pos = Pos(1);

/// The text in the style of RFC 166.
///
/// # Errors
/// When the text has a syntax error.
pub fn format(text: &str) -> Result<String, FormatError> {
    // Documents are as deep as texts are nested.
    stacker::grow(STACK, || format_here(text))
}

fn format_here(text: &str) -> Result<String, FormatError> {
    let meaning = meaning(text).map_err(|error| FormatError::Syntax(Box::new(error)))?;
    let mut current = text.to_owned();
    // Comments move to where they stay: a second pass sees them there.
    for _ in 0..PASSES {
        let next = print::print(&layout::document(&Tree::of(&current)));
        if next == current {
            break;
        }
        current = next;
    }
    match self::meaning(&current) {
        Ok(found) if found == meaning => Ok(current),
        _ => Err(FormatError::Meaning),
    }
}

/// After so many passes a text is taken as it is.
const PASSES: usize = 4;

/// Room for what is nested as deeply as the parser admits.
const STACK: usize = 256 << 20;

/// A text as `nix-instantiate --parse` prints it.
fn meaning(text: &str) -> Result<Vec<u8>, SyntaxError> {
    let bump = Bump::new();
    let symbols = Symbols::new(&bump);
    let features = Features { pipe_operators: true };
    let expr = syntax::parse(text.as_bytes(), BASE, &symbols, &bump, features)?;
    Ok(syntax::print::print(&expr, &symbols, &|path| path.to_vec()))
}
