//! `Packages` indices: one paragraph per binary package a suite offers.
//!
//! Borrowed from the decompressed text; relation fields stay text, as most packages of an index are never looked at closely.
//! Knows nothing of where the index came from.
//!
//! Source: <https://wiki.debian.org/DebianRepository/Format>, deb-control(5).

use thiserror::Error;

use crate::control::{ControlError, Paragraph, paragraphs};

/// Why an index could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PackagesError {
    /// It is no control data.
    #[error("the Packages index is not control data")]
    Control(#[from] ControlError),
    /// A paragraph lacks a field, or has a malformed one.
    #[error("the Packages index has no valid `{field}` for package `{package}`")]
    Field {
        /// The package's name; empty when that is what is missing.
        package: String,
        /// The field's name.
        field: &'static str,
    },
}

/// How much a system needs a package (Debian Policy 2.5), most needed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// `required`
    Required,
    /// `important`
    Important,
    /// `standard`
    Standard,
    /// `optional`, also when the field is missing or unknown
    Optional,
    /// `extra`
    Extra,
}

impl Priority {
    fn parse(text: &str) -> Self {
        match text {
            "required" => Self::Required,
            "important" => Self::Important,
            "standard" => Self::Standard,
            "extra" => Self::Extra,
            _ => Self::Optional,
        }
    }
}

/// One package of an index. Relation fields are empty texts when missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageEntry<'a> {
    /// `Package`
    pub name: &'a str,
    /// `Version`
    pub version: &'a str,
    /// `Architecture`: one architecture's name, or `all`.
    pub architecture: &'a str,
    /// `Source` without its version; the package's own name when missing.
    pub source: &'a str,
    /// `Priority`
    pub priority: Priority,
    /// `Essential: yes`
    pub essential: bool,
    /// `Section`
    pub section: &'a str,
    /// The first line of `Description`.
    pub summary: &'a str,
    /// `Filename`, relative to the archive's root.
    pub filename: &'a str,
    /// `Size` of the .deb in bytes.
    pub size: u64,
    /// `Installed-Size` in KiB; 0 when missing.
    pub installed_size_kib: u64,
    /// `SHA256` of the .deb, hexadecimal.
    pub sha256: &'a str,
    /// `Pre-Depends`
    pub pre_depends: &'a str,
    /// `Depends`
    pub depends: &'a str,
    /// `Recommends`
    pub recommends: &'a str,
    /// `Conflicts`
    pub conflicts: &'a str,
    /// `Breaks`
    pub breaks: &'a str,
    /// `Provides`
    pub provides: &'a str,
}

impl<'a> PackageEntry<'a> {
    fn from_paragraph(paragraph: &Paragraph<'a>) -> Result<Self, PackagesError> {
        let name = paragraph.get("Package").unwrap_or("");
        let missing = |field| PackagesError::Field { package: name.to_owned(), field };
        let required = |field| paragraph.get(field).filter(|value| !value.is_empty()).ok_or(missing(field));
        let optional = |field| paragraph.get(field).unwrap_or("");
        let number = |field, text: &str| text.parse::<u64>().map_err(|_| missing(field));
        let sha256 = required("SHA256")?;
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing("SHA256"));
        }
        Ok(Self {
            name: required("Package")?,
            version: required("Version")?,
            architecture: required("Architecture")?,
            source: paragraph.get("Source").and_then(|source| source.split_ascii_whitespace().next()).unwrap_or(name),
            priority: Priority::parse(optional("Priority")),
            essential: optional("Essential") == "yes",
            section: optional("Section"),
            summary: optional("Description").lines().next().unwrap_or(""),
            filename: required("Filename")?,
            size: number("Size", required("Size")?)?,
            installed_size_kib: paragraph.get("Installed-Size").map_or(Ok(0), |text| number("Installed-Size", text))?,
            sha256,
            pre_depends: optional("Pre-Depends"),
            depends: optional("Depends"),
            recommends: optional("Recommends"),
            conflicts: optional("Conflicts"),
            breaks: optional("Breaks"),
            provides: optional("Provides"),
        })
    }
}

/// Iterates over the packages of an index, in its order. Ends after an error in the control data.
pub fn parse_packages(text: &str) -> impl Iterator<Item = Result<PackageEntry<'_>, PackagesError>> {
    paragraphs(text).map(|paragraph| PackageEntry::from_paragraph(&paragraph?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn reads_a_package() {
        let text = format!(
            "Package: libx\nSource: x (1.0)\nVersion: 1.0+b1\nArchitecture: amd64\nPriority: required\nEssential: yes\n\
            Depends: libc6 (>= 2), a | b\nDescription: short\nFilename: pool/x.deb\nSize: 12\nSHA256: {HASH}\n"
        );
        let entries: Vec<_> = parse_packages(&text).collect::<Result<_, _>>().unwrap();
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((entry.source, entry.priority, entry.essential, entry.size), ("x", Priority::Required, true, 12));
        assert_eq!((entry.depends, entry.provides, entry.summary), ("libc6 (>= 2), a | b", "", "short"));
    }

    #[test]
    fn names_the_package_and_the_field() {
        let error =
            parse_packages("Package: a\nVersion: 1\nArchitecture: all\nSHA256: 12\n").next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the Packages index has no valid `SHA256` for package `a`");
    }
}
