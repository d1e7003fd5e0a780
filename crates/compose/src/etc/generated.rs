//! The files of /etc that follow from the packages of a view: PAM's stacks, enabled units, tmpfiles.d, and texts that
//! maintainer scripts would have written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use thiserror::Error;

use super::Content;
use crate::accounts::{AccountsError, DeclaredAccounts, PackageAccounts, plan_accounts};
use crate::effect::{Effect, NameService, UnitScope};
use crate::location::{NotInStore, StoreLocation};
use crate::nsswitch::add_services;
use crate::package::{Overlay, Package};
use crate::pam::{PamSelection, compose_stacks};
use crate::tmpfiles::package_lines;
use crate::units::{UnitFiles, UnitSelection, plan_enablement};
use crate::view::{AccountIds, EntryKind, ViewPlan};

/// Tells systemd that /etc is as new as any /usr, so that nothing which `ConditionNeedsUpdate=` guards (sysusers, ldconfig,
/// hwdb, catalog) runs at boot: all of that was done when the system was made.
pub const UPDATED: &str = "# Made with the system.\nTIMESTAMP_NSEC=4000000000000000000\n";

/// Why a package's file could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The plan names a path outside the store.
    #[error(transparent)]
    NotInStore(#[from] NotInStore),
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A view's files, as far as composing /etc reads them.
#[derive(Debug, Clone, Copy)]
pub struct ViewFiles<'a> {
    /// The plan.
    pub view: &'a ViewPlan,
    /// Where its sources lie.
    pub store: &'a StoreLocation,
}

impl ViewFiles<'_> {
    /// The text of a file, links followed; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn text(&self, path: &str) -> Result<Option<String>, ReadError> {
        let Some((_, entry)) = self.view.resolve(path) else {
            return Ok(None);
        };
        let EntryKind::File(source) = &entry.kind else {
            return Ok(None);
        };
        let path = self.store.physical(&format!("{}/{}", source.store_path, source.path))?;
        let bytes = std::fs::read(&path).map_err(|source| ReadError::Read { path, source })?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Texts of the files right in a directory, by name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn texts_in(&self, directory: &str) -> Result<BTreeMap<String, String>, ReadError> {
        let mut texts = BTreeMap::new();
        for (name, _) in self.view.beneath(directory).filter(|(name, _)| !name.contains('/')) {
            if let Some(text) = self.text(&format!("{directory}/{name}"))? {
                texts.insert(name.to_owned(), text);
            }
        }
        Ok(texts)
    }

    /// What the packages say about users and groups.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn accounts(&self, packages: &[Package]) -> Result<PackageAccounts, ReadError> {
        Ok(PackageAccounts {
            passwd_master: self.text("usr/share/base-passwd/passwd.master")?.unwrap_or_default(),
            group_master: self.text("usr/share/base-passwd/group.master")?.unwrap_or_default(),
            sysusers: self.texts_in("usr/lib/sysusers.d")?,
            effects: packages.iter().flat_map(|package| package.effects.iter().cloned()).collect(),
        })
    }
}

/// The declared ids with those that packages insist on: a number in sysusers.d, in base-passwd, or in a script.
///
/// # Errors
/// When a package's file cannot be read or makes no sense.
pub fn insisted_ids(
    files: ViewFiles<'_>,
    packages: &[Package],
    declared: &AccountIds,
) -> Result<AccountIds, InsistedIdsError> {
    let needs = files.accounts(packages)?;
    let accounts = plan_accounts(&needs, &DeclaredAccounts::default())?;
    let mut ids = declared.clone();
    for user in accounts.users {
        let usual = deb_formats::ids::user_id(&user.name);
        if let Some(uid) = user.uid.filter(|uid| *uid != usual) {
            ids.users.entry(user.name).or_insert(uid);
        }
    }
    for group in accounts.groups {
        let usual = deb_formats::ids::group_id(&group.name);
        if let Some(gid) = group.gid.filter(|gid| *gid != usual) {
            ids.groups.entry(group.name).or_insert(gid);
        }
    }
    Ok(ids)
}

/// Why the ids of packages are not known.
#[derive(Debug, Error)]
pub enum InsistedIdsError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Packages contradict each other.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// Generated files by path relative to /etc, and sentences a person should read.
#[derive(Debug, Clone, Default)]
pub struct Generated {
    /// The files.
    pub files: BTreeMap<String, Content>,
    /// Units that could not be enabled.
    pub warnings: Vec<String>,
}

/// What the configuration says about generated files.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Units.
    pub units: &'a UnitSelection,
    /// PAM profiles.
    pub pam: &'a PamSelection,
    /// Numbers of users and groups.
    pub ids: &'a AccountIds,
    /// More lines for `zz-packages.conf`.
    pub tmpfiles: &'a [String],
}

/// Generates the files.
///
/// # Errors
/// When a package's file cannot be read.
pub fn generate(
    files: ViewFiles<'_>,
    packages: &[Package],
    overlays: &[Overlay],
    selection: &Selection<'_>,
) -> Result<Generated, ReadError> {
    let mut generated = Generated::default();
    for (name, text) in pam_stacks(files, selection.pam)? {
        generated.files.insert(format!("pam.d/{name}"), Content::Text(text));
    }
    let enablement = plan_enablement(selection.units, packages, &unit_files(files)?);
    generated.warnings = enablement.warnings;
    for (link, target) in enablement.links {
        generated.files.insert(link, Content::Link(target));
    }
    let mut tmpfiles = package_lines(packages, overlays, selection.ids);
    for line in selection.tmpfiles {
        tmpfiles.push_str(line);
        tmpfiles.push('\n');
    }
    generated.files.insert("tmpfiles.d/zz-packages.conf".to_owned(), Content::Text(tmpfiles));
    generated.files.insert(".updated".to_owned(), Content::Text(UPDATED.to_owned()));
    if let Some(text) = name_services(files, packages)? {
        generated.files.insert("nsswitch.conf".to_owned(), Content::Text(text));
    }
    for effect in packages.iter().flat_map(|package| &package.effects) {
        let Effect::File(file) = effect else { continue };
        if let Some(path) = file.path.strip_prefix("/etc/").filter(|_| files.view.resolve(&file.path[1..]).is_none()) {
            generated.files.insert(path.to_owned(), Content::Text(file.text.clone()));
        }
    }
    Ok(generated)
}

/// nsswitch.conf, when a package adds to it.
fn name_services(files: ViewFiles<'_>, packages: &[Package]) -> Result<Option<String>, ReadError> {
    let effects = packages.iter().flat_map(|package| &package.effects);
    let services: Vec<NameService> = effects
        .filter_map(|effect| match effect {
            Effect::NameService(service) => Some(service.clone()),
            _ => None,
        })
        .collect();
    let text = if services.is_empty() { None } else { files.text("etc/nsswitch.conf")? };
    Ok(text.map(|text| add_services(&text, &services)))
}

fn pam_stacks(files: ViewFiles<'_>, selection: &PamSelection) -> Result<BTreeMap<String, String>, ReadError> {
    let templates = files.texts_in("usr/share/pam")?;
    let templates = templates
        .into_iter()
        .filter_map(|(name, text)| name.strip_prefix("common-").map(|stack| (stack.to_owned(), text)))
        .filter(|(stack, _)| !stack.contains('.'))
        .collect();
    Ok(compose_stacks(&files.texts_in("usr/share/pam-configs")?, &templates, selection))
}

fn unit_files(files: ViewFiles<'_>) -> Result<UnitFiles, ReadError> {
    let mut units = UnitFiles::new();
    for (scope, directory) in [(UnitScope::System, "usr/lib/systemd/system"), (UnitScope::User, "usr/lib/systemd/user")]
    {
        for (name, text) in files.texts_in(directory)? {
            units.insert((scope, name), text);
        }
    }
    Ok(units)
}
