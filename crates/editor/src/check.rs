//! What is wrong with a text by itself: its syntax, and names that nothing binds.

use std::ops::Range;
use std::rc::Rc;

use bumpalo::Bump;
use lang::io::PureIo;
use lang::{Eval, Settings};

/// A mistake in a text.
pub(crate) struct Mistake {
    pub(crate) range: Range<usize>,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// Made a function, a text is compiled and not evaluated.
const PREFIX: &str = "__text: ";

/// The first mistake in a text in the Nix language.
pub(crate) fn nix(text: &str) -> Option<Mistake> {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(PureIo), Settings { pure: false, ..Settings::default() });
    let error = eval.eval_string(&format!("{PREFIX}{text}"), "text", "/").err()?;
    let found = system::study::findings(error.diagnostics(), &eval.sources()).into_iter().next()?;
    let range = found.places.first().map_or(0..0, |place| place.range.clone());
    let inside = |offset: usize| offset.saturating_sub(PREFIX.len()).min(text.len());
    Some(Mistake { range: inside(range.start)..inside(range.end), code: found.code, message: found.message })
}

/// The first mistake in a TOML text.
pub(crate) fn toml(text: &str) -> Option<Mistake> {
    let error = toml::de::DeTable::parse(text).err()?;
    Some(Mistake { range: error.span().unwrap_or(0..0), code: "syntax", message: error.message().to_owned() })
}
