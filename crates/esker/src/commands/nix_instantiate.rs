//! `esker nix-instantiate`: the flags and formats of `nix-instantiate`, so that what was written for it can be pointed
//! here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use system::language::{Action, Input, Instantiation, Language, LanguageOptions, NixSettings, Printing};

use super::Outcome;
use super::language::Given;
use crate::context::Context;

/// Take nix-instantiate's flags and print as it does
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct NixInstantiate {
    /// Files (default: ./default.nix), or expressions with -E; - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// The arguments are expressions
    #[arg(short = 'E', long)]
    expr: bool,
    /// Print values instead of making derivations
    #[arg(long, visible_alias = "eval-only")]
    eval: bool,
    /// Print how the expressions are understood
    #[arg(long, visible_alias = "parse-only")]
    parse: bool,
    /// Print where the arguments are found in the search path
    #[arg(long)]
    find_file: bool,
    /// Evaluate everything in a value
    #[arg(long)]
    strict: bool,
    /// Print values as XML
    #[arg(long)]
    xml: bool,
    /// Without places in XML
    #[arg(long)]
    no_location: bool,
    /// Print a string as it is
    #[arg(long)]
    raw: bool,
    /// Write to the store though only values are wanted
    #[arg(long)]
    read_write_mode: bool,
    /// Write nothing
    #[arg(long)]
    dry_run: bool,
    /// What to select
    #[arg(short = 'A', long, value_name = "ATTRIBUTE")]
    attr: Vec<String>,
    #[command(flatten)]
    given: Given,
    /// A setting of Nix; those that concern evaluation have effect
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"], allow_hyphen_values = true)]
    option: Vec<String>,
    /// Parts of the language that are not stable, in place of those switched on so far
    #[arg(long, value_name = "NAMES")]
    experimental_features: Option<String>,
    /// More of them
    #[arg(long, value_name = "NAMES")]
    extra_experimental_features: Vec<String>,
    /// No environment, no clock, no search path
    #[arg(long)]
    pure_eval: bool,
    /// Print the messages of builtins.traceVerbose
    #[arg(long)]
    trace_verbose: bool,
    /// A link to the derivation, which keeps it from the garbage collector
    #[arg(long, value_name = "PATH")]
    add_root: Option<PathBuf>,
    /// Means nothing any more
    #[arg(long)]
    indirect: bool,
    /// Seconds that a build during evaluation may take
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Say less
    #[arg(long)]
    quiet: bool,
    /// Which Nix this stands for
    #[arg(long)]
    version: bool,
    #[command(flatten)]
    flags: SettingFlags,
    #[command(flatten)]
    ignored: Ignored,
}

/// Settings as flags of their own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
struct SettingFlags {
    /// Let the expression see the environment and every file
    #[arg(long)]
    impure: bool,
    /// Let only files in the store and in the search path be read
    #[arg(long)]
    restrict_eval: bool,
    /// Nested calls allowed
    #[arg(long, value_name = "N")]
    max_call_depth: Option<u32>,
    /// What builtins.currentSystem says
    #[arg(long, value_name = "SYSTEM")]
    eval_system: Option<String>,
    /// The same, unless --eval-system says otherwise
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    /// Let nothing be built during the evaluation
    #[arg(long)]
    no_allow_import_from_derivation: bool,
}

impl SettingFlags {
    /// Name and value of those that were given.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        all.extend(self.restrict_eval.then(|| ("restrict-eval", "true".to_owned())));
        all.extend(self.max_call_depth.map(|depth| ("max-call-depth", depth.to_string())));
        all.extend(self.system.clone().map(|system| ("system", system)));
        all.extend(self.eval_system.clone().map(|system| ("eval-system", system)));
        all.extend(self.no_allow_import_from_derivation.then(|| ("allow-import-from-derivation", "false".to_owned())));
        all
    }
}

/// Flags of builds and stores, taken so that scripts may give them; they change nothing about an evaluation.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accepted without effect")]
struct Ignored {
    #[arg(long, value_name = "N")]
    max_jobs: Option<String>,
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    #[arg(short = 'k', long)]
    keep_going: bool,
    #[arg(short = 'K', long)]
    keep_failed: bool,
    #[arg(long)]
    fallback: bool,
    #[arg(short = 'Q', long)]
    no_build_output: bool,
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    #[arg(long)]
    repair: bool,
    #[arg(long)]
    readonly_mode: bool,
    #[arg(long)]
    allow_import_from_derivation: bool,
    #[arg(long)]
    no_gc_warning: bool,
    #[arg(long)]
    trace_function_calls: bool,
}

/// Settings as nix.conf, NIX_CONFIG and the command line give them.
struct Configured {
    features: BTreeSet<String>,
    pure: bool,
    trace_verbose: bool,
    nix: NixSettings,
}

impl Configured {
    fn set(&mut self, name: &str, value: &str) {
        let words = || value.split_whitespace().map(str::to_owned);
        match name {
            "experimental-features" => self.features = words().collect(),
            "extra-experimental-features" => self.features.extend(words()),
            "pure-eval" => self.pure = value == "true",
            "trace-verbose" => self.trace_verbose = value == "true",
            "restrict-eval" => self.nix.restricted = value == "true",
            "allow-import-from-derivation" => self.nix.no_import_from_derivation = value == "false",
            "timeout" => self.nix.timeout = value.parse().ok().filter(|s| *s > 0).map(Duration::from_secs),
            "max-call-depth" => self.nix.max_call_depth = value.parse().ok(),
            // What is evaluated for is the machine itself unless said otherwise.
            "system" if self.nix.system.is_none() => self.nix.system = Some(value.to_owned()),
            "eval-system" => self.nix.system = Some(value.to_owned()),
            // Settings of builds and stores.
            _ => {}
        }
    }

    /// The lines of a configuration file.
    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            if let Some((name, value)) = line.split_once('=') {
                self.set(name.trim(), value.trim());
            }
        }
    }
}

impl NixInstantiate {
    fn configured(&self) -> Configured {
        let mut configured =
            Configured { features: BTreeSet::new(), pure: false, trace_verbose: false, nix: NixSettings::default() };
        let folder = std::env::var_os("NIX_CONF_DIR").map_or_else(|| PathBuf::from("/etc/nix"), PathBuf::from);
        // Most machines have none.
        configured.read(&std::fs::read_to_string(folder.join("nix.conf")).unwrap_or_default());
        configured.read(&std::env::var("NIX_CONFIG").unwrap_or_default());
        for pair in self.option.chunks_exact(2) {
            configured.set(&pair[0], &pair[1]);
        }
        if let Some(names) = &self.experimental_features {
            configured.set("experimental-features", names);
        }
        for names in &self.extra_experimental_features {
            configured.set("extra-experimental-features", names);
        }
        for (name, value) in self.flags.settings() {
            configured.set(name, &value);
        }
        if let Some(seconds) = self.timeout {
            configured.set("timeout", &seconds.to_string());
        }
        configured.pure |= self.pure_eval;
        configured.pure &= !self.flags.impure;
        configured.trace_verbose |= self.trace_verbose;
        configured
    }

    fn language(&self, context: &Context) -> Result<Language, system::SystemError> {
        let configured = self.configured();
        let mut session = context.session_options();
        session.full_trace = context.global.show_trace;
        Language::new(LanguageOptions {
            session,
            impure: !configured.pure,
            features: configured.features.into_iter().collect(),
            search_path: self.given.include.clone(),
            trace_verbose: configured.trace_verbose,
            suspend_literals: self.eval && !self.strict,
            nix: Some(configured.nix),
        })
    }

    pub(crate) fn run(self, context: &Context) -> Outcome {
        if self.version {
            context.print_text("nix-instantiate (Nix) 2.26.3");
            return Ok(std::process::ExitCode::SUCCESS);
        }
        let language = self.language(context)?;
        let arguments = self.given.arguments();
        let printing = match (self.raw, self.xml, context.global.json) {
            (true, _, _) => Printing::Raw,
            (_, true, _) => Printing::Xml { places: !self.no_location },
            (_, _, true) => Printing::Json,
            _ => Printing::Expression,
        };
        let action = match (self.find_file, self.parse, self.eval || self.dry_run) {
            (true, _, _) => Action::FindFile,
            (_, true, _) => Action::Parse,
            (_, _, true) => Action::Evaluate { strict: self.strict, printing },
            _ => Action::Instantiate { root: self.add_root },
        };
        let input = match self.expr && !self.find_file {
            true => Input::Expressions(self.files),
            false if self.files == ["-"] => Input::Stdin,
            false if self.files.is_empty() => Input::Files(vec!["./default.nix".to_owned()]),
            false => Input::Files(self.files),
        };
        let read_write = self.read_write_mode || !(self.eval || self.dry_run);
        let wanted = Instantiation { input, attributes: self.attr, arguments, action, read_write };
        super::language::run(&language, &wanted, context)
    }
}
