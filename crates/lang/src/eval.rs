//! The evaluator as other packages use it: make one, register builtins, evaluate, look at values, build values.
//!
//! ```
//! use bumpalo::Bump;
//! use lang::{Eval, Settings, Value, io::PureIo};
//! use std::rc::Rc;
//!
//! let bump = Bump::new();
//! let eval = Eval::new(&bump, Rc::new(PureIo), Settings::default());
//! eval.register_native("__double", 1, |eval, args| Ok(Value::Int(eval.force_int(args[0])? * 2)));
//! let value = eval.eval_string("{ a = builtins.__double 21; }", "«example»", "/")?;
//! let a = eval.select(value, "a")?;
//! assert_eq!(eval.force_int(a)?, 42);
//! # Ok::<(), lang::Error>(())
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use bumpalo::Bump;
use diagnostics::{Pos, SourceMap};
use hashbrown::HashMap;
use syntax::{Features, Sym, Symbols};

use crate::attrs::{Attr, Attrs};
use crate::code::ThunkCode;
use crate::compile::{Globals, Surroundings, compile};
use crate::context::{Context, Element};
use crate::derivations::Derivations;
use crate::error::{Error, ErrorKind, Res};
use crate::interrupt::Interrupt;
use crate::io::EvalIo;
use crate::names::Names;
use crate::string::Str;
use crate::value::{External, List, NativeFn, Partial, Slot, Value};

/// How to evaluate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Logical store directory.
    pub store_dir: String,
    /// `builtins.currentSystem`, which exists only in impure evaluation.
    pub system: String,
    /// No environment, no clock, no search path.
    pub pure: bool,
    /// Nested calls allowed.
    pub max_call_depth: u32,
    /// Grammar behind feature names.
    pub features: Features,
    /// What the reference has behind feature names; see [`Settings::EXPERIMENTAL`].
    pub experimental: BTreeSet<String>,
    /// Whether `builtins.traceVerbose` prints.
    pub trace_verbose: bool,
    /// Leaves functions, lists, sets and sums unevaluated until something wants them. Costs time; what is printed of a
    /// value that is not evaluated throughout is then what the reference prints.
    pub suspend_literals: bool,
    /// Where relative entries of a search path start.
    pub folder: String,
    /// Home directory for `~/…` paths.
    pub home: Option<String>,
}

impl Settings {
    /// The features that are on unless something else is asked for: all that take nothing from the stable language.
    pub const EXPERIMENTAL: &[&str] = &[
        "ca-derivations",
        "dynamic-derivations",
        "fetch-closure",
        "fetch-tree",
        "flakes",
        "git-hashing",
        "impure-derivations",
    ];
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            store_dir: "/nix/store".to_owned(),
            system: format!("{}-linux", std::env::consts::ARCH),
            pure: true,
            max_call_depth: 10_000,
            features: Features::default(),
            experimental: Settings::EXPERIMENTAL.iter().map(|name| (*name).to_owned()).collect(),
            trace_verbose: false,
            suspend_literals: false,
            folder: "/".to_owned(),
            home: None,
        }
    }
}

/// An evaluation. Values live as long as the arena `'a`.
pub struct Eval<'a> {
    bump: &'a Bump,
    pub(crate) io: Rc<dyn EvalIo>,
    pub(crate) settings: Settings,
    symbols: Symbols<'a>,
    pub(crate) names: Names,
    name_strings: RefCell<Vec<Option<&'a Str<'a>>>>,
    pub(crate) sources: RefCell<SourceMap>,
    /// Of texts that were not compiled throughout.
    pub(crate) surroundings: RefCell<Vec<Surroundings<'a>>>,
    pub(crate) globals: RefCell<Rc<Globals<'a>>>,
    pub(crate) builtins: RefCell<Vec<(Sym, Value<'a>)>>,
    builtins_slot: &'a Slot<'a>,
    pub(crate) imports: RefCell<HashMap<String, Value<'a>>>,
    pub(crate) derivations: RefCell<Derivations>,
    pub(crate) regexes: crate::regex::Cache,
    pub(crate) store_dir: nix_formats::StoreDir,
    pub(crate) copied: RefCell<HashMap<String, &'a str>>,
    pub(crate) call_depth: Cell<u32>,
    pub(crate) interrupt: Interrupt,
    pub(crate) native_depth: Cell<u32>,
    /// How far below some value is what is being compared or converted.
    pub(crate) nesting: Cell<u32>,
    /// The error of the evaluation that just failed.
    pub(crate) failure: Cell<Option<Error>>,
    empty_list: &'a List<'a>,
    empty_attrs: &'a Attrs<'a>,
    empty_string: &'a Str<'a>,
}

impl<'a> Eval<'a> {
    /// An evaluator whose values live in `bump` and that sees the world through `io`.
    pub fn new(bump: &'a Bump, io: Rc<dyn EvalIo>, mut settings: Settings) -> Self {
        settings.features.pipe_operators |= settings.experimental.contains("pipe-operators");
        let symbols = Symbols::new(bump);
        let names = Names::new(&symbols);
        let eval = Eval {
            bump,
            io,
            names,
            symbols,
            name_strings: RefCell::new(Vec::new()),
            sources: RefCell::new(SourceMap::new()),
            surroundings: RefCell::new(Vec::new()),
            globals: RefCell::new(Rc::new(Globals::with_hasher(foldhash::fast::FixedState::with_seed(0)))),
            builtins: RefCell::new(Vec::new()),
            builtins_slot: bump.alloc(Slot::new(Value::Unset)),
            imports: RefCell::new(HashMap::new()),
            derivations: RefCell::new(Derivations::default()),
            regexes: crate::regex::Cache::default(),
            store_dir: nix_formats::StoreDir::new(&settings.store_dir),
            copied: RefCell::new(HashMap::new()),
            call_depth: Cell::new(0),
            interrupt: Interrupt::new(settings.max_call_depth),
            native_depth: Cell::new(0),
            nesting: Cell::new(0),
            failure: Cell::new(None),
            settings,
            empty_list: bump.alloc(List { items: &[] }),
            empty_attrs: bump.alloc(Attrs::sorted(&[])),
            empty_string: bump.alloc(Str::flat(b"", None)),
        };
        crate::builtins::install(&eval);
        eval
    }

    /// The arena.
    pub fn bump(&self) -> &'a Bump {
        self.bump
    }

    /// How this evaluator was set up.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The world as this evaluator sees it.
    pub fn io(&self) -> &dyn EvalIo {
        &*self.io
    }

    /// The handle that ends what this evaluator does.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Whether a feature of the reference's list of experimental ones is on.
    pub(crate) fn has_feature(&self, name: &str) -> bool {
        self.settings.experimental.contains(name)
    }

    /// Errors when a feature is off.
    pub(crate) fn require(&self, name: &str) -> Res<()> {
        if self.has_feature(name) {
            return Ok(());
        }
        Err(Error::eval(format!(
            "experimental Nix feature '{name}' is disabled; add '--extra-experimental-features {name}' to enable it"
        )))
    }

    // ---- evaluating texts

    /// Evaluates a text called `name`; relative paths in it start at `base_dir`.
    ///
    /// # Errors
    /// Whatever is wrong with the text or its evaluation.
    pub fn eval_string(&self, text: &str, name: &str, base_dir: &str) -> Res<Value<'a>> {
        let globals = self.globals.borrow().clone();
        self.on_large_stack(|| {
            let code = self.parse_with(text.as_bytes().into(), name, false, base_dir, &globals)?;
            self.force(self.thunk_value(code))
        })
    }

    /// Evaluates a text that sees some names before all global ones.
    ///
    /// # Errors
    /// Whatever is wrong with the text or its evaluation.
    pub fn eval_in_scope(&self, scope: &[(Sym, Value<'a>)], text: &str, name: &str, base_dir: &str) -> Res<Value<'a>> {
        let mut globals = (**self.globals.borrow()).clone();
        globals.extend(scope.iter().copied());
        let globals = Rc::new(globals);
        self.on_large_stack(|| {
            let code = self.parse_with(text.as_bytes().into(), name, false, base_dir, &globals)?;
            self.force(self.thunk_value(code))
        })
    }

    /// Reads files anew from now on.
    pub fn forget_files(&self) {
        self.imports.borrow_mut().clear();
    }

    /// All names that a text may use without defining them.
    pub fn global_names(&self) -> Vec<String> {
        self.globals.borrow().keys().map(|name| self.symbols.text(*name)).collect()
    }

    /// Evaluates a file, or `default.nix` in a directory; a file is evaluated once only.
    ///
    /// # Errors
    /// When it cannot be read, or whatever is wrong with it.
    pub fn eval_file(&self, path: &str) -> Res<Value<'a>> {
        self.on_large_stack(|| self.eval_file_here(path))
    }

    fn eval_file_here(&self, path: &str) -> Res<Value<'a>> {
        let path = self.resolve_import(path)?;
        if let Some(value) = self.imports.borrow().get(&path) {
            return self.force(*value);
        }
        let globals = self.globals.borrow().clone();
        let code = self.parse_file(&path, &globals)?;
        let value = self.thunk_value(code);
        self.imports.borrow_mut().insert(path, value);
        self.force(value)
    }

    /// How a text is understood, as `nix-instantiate --parse` prints it. Names are checked, nothing is evaluated.
    ///
    /// # Errors
    /// Whatever is wrong with the text.
    pub fn show_parsed(&self, text: &[u8], name: &str, is_file: bool, base_dir: &str) -> Res<Vec<u8>> {
        let globals = self.globals.borrow().clone();
        self.on_large_stack(|| {
            self.parse_with(text.into(), name, is_file, base_dir, &globals)?;
            let tree_bump = Bump::new();
            let tree = syntax::parse(text, Pos::NONE, &self.symbols, &tree_bump, self.settings.features)
                .map_err(|error| self.syntax_error(error))?;
            let absolute = |literal: &[u8]| {
                let path = self.literal_path(literal, base_dir, diagnostics::Span::NONE);
                path.unwrap_or_else(|_| literal.to_vec())
            };
            Ok(syntax::print::print(&tree, &self.symbols, &absolute))
        })
    }

    pub(crate) fn parse_file(&self, path: &str, globals: &Rc<Globals<'a>>) -> Res<&'a ThunkCode<'a>> {
        let text: Rc<[u8]> = self.io.read_file(path).map_err(|e| self.io_error(&e))?.into();
        let base_dir = path.rsplit_once('/').map_or("/", |(dir, _)| if dir.is_empty() { "/" } else { dir });
        self.parse_with(text, path, true, base_dir, globals)
    }

    #[allow(clippy::too_many_arguments, reason = "what a text is, in one place")]
    fn parse_with(
        &self,
        text: Rc<[u8]>,
        name: &str,
        is_file: bool,
        base_dir: &str,
        globals: &Rc<Globals<'a>>,
    ) -> Res<&'a ThunkCode<'a>> {
        let base = self
            .sources
            .borrow_mut()
            .add(name.to_owned(), text.clone(), is_file)
            .ok_or_else(|| Error::eval(format!("'{name}' is too large")))?;
        let tree_bump = Bump::new();
        let tree = syntax::parse_keeping_texts(&text, base, &self.symbols, &tree_bump, self.settings.features)
            .map_err(|error| self.syntax_error(error))?;
        compile(self, &tree, globals, base_dir)
    }

    /// The reference names the first definition in the first line.
    #[cold]
    fn syntax_error(&self, mut error: syntax::SyntaxError) -> Error {
        if let ("duplicate-attribute", Some((first, _))) = (error.code, error.related) {
            if let Some(at) = self.location(first.start) {
                error.message = format!("{} at {}:{}:{}", error.message, at.file, at.line, at.column);
            }
        }
        error.into()
    }

    fn thunk_value(&self, code: &'a ThunkCode<'a>) -> Value<'a> {
        Value::Thunk(self.bump.alloc(Slot::new(Value::Code0(code))))
    }

    // ---- builtins

    /// Adds a function to `builtins` (and, when its name starts with `__`, to the global names). Only texts evaluated
    /// afterwards see it.
    pub fn register_native<F>(&self, name: &str, arity: usize, code: F)
    where
        F: Fn(&Eval<'a>, &[Value<'a>]) -> Res<Value<'a>> + 'a,
    {
        let value = self.native_fn(name, arity, code);
        self.register_value(name, value);
    }

    /// Adds any value to `builtins`, and to the global names when its name starts with `__`.
    pub fn register_value(&self, name: &str, value: Value<'a>) {
        let sym = self.sym(name);
        self.add_builtin(sym, value);
        if name.starts_with("__") {
            self.add_global(sym, value);
        }
        self.rebuild_builtins();
    }

    pub(crate) fn add_builtin(&self, name: Sym, value: Value<'a>) {
        let mut all = self.builtins.borrow_mut();
        all.retain(|b| b.0 != name);
        all.push((name, value));
    }

    pub(crate) fn add_global(&self, name: Sym, value: Value<'a>) {
        Rc::make_mut(&mut self.globals.borrow_mut()).insert(name, value);
    }

    /// Makes the set `builtins` from what was added.
    pub(crate) fn rebuild_builtins(&self) {
        let mut set = self.attrs();
        for (name, value) in self.builtins.borrow().iter() {
            set.insert(*name, Pos::NONE, *value);
        }
        set.insert(self.names.builtins, Pos::NONE, Value::Thunk(self.builtins_slot));
        self.builtins_slot.state.set(set.finish());
        self.add_global(self.names.builtins, Value::Thunk(self.builtins_slot));
    }

    /// A function in Rust. What `code` captures must be `Copy` data or arena references: it is never dropped.
    pub fn native_fn<F>(&self, name: &str, arity: usize, code: F) -> Value<'a>
    where
        F: Fn(&Eval<'a>, &[Value<'a>]) -> Res<Value<'a>> + 'a,
    {
        let code = self.bump.alloc(code);
        Value::Native(self.bump.alloc(NativeFn { name: self.bump.alloc_str(name), arity, code }))
    }

    /// A value computed by `code` when it is first forced. What `code` captures is never dropped.
    pub fn lazy<F>(&self, code: F) -> Value<'a>
    where
        F: Fn(&Eval<'a>) -> Res<Value<'a>> + 'a,
    {
        Value::Thunk(self.bump.alloc(Slot::new(self.suspended(code))))
    }

    /// Rust code as the content of a slot.
    pub(crate) fn suspended<F>(&self, code: F) -> Value<'a>
    where
        F: Fn(&Eval<'a>) -> Res<Value<'a>> + 'a,
    {
        let code: &'a crate::value::LazyCode<'a> = self.bump.alloc(code);
        Value::LazyNative(self.bump.alloc(code))
    }

    /// A value of another package.
    pub fn external(&self, type_name: &'static str, data: &'a dyn std::any::Any, values: &[Value<'a>]) -> Value<'a> {
        let values = self.bump.alloc_slice_copy(values);
        Value::External(self.bump.alloc(External { type_name, data, values }))
    }

    /// `f x`, to be applied when needed.
    pub fn lazy_call(&self, function: Value<'a>, arg: Value<'a>) -> Value<'a> {
        Value::Thunk(self.bump.alloc(Slot::new(Value::Apply(self.bump.alloc((function, arg))))))
    }

    pub(crate) fn partial(&self, function: Value<'a>, args: &[Value<'a>]) -> Value<'a> {
        Value::Partial(self.bump.alloc(Partial { function, args: self.bump.alloc_slice_copy(args) }))
    }

    // ---- symbols and places

    /// The table of names.
    pub fn symbols(&self) -> &Symbols<'a> {
        &self.symbols
    }

    /// The symbol for a name.
    pub fn sym(&self, name: &str) -> Sym {
        self.symbols.intern(name.as_bytes())
    }

    /// The symbol for the name that a string without context is. The string knows it from now on, and is the name's
    /// string if there was none.
    pub(crate) fn named_by(&self, text: &'a Str<'a>) -> Sym {
        let sym = self.symbols.intern_kept(text.as_bytes());
        let mut strings = self.name_strings.borrow_mut();
        let known = self.name_string(&mut strings, sym);
        match known {
            Some(known) => text.set_name_of(known),
            None => {
                text.set_name(self.bump, sym, self.symbols.bytes(sym));
                *known = Some(text);
            }
        }
        sym
    }

    fn name_string<'s>(&self, strings: &'s mut Vec<Option<&'a Str<'a>>>, sym: Sym) -> &'s mut Option<&'a Str<'a>> {
        let index = sym.0 as usize;
        if index >= strings.len() {
            strings.resize(self.symbols.len(), None);
        }
        &mut strings[index]
    }

    /// A name as a string value.
    pub fn sym_string(&self, sym: Sym) -> Value<'a> {
        let mut strings = self.name_strings.borrow_mut();
        Value::String(
            self.name_string(&mut strings, sym)
                .get_or_insert_with(|| self.bump.alloc(Str::name(self.bump, sym, self.symbols.bytes(sym)))),
        )
    }

    // ---- building values

    /// `[ ]`
    pub fn empty_list(&self) -> Value<'a> {
        Value::List(self.empty_list)
    }

    /// `{ }`
    pub fn empty_attrs(&self) -> Value<'a> {
        Value::Attrs(self.empty_attrs)
    }

    /// A list.
    pub fn list(&self, items: impl IntoIterator<Item = Value<'a>, IntoIter: ExactSizeIterator>) -> Value<'a> {
        let items = items.into_iter();
        if items.len() == 0 {
            return self.empty_list();
        }
        self.slots(self.bump.alloc_slice_fill_iter(items.map(Slot::new)))
    }

    pub(crate) fn slots(&self, items: &'a [Slot<'a>]) -> Value<'a> {
        Value::List(self.bump.alloc(List { items }))
    }

    /// A string without context.
    pub fn string(&self, text: &str) -> Value<'a> {
        self.bytes(text.as_bytes())
    }

    /// A string of bytes without context.
    pub fn bytes(&self, bytes: &[u8]) -> Value<'a> {
        if bytes.is_empty() {
            return Value::String(self.empty_string);
        }
        self.arena_string(self.bump.alloc_slice_copy(bytes), None)
    }

    pub(crate) fn arena_string(&self, bytes: &'a [u8], context: Option<&'a Context<'a>>) -> Value<'a> {
        Value::String(self.bump.alloc(Str::flat(bytes, context)))
    }

    /// A string with context.
    pub fn string_with_context(&self, text: &str, elements: Vec<Element<'a>>) -> Value<'a> {
        let context = Context::new(self.bump, elements);
        self.arena_string(self.bump.alloc_slice_copy(text.as_bytes()), context)
    }

    /// A path value; `path` must be absolute, it is normalised.
    pub fn path(&self, path: &str) -> Value<'a> {
        self.path_value(&crate::paths::normalise(path.as_bytes()))
    }

    pub(crate) fn path_value(&self, path: &[u8]) -> Value<'a> {
        Value::Path(self.bump.alloc(Str::flat(self.bump.alloc_slice_copy(path), None)))
    }

    /// Starts an attribute set.
    pub fn attrs(&self) -> AttrsBuilder<'_, 'a> {
        AttrsBuilder { eval: self, attrs: Vec::with_capacity(16) }
    }

    /// `left // right`
    pub fn update(&self, left: &'a Attrs<'a>, right: &'a Attrs<'a>) -> &'a Attrs<'a> {
        left.update(self.bump, right)
    }

    // ---- looking at values

    /// The attribute `name` of a set, forced.
    ///
    /// # Errors
    /// When the value is no set or lacks the attribute.
    pub fn select(&self, set: Value<'a>, name: &str) -> Res<Value<'a>> {
        let attrs = self.force_attrs(set)?;
        match self.get(attrs, name) {
            Some(attr) => self.force(attr.value()),
            None => Err(Error::missing_attribute(self, name.as_bytes(), diagnostics::Span::NONE, attrs)),
        }
    }

    /// The attribute `name`, if there is one.
    pub fn get(&self, attrs: &'a Attrs<'a>, name: &str) -> Option<&'a Attr<'a>> {
        attrs.get(self.symbols.lookup(name.as_bytes())?)
    }

    /// Attributes in the order of their names.
    pub fn sorted_attrs(&self, attrs: &'a Attrs<'a>) -> Vec<&'a Attr<'a>> {
        let names = self.symbols.names();
        let mut all: Vec<(u64, &'a [u8], &'a Attr<'a>)> = attrs
            .all()
            .iter()
            .map(|attr| {
                let name = names.bytes(attr.name);
                (beginning(name), name, attr)
            })
            .collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        all.into_iter().map(|a| a.2).collect()
    }

    /// A value as JSON; when it is not to be evaluated throughout, what is not evaluated yet is an error.
    ///
    /// # Errors
    /// When it cannot be JSON, or whatever evaluating it runs into.
    pub fn json(&self, value: Value<'a>, strict: bool) -> Res<Vec<u8>> {
        let mut writer = crate::json::Writer::new(self, Vec::new());
        writer.refuse_thunks = !strict;
        writer.value(value)?;
        Ok(writer.finish().0)
    }

    pub(crate) fn io_error(&self, error: &crate::io::IoError) -> Error {
        let kind = match error {
            crate::io::IoError::Forbidden { .. } => ErrorKind::Restricted,
            _ => ErrorKind::Io,
        };
        Error::new(kind, diagnostics::one_line(error))
    }
}

/// The first bytes of a name as a number with the same order; most names differ there already.
fn beginning(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = name.len().min(8);
    bytes[..len].copy_from_slice(&name[..len]);
    u64::from_be_bytes(bytes)
}

/// Whether a text breaks off in the middle: its first mistake is that it ends.
pub fn ends_early(text: &str) -> bool {
    let bump = Bump::new();
    let symbols = Symbols::new(&bump);
    let features = Features { pipe_operators: true };
    match syntax::parse(text.as_bytes(), Pos(1), &symbols, &bump, features) {
        Ok(_) => false,
        Err(error) => error.span.start.0 as usize > text.trim_end().len(),
    }
}

/// Builds an attribute set; a name given twice keeps the last value.
pub struct AttrsBuilder<'e, 'a> {
    eval: &'e Eval<'a>,
    attrs: Vec<Attr<'a>>,
}

impl<'a> AttrsBuilder<'_, 'a> {
    /// Adds an attribute without a place.
    #[must_use]
    pub fn entry(mut self, name: &str, value: Value<'a>) -> Self {
        self.insert(self.eval.sym(name), Pos::NONE, value);
        self
    }

    /// Adds an attribute defined at `pos`.
    pub fn insert(&mut self, name: Sym, pos: Pos, value: Value<'a>) {
        self.attrs.push(Attr::new(name, pos, Slot::new(value)));
    }

    /// Adds an attribute computed by `code` when it is first forced. What `code` captures is never dropped.
    pub fn insert_lazy<F>(&mut self, name: Sym, pos: Pos, code: F)
    where
        F: Fn(&Eval<'a>) -> Res<Value<'a>> + 'a,
    {
        self.attrs.push(Attr::new(name, pos, Slot::new(self.eval.suspended(code))));
    }

    pub(crate) fn insert_slot(&mut self, name: Sym, pos: Pos, slot: Slot<'a>) {
        self.attrs.push(Attr::new(name, pos, slot));
    }

    /// The set.
    pub fn finish(self) -> Value<'a> {
        Value::Attrs(self.finish_attrs())
    }

    /// The set, not wrapped in a value.
    pub fn finish_attrs(mut self) -> &'a Attrs<'a> {
        if !self.attrs.windows(2).all(|w| w[0].name < w[1].name) {
            // Stable, so that the last of equal names comes last, and stays.
            self.attrs.sort_by_key(|a| a.name);
            self.attrs.dedup_by(|later, earlier| {
                let same = later.name == earlier.name;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        self.eval.bump.alloc(Attrs::sorted(self.eval.bump.alloc_slice_fill_iter(self.attrs)))
    }
}
