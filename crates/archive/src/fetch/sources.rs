//! Which mirrors to fetch from: those that a person names, else those that a Debian host uses, read from its apt sources.
//!
//! Reads both formats, deb822 (`*.sources`) and one-line (`*.list`), and `mirror+file:` lists. Third parties also publish
//! suites called `trixie`; so mirrors are ranked, and whatever a wrong one serves fails the signature or hash check. Sources
//! are only read, and only for addresses: no suite, component or key of the host's is used.
//!
//! Source: sources.list(5), apt-transport-mirror(1).

use std::path::{Path, PathBuf};

use deb_formats::control::paragraphs;
use thiserror::Error;

use crate::mirror::MirrorName;

/// Why the host's sources could not be read.
#[derive(Debug, Error)]
#[error("cannot read `{path}`")]
pub struct SourcesError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

/// Base addresses of mirrors, best first, without a trailing slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors {
    debian: Vec<String>,
    debian_security: Vec<String>,
}

/// One source: an address and what is fetched from it.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suite: String,
    signed_by_debian: bool,
}

impl Mirrors {
    /// Mirrors given by address; empty texts mean none.
    pub fn new(debian: &[&str], debian_security: &[&str]) -> Self {
        let mut mirrors = Self::default();
        debian.iter().for_each(|uri| mirrors.add(MirrorName::Debian, uri));
        debian_security.iter().for_each(|uri| mirrors.add(MirrorName::DebianSecurity, uri));
        mirrors
    }

    /// The mirrors that `ESKER_MIRROR_DEBIAN` and `ESKER_MIRROR_DEBIAN_SECURITY` list, parted by spaces; `value` looks a
    /// variable up.
    pub fn from_environment(value: impl Fn(&str) -> Option<String>) -> Self {
        let mut mirrors = Self::default();
        for mirror in MirrorName::ALL {
            let addresses = value(mirror.variable()).unwrap_or_default();
            addresses.split_ascii_whitespace().for_each(|uri| mirrors.add(mirror, uri));
        }
        mirrors
    }

    /// Adds a mirror after those that are there.
    pub fn add(&mut self, mirror: MirrorName, address: &str) {
        let address = address.trim_end_matches('/');
        let list = match mirror {
            MirrorName::Debian => &mut self.debian,
            MirrorName::DebianSecurity => &mut self.debian_security,
        };
        if !address.is_empty() {
            list.push(address.to_owned());
        }
    }

    /// For each archive these mirrors, or the other's where there are none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let either = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Self {
            debian: either(self.debian, other.debian),
            debian_security: either(self.debian_security, other.debian_security),
        }
    }

    /// Whether there is no mirror of any archive.
    pub fn is_empty(&self) -> bool {
        self.debian.is_empty() && self.debian_security.is_empty()
    }

    /// The mirrors in the sources under `etc_apt` (`/etc/apt`). Empty when there are none. Errors when a file that is there
    /// cannot be read.
    pub fn load(etc_apt: &Path) -> Result<Self, SourcesError> {
        let mut sources = Vec::new();
        for path in source_files(etc_apt)? {
            let text = std::fs::read_to_string(&path).map_err(|source| SourcesError { path: path.clone(), source })?;
            sources.extend(match path.extension().and_then(|extension| extension.to_str()) {
                Some("sources") => parse_deb822(&text),
                _ => parse_one_line(&text),
            });
        }
        expand_mirror_lists(&mut sources)?;
        Ok(rank(&sources))
    }

    /// The addresses of one archive, best first.
    pub fn of(&self, mirror: MirrorName) -> &[String] {
        match mirror {
            MirrorName::Debian => &self.debian,
            MirrorName::DebianSecurity => &self.debian_security,
        }
    }
}

/// `sources.list` and then `sources.list.d`, sorted as apt does.
fn source_files(etc_apt: &Path) -> Result<Vec<PathBuf>, SourcesError> {
    let mut files = Vec::new();
    let list = etc_apt.join("sources.list");
    if list.exists() {
        files.push(list);
    }
    let directory = etc_apt.join("sources.list.d");
    if directory.is_dir() {
        let error = |source| SourcesError { path: directory.clone(), source };
        let entries = std::fs::read_dir(&directory).map_err(error)?;
        let mut found: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(error)?;
        found.retain(|path| path.extension().is_some_and(|extension| extension == "list" || extension == "sources"));
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// Malformed stanzas are passed over: apt complains of them, and other stanzas may do.
fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for stanza in paragraphs(text).map_while(Result::ok) {
        let words = |field| stanza.get(field).unwrap_or("").split_ascii_whitespace();
        let disabled = stanza.get("Enabled").is_some_and(|value| matches!(value, "no" | "false" | "0" | "off"));
        if disabled || !words("Types").any(|kind| kind == "deb") {
            continue;
        }
        let signed_by_debian = stanza.get("Signed-By").is_none_or(|key| key.contains("debian-archive"));
        for uri in words("URIs") {
            for suite in words("Suites") {
                sources.push(Source { uri: uri.to_owned(), suite: suite.to_owned(), signed_by_debian });
            }
        }
    }
    sources
}

/// `deb [options] uri suite component…`
fn parse_one_line(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '['])) else {
            continue;
        };
        let (options, rest) = match rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((options, rest)) => (options, rest),
            None => ("", rest),
        };
        let mut words = rest.split_ascii_whitespace();
        if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
            let signed_by_debian = !options.contains("signed-by=") || options.contains("debian-archive");
            sources.push(Source { uri: uri.to_owned(), suite: suite.to_owned(), signed_by_debian });
        }
    }
    sources
}

/// Replaces `mirror+file:/list` by the addresses in that list, in its order.
fn expand_mirror_lists(sources: &mut Vec<Source>) -> Result<(), SourcesError> {
    let mut expanded = Vec::new();
    for source in sources.drain(..) {
        let Some(path) = source.uri.strip_prefix("mirror+file:") else {
            expanded.push(source);
            continue;
        };
        let path = PathBuf::from(format!("/{}", path.trim_start_matches('/')));
        let text = std::fs::read_to_string(&path).map_err(|source| SourcesError { path: path.clone(), source })?;
        let uris =
            text.lines().filter_map(|line| line.split_ascii_whitespace().next()).filter(|uri| !uri.starts_with('#'));
        expanded.extend(uris.map(|uri| Source { uri: uri.to_owned(), suite: source.suite.clone(), ..source }));
    }
    *sources = expanded;
    Ok(())
}

/// Sorts addresses into the two archives, the likeliest to be Debian's first: signed by Debian's keys, with point-release
/// updates beside the release, in the order of the sources.
fn rank(sources: &[Source]) -> Mirrors {
    const RELEASES: [&str; 8] = ["stable", "testing", "unstable", "oldstable", "bookworm", "trixie", "forky", "sid"];
    let usable = sources
        .iter()
        .filter(|source| ["http:", "https:", "file:"].iter().any(|scheme| source.uri.starts_with(scheme)));
    let mut debian: Vec<(bool, bool, String)> = Vec::new();
    let mut security: Vec<(bool, bool, String)> = Vec::new();
    for source in usable {
        let uri = source.uri.trim_end_matches('/').to_owned();
        let release = source.suite.split(['-', '/']).next().unwrap_or("");
        if !RELEASES.contains(&release) {
            continue;
        }
        let has_updates = sources
            .iter()
            .any(|other| other.uri.trim_end_matches('/') == uri && other.suite == format!("{release}-updates"));
        let list = if source.suite.ends_with("-security") || source.suite.ends_with("/updates") {
            &mut security
        } else {
            &mut debian
        };
        if !list.iter().any(|(_, _, known)| *known == uri) {
            list.push((!source.signed_by_debian, !has_updates, uri));
        }
    }
    debian.sort_by_key(|&(foreign, without_updates, _)| (foreign, without_updates));
    security.sort_by_key(|&(foreign, _, _)| foreign);
    let uris = |list: Vec<(bool, bool, String)>| list.into_iter().map(|(_, _, uri)| uri).collect();
    Mirrors { debian: uris(debian), debian_security: uris(security) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirrors(files: &[(&str, &str)]) -> Mirrors {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text.replace("@", directory.path().to_str().unwrap())).unwrap();
        }
        Mirrors::load(directory.path()).unwrap()
    }

    #[test]
    fn reads_both_formats() {
        let deb822 = "Types: deb deb-src\nURIs: http://mirror.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
            Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n";
        let one_line = "# comment\ndeb http://mirror.example/debian trixie main\ndeb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian-security trixie-security main\n\
            deb http://mirror.example/debian trixie-updates main\ndeb-src http://elsewhere.example/debian trixie main\n";
        let expected = Mirrors::new(&["http://mirror.example/debian"], &["http://mirror.example/debian-security"]);
        assert_eq!(mirrors(&[("sources.list.d/debian.sources", deb822)]), expected);
        assert_eq!(mirrors(&[("sources.list", one_line)]), expected);
    }

    #[test]
    fn third_parties_come_last_or_not_at_all() {
        let third = "deb [signed-by=/x.gpg] https://third.example/debian trixie main\ndeb https://other.example/x nodistro main\n";
        let own = "Types: deb\nURIs: https://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\n";
        let found = mirrors(&[("sources.list", third), ("sources.list.d/debian.sources", own)]);
        assert_eq!(found, Mirrors::new(&["https://mirror.example/debian", "https://third.example/debian"], &[]));
    }

    #[test]
    fn named_mirrors_replace_those_of_their_archive_alone() {
        let named = Mirrors::from_environment(|name| {
            (name == "ESKER_MIRROR_DEBIAN").then(|| "http://a.example/debian/ file:/mnt/debian".to_owned())
        });
        assert!(!named.is_empty());
        let sources = Mirrors::new(&["http://b.example/debian"], &["http://b.example/debian-security"]);
        let expected =
            Mirrors::new(&["http://a.example/debian", "file:/mnt/debian"], &["http://b.example/debian-security"]);
        assert_eq!(named.or(sources.clone()), expected);
        assert_eq!(Mirrors::default().or(sources.clone()), sources);
    }

    #[test]
    fn disabled_sources_do_not_count() {
        let text = "Enabled: no\nTypes: deb\nURIs: https://mirror.example/debian\nSuites: trixie\n";
        assert_eq!(mirrors(&[("sources.list.d/debian.sources", text)]), Mirrors::default());
    }

    #[test]
    fn mirror_lists_are_expanded() {
        let sources = "Types: deb\nURIs: mirror+file://@/list\nSuites: trixie\n";
        let found = mirrors(&[
            ("sources.list.d/debian.sources", sources),
            ("list", "# mine\nhttps://a.example/debian\tpriority:1\nhttps://b.example/debian\n"),
        ]);
        assert_eq!(found, Mirrors::new(&["https://a.example/debian", "https://b.example/debian"], &[]));
    }
}
