//! The store and what is needed to build into it, opened when somebody first wants it: many an evaluation never does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use archive::Interrupt;
use build::{
    BinaryCache, BuildError, BuildObserver, BuildTarget, Builder, BuilderOptions, BuiltinRegistry, Cancellation,
    OutputSelection, Tools,
};
use nix_formats::signature::PublicKey;
use nix_formats::{StoreDir, StorePath};
use store::{Layout, Store, StoreOptions};

use crate::exclusive_fetcher::ExclusiveFetcher;
use crate::fetch::DebianFetcher;
use crate::store_mount::{self, OuterNamespace};
use crate::{ArchiveOptions, SystemError, views};

/// What a build may use besides the store: binary caches with whom to trust, and emulators by platform.
#[derive(Default)]
pub(crate) struct Supply<'s> {
    pub(crate) caches: &'s [Box<dyn BinaryCache>],
    pub(crate) trusted: &'s [PublicKey],
    pub(crate) emulators: BTreeMap<String, PathBuf>,
}

/// How builds run.
pub(crate) struct BuildSettings {
    pub(crate) offline: bool,
    pub(crate) archive: ArchiveOptions,
    pub(crate) jobs: Option<usize>,
    pub(crate) observer: Arc<dyn BuildObserver>,
    pub(crate) cancellation: Cancellation,
    /// How long a program may run.
    pub(crate) timeout: Option<Duration>,
}

/// A store to build into.
pub(crate) struct Realiser {
    layout: Layout,
    opened: OnceLock<Opened>,
    cache: PathBuf,
    settings: BuildSettings,
}

/// A store that can be written to by this program.
struct Opened {
    store: Arc<Store>,
    /// Where the machine's own mounts are, if its store had to be made writable.
    outer: Option<OuterNamespace>,
}

impl Realiser {
    /// One whose store is opened later.
    ///
    /// Errors when the working folder is needed and gone.
    pub(crate) fn new(root: &Path, cache: PathBuf, settings: BuildSettings) -> Result<Self, SystemError> {
        Ok(Self { layout: Layout::new(root, StoreDir::default())?, opened: OnceLock::new(), cache, settings })
    }

    /// Where the store's files lie.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The store, opened now if it was not.
    ///
    /// Errors when it cannot be opened, or not be made writable for this program.
    pub(crate) fn store(&self) -> Result<&Arc<Store>, SystemError> {
        Ok(&self.opened()?.store)
    }

    /// The mount namespace that this program came from, where it has one of its own in which the store is writable.
    pub(crate) fn outer(&self) -> Result<Option<&OuterNamespace>, SystemError> {
        Ok(self.opened()?.outer.as_ref())
    }

    fn opened(&self) -> Result<&Opened, SystemError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let store = Arc::new(Store::open(StoreOptions::new(self.layout.root()))?);
        let outer = match store.layout().is_chroot() {
            true => None,
            false => store_mount::make_writable(Path::new(store.dir().as_str()))?,
        };
        Ok(self.opened.get_or_init(|| Opened { store, outer }))
    }

    /// Where downloads of the archive stay.
    pub(crate) fn archive_folder(&self) -> PathBuf {
        self.cache.join("archive")
    }

    /// A folder for what fetchers remember, such as clones of repositories.
    pub(crate) fn fetch_folder(&self) -> PathBuf {
        self.cache.join("fetch")
    }

    /// Whether the network must not be touched.
    pub(crate) fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// The handle by which the user ends what runs.
    pub(crate) fn cancellation(&self) -> Cancellation {
        self.settings.cancellation.clone()
    }

    /// Whether the user wants no more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.settings.cancellation.is_cancelled()
    }

    /// Where Debian's archive comes from, and whose word counts for it.
    pub(crate) fn archive_options(&self) -> &ArchiveOptions {
        &self.settings.archive
    }

    /// How files of Debian's archive are fetched.
    pub(crate) fn archive_fetcher(&self) -> Result<Arc<dyn archive::Fetcher>, SystemError> {
        if self.settings.offline {
            return Ok(Arc::new(crate::fetch::Offline));
        }
        let cancellation = self.settings.cancellation.clone();
        let interrupt = Interrupt::new(move || cancellation.is_cancelled());
        let inner = self.settings.archive.fetcher(interrupt.clone())?;
        Ok(Arc::new(ExclusiveFetcher { inner, folder: self.archive_folder(), interrupt }))
    }

    pub(crate) fn with_builder<R>(
        &self,
        supply: &Supply<'_>,
        act: impl FnOnce(&Builder<'_>) -> Result<R, BuildError>,
    ) -> Result<R, SystemError> {
        let mut builtins = BuiltinRegistry::new();
        for builder in compose::builders::builders() {
            builtins.register(builder);
        }
        builtins.register(Box::new(initrd::builder::InitrdBuilder));
        let fetcher = DebianFetcher { archive: self.archive_fetcher()?, downloads: self.archive_folder().join("debs") };
        let store = self.store()?;
        let provider = views::provider(store);
        let tools = Tools {
            builtins: &builtins,
            fetcher: &fetcher,
            views: Some(&provider),
            caches: supply.caches,
            trusted_keys: supply.trusted,
            observer: &*self.settings.observer,
            cancellation: &self.settings.cancellation,
        };
        let mut options = BuilderOptions {
            systems: BTreeSet::from([crate::host_system()]),
            emulators: supply.emulators.clone(),
            timeout: self.settings.timeout,
            ..BuilderOptions::default()
        };
        if let Some(jobs) = self.settings.jobs {
            options.max_jobs = jobs.max(1);
        }
        let builder = Builder::new(store, tools, options);
        act(&builder).map_err(|error| SystemError::Build(Box::new(error)))
    }

    /// Builds derivations with all that they need.
    ///
    /// Errors with all failures together.
    pub(crate) fn realise(&self, supply: &Supply<'_>, targets: &[BuildTarget]) -> Result<(), SystemError> {
        self.with_builder(supply, |builder| {
            let plan = builder.plan(targets)?;
            if !plan.is_empty() {
                builder.apply(&plan)?;
            }
            Ok(())
        })
    }

    /// Builds one output and says where it is.
    ///
    /// Errors when it cannot be built or there is no such output.
    pub(crate) fn realise_output(&self, drv: &StorePath, output: &str) -> Result<(), SystemError> {
        let outputs = OutputSelection::Names(BTreeSet::from([output.to_owned()]));
        self.realise(&Supply::default(), &[BuildTarget { drv: drv.clone(), outputs }])
    }
}
