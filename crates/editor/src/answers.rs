//! Answers to requests about one text, from what is known of options and packages.

use std::path::Path;
use std::sync::Arc;

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, Location, MarkupContent, MarkupKind,
    TextEdit,
};
use module::OptionDoc;
use syntax::concrete::Tree;
use system::Found;

use crate::cursor::{self, Cursor, Subject};
use crate::options;
use crate::scopes::Names;
use crate::text::Text;
use crate::{toml_cursor, uri};

/// More than this many packages are of no help at once.
const MOST: usize = 200;

/// What is known of a configuration.
#[derive(Clone, Default)]
pub(crate) struct Knowledge {
    pub(crate) options: Arc<Vec<OptionDoc>>,
    pub(crate) packages: Arc<Vec<Found>>,
}

/// An open text and what it is about.
pub(crate) struct Subjects<'t> {
    pub(crate) text: &'t Text,
    pub(crate) is_toml: bool,
    pub(crate) known: &'t Knowledge,
}

impl Subjects<'_> {
    pub(crate) fn cursor(&self, offset: usize) -> Option<Cursor> {
        match self.is_toml {
            true => toml_cursor::at(&self.text.content, offset),
            false => cursor::at(&Tree::of(&self.text.content), offset),
        }
    }

    /// The path of the option at an offset, and the word there.
    pub(crate) fn option_at(&self, offset: usize) -> Option<(Vec<String>, std::ops::Range<usize>)> {
        let Cursor { subject: Subject::Option(mut path), word } = self.cursor(offset)? else { return None };
        path.push(self.text.content.get(word.clone())?.to_owned());
        Some((path, word))
    }

    /// The package that is named at an offset.
    pub(crate) fn package_at(&self, offset: usize) -> Option<(&Found, std::ops::Range<usize>)> {
        let cursor = self.cursor(offset)?;
        if matches!(cursor.subject, Subject::Option(_) | Subject::Attribute) {
            return None;
        }
        let name = self.text.content.get(cursor.word.clone())?;
        let found = self.known.packages.iter().find(|package| package.name == name)?;
        Some((found, cursor.word))
    }

    pub(crate) fn completions(&self, offset: usize) -> Vec<CompletionItem> {
        let Some(cursor) = self.cursor(offset) else { return Vec::new() };
        let typed = self.text.content.get(cursor.word.start..offset).unwrap_or_default().to_owned();
        let mut items = match &cursor.subject {
            Subject::Option(path) => self.option_names(path),
            Subject::Package => self.package_names(&typed, ""),
            Subject::Value { option, with_packages } => {
                let prefix = if *with_packages { "" } else { "pkgs." };
                let mut items =
                    if self.takes_packages(option) { self.package_names(&typed, prefix) } else { Vec::new() };
                items.extend(self.local_names(offset));
                items
            }
            Subject::Attribute => Vec::new(),
        };
        items.retain(|item| item.label.starts_with(&typed));
        for item in &mut items {
            let new_text = item.insert_text.take().unwrap_or_else(|| item.label.clone());
            let range = self.text.range(cursor.word.clone());
            item.text_edit = Some(CompletionTextEdit::Edit(TextEdit { range, new_text }));
        }
        items
    }

    fn option_names(&self, path: &[String]) -> Vec<CompletionItem> {
        let item = |next: options::Next<'_>| CompletionItem {
            label: next.name.to_owned(),
            kind: Some(if next.option.is_some() { CompletionItemKind::PROPERTY } else { CompletionItemKind::MODULE }),
            detail: next.option.map(|doc| doc.type_description.clone()),
            documentation: next
                .option
                .map(|doc| Documentation::MarkupContent(markdown(options::description(doc, None)))),
            ..CompletionItem::default()
        };
        options::following(&self.known.options, path).into_iter().map(item).collect()
    }

    fn takes_packages(&self, option: &[String]) -> bool {
        options::find(&self.known.options, option).is_some_and(|doc| doc.type_description.contains("package"))
    }

    fn package_names(&self, typed: &str, prefix: &str) -> Vec<CompletionItem> {
        let matching = self.known.packages.iter().filter(|package| package.name.starts_with(typed));
        let item = |package: &Found| CompletionItem {
            label: package.name.clone(),
            kind: Some(CompletionItemKind::VALUE),
            detail: Some(package.description.clone()),
            insert_text: Some(format!("{prefix}{}", package.name)),
            ..CompletionItem::default()
        };
        matching.take(MOST).map(item).collect()
    }

    fn local_names(&self, offset: usize) -> Vec<CompletionItem> {
        if self.is_toml {
            return Vec::new();
        }
        let names = Names::of(&Tree::of(&self.text.content));
        let mut labels: Vec<&str> = names.visible(offset).map(|local| local.name.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let item = |label: &str| CompletionItem {
            label: label.to_owned(),
            kind: Some(CompletionItemKind::VARIABLE),
            ..CompletionItem::default()
        };
        labels.into_iter().map(item).collect()
    }

    /// Where the option at an offset is declared.
    pub(crate) fn declarations(&self, offset: usize) -> Vec<Location> {
        let Some((path, _)) = self.option_at(offset) else { return Vec::new() };
        let Some(doc) = options::find(&self.known.options, &path) else { return Vec::new() };
        let places = doc.declarations.iter().filter_map(|place| {
            let at = place.location.as_ref().filter(|at| at.is_file)?;
            // Lines and columns count from 1; option names are ASCII, and so is what stands before them.
            let position =
                lsp_types::Position { line: at.line.saturating_sub(1), character: at.column.saturating_sub(1) };
            Some(Location { uri: uri::of(Path::new(&at.file))?, range: lsp_types::Range::new(position, position) })
        });
        places.collect()
    }
}

pub(crate) fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}
