//! The tree of options: what is declared and defined at each level of names.
//!
//! A level is looked at as late as in nixpkgs: its names need the modules' `options` down to it and nothing else; the
//! definitions at a level are taken apart when the value of some option in it is wanted. Nothing here merges values.

use diagnostics::Pos;
use lang::{Error, Eval, Res, Value};
use syntax::Sym;

use crate::definition::{Raw, push_down};
use crate::errors;
use crate::evaluation::Evaluation;
use crate::loc::Loc;
use crate::memo::Memo;
use crate::option::OptionNode;
use crate::types::{Kind, Type};

/// A set of options.
pub(crate) struct Level<'a> {
    pub(crate) evaluation: &'a Evaluation<'a>,
    pub(crate) loc: Loc<'a>,
    source: Source<'a>,
    entries: Memo<&'a [Entry<'a>]>,
    index: Memo<&'a [(Sym, Raw<'a>)]>,
    config: Memo<Value<'a>>,
    options: Memo<Value<'a>>,
}

/// Where declarations and definitions of a level come from.
enum Source<'a> {
    Root,
    Below { parent: &'a Level<'a>, name: Sym, declarations: &'a [Declaration<'a>] },
}

/// One module's part of `options` at some path.
#[derive(Clone, Copy)]
pub(crate) struct Declaration<'a> {
    pub(crate) file: Value<'a>,
    pub(crate) pos: Pos,
    pub(crate) options: Value<'a>,
}

/// A declared name.
pub(crate) struct Entry<'a> {
    pub(crate) name: Sym,
    declarations: &'a [Declaration<'a>],
    node: Memo<Node<'a>>,
}

/// What a declared name is.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Option(&'a OptionNode<'a>),
    Set(&'a Level<'a>),
}

/// Definitions at a path where no option is declared.
pub(crate) struct Unmatched<'a> {
    /// The set of options that lacks the name.
    pub(crate) level: &'a Level<'a>,
    pub(crate) name: Sym,
    pub(crate) definitions: &'a [(Sym, Raw<'a>)],
}

impl<'a> Level<'a> {
    fn new(evaluation: &'a Evaluation<'a>, loc: Loc<'a>, source: Source<'a>) -> Self {
        Level {
            evaluation,
            loc,
            source,
            entries: Memo::new(),
            index: Memo::new(),
            config: Memo::new(),
            options: Memo::new(),
        }
    }

    /// All options of an evaluation.
    pub(crate) fn root(evaluation: &'a Evaluation<'a>) -> Self {
        Level::new(evaluation, evaluation.prefix, Source::Root)
    }

    // ---- declarations

    /// The declared names, sorted by symbol.
    ///
    /// # Errors
    /// When some module's options cannot be evaluated this far.
    pub(crate) fn entries(&'a self, eval: &Eval<'a>) -> Res<&'a [Entry<'a>]> {
        self.entries.get(|| {
            let mut all: Vec<(Sym, Declaration<'a>)> = Vec::new();
            match self.source {
                Source::Root => {
                    for module in self.evaluation.modules(eval)? {
                        let Some((options, pos)) = module.options else { continue };
                        self.add_declarations(eval, &Declaration { file: module.file, pos, options }, &mut all)?;
                    }
                }
                Source::Below { declarations, .. } => {
                    for declaration in declarations {
                        self.add_declarations(eval, declaration, &mut all)?;
                    }
                }
            }
            // Stable: declarations of one name keep the modules' order.
            all.sort_by_key(|(name, _)| *name);
            let groups: Vec<Entry<'a>> = all
                .chunk_by(|a, b| a.0 == b.0)
                .map(|group| Entry {
                    name: group[0].0,
                    declarations: eval.bump().alloc_slice_fill_iter(group.iter().map(|g| g.1)),
                    node: Memo::new(),
                })
                .collect();
            Ok(&*eval.bump().alloc_slice_fill_iter(groups))
        })
    }

    fn add_declarations(
        &self,
        eval: &Eval<'a>,
        declaration: &Declaration<'a>,
        all: &mut Vec<(Sym, Declaration<'a>)>,
    ) -> Res<()> {
        let value = eval.force(declaration.options)?;
        let Value::Attrs(set) = value else {
            let place = match self.loc.last() {
                Some(_) => format!("`options.{}`", self.loc.show(eval)),
                None => "`options`".to_owned(),
            };
            let message = format!(
                "{place} in `{}` must be a set of options, but is {}",
                errors::file_text(eval, declaration.file),
                errors::a_type(value)
            );
            let error = errors::error(errors::code::OPTION_DECLARATION, message);
            return Err(error.label(eval.name_span(declaration.pos), "declared here"));
        };
        all.extend(
            set.all().iter().map(|a| (a.name, Declaration { file: declaration.file, pos: a.pos, options: a.value() })),
        );
        Ok(())
    }

    /// The declared name, if there is such.
    pub(crate) fn entry(&'a self, eval: &Eval<'a>, name: Sym) -> Res<Option<&'a Entry<'a>>> {
        let entries = self.entries(eval)?;
        Ok(entries.binary_search_by_key(&name, |e| e.name).ok().map(|i| &entries[i]))
    }

    /// What a declared name is.
    ///
    /// # Errors
    /// When declarations contradict each other or cannot be evaluated.
    pub(crate) fn node(&'a self, eval: &Eval<'a>, entry: &'a Entry<'a>) -> Res<Node<'a>> {
        entry.node.get(|| self.find_node(eval, entry))
    }

    fn find_node(&'a self, eval: &Eval<'a>, entry: &'a Entry<'a>) -> Res<Node<'a>> {
        let loc = self.loc.attr(eval, entry.name);
        let mut options = Vec::new();
        let mut sets = Vec::new();
        for declaration in entry.declarations {
            let is_option = self.is_option(eval, declaration)?;
            if is_option { &mut options } else { &mut sets }.push(*declaration);
        }
        if options.is_empty() {
            let source = Source::Below { parent: self, name: entry.name, declarations: entry.declarations };
            return Ok(Node::Set(eval.bump().alloc(Level::new(self.evaluation, loc, source))));
        }
        for set in &sets {
            match self.as_submodule_option(eval, &options, set)? {
                Some(option) => options.push(option),
                None => return Err(self.prefix_of_options(eval, loc, &options[0], set)),
            }
        }
        let declarations = eval.bump().alloc_slice_copy(&options);
        Ok(Node::Option(OptionNode::new(eval, self, entry.name, loc, declarations)))
    }

    /// An option (rather than a set of options); a type in the place of an option is a common mistake.
    fn is_option(&self, eval: &Eval<'a>, declaration: &Declaration<'a>) -> Res<bool> {
        let names = &self.evaluation.system.names;
        let Value::Attrs(set) = eval.force(declaration.options)? else { return Ok(false) };
        let Some(kind) = set.get(names.underscore_type) else { return Ok(false) };
        match eval.force(kind.value())? {
            Value::String(kind) if kind.as_bytes() == b"option" => Ok(true),
            Value::String(kind) if kind.as_bytes() == b"option-type" => {
                let error =
                    errors::error(errors::code::OPTION_DECLARATION, "an option's declaration is a type, not an option");
                Err(error
                    .label(eval.name_span(declaration.pos), "declared here")
                    .hint("wrap it: `lib.mkOption { type = …; }`"))
            }
            _ => Ok(false),
        }
    }

    /// Options below an option whose type is a submodule are more options of that submodule.
    fn as_submodule_option(
        &self,
        eval: &Eval<'a>,
        options: &[Declaration<'a>],
        set: &Declaration<'a>,
    ) -> Res<Option<Declaration<'a>>> {
        let system = self.evaluation.system;
        for option in options {
            let attrs = eval.force_attrs(option.options)?;
            let Some(ty) = attrs.get(system.names.type_) else { return Ok(None) };
            let ty = Type::decode(eval, system, ty.value())?;
            if !matches!(ty.native().map(|n| &n.kind), Some(Kind::Submodule(_))) {
                return Ok(None);
            }
        }
        let mut module = eval.attrs();
        module.insert(system.names.file_attr, Pos::NONE, set.file);
        module.insert(system.names.options, set.pos, set.options);
        let spec = crate::submodule::SubmoduleSpec::new(
            self.evaluation.lib,
            eval.list([module.finish()]),
            crate::submodule::Shorthand::Unknown,
        );
        let ty = crate::types::make(eval, system, Kind::Submodule(eval.bump().alloc(spec)));
        let mut option = eval.attrs();
        option.insert(system.names.underscore_type, Pos::NONE, eval.string("option"));
        option.insert(system.names.type_, set.pos, ty);
        Ok(Some(Declaration { options: option.finish(), ..*set }))
    }

    fn prefix_of_options(
        &self,
        eval: &Eval<'a>,
        loc: Loc<'a>,
        option: &Declaration<'a>,
        set: &Declaration<'a>,
    ) -> Error {
        let message = format!(
            "the option `{}` in `{}` is a prefix of options in `{}`",
            loc.show(eval),
            errors::place_text(eval, option.file, option.pos),
            errors::place_text(eval, set.file, set.pos)
        );
        errors::error(errors::code::OPTION_DECLARATION, message)
            .label(eval.name_span(option.pos), "declared as an option here")
            .label(eval.name_span(set.pos), "declared as a set of options here")
    }

    // ---- definitions

    /// All definitions at this level by the attribute they are for, sorted by symbol.
    fn index(&'a self, eval: &Eval<'a>) -> Res<&'a [(Sym, Raw<'a>)]> {
        self.index.get(|| {
            let system = self.evaluation.system;
            let mut all: Vec<(Sym, Raw<'a>)> = Vec::new();
            match self.source {
                Source::Root => {
                    for module in self.evaluation.modules(eval)? {
                        for raw in module.config {
                            push_down(
                                eval,
                                system,
                                *raw,
                                &mut |set, raw| {
                                    let own = set.all().iter().filter(|a| !module.shorthand.hides(system, a.name));
                                    all.extend(own.map(|a| (a.name, inside(raw, a))));
                                    Ok(())
                                },
                                self.loc,
                            )?;
                        }
                    }
                }
                Source::Below { parent, name, .. } => {
                    for (_, raw) in parent.definitions(eval, name)? {
                        push_down(
                            eval,
                            system,
                            *raw,
                            &mut |set, raw| {
                                all.extend(set.all().iter().map(|a| (a.name, inside(raw, a))));
                                Ok(())
                            },
                            self.loc,
                        )?;
                    }
                }
            }
            all.sort_by_key(|(name, _)| *name);
            Ok(&*eval.bump().alloc_slice_copy(&all))
        })
    }

    /// The definitions of one attribute.
    ///
    /// # Errors
    /// When some definition above cannot be evaluated.
    pub(crate) fn definitions(&'a self, eval: &Eval<'a>, name: Sym) -> Res<&'a [(Sym, Raw<'a>)]> {
        let index = self.index(eval)?;
        let start = index.partition_point(|(n, _)| *n < name);
        let len = index[start..].partition_point(|(n, _)| *n == name);
        Ok(&index[start..start + len])
    }

    /// Definitions, here and below, of what is not declared.
    ///
    /// # Errors
    /// When declarations or definitions cannot be evaluated that far.
    pub(crate) fn unmatched(&'a self, eval: &Eval<'a>, out: &mut Vec<Unmatched<'a>>) -> Res<()> {
        let index = self.index(eval)?;
        for group in index.chunk_by(|a, b| a.0 == b.0) {
            let name = group[0].0;
            match self.entry(eval, name)? {
                None => out.push(Unmatched { level: self, name, definitions: group }),
                Some(entry) => {
                    if let Node::Set(level) = self.node(eval, entry)? {
                        level.unmatched(eval, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    // ---- what the language sees

    /// The values of all options here.
    ///
    /// # Errors
    /// When the names cannot be told.
    pub(crate) fn config(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.config.get(|| {
            let mut set = eval.attrs();
            for entry in self.entries(eval)? {
                set.insert_lazy(entry.name, Pos::NONE, move |eval| match self.node(eval, entry)? {
                    Node::Option(option) => option.value(eval),
                    Node::Set(level) => level.config(eval),
                });
            }
            Ok(set.finish())
        })
    }

    /// The options here, each with its value and definitions.
    ///
    /// # Errors
    /// When the names cannot be told.
    pub(crate) fn options(&'a self, eval: &Eval<'a>) -> Res<Value<'a>> {
        self.options.get(|| {
            let mut set = eval.attrs();
            for entry in self.entries(eval)? {
                let pos = entry.declarations.first().map_or(Pos::NONE, |d| d.pos);
                set.insert_lazy(entry.name, pos, move |eval| match self.node(eval, entry)? {
                    Node::Option(option) => option.shown(eval),
                    Node::Set(level) => level.options(eval),
                });
            }
            Ok(set.finish())
        })
    }
}

/// The definition of an attribute of a defined set.
fn inside<'a>(raw: Raw<'a>, attr: &'a lang::Attr<'a>) -> Raw<'a> {
    let pos = if attr.pos.is_some() { attr.pos } else { raw.pos };
    Raw { value: attr.value(), pos, ..raw }
}
