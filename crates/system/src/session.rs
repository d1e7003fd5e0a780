//! A session: the store, the caches and the ways to fetch, opened once for one command.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use archive::{Archive, Lock};
use build::{BuildObserver, BuildPlan, BuildTarget, Builder, Cancellation};
use nix_formats::StorePath;
use store::Store;

use crate::evaluation::{Instantiated, attribute_path, evaluate, select_path};
use crate::realiser::{BuildSettings, Realiser, Supply};
use crate::{ArchiveOptions, Configuration, Locations, Subject, SystemError, cache};

/// How to open a session.
pub struct SessionOptions {
    /// The store's root, where a person named one.
    pub store: Option<PathBuf>,
    /// Whether the network must not be touched.
    pub offline: bool,
    /// Where Debian's archive is fetched from, and when it is believed.
    pub archive: ArchiveOptions,
    /// How many builds run at once; one per core by default.
    pub jobs: Option<usize>,
    /// Whether reports are coloured.
    pub colour: bool,
    /// Whether reports show every step of an evaluation.
    pub full_trace: bool,
    /// Hears what builds do.
    pub observer: Arc<dyn BuildObserver>,
    /// Ends everything when set.
    pub cancellation: Cancellation,
}

/// An opened session.
pub struct Session {
    locations: Locations,
    store: Arc<Store>,
    realiser: Arc<Realiser>,
    colour: bool,
    full_trace: bool,
}

/// A system that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltSystem {
    /// Its toplevel.
    pub toplevel: StorePath,
    /// Warnings of its evaluation.
    pub messages: Vec<String>,
}

fn all_outputs(derivations: &[StorePath]) -> Vec<BuildTarget> {
    derivations.iter().cloned().map(BuildTarget::all).collect()
}

/// The attribute that is a system.
const TOPLEVEL: &str = "config.system.build.toplevel";
/// The same of the variant that runs in a virtual machine with the host's store.
const VM: &str = "config.system.build.vm";

impl Session {
    /// Opens the store, making it where there is none.
    ///
    /// Errors when Esker's own parts are missing or the store cannot be opened.
    pub fn open(options: SessionOptions) -> Result<Self, SystemError> {
        let locations = Locations::find(options.store.as_deref())?;
        let SessionOptions { offline, archive, jobs, colour, full_trace, observer, cancellation, .. } = options;
        let settings = BuildSettings { offline, archive, jobs, observer, cancellation, timeout: None };
        let realiser = Arc::new(Realiser::new(&locations.store_root, locations.cache.clone(), settings)?);
        let store = realiser.store()?.clone();
        Ok(Self { locations, store, realiser, colour, full_trace })
    }

    /// Does something with the mounts of the whole machine: this program sees its own, in which the store is writable.
    ///
    /// Errors when that is not possible; nothing was done then.
    pub fn on_machine<R: Send>(&self, act: impl FnOnce() -> R + Send) -> Result<R, SystemError> {
        match self.realiser.outer()? {
            Some(outer) => outer.run(act).map_err(SystemError::MachineMounts),
            None => Ok(act()),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Where things lie.
    pub fn locations(&self) -> &Locations {
        &self.locations
    }

    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    pub(crate) fn full_trace(&self) -> bool {
        self.full_trace
    }

    /// What tells this program from another build of it.
    pub(crate) fn program_stamp(&self) -> String {
        let stamp = |m: std::fs::Metadata| format!("{} {} {} {}", m.len(), m.mtime(), m.mtime_nsec(), m.ino());
        std::env::current_exe().and_then(std::fs::metadata).map(stamp).unwrap_or_default()
    }

    /// The archive that a configuration's lock pins. Nothing is fetched yet.
    ///
    /// Errors when the lock is missing or cannot be read.
    pub(crate) fn archive(&self, configuration: &Configuration) -> Result<Archive, SystemError> {
        let lock = Lock::load(&configuration.lock)?;
        Ok(Archive::open(&self.archive_folder(), lock, self.archive_fetcher()?))
    }

    pub(crate) fn archive_folder(&self) -> PathBuf {
        self.realiser.archive_folder()
    }

    pub(crate) fn archive_fetcher(&self) -> Result<Arc<dyn archive::Fetcher>, SystemError> {
        self.realiser.archive_fetcher()
    }

    pub(crate) fn archive_options(&self) -> &ArchiveOptions {
        self.realiser.archive_options()
    }

    /// Whether the user wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.realiser.is_cancelled()
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.realiser.is_offline()
    }

    pub(crate) fn realiser(&self) -> &Arc<Realiser> {
        &self.realiser
    }

    /// Evaluates an attribute that is a derivation; not at all when nothing that it depends on changed.
    ///
    /// Errors when the configuration is wrong, or the attribute is no derivation.
    pub fn instantiate(&self, subject: &Subject, attribute: &str) -> Result<Instantiated, SystemError> {
        if let Some(known) = cache::look_up(self, subject, attribute) {
            return Ok(known);
        }
        let started = cache::start();
        let path = attribute_path(attribute);
        let store_dir = self.store.dir().clone();
        let evaluated = evaluate(self, subject, |eval, value| {
            let value = select_path(eval, value, &path)?;
            let field = |name: &str| -> Result<String, lang::Error> {
                let string = eval.force_str(eval.select(value, name)?)?;
                Ok(string.to_string_lossy().into_owned())
            };
            Ok((field("drvPath")?, field("outPath")?))
        });
        // What fails because fetching was ended is nobody's mistake.
        if self.is_cancelled() {
            return Err(SystemError::Cancelled);
        }
        let ((drv, out), io) = evaluated?;
        let base = |path: &str| {
            store_dir
                .parse(path)
                .map(|path| path.base_name().to_owned())
                .map_err(|_| SystemError::Unexpected { what: attribute.to_owned(), expected: "a derivation" })
        };
        let result = Instantiated { derivation: base(&drv)?, output: base(&out)?, messages: io.take_messages() };
        let read = cache::Read { started_ns: started, record: io.take_record() };
        cache::keep(self, subject, attribute, read, &result);
        Ok(result)
    }

    /// Builds a derivation of a platform with all that it needs.
    fn realise(&self, configuration: &Configuration, system: &str, derivation: &StorePath) -> Result<(), SystemError> {
        let supply = Supply { emulators: self.emulators(configuration, system)?, ..Supply::default() };
        self.realiser.realise(&supply, &all_outputs(std::slice::from_ref(derivation)))
    }

    /// What runs the programs of a platform that is not this machine's: QEMU's user mode from the pinned set.
    fn emulators(&self, configuration: &Configuration, system: &str) -> Result<BTreeMap<String, PathBuf>, SystemError> {
        let host = crate::host_system();
        if system == host {
            return Ok(BTreeMap::new());
        }
        let package = self.build_package(configuration, &host, "qemu-user")?;
        let machine = system.split('-').next().unwrap_or(system);
        let program = self.store.physical(&package).join(format!("usr/bin/qemu-{machine}"));
        Ok(BTreeMap::from([(system.to_owned(), program)]))
    }

    fn plan(&self, derivations: &[StorePath]) -> Result<BuildPlan, SystemError> {
        let targets = all_outputs(derivations);
        self.with_builder(&Supply::default(), |builder| builder.plan(&targets))
    }

    pub(crate) fn with_builder<R>(
        &self,
        supply: &Supply<'_>,
        act: impl FnOnce(&Builder<'_>) -> Result<R, build::BuildError>,
    ) -> Result<R, SystemError> {
        self.realiser.with_builder(supply, act)
    }

    fn subject(&self, configuration: &Configuration, system: &str) -> Result<Subject, SystemError> {
        self.ensure_lock(configuration)?;
        Ok(Subject::System { configuration: configuration.clone(), system: system.to_owned() })
    }

    /// What building a configuration would do, for people.
    ///
    /// Errors as [`Self::build_system`].
    pub fn plan_system(&self, configuration: &Configuration, system: &str) -> Result<String, SystemError> {
        let (drv, _) = self.instantiate(&self.subject(configuration, system)?, TOPLEVEL)?.paths()?;
        let plan = self.plan(&[drv])?.describe();
        Ok(if plan.is_empty() { "nothing to do\n".to_owned() } else { plan })
    }

    /// Evaluates a configuration and builds its toplevel. A lock is made where there is none.
    ///
    /// Errors when the configuration is wrong or something cannot be fetched or built.
    pub fn build_system(&self, configuration: &Configuration, system: &str) -> Result<BuiltSystem, SystemError> {
        self.build_toplevel(configuration, system, TOPLEVEL)
    }

    /// The same of a variant, as `image.modules` has it under this name: the toplevel of the system that such an image is of.
    ///
    /// Errors as [`Self::build_system`].
    pub fn build_variant(
        &self,
        configuration: &Configuration,
        system: &str,
        name: &str,
    ) -> Result<BuiltSystem, SystemError> {
        self.build_toplevel(configuration, system, &format!("config.system.build.images.{name}"))
    }

    /// The same of the variant that runs in a virtual machine with the host's store.
    ///
    /// Errors as [`Self::build_system`].
    pub fn build_vm(&self, configuration: &Configuration, system: &str) -> Result<BuiltSystem, SystemError> {
        self.build_toplevel(configuration, system, VM)
    }

    fn build_toplevel(
        &self,
        configuration: &Configuration,
        system: &str,
        attribute: &str,
    ) -> Result<BuiltSystem, SystemError> {
        let instantiated = self.instantiate(&self.subject(configuration, system)?, attribute)?;
        let (drv, toplevel) = instantiated.paths()?;
        self.store.add_temp_roots([&drv, &toplevel])?;
        if !self.store.is_valid(&toplevel)? {
            self.realise(configuration, system, &drv)?;
        }
        Ok(BuiltSystem { toplevel, messages: instantiated.messages })
    }

    /// Builds an attribute of the package set and returns its output.
    ///
    /// Errors as [`Self::build_system`].
    pub fn build_package(
        &self,
        configuration: &Configuration,
        system: &str,
        attribute: &str,
    ) -> Result<StorePath, SystemError> {
        self.ensure_lock(configuration)?;
        let subject = Subject::Packages { configuration: configuration.clone(), system: system.to_owned() };
        let (drv, out) = self.instantiate(&subject, attribute)?.paths()?;
        self.store.add_temp_roots([&drv, &out])?;
        if !self.store.is_valid(&out)? {
            self.realise(configuration, system, &drv)?;
        }
        Ok(out)
    }
}
