//! Any text evaluated in a world with nothing in it: a value or an error.

#![no_main]

use std::rc::Rc;

use bumpalo::Bump;
use lang::io::PureIo;
use lang::{Eval, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(PureIo), Settings { max_call_depth: 500, ..Settings::default() });
    let result = eval.on_large_stack(|| eval.force_deep(eval.eval_string(text, "fuzz", "/")?));
    if let Ok(value) = result {
        eval.show(value);
    }
});
