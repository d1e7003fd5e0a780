//! `esker cache`: signed binary caches, which Nix can use too.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;

/// Make keys, and export systems to a binary cache
#[derive(Debug, Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Make a pair of keys: NAME.secret signs, NAME.public is what machines trust
    Key {
        /// The key's name, such as cache.example.org-1
        name: String,
        /// The folder for the two files
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
    },
    /// Build a configuration and write its closure to a cache
    Export {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The cache's folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// The file of the secret key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

impl Cache {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        match self.command {
            CacheCommand::Key { name, to } => {
                let public = system::binary_cache::make_key(&name, &to)?;
                context.print(json!({ "public": public }), &public);
            }
            CacheCommand::Export { configuration, to, key } => {
                let session = context.session()?;
                let built = session.build_system(&configuration.pinned(context, &session)?, &configuration.system())?;
                context.messages(&built.messages);
                let written = system::binary_cache::export(&session, &built.toplevel, &to, &key)?;
                let toplevel = session.store().logical(&built.toplevel);
                context.print(json!({ "toplevel": toplevel, "written": written }), &toplevel);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
