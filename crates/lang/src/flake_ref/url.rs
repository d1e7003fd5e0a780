//! URLs as the reference reads them: RFC 3986, with spaces and quotes allowed in queries, and no host of files.

use std::collections::BTreeMap;

/// An URL in its parts, percent-decoded.
pub(super) struct Url {
    pub(super) scheme: String,
    /// None where nothing like `//host` is there.
    pub(super) authority: Option<String>,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) fragment: String,
}

impl Url {
    /// The parts of a text; nothing when it is no URL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '.' | '-');
        if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(scheme_char) {
            return None;
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                (Some(rest[..end].to_owned()), &rest[end..])
            }
            None => (None, rest),
        };
        let is_allowed = holds_only(authority.as_deref().unwrap_or_default(), "[]")
            && holds_only(path, "")
            && holds_only(query, "? \"")
            && holds_only(fragment, "? \"^");
        let is_file = scheme.rsplit('+').next() == Some("file");
        if !is_allowed || (is_file && authority.as_ref().is_some_and(|host| !host.is_empty())) {
            return None;
        }
        let path = if is_file && path.is_empty() { "/" } else { path };
        Some(Self {
            scheme: scheme.to_owned(),
            authority,
            path: decode(path)?,
            query: decode_query(query)?,
            fragment: decode(fragment)?,
        })
    }

    /// The text, with everything encoded that must be.
    pub(super) fn print(&self) -> String {
        let mut out = format!("{}:", self.scheme);
        if let Some(authority) = &self.authority {
            out.push_str("//");
            out.push_str(authority);
        }
        out.push_str(&encode(&self.path, ":@/"));
        for (i, (name, value)) in self.query.iter().enumerate() {
            out.push(if i == 0 { '?' } else { '&' });
            out.push_str(&format!("{}={}", encode(name, ":@/?"), encode(value, ":@/?")));
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&encode(&self.fragment, ""));
        }
        out
    }
}

fn holds_only(text: &str, more: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=:@/".contains(c) || more.contains(c))
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let value = digit()? * 16 + digit()?;
        out.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(out).ok()
}

/// Names with their values.
pub(super) fn decode_query(text: &str) -> Option<BTreeMap<String, String>> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| Some((name.to_owned(), decode(value)?))).collect()
}

/// Leaves what needs no encoding anywhere, and what is `allowed`.
pub(super) fn encode(text: &str, allowed: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        let c = char::from(b);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && allowed.contains(c)) {
            out.push(c);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
