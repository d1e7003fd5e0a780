//! Any bytes as a text of the language: understood and printed, or refused, but never more than that.

#![no_main]

use std::rc::Rc;

use bumpalo::Bump;
use lang::io::PureIo;
use lang::{Eval, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let bump = Bump::new();
    let mut settings = Settings::default();
    settings.experimental.insert("pipe-operators".to_owned());
    let eval = Eval::new(&bump, Rc::new(PureIo), settings);
    // Most texts are refused.
    let _ = eval.show_parsed(text, "fuzz", false, "/");
});
