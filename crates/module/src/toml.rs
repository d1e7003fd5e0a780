//! Modules in TOML: they set options and import other modules, nothing else.
//!
//! `{ "$force" = v }` and `{ "$default" = v }` set priorities, `{ "$pkg" = "a.b" }` is a package. A plain string means
//! a package where the option's type admits a package and no string, and a string that starts with `./` or `../` means
//! a path beside the file where the type admits a path and no string. Types are known only when definitions are
//! merged, so [`interpret`] runs then. Format: TOML 1.0, <https://toml.io/en/v1.0.0>.

use diagnostics::{Pos, Span};
use lang::{Attrs, Error, ErrorKind, Eval, Res, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::definition::Definition;
use crate::errors;
use crate::evaluation::Evaluation;
use crate::system::System;
use crate::types::{Kind, Leaf, Type};

/// Where a definition in TOML stands.
pub(crate) struct TomlFile<'a> {
    /// The file's directory; relative paths start there.
    directory: &'a str,
    /// The evaluation that imported it, which has the packages.
    evaluation: &'a Evaluation<'a>,
}

/// A TOML module.
pub(crate) struct TomlModule<'a> {
    pub(crate) file: &'a TomlFile<'a>,
    /// Absolute paths, and where they are named.
    pub(crate) imports: Vec<(String, Pos)>,
    pub(crate) config: Value<'a>,
}

/// Reads a TOML module.
///
/// # Errors
/// When the file cannot be read, is no TOML, or `imports` is no list of strings.
pub(crate) fn load<'a>(eval: &Eval<'a>, evaluation: &'a Evaluation<'a>, path: &str) -> Res<TomlModule<'a>> {
    let bytes = eval.io().read_file(path).map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::Syntax, format!("`{path}` is not UTF-8")))?;
    let directory = path.rsplit_once('/').map_or("/", |(dir, _)| dir);
    let file: &'a TomlFile<'a> =
        eval.bump().alloc(TomlFile { directory: eval.bump().alloc_str(directory), evaluation });
    let reader = Reader { eval, file, base: source_base(eval, path, &text) };
    let table = DeTable::parse(&text).map_err(|e| {
        let span = e.span().map_or(Span::NONE, |s| Span::new(reader.pos(s.start), reader.pos(s.end.max(s.start + 1))));
        Error::new(ErrorKind::Syntax, format!("`{path}` is not TOML: {}", e.message())).label(span, "")
    })?;
    let mut imports = Vec::new();
    if let Some(value) = table.get_ref().get("imports") {
        imports = reader.imports(value, directory)?;
    }
    let config = reader.table(table.get_ref(), &["imports"])?;
    Ok(TomlModule { file, imports, config })
}

/// Makes the text known for error messages; the position of its first byte.
fn source_base(eval: &Eval<'_>, path: &str, text: &str) -> Pos {
    let known = |eval: &Eval<'_>| {
        let sources = eval.sources();
        sources.files().iter().rev().find(|f| f.name == path).map(|f| Pos(f.base))
    };
    known(eval).unwrap_or_else(|| {
        // The evaluator keeps the text of all it parses; that this is not its language does not matter here.
        let _ = eval.eval_string(text, path, "/");
        known(eval).unwrap_or(Pos::NONE)
    })
}

struct Reader<'e, 'a> {
    eval: &'e Eval<'a>,
    file: &'a TomlFile<'a>,
    base: Pos,
}

impl<'a> Reader<'_, 'a> {
    fn pos(&self, offset: usize) -> Pos {
        match (self.base.is_some(), u32::try_from(offset)) {
            (true, Ok(offset)) => Pos(self.base.0 + offset),
            _ => Pos::NONE,
        }
    }

    fn imports(&self, value: &Spanned<DeValue<'_>>, directory: &str) -> Res<Vec<(String, Pos)>> {
        let wrong = |span: std::ops::Range<usize>| {
            errors::error(errors::code::MODULE, "`imports` must be a list of paths, each a string")
                .label(Span::new(self.pos(span.start), self.pos(span.end)), "")
        };
        let Some(list) = value.get_ref().as_array() else { return Err(wrong(value.span())) };
        let mut imports = Vec::new();
        for item in list.iter() {
            let Some(path) = item.get_ref().as_str() else { return Err(wrong(item.span())) };
            let path = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
            imports.push((path, self.pos(item.span().start)));
        }
        Ok(imports)
    }

    fn table(&self, table: &DeTable<'_>, without: &[&str]) -> Res<Value<'a>> {
        let mut set = self.eval.attrs();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !without.contains(&name) {
                set.insert(self.eval.sym(name), self.pos(key.span().start), self.value(value)?);
            }
        }
        Ok(set.finish())
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Res<Value<'a>> {
        let wrong = |what: &str| {
            let span = value.span();
            Err(Error::type_error(what.to_owned()).label(Span::new(self.pos(span.start), self.pos(span.end)), ""))
        };
        Ok(match value.get_ref() {
            DeValue::String(s) => self.eval.string(s),
            DeValue::Boolean(b) => Value::bool(*b),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Value::Int(n),
                Err(_) => return wrong("this integer does not fit in 64 bits"),
            },
            DeValue::Float(n) => match n.as_str().parse() {
                Ok(n) => Value::float(n),
                Err(_) => return wrong("this is no number"),
            },
            DeValue::Datetime(_) => return wrong("options have no dates: write a string"),
            DeValue::Array(list) => {
                let items: Res<Vec<Value<'a>>> = list.iter().map(|v| self.value(v)).collect();
                self.eval.list(items?)
            }
            DeValue::Table(table) => match self.special(table)? {
                Some(special) => special,
                None => self.table(table, &[])?,
            },
        })
    }

    /// `{ "$force" = v }` and its like.
    fn special(&self, table: &DeTable<'_>) -> Res<Option<Value<'a>>> {
        let mut entries = table.iter();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else { return Ok(None) };
        let name: &str = key.get_ref();
        if !name.starts_with('$') {
            return Ok(None);
        }
        let priority = match name {
            "$force" => 50,
            "$default" => 1000,
            "$pkg" => return self.package(value).map(Some),
            other => {
                let near = errors::nearest(other, ["$force", "$default", "$pkg"].map(str::to_owned));
                let error = errors::error(errors::code::MODULE, format!("`{other}` means nothing in a TOML module"))
                    .label(Span::at(self.pos(key.span().start)), "");
                return Err(match errors::did_you_mean(&near) {
                    Some(hint) => error.hint(hint),
                    None => error.hint("there are `$force`, `$default` and `$pkg`"),
                });
            }
        };
        let property = self
            .eval
            .attrs()
            .entry("_type", self.eval.string("override"))
            .entry("priority", Value::Int(priority))
            .entry("content", self.value(value)?);
        Ok(Some(property.finish()))
    }

    fn package(&self, value: &Spanned<DeValue<'_>>) -> Res<Value<'a>> {
        let span = Span::new(self.pos(value.span().start), self.pos(value.span().end));
        let Some(name) = value.get_ref().as_str() else {
            return Err(errors::error(errors::code::MODULE, "`$pkg` takes the name of a package").label(span, ""));
        };
        let (name, file): (&'a str, _) = (self.eval.bump().alloc_str(name), self.file);
        Ok(self.eval.lazy(move |eval| find_package(eval, file, name).map_err(|e| e.at_span(span))))
    }
}

fn find_package<'a>(eval: &Eval<'a>, file: &'a TomlFile<'a>, name: &str) -> Res<Value<'a>> {
    let Some(packages) = file.evaluation.packages(eval)? else {
        return Err(errors::error(
            errors::code::MODULE_ARGUMENT,
            "there is no package set: modules have no argument `pkgs`",
        ));
    };
    let mut found = packages;
    for part in name.split('.') {
        let set: &'a Attrs<'a> = eval.force_attrs(found)?;
        found = match eval.get(set, part) {
            Some(attr) => eval.force(attr.value())?,
            None => {
                let names = set.all().iter().map(|a| eval.symbols().text(a.name));
                let near = errors::nearest(part, names);
                let error = errors::error("unknown-package", format!("there is no package `{name}`"));
                return Err(match errors::did_you_mean(&near) {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
            }
        };
    }
    Ok(found)
}

/// Definitions with strings replaced by the packages or paths they mean for this type.
///
/// # Errors
/// When a package does not exist.
pub(crate) fn interpret<'a>(
    eval: &Eval<'a>,
    system: &'a System<'a>,
    ty: Type<'a>,
    definitions: &[Definition<'a>],
) -> Res<Vec<Definition<'a>>> {
    let mut meant = Vec::with_capacity(definitions.len());
    for d in definitions {
        let value = match (d.toml, d.value) {
            (Some(file), Value::String(text)) => {
                let admits = admitted(eval, system, ty, 0)?;
                let text = text.to_string_lossy();
                if admits.string {
                    d.value
                } else if admits.path && (text.starts_with("./") || text.starts_with("../")) {
                    eval.path(&format!("{}/{text}", file.directory))
                } else if admits.package && !text.starts_with('/') {
                    find_package(eval, file, &text).map_err(|e| e.at_span(eval.name_span(d.pos)))?
                } else {
                    d.value
                }
            }
            _ => d.value,
        };
        meant.push(Definition { value, ..*d });
    }
    Ok(meant)
}

/// What a type takes a string for.
#[derive(Clone, Copy, Default)]
struct Admits {
    string: bool,
    path: bool,
    package: bool,
}

impl Admits {
    fn or(self, other: Admits) -> Admits {
        Admits {
            string: self.string || other.string,
            path: self.path || other.path,
            package: self.package || other.package,
        }
    }
}

/// Types may refer to themselves; nobody nests alternatives deeper than this.
const DEPTH: usize = 16;

fn admitted<'a>(eval: &Eval<'a>, system: &'a System<'a>, ty: Type<'a>, depth: usize) -> Res<Admits> {
    let Some(native) = ty.native().filter(|_| depth < DEPTH) else {
        return Ok(Admits { string: true, ..Admits::default() });
    };
    let inner = |elem: &crate::types::Elem<'a>| admitted(eval, system, elem.get(eval, system)?, depth + 1);
    Ok(match &native.kind {
        Kind::Leaf(Leaf::Package | Leaf::ShellPackage) => Admits { package: true, ..Admits::default() },
        Kind::Path { .. } => Admits { path: true, ..Admits::default() },
        Kind::Leaf(
            Leaf::Str | Leaf::NonEmptyStr | Leaf::SingleLineStr | Leaf::Unspecified | Leaf::Raw | Leaf::Anything,
        )
        | Kind::StrMatching(_)
        | Kind::Separated(_)
        | Kind::PasswdEntry(_)
        | Kind::Enum(_) => Admits { string: true, ..Admits::default() },
        Kind::NullOr(elem) | Kind::Unique { elem, .. } => inner(elem)?,
        Kind::Either(a, b) => inner(a)?.or(inner(b)?),
        Kind::CoercedTo { from, to, .. } => inner(from)?.or(inner(to)?),
        _ => Admits::default(),
    })
}
