//! Where Debian's archive comes from on this host: mirrors that a person names, else the environment's, else those of apt's
//! sources (which the option `esker.mirrors` writes on an Esker machine); and whose word counts for its state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::signature::Keyring;
use archive::{AptFetcher, Expiry, Fetcher, HttpFetcher, Interrupt, MirrorName, Mirrors};

use crate::SystemError;

/// What a person says about the archive.
#[derive(Clone, Debug, Default)]
pub struct ArchiveOptions {
    /// Mirrors to use instead of the host's, the first ones first.
    pub mirrors: Vec<(MirrorName, String)>,
    /// A file of armoured keys whose signatures count, instead of Debian's.
    pub keys: Option<PathBuf>,
    /// Whether Release files that have expired are believed.
    pub accept_expired: bool,
}

fn archive_error(error: impl std::error::Error + Send + Sync + 'static) -> SystemError {
    SystemError::Archive(Box::new(error))
}

impl ArchiveOptions {
    /// Those that were named, on the command line or in the environment.
    fn named_mirrors(&self) -> Mirrors {
        let mut named = Mirrors::default();
        for (mirror, address) in &self.mirrors {
            named.add(*mirror, address);
        }
        named.or(Mirrors::from_environment(|name| std::env::var(name).ok()))
    }

    /// HTTP from mirrors that are named; else the host's apt with the host's sources, which knows proxies and certificates, and
    /// HTTP again where there is no apt.
    ///
    /// Errors when the host's sources cannot be read.
    pub(crate) fn fetcher(&self, interrupt: Interrupt) -> Result<Arc<dyn Fetcher>, SystemError> {
        let named = self.named_mirrors();
        let is_named = !named.is_empty();
        let mirrors = match MirrorName::ALL.iter().all(|&mirror| !named.of(mirror).is_empty()) {
            true => named,
            false => named.or(Mirrors::load(Path::new("/etc/apt")).map_err(archive_error)?),
        };
        Ok(match AptFetcher::is_available() && !is_named {
            true => Arc::new(AptFetcher::new(mirrors).interruptible(interrupt)),
            false => Arc::new(HttpFetcher::new(mirrors).interruptible(interrupt)),
        })
    }

    /// Whether Release files that have expired are believed: where that was asked for, or where the host's own apt, with the
    /// host's own mirrors, does.
    ///
    /// Errors when apt does not say.
    pub(crate) fn expiry(&self) -> Result<Expiry, SystemError> {
        let as_apt = !self.accept_expired && self.named_mirrors().is_empty() && AptFetcher::is_available();
        let accepted = match as_apt {
            true => AptFetcher::accepts_expired().map_err(archive_error)?,
            false => self.accept_expired,
        };
        Ok(if accepted { Expiry::Accept } else { Expiry::Check })
    }

    /// Whose signatures count.
    ///
    /// Errors when the file of keys cannot be read, or holds none.
    pub(crate) fn keyring(&self) -> Result<Keyring, SystemError> {
        let Some(path) = &self.keys else { return Keyring::debian().map_err(archive_error) };
        let text = fs_err::read_to_string(path).map_err(|source| SystemError::Read { path: path.clone(), source })?;
        Keyring::parse(&[&text]).map_err(archive_error)
    }
}
