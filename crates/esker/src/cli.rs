//! The command tree. A command's doc comment is its help text; parsing touches nothing of the world.

use std::path::PathBuf;

use archive::MirrorName;
use clap::{Args, Parser, Subcommand};
use system::ArchiveOptions;

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
    #[command(flatten)]
    pub(crate) archive: ArchiveArguments,
}

/// Where Debian's archive comes from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Debian's archive")]
pub(crate) struct ArchiveArguments {
    /// A mirror to use instead of the host's, such as debian-security=https://…; again for more
    ///
    /// http:, https: and file: addresses; without a name before it, an address is of the archive `debian`. Else the mirrors
    /// are those that ESKER_MIRROR_DEBIAN and ESKER_MIRROR_DEBIAN_SECURITY list, else those of apt's sources on this host.
    /// Proxies are taken from apt's configuration and from http_proxy, https_proxy and no_proxy.
    #[arg(long = "mirror", global = true, value_name = "[ARCHIVE=]ADDRESS", value_parser = parse_mirror)]
    mirrors: Vec<(MirrorName, String)>,
    /// Trust the keys in this file instead of Debian's, for an archive of one's own
    #[arg(
        long = "archive-keys",
        global = true,
        value_name = "FILE",
        env = "ESKER_ARCHIVE_KEYS",
        hide_env_values = true
    )]
    keys: Option<PathBuf>,
    /// Lock an archive whose Release files have expired: a mirror that is frozen on purpose
    #[arg(long, global = true)]
    accept_expired: bool,
}

impl ArchiveArguments {
    pub(crate) fn options(&self) -> ArchiveOptions {
        let Self { mirrors, keys, accept_expired } = self.clone();
        ArchiveOptions { mirrors, keys, accept_expired }
    }
}

/// `debian-security=ADDRESS`, or an address of the archive `debian`.
fn parse_mirror(text: &str) -> Result<(MirrorName, String), String> {
    let named = MirrorName::ALL.into_iter().find_map(|mirror| {
        let address = text.strip_prefix(mirror.as_str())?.strip_prefix('=')?;
        Some((mirror, address))
    });
    let (mirror, address) = named.unwrap_or((MirrorName::Debian, text));
    match ["http://", "https://", "file:/"].iter().any(|scheme| address.starts_with(scheme)) {
        true => Ok((mirror, address.to_owned())),
        false => Err(format!("`{address}` is no http:, https: or file: address")),
    }
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
    Fmt(commands::fmt::Fmt),
    Lsp(commands::lsp::Lsp),
    NixInstantiate(commands::nix_instantiate::NixInstantiate),
    Option(commands::option::OptionCommand),
    Search(commands::search::Search),
    WhyBig(commands::why_big::WhyBig),
    Schema(commands::schema::Schema),
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
    RegisterSharedStore(commands::register_shared_store::RegisterSharedStore),
    Completions(commands::shell::Completions),
    Man(commands::shell::Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn mirrors_are_of_an_archive() {
        let address = "https://mirror.example/debian?a=b";
        assert_eq!(parse_mirror(address), Ok((MirrorName::Debian, address.to_owned())));
        let named = parse_mirror(&format!("debian-security={address}"));
        assert_eq!(named, Ok((MirrorName::DebianSecurity, address.to_owned())));
        parse_mirror("debian=mirror.example").unwrap_err();
    }
}
