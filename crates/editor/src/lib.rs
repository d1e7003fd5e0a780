//! A language server for configurations: .nix and .toml.
//!
//! One thread talks with the editor ([`serve`]); it answers from the texts as they are (`scopes`, `cursor`, `check`) and
//! from what it knows of the configuration's options. Another (`background`) evaluates the configuration when its texts
//! rest, and tells what it learnt. An answer never waits for an evaluation. Nothing here writes a file.
//!
//! Protocol: Language Server Protocol 3.17.

mod answers;
mod background;
mod check;
mod cursor;
mod options;
mod rename;
mod scopes;
mod server;
mod text;
mod toml_cursor;
mod uri;

pub use server::{ServeError, serve};
