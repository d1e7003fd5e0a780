//! Evaluates an expression or file with the module system: `eval -E EXPR` or `eval FILE`.
//! For benchmarks and trying things out; the real program is `esker eval`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

#[path = "../../lang/tests/support/mod.rs"]
mod support;

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let bump = Bump::new();
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::quiet()), Settings { pure: false, ..Settings::default() });
    module::install(&eval);
    let here = std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-E", text] => eval.eval_string(text, "«string»", &here),
        [path] if path.starts_with('/') => eval.eval_file(path),
        [path] => eval.eval_file(&format!("{here}/{path}")),
        _ => {
            eprintln!("usage: eval -E EXPR | FILE");
            return 2.into();
        }
    };
    match result.and_then(|v| eval.force_deep(v)) {
        Ok(value) => {
            println!("{}", eval.show(value));
            // The arena needs no tidying up at the end of a program.
            std::mem::forget(eval);
            0.into()
        }
        Err(error) => {
            let style = diagnostics::Style { colour: false, full_trace: std::env::var_os("TRACE").is_some() };
            eprint!("{}", diagnostics::render_all(error.diagnostics(), &eval.sources(), style));
            1.into()
        }
    }
}
