//! What the EFI system partition should hold for the generations of a store: read from the system profile and the
//! toplevels, for `bootloader` to plan with. Writes nothing.

use std::path::{Path, PathBuf};

use bootloader::booted::booted_entry;
use bootloader::entry::EntryId;
use bootloader::esp::EspPath;
use bootloader::generation::GenerationReader;
use bootloader::loader::{Architecture, Editor, LoaderSettings, MenuTimeout, SystemdBoot};
use bootloader::plan::Wanted;
use nix_formats::StorePath;
use serde::Deserialize;
use store::Store;

use crate::SystemError;
use crate::profile::system_profile;

/// The part of boot.json that is Esker's own: the boot loader's settings.
#[derive(Deserialize)]
struct BootJson {
    #[serde(rename = "org.nixos.bootspec.v1")]
    bootspec: Bootspec,
    #[serde(rename = "org.esker.v1")]
    esker: Settings,
}

#[derive(Deserialize)]
struct Bootspec {
    system: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    /// Whether there is a boot loader at all.
    #[serde(default = "yes")]
    enable: bool,
    timeout: Option<u32>,
    configuration_limit: Option<usize>,
    editor: bool,
    console_mode: String,
    host_name: String,
    systemd_boot: String,
    systemd_stub: String,
    volume_label: Option<String>,
    efi_sys_mount_point: PathBuf,
    #[serde(default)]
    can_touch_efi_variables: bool,
}

const fn yes() -> bool {
    true
}

/// The boot loader's settings, as a toplevel declares them.
pub struct Loader {
    /// Whether the machine has one; a system that something else starts has none.
    pub enabled: bool,
    /// The menu's titles start with it.
    pub title: String,
    /// loader.conf.
    pub settings: LoaderSettings,
    /// How many generations get entries; none for all.
    pub configuration_limit: Option<usize>,
    /// The loader itself.
    pub systemd_boot: SystemdBoot,
    /// systemd's stub of unified kernel images, on this host.
    pub systemd_stub: PathBuf,
    /// The label of the medium that the system runs from; none for one with a disk.
    pub volume_label: Option<String>,
    /// Where the partition is mounted on the machine.
    pub mount_point: PathBuf,
    /// Whether the firmware may get an entry of ours.
    pub can_touch_efi_variables: bool,
}

/// The boot entries of a machine.
pub struct BootEntries {
    /// What `bootloader` plans with.
    pub wanted: Wanted,
    /// Where the partition is mounted.
    pub mount_point: PathBuf,
    /// The program on the partition that the firmware should boot, if it may be told.
    pub firmware_program: Option<EspPath>,
}

fn boot_error(error: impl std::error::Error + Send + Sync + 'static) -> SystemError {
    SystemError::BootEntries(Box::new(error))
}

/// Where a logical path of the store lies on this host.
fn physical(store: &Store, logical: &str) -> PathBuf {
    store.layout().physical_of_logical(Path::new(logical))
}

/// What a toplevel says about the boot loader.
///
/// Errors when it is incomplete or for a machine that Esker does not boot.
pub fn loader(store: &Store, toplevel: &StorePath) -> Result<Loader, SystemError> {
    let path = store.physical(toplevel).join("boot.json");
    let text = fs_err::read(&path).map_err(|source| SystemError::Read { path: path.clone(), source })?;
    let BootJson { bootspec, esker } = serde_json::from_slice(&text).map_err(boot_error)?;
    let architecture = Architecture::from_system(&bootspec.system).ok_or_else(|| SystemError::Unexpected {
        what: bootspec.system.clone(),
        expected: "a system that Esker boots",
    })?;
    Ok(Loader {
        enabled: esker.enable,
        title: format!("Esker {}", esker.host_name),
        settings: LoaderSettings {
            timeout: esker.timeout.map_or(MenuTimeout::Forever, MenuTimeout::Seconds),
            editor: if esker.editor { Editor::Allowed } else { Editor::Forbidden },
            console_mode: esker.console_mode,
        },
        configuration_limit: esker.configuration_limit,
        systemd_boot: SystemdBoot::load(architecture, &physical(store, &esker.systemd_boot)).map_err(boot_error)?,
        systemd_stub: physical(store, &esker.systemd_stub),
        volume_label: esker.volume_label,
        mount_point: esker.efi_sys_mount_point,
        can_touch_efi_variables: esker.can_touch_efi_variables,
    })
}

/// The entries of this machine's generations, with the settings of the one that becomes the default; none where that has
/// no boot loader, and there is nothing to write.
///
/// Errors when the profile or a toplevel cannot be read.
pub fn of_machine(store: &Store, default: u64) -> Result<Option<BootEntries>, SystemError> {
    let number = |n: u64| u32::try_from(n).map_err(|_| SystemError::NoGeneration { number: n });
    let all = system_profile(store).generations()?;
    let chosen = all.iter().find(|generation| generation.number == default);
    let loader = loader(store, &chosen.ok_or(SystemError::NoGeneration { number: default })?.path)?;
    if !loader.enabled {
        return Ok(None);
    }
    let firmware_program = loader.can_touch_efi_variables.then(|| loader.systemd_boot.architecture.systemd_boot_path());
    let resolve = |path: &str| physical(store, path);
    let mut reader = GenerationReader::new(&resolve);
    let mut generations = Vec::new();
    for generation in &all {
        let loaded = reader.load(number(generation.number)?, &store.logical(&generation.path));
        generations.push(loaded.map_err(boot_error)?);
    }
    let wanted = Wanted {
        generations,
        default: EntryId::of_generation(number(default)?),
        booted: booted_entry(Path::new("/sys/firmware/efi/efivars")).map_err(boot_error)?,
        title: loader.title,
        machine_id: None,
        tries: None,
        configuration_limit: loader.configuration_limit,
        settings: loader.settings,
        systemd_boot: Some(loader.systemd_boot),
    };
    Ok(Some(BootEntries { wanted, mount_point: loader.mount_point, firmware_program }))
}
