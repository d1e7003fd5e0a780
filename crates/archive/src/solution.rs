//! Solutions kept: a request that was solved on the same lock before is read instead of solved.
//!
//! The key is a hash over the lock and the whole request, so nothing ever has to be forgotten; a file that cannot be read or
//! does not match is solved anew and replaced. Failures are not kept.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::archive::{Archive, ArchiveError, write_atomically};
use crate::lock::hex;
use crate::solver::{Request, Solution, SolveError, solve};

/// Raised when the solver would choose differently, or solutions are written differently.
const SOLUTION_FORMAT: u32 = 1;

impl Archive {
    /// Solves a request on this archive.
    pub fn solve(&self, request: &Request) -> Result<Solution, SolveError> {
        let path = self.solution_path(request);
        if let Some(solution) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(solution);
        }
        let solution = self.with_index(request.architecture, |index| solve(index, request))?;
        // A struct of texts and numbers always becomes JSON.
        let bytes = serde_json::to_vec(&solution).unwrap_or_default();
        write_atomically(&path, &bytes).map_err(|source| SolveError::Archive(ArchiveError::File { path, source }))?;
        Ok(solution)
    }

    fn solution_path(&self, request: &Request) -> PathBuf {
        let mut request = request.clone();
        request.roots.sort();
        request.roots.dedup();
        request.exclude.sort();
        request.exclude.dedup();
        let mut hasher = Sha256::new();
        hasher.update(format!("{SOLUTION_FORMAT} {}\n", self.lock().key()));
        hasher.update(serde_json::to_vec(&request).unwrap_or_default());
        self.directory().join("solutions").join(format!("{}.json", hex(&hasher.finalize()[..16])))
    }
}
