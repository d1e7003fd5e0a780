//! `builtin:unpack-deb`: a .deb → a package path.

use build::{BuiltinBuilder, BuiltinContext, BuiltinError, References};
use serde::Deserialize;
use thiserror::Error;

use super::io_error;
use crate::unpack::{FORMAT, unpack_deb};

/// Attributes of `builtin:unpack-deb`. Others (`pname`, `version`, `architecture`) only inform.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpackDebAttributes {
    /// The .deb: a file in the store.
    pub deb: String,
    /// The unpack format wanted; the one this program writes when absent.
    pub format: Option<u32>,
}

/// The derivation asks for a format this program does not write.
#[derive(Debug, Error)]
#[error("the package shall be unpacked in format {wanted}, but this Esker writes format {FORMAT}")]
pub struct FormatError {
    wanted: u32,
}

/// The builder.
pub struct UnpackDeb;

impl BuiltinBuilder for UnpackDeb {
    fn name(&self) -> &str {
        "unpack-deb"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let attributes: UnpackDebAttributes = context.parse_attributes()?;
        if let Some(wanted) = attributes.format.filter(|format| *format != FORMAT) {
            return Err(BuiltinError::new(FormatError { wanted }));
        }
        let path = context.physical(&attributes.deb)?;
        let file = std::fs::File::open(&path).map_err(io_error("open", &path))?;
        let reader = std::io::BufReader::with_capacity(256 * 1024, file);
        unpack_deb(reader, context.output("out")?).map_err(BuiltinError::new)?;
        // A package's files are Debian's own; a store path in them would be chance.
        context.set_references("out", References::None);
        Ok(())
    }
}
