//! Debian's version numbers: `[epoch:]upstream[-revision]` and their order.
//!
//! Source: deb-version(7), Debian Policy 5.6.12. Checked against `dpkg --compare-versions`.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// Why a text is no version number.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a Debian version: {problem}")]
pub struct VersionError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A valid version number. Two spellings that Debian orders equally (`1.0`, `0:1.00`) are equal.
#[derive(Debug, Clone)]
pub struct Version(String);

impl Version {
    /// Checks and keeps a version number. Errors when it is empty, has an epoch that is no number, or a character that
    /// deb-version(7) does not allow.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let fail = |problem| Err(VersionError { text: text.to_owned(), problem });
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        if epoch.is_empty() || !epoch.bytes().all(|byte| byte.is_ascii_digit()) || epoch.parse::<i32>().is_err() {
            return fail("the epoch is not a number");
        }
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        if upstream.is_empty() || revision.is_empty() {
            return fail("the upstream version or the revision is empty");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+~".contains(&byte);
        if !upstream.bytes().all(|byte| allowed(byte) || byte == b'-' || byte == b':') || !revision.bytes().all(allowed)
        {
            return fail("only letters, digits and `.+~-:` may stand in it");
        }
        Ok(Self(text.to_owned()))
    }

    /// The version as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// Orders two version numbers without checking that they are well formed; total on any text.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left_upstream, left_revision) = split_revision(left);
    let (right_upstream, right_revision) = split_revision(right);
    compare_numbers(left_epoch.as_bytes(), right_epoch.as_bytes())
        .then_with(|| compare_parts(left_upstream.as_bytes(), right_upstream.as_bytes()))
        .then_with(|| compare_parts(left_revision.as_bytes(), right_revision.as_bytes()))
}

fn split_epoch(version: &str) -> (&str, &str) {
    version.split_once(':').unwrap_or(("", version))
}

fn split_revision(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, ""))
}

/// Alternates between stretches of non-digits, compared by [`weight`], and of digits, compared as numbers.
fn compare_parts(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split_while(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_while(right, |byte| !byte.is_ascii_digit());
        let (left_number, left_rest) = split_while(left_rest, |byte| byte.is_ascii_digit());
        let (right_number, right_rest) = split_while(right_rest, |byte| byte.is_ascii_digit());
        let order = compare_texts(left_text, right_text).then_with(|| compare_numbers(left_number, right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_while(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|&byte| !wanted(byte)).unwrap_or(bytes.len()))
}

fn compare_texts(left: &[u8], right: &[u8]) -> Ordering {
    let length = left.len().max(right.len());
    let weight_at = |text: &[u8], position: usize| text.get(position).map_or(0, |&byte| weight(byte));
    (0..length)
        .map(|position| weight_at(left, position).cmp(&weight_at(right, position)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// `~` sorts before the end of the text, which sorts before letters, which sort before everything else.
fn weight(byte: u8) -> i32 {
    match byte {
        b'~' => -1,
        byte if byte.is_ascii_alphabetic() => i32::from(byte),
        byte => i32::from(byte) + 256,
    }
}

/// Compares digits of any length as numbers.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let significant = |digits| split_while(digits, |byte| byte == b'0').1;
    let (left, right) = (significant(left), significant(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Chosen so that every pair decides one rule: epochs, tildes, letters before symbols, leading zeros, missing revisions.
    const VERSIONS: &[&str] = &[
        "0",
        "0:0",
        "00",
        "1",
        "1.0",
        "1.00",
        "1.0-0",
        "1.0-1",
        "1.0-1+b1",
        "1.0-1+b10",
        "1.0-1+b9",
        "1.0~rc1",
        "1.0~rc1-1",
        "1.0~",
        "1.0~~",
        "1.0~~a",
        "1.0a",
        "1.0+",
        "1.0.",
        "1.0+dfsg-1",
        "1.0+dfsg.1-1",
        "1:0.5",
        "1:1.0",
        "2:0~",
        "10",
        "9",
        "1.10",
        "1.9",
        "1.0-1~deb13u1",
        "1.0-1+deb13u1",
        "1.0-1-2",
        "1.a",
        "1.A",
        "1.Z",
        "1.z",
        "99999999999999999999999",
        "1.2.3.4",
        "1:3:4-5",
    ];

    /// One shell call for all pairs, as starting dpkg a thousand times is slow.
    fn dpkg_says(pairs: &[(&str, &str)]) -> Vec<Ordering> {
        let mut script = String::new();
        for (left, right) in pairs {
            script += &format!(
                "if dpkg --compare-versions '{left}' lt '{right}'; then echo lt; elif dpkg --compare-versions '{left}' eq '{right}'; then echo eq; else echo gt; fi\n"
            );
        }
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(Command::new("dpkg").arg("--version").output().is_ok(), "`dpkg` is needed by this test");
        text.lines()
            .map(|line| match line {
                "lt" => Ordering::Less,
                "eq" => Ordering::Equal,
                _ => Ordering::Greater,
            })
            .collect()
    }

    #[test]
    fn orders_as_dpkg_does() {
        let pairs: Vec<_> = VERSIONS
            .iter()
            .enumerate()
            .flat_map(|(at, &left)| VERSIONS[..at].iter().map(move |&right| (left, right)))
            .collect();
        let expected = dpkg_says(&pairs);
        assert_eq!(expected.len(), pairs.len());
        for (&(left, right), expected) in pairs.iter().zip(expected) {
            assert_eq!(compare(left, right), expected, "{left} {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn rejects_what_is_no_version() {
        for text in ["", "a:1", ":1", "1:", "1-", "-1", "1_0", "1 0", "1.0-1/2", "99999999999:1"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Version::parse("1_0").unwrap_err().to_string(),
            "`1_0` is not a Debian version: only letters, digits and `.+~-:` may stand in it"
        );
    }

    #[test]
    fn equal_spellings_are_equal_versions() {
        assert_eq!(Version::parse("0:1.00-0").unwrap(), Version::parse("1.0").unwrap());
        assert!(Version::parse("1.0~rc1").unwrap() < Version::parse("1.0").unwrap());
    }
}
