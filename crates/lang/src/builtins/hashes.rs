//! Hashes.

use nix_formats::{Hash, HashAlgo};

use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::Value;

pub(super) const TABLE: Table = &[
    ("convertHash", 1, convert),
    ("hashFile", 2, |e, a| {
        let algo = algorithm(e, a[0])?;
        let path = e.readable_path(a[1])?;
        let bytes = e.io().read_file(&path).map_err(|error| e.io_error(&error))?;
        Ok(e.string(&Hash::of(algo, &bytes).to_base16()))
    }),
    ("hashString", 2, |e, a| {
        let algo = algorithm(e, a[0])?;
        let text = e.force_str(a[1])?;
        Ok(e.string(&Hash::of(algo, text.as_bytes()).to_base16()))
    }),
];

fn algorithm<'a>(eval: &Eval<'a>, value: Value<'a>) -> Res<HashAlgo> {
    let name = String::from_utf8_lossy(eval.force_plain(value)?).into_owned();
    name.parse().map_err(|_| unknown(&name))
}

fn unknown(name: &str) -> Error {
    Error::eval(format!("unknown hash algorithm '{name}', expect 'md5', 'sha1', 'sha256', or 'sha512'"))
}

fn convert<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let set = eval.force_attrs(args[0])?;
    let text = |name: &str| -> Res<Option<String>> {
        let Some(attr) = eval.get(set, name) else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(eval.force_plain(attr.value())?).into_owned()))
    };
    let need = |name: &str| {
        text(name)?.ok_or_else(|| Error::missing_attribute(eval, name.as_bytes(), diagnostics::Span::NONE, set))
    };
    let hash = need("hash")?;
    let algo = match text("hashAlgo")? {
        Some(name) => Some(name.parse::<HashAlgo>().map_err(|_| unknown(&name))?),
        None => None,
    };
    let format = need("toHashFormat")?;
    let hash = Hash::parse(&hash, algo).map_err(|e| Error::eval(e.to_string().replace('`', "'")))?;
    Ok(eval.string(&match format.as_str() {
        "base16" => hash.to_base16(),
        "nix32" | "base32" => hash.to_base32(),
        "base64" => hash.to_base64(),
        "sri" => hash.to_sri(),
        other => {
            return Err(Error::eval(format!(
                "unknown hash format '{other}', expect 'base16', 'base32', 'base64', or 'sri'"
            )));
        }
    }))
}
