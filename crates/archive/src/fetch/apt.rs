//! Fetching with apt's own downloader, as any Debian host has it.
//!
//! Runs `apt-helper download-file` on groups of files, a few processes side by side; it follows the host's proxies and
//! certificates, resumes parts, and needs no privileges. No package list, cache or lock of the host's apt is touched, and
//! nothing is installed. Which mirrors to use is the caller's choice.
//!
//! Source: apt-helper(1), apt.conf(5).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Download, DownloadError, FetchError, Fetcher, Interrupt, Mirrors, Progress, accept, part_path};
use crate::mirror::MirrorName;

const HELPER: &str = "/usr/lib/apt/apt-helper";
/// Connections at a time. Mirrors limit clients, and one connection already saturates most lines.
const PROCESSES: usize = 4;
/// Addresses in one command line; the kernel allows some ten thousand.
const FILES_PER_PROCESS: usize = 400;

/// Fetches with apt's downloader.
#[derive(Debug, Clone)]
pub struct AptFetcher {
    helper: PathBuf,
    mirrors: Mirrors,
    interrupt: Interrupt,
}

impl AptFetcher {
    /// Whether this host has apt.
    pub fn is_available() -> bool {
        Path::new(HELPER).exists()
    }

    /// A fetcher that uses the host's apt with these mirrors.
    pub fn new(mirrors: Mirrors) -> Self {
        Self { helper: PathBuf::from(HELPER), mirrors, interrupt: Interrupt::default() }
    }

    /// The same, ended by an interrupt.
    #[must_use]
    pub fn interruptible(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Whether the host's apt is configured to accept archives that expired (`Acquire::Check-Valid-Until "false"`), as hosts
    /// on a frozen mirror are.
    pub fn accepts_expired() -> Result<bool, FetchError> {
        let error = |source| FetchError::Program { program: PathBuf::from("apt-config"), source };
        let output = Command::new("apt-config")
            .args(["dump", "--format", "%v", "Acquire::Check-Valid-Until"])
            .output()
            .map_err(error)?;
        Ok(matches!(String::from_utf8_lossy(&output.stdout).trim(), "false" | "no" | "0" | "off"))
    }

    /// Fetches each file from its archive's `attempt`th mirror. Returns the errors by position.
    fn attempt(
        &self,
        wanted: &[(usize, &Download)],
        attempt: usize,
        report: &mut dyn FnMut(),
    ) -> Result<BTreeMap<usize, DownloadError>, FetchError> {
        let mut errors = BTreeMap::new();
        let mut pending: Vec<(usize, &Download, String)> = Vec::new();
        for &(position, download) in wanted {
            if let Some(base) = self.mirrors.of(download.url.mirror).get(attempt) {
                pending.push((position, download, format!("{base}/{}", download.url.path)));
            }
        }
        let per_process = pending.len().div_ceil(PROCESSES).clamp(1, FILES_PER_PROCESS);
        let groups: Vec<_> = pending.chunks(per_process).collect();
        for wave in groups.chunks(PROCESSES) {
            let children = wave.iter().map(|group| self.start(group)).collect::<Result<Vec<_>, _>>()?;
            for (group, said) in wave.iter().zip(self.finish(children, report)?) {
                for (position, download, uri) in *group {
                    if let Err(error) = judge(download, uri, &said) {
                        errors.insert(*position, error);
                    }
                }
            }
        }
        Ok(errors)
    }

    fn start(&self, group: &[(usize, &Download, String)]) -> Result<Child, FetchError> {
        let mut command = Command::new(&self.helper);
        // As root apt would drop to a user who may not write where the caller wants the file.
        command.args(["-q", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3", "download-file"]);
        for (_, download, uri) in group {
            command.arg(uri).arg(part_path(&download.target));
            // An empty hash is apt's way of having none.
            command.arg(download.sha256.as_ref().map_or_else(String::new, |hash| format!("SHA256:{hash}")));
        }
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().map_err(|source| FetchError::Program { program: self.helper.clone(), source })
    }

    /// Waits for all children, reporting progress meanwhile. Returns what each said of failures.
    fn finish(&self, mut children: Vec<Child>, report: &mut dyn FnMut()) -> Result<Vec<String>, FetchError> {
        let error = |source| FetchError::Program { program: self.helper.clone(), source };
        // Errors are short, but a pipe nobody reads would block the child, so each has a thread of its own.
        let readers: Vec<_> = children
            .iter_mut()
            .map(|child| {
                let pipe = child.stderr.take();
                std::thread::spawn(move || pipe.map_or(Ok(String::new()), std::io::read_to_string))
            })
            .collect();
        while children.iter_mut().any(|child| matches!(child.try_wait(), Ok(None))) {
            if self.interrupt.happened() {
                end(&mut children);
                return Err(FetchError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(20));
            report();
        }
        for child in &mut children {
            child.wait().map_err(error)?;
        }
        let texts =
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Ok(String::new())).map_err(error));
        texts.collect()
    }
}

/// Ends downloaders. Each first gets the chance to end its own helpers, which would go on writing.
fn end(children: &mut [Child]) {
    for child in children {
        let id = child.id().to_string();
        // One that is gone already needs no signal, and one that stays is waited for.
        if let Err(error) = Command::new("kill").args(["-TERM", &id]).status() {
            tracing::warn!(%error, "a downloader goes on to its end");
        }
        if let Err(error) = child.wait() {
            tracing::warn!(%error, "a downloader cannot be waited for");
        }
    }
}

/// Takes over the file that apt left, or finds apt's reason that there is none.
fn judge(download: &Download, uri: &str, said: &str) -> Result<(), DownloadError> {
    let (label, url) = (download.label.clone(), download.url.clone());
    let part = part_path(&download.target);
    let complaint = format!("E: Failed to fetch {uri}");
    let mut lines = said.lines().skip_while(|line| !line.starts_with(&complaint));
    let Some(reason) = lines.next().and_then(|line| line.strip_prefix(&complaint)) else {
        if part.exists() {
            return accept(download, &part);
        }
        let reason = said.lines().last().unwrap_or("the downloader left no file").trim().to_owned();
        return Err(DownloadError::Failed { label, url, reason });
    };
    if reason.contains("404") || reason.contains("File not found") {
        return Err(DownloadError::Gone { label, url });
    }
    // apt lists the hashes on indented lines: first those it expected, then those it found.
    let hashes =
        lines.take_while(|line| line.starts_with(' ')).filter_map(|line| line.trim().strip_prefix("- SHA256:"));
    if let (Some(expected), Some(found)) =
        (&download.sha256, hashes.last().filter(|_| reason.contains("Hash Sum mismatch")))
    {
        discard(&part).map_err(|source| DownloadError::Write { label: label.clone(), path: part, source })?;
        return Err(DownloadError::Hash { label, url, expected: expected.clone(), found: found.to_owned() });
    }
    Err(DownloadError::Failed { label, url, reason: reason.trim().to_owned() })
}

/// Removes a part that is wrong, under both names that apt may have left it.
fn discard(part: &Path) -> std::io::Result<()> {
    let mut failed = part.as_os_str().to_owned();
    failed.push(".FAILED");
    for path in [part, Path::new(&failed)] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Fetcher for AptFetcher {
    fn fetch(&self, downloads: &[Download], progress: &mut dyn FnMut(&Progress)) -> Result<(), FetchError> {
        let mut wanted: Vec<(usize, &Download)> =
            downloads.iter().enumerate().filter(|(_, download)| !download.target.exists()).collect();
        self.mirrors.must_have(wanted.iter().map(|(_, download)| *download))?;
        let mut report = || progress(&measure(downloads));
        let mut errors: BTreeMap<usize, DownloadError> = BTreeMap::new();
        let mirrors = MirrorName::ALL.iter().map(|&mirror| self.mirrors.of(mirror).len()).max().unwrap_or(0);
        for attempt in 0..mirrors {
            let failures = self.attempt(&wanted, attempt, &mut report)?;
            // A second mirror's error replaces the first's only for files that had a second mirror.
            wanted.retain(|(_, download)| !download.target.exists());
            errors.retain(|position, _| wanted.iter().any(|(wanted, _)| wanted == position));
            errors.extend(failures);
            if wanted.is_empty() {
                break;
            }
        }
        report();
        if errors.is_empty() { Ok(()) } else { Err(FetchError::Downloads { errors: errors.into_values().collect() }) }
    }
}

/// How much of the batch is on disk.
fn measure(downloads: &[Download]) -> Progress {
    let mut progress = Progress { received_bytes: 0, total_bytes: 0, files_done: 0, files_total: downloads.len() };
    for download in downloads {
        progress.total_bytes += download.size.unwrap_or(0);
        if let Ok(metadata) = download.target.metadata() {
            progress.files_done += 1;
            progress.received_bytes += metadata.len();
        } else if let Ok(metadata) = part_path(&download.target).metadata() {
            progress.received_bytes += metadata.len();
        }
    }
    progress
}

#[cfg(test)]
mod tests;
