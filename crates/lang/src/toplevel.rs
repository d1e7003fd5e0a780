//! What commands do with a value: supply arguments that were given on the command line, follow an attribute path, find
//! the derivations in it. The rules are those of `nix-instantiate`.

use diagnostics::{Pos, Span};

use crate::attrs::Attrs;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::Value;

impl<'a> Eval<'a> {
    /// Calls a function with a set pattern with what it wants of `args`; other values are left alone.
    ///
    /// # Errors
    /// When an argument without default is missing, or whatever the call runs into.
    pub fn auto_call(&self, function: Value<'a>, args: &'a Attrs<'a>) -> Res<Value<'a>> {
        let function = self.force(function)?;
        let closure = match function {
            Value::Attrs(set) => match set.get(self.names.functor) {
                Some(functor) => {
                    let inner = self.call(functor.value(), &[function])?;
                    return self.auto_call(inner, args);
                }
                None => return Ok(function),
            },
            Value::Lambda(closure) => closure,
            _ => return Ok(function),
        };
        let Some(formals) = closure.formals() else { return Ok(function) };
        let mut given = self.attrs();
        if formals.ellipsis {
            args.all().iter().for_each(|a| given.insert(a.name, a.pos, a.value()));
        } else {
            for (name, span, optional) in formals.iter() {
                match args.get(name) {
                    Some(arg) => given.insert(name, arg.pos, arg.value()),
                    None if optional => {}
                    None => return Err(self.argument_without_value(name, span)),
                }
            }
        }
        self.call(function, &[given.finish()])
    }

    #[cold]
    fn argument_without_value(&self, name: syntax::Sym, span: Span) -> Error {
        let name = self.symbols().text(name);
        Error::type_error(format!("cannot evaluate a function that has an argument without a value ('{name}')"))
            .at_span(span)
            .hint(format!("give it with `--arg {name} EXPRESSION` or `--argstr {name} TEXT`"))
    }

    /// Follows `a.b.0` from a value, calling functions on the way.
    ///
    /// # Errors
    /// When there is no such attribute or element.
    pub fn along_attr_path(&self, root: Value<'a>, path: &str, args: &'a Attrs<'a>) -> Res<Value<'a>> {
        let mut value = root;
        for name in attr_path(path)? {
            value = self.auto_call(value, args)?;
            if let Ok(index) = name.parse::<usize>() {
                let Value::List(list) = value else { return Err(selected(path, "a list", value)) };
                value = list.get(index).ok_or_else(|| {
                    Error::eval(format!("list index {index} in selection path '{path}' is out of range"))
                })?;
                continue;
            }
            let Value::Attrs(set) = value else { return Err(selected(path, "a set", value)) };
            if name.is_empty() {
                return Err(Error::eval(format!("empty attribute name in selection path '{path}'")));
            }
            value = match self.get(set, &name) {
                Some(attr) => attr.value(),
                None => {
                    let missing = Error::missing_attribute(self, name.as_bytes(), Span::NONE, set);
                    return Err(
                        missing.with_message(format!("attribute '{name}' in selection path '{path}' not found"))
                    );
                }
            };
        }
        self.force(value)
    }

    /// The derivations in a value: itself, or those in its lists and sets (sets in sets only where
    /// `recurseForDerivations` says so), each once.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn derivations_in(&self, value: Value<'a>, args: &'a Attrs<'a>) -> Res<Vec<&'a Attrs<'a>>> {
        let mut found = Vec::new();
        self.collect_derivations(value, args, &mut found)?;
        Ok(found)
    }

    /// Whether a value is no derivation and may hold some.
    fn take_derivation(&self, value: Value<'a>, found: &mut Vec<&'a Attrs<'a>>) -> Res<bool> {
        let Value::Attrs(set) = self.force(value)? else { return Ok(true) };
        if !self.is_derivation(set)? {
            return Ok(true);
        }
        if !found.iter().any(|known| std::ptr::eq(*known, set)) {
            found.push(set);
        }
        Ok(false)
    }

    fn collect_derivations(&self, value: Value<'a>, args: &'a Attrs<'a>, found: &mut Vec<&'a Attrs<'a>>) -> Res<()> {
        let value = self.auto_call(value, args)?;
        if !self.take_derivation(value, found)? {
            return Ok(());
        }
        match value {
            Value::Attrs(set) => {
                for attr in self.sorted_attrs(set) {
                    if !is_package_name(self.symbols().bytes(attr.name))
                        || !self.take_derivation(attr.value(), found)?
                    {
                        continue;
                    }
                    let Value::Attrs(inner) = self.force(attr.value())? else { continue };
                    let recurse = self.get(inner, "recurseForDerivations");
                    if recurse.map_or(Ok(false), |r| self.force_bool(r.value()))? {
                        self.collect_deeper(attr.value(), args, found)?;
                    }
                }
                Ok(())
            }
            Value::List(list) => {
                for item in list.iter() {
                    if self.take_derivation(item, found)? {
                        self.collect_deeper(item, args, found)?;
                    }
                }
                Ok(())
            }
            _ => Err(Error::type_error("expression does not evaluate to a derivation (or a set or list of those)")),
        }
    }

    fn collect_deeper(&self, value: Value<'a>, args: &'a Attrs<'a>, found: &mut Vec<&'a Attrs<'a>>) -> Res<()> {
        self.one_level_down(|| self.collect_derivations(value, args, found))
    }

    /// A set of arguments: names with values.
    pub fn arguments(&self, given: Vec<(String, Value<'a>)>) -> &'a Attrs<'a> {
        let mut set = self.attrs();
        for (name, value) in given {
            set.insert(self.sym(&name), Pos::NONE, value);
        }
        set.finish_attrs()
    }
}

fn selected(path: &str, wanted: &str, value: Value<'_>) -> Error {
    let found = crate::print::describe_type(value);
    Error::type_error(format!(
        "the expression selected by the selection path '{path}' should be {wanted} but is {found}"
    ))
}

/// Letters, digits, `-`, `_` and `+`: what `nix-env` could name.
fn is_package_name(name: &[u8]) -> bool {
    name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+'))
}

/// The names of `a."b.c".d`.
fn attr_path(text: &str) -> Res<Vec<String>> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '.' => names.push(std::mem::take(&mut name)),
            '"' => loop {
                match chars.next() {
                    Some('"') => break,
                    Some(c) => name.push(c),
                    None => return Err(Error::eval(format!("missing closing quote in selection path '{text}'"))),
                }
            },
            c => name.push(c),
        }
    }
    if !name.is_empty() {
        names.push(name);
    }
    Ok(names)
}
