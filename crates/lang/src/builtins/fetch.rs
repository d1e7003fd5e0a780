//! Fetching and the environment: what only the world can answer.

use std::collections::BTreeMap;

use crate::builtins::Table;
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::{AttrsBuilder, Eval};
use crate::io::{FetchAttr, FetchRequest, Fetched};
use crate::value::Value;

pub(super) const TABLE: Table = &[
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

fn store_string<'a>(eval: &Eval<'a>, fetched: &Fetched) -> Value<'a> {
    let path = &*eval.bump().alloc_str(&eval.store_dir().display(&fetched.path));
    eval.arena_string(path.as_bytes(), Context::new(eval.bump(), vec![Element::Opaque(path)]))
}

/// The attributes as given; the world knows what each kind wants.
fn fetch_tree<'a>(eval: &Eval<'a>, arg: Value<'a>, kind: Option<&str>) -> Res<Value<'a>> {
    let mut attrs = BTreeMap::new();
    match eval.force(arg)? {
        Value::Attrs(set) => {
            for attr in set.all() {
                let value = match eval.force(attr.value())? {
                    Value::Null => continue,
                    Value::Bool(b) => FetchAttr::Bool(b.get()),
                    Value::Int(n) => FetchAttr::Int(
                        u64::try_from(n)
                            .map_err(|_| Error::eval(format!("negative value given for fetchTree attr: {n}")))?,
                    ),
                    Value::Path(p) => FetchAttr::String(p.to_string_lossy().into_owned()),
                    other => FetchAttr::String(eval.force_str(other)?.to_string_lossy().into_owned()),
                };
                attrs.insert(eval.symbols().text(attr.name), value);
            }
        }
        other => {
            let url = eval.coerce(other, crate::coerce::Coerce::PATH_SEGMENT)?.to_string_lossy().into_owned();
            attrs.insert("url".to_owned(), FetchAttr::String(url));
        }
    }
    let kind = match (kind, attrs.get("type")) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some(FetchAttr::String(kind))) => kind.clone(),
        (None, _) if attrs.len() == 1 && attrs.contains_key("url") => "url".to_owned(),
        _ => return Err(Error::eval("argument 'type' is missing in call to 'fetchTree'")),
    };
    let fetched = eval.io().fetch(&FetchRequest::Tree { kind, attrs }).map_err(|e| eval.io_error(&e))?;
    Ok(attr_set(eval, &fetched.attrs).entry("outPath", store_string(eval, &fetched)).finish())
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
