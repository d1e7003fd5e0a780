//! The `.drv` file: an ATerm, one line without spaces.
//!
//! `Derive([outputs],[inputDrvs],[inputSrcs],system,builder,[args],[env])`; an output is `(name,path,[method]algo,hash)`,
//! an input `(drvPath,[outputs])`, a variable `(name,value)`. In strings `\n \r \t \" \\` are escaped, nothing else.
//! A file with dynamic inputs is `DrvWithVersion("xp-dyn-drv",…)` instead, and in it the outputs of an input may be
//! `([outputs],[(output,outputs)])`: what is needed of the derivations that some outputs are, at any depth.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use bstr::{BString, ByteSlice as _};

use super::modulo::OutputPaths;
use super::{Derivation, DerivationOutput, InputOutputs};
use crate::content_address::{ContentAddress, ContentAddressMethod};
use crate::hash::{Hash, HashAlgo, HashError};
use crate::store_path::{StoreDir, StorePath, StorePathError};

/// Why bytes are not a derivation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Something else was expected.
    #[error("derivation `{name}` is malformed at byte {offset}: expected {expected}")]
    Expected {
        /// The derivation's name.
        name: String,
        /// Where, in bytes from the beginning.
        offset: usize,
        /// What should have come.
        expected: &'static str,
    },
    /// A path is none.
    #[error("derivation `{name}` holds a bad store path")]
    Path {
        /// The derivation's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: StorePathError,
    },
    /// An output's hash is none.
    #[error("derivation `{name}` holds a bad output hash")]
    Hash {
        /// The derivation's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: HashError,
    },
}

/// An input as it is printed, sorted by the text: its path in files, its hash when computing a hash modulo.
pub(super) type PrintedInput<'d> = (String, Cow<'d, InputOutputs>);

/// How a file begins, without and with dynamic inputs.
const PLAIN: &[u8] = b"Derive(";
const DYNAMIC: &[u8] = b"DrvWithVersion(\"xp-dyn-drv\",";

/// Deeper nesting is no file that anything writes, and would be read by recursion.
const MAX_DEPTH: usize = 64;

/// The file's bytes, and where in them the inputs stand.
pub(super) fn print(drv: &Derivation, dir: &StoreDir) -> (Vec<u8>, Range<usize>) {
    let inputs: Vec<PrintedInput<'_>> =
        drv.input_drvs.iter().map(|(path, outputs)| (dir.display(path), Cow::Borrowed(outputs))).collect();
    print_with(drv, dir, OutputPaths::Keep, &inputs)
}

pub(super) fn print_with(
    drv: &Derivation,
    dir: &StoreDir,
    paths: OutputPaths,
    inputs: &[PrintedInput<'_>],
) -> (Vec<u8>, Range<usize>) {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(if drv.has_dynamic_inputs() { DYNAMIC } else { PLAIN });
    print_list(&mut out, &drv.outputs, |out, (name, output)| {
        let [path, algo, hash] = output_fields(output, dir, paths);
        print_tuple(out, &[name, &path, &algo, &hash]);
    });
    out.push(b',');
    let inputs_start = out.len();
    print_inputs(&mut out, inputs);
    let inputs_end = out.len();
    out.push(b',');
    print_list(&mut out, &drv.input_srcs, |out, path| print_string(out, dir.display(path).as_bytes()));
    out.push(b',');
    print_string(&mut out, &drv.system);
    out.push(b',');
    print_string(&mut out, &drv.builder);
    out.push(b',');
    print_list(&mut out, &drv.args, |out, arg| print_string(out, arg));
    out.push(b',');
    print_list(&mut out, &drv.env, |out, (name, value)| {
        let masked = paths == OutputPaths::Mask && drv.outputs.contains_key(name);
        out.push(b'(');
        print_string(out, name.as_bytes());
        out.push(b',');
        print_string(out, if masked { b"" } else { value });
        out.push(b')');
    });
    out.push(b')');
    (out, inputs_start..inputs_end)
}

pub(super) fn print_inputs(out: &mut Vec<u8>, inputs: &[PrintedInput<'_>]) {
    print_list(out, inputs, |out, (key, outputs)| print_input(out, key, outputs));
}

fn print_input(out: &mut Vec<u8>, key: &str, outputs: &InputOutputs) {
    out.push(b'(');
    print_string(out, key.as_bytes());
    out.push(b',');
    let print_names = |out: &mut Vec<u8>| print_list(out, &outputs.names, |out, n| print_string(out, n.as_bytes()));
    if outputs.dynamic.is_empty() {
        print_names(out);
    } else {
        out.push(b'(');
        print_names(out);
        out.push(b',');
        print_list(out, &outputs.dynamic, |out, (key, outputs)| print_input(out, key, outputs));
        out.push(b')');
    }
    out.push(b')');
}

fn output_fields(output: &DerivationOutput, dir: &StoreDir, paths: OutputPaths) -> [String; 3] {
    let shown = |path: &StorePath| match paths {
        OutputPaths::Keep => dir.display(path),
        OutputPaths::Mask => String::new(),
    };
    match output {
        DerivationOutput::InputAddressed { path } => [shown(path), String::new(), String::new()],
        DerivationOutput::Fixed { path, address } => {
            let algo = format!("{}{}", address.method.prefix(), address.hash.algo());
            [shown(path), algo, address.hash.to_base16()]
        }
        DerivationOutput::Floating { method, algo } => {
            [String::new(), format!("{}{algo}", method.prefix()), String::new()]
        }
        DerivationOutput::Deferred => [String::new(), String::new(), String::new()],
        DerivationOutput::Impure { method, algo } => {
            [String::new(), format!("{}{algo}", method.prefix()), "impure".to_owned()]
        }
    }
}

fn print_list<I: IntoIterator>(out: &mut Vec<u8>, items: I, print: impl Fn(&mut Vec<u8>, I::Item)) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        print(out, item);
    }
    out.push(b']');
}

fn print_tuple(out: &mut Vec<u8>, fields: &[&str]) {
    out.push(b'(');
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        print_string(out, field.as_bytes());
    }
    out.push(b')');
}

fn print_string(out: &mut Vec<u8>, mut text: &[u8]) {
    out.push(b'"');
    // Most texts are short, and few need an escape.
    while let Some(i) = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t')) {
        out.extend_from_slice(&text[..i]);
        out.extend_from_slice(match text[i] {
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        text = &text[i + 1..];
    }
    out.extend_from_slice(text);
    out.push(b'"');
}

pub(super) fn parse(name: &str, bytes: &[u8], dir: &StoreDir) -> Result<Derivation, ParseError> {
    let mut parser = Parser { name, bytes, offset: 0, dir };
    let is_dynamic = bytes.starts_with(DYNAMIC);
    parser.expect(if is_dynamic { DYNAMIC } else { PLAIN }, "`Derive(` or `DrvWithVersion(\"xp-dyn-drv\",`")?;
    let outputs = parser.list(Parser::output)?;
    parser.comma()?;
    let input_drvs = parser.list(|parser| parser.input(is_dynamic))?;
    parser.comma()?;
    let input_srcs = parser.list(Parser::path)?;
    parser.comma()?;
    let system = parser.string()?;
    parser.comma()?;
    let builder = parser.string()?;
    parser.comma()?;
    let args = parser.list(Parser::string)?;
    parser.comma()?;
    let env = parser.list(Parser::variable)?;
    parser.expect(b")", "`)`")?;
    if parser.offset != bytes.len() {
        return Err(parser.error("the end of the file"));
    }
    Ok(Derivation {
        name: name.to_owned(),
        outputs: outputs.into_iter().collect(),
        input_drvs: input_drvs.into_iter().collect(),
        input_srcs: input_srcs.into_iter().collect(),
        system,
        builder,
        args,
        env: env.into_iter().collect(),
    })
}

struct Parser<'b> {
    name: &'b str,
    bytes: &'b [u8],
    offset: usize,
    dir: &'b StoreDir,
}

impl Parser<'_> {
    fn error(&self, expected: &'static str) -> ParseError {
        ParseError::Expected { name: self.name.to_owned(), offset: self.offset, expected }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.offset..]
    }

    fn expect(&mut self, text: &[u8], what: &'static str) -> Result<(), ParseError> {
        if !self.rest().starts_with(text) {
            return Err(self.error(what));
        }
        self.offset += text.len();
        Ok(())
    }

    fn comma(&mut self) -> Result<(), ParseError> {
        self.expect(b",", "`,`")
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, ParseError>) -> Result<Vec<T>, ParseError> {
        self.expect(b"[", "`[`")?;
        let mut items = Vec::new();
        while !self.rest().starts_with(b"]") {
            if !items.is_empty() {
                self.comma()?;
            }
            items.push(item(self)?);
        }
        self.offset += 1;
        Ok(items)
    }

    fn string(&mut self) -> Result<BString, ParseError> {
        self.expect(b"\"", "`\"`")?;
        let mut text = Vec::new();
        loop {
            let rest = &self.bytes[self.offset..];
            let Some(i) = rest.find_byteset(b"\"\\") else {
                return Err(self.error("a string's end"));
            };
            text.extend_from_slice(&rest[..i]);
            self.offset += i + 1;
            if rest[i] == b'"' {
                return Ok(text.into());
            }
            let Some(escaped) = rest.get(i + 1) else {
                return Err(self.error("an escaped character"));
            };
            text.push(match escaped {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => *other,
            });
            self.offset += 1;
        }
    }

    fn utf8(&mut self) -> Result<String, ParseError> {
        let text = self.string()?;
        String::from_utf8(text.into()).map_err(|_| self.error("UTF-8 text"))
    }

    fn path(&mut self) -> Result<StorePath, ParseError> {
        let text = self.utf8()?;
        self.parse_path(&text)
    }

    fn parse_path(&self, text: &str) -> Result<StorePath, ParseError> {
        self.dir.parse(text).map_err(|source| ParseError::Path { name: self.name.to_owned(), source })
    }

    fn input(&mut self, is_dynamic: bool) -> Result<(StorePath, InputOutputs), ParseError> {
        self.expect(b"(", "`(`")?;
        let path = self.path()?;
        self.comma()?;
        let outputs = self.input_outputs(if is_dynamic { MAX_DEPTH } else { 0 })?;
        self.expect(b")", "`)`")?;
        Ok((path, outputs))
    }

    /// What is needed of an input; `depth` is how deep dynamic ones may still nest.
    fn input_outputs(&mut self, depth: usize) -> Result<InputOutputs, ParseError> {
        if depth == 0 || !self.rest().starts_with(b"(") {
            let names: BTreeSet<String> = self.list(Self::utf8)?.into_iter().collect();
            return Ok(names.into());
        }
        self.expect(b"(", "`(`")?;
        let names = self.list(Self::utf8)?.into_iter().collect();
        self.comma()?;
        let dynamic = self.list(|parser| {
            parser.expect(b"(", "`(`")?;
            let name = parser.utf8()?;
            parser.comma()?;
            let outputs = parser.input_outputs(depth - 1)?;
            parser.expect(b")", "`)`")?;
            Ok((name, outputs))
        })?;
        self.expect(b")", "`)`")?;
        Ok(InputOutputs { names, dynamic: dynamic.into_iter().collect() })
    }

    fn variable(&mut self) -> Result<(String, BString), ParseError> {
        self.expect(b"(", "`(`")?;
        let name = self.utf8()?;
        self.comma()?;
        let value = self.string()?;
        self.expect(b")", "`)`")?;
        Ok((name, value))
    }

    fn output(&mut self) -> Result<(String, DerivationOutput), ParseError> {
        self.expect(b"(", "`(`")?;
        let name = self.utf8()?;
        self.comma()?;
        let path = self.utf8()?;
        self.comma()?;
        let algo = self.utf8()?;
        self.comma()?;
        let hash = self.utf8()?;
        self.expect(b")", "`)`")?;
        let output = match (path.is_empty(), algo.is_empty(), &*hash) {
            (true, true, _) => DerivationOutput::Deferred,
            (false, true, _) => DerivationOutput::InputAddressed { path: self.parse_path(&path)? },
            (_, false, "" | "impure") => {
                let (method, algo) = self.method(&algo)?;
                if hash.is_empty() {
                    DerivationOutput::Floating { method, algo }
                } else {
                    DerivationOutput::Impure { method, algo }
                }
            }
            (false, false, digits) => {
                let (method, algo) = self.method(&algo)?;
                let hash = Hash::parse(digits, Some(algo)).map_err(|source| self.hash_error(source))?;
                DerivationOutput::Fixed { path: self.parse_path(&path)?, address: ContentAddress { method, hash } }
            }
            (true, false, _) => return Err(self.error("the path of a fixed output")),
        };
        Ok((name, output))
    }

    fn method(&self, text: &str) -> Result<(ContentAddressMethod, HashAlgo), ParseError> {
        ContentAddressMethod::parse_with_algo(text).map_err(|source| self.hash_error(source))
    }

    fn hash_error(&self, source: HashError) -> ParseError {
        ParseError::Hash { name: self.name.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Derivation;
    use crate::store_path::StoreDir;

    const FIXED: &str = concat!(
        r#"Derive([("out","/nix/store/4q0pg5zpfmznxscq3avycvf9xdvx50n3-bar","r:sha256","#,
        r#""08813cbee9903c62be4c5027726a418a300da4500b2d369d3af9286f4815ceba")],"#,
        r#"[("/nix/store/ss2p4wmxijn652haqyd7dckxwl4c7hxx-bar.drv",["out"])],[],":",":","#,
        r#"["-c","a\"b\\c\nd\te\rf"],[("builder",":"),("name","bar")])"#
    );

    #[test]
    fn prints_back_what_it_parsed() {
        let dir = StoreDir::default();
        let drv = Derivation::parse("bar", FIXED.as_bytes(), &dir).unwrap();
        assert_eq!(drv.args[1], "a\"b\\c\nd\te\rf");
        assert!(drv.fixed_output().is_some());
        assert_eq!(String::from_utf8(drv.to_aterm(&dir)).unwrap(), FIXED);
    }

    const DYNAMIC: &str = concat!(
        r#"DrvWithVersion("xp-dyn-drv",[("out","","","")],"#,
        r#"[("/nix/store/ss2p4wmxijn652haqyd7dckxwl4c7hxx-bar.drv",(["out"],[("dev",["out"]),("out",([],[("a",["b"])]))]))],"#,
        r#"[],":",":",[],[])"#
    );

    #[test]
    fn dynamic_inputs_are_printed_back() {
        let dir = StoreDir::default();
        let drv = Derivation::parse("bar", DYNAMIC.as_bytes(), &dir).unwrap();
        assert!(drv.has_dynamic_inputs());
        assert_eq!(drv.input_drvs.values().next().unwrap().dynamic["out"].dynamic["a"].names.len(), 1);
        assert_eq!(String::from_utf8(drv.to_aterm(&dir)).unwrap(), DYNAMIC);
        let unversioned = DYNAMIC.replace(r#"DrvWithVersion("xp-dyn-drv","#, "Derive(");
        assert!(Derivation::parse("bar", unversioned.as_bytes(), &dir).is_err());
    }

    #[test]
    fn every_truncation_is_an_error() {
        for text in [FIXED, DYNAMIC] {
            for len in 0..text.len() {
                assert!(Derivation::parse("bar", &text.as_bytes()[..len], &StoreDir::default()).is_err(), "{len}");
            }
        }
    }
}
