//! `builtin:fetchurl`: what a derivation asks to be fetched, and making its output from the file.
//!
//! Nix's attributes: `url` (or `urls`, of which the first counts), `executable`, `unpack` (the file is a NAR, perhaps
//! compressed); and `size` for progress. The transfer itself is a `Fetcher`'s.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;
use nix_formats::nar::read_nar;
use nix_formats::{ContentAddressMethod, Derivation};
use serde_json::Value;
use store::TreeWriter;

use crate::builtin::attributes_of;
use crate::error::{Context as _, FailureReason};
use crate::fetch::FetchRequest;

/// Whether the derivation is one of these.
pub(crate) fn is_fetchurl(derivation: &Derivation) -> bool {
    derivation.builder == "builtin:fetchurl"
}

/// What is done with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    Keep,
    MakeExecutable,
    Unpack,
}

/// A parsed derivation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetchurl {
    pub(crate) request: FetchRequest,
    pub(crate) treatment: Treatment,
}

impl Fetchurl {
    pub(crate) fn parse(derivation: &Derivation, destination: PathBuf) -> Result<Self, FailureReason> {
        let attributes = attributes_of(derivation)
            .map_err(|_| FailureReason::Attribute { name: "__json".to_owned(), expected: "JSON" })?;
        let url = match (&attributes["url"], &attributes["urls"]) {
            (Value::String(url), _) if !url.is_empty() => url.clone(),
            (_, Value::Array(urls)) => urls.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
            (_, Value::String(urls)) => urls.split_whitespace().next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        if url.is_empty() {
            return Err(FailureReason::Attribute { name: "url".to_owned(), expected: "a URL" });
        }
        let is_set = |name: &str| matches!(&attributes[name], Value::Bool(true)) || attributes[name] == "1";
        let treatment = if is_set("unpack") {
            Treatment::Unpack
        } else if is_set("executable") {
            Treatment::MakeExecutable
        } else {
            Treatment::Keep
        };
        let hash = derivation
            .fixed_output()
            .filter(|(_, address)| address.method == ContentAddressMethod::Flat)
            .map(|(_, address)| address.hash);
        let size_bytes = match &attributes["size"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let request = FetchRequest { url, name: derivation.name.clone(), hash, size_bytes, destination };
        Ok(Self { request, treatment })
    }

    /// Makes the output from the fetched file, in a fresh place, and returns where.
    pub(crate) fn treat(&self, fresh: PathBuf) -> Result<PathBuf, FailureReason> {
        let file = &self.request.destination;
        match self.treatment {
            Treatment::Keep => {
                // Mirrors' tools leave all kinds of modes.
                std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).context("set the mode of", file)?;
                Ok(file.clone())
            }
            Treatment::MakeExecutable => {
                std::fs::set_permissions(file, PermissionsExt::from_mode(0o755)).context("set the mode of", file)?;
                Ok(file.clone())
            }
            Treatment::Unpack => {
                let mut nar = open_compressed(file).context("open", file)?;
                read_nar(&mut nar, &mut TreeWriter::new(&fresh))
                    .map_err(std::io::Error::other)
                    .context("unpack", file)?;
                Ok(fresh)
            }
        }
    }
}

/// Reads a file through the decompressor that its first bytes call for.
fn open_compressed(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut start = Vec::new();
    File::open(path)?.take(6).read_to_end(&mut start)?;
    let file = BufReader::new(File::open(path)?);
    if start.starts_with(b"\xfd7zXZ\0") {
        return Ok(Box::new(BufReader::new(liblzma::bufread::XzDecoder::new(file))));
    }
    if start.starts_with_str(b"\x28\xb5\x2f\xfd") {
        return Ok(Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)));
    }
    Ok(Box::new(file))
}
