//! `esker register-shared-store`: run by a virtual machine that shares its host's store, at each boot.

use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use crate::context::Context;

/// Register in this machine's store what its host has registered of the system that was booted
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct RegisterSharedStore {}

/// The kernel parameter by which the host says where its registrations are.
const PARAMETER: &str = "esker.registration=";

impl RegisterSharedStore {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let line = fs_err::read_to_string("/proc/cmdline")?;
        let place = line.split_whitespace().find_map(|word| word.strip_prefix(PARAMETER));
        let place = place.ok_or("this machine shares no store: its kernel was given no `esker.registration=`")?;
        let text = fs_err::read_to_string(place)?;
        let booted = fs_err::canonicalize("/run/booted-system")?;
        let changes = system::shared_store::register(&text, &booted)?;
        context.say(&format!("{} paths registered, {} forgotten", changes.registered, changes.forgotten));
        Ok(ExitCode::SUCCESS)
    }
}
