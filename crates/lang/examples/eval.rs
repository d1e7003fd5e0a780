//! Evaluates an expression or file as `nix-instantiate --eval --strict` does: `eval -E EXPR` or `eval FILE`.
//! For benchmarks and trying things out; the real program is `esker eval`. With `MEM` set it says what the arena and the
//! whole program took.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::rc::Rc;

use bumpalo::Bump;
use lang::{Eval, Settings};

#[path = "../tests/support/mod.rs"]
mod support;

fn evaluate<'a>(eval: &Eval<'a>, args: &[String], here: &str) -> lang::Res<lang::Value<'a>> {
    let value = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-E", text] => eval.eval_string(text, "«string»", here)?,
        [path] if path.starts_with('/') => eval.eval_file(path)?,
        [path] => eval.eval_file(&format!("{here}/{path}"))?,
        _ => return Err(lang::Error::eval("usage: eval -E EXPR | FILE")),
    };
    eval.force_deep(value)
}

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let bump = Bump::new();
    let settings = Settings {
        pure: false,
        home: std::env::var("HOME").ok(),
        experimental: Settings::EXPERIMENTAL
            .iter()
            .chain(&["pipe-operators", "parse-toml-timestamps"])
            .map(|name| (*name).to_owned())
            .collect(),
        ..Settings::default()
    };
    let eval = Eval::new(&bump, Rc::new(support::LocalIo::default()), settings);
    let here = std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default();
    let result = eval.on_large_stack(|| evaluate(&eval, &args, &here));
    match result {
        Ok(value) => {
            println!("{}", eval.show(value));
            if std::env::var_os("MEM").is_some() {
                let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
                let hwm = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("");
                eprintln!("arena {} KB, {hwm}", (bump.allocated_bytes() - bump.chunk_capacity()) / 1024);
            }
            // The arena needs no tidying up at the end of a program.
            std::mem::forget(eval);
            std::process::exit(0)
        }
        Err(error) => {
            let style = diagnostics::Style { colour: false, full_trace: std::env::var_os("TRACE").is_some() };
            eprint!("{}", diagnostics::render_all(error.diagnostics(), &eval.sources(), style));
            1.into()
        }
    }
}
