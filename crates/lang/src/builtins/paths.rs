//! Files: reading, looking around, copying to the store.

use std::collections::BTreeSet;

use nix_formats::{Hash, HashAlgo};

use crate::builtins::Table;
use crate::coerce::Coerce;
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::io::{CopyRequest, FileType};
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("filterSource", 2, |e, a| {
        let f = e.force_function(a[0])?;
        let path = e.readable_path(a[1])?;
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        copy(e, &Copy { path, name, filter: Some(f), recursive: true, expected: None })
    }),
    ("findFile", 2, find_file),
    ("path", 1, path),
    ("pathExists", 1, path_exists),
    ("readDir", 1, |e, a| {
        let path = e.readable_path(a[0])?;
        let path = e.follow_links(&path)?;
        let mut set = e.attrs();
        for (name, kind) in e.io().read_dir(&path).map_err(|error| e.io_error(&error))? {
            set.insert(e.symbols().intern(&name), diagnostics::Pos::NONE, e.string(kind.name()));
        }
        Ok(set.finish())
    }),
    ("readFile", 1, read_file),
    ("readFileType", 1, |e, a| {
        let path = e.readable_path(a[0])?;
        match e.io().file_type(&path).map_err(|error| e.io_error(&error))? {
            Some(kind) => Ok(e.string(kind.name())),
            None => Err(Error::new(ErrorKind::Io, format!("path '{path}' does not exist"))),
        }
    }),
    ("storePath", 1, store_path),
    ("toFile", 2, to_file),
    ("toPath", 1, |e, a| {
        let text = e.coerce(a[0], Coerce::PATH_SEGMENT)?;
        if !text.as_bytes().starts_with(b"/") {
            return Err(Error::eval(format!("string '{}' doesn't represent an absolute path", text.to_string_lossy())));
        }
        let normal = crate::paths::normalise(text.as_bytes());
        Ok(e.arena_string(e.bump().alloc_slice_copy(&normal), text.context()))
    }),
];

fn read_file<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let path = eval.readable_path(args[0])?;
    let bytes = eval.io().read_file(&path).map_err(|e| eval.io_error(&e))?;
    if bytes.contains(&0) {
        return Err(Error::eval(format!("the contents of the file '{path}' cannot be represented as a Nix string")));
    }
    Ok(eval.bytes(&bytes))
}

fn path_exists<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let value = eval.force(args[0])?;
    let text = eval.coerce(value, Coerce::PATH_SEGMENT)?;
    let wants_dir =
        matches!(value, Value::String(_)) && (text.as_bytes().ends_with(b"/") || text.as_bytes().ends_with(b"/."));
    let path = eval.readable_path(value)?;
    let path = String::from_utf8_lossy(&crate::paths::normalise(path.as_bytes())).into_owned();
    let kind = eval.io().file_type(&path).map_err(|e| eval.io_error(&e))?;
    if wants_dir && kind.is_some() {
        let real = eval.follow_links(&path)?;
        return Ok(Value::bool(
            eval.io().file_type(&real).map_err(|e| eval.io_error(&e))? == Some(FileType::Directory),
        ));
    }
    Ok(Value::bool(kind.is_some()))
}

/// Entries of a search path: the first whose prefix fits and whose file exists.
fn find_file<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let entries = eval.force_list(args[0])?;
    let name = String::from_utf8_lossy(eval.force_plain(args[1])?).into_owned();
    for entry in entries.iter() {
        let entry = eval.force_attrs(entry)?;
        let prefix = match eval.get(entry, "prefix") {
            Some(attr) => String::from_utf8_lossy(eval.force_plain(attr.value())?).into_owned(),
            None => String::new(),
        };
        let Some(attr) = eval.get(entry, "path") else {
            return Err(Error::missing_attribute(eval, b"path", diagnostics::Span::NONE, entry));
        };
        let rest = match name.strip_prefix(&prefix) {
            _ if prefix.is_empty() => name.as_str(),
            Some("") => "",
            Some(rest) if rest.starts_with('/') => &rest[1..],
            _ => continue,
        };
        let base = eval.coerce(attr.value(), Coerce::PATH_SEGMENT)?.to_string_lossy();
        let candidate = if rest.is_empty() { base.into_owned() } else { format!("{base}/{rest}") };
        let candidate =
            if candidate.starts_with('/') { candidate } else { format!("{}/{candidate}", eval.settings().folder) };
        let candidate = crate::paths::normalise(candidate.as_bytes());
        let path = String::from_utf8_lossy(&candidate);
        if eval.io().file_type(&path).map_err(|e| eval.io_error(&e))?.is_some() {
            return Ok(eval.path_value(&candidate));
        }
    }
    if name == crate::internal::FETCHURL {
        return Ok(eval.path_value(crate::internal::FETCHURL_PATH.as_bytes()));
    }
    let text = if eval.settings().pure {
        format!("cannot look up '<{name}>' in pure evaluation mode (use '--impure' to override)")
    } else {
        format!("file '{name}' was not found in the Nix search path (add it using $NIX_PATH or -I)")
    };
    Err(Error::new(ErrorKind::Throw, text))
}

struct Copy<'a> {
    path: String,
    name: String,
    filter: Option<Value<'a>>,
    recursive: bool,
    expected: Option<Hash>,
}

fn copy<'a>(eval: &Eval<'a>, what: &Copy<'a>) -> Res<Value<'a>> {
    let mut filter = |path: &str, kind: FileType| {
        let Some(f) = what.filter else { return Ok(true) };
        eval.force_bool(eval.call(f, &[eval.string(path), eval.string(kind.name())])?)
    };
    let request = CopyRequest {
        path: &what.path,
        name: &what.name,
        recursive: what.recursive,
        expected: what.expected,
        filter: if what.filter.is_some() { Some(&mut filter) } else { None },
    };
    let stored = eval.io().copy_to_store(request).map_err(|e| eval.copy_error(e))?;
    Ok(opaque(eval, &eval.store_dir().display(&stored)))
}

/// A store path that refers to itself.
fn opaque<'a>(eval: &Eval<'a>, path: &str) -> Value<'a> {
    let text = &*eval.bump().alloc_str(path);
    let context = Context::new(eval.bump(), vec![Element::Opaque(text)]);
    eval.arena_string(text.as_bytes(), context)
}

fn path<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let mut what = Copy { path: String::new(), name: String::new(), filter: None, recursive: true, expected: None };
    let set = eval.force_attrs(args[0])?;
    for attr in set.all() {
        let name = eval.symbols().text(attr.name);
        match name.as_str() {
            "path" => what.path = eval.readable_path(attr.value())?,
            "name" => what.name = String::from_utf8_lossy(eval.force_plain(attr.value())?).into_owned(),
            "filter" => what.filter = Some(eval.force_function(attr.value())?),
            "recursive" => what.recursive = eval.force_bool(attr.value())?,
            "sha256" => {
                let text = String::from_utf8_lossy(eval.force_plain(attr.value())?).into_owned();
                what.expected = Some(crate::derivations::parse_output_hash(&text, Some(HashAlgo::Sha256))?);
            }
            other => return Err(Error::eval(format!("unsupported argument '{other}' to 'builtins.path'"))),
        }
    }
    if what.path.is_empty() {
        return Err(Error::eval("missing required 'path' attribute in the first argument to 'builtins.path'"));
    }
    if what.name.is_empty() {
        what.name = what.path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    copy(eval, &what)
}

fn store_path<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    if eval.settings().pure {
        return Err(Error::new(ErrorKind::Restricted, "'builtins.storePath' is not allowed in pure evaluation mode"));
    }
    let text = eval.coerce(args[0], Coerce::PATH_SEGMENT)?;
    let path = text.to_string_lossy();
    let (store_path, _) =
        eval.store_dir().split(&path).map_err(|_| Error::eval(format!("path '{path}' is not in the Nix store")))?;
    eval.io().ensure_path(&store_path).map_err(|e| eval.io_error(&e))?;
    let root = &*eval.bump().alloc_str(&eval.store_dir().display(&store_path));
    let own = Context::new(eval.bump(), vec![Element::Opaque(root)]);
    let context = Context::union(eval.bump(), text.context(), own);
    Ok(eval.arena_string(text.as_bytes(), context))
}

fn to_file<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let name = String::from_utf8_lossy(eval.force_plain(args[0])?).into_owned();
    let text = eval.force_str(args[1])?;
    let mut references = BTreeSet::new();
    for element in text.context().map_or(&[][..], Context::elements) {
        match element {
            Element::Opaque(path) => {
                references.insert(eval.store_path(path)?);
            }
            Element::DrvDeep(drv) | Element::Built(drv, _) => {
                return Err(Error::eval(format!(
                    "files created by builtins.toFile may not reference derivations, but {name} references {drv}"
                )));
            }
        }
    }
    let path = eval
        .store_dir()
        .make_text_path(&name, text.as_bytes(), references.clone())
        .map_err(|e| Error::eval(e.to_string()))?;
    let references: Vec<_> = references.into_iter().collect();
    eval.io().add_text(&path, text.as_bytes(), &references).map_err(|e| eval.io_error(&e))?;
    eval.derivations.borrow_mut().texts.insert(path.clone(), references);
    Ok(opaque(eval, &eval.store_dir().display(&path)))
}
