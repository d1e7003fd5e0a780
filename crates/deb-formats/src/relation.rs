//! Relations between binary packages: `Depends`, `Conflicts`, `Provides` and their like.
//!
//! `a (>= 1) | b:any, c` is a list of groups that must all hold, each a list of alternatives of which one must. Texts are
//! borrowed. Restrictions by architecture or build profile (`[amd64]`, `<!nocheck>`), which only source packages have, are
//! errors here. Nothing is resolved.
//!
//! Source: Debian Policy 7.1, deb-control(5), <https://wiki.ubuntu.com/MultiarchSpec> for qualifiers.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use crate::version;

/// Why a text is no relation.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a relation between packages: {problem}")]
pub struct RelationError {
    /// The alternative that could not be read.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// How a version must compare with the one given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionOperator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl VersionOperator {
    /// Whether `version` stands in this relation to `wanted`.
    pub fn admits(self, version: &str, wanted: &str) -> bool {
        let order = version::compare(version, wanted);
        match self {
            Self::Earlier => order == Ordering::Less,
            Self::EarlierOrEqual => order != Ordering::Greater,
            Self::Equal => order == Ordering::Equal,
            Self::LaterOrEqual => order != Ordering::Less,
            Self::Later => order == Ordering::Greater,
        }
    }
}

impl fmt::Display for VersionOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

/// One alternative: `name:qualifier (operator version)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation<'a> {
    /// The package's name.
    pub name: &'a str,
    /// `any`, `native` or an architecture, when one is given.
    pub qualifier: Option<&'a str>,
    /// The version wanted, when one is given.
    pub version: Option<(VersionOperator, &'a str)>,
}

impl Relation<'_> {
    /// Whether a package of this name with `version` satisfies the relation.
    pub fn admits(&self, version: &str) -> bool {
        self.version.is_none_or(|(operator, wanted)| operator.admits(version, wanted))
    }

    /// Whether a `Provides` with this version (`None`: a `Provides` without one) satisfies the relation. Debian Policy 7.5:
    /// a relation with a version is only satisfied by a `Provides` with one, and that must be exact.
    pub fn admits_provided(&self, version: Option<&str>) -> bool {
        match (self.version, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((operator, wanted)), Some(version)) => operator.admits(version, wanted),
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)?;
        if let Some(qualifier) = self.qualifier {
            write!(formatter, ":{qualifier}")?;
        }
        if let Some((operator, version)) = self.version {
            write!(formatter, " ({operator} {version})")?;
        }
        Ok(())
    }
}

/// Reads a relation field: groups that must all hold, each of alternatives in order of preference. Empty for an empty text.
/// Errors name the alternative that is malformed.
pub fn parse_relations(text: &str) -> Result<Vec<Vec<Relation<'_>>>, RelationError> {
    let groups = text.split(',').map(str::trim).filter(|group| !group.is_empty());
    groups.map(|group| group.split('|').map(parse_relation).collect()).collect()
}

/// Reads one alternative. Errors when it is malformed.
pub fn parse_relation(text: &str) -> Result<Relation<'_>, RelationError> {
    let text = text.trim();
    let fail = |problem| Err(RelationError { text: text.to_owned(), problem });
    let (package, version) = match text.split_once('(') {
        Some((package, rest)) => match rest.strip_suffix(')') {
            Some(version) => (package.trim_end(), Some(version.trim())),
            None => return fail("the closing parenthesis is missing"),
        },
        None => (text, None),
    };
    let (name, qualifier) = match package.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (package, None),
    };
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
    };
    if !is_word(name) || !qualifier.is_none_or(is_word) {
        return fail("the package's name has characters that no name has");
    }
    let version = match version {
        None => None,
        Some(version) => match parse_version(version) {
            Some(version) => Some(version),
            None => return fail("the version needs one of `<< <= = >= >>` before it"),
        },
    };
    Ok(Relation { name, qualifier, version })
}

fn parse_version(text: &str) -> Option<(VersionOperator, &str)> {
    // `<` and `>` are the old spellings of `<=` and `>=`, so the longer operators come first.
    let operators = [
        ("<<", VersionOperator::Earlier),
        ("<=", VersionOperator::EarlierOrEqual),
        (">=", VersionOperator::LaterOrEqual),
        (">>", VersionOperator::Later),
        ("=", VersionOperator::Equal),
        ("<", VersionOperator::EarlierOrEqual),
        (">", VersionOperator::LaterOrEqual),
    ];
    let (operator, version) =
        operators.iter().find_map(|&(sign, operator)| Some((operator, text.strip_prefix(sign)?.trim())))?;
    let valid =
        !version.is_empty() && !version.contains(|letter: char| letter.is_whitespace() || "<>=()".contains(letter));
    valid.then_some((operator, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_groups_of_alternatives() {
        let text = "libc6 (>= 2.38), default-mta | mail-transport-agent, python3:any (<< 3.14),\n perl:native";
        let groups = parse_relations(text).unwrap();
        let shown: Vec<Vec<String>> =
            groups.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(
            shown,
            [
                vec!["libc6 (>= 2.38)"],
                vec!["default-mta", "mail-transport-agent"],
                vec!["python3:any (<< 3.14)"],
                vec!["perl:native"]
            ]
        );
        assert_eq!(groups[2][0].qualifier, Some("any"));
        assert_eq!(parse_relations(" "), Ok(vec![]));
        assert_eq!(parse_relations("a,").unwrap().len(), 1);
    }

    #[test]
    fn spaces_inside_a_relation_do_not_matter() {
        let expected = Relation { name: "a", qualifier: None, version: Some((VersionOperator::LaterOrEqual, "1:2")) };
        for text in ["a(>=1:2)", "a ( >= 1:2 )", " a  (>=1:2) ", "a (> 1:2)"] {
            assert_eq!(parse_relation(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_what_is_malformed() {
        for text in ["a (>= 1", "a (1)", "a (>= )", "a b", "a [amd64]", "a <!nocheck>", "a:", "|", "a (>= 1) x"] {
            assert!(parse_relations(text).is_err(), "{text}");
        }
        let error = parse_relations("a, b (1.0)").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b (1.0)` is not a relation between packages: the version needs one of `<< <= = >= >>` before it"
        );
    }

    #[test]
    fn operators_compare_as_debian_orders() {
        let admits = |text: &str, version: &str| parse_relation(text).unwrap().admits(version);
        assert!(admits("a (>= 1.0)", "1.0") && !admits("a (>= 1.0)", "1.0~rc1"));
        assert!(admits("a (<< 1.0)", "1.0~rc1") && !admits("a (<< 1.0)", "1.0"));
        assert!(admits("a (= 1.0)", "1.0-0") && admits("a", "0"));
    }

    #[test]
    fn a_versioned_relation_needs_a_versioned_provides() {
        let wanted = parse_relation("a (>= 2)").unwrap();
        assert_eq!(
            (wanted.admits_provided(None), wanted.admits_provided(Some("1")), wanted.admits_provided(Some("2"))),
            (false, false, true)
        );
        assert!(parse_relation("a").unwrap().admits_provided(None));
    }
}
