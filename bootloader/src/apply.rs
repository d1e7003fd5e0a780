//! Carries out a plan, step by step and in its order.
//!
//! Decides nothing. When a step fails the ESP is in one of the states that the plan's order makes safe.

use std::io::{self, Read};

use thiserror::Error;

use crate::esp::{EspError, EspFs, EspPath};
use crate::plan::{EspPlan, Operation, TEMPORARY_SUFFIX};

/// Why a plan could not be carried out to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A kernel, initrd or loader could not be opened on this host.
    #[error("cannot read a file that should go to the EFI system partition")]
    Source(#[source] io::Error),
    /// The ESP refused a step.
    #[error(transparent)]
    Esp(#[from] EspError),
    /// A file changed its length between planning and copying.
    #[error(
        "the file for `{path}` on the EFI system partition changed while it was copied: {found_bytes} bytes instead of {expected_bytes}"
    )]
    Changed {
        /// Where it should go.
        path: EspPath,
        /// Its length when the plan was made.
        expected_bytes: u64,
        /// Its length now.
        found_bytes: u64,
    },
}

impl ApplyError {
    /// What a person can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Esp(error) => error.hint(),
            _ => None,
        }
    }
}

/// Carries out a plan.
///
/// Errors when a source cannot be read or the ESP fails or is full.
pub fn apply(plan: &EspPlan, esp: &mut dyn EspFs) -> Result<(), ApplyError> {
    plan.operations.iter().try_for_each(|operation| apply_one(operation, esp))
}

fn apply_one(operation: &Operation, esp: &mut dyn EspFs) -> Result<(), ApplyError> {
    match operation {
        Operation::CreateDirectory(path) => esp.create_directory(path)?,
        Operation::Copy(file) => {
            let mut source =
                Counting { inner: fs_err::File::open(&file.source).map_err(ApplyError::Source)?, read_bytes: 0 };
            write_then_rename(esp, &file.path, &mut source, |source| match source.read_bytes == file.size_bytes {
                true => Ok(()),
                false => Err(ApplyError::Changed {
                    path: file.path.clone(),
                    expected_bytes: file.size_bytes,
                    found_bytes: source.read_bytes,
                }),
            })?;
        }
        Operation::Write { path, contents } => write_then_rename(esp, path, &mut contents.as_bytes(), |_| Ok(()))?,
        Operation::Remove { path, .. } => esp.remove(path)?,
        Operation::Sync => esp.sync()?,
    }
    Ok(())
}

/// Writes beside the file, checks, and only then gives it its name: a name on the ESP always means a whole file.
fn write_then_rename<R: Read>(
    esp: &mut dyn EspFs,
    path: &EspPath,
    contents: &mut R,
    check: impl FnOnce(&R) -> Result<(), ApplyError>,
) -> Result<(), ApplyError> {
    let temporary = path.parent().join(&format!("{}{TEMPORARY_SUFFIX}", path.name()));
    let written = esp.write(&temporary, contents).map_err(ApplyError::from).and_then(|()| check(contents));
    if let Err(error) = written {
        // The first error is the one to tell; a leftover is removed by the next plan.
        let _ = esp.remove(&temporary);
        return Err(error);
    }
    esp.rename(&temporary, path)?;
    Ok(())
}

/// Counts what is read through it.
struct Counting<R> {
    inner: R,
    read_bytes: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read_bytes += count as u64;
        Ok(count)
    }
}
