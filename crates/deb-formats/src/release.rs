//! `Release` files: what a suite of a repository holds, with the hashes of its indices.
//!
//! Takes the text whose signature was already checked; the signature itself, and the armour around it in `InRelease`, are not
//! handled here. Only SHA-256 is read.
//!
//! Source: <https://wiki.debian.org/DebianRepository/Format>, apt-secure(8).

use std::collections::BTreeMap;

use thiserror::Error;

use crate::control::{ControlError, paragraphs};

/// Why a `Release` file could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReleaseError {
    /// It is no control data.
    #[error("the Release file is not control data")]
    Control(#[from] ControlError),
    /// A field that must be there is not.
    #[error("the Release file has no field `{field}`")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// A line of the list of files is not `hash size path`.
    #[error("the Release file lists `{line}`, which is not `hash size path`")]
    File {
        /// The line.
        line: String,
    },
    /// A date is not as RFC 2822 has it.
    #[error("the Release file's `{field}` is `{text}`, which is not a date in UTC")]
    Date {
        /// The field's name.
        field: &'static str,
        /// Its value.
        text: String,
    },
}

/// Size and hash of one file of the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFile {
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// A suite of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// For instance `trixie-security`.
    pub codename: String,
    /// The point release, for instance `13.2`; not all suites have one.
    pub version: Option<String>,
    /// When it was made.
    pub date: ReleaseDate,
    /// After when a client should no longer believe it to be current.
    pub valid_until: Option<ReleaseDate>,
    /// Whether indices can be had under `by-hash/SHA256/` beside their names.
    pub acquire_by_hash: bool,
    /// The files under `dists/<suite>/`, by path.
    pub files: BTreeMap<String, ReleaseFile>,
}

impl Release {
    /// Reads the text of a `Release` file. Errors when it is malformed or lacks codename, date or the SHA-256 list.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let paragraph = paragraphs(text).next().transpose()?.unwrap_or_default();
        let field = |field| paragraph.get(field).ok_or(ReleaseError::Missing { field });
        let date = |field: &'static str, text: &str| {
            ReleaseDate::parse(text).ok_or_else(|| ReleaseError::Date { field, text: text.to_owned() })
        };
        let mut files = BTreeMap::new();
        for line in field("SHA256")?.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (path, file) = parse_file(line).ok_or_else(|| ReleaseError::File { line: line.to_owned() })?;
            files.insert(path, file);
        }
        Ok(Self {
            codename: field("Codename")?.to_owned(),
            version: paragraph.get("Version").map(str::to_owned),
            date: date("Date", field("Date")?)?,
            valid_until: paragraph.get("Valid-Until").map(|text| date("Valid-Until", text)).transpose()?,
            acquire_by_hash: paragraph.get("Acquire-By-Hash") == Some("yes"),
            files,
        })
    }
}

fn parse_file(line: &str) -> Option<(String, ReleaseFile)> {
    let mut words = line.split_ascii_whitespace();
    let (sha256, size, path) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let valid = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) && words.next().is_none();
    valid.then(|| (path.to_owned(), ReleaseFile { size, sha256: sha256.to_ascii_lowercase() }))
}

/// A date of a `Release` file: its text, and the instant it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseDate {
    text: String,
    unix_seconds: u64,
}

impl ReleaseDate {
    /// Reads `Sat, 12 Sep 2026 07:55:41 UTC` (or `GMT`, `+0000`). `None` when it is anything else or before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.split_once(", ").map_or(text, |(_, rest)| rest);
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let [day, month, year, time, "UTC" | "GMT" | "+0000"] = words[..] else {
            return None;
        };
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = MONTHS.iter().position(|&name| name == month)? as u64;
        let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
        let clock: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [hour, minute, second] = clock[..] else {
            return None;
        };
        if !(1970..10_000).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let unix_seconds = ((days_before_year(year) + days_before_month(year, month) + day - 1) * 24 + hour) * 3600
            + minute * 60
            + second;
        Some(Self { text: text.to_owned(), unix_seconds })
    }

    /// The date as the Release file spells it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    pub fn unix_seconds(&self) -> u64 {
        self.unix_seconds
    }
}

/// Days from 1970-01-01 to the first of January of `year`.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// Days from the year's first day to the first of its month, counted from 0.
fn days_before_month(year: u64, month: u64) -> u64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let whole: u64 = LENGTHS.iter().zip(0..month).map(|(length, _)| length).sum();
    whole + u64::from(is_leap && month > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const RELEASE: &str = "Origin: Debian\nCodename: trixie-security\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n\
        Valid-Until: Sat, 19 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages\n\
        SHA256:\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages\n";

    #[test]
    fn reads_hashes_and_dates() {
        let release = Release::parse(RELEASE).unwrap();
        assert_eq!(
            (release.codename.as_str(), release.acquire_by_hash, release.version),
            ("trixie-security", true, None)
        );
        assert_eq!(release.files["main/binary-amd64/Packages"].size, 0);
        assert_eq!(release.files.len(), 1);
        assert_eq!(release.valid_until.unwrap().unix_seconds() - release.date.unix_seconds(), 7 * 24 * 3600);
    }

    #[test]
    fn names_what_is_missing_or_malformed() {
        let error = |text: &str| Release::parse(text).unwrap_err().to_string();
        assert_eq!(error(""), "the Release file has no field `SHA256`");
        assert_eq!(error(&RELEASE.replace("Codename", "Suite")), "the Release file has no field `Codename`");
        assert_eq!(error("SHA256:\n abc 0 x\n"), "the Release file lists `abc 0 x`, which is not `hash size path`");
        assert_eq!(
            error(&RELEASE.replace("Date: Sat, 12 Sep 2026 07:55:41 UTC", "Date: yesterday")),
            "the Release file's `Date` is `yesterday`, which is not a date in UTC"
        );
    }

    #[test]
    fn dates_mean_what_date_says() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 UTC",
            "Thu, 29 Feb 2024 23:59:59 UTC",
            "Fri, 01 Mar 2024 00:00:00 UTC",
            "Sun, 28 Feb 2100 12:00:00 UTC",
            "Mon, 01 Mar 2100 00:00:00 UTC",
            "Sat, 12 Sep 2026 07:55:41 UTC",
            "Tue, 31 Dec 2000 01:02:03 UTC",
        ] {
            let output =
                Command::new("date").args(["-u", "+%s", "-d", text.split_once(", ").unwrap().1]).output().unwrap();
            let expected: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            assert_eq!(ReleaseDate::parse(text).unwrap().unix_seconds(), expected, "{text}");
        }
        for text in [
            "",
            "Sat, 12 Sep 2026 07:55:41 CET",
            "Sat, 12 Sep 2026 07:55 UTC",
            "Sat, 40 Sep 2026 07:55:41 UTC",
            "Sat, 12 Foo 2026 07:55:41 UTC",
        ] {
            assert_eq!(ReleaseDate::parse(text), None, "{text}");
        }
    }
}
