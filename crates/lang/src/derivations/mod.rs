//! Derivations made by an evaluation: `derivationStrict`, its result, and the table of all of them.
//!
//! The .drv path and output paths are those of the reference; writing the file is the business of [`EvalIo`].
//!
//! [`EvalIo`]: crate::io::EvalIo

mod request;

use std::collections::{BTreeMap, BTreeSet};

use bstr::BString;
use hashbrown::HashMap;
use nix_formats::derivation::{DerivationHash, HashKind, OutputPaths};
use nix_formats::{
    ContentAddress, ContentAddressMethod, Derivation, DerivationOutput, HashAlgo, StoreDir, StorePath, placeholder,
};

use diagnostics::Pos;
use syntax::Sym;

use crate::attrs::{Attr, Attrs};
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::value::{Slot, Value};
use request::Request;

pub(crate) use request::parse_output_hash;

/// All derivations so far.
#[derive(Default)]
pub(crate) struct Derivations {
    table: HashMap<StorePath, Entry>,
    /// References of texts made by `toFile`, for closures.
    pub(crate) texts: HashMap<StorePath, Vec<StorePath>>,
}

/// What is still needed of a derivation after it was made; the whole of it would be most of an evaluation's memory.
struct Entry {
    hash: DerivationHash,
    /// With the paths that are known.
    outputs: Box<[(Box<str>, Option<StorePath>)]>,
    references: Box<[StorePath]>,
}

impl Entry {
    fn new(derivation: &Derivation, hash: DerivationHash, references: Vec<StorePath>) -> Self {
        Entry {
            hash,
            outputs: derivation.outputs.iter().map(|(name, o)| (name.as_str().into(), o.path().cloned())).collect(),
            references: references.into(),
        }
    }
}

/// A call of `derivation`, for its outputs.
struct Made<'a> {
    attrs: &'a Attrs<'a>,
    /// What `derivationStrict` gives.
    strict: Value<'a>,
    /// The outputs.
    names: &'a [Sym],
    /// What is given for each.
    sets: &'a [Slot<'a>],
    /// The list of them.
    all: Slot<'a>,
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Derivation, message)
}

impl<'a> Eval<'a> {
    /// The store directory.
    pub fn store_dir(&self) -> StoreDir {
        self.store_dir.clone()
    }

    /// `derivation`: the attributes with one attribute per output added, all lazy.
    pub(crate) fn make_derivation(&self, arg: Value<'a>) -> Res<Value<'a>> {
        let attrs = self.force_attrs(arg)?;
        let mut outputs = Vec::new();
        match attrs.get(self.names.outputs) {
            None => outputs.push(self.names.out),
            Some(attr) => {
                for output in self.force_list(attr.value())?.iter() {
                    outputs.push(self.attr_name(output)?);
                }
            }
        }
        if outputs.is_empty() {
            return Err(Error::eval("'builtins.head' called on an empty list"));
        }
        let made = &*self.bump().alloc(Made {
            attrs,
            strict: self.lazy(move |eval| eval.derivation_strict(attrs)),
            names: self.bump().alloc_slice_copy(&outputs),
            sets: self.bump().alloc_slice_fill_with(outputs.len(), |_| Slot::new(Value::Unset)),
            all: Slot::new(Value::Unset),
        });
        for (output, set) in outputs.into_iter().zip(made.sets) {
            set.state.set(self.suspended(move |eval| Ok(eval.output_set(made, output))));
        }
        made.all.state.set(self.suspended(move |eval| Ok(eval.list(made.sets.iter().map(Slot::value)))));
        // The very value that `all` and the output's name lead to.
        self.force(made.sets[0].value())
    }

    /// What `derivation` gives for one output. All outputs are in the set of each.
    fn output_set(&self, made: &'a Made<'a>, output: Sym) -> Value<'a> {
        let attr = |name, state| Attr::new(name, Pos::NONE, Slot::new(state));
        let selected = |name| Value::Inherit(self.bump().alloc((made.strict, name, Pos::NONE)));
        let mut own: Vec<Attr<'a>> = Vec::with_capacity(made.names.len() + 6);
        own.extend(made.names.iter().zip(made.sets).map(|(name, set)| attr(*name, set.value())));
        own.push(attr(self.names.all, made.all.value()));
        own.push(attr(self.names.drv_attrs, Value::Attrs(made.attrs)));
        own.push(attr(self.names.out_path, selected(output)));
        own.push(attr(self.names.drv_path, selected(self.names.drv_path)));
        own.push(attr(self.names.kind, self.sym_string(self.names.derivation)));
        own.push(attr(self.names.output_name, self.sym_string(output)));
        // Stable, so that the last of equal names comes last, and stays.
        own.sort_by_key(|a| a.name);
        own.dedup_by(|later, earlier| {
            let same = later.name == earlier.name;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        let moved = |a: &Attr<'a>| Attr::new(a.name, a.pos, Slot::new(a.slot.state.get()));
        Value::Attrs(match made.attrs.update_with(self.bump(), &own, moved) {
            Some(set) => set,
            None => {
                let own = self.bump().alloc(Attrs::sorted(self.bump().alloc_slice_fill_iter(own)));
                self.update(made.attrs, own)
            }
        })
    }

    /// `derivationStrict`: computes the derivation and gives its path and those of its outputs.
    pub(crate) fn derivation_strict(&self, attrs: &'a Attrs<'a>) -> Res<Value<'a>> {
        let name_attr = attrs
            .get(self.names.name)
            .ok_or_else(|| Error::missing_attribute(self, b"name", diagnostics::Span::NONE, attrs))?;
        let name = String::from_utf8_lossy(self.force_plain(name_attr.value())?).into_owned();
        self.derivation_named(attrs, &name).map_err(|e| {
            e.important_step(diagnostics::Span::at(name_attr.pos), format!("while evaluating derivation '{name}'"))
        })
    }

    fn derivation_named(&self, attrs: &'a Attrs<'a>, name: &str) -> Res<Value<'a>> {
        let request = self.read_request(attrs)?;
        let derivation = self.build_derivation(name, request)?;
        let file = derivation.file(&self.store_dir);
        let path = file.path(&self.store_dir, name).map_err(|e| failed(e.to_string()))?;
        let result = self.derivation_result(&path, &derivation)?;
        if self.derivations.borrow().table.contains_key(&path) {
            return Ok(result);
        }
        let hash = file.hash_modulo(&derivation, &self.store_dir, |input| self.input_hash(input))?;
        self.check_inputs(&derivation)?;
        self.io().add_derivation(&path, &derivation, &file).map_err(|e| self.io_error(&e))?;
        self.derivations.borrow_mut().table.insert(path, Entry::new(&derivation, hash, file.references));
        Ok(result)
    }

    /// Whether the inputs have the outputs that a derivation's hash is made of; a context made by hand may name others.
    fn check_inputs(&self, derivation: &Derivation) -> Res<()> {
        let table = self.derivations.borrow();
        for (path, wanted) in &derivation.input_drvs {
            // Inputs whose hashes were not asked for do not count.
            let Some(input) = table.table.get(path) else { continue };
            let missing = wanted.names.iter().find(|name| input.outputs.iter().all(|(output, _)| **output != ***name));
            if let Some(name) = missing {
                let path = self.store_dir.display(path);
                return Err(failed(format!("derivation '{path}' has no output '{name}'")));
            }
        }
        Ok(())
    }

    /// The hash of an input derivation: made here, or read from the store.
    fn input_hash(&self, path: &StorePath) -> Res<DerivationHash> {
        if let Some(entry) = self.derivations.borrow().table.get(path) {
            return Ok(entry.hash);
        }
        let derivation = self.io().read_derivation(path).map_err(|e| self.io_error(&e))?;
        let hash = derivation.hash_modulo(&self.store_dir, OutputPaths::Keep, |input| self.input_hash(input))?;
        let references = derivation.references().into_iter().collect();
        self.derivations.borrow_mut().table.insert(path.clone(), Entry::new(&derivation, hash, references));
        Ok(hash)
    }

    fn build_derivation(&self, name: &str, request: Request<'a>) -> Res<Derivation> {
        let builder =
            request.builder.filter(|b| !b.is_empty()).ok_or_else(|| failed("required attribute 'builder' missing"))?;
        let system =
            request.system.filter(|s| !s.is_empty()).ok_or_else(|| failed("required attribute 'system' missing"))?;
        let method = request.method.unwrap_or(ContentAddressMethod::Flat);
        if name.ends_with(".drv") && (method != ContentAddressMethod::Text || request.outputs != ["out"]) {
            return Err(failed(
                "derivation names are allowed to end in '.drv' only if they produce a single derivation file",
            ));
        }
        nix_formats::store_path::check_name(name).map_err(|e| {
            let reason = e.to_string().replace("store path ", "").replace('`', "'");
            failed(format!("invalid derivation name: {reason}. Please pass a different 'name'."))
        })?;
        let mut derivation = Derivation {
            name: name.to_owned(),
            outputs: BTreeMap::new(),
            input_drvs: BTreeMap::new(),
            input_srcs: BTreeSet::new(),
            system,
            builder,
            args: request.args,
            env: request.env,
        };
        self.add_inputs(&mut derivation, request.context)?;
        if let Some(text) = &request.output_hash {
            if request.outputs != ["out"] {
                return Err(failed("multiple outputs are not supported in fixed-output derivations"));
            }
            let hash = parse_output_hash(text, request.algo)?;
            if method == ContentAddressMethod::Git && hash.algo() != HashAlgo::Sha1 {
                return Err(failed("Git file ingestion must use SHA-1 hash"));
            }
            let output = DerivationOutput::fixed(&self.store_dir, name, "out", ContentAddress { method, hash })
                .map_err(|e| failed(e.to_string()))?;
            if let Some(path) = output.path() {
                derivation.env.insert("out".to_owned(), self.store_dir.display(path).into());
            }
            derivation.outputs.insert("out".to_owned(), output);
            return Ok(derivation);
        }
        if request.content_addressed && request.impure {
            return Err(failed("derivation cannot be both content-addressed and impure"));
        }
        if request.content_addressed || request.impure {
            let algo = request.algo.unwrap_or(HashAlgo::Sha256);
            let method = request.method.unwrap_or(ContentAddressMethod::NixArchive);
            for output in request.outputs {
                derivation.env.insert(output.clone(), placeholder::own_output(&output).into());
                let kind = if request.impure {
                    DerivationOutput::Impure { method, algo }
                } else {
                    DerivationOutput::Floating { method, algo }
                };
                derivation.outputs.insert(output, kind);
            }
            return Ok(derivation);
        }
        self.fill_outputs(&mut derivation, request.outputs)?;
        Ok(derivation)
    }

    /// Input-addressed outputs: their paths follow from everything else.
    fn fill_outputs(&self, derivation: &mut Derivation, outputs: Vec<String>) -> Res<()> {
        for output in &outputs {
            derivation.env.insert(output.clone(), BString::default());
            derivation.outputs.insert(output.clone(), DerivationOutput::Deferred);
        }
        let hash = derivation.hash_modulo(&self.store_dir, OutputPaths::Mask, |input| self.input_hash(input))?;
        if hash.kind == HashKind::Deferred {
            return Ok(());
        }
        for output in outputs {
            let path = self
                .store_dir
                .make_output_path(&output, &hash.hash, &derivation.name)
                .map_err(|e| failed(e.to_string()))?;
            derivation.env.insert(output.clone(), self.store_dir.display(&path).into());
            derivation.outputs.insert(output, DerivationOutput::InputAddressed { path });
        }
        Ok(())
    }

    /// The path of a derivation; that of one made here is not parsed and not copied.
    fn known_path(&self, text: &str) -> Res<StorePath> {
        let base_name = text.strip_prefix(self.store_dir.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let table = self.derivations.borrow();
        match base_name.and_then(|base_name| table.table.get_key_value(base_name)) {
            Some((path, _)) => Ok(path.clone()),
            None => self.store_path(text),
        }
    }

    pub(crate) fn store_path(&self, text: &str) -> Res<StorePath> {
        self.store_dir.parse(text).map_err(|e| failed(e.to_string()))
    }

    /// The path of an output as strings have it: the path itself where it is known, else a placeholder. `made` is a
    /// derivation's path, or `path^output^…` for one that some derivation makes.
    pub(crate) fn output_text(&self, made: &str, output: &str) -> Res<String> {
        let mut chain = made.split('^');
        let drv = self.store_path(chain.next().unwrap_or_default())?;
        let chain: Vec<&str> = chain.collect();
        if !chain.is_empty() {
            return Ok(placeholder::computed_output(&drv, &chain, output));
        }
        let table = self.derivations.borrow();
        let path_of =
            |e: &Entry| e.outputs.iter().find(|(name, _)| **name == *output).and_then(|(_, path)| path.clone());
        let known = table.table.get(&drv).map(path_of);
        drop(table);
        let found = match known {
            Some(found) => found,
            // A derivation that nobody knows has placeholders alone.
            None => self.io.read_derivation(&drv).ok().and_then(|d| d.outputs.get(output)?.path().cloned()),
        };
        Ok(match found {
            Some(path) => self.store_dir.display(&path),
            None => placeholder::unknown_output(&drv, output),
        })
    }

    fn add_inputs(&self, derivation: &mut Derivation, context: Option<&'a Context<'a>>) -> Res<()> {
        for element in context.map_or(&[][..], Context::elements) {
            match element {
                Element::Opaque(path) => {
                    derivation.input_srcs.insert(self.store_path(path)?);
                }
                Element::Built(drv, output) => {
                    let mut chain = drv.split('^');
                    let drv = self.known_path(chain.next().unwrap_or_default())?;
                    let input = derivation.input_drvs.entry(drv).or_default();
                    input.at(chain).names.insert((*output).to_owned());
                }
                Element::DrvDeep(drv) => self.add_closure(derivation, self.store_path(drv)?)?,
            }
        }
        Ok(())
    }

    /// A derivation as a file, with everything it refers to and all their outputs.
    fn add_closure(&self, derivation: &mut Derivation, root: StorePath) -> Res<()> {
        let mut todo = vec![root];
        while let Some(path) = todo.pop() {
            if !derivation.input_srcs.insert(path.clone()) {
                continue;
            }
            if !path.is_derivation() {
                todo.extend(self.derivations.borrow().texts.get(&path).into_iter().flatten().cloned());
                continue;
            }
            self.input_hash(&path)?;
            let table = self.derivations.borrow();
            let Some(entry) = table.table.get(&path) else { continue };
            let outputs = entry.outputs.iter().map(|(name, _)| String::from(&**name)).collect();
            todo.extend(entry.references.iter().cloned());
            derivation.input_drvs.entry(path).or_default().names = outputs;
        }
        Ok(())
    }

    fn derivation_result(&self, path: &StorePath, derivation: &Derivation) -> Res<Value<'a>> {
        let drv_path = &*self.bump().alloc_str(&self.store_dir.display(path));
        let none = diagnostics::Pos::NONE;
        let mut set = self.attrs();
        let context = Context::new(self.bump(), vec![Element::DrvDeep(drv_path)]);
        set.insert(self.names.drv_path, none, self.arena_string(drv_path.as_bytes(), context));
        for (name, output) in &derivation.outputs {
            let sym = self.sym(name);
            let text = match output.path() {
                Some(path) => self.store_dir.display(path),
                None => placeholder::unknown_output(path, name),
            };
            let name = String::from_utf8_lossy(self.symbols().bytes(sym));
            let name = match name {
                std::borrow::Cow::Borrowed(name) => name,
                std::borrow::Cow::Owned(name) => &*self.bump().alloc_str(&name),
            };
            let context = Context::new(self.bump(), vec![Element::Built(drv_path, name)]);
            set.insert(sym, none, self.arena_string(self.bump().alloc_str(&text).as_bytes(), context));
        }
        Ok(set.finish())
    }
}
