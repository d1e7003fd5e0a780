//! From a list of modules to all modules: functions called, paths imported, `imports` followed, `disabledModules` left
//! out, each module once.

use std::collections::{HashMap, HashSet, VecDeque};

use diagnostics::{Pos, Span};
use lang::{Coerce, Error, ErrorKind, Eval, Res, Value};
use syntax::Sym;

use crate::definition::Raw;
use crate::errors;
use crate::evaluation::Evaluation;
use crate::loc::Name;
use crate::system::System;
use crate::types::is_function;

/// A module ready to be merged.
#[derive(Clone, Copy)]
pub(crate) struct Module<'a> {
    pub(crate) file: Value<'a>,
    pub(crate) options: Option<(Value<'a>, Pos)>,
    pub(crate) config: &'a [Raw<'a>],
    pub(crate) shorthand: Form,
}

/// Whether a module has `config` and `options` or is all configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Full,
    Shorthand,
}

impl Form {
    /// Whether an attribute of the configuration belongs to the module itself instead.
    pub(crate) fn hides(self, system: &System<'_>, name: Sym) -> bool {
        let n = &system.names;
        self == Form::Shorthand
            && [n.class, n.file_attr, n.key, n.disabled_modules, n.require, n.imports, n.freeform_type].contains(&name)
    }
}

/// A module as given, and the file to name when it names none.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// A list of modules.
    List(Value<'a>),
    /// A module with a file.
    Module(Value<'a>, Value<'a>, Pos),
    /// A set of definitions, in no need of interpretation.
    Config(Raw<'a>),
    /// `_module.args.name`, at the priority of an option's default or plain.
    Name(Name),
}

/// A loaded module with what it refers to.
struct Loaded<'a> {
    key: Option<String>,
    module: Module<'a>,
    imports: Vec<usize>,
}

struct Collector<'e, 'a> {
    eval: &'e Eval<'a>,
    evaluation: &'a Evaluation<'a>,
    all: Vec<Loaded<'a>>,
    by_key: HashMap<String, usize>,
    disabled: HashSet<String>,
}

/// All modules, in the order their definitions count: what is imported comes before who imports it.
///
/// # Errors
/// When a module cannot be loaded.
pub(crate) fn collect<'a>(eval: &Eval<'a>, evaluation: &'a Evaluation<'a>) -> Res<&'a [Module<'a>]> {
    let mut collector =
        Collector { eval, evaluation, all: Vec::new(), by_key: HashMap::new(), disabled: HashSet::new() };
    let mut top = Vec::new();
    for input in evaluation.inputs {
        collector.input(*input, &mut top)?;
    }
    top.push(collector.internal());
    let mut ordered = collector.ordered(top);
    ordered.reverse();
    Ok(eval.bump().alloc_slice_copy(&ordered))
}

impl<'a> Collector<'_, 'a> {
    fn names(&self) -> &'a crate::names::Names {
        &self.evaluation.system.names
    }

    fn input(&mut self, input: Input<'a>, out: &mut Vec<usize>) -> Res<()> {
        match input {
            Input::List(list) => {
                let unknown = self.eval.string("<unknown-file>");
                for module in self.eval.force_list(list)?.iter() {
                    out.push(self.load(module, unknown, Pos::NONE)?);
                }
            }
            Input::Module(module, file, pos) => out.push(self.load(module, file, pos)?),
            Input::Config(raw) => {
                let module = Module { file: raw.file, options: None, config: self.raws(&[raw]), shorthand: Form::Full };
                out.push(self.add(None, module));
            }
            Input::Name(name) => {
                let file = self.eval.string("lib/types.nix");
                let value =
                    self.nested(&[self.names().module, self.names().args, self.names().name], name.value(self.eval));
                let raw = Raw::new(file, Pos::NONE, value);
                out.push(
                    self.add(None, Module { file, options: None, config: self.raws(&[raw]), shorthand: Form::Full }),
                );
            }
        }
        Ok(())
    }

    fn raws(&self, raws: &[Raw<'a>]) -> &'a [Raw<'a>] {
        self.eval.bump().alloc_slice_copy(raws)
    }

    fn nested(&self, path: &[Sym], value: Value<'a>) -> Value<'a> {
        path.iter().rev().fold(value, |inner, name| {
            let mut set = self.eval.attrs();
            set.insert(*name, Pos::NONE, inner);
            set.finish()
        })
    }

    fn add(&mut self, key: Option<String>, module: Module<'a>) -> usize {
        self.all.push(Loaded { key, module, imports: Vec::new() });
        self.all.len() - 1
    }

    /// The module every evaluation has: `_module.args` and its companions.
    fn internal(&mut self) -> usize {
        let file = self.eval.string("lib/modules.nix");
        let raw = Raw::new(file, Pos::NONE, self.evaluation.internal_config(self.eval));
        let options = self.evaluation.system.internal_options(self.eval);
        let module =
            Module { file, options: Some((options, Pos::NONE)), config: self.raws(&[raw]), shorthand: Form::Full };
        self.add(None, module)
    }

    // ---- loading

    fn load(&mut self, value: Value<'a>, file: Value<'a>, pos: Pos) -> Res<usize> {
        let eval = self.eval;
        let value = eval.force(value)?;
        let names = self.names();
        match value {
            Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => {
                let module = self.call(value, file)?;
                self.load_set(module, file, None)
            }
            Value::Attrs(set) => match set.get(names.underscore_type).map(|a| eval.force(a.value())).transpose()? {
                None => match set.get(names.functor_call) {
                    Some(_) if is_function(eval, self.evaluation.system, value)? => {
                        let module = self.call(value, file)?;
                        self.load_set(module, file, None)
                    }
                    _ if set.get(names.out_path).is_some() => self.load_path(value, pos),
                    _ => self.load_set(value, file, None),
                },
                Some(Value::String(kind)) => match kind.as_bytes() {
                    b"module" => self.load_set(value, file, None),
                    b"if" | b"override" | b"merge" | b"order" => {
                        let raw = Raw::new(file, pos, value);
                        let module = Module { file, options: None, config: self.raws(&[raw]), shorthand: Form::Full };
                        Ok(self.add(None, module))
                    }
                    other => Err(self.not_a_module(
                        &format!("a value of type `{}`", String::from_utf8_lossy(other)),
                        file,
                        pos,
                    )),
                },
                Some(other) => Err(self.not_a_module(errors::a_type(other), file, pos)),
            },
            Value::Path(_) | Value::String(_) => self.load_path(value, pos),
            Value::List(_) => {
                let error = self.not_a_module("a list", file, pos);
                Err(error.hint("is there a second pair of brackets, or `import ./x.nix` of a list?"))
            }
            other => Err(self.not_a_module(errors::a_type(other), file, pos)),
        }
    }

    fn not_a_module(&self, what: &str, file: Value<'a>, pos: Pos) -> Error {
        let message = format!("expected a module, but found {what} in `{}`", errors::file_text(self.eval, file));
        errors::error(errors::code::MODULE, message).label(Span::at(pos), "imported here")
    }

    /// A file: once, however often it is imported.
    fn load_path(&mut self, value: Value<'a>, pos: Pos) -> Res<usize> {
        let text = self.eval.coerce(value, Coerce::TO_STRING)?;
        let path = text.to_string_lossy().into_owned();
        if !path.starts_with('/') {
            let message = format!("a module's path must be absolute, but is {}", errors::json_string(&path));
            return Err(errors::error(errors::code::MODULE, message)
                .label(Span::at(pos), "imported here")
                .hint("write a path, such as `./x.nix`, without quotes"));
        }
        if let Some(known) = self.by_key.get(&path) {
            return Ok(*known);
        }
        let file = self.eval.string(&path);
        let in_module = |e: Error| e.step(Span::at(pos), format!("while loading the module `{path}`"));
        // A string may name what has to be built first.
        if let Value::Path(_) = value {
            self.check_exists(&path, pos)?;
        }
        if path.ends_with(".toml") {
            let module = crate::toml::load(self.eval, self.evaluation, &path).map_err(in_module)?;
            return self.load_toml(module, file, path);
        }
        let module = self.import(value, &path).map_err(in_module)?;
        let module = match is_function(self.eval, self.evaluation.system, module)? {
            true => self.call(module, file)?,
            false => module,
        };
        self.load_set(module, file, Some(path))
    }

    /// A module that is not there is the most common mistake: named where it is imported, with what may be meant.
    fn check_exists(&self, path: &str, pos: Pos) -> Res<()> {
        let io = self.eval.io();
        // What cannot be looked at is `import`'s to say.
        if !matches!(io.file_type(path), Ok(None)) {
            return Ok(());
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let beside = io.read_dir(if folder.is_empty() { "/" } else { folder }).unwrap_or_default();
        let modules = beside.keys().map(|n| String::from_utf8_lossy(n).into_owned());
        let near = errors::nearest(name, modules);
        let error = errors::error(errors::code::MODULE, format!("the module `{path}` does not exist"))
            .label(self.eval.name_span(pos), "imported here");
        let near: Vec<String> = near.into_iter().map(|n| format!("./{n}")).collect();
        Err(match errors::did_you_mean(&near) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    fn import(&self, value: Value<'a>, path: &str) -> Res<Value<'a>> {
        match value {
            Value::Path(_) => self.eval.eval_file(path),
            // A string may refer to something that has to be built first: `import` sees to that.
            _ => {
                let import = self.eval.eval_string("import", "«module system»", "/")?;
                self.eval.call(import, &[value])
            }
        }
    }

    /// A TOML module only sets options.
    fn load_toml(&mut self, toml: crate::toml::TomlModule<'a>, file: Value<'a>, path: String) -> Res<usize> {
        let raw = Raw { toml: Some(toml.file), ..Raw::new(file, Pos::NONE, toml.config) };
        let module = Module { file, options: None, config: self.raws(&[raw]), shorthand: Form::Full };
        let index = self.add(Some(path.clone()), module);
        self.by_key.insert(path, index);
        let imports = toml.imports.into_iter().map(|(import, pos)| (self.eval.path(&import), pos)).collect();
        self.follow(index, imports, file)?;
        Ok(index)
    }

    /// Calls a module that is a function; arguments it names and that nobody gave come from `_module.args`.
    fn call(&self, function: Value<'a>, file: Value<'a>) -> Res<Value<'a>> {
        let args = self.evaluation.arguments_for(self.eval, function)?;
        let result = self.eval.call(function, &[args]).map_err(|e| {
            let e = match e.kind() {
                ErrorKind::InfiniteRecursion => {
                    e.hint("what a module imports and which options it has cannot depend on `config`")
                }
                _ => e,
            };
            e.step(Span::NONE, format!("while calling the module `{}`", errors::file_text(self.eval, file)))
        })?;
        match result {
            Value::Attrs(_) => Ok(result),
            other => {
                Err(self.not_a_module(&format!("a function that returns {}", errors::a_type(other)), file, Pos::NONE))
            }
        }
    }

    /// A module that is a set.
    fn load_set(&mut self, value: Value<'a>, file: Value<'a>, path: Option<String>) -> Res<usize> {
        let Value::Attrs(set) = value else {
            return Err(self.not_a_module(errors::a_type(value), file, Pos::NONE));
        };
        let eval = self.eval;
        let names = self.names();
        let get = |name: Sym| set.get(name);
        let file = match get(names.file_attr) {
            Some(own) => eval.force(own.value())?,
            None => file,
        };
        self.check_class(get(names.class).map(lang::Attr::value), file)?;
        let key = match get(names.key) {
            Some(own) => Some(eval.coerce(own.value(), Coerce::TO_STRING)?.to_string_lossy().into_owned()),
            None => path,
        };
        if let Some(known) = key.as_ref().and_then(|k| self.by_key.get(k)) {
            return Ok(*known);
        }
        let full = get(names.config).is_some() || get(names.options).is_some();
        if full {
            self.check_attributes(set, file)?;
        }
        let mut config = Vec::new();
        match get(names.config) {
            Some(own) => config.push(Raw::new(file, own.pos, own.value())),
            None if full => {}
            None => config.push(Raw::new(file, Pos::NONE, value)),
        }
        if let Some(freeform) = get(names.freeform_type) {
            let value = self.nested(&[names.module, names.freeform_type], freeform.value());
            config.push(Raw::new(file, freeform.pos, value));
        }
        if let (true, Some(meta)) = (full, get(names.meta)) {
            config.push(Raw::new(file, meta.pos, self.nested(&[names.meta], meta.value())));
        }
        let module = Module {
            file,
            options: get(names.options).map(|o| (o.value(), o.pos)),
            config: self.raws(&config),
            shorthand: if full { Form::Full } else { Form::Shorthand },
        };
        let index = self.add(key.clone(), module);
        if let Some(key) = key {
            self.by_key.insert(key, index);
        }
        self.disable(get(names.disabled_modules).map(lang::Attr::value))?;
        for name in [names.require, names.imports] {
            let Some(list) = get(name) else { continue };
            let value = eval.force(list.value())?;
            let Value::List(imports) = value else {
                let what = errors::a_type(value);
                let message = format!(
                    "`{}` in `{}` must be a list, but is {what}",
                    eval.symbols().text(name),
                    errors::file_text(eval, file)
                );
                return Err(
                    errors::error(errors::code::MODULE, message).label(eval.name_span(list.pos), "defined here")
                );
            };
            self.follow(index, imports.iter().map(|import| (import, list.pos)).collect(), file)?;
        }
        Ok(index)
    }

    /// Loads what a module imports; all that cannot be loaded is one error.
    fn follow(&mut self, index: usize, imports: Vec<(Value<'a>, Pos)>, file: Value<'a>) -> Res<()> {
        let mut wrong = Vec::new();
        for (import, pos) in imports {
            match self.load(import, file, pos) {
                Ok(imported) => self.all[index].imports.push(imported),
                Err(error) => wrong.push(error),
            }
        }
        match Error::together(wrong) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn check_class(&self, class: Option<Value<'a>>, file: Value<'a>) -> Res<()> {
        let (Some(own), wanted) = (class, self.evaluation.class) else { return Ok(()) };
        let (Value::String(own), Value::String(wanted)) = (self.eval.force(own)?, self.eval.force(wanted)?) else {
            return Ok(());
        };
        if own.as_bytes() == wanted.as_bytes() {
            return Ok(());
        }
        let message = format!(
            "the module `{}` (class: \"{}\") cannot be imported into a module evaluation that expects class \"{}\"",
            errors::file_text(self.eval, file),
            own.to_string_lossy(),
            wanted.to_string_lossy()
        );
        Err(errors::error(errors::code::MODULE, message))
    }

    /// A module with `config` or `options` has nothing but the attributes of modules.
    fn check_attributes(&self, set: &'a lang::Attrs<'a>, file: Value<'a>) -> Res<()> {
        let n = self.names();
        let known = [
            n.class,
            n.file_attr,
            n.key,
            n.disabled_modules,
            n.require,
            n.imports,
            n.options,
            n.config,
            n.meta,
            n.freeform_type,
            n.underscore_type,
        ];
        let mut error: Option<Error> = None;
        for attr in self.eval.sorted_attrs(set) {
            if known.contains(&attr.name) {
                continue;
            }
            let name = self.eval.symbols().text(attr.name);
            let current = error.take().unwrap_or_else(|| {
                let file = errors::place_text(self.eval, file, attr.pos);
                let message = format!("the module `{file}` has an unsupported attribute `{name}`");
                errors::error(errors::code::MODULE, message).hint(
                    "a module with `config` or `options` sets its options inside of `config`: move this there, or remove the explicit `config` attribute",
                )
            });
            error = Some(current.label(self.eval.name_span(attr.pos), "defined here"));
        }
        error.map_or(Ok(()), Err)
    }

    // ---- leaving out

    fn disable(&mut self, list: Option<Value<'a>>) -> Res<()> {
        let Some(list) = list else { return Ok(()) };
        for item in self.eval.force_list(list)?.iter() {
            let key = match self.eval.force(item)? {
                Value::String(s) if !s.as_bytes().starts_with(b"/") => {
                    format!("{}/{}", self.evaluation.modules_path(self.eval)?, s.to_string_lossy())
                }
                Value::Attrs(set) if set.get(self.names().key).is_some() => {
                    let key = self.eval.select(Value::Attrs(set), "key")?;
                    self.eval.coerce(key, Coerce::TO_STRING)?.to_string_lossy().into_owned()
                }
                other => self.eval.coerce(other, Coerce::TO_STRING)?.to_string_lossy().into_owned(),
            };
            self.disabled.insert(key);
        }
        Ok(())
    }

    /// Breadth first, as `genericClosure` goes: each module once, none that is disabled.
    fn ordered(self, top: Vec<usize>) -> Vec<Module<'a>> {
        let mut seen = vec![false; self.all.len()];
        let mut queue = VecDeque::from(top);
        let mut ordered = Vec::with_capacity(self.all.len());
        while let Some(index) = queue.pop_front() {
            let loaded = &self.all[index];
            if loaded.key.as_ref().is_some_and(|k| self.disabled.contains(k))
                || std::mem::replace(&mut seen[index], true)
            {
                continue;
            }
            ordered.push(loaded.module);
            queue.extend(&loaded.imports);
        }
        ordered
    }
}
