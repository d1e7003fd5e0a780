//! Values to strings, and the typed `force_*` family.

use crate::attrs::Attrs;
use crate::context::{Context, Element, Union};
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::string::{Str, concat};
use crate::value::{Bool, List, Value};

/// What may become a string, and how.
#[derive(Clone, Copy, Debug)]
pub struct Coerce {
    /// Numbers, booleans, null and lists too (`toString`, derivation attributes).
    pub more: bool,
    /// Paths are copied to the store rather than written as they are.
    pub copy: bool,
}

impl Coerce {
    /// `"${x}"`
    pub const INTERPOLATION: Coerce = Coerce { more: false, copy: true };
    /// `"" + x`
    pub const CONCATENATION: Coerce = Coerce { more: false, copy: true };
    /// `./. + x` and `./${x}`
    pub const PATH_SEGMENT: Coerce = Coerce { more: false, copy: false };
    /// `builtins.toString`
    pub const TO_STRING: Coerce = Coerce { more: true, copy: false };
    /// Attributes of a derivation.
    pub const DERIVATION: Coerce = Coerce { more: true, copy: true };
}

/// What every 64-bit integer fits in, with its sign.
pub(crate) const MAX_DIGITS: usize = 20;

/// Writes an integer to the beginning of a buffer of at least [`MAX_DIGITS`]; how many bytes it took.
pub(crate) fn write_int(n: i64, buffer: &mut [u8]) -> usize {
    use std::io::Write;
    let len = buffer.len();
    let mut rest = buffer;
    // Cannot fail: there is room.
    let _ = write!(rest, "{n}");
    len - rest.len()
}

impl<'a> Eval<'a> {
    /// A value as a string with its context.
    ///
    /// # Errors
    /// When it cannot become one this way.
    pub fn coerce(&self, value: Value<'a>, how: Coerce) -> Res<&'a Str<'a>> {
        let value = self.force(value)?;
        let text = match value {
            Value::String(s) => return Ok(s),
            Value::Path(p) if how.copy => return self.path_in_store(p),
            Value::Path(p) => return Ok(p),
            Value::Attrs(set) => return self.coerce_set(set, how),
            Value::Bool(Bool::True) if how.more => "1".to_owned(),
            Value::Bool(Bool::False) | Value::Null if how.more => String::new(),
            Value::Int(n) if how.more => return Ok(self.int_string(n)),
            Value::Float(n) if how.more && n.get().is_finite() => format!("{:.6}", n.get()),
            Value::Float(n) if how.more => crate::print::float(n.get()),
            Value::List(list) if how.more => return self.coerce_list(list, how),
            other => {
                let message = format!(
                    "cannot coerce {} to a string: {}",
                    crate::print::describe_type(other),
                    self.show_short(other)
                );
                let error = Error::type_error(message);
                return Err(match other {
                    Value::Int(_) | Value::Float(_) => error.hint("`toString` makes a string of it"),
                    Value::List(_) => error.hint("`toString` or `builtins.concatStringsSep` make a string of a list"),
                    _ => error,
                });
            }
        };
        Ok(self.new_str(text.as_bytes(), None))
    }

    fn int_string(&self, n: i64) -> &'a Str<'a> {
        let mut buffer = [0u8; MAX_DIGITS];
        let len = write_int(n, &mut buffer);
        self.new_str(&buffer[..len], None)
    }

    pub(crate) fn new_str(&self, bytes: &[u8], context: Option<&'a Context<'a>>) -> &'a Str<'a> {
        self.bump().alloc(Str::flat(self.bump().alloc_slice_copy(bytes), context))
    }

    fn coerce_set(&self, set: &'a Attrs<'a>, how: Coerce) -> Res<&'a Str<'a>> {
        if let Some(to_string) = set.get(self.names.to_string) {
            let text = self.call(to_string.value(), &[Value::Attrs(set)])?;
            return self.one_level_down(|| self.coerce(text, how));
        }
        match set.get(self.names.out_path) {
            Some(out) => self.one_level_down(|| self.coerce(out.value(), how)),
            None => Err(Error::type_error(format!(
                "cannot coerce a set to a string: {}",
                self.show_short(Value::Attrs(set))
            ))),
        }
    }

    /// Elements separated by spaces; an empty list that is not the last element leaves no second space.
    fn coerce_list(&self, list: &'a List<'a>, how: Coerce) -> Res<&'a Str<'a>> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut context = Union::default();
        for (i, item) in list.iter().enumerate() {
            let item = self.force(item)?;
            let text = self.one_level_down(|| self.coerce(item, how))?;
            context.add(text.context());
            parts.push(text.as_bytes());
            let empty_list = matches!(item, Value::List(l) if l.is_empty());
            if i + 1 < list.len() && !empty_list {
                parts.push(b" ");
            }
        }
        Ok(self.bump().alloc(Str::flat(concat(self.bump(), &parts), context.finish(self.bump()))))
    }

    /// Copies a path to the store; the result refers to the copy.
    fn path_in_store(&self, path: &Str<'a>) -> Res<&'a Str<'a>> {
        let text = path.to_string_lossy();
        let copied = self.copied.borrow().get(&*text).copied();
        let stored = match copied {
            Some(stored) => stored,
            None => self.copy_path(&text)?,
        };
        let context = Context::new(self.bump(), vec![Element::Opaque(stored)]);
        Ok(self.bump().alloc(Str::flat(stored.as_bytes(), context)))
    }

    fn copy_path(&self, path: &str) -> Res<&'a str> {
        if path.ends_with(".drv") && path.starts_with(&self.settings.store_dir) {
            return Err(Error::eval(format!("file names are not allowed to end in '.drv': '{path}'")));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let request = crate::io::CopyRequest { path, name, recursive: true, expected: None, filter: None };
        let stored = self.io.copy_to_store(request).map_err(|e| self.copy_error(e))?;
        let stored = &*self.bump().alloc_str(&format!("{}/{stored}", self.settings.store_dir));
        self.copied.borrow_mut().insert(path.to_owned(), stored);
        Ok(stored)
    }

    pub(crate) fn copy_error(&self, error: crate::io::CopyError) -> Error {
        match error {
            crate::io::CopyError::Io(e) => self.io_error(&e),
            crate::io::CopyError::Filter(e) => *e,
        }
    }

    // ---- typed forcing

    /// An integer.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_int(&self, value: Value<'a>) -> Res<i64> {
        match self.force(value)? {
            Value::Int(n) => Ok(n),
            other => Err(Error::expected(self, "an integer", other)),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    #[allow(clippy::cast_precision_loss, reason = "the language converts integers to floats this way")]
    pub fn force_float(&self, value: Value<'a>) -> Res<f64> {
        match self.force(value)? {
            Value::Int(n) => Ok(n as f64),
            Value::Float(n) => Ok(n.get()),
            other => Err(Error::expected(self, "a float", other)),
        }
    }

    /// A Boolean.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_bool(&self, value: Value<'a>) -> Res<bool> {
        match self.force(value)? {
            Value::Bool(b) => Ok(b.get()),
            other => Err(Error::expected(self, "a Boolean", other)),
        }
    }

    /// A string, context and all.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_str(&self, value: Value<'a>) -> Res<&'a Str<'a>> {
        match self.force(value)? {
            Value::String(s) => Ok(s),
            other => Err(Error::expected(self, "a string", other)),
        }
    }

    /// The bytes of a string that refers to nothing in the store.
    ///
    /// # Errors
    /// When the value is no string or has a context.
    pub fn force_plain(&self, value: Value<'a>) -> Res<&'a [u8]> {
        let text = self.force_str(value)?;
        match text.context() {
            None => Ok(text.as_bytes()),
            Some(context) => Err(Error::eval(format!(
                "the string '{}' is not allowed to refer to a store path (such as '{}')",
                text.to_string_lossy(),
                crate::run::context_example(context)
            ))),
        }
    }

    /// A list.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_list(&self, value: Value<'a>) -> Res<&'a List<'a>> {
        match self.force(value)? {
            Value::List(l) => Ok(l),
            other => Err(Error::expected(self, "a list", other)),
        }
    }

    /// An attribute set.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_attrs(&self, value: Value<'a>) -> Res<&'a Attrs<'a>> {
        match self.force(value)? {
            Value::Attrs(a) => Ok(a),
            other => Err(Error::expected(self, "a set", other)),
        }
    }

    /// A function or a set that can be called.
    ///
    /// # Errors
    /// When the value is none, or its evaluation fails.
    pub fn force_function(&self, value: Value<'a>) -> Res<Value<'a>> {
        let value = self.force(value)?;
        match value {
            Value::Lambda(_) | Value::Native(_) | Value::Partial(_) => Ok(value),
            Value::Attrs(set) if set.get(self.names.functor).is_some() => Ok(value),
            other => Err(Error::expected(self, "a function", other)),
        }
    }

    /// Forces everything inside a value.
    ///
    /// # Errors
    /// Whatever the first failing part runs into.
    pub fn force_deep(&self, value: Value<'a>) -> Res<Value<'a>> {
        let mut seen = hashbrown::HashSet::new();
        self.force_deep_seen(value, &mut seen)
    }

    fn force_deep_seen(&self, value: Value<'a>, seen: &mut hashbrown::HashSet<usize>) -> Res<Value<'a>> {
        let value = self.force(value)?;
        match value {
            Value::List(list) if !list.is_empty() && seen.insert(std::ptr::from_ref(list).addr()) => {
                for item in list.iter() {
                    self.deep_step(item, seen)?;
                }
            }
            Value::Attrs(set) if seen.insert(std::ptr::from_ref(set).addr()) => {
                for attr in set.all() {
                    self.deep_step(attr.value(), seen).map_err(|e| {
                        let name = self.symbols().text(attr.name);
                        e.step(diagnostics::Span::at(attr.pos), format!("while evaluating the attribute '{name}'"))
                    })?;
                }
            }
            _ => {}
        }
        Ok(value)
    }

    fn deep_step(&self, value: Value<'a>, seen: &mut hashbrown::HashSet<usize>) -> Res<()> {
        match value.peek() {
            Value::Int(_) | Value::Bool(_) | Value::Null | Value::String(_) | Value::Float(_) | Value::Path(_) => {
                Ok(())
            }
            value => self.one_level_down(|| self.force_deep_seen(value, seen)).map(|_| ()),
        }
    }
}
