//! narinfo: what a binary cache says about one store path, and the text that its signatures sign.
//!
//! Lines of `Key: value`. Known keys: StorePath, URL, Compression, FileHash, FileSize, NarHash, NarSize, References,
//! Deriver, Sig (repeated), CA. Others are ignored, as Nix does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::content_address::{ContentAddress, ContentAddressError};
use crate::hash::{Hash, HashError};
use crate::signature::{KeyError, PublicKey, SecretKey, Signature};
use crate::store_path::{StoreDir, StorePath, StorePathError};

/// Why a text is not a narinfo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarInfoError {
    /// A line has no colon.
    #[error("narinfo line {line} is not of the form `Key: value`")]
    NotAField {
        /// Counted from one.
        line: usize,
    },
    /// A required key is absent.
    #[error("narinfo lacks `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A required key stands twice.
    #[error("narinfo has `{key}` twice")]
    Duplicate {
        /// The key.
        key: &'static str,
    },
    /// A number is none.
    #[error("narinfo field `{key}` is not a number: `{value}`")]
    Number {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// A path is none.
    #[error("narinfo holds a bad store path")]
    Path(#[from] StorePathError),
    /// A hash is none.
    #[error("narinfo holds a bad hash")]
    Hash(#[from] HashError),
    /// A content address is none.
    #[error("narinfo holds a bad content address")]
    ContentAddress(#[from] ContentAddressError),
    /// A signature is none.
    #[error("narinfo holds a bad signature")]
    Signature(#[from] KeyError),
}

/// What a signature of a store path vouches for.
#[derive(Clone, Copy, Debug)]
pub struct PathFingerprint<'p> {
    /// The path.
    pub path: &'p StorePath,
    /// SHA-256 of its NAR.
    pub nar_hash: &'p Hash,
    /// The NAR's size.
    pub nar_size_bytes: u64,
    /// All references, itself included if it refers to itself.
    pub references: &'p BTreeSet<StorePath>,
}

impl PathFingerprint<'_> {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self, dir: &StoreDir) -> String {
        let references: Vec<String> = self.references.iter().map(|path| dir.display(path)).collect();
        format!(
            "1;{};{};{};{}",
            dir.display(self.path),
            self.nar_hash.to_prefixed_base32(),
            self.nar_size_bytes,
            references.join(","),
        )
    }

    /// Signs the fingerprint.
    #[must_use]
    pub fn sign(&self, dir: &StoreDir, key: &SecretKey) -> Signature {
        key.sign(self.text(dir).as_bytes())
    }

    /// Whether one of `signatures` was made by one of `keys`.
    #[must_use]
    pub fn is_signed_by(&self, dir: &StoreDir, signatures: &[Signature], keys: &[PublicKey]) -> bool {
        let text = self.text(dir);
        signatures.iter().any(|signature| keys.iter().any(|key| key.verifies(text.as_bytes(), signature)))
    }
}

/// One path in a binary cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NarInfo {
    /// The path.
    pub path: StorePath,
    /// Where the NAR lies, relative to the cache.
    pub url: String,
    /// `none`, `xz`, `bzip2`, `zstd` …; absent means `bzip2`, for historical reasons.
    pub compression: String,
    /// Hash of the compressed file.
    pub file_hash: Option<Hash>,
    /// Size of the compressed file.
    pub file_size_bytes: Option<u64>,
    /// Hash of the NAR.
    pub nar_hash: Hash,
    /// Size of the NAR.
    pub nar_size_bytes: u64,
    /// Direct references, itself included if it refers to itself.
    pub references: BTreeSet<StorePath>,
    /// The derivation that built it.
    pub deriver: Option<StorePath>,
    /// Signatures, in order.
    pub signatures: Vec<Signature>,
    /// The content address, if it has one.
    pub content_address: Option<ContentAddress>,
}

impl NarInfo {
    /// What signatures vouch for.
    #[must_use]
    pub fn fingerprint(&self) -> PathFingerprint<'_> {
        PathFingerprint {
            path: &self.path,
            nar_hash: &self.nar_hash,
            nar_size_bytes: self.nar_size_bytes,
            references: &self.references,
        }
    }

    /// Parses the text of a `.narinfo`.
    ///
    /// Errors when a line, a value or a required key is wrong.
    pub fn parse(text: &str, dir: &StoreDir) -> Result<Self, NarInfoError> {
        let mut fields = Fields::default();
        for (i, line) in text.lines().enumerate() {
            let (key, value) = line.split_once(':').ok_or(NarInfoError::NotAField { line: i + 1 })?;
            fields.add(key, value.trim_start_matches(' '))?;
        }
        let paths = |list: &str| list.split(' ').filter(|p| !p.is_empty()).map(StorePath::from_base_name).collect();
        let optional_hash = |text: Option<&str>| text.map(|text| Hash::parse(text, None)).transpose();
        Ok(Self {
            path: dir.parse(fields.store_path.required("StorePath")?)?,
            url: fields.url.required("URL")?.to_owned(),
            compression: fields.compression.0.unwrap_or("bzip2").to_owned(),
            file_hash: optional_hash(fields.file_hash.0)?,
            file_size_bytes: fields.file_size.0.map(|size| number("FileSize", size)).transpose()?,
            nar_hash: Hash::parse(fields.nar_hash.required("NarHash")?, None)?,
            nar_size_bytes: number("NarSize", fields.nar_size.required("NarSize")?)?,
            references: fields.references.0.map(paths).transpose()?.unwrap_or_default(),
            deriver: fields
                .deriver
                .0
                .filter(|deriver| *deriver != "unknown-deriver")
                .map(StorePath::from_base_name)
                .transpose()?,
            signatures: fields.signatures.into_iter().map(str::parse).collect::<Result<_, _>>()?,
            content_address: fields.content_address.0.filter(|ca| !ca.is_empty()).map(str::parse).transpose()?,
        })
    }

    /// The text of a `.narinfo`, keys in Nix's order.
    #[must_use]
    pub fn to_text(&self, dir: &StoreDir) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}: {value}");
        };
        line("StorePath", &dir.display(&self.path));
        line("URL", &self.url);
        line("Compression", &self.compression);
        if let Some(hash) = &self.file_hash {
            line("FileHash", &hash.to_prefixed_base32());
        }
        if let Some(size) = self.file_size_bytes {
            line("FileSize", &size.to_string());
        }
        line("NarHash", &self.nar_hash.to_prefixed_base32());
        line("NarSize", &self.nar_size_bytes.to_string());
        let references: Vec<&str> = self.references.iter().map(StorePath::base_name).collect();
        line("References", &references.join(" "));
        if let Some(deriver) = &self.deriver {
            line("Deriver", deriver.base_name());
        }
        for signature in &self.signatures {
            line("Sig", &signature.to_string());
        }
        if let Some(address) = &self.content_address {
            line("CA", &address.to_string());
        }
        text
    }
}

#[derive(Default)]
struct Fields<'t> {
    store_path: Field<'t>,
    url: Field<'t>,
    compression: Field<'t>,
    file_hash: Field<'t>,
    file_size: Field<'t>,
    nar_hash: Field<'t>,
    nar_size: Field<'t>,
    references: Field<'t>,
    deriver: Field<'t>,
    content_address: Field<'t>,
    signatures: Vec<&'t str>,
}

impl<'t> Fields<'t> {
    fn add(&mut self, key: &str, value: &'t str) -> Result<(), NarInfoError> {
        match key {
            "StorePath" => self.store_path.set("StorePath", value),
            "URL" => self.url.set("URL", value),
            "Compression" => self.compression.set("Compression", value),
            "FileHash" => self.file_hash.set("FileHash", value),
            "FileSize" => self.file_size.set("FileSize", value),
            "NarHash" => self.nar_hash.set("NarHash", value),
            "NarSize" => self.nar_size.set("NarSize", value),
            "References" => self.references.set("References", value),
            "Deriver" => self.deriver.set("Deriver", value),
            "CA" => self.content_address.set("CA", value),
            "Sig" => {
                self.signatures.push(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Field<'t>(Option<&'t str>);

impl<'t> Field<'t> {
    fn set(&mut self, key: &'static str, value: &'t str) -> Result<(), NarInfoError> {
        match self.0.replace(value) {
            None => Ok(()),
            Some(_) => Err(NarInfoError::Duplicate { key }),
        }
    }

    fn required(&self, key: &'static str) -> Result<&'t str, NarInfoError> {
        self.0.ok_or(NarInfoError::Missing { key })
    }
}

fn number(key: &'static str, value: &str) -> Result<u64, NarInfoError> {
    value.parse().map_err(|_| NarInfoError::Number { key, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{NarInfo, NarInfoError};
    use crate::store_path::StoreDir;

    const TEXT: &str = "StorePath: /nix/store/7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-konsole-18.12.3\n\
        URL: nar/1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3.nar.xz\n\
        Compression: xz\n\
        FileHash: sha256:1w1fff338fvdw53sqgamddn1b2xgds473pv6y13gizdbqjv4i5p3\n\
        FileSize: 4029176\n\
        NarHash: sha256:1impfw8zdgisxkghq9a3q7cn7jb9zyzgxdydiamp8z2nlyyl0h5h\n\
        NarSize: 18735072\n\
        References: 0d71ygfwbmy1xjlbj1v027dfmy9cqavy-libffi-3.3 7h7qgvs4kgzsn8a6rb273saxyqh4jxlz-konsole-18.12.3\n\
        Deriver: ss2p4wmxijn652haqyd7dckxwl4c7hxx-konsole-18.12.3.drv\n\
        CA: fixed:r:sha256:1impfw8zdgisxkghq9a3q7cn7jb9zyzgxdydiamp8z2nlyyl0h5h\n";

    #[test]
    fn prints_back_what_it_parsed() {
        let dir = StoreDir::default();
        assert_eq!(NarInfo::parse(TEXT, &dir).unwrap().to_text(&dir), TEXT);
    }

    #[test]
    fn a_signature_covers_hash_size_and_references() {
        let dir = StoreDir::default();
        let key = crate::signature::SecretKey::from_seed("k", &[1; 32]);
        let mut info = NarInfo::parse(TEXT, &dir).unwrap();
        let signature = info.fingerprint().sign(&dir, &key);
        info.signatures.push(signature);
        let signed = |info: &NarInfo| info.fingerprint().is_signed_by(&dir, &info.signatures, &[key.public()]);
        assert!(signed(&info));
        info.nar_size_bytes += 1;
        assert!(!signed(&info));
        info.nar_size_bytes -= 1;
        info.references.pop_first();
        assert!(!signed(&info));
    }

    #[test]
    fn missing_and_repeated_keys_are_errors() {
        let dir = StoreDir::default();
        let without = TEXT.replacen("NarSize", "X-Size", 1);
        assert_eq!(NarInfo::parse(&without, &dir), Err(NarInfoError::Missing { key: "NarSize" }));
        let twice = format!("{TEXT}URL: x\n");
        assert_eq!(NarInfo::parse(&twice, &dir), Err(NarInfoError::Duplicate { key: "URL" }));
    }
}
