//! The evaluation cache: a build whose inputs did not change does not evaluate at all.
//!
//! An entry holds what was read (`record`), the time it was made and the result. It is used when everything would be
//! read the same, Esker itself is the same program, and the derivation is still in the store. A damaged entry is one
//! that is not there.

use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::evaluation::Instantiated;
use crate::record::{Record, now_ns};
use crate::{Session, Subject};

#[derive(Serialize, Deserialize)]
struct Entry {
    recorded_ns: i128,
    program: String,
    record: Record,
    result: Instantiated,
}

/// What an evaluation read.
pub(crate) struct Read {
    /// When it started, as [`start`] says.
    pub(crate) started_ns: i128,
    pub(crate) record: Record,
}

/// Where the result for an attribute of a subject is kept.
fn place(session: &Session, subject: &Subject, attribute: &str) -> PathBuf {
    let store = session.store().layout().root().display().to_string();
    let key = format!("{subject:?}\0{attribute}\0{store}\0{}", session.locations().share.display());
    let digest: String = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    session.locations().cache.join("evaluations").join(&digest[..40])
}

/// A result that still holds.
pub(crate) fn look_up(session: &Session, subject: &Subject, attribute: &str) -> Option<Instantiated> {
    let text = std::fs::read(place(session, subject, attribute)).ok()?;
    let entry: Entry = serde_json::from_slice(&text).ok()?;
    if entry.program != session.program_stamp() || !entry.record.holds(entry.recorded_ns) {
        return None;
    }
    let (derivation, _) = entry.result.paths().ok()?;
    session.store().is_valid(&derivation).ok()?.then_some(entry.result)
}

/// Keeps a result. A cache that cannot be written costs time, no result.
pub(crate) fn keep(session: &Session, subject: &Subject, attribute: &str, read: Read, result: &Instantiated) {
    let path = place(session, subject, attribute);
    let entry = Entry {
        recorded_ns: read.started_ns,
        program: session.program_stamp(),
        record: read.record,
        result: result.clone(),
    };
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(&path);
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        file.persist(&path)?;
        Ok(())
    };
    if let Err(error) = write() {
        tracing::debug!(%error, "the evaluation cache cannot be written");
    }
}

/// The time from which on a file's stamp proves nothing.
pub(crate) fn start() -> i128 {
    now_ns()
}
