//! The command tree. A command's doc comment is its help text; parsing touches nothing of the world.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;

/// Build, boot and change whole Linux systems from a declaration.
#[derive(Debug, Parser)]
#[command(name = "esker", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// Use the store below this folder (DIR/nix/store) instead of your own
    #[arg(long, global = true, value_name = "DIR", env = "ESKER_STORE", hide_env_values = true)]
    pub(crate) store: Option<PathBuf>,
    /// Say what is done and why; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show every step of an evaluation that fails
    #[arg(long, global = true)]
    pub(crate) show_trace: bool,
    /// Print for a program: JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Never touch the network: what is not in the store or a cache is an error
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// How many builds run at once (default: one per core)
    #[arg(short, long, global = true, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Build(commands::build::Build),
    Image(commands::image::Image),
    Vm(commands::vm::Vm),
    Eval(commands::eval::Eval),
    Parse(commands::parse::Parse),
    Instantiate(commands::instantiate::Instantiate),
    Repl(commands::repl::Repl),
    NixInstantiate(commands::nix_instantiate::NixInstantiate),
    Option(commands::option::OptionCommand),
    Search(commands::search::Search),
    Lock(commands::lock::Lock),
    Update(commands::update::Update),
    Generations(commands::generations::Generations),
    Gc(commands::gc::Gc),
    Switch(commands::switch::Switch),
    Boot(commands::switch::Boot),
    Test(commands::switch::Test),
    DryActivate(commands::switch::DryActivate),
    Rollback(commands::switch::Rollback),
    Cache(commands::cache::Cache),
    Completions(commands::shell::Completions),
    Man(commands::shell::Man),
}
