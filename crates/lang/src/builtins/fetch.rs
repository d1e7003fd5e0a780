//! Fetching and the environment: what only the world can answer.

use std::collections::BTreeMap;

use crate::builtins::Table;
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::{AttrsBuilder, Eval};
use crate::flake_ref;
use crate::io::{FetchAttr, FetchRequest, Fetched};
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("fetchClosure", 1, fetch_closure),
    ("fetchGit", 1, |e, a| fetch_tree(e, a[0], Some("git"))),
    ("fetchMercurial", 1, |e, a| fetch_tree(e, a[0], Some("hg"))),
    ("fetchTarball", 1, |e, a| fetch_file(e, a[0], true)),
    ("fetchTree", 1, |e, a| fetch_tree(e, a[0], None)),
    ("fetchurl", 1, |e, a| fetch_file(e, a[0], false)),
    ("getEnv", 1, |e, a| {
        let name = String::from_utf8_lossy(e.force_plain(a[0])?).into_owned();
        Ok(if e.settings().pure { e.bytes(b"") } else { e.string(&e.io().env(&name)) })
    }),
];

fn fetch_file<'a>(eval: &Eval<'a>, arg: Value<'a>, tarball: bool) -> Res<Value<'a>> {
    let builtin = if tarball { "fetchTarball" } else { "fetchurl" };
    let (mut url, mut name, mut sha256) = (None, None, None);
    match eval.force(arg)? {
        Value::Attrs(set) => {
            for attr in set.all() {
                let text =
                    || Ok::<_, Error>(Some(String::from_utf8_lossy(eval.force_plain(attr.value())?).into_owned()));
                match eval.symbols().text(attr.name).as_str() {
                    "url" => url = text()?,
                    "name" => name = text()?,
                    "sha256" => sha256 = text()?,
                    other => {
                        return Err(Error::eval(format!("unsupported argument '{other}' to '{builtin}'")).at(attr.pos));
                    }
                }
            }
        }
        other => url = Some(String::from_utf8_lossy(eval.force_plain(other)?).into_owned()),
    }
    let url = url.ok_or_else(|| Error::eval("'url' argument required"))?;
    if eval.settings().pure && sha256.is_none() {
        return Err(Error::new(
            ErrorKind::Restricted,
            format!("in pure evaluation mode, '{builtin}' requires a 'sha256' argument"),
        ));
    }
    let base = url.rsplit('/').next().unwrap_or_default().to_owned();
    let name = name.unwrap_or_else(|| if tarball { "source".to_owned() } else { base });
    let request =
        if tarball { FetchRequest::Tarball { url, name, sha256 } } else { FetchRequest::Url { url, name, sha256 } };
    let fetched = eval.io().fetch(&request).map_err(|e| eval.io_error(&e))?;
    Ok(store_string(eval, &fetched))
}

/// A path of another store. It must be in this one already, or a cache that the world asks must have it.
fn fetch_closure<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let mut path = None;
    for attr in eval.sorted_attrs(eval.force_attrs(args[0])?) {
        match eval.symbols().text(attr.name).as_str() {
            "fromPath" => {
                path = Some(eval.coerce(attr.value(), crate::coerce::Coerce::PATH_SEGMENT)?.to_string_lossy())
            }
            "fromStore" => drop(eval.force_plain(attr.value())?),
            "inputAddressed" => drop(eval.force_bool(attr.value())?),
            "toPath" => drop(eval.force(attr.value())?),
            other => {
                let message = format!("attribute '{other}' isn't supported in call to 'fetchClosure'");
                return Err(Error::eval(message).at(attr.pos));
            }
        }
    }
    let path = path.ok_or_else(|| Error::eval("attribute 'fromPath' is missing in call to 'fetchClosure'"))?;
    let path = eval.store_path(&path)?;
    eval.io().ensure_path(&path).map_err(|e| eval.io_error(&e))?;
    Ok(store_string(eval, &Fetched { path, attrs: BTreeMap::new() }))
}

fn store_string<'a>(eval: &Eval<'a>, fetched: &Fetched) -> Value<'a> {
    let path = &*eval.bump().alloc_str(&eval.store_dir().display(&fetched.path));
    eval.arena_string(path.as_bytes(), Context::new(eval.bump(), vec![Element::Opaque(path)]))
}

/// Reads the attributes a fetcher is given, checks them and has the world fetch.
fn fetch_tree<'a>(eval: &Eval<'a>, arg: Value<'a>, kind: Option<&str>) -> Res<Value<'a>> {
    let builtin = if kind == Some("git") { "fetchGit" } else { "fetchTree" };
    let mut attrs = match eval.force(arg)? {
        Value::Attrs(set) => given_attrs(eval, set)?,
        other => {
            let url = eval.coerce(other, crate::coerce::Coerce::PATH_SEGMENT)?.to_string_lossy().into_owned();
            match kind {
                Some(_) => BTreeMap::from([("url".to_owned(), FetchAttr::String(url))]),
                None => flake_ref::parse(&url).map_err(Error::eval)?,
            }
        }
    };
    match (kind, attrs.get("type")) {
        (Some(kind), None) => drop(attrs.insert("type".to_owned(), FetchAttr::String(kind.to_owned()))),
        (Some(kind), Some(given)) if *given != FetchAttr::String(kind.to_owned()) => {
            return Err(Error::eval("unexpected attribute 'type'"));
        }
        (None, None) => return Err(Error::eval("attribute 'type' is missing in call to 'fetchTree'")),
        _ => {}
    }
    flake_ref::check(&attrs).map_err(Error::eval)?;
    let is_locked = attrs.contains_key("narHash") || attrs.contains_key("rev");
    if eval.settings().pure && !is_locked {
        let shown = flake_ref::print(&attrs).unwrap_or_default();
        return Err(Error::new(
            ErrorKind::Restricted,
            format!("in pure evaluation mode, '{builtin}' will not fetch unlocked input '{shown}'"),
        ));
    }
    let kind = match attrs.remove("type") {
        Some(FetchAttr::String(kind)) => kind,
        _ => return Err(Error::eval("input attribute 'type' is not a string")),
    };
    let mut fetched = eval.io().fetch(&FetchRequest::Tree { kind, attrs }).map_err(|e| eval.io_error(&e))?;
    if builtin == "fetchGit" && !fetched.attrs.contains_key("rev") {
        // What is not committed has no revision, but the attributes were always there.
        fetched.attrs.insert("rev".to_owned(), FetchAttr::String("0".repeat(40)));
        fetched.attrs.insert("shortRev".to_owned(), FetchAttr::String("0".repeat(7)));
        fetched.attrs.insert("revCount".to_owned(), FetchAttr::Int(0));
    }
    Ok(attr_set(eval, &fetched.attrs).entry("outPath", store_string(eval, &fetched)).finish())
}

fn given_attrs<'a>(eval: &Eval<'a>, set: &'a crate::Attrs<'a>) -> Res<flake_ref::Attrs> {
    let mut attrs = flake_ref::Attrs::new();
    for attr in set.all() {
        let name = eval.symbols().text(attr.name);
        let value = match eval.force(attr.value())? {
            Value::Null => continue,
            Value::Bool(b) => FetchAttr::Bool(b.get()),
            Value::Int(n) => FetchAttr::Int(
                u64::try_from(n)
                    .map_err(|_| Error::eval(format!("negative value given for fetchTree attr {name}: {n}")))?,
            ),
            Value::Path(p) => FetchAttr::String(p.to_string_lossy().into_owned()),
            other => FetchAttr::String(eval.force_str(other)?.to_string_lossy().into_owned()),
        };
        attrs.insert(name, value);
    }
    Ok(attrs)
}

/// A fetcher's attributes as a set.
pub(super) fn attr_set<'e, 'a>(eval: &'e Eval<'a>, attrs: &BTreeMap<String, FetchAttr>) -> AttrsBuilder<'e, 'a> {
    let mut set = eval.attrs();
    for (name, value) in attrs {
        let value = match value {
            FetchAttr::String(s) => eval.string(s),
            FetchAttr::Int(n) => Value::Int(i64::try_from(*n).unwrap_or(i64::MAX)),
            FetchAttr::Bool(b) => Value::bool(*b),
        };
        set = set.entry(name, value);
    }
    set
}
