//! The `esker` program: parses the command line, runs one command, renders its errors. No logic of its own.

mod boot_source;
mod cli;
mod commands;
mod context;
mod disk;
mod emulator;
mod progress;
mod report;
mod table;
mod vm_settings;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::report::Convention;

/// The command that stands for another program.
const NIX_INSTANTIATE: &str = "nix-instantiate";

fn main() -> ExitCode {
    let arguments = arguments();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error, convention(&arguments)),
    };
    report::start_tracing(cli.global.verbose);
    let context = Context::new(cli.global);
    report::guarded(|| match run(cli.command, &context) {
        Ok(code) => code,
        Err(error) => report::failure(error.as_ref(), &context),
    })
}

/// The command line. A link called `nix-instantiate` to this program is that command.
fn arguments() -> Vec<OsString> {
    let mut all: Vec<OsString> = std::env::args_os().collect();
    if all.first().and_then(|name| Path::new(name).file_name()).is_some_and(|name| name == NIX_INSTANTIATE) {
        all.insert(1, NIX_INSTANTIATE.into());
    }
    all
}

/// Whose exit codes the command has.
fn convention(arguments: &[OsString]) -> Convention {
    if arguments.get(1).is_some_and(|command| command == NIX_INSTANTIATE) { Convention::Nix } else { Convention::Esker }
}

fn run(command: Command, context: &Context) -> commands::Outcome {
    match command {
        Command::Build(command) => command.run(context),
        Command::Image(command) => command.run(context),
        Command::Vm(command) => command.run(context),
        Command::Eval(command) => command.run(context),
        Command::Parse(command) => command.run(context),
        Command::Instantiate(command) => command.run(context),
        Command::Repl(command) => command.run(context),
        Command::Fmt(command) => command.run(context),
        Command::Lsp(command) => command.run(context),
        Command::NixInstantiate(command) => command.run(context),
        Command::Option(command) => command.run(context),
        Command::Search(command) => command.run(context),
        Command::WhyBig(command) => command.run(context),
        Command::Schema(command) => command.run(context),
        Command::Lock(command) => command.run(context),
        Command::Update(command) => command.run(context),
        Command::Generations(command) => command.run(context),
        Command::Gc(command) => command.run(context),
        Command::Switch(command) => command.run(context),
        Command::Boot(command) => command.run(context),
        Command::Test(command) => command.run(context),
        Command::DryActivate(command) => command.run(context),
        Command::Rollback(command) => command.run(context),
        Command::Cache(command) => command.run(context),
        Command::RegisterSharedStore(command) => command.run(context),
        Command::Completions(command) => command.run(context),
        Command::Man(command) => command.run(context),
    }
}
