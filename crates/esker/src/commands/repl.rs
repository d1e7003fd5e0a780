//! `esker repl`: the line editor around [`system::language::repl`].

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper};
use system::language::repl::{Answer, Repl as Loop, is_incomplete};
use system::language::{Evaluation, LanguageError};

use super::Outcome;
use super::language::LanguageArguments;
use crate::context::Context;
use crate::report;

/// Evaluate expressions line by line; `:?` lists the commands
#[derive(Debug, Args)]
pub(crate) struct Repl {
    /// Files whose attributes are known from the start
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    language: LanguageArguments,
}

/// What the editor asks while a line is typed.
struct Asked<'l, 'r, 'e, 'a> {
    repl: &'l RefCell<Loop<'r, 'e, 'a>>,
}

impl Completer for Asked<'_, '_, '_, '_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.repl.borrow().complete(&line[..at]))
    }
}

impl Validator for Asked<'_, '_, '_, '_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_incomplete(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Asked<'_, '_, '_, '_> {
    type Hint = String;
}

impl Highlighter for Asked<'_, '_, '_, '_> {}

impl Helper for Asked<'_, '_, '_, '_> {}

/// Where lines of earlier runs are kept.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let folder = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?.join("esker");
    fs_err::create_dir_all(&folder).ok()?;
    Some(folder.join("repl-history"))
}

impl Repl {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let language = self.language.language(context)?;
        let files = self.files;
        language.evaluate(|evaluation| {
            interrupt_on_signal(evaluation);
            let repl = RefCell::new(Loop::new(evaluation));
            for file in &files {
                answer(&repl, &format!(":l {file}"), evaluation, context);
            }
            if std::io::stdin().is_terminal() {
                typed(&repl, evaluation, context)
            } else {
                piped(&repl, evaluation, context)
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Ctrl-C ends the evaluation that runs, not the program.
fn interrupt_on_signal(evaluation: &Evaluation<'_, '_>) {
    let interrupt = evaluation.eval.interrupt().clone();
    match signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT]) {
        Ok(mut signals) => {
            std::thread::spawn(move || signals.forever().for_each(|_| interrupt.set()));
        }
        Err(error) => tracing::warn!(%error, "an interrupt will end the program"),
    }
}

/// Does what a line says and prints the answer or the error; whether to go on.
fn answer(repl: &RefCell<Loop<'_, '_, '_>>, line: &str, evaluation: &Evaluation<'_, '_>, context: &Context) -> bool {
    evaluation.eval.interrupt().clear();
    let result = repl.borrow_mut().line(line);
    evaluation.eval.interrupt().clear();
    match result {
        Ok(Answer::Quit) => return false,
        Ok(Answer::Text(text)) if text.is_empty() => {}
        Ok(Answer::Text(text)) => context.print_text(&text),
        Err(LanguageError::System(error)) => context.say(&report::text(&error, context)),
        Err(error) => context.say(&evaluation.explain(error)),
    }
    true
}

fn typed<'a>(
    repl: &RefCell<Loop<'_, '_, 'a>>,
    evaluation: &Evaluation<'_, 'a>,
    context: &Context,
) -> Result<(), LanguageError> {
    let config = Config::builder().auto_add_history(true).completion_type(rustyline::CompletionType::List).build();
    let mut editor: Editor<Asked<'_, '_, '_, '_>, _> = Editor::with_config(config).map_err(terminal)?;
    editor.set_helper(Some(Asked { repl }));
    let history = history_file();
    if let Some(file) = &history {
        // The first run has none.
        let _ = editor.load_history(file);
    }
    context.say("Esker's language; :? lists the commands, :q leaves");
    loop {
        match editor.readline("esker> ") {
            Ok(line) => {
                if !answer(repl, &line, evaluation, context) {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal(error)),
        }
    }
    if let Some(file) = &history {
        if let Err(error) = editor.save_history(file) {
            tracing::warn!(%error, "the history is not kept");
        }
    }
    Ok(())
}

fn terminal(error: ReadlineError) -> LanguageError {
    let source = match error {
        ReadlineError::Io(error) => error,
        other => std::io::Error::other(other.to_string()),
    };
    system::SystemError::Read { path: "-".into(), source }.into()
}

/// Without a terminal each line, or several that belong together, is answered as it comes.
fn piped(
    repl: &RefCell<Loop<'_, '_, '_>>,
    evaluation: &Evaluation<'_, '_>,
    context: &Context,
) -> Result<(), LanguageError> {
    let mut pending = String::new();
    for line in std::io::stdin().lines() {
        let line = line.map_err(|source| system::SystemError::Read { path: "-".into(), source })?;
        pending.push_str(&line);
        pending.push('\n');
        if is_incomplete(&pending) {
            continue;
        }
        if !answer(repl, &std::mem::take(&mut pending), evaluation, context) {
            return Ok(());
        }
    }
    if !pending.trim().is_empty() {
        answer(repl, &pending, evaluation, context);
    }
    Ok(())
}
