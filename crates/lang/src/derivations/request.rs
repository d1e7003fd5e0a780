//! The attributes of `derivationStrict`, plain or structured, read and checked one by one. Nothing is computed from them
//! here.

use std::collections::BTreeMap;

use bstr::BString;
use nix_formats::{ContentAddressMethod, Hash, HashAlgo};

use super::failed;
use crate::attrs::{Attr, Attrs};
use crate::coerce::Coerce;
use crate::context::Context;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::Value;

/// What the attributes say, before it becomes a derivation.
#[derive(Default)]
pub(super) struct Request<'a> {
    pub(super) builder: Option<BString>,
    pub(super) system: Option<BString>,
    pub(super) args: Vec<BString>,
    pub(super) env: BTreeMap<String, BString>,
    pub(super) outputs: Vec<String>,
    pub(super) output_hash: Option<String>,
    pub(super) algo: Option<HashAlgo>,
    pub(super) method: Option<ContentAddressMethod>,
    pub(super) content_addressed: bool,
    pub(super) impure: bool,
    pub(super) context: Option<&'a Context<'a>>,
    pub(super) json: Option<Vec<u8>>,
}

impl<'a> Eval<'a> {
    fn flag(&self, attrs: &'a Attrs<'a>, name: syntax::Sym) -> Res<bool> {
        attrs.get(name).map_or(Ok(false), |attr| self.force_bool(attr.value()))
    }

    pub(super) fn read_request(&self, attrs: &'a Attrs<'a>) -> Res<Request<'a>> {
        let ignore_nulls = self.flag(attrs, self.names.ignore_nulls)?;
        let structured = self.flag(attrs, self.names.structured_attrs)?;
        let mut request = Request { outputs: vec!["out".to_owned()], ..Request::default() };
        if structured {
            request.json = Some(b"{".to_vec());
        }
        for attr in self.sorted_attrs(attrs) {
            if attr.name == self.names.ignore_nulls {
                continue;
            }
            let key = self.symbols().text(attr.name);
            self.read_attr(&mut request, &key, attr, ignore_nulls).map_err(|e| {
                let span = diagnostics::Span::at(attr.pos);
                e.step(span, format!("while evaluating attribute '{key}' of the derivation"))
            })?;
        }
        if let Some(mut json) = request.json.take() {
            json.push(b'}');
            request.env.insert("__json".to_owned(), json.into());
        }
        Ok(request)
    }

    fn read_attr(&self, request: &mut Request<'a>, key: &str, attr: &'a Attr<'a>, ignore_nulls: bool) -> Res<()> {
        let value = attr.value();
        if ignore_nulls && matches!(self.force(value)?, Value::Null) {
            return Ok(());
        }
        match key {
            "__contentAddressed" if self.force_bool(value)? => {
                self.require("ca-derivations")?;
                request.content_addressed = true;
                return Ok(());
            }
            "__impure" if self.force_bool(value)? => {
                self.require("impure-derivations")?;
                request.impure = true;
                return Ok(());
            }
            "args" => {
                for item in self.force_list(value)?.iter() {
                    let text = self.coerce(item, Coerce::DERIVATION)?;
                    request.context = Context::union(self.bump(), request.context, text.context());
                    request.args.push(text.as_bytes().into());
                }
                return Ok(());
            }
            _ => {}
        }
        if request.json.is_some() {
            self.read_structured(request, key, value)
        } else {
            self.read_plain(request, key, value)
        }
    }

    fn read_plain(&self, request: &mut Request<'a>, key: &str, value: Value<'a>) -> Res<()> {
        let text = self.coerce(value, Coerce::DERIVATION)?;
        request.context = Context::union(self.bump(), request.context, text.context());
        let bytes = text.as_bytes();
        match key {
            "builder" => request.builder = Some(bytes.into()),
            "system" => request.system = Some(bytes.into()),
            "outputHash" => request.output_hash = Some(text.to_string_lossy().into_owned()),
            "outputHashAlgo" => request.algo = parse_algo(&text.to_string_lossy()),
            "outputHashMode" => request.method = Some(parse_method(&text.to_string_lossy())?),
            "outputs" => {
                let names = text.to_string_lossy();
                request.outputs = check_outputs(names.split_ascii_whitespace())?;
            }
            _ => {}
        }
        request.env.insert(key.to_owned(), bytes.into());
        Ok(())
    }

    fn read_structured(&self, request: &mut Request<'a>, key: &str, value: Value<'a>) -> Res<()> {
        if key == "__structuredAttrs" {
            return Ok(());
        }
        let mut json = request.json.take().unwrap_or_default();
        if json.len() > 1 {
            json.push(b',');
        }
        let mut writer = crate::json::Writer::new(self, json);
        writer.string(key.as_bytes())?;
        writer.raw(b":");
        writer.value(value)?;
        let (json, context) = writer.finish();
        request.json = Some(json);
        request.context = Context::union(self.bump(), request.context, context);
        let text = |v| Ok::<String, Error>(String::from_utf8_lossy(self.force_plain(v)?).into_owned());
        match key {
            "builder" => {
                let text = self.force_str(value)?;
                request.context = Context::union(self.bump(), request.context, text.context());
                request.builder = Some(text.as_bytes().into());
            }
            "system" => request.system = Some(text(value)?.into()),
            "outputHash" => request.output_hash = Some(text(value)?),
            "outputHashAlgo" => request.algo = parse_algo(&text(value)?),
            "outputHashMode" => request.method = Some(parse_method(&text(value)?)?),
            "outputs" => {
                let names = self.force_list(value)?.iter().map(text).collect::<Res<Vec<String>>>()?;
                request.outputs = check_outputs(names.iter().map(String::as_str))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// An unknown algorithm is none: a hash in SRI notation names its own.
fn parse_algo(text: &str) -> Option<HashAlgo> {
    text.parse().ok()
}

fn parse_method(text: &str) -> Res<ContentAddressMethod> {
    match text {
        "recursive" | "nar" => Ok(ContentAddressMethod::NixArchive),
        "flat" => Ok(ContentAddressMethod::Flat),
        "git" => Ok(ContentAddressMethod::Git),
        "text" => Ok(ContentAddressMethod::Text),
        other => Err(failed(format!("invalid value '{other}' for 'outputHashMode' attribute"))),
    }
}

/// A hash of zeros stands for an empty text, as the reference does it.
pub(crate) fn parse_output_hash(text: &str, algo: Option<HashAlgo>) -> Res<Hash> {
    if text.is_empty() {
        let Some(algo) = algo else { return Err(failed("empty hash requires explicit hash algorithm")) };
        let zeros = vec![0; algo.digest_len()];
        return Hash::from_bytes(algo, &zeros).ok_or_else(|| failed("empty hash requires explicit hash algorithm"));
    }
    Hash::parse(text, algo).map_err(|e| failed(e.to_string().replace('`', "'")))
}

fn check_outputs<'n>(names: impl Iterator<Item = &'n str>) -> Res<Vec<String>> {
    let mut outputs: Vec<String> = Vec::new();
    for name in names {
        if outputs.iter().any(|o| o == name) {
            return Err(failed(format!("duplicate derivation output '{name}'")));
        }
        if name == "drvPath" {
            return Err(failed("invalid derivation output name 'drvPath'"));
        }
        outputs.push(name.to_owned());
    }
    if outputs.is_empty() {
        return Err(failed("derivation cannot have an empty set of outputs"));
    }
    Ok(outputs)
}
