//! Flake references: the URL notation of a fetcher's attributes, and back.
//!
//! `github:owner/repo/branch?dir=x` stands for `{ type = "github"; owner = …; … }`. Nothing is fetched or looked up here.
//! Source: the `nix flake` manual's section on references, and the reference's behaviour.

mod url;

use std::collections::BTreeMap;

use crate::io::FetchAttr;
use url::{Url, decode_query, encode};

/// A fetcher's attributes by name; `type` says which fetcher.
pub(crate) type Attrs = BTreeMap<String, FetchAttr>;

/// Why a text is no reference: `Malformed` may still be a path.
enum Failure {
    Malformed,
    Refused(String),
}

/// The attributes a reference stands for.
///
/// # Errors
/// What is wrong with it, for the user.
pub(crate) fn parse(text: &str) -> Result<Attrs, String> {
    let not_absolute = || format!("flake reference '{text}' is not an absolute path");
    let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
    let url = if is_id_reference(body) { Url::parse(&format!("flake:{text}")) } else { Url::parse(text) };
    let (found, fragment) = match url {
        Some(mut url) => {
            let fragment = std::mem::take(&mut url.fragment);
            let found = from_url(url, body);
            if is_id_reference(body) && matches!(found, Err(Failure::Malformed)) {
                let end = body.splitn(3, '/').last().unwrap_or_default();
                return Err(format!("in flake reference '{body}', '{end}' is not a commit hash"));
            }
            (found, fragment)
        }
        None => (Err(Failure::Malformed), fragment.to_owned()),
    };
    let attrs = match found {
        Ok(attrs) => attrs,
        Err(Failure::Refused(message)) => return Err(message),
        Err(Failure::Malformed) => {
            let (path, query) = body.split_once('?').unwrap_or((body, ""));
            if !path.starts_with('/') {
                return Err(not_absolute());
            }
            let query = decode_query(query).ok_or_else(not_absolute)?;
            let url = Url { scheme: "path".into(), authority: None, path: path.into(), query, fragment: String::new() };
            from_url(url, body).map_err(|failure| match failure {
                Failure::Malformed => not_absolute(),
                Failure::Refused(message) => message,
            })?
        }
    };
    if fragment.is_empty() {
        Ok(attrs)
    } else {
        Err(format!("unexpected fragment '{fragment}' in flake reference '{text}'"))
    }
}

fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_rev(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_ref(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.\\/@+-".contains(c))
}

/// `nixpkgs`, `nixpkgs/branch`, `nixpkgs/branch/rev`; whether the last is a revision is not asked here.
fn is_id_reference(text: &str) -> bool {
    let (id, rest) = text.split_once('/').map_or((text, None), |(id, rest)| (id, Some(rest)));
    is_id(id) && rest.is_none_or(is_ref)
}

fn string(text: impl Into<String>) -> FetchAttr {
    FetchAttr::String(text.into())
}

fn from_url(mut url: Url, shown: &str) -> Result<Attrs, Failure> {
    let dir = url.query.remove("dir");
    let scheme = url.scheme.clone();
    let mut attrs = match scheme.split_once('+').map_or((scheme.as_str(), None), |(a, b)| (a, Some(b))) {
        ("flake", None) => indirect(&url)?,
        ("github" | "gitlab" | "sourcehut", None) => forge(&url)?,
        ("path", None) => path(&url, shown)?,
        ("git", None | Some("http" | "https" | "ssh" | "file")) => repository(url, "git")?,
        ("hg", Some("http" | "https" | "ssh" | "file")) => repository(url, "hg")?,
        ("tarball" | "file", Some(transport @ ("http" | "https" | "file"))) => {
            let kind = if scheme.starts_with("tarball") { "tarball" } else { "file" };
            url.scheme = transport.to_owned();
            download(url, kind)
        }
        ("http" | "https" | "file", None) => download(url, "tarball"),
        _ => return Err(Failure::Refused(format!("input '{shown}' is unsupported"))),
    };
    if let Some(dir) = dir {
        attrs.insert("dir".to_owned(), string(dir));
    }
    Ok(attrs)
}

fn indirect(url: &Url) -> Result<Attrs, Failure> {
    let parts: Vec<&str> = url.path.split('/').filter(|p| !p.is_empty()).collect();
    let mut attrs = Attrs::from([("type".to_owned(), string("indirect"))]);
    let (id, rest) = parts.split_first().ok_or(Failure::Malformed)?;
    if !is_id(id) {
        return Err(Failure::Malformed);
    }
    attrs.insert("id".to_owned(), string(*id));
    match rest {
        [] => {}
        [rev] if is_rev(rev) => drop(attrs.insert("rev".to_owned(), string(*rev))),
        [name] if is_ref(name) => drop(attrs.insert("ref".to_owned(), string(*name))),
        [name, rev] if is_ref(name) && is_rev(rev) => {
            attrs.insert("ref".to_owned(), string(*name));
            attrs.insert("rev".to_owned(), string(*rev));
        }
        _ => return Err(Failure::Malformed),
    }
    Ok(attrs)
}

fn forge(url: &Url) -> Result<Attrs, Failure> {
    let parts: Vec<&str> = url.path.split('/').filter(|p| !p.is_empty()).collect();
    let [owner, repo, rest @ ..] = &parts[..] else { return Err(Failure::Malformed) };
    let mut attrs = Attrs::from([
        ("type".to_owned(), string(url.scheme.clone())),
        ("owner".to_owned(), string(*owner)),
        ("repo".to_owned(), string(*repo)),
    ]);
    let what = rest.join("/");
    match rest {
        [] => {}
        [rev] if is_rev(rev) => drop(attrs.insert("rev".to_owned(), string(*rev))),
        _ if is_ref(&what) => drop(attrs.insert("ref".to_owned(), string(what))),
        _ => return Err(Failure::Malformed),
    }
    for (name, value) in &url.query {
        let known = match name.as_str() {
            "rev" => is_rev(value),
            "ref" => is_ref(value),
            "host" | "narHash" => true,
            _ => continue,
        };
        if !known || attrs.insert(name.clone(), string(value.clone())).is_some() {
            return Err(Failure::Malformed);
        }
    }
    if attrs.contains_key("ref") && attrs.contains_key("rev") {
        return Err(Failure::Malformed);
    }
    Ok(attrs)
}

fn path(url: &Url, shown: &str) -> Result<Attrs, Failure> {
    if let Some(authority) = url.authority.as_ref().filter(|a| !a.is_empty()) {
        return Err(Failure::Refused(format!("path URL '{shown}' should not have an authority ('{authority}')")));
    }
    let mut attrs = Attrs::from([("type".to_owned(), string("path")), ("path".to_owned(), string(url.path.clone()))]);
    for (name, value) in &url.query {
        let attr = match name.as_str() {
            "rev" | "narHash" => string(value.clone()),
            "revCount" | "lastModified" => FetchAttr::Int(
                value
                    .parse()
                    .map_err(|_| Failure::Refused(format!("path URL '{shown}' has invalid parameter '{name}'")))?,
            ),
            _ => return Err(Failure::Refused(format!("path URL '{shown}' has unsupported parameter '{name}'"))),
        };
        attrs.insert(name.clone(), attr);
    }
    Ok(attrs)
}

const GIT_FLAGS: [&str; 5] = ["shallow", "submodules", "exportIgnore", "allRefs", "verifyCommit"];

fn repository(mut url: Url, kind: &str) -> Result<Attrs, Failure> {
    let mut attrs = Attrs::from([("type".to_owned(), string(kind))]);
    for (name, value) in std::mem::take(&mut url.query) {
        let is_text = matches!(name.as_str(), "rev" | "ref")
            || (kind == "git" && matches!(name.as_str(), "keytype" | "publicKey" | "publicKeys"));
        if is_text {
            attrs.insert(name, string(value));
        } else if kind == "git" && GIT_FLAGS.contains(&name.as_str()) {
            attrs.insert(name, FetchAttr::Bool(value == "1"));
        } else {
            url.query.insert(name, value);
        }
    }
    if let Some(transport) = url.scheme.split_once('+').map(|(_, transport)| transport.to_owned()) {
        url.scheme = transport;
    }
    attrs.insert("url".to_owned(), string(url.print()));
    Ok(attrs)
}

fn download(mut url: Url, kind: &str) -> Attrs {
    let mut attrs = Attrs::from([("type".to_owned(), string(kind))]);
    for name in ["narHash", "rev", "revCount", "lastModified", "name", "unpack", "type", "url"] {
        let Some(value) = url.query.remove(name) else { continue };
        match (name, value.parse()) {
            ("narHash" | "rev", _) => drop(attrs.insert(name.to_owned(), string(value))),
            ("revCount" | "lastModified", Ok(n)) => drop(attrs.insert(name.to_owned(), FetchAttr::Int(n))),
            _ => {}
        }
    }
    attrs.insert("url".to_owned(), string(url.print()));
    attrs
}

/// What each fetcher takes, apart from `type`; those it needs first.
const SCHEMES: &[(&str, &[&str], &[&str])] = &[
    ("indirect", &["id"], &["ref", "rev", "narHash"]),
    ("github", &["owner", "repo"], &["ref", "rev", "narHash", "lastModified", "host", "treeHash"]),
    ("gitlab", &["owner", "repo"], &["ref", "rev", "narHash", "lastModified", "host", "treeHash"]),
    ("sourcehut", &["owner", "repo"], &["ref", "rev", "narHash", "lastModified", "host", "treeHash"]),
    ("path", &["path"], &["rev", "revCount", "lastModified", "narHash"]),
    (
        "git",
        &["url"],
        &[
            "ref",
            "rev",
            "shallow",
            "submodules",
            "exportIgnore",
            "lastModified",
            "revCount",
            "narHash",
            "allRefs",
            "name",
            "dirtyRev",
            "dirtyShortRev",
            "verifyCommit",
            "keytype",
            "publicKey",
            "publicKeys",
        ],
    ),
    ("hg", &["url"], &["ref", "rev", "revCount", "narHash", "name"]),
    ("tarball", &["url"], &["narHash", "name", "unpack", "rev", "revCount", "lastModified"]),
    ("file", &["url"], &["narHash", "name", "unpack", "rev", "revCount", "lastModified"]),
];

/// Whether a fetcher takes these attributes.
///
/// # Errors
/// The first that it does not take, or one that it needs.
pub(crate) fn check(attrs: &Attrs) -> Result<(), String> {
    let Some(FetchAttr::String(kind)) = attrs.get("type") else {
        return Err("'type' attribute to specify input scheme is required but not provided".to_owned());
    };
    let Some((_, needed, other)) = SCHEMES.iter().find(|s| s.0 == kind) else {
        return Err(format!("cannot show unsupported input '{}'", json(attrs)));
    };
    for name in attrs.keys().filter(|n| *n != "type") {
        if !needed.contains(&name.as_str()) && !other.contains(&name.as_str()) {
            return Err(format!("input attribute '{name}' not supported by scheme '{kind}'"));
        }
    }
    for name in *needed {
        match attrs.get(*name) {
            Some(FetchAttr::String(_)) => {}
            Some(_) => return Err(format!("input attribute '{name}' is not a string")),
            None => return Err(format!("input attribute '{name}' is missing")),
        }
    }
    Ok(())
}

fn json(attrs: &Attrs) -> String {
    let shown = attrs.iter().map(|(name, value)| match value {
        FetchAttr::String(s) => format!("{name:?}:{s:?}"),
        FetchAttr::Int(n) => format!("{name:?}:{n}"),
        FetchAttr::Bool(b) => format!("{name:?}:{b}"),
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
}

fn text<'t>(attrs: &'t Attrs, name: &str) -> Option<&'t str> {
    match attrs.get(name) {
        Some(FetchAttr::String(s)) => Some(s),
        _ => None,
    }
}

/// The reference that stands for a fetcher's attributes.
///
/// # Errors
/// When the fetcher is unknown or does not take them.
pub(crate) fn print(attrs: &Attrs) -> Result<String, String> {
    let mut attrs = attrs.clone();
    let dir = attrs.remove("dir");
    check(&attrs)?;
    let kind = text(&attrs, "type").unwrap_or_default();
    let mut url = match kind {
        "indirect" | "github" | "gitlab" | "sourcehut" => {
            let parts = ["id", "owner", "repo", "ref", "rev"].iter().filter_map(|name| text(&attrs, name));
            let path = parts.collect::<Vec<_>>().join("/");
            let scheme = if kind == "indirect" { "flake" } else { kind };
            let query = text(&attrs, "narHash").filter(|_| kind != "indirect").map(|h| ("narHash".into(), h.into()));
            let query = query.into_iter().collect();
            Url { scheme: scheme.into(), authority: None, path, query, fragment: String::new() }
        }
        "path" => {
            let rest = attrs.iter().filter(|(name, _)| !matches!(name.as_str(), "type" | "path"));
            let query = rest.map(|(name, value)| (name.clone(), shown(value))).collect();
            let path = text(&attrs, "path").unwrap_or_default().to_owned();
            Url { scheme: "path".into(), authority: None, path, query, fragment: String::new() }
        }
        _ => located(&attrs, kind)?,
    };
    if let Some(dir) = dir {
        url.query.insert("dir".to_owned(), shown(&dir));
    }
    Ok(url.print())
}

fn located(attrs: &Attrs, kind: &str) -> Result<Url, String> {
    let address = text(attrs, "url").unwrap_or_default();
    let address = if kind == "git" { git_url(address) } else { address.to_owned() };
    let mut url = Url::parse(&address).ok_or_else(|| format!("'{address}' is not a valid URL"))?;
    let mut names = vec!["narHash"];
    if matches!(kind, "git" | "hg") {
        if url.scheme != "git" {
            url.scheme = format!("{kind}+{}", url.scheme);
        }
        names = vec!["rev", "ref"];
    }
    for name in names {
        if let Some(value) = text(attrs, name) {
            url.query.insert(name.to_owned(), value.to_owned());
        }
    }
    for name in GIT_FLAGS.iter().filter(|name| attrs.get(**name) == Some(&FetchAttr::Bool(true))) {
        url.query.insert((*name).to_owned(), "1".to_owned());
    }
    Ok(url)
}

/// What git takes for an address besides URLs, as an URL: `user@host:path` and paths.
fn git_url(address: &str) -> String {
    let scp = address.rsplit_once(':').and_then(|(login, path)| Some((login.rsplit_once('@')?, path)));
    match scp {
        Some(((user, host), path)) if !user.contains('/') => format!("ssh://{user}@{host}/{path}"),
        _ if address.starts_with("file:") || address.contains("://") => address.to_owned(),
        _ => format!("file://{}", encode(address, "!$&'()*+,;=:@/")),
    }
}

fn shown(value: &FetchAttr) -> String {
    match value {
        FetchAttr::String(s) => s.clone(),
        FetchAttr::Int(n) => n.to_string(),
        FetchAttr::Bool(b) => u8::from(*b).to_string(),
    }
}
