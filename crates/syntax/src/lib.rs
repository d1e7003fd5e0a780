//! The Nix language as of 2.26: text to syntax tree and all its errors.
//!
//! [`parse`] turns bytes into a tree of small `Copy` nodes in an arena. Names are interned ([`Symbols`]), nested
//! attribute paths are merged and indented strings stripped as the reference does it while parsing, so that what is
//! wrong with a text is known here. Nothing is resolved and nothing evaluated.
//!
//! Source: the reference's grammar (lexer.l, parser.y, parser-state.hh of 2.26), rewritten by hand.

pub mod ast;
mod bindings;
pub mod concrete;
mod error;
mod free;
mod indented;
mod lexer;
mod parser;
pub mod print;
mod symbols;
mod token;
pub mod walk;

pub use error::SyntaxError;
pub use free::FreeName;
pub use parser::{Features, parse, parse_keeping_texts};
pub use symbols::{Sym, Symbols};
