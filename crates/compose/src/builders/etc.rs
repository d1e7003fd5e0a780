//! `builtin:etc`: /etc of a system, its accounts, and dpkg's database.

use std::collections::BTreeMap;
use std::path::Path;

use build::{BuiltinBuilder, BuiltinContext, BuiltinError};
use serde::Deserialize;

use super::system_view::Layout;
use super::{LoadedView, io_error, location};
use crate::accounts::{DeclaredAccounts, plan_accounts};
use crate::dpkg_status::write_database;
use crate::etc::generated::{Selection, ViewFiles, generate};
use crate::etc::write::write_etc;
use crate::etc::{EntrySpec, plan_etc};
use crate::pam::PamSelection;
use crate::units::UnitSelection;
use crate::view::AccountIds;

/// Attributes of `builtin:etc`. Outputs: `etc/`, `manifest.json`, `accounts.json`, `warnings.json`, `dpkg/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcAttributes {
    /// A `builtin:view` output.
    pub view: String,
    /// How the packages of the view are laid out; the same as the system view's.
    #[serde(flatten)]
    pub layout: Layout,
    /// Declared files, by path relative to /etc.
    #[serde(default)]
    pub entries: BTreeMap<String, EntrySpec>,
    /// Declared users and groups.
    #[serde(default)]
    pub accounts: DeclaredAccounts,
    /// Which units of packages are on.
    #[serde(default)]
    pub units: UnitSelection,
    /// PAM profiles beside the packages'.
    #[serde(default)]
    pub pam: PamSelection,
}

/// The builder.
pub struct EtcBuilder;

impl BuiltinBuilder for EtcBuilder {
    fn name(&self) -> &str {
        "etc"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let mut attributes: EtcAttributes = context.parse_attributes()?;
        let store = location(context, &attributes.view)?;
        declare_ids(&mut attributes.layout.ids, &attributes.accounts);
        let layout = &attributes.layout;
        let loaded = LoadedView::load(store, &attributes.view, &layout.overlays, layout.decisions.as_deref())?;
        let (view, ids) = layout.plan(&loaded)?;
        let files = ViewFiles { view: &view, store: &loaded.store };
        let needs = files.accounts(&loaded.packages).map_err(BuiltinError::new)?;
        let accounts = plan_accounts(&needs, &attributes.accounts).map_err(BuiltinError::new)?;
        let own = context.output_logical("out")?;
        let tmpfiles = [
            format!("L+ /var/lib/dpkg - - - - {own}/dpkg"),
            "f /var/.updated 0644 root root - TIMESTAMP_NSEC=4000000000000000000".to_owned(),
        ];
        let selection = Selection { units: &attributes.units, pam: &attributes.pam, ids: &ids, tmpfiles: &tmpfiles };
        let generated = generate(files, &loaded.packages, &loaded.overlays, &selection).map_err(BuiltinError::new)?;
        let plan = plan_etc(&view, &generated.files, &attributes.entries, &ids).map_err(BuiltinError::new)?;
        for warning in view.warnings.iter().chain(&generated.warnings) {
            context.log(&format!("warning: {warning}"));
        }
        for script in &loaded.unhandled {
            context.log(&format!("warning: {script}"));
        }
        let output = context.output("out")?;
        std::fs::create_dir(output).map_err(io_error("make", output))?;
        write_etc(&plan, output).map_err(io_error("fill", output))?;
        write_json(&output.join("accounts.json"), &accounts)?;
        write_json(&output.join("warnings.json"), &loaded.unhandled)?;
        let database = output.join("dpkg");
        std::fs::create_dir(&database).map_err(io_error("make", &database))?;
        write_database(&loaded.packages, &database).map_err(io_error("fill", &database))
    }
}

/// What is declared with a number has that number in the view, too.
fn declare_ids(ids: &mut AccountIds, accounts: &DeclaredAccounts) {
    let users = accounts.users.iter().filter_map(|user| Some((user.name.clone(), user.uid?)));
    ids.users.extend(users);
    let groups = accounts.groups.iter().filter_map(|group| Some((group.name.clone(), group.gid?)));
    ids.groups.extend(groups);
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), BuiltinError> {
    let mut text = serde_json::to_string_pretty(value).map_err(BuiltinError::new)?;
    text.push('\n');
    std::fs::write(path, text).map_err(io_error("write", path))
}
