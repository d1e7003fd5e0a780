//! What is known about options: for `esker option`, the manual and the schema.
//!
//! Nothing is evaluated but what is asked for: documentation reads declarations, never values, and a default only when
//! no `defaultText` stands for it.

use diagnostics::{Location, Pos};
use lang::{Attrs, Error, Eval, Res, Value};

use crate::ModuleSystem;
use crate::errors;
use crate::evaluation::Evaluation;
use crate::level::{Level, Node};
use crate::option::OptionNode;
use crate::system::System;
use crate::types::Type;

/// An option's documentation.
#[derive(Clone, Debug)]
pub struct OptionDoc {
    /// Its path, as a person writes it; `<name>` and `*` stand for names and positions.
    pub name: String,
    /// The path's components.
    pub loc: Vec<String>,
    /// The type in words.
    pub type_description: String,
    /// Markdown.
    pub description: Option<String>,
    /// The default as code of the language or Markdown; `None` when there is none, or when it cannot be shown.
    pub default: Option<String>,
    /// An example, likewise.
    pub example: Option<String>,
    /// Files and lines that declare it.
    pub declarations: Vec<Place>,
    /// Not for people.
    pub internal: bool,
    /// Whether manuals show it.
    pub visible: bool,
    /// Whether it cannot be set.
    pub read_only: bool,
}

/// A place in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The module's file as it names itself.
    pub file: String,
    /// Where in a text, if known.
    pub location: Option<Location>,
}

/// One definition of an option.
#[derive(Clone, Debug)]
pub struct DefinitionInfo<'a> {
    /// Who set it.
    pub place: Place,
    /// Its priority: 50 for `mkForce`, 100 plain, 1000 `mkDefault`, 1500 the option's default.
    pub priority: i64,
    /// Whether it is among those that make the value.
    pub counts: bool,
    /// What it sets, in weak head normal form.
    pub value: Value<'a>,
}

/// Everything `esker option NAME` shows.
pub struct OptionInfo<'a> {
    /// Its documentation.
    pub doc: OptionDoc,
    /// Its value, forced, or why it has none.
    pub value: Res<Value<'a>>,
    /// Who set it, the strongest first.
    pub definitions: Vec<DefinitionInfo<'a>>,
}

impl<'a> ModuleSystem<'a> {
    /// The documentation of all options of a configuration, those of submodules included, in order of their paths.
    ///
    /// # Errors
    /// When declarations cannot be evaluated.
    pub fn docs(&self, eval: &Eval<'a>, configuration: Value<'a>) -> Res<Vec<OptionDoc>> {
        let evaluation = self.evaluation_of(eval, configuration)?;
        let mut docs = Vec::new();
        let reader = Reader { eval, system: self.system };
        reader.set(evaluation.root(eval)?.options(eval)?, 0, &mut docs)?;
        docs.retain(|d| d.loc.iter().all(|part| part != "_module"));
        docs.sort_by(|a, b| a.loc.cmp(&b.loc));
        Ok(docs)
    }

    /// One option by its path, in submodule instances too (`services.x.hosts."a b".root`).
    ///
    /// # Errors
    /// When there is no such option; the message suggests others.
    pub fn option(&self, eval: &Eval<'a>, configuration: Value<'a>, path: &[&str]) -> Res<OptionInfo<'a>> {
        let evaluation = self.evaluation_of(eval, configuration)?;
        let option = self.find(eval, evaluation, path)?;
        let reader = Reader { eval, system: self.system };
        let doc = reader.doc(eval.force_attrs(option.shown(eval)?)?)?;
        let definitions = option.all_definitions(eval)?;
        let highest = definitions.iter().map(|d| d.priority).min().unwrap_or_default();
        let mut infos: Vec<DefinitionInfo<'a>> = definitions
            .into_iter()
            .map(|d| DefinitionInfo {
                place: reader.place(d.file, d.pos),
                priority: d.priority,
                counts: d.priority == highest,
                value: d.value,
            })
            .collect();
        infos.sort_by_key(|d| d.priority);
        Ok(OptionInfo { doc, value: option.value(eval), definitions: infos })
    }

    fn find(&self, eval: &Eval<'a>, evaluation: &'a Evaluation<'a>, path: &[&str]) -> Res<&'a OptionNode<'a>> {
        let mut level: &'a Level<'a> = evaluation.root(eval)?;
        for (depth, part) in path.iter().enumerate() {
            let Some(entry) = level.entry(eval, eval.sym(part))? else {
                return Err(self.no_such_option(eval, level, path, depth));
            };
            match level.node(eval, entry)? {
                Node::Set(below) => level = below,
                Node::Option(option) if depth + 1 == path.len() => return Ok(option),
                Node::Option(option) => {
                    // The instances below come to be by forcing the value that holds them.
                    let value = option.value(eval)?;
                    let (inside, rest) = self.instance(eval, value, &path[..=depth], &path[depth + 1..])?;
                    return self.find(eval, inside, rest);
                }
            }
        }
        Err(Error::eval(format!("`{}` is a set of options, not an option", crate::loc::show(path))))
    }

    /// The submodule instance that the longest part of a path leads to, and what is left of the path.
    fn instance<'p>(
        &self,
        eval: &Eval<'a>,
        value: Value<'a>,
        before: &[&str],
        rest: &'p [&'p str],
    ) -> Res<(&'a Evaluation<'a>, &'p [&'p str])> {
        let mut at = value;
        let mut place: Vec<String> = before.iter().map(|p| (*p).to_owned()).collect();
        for (depth, part) in rest.iter().enumerate() {
            if let Some(found) = self.system.instance_at(eval, &place) {
                return Ok((found, &rest[depth..]));
            }
            at = eval.select(at, part)?;
            place.push((*part).to_owned());
        }
        Err(Error::eval(format!("there is no option `{}`", crate::loc::show(&place))))
    }

    fn no_such_option(&self, eval: &Eval<'a>, level: &'a Level<'a>, path: &[&str], depth: usize) -> Error {
        let error = errors::error(
            errors::code::UNKNOWN_OPTION,
            format!("the option `{}` does not exist", crate::loc::show(path)),
        );
        let Ok(entries) = level.entries(eval) else { return error };
        let near = errors::nearest(path[depth], entries.iter().map(|e| eval.symbols().text(e.name)));
        let names: Vec<String> = near
            .into_iter()
            .map(|name| {
                let mut parts: Vec<String> = path[..depth].iter().map(|p| (*p).to_owned()).collect();
                parts.push(name);
                crate::loc::show(&parts)
            })
            .collect();
        match errors::did_you_mean(&names) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Submodules within submodules deeper than this are not documented: types may refer to themselves.
const DEPTH: usize = 10;

/// Reads declarations as the language sees them.
pub(crate) struct Reader<'e, 'a> {
    pub(crate) eval: &'e Eval<'a>,
    pub(crate) system: &'a System<'a>,
}

impl<'a> Reader<'_, 'a> {
    /// The options in a set as the language sees it, and those below.
    fn set(&self, options: Value<'a>, depth: usize, docs: &mut Vec<OptionDoc>) -> Res<()> {
        let names = &self.system.names;
        for attr in self.eval.sorted_attrs(self.eval.force_attrs(options)?) {
            let Value::Attrs(set) = self.eval.force(attr.value())? else { continue };
            if !self.is_option(set)? {
                self.set(Value::Attrs(set), depth, docs)?;
                continue;
            }
            let doc = self.doc(set)?;
            let below = doc.visible && !self.is_shallow(set)? && depth < DEPTH;
            docs.push(doc);
            if let (true, Some(ty), Some(loc)) = (below, set.get(names.type_), set.get(names.loc)) {
                let ty = Type::decode(self.eval, self.system, ty.value())?;
                if let Some(function) = ty.attr(self.eval, names.get_sub_options)? {
                    self.set(self.eval.call(function, &[loc.value()])?, depth + 1, docs)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a set declares an option, and is not a set of options.
    pub(crate) fn is_option(&self, set: &'a Attrs<'a>) -> Res<bool> {
        let Some(kind) = set.get(self.system.names.underscore_type) else { return Ok(false) };
        Ok(matches!(self.eval.force(kind.value())?, Value::String(s) if s.as_bytes() == b"option"))
    }

    /// `visible = "shallow"`: the option is shown, what is below it is not.
    fn is_shallow(&self, set: &'a Attrs<'a>) -> Res<bool> {
        let Some(visible) = set.get(self.system.names.visible) else { return Ok(false) };
        Ok(matches!(self.eval.force(visible.value())?, Value::String(s) if s.as_bytes() == b"shallow"))
    }

    /// What one declared option's attributes say.
    pub(crate) fn doc(&self, set: &'a Attrs<'a>) -> Res<OptionDoc> {
        let (eval, names) = (self.eval, &self.system.names);
        let get = |name| set.get(name).map(lang::Attr::value);
        let flag = |name, default: bool| match get(name).map(|v| eval.force(v)).transpose() {
            Ok(Some(Value::Bool(b))) => Ok(b.get()),
            // `visible = "shallow"`: shown itself.
            Ok(_) => Ok(default),
            Err(e) => Err(e),
        };
        let mut loc = Vec::new();
        if let Some(list) = get(names.loc) {
            for part in eval.force_list(list)?.iter() {
                loc.push(eval.force_str(part)?.to_string_lossy().into_owned());
            }
        }
        let type_description = match get(names.type_) {
            Some(ty) => Type::decode(eval, self.system, ty)?.description(eval, self.system)?,
            None => "unspecified value".to_owned(),
        };
        let default = match get(names.default_text).or_else(|| get(names.default)) {
            Some(value) => self.literal(value),
            None => None,
        };
        Ok(OptionDoc {
            name: crate::loc::show(&loc),
            loc,
            type_description,
            description: get(names.description).and_then(|v| self.text(v)),
            default,
            example: get(names.example).and_then(|v| self.literal(v)),
            declarations: self.declarations(set)?,
            internal: flag(names.internal, false)?,
            visible: flag(names.visible, true)?,
            read_only: flag(names.read_only, false)?,
        })
    }

    fn declarations(&self, set: &'a Attrs<'a>) -> Res<Vec<Place>> {
        let mut places = Vec::new();
        let Some(positions) = set.get(self.system.names.declaration_positions) else { return Ok(places) };
        for position in self.eval.force_list(positions.value())?.iter() {
            let at = self.eval.force_attrs(position)?;
            let field = |name: &str| self.eval.get(at, name).map(|a| a.value().peek());
            let Some(file) = field("file") else { continue };
            let file = errors::file_text(self.eval, file);
            let number = |name| match field(name) {
                Some(Value::Int(n)) => u32::try_from(n).ok(),
                _ => None,
            };
            let location = number("line").zip(number("column")).map(|(line, column)| Location {
                file: file.clone(),
                is_file: true,
                line,
                column,
            });
            places.push(Place { file, location });
        }
        Ok(places)
    }

    fn place(&self, file: Value<'a>, pos: Pos) -> Place {
        Place { file: errors::place_text(self.eval, file, pos), location: self.eval.location(pos) }
    }

    /// A string, or a text marked as Markdown or code.
    fn text(&self, value: Value<'a>) -> Option<String> {
        match self.eval.force(value).ok()? {
            Value::String(s) => Some(s.to_string_lossy().into_owned()),
            Value::Attrs(set) => match self.eval.force(self.eval.get(set, "text")?.value()).ok()? {
                Value::String(s) => Some(s.to_string_lossy().into_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    /// A default or example: its text if it is a literal, else the value as code, if it can be evaluated.
    fn literal(&self, value: Value<'a>) -> Option<String> {
        let value = self.eval.force(value).ok()?;
        if let Value::Attrs(set) = value {
            if set.get(self.system.names.underscore_type).is_some() {
                return self.text(value);
            }
            if self.eval.is_derivation(set).ok()? {
                return Some(errors::brief(self.eval, value));
            }
        }
        let value = self.eval.force_deep(value).ok()?;
        Some(self.eval.show(value))
    }
}
