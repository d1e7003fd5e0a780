//! Where in a text in the Nix language the cursor is: at the name of an option, behind `config.` or `pkgs.`, or at some
//! other name. Looks backward over tokens only, so that whatever follows, or is missing, does not matter.

use std::collections::BTreeMap;
use std::ops::Range;

use syntax::concrete::{TokenKind, Tree};

/// What stands at the cursor.
#[derive(Debug, PartialEq)]
pub(crate) struct Cursor {
    /// What is to be completed or explained.
    pub(crate) subject: Subject,
    /// The word at the cursor.
    pub(crate) word: Range<usize>,
}

/// What a word is a part of.
#[derive(Debug, PartialEq)]
pub(crate) enum Subject {
    /// The path of an option, up to the word.
    Option(Vec<String>),
    /// A package behind `pkgs.` or below `with pkgs;`.
    Package,
    /// A value for this option; whether `with pkgs;` is around.
    Value {
        /// The option's path.
        option: Vec<String>,
        /// Whether the packages' names stand for themselves.
        with_packages: bool,
    },
    /// An attribute of something else.
    Attribute,
}

/// What the cursor at an offset is at; `None` within comments and strings.
pub(crate) fn at(tree: &Tree<'_>, offset: usize) -> Option<Cursor> {
    let before = tree.tokens.iter().position(|t| t.range.start < offset && offset <= t.range.end);
    // A word may begin at the cursor.
    let after = tree.tokens.iter().position(|t| t.range.start == offset && t.kind == TokenKind::Name);
    let is_name = |token: usize| tree.tokens[token].kind == TokenKind::Name;
    let (word, token) = match (before, after) {
        (Some(token), _) if is_name(token) => (tree.tokens[token].range.clone(), token),
        (_, Some(token)) => (tree.tokens[token].range.clone(), token),
        (Some(token), None) => {
            let is_inside = tree.tokens[token].kind == TokenKind::LineComment
                || (offset < tree.tokens[token].range.end && !is_blank(tree, token))
                || tree.tokens[token].kind == TokenKind::Text;
            if is_inside {
                return None;
            }
            (offset..offset, token + 1)
        }
        (None, None) => (offset..offset, 0),
    };
    let code: Vec<usize> = (0..token).filter(|i| !tree.tokens[*i].is_trivia()).collect();
    let mut backward = Backward { tree, code: &code };
    let mut chain = backward.chain();
    if !backward.is_before_name() {
        resolve(&mut chain, &aliases(tree));
    }
    let around = backward.surroundings();
    let subject = match chain.first().map(String::as_str) {
        Some("config") => Subject::Option(chain[1..].to_vec()),
        Some("pkgs") if chain.len() == 1 => Subject::Package,
        first => match around {
            Around::Name(mut path) => {
                path.extend(chain);
                match path.first().map(String::as_str) {
                    Some("options") => Subject::Attribute,
                    Some("config") => Subject::Option(path.split_off(1)),
                    _ => Subject::Option(path),
                }
            }
            Around::Value { mut option, with_packages } if first.is_none() => {
                if option.first().is_some_and(|first| first == "config") {
                    option.remove(0);
                }
                Subject::Value { option, with_packages }
            }
            _ => Subject::Attribute,
        },
    };
    Some(Cursor { subject, word })
}

/// What names stand for, by name: `config.services.x` for `cfg` after `cfg = config.services.x;`.
type Aliases = BTreeMap<String, Vec<String>>;

/// Names that the text gives to `config`, to `pkgs`, or to something within them. Where one is given twice the last counts:
/// this looks at tokens and knows no scopes.
fn aliases(tree: &Tree<'_>) -> Aliases {
    let mut aliases = Aliases::new();
    let code: Vec<&str> =
        (0..tree.tokens.len()).filter(|i| !tree.tokens[*i].is_trivia()).map(|i| tree.token_text(i)).collect();
    for statement in code.split_inclusive(|token| matches!(*token, ";" | "{" | "let")) {
        match statement {
            // `inherit (config.services) nginx openssh;`
            ["inherit", "(", rest @ .., ";"] => {
                let Some(end) = rest.iter().position(|token| *token == ")") else { continue };
                let Some(path) = path_of(&rest[..end], &aliases) else { continue };
                for name in &rest[end + 1..] {
                    let whole = path.iter().cloned().chain([(*name).to_owned()]).collect();
                    aliases.insert((*name).to_owned(), whole);
                }
            }
            [name, "=", value @ .., ";"] => {
                if let Some(path) = path_of(value, &aliases) {
                    aliases.insert((*name).to_owned(), path);
                }
            }
            _ => {}
        }
    }
    aliases
}

/// The path `config.a.b` that tokens are, its first name followed to where it comes from; `None` for anything else.
fn path_of(tokens: &[&str], aliases: &Aliases) -> Option<Vec<String>> {
    let is_path = tokens.len() % 2 == 1 && tokens.iter().skip(1).step_by(2).all(|token| *token == ".");
    let mut path = tokens.iter().step_by(2).map(|name| (*name).to_owned()).collect();
    resolve(&mut path, aliases);
    let is_known = path.first().is_some_and(|first| matches!(first.as_str(), "config" | "pkgs"));
    (is_path && is_known).then_some(path)
}

/// Puts what its first name stands for in a path's place.
fn resolve(path: &mut Vec<String>, aliases: &Aliases) {
    if let Some(meant) = path.first().and_then(|first| aliases.get(first)) {
        path.splice(..1, meant.iter().cloned());
    }
}

fn is_blank(tree: &Tree<'_>, token: usize) -> bool {
    tree.tokens[token].kind == TokenKind::Blank
}

/// What a place is in.
enum Around {
    /// The name of an attribute of the set at this path.
    Name(Vec<String>),
    /// The value at this path.
    Value { option: Vec<String>, with_packages: bool },
    /// A binding of `let`.
    Let,
}

struct Backward<'t> {
    tree: &'t Tree<'t>,
    /// The tokens before the place.
    code: &'t [usize],
}

impl<'t> Backward<'t> {
    fn last(&self) -> &'t str {
        self.code.last().map_or("", |token| self.tree.token_text(*token))
    }

    fn pop(&mut self) -> Option<&'t str> {
        let (last, rest) = self.code.split_last()?;
        self.code = rest;
        Some(self.tree.token_text(*last))
    }

    /// Whether a binding's name stands at the place, and no expression.
    fn is_before_name(&self) -> bool {
        match self.last() {
            "" | "{" | "let" => true,
            ";" => !Self { tree: self.tree, code: &self.code[..self.code.len() - 1] }.ends_prefix(),
            _ => false,
        }
    }

    /// The names before the place with points between, `a.b.`.
    fn chain(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while self.last() == "." {
            self.pop();
            let Some(name) = self.name() else { break };
            names.insert(0, name);
        }
        names
    }

    /// `a.b` before the place.
    fn path(&mut self) -> Vec<String> {
        let Some(last) = self.name() else { return Vec::new() };
        let mut names = self.chain();
        names.push(last);
        names
    }

    /// A name, perhaps in quotes.
    fn name(&mut self) -> Option<String> {
        let last = *self.code.last()?;
        if self.tree.tokens[last].kind == TokenKind::Name {
            return self.pop().map(str::to_owned);
        }
        let [.., open, text, _] = self.code else { return None };
        if self.last() == "\"" && self.tree.token_text(*open) == "\"" {
            let name = self.tree.token_text(*text).to_owned();
            self.code = &self.code[..self.code.len() - 3];
            return Some(name);
        }
        None
    }

    fn surroundings(&mut self) -> Around {
        let mut path = Vec::new();
        let mut with_packages = false;
        // Whether the binding that the place is in was not met yet, and whether it is the value of it.
        let mut seeks = true;
        let mut is_value = None;
        let mut closed = 0usize;
        while let Some(token) = self.pop() {
            match token {
                "}" | "]" | ")" | "in" => closed += 1,
                "{" | "[" | "(" | "${" | "let" if closed > 0 => closed -= 1,
                _ if closed > 0 => {}
                "let" => return Around::Let,
                "{" | "${" => {
                    is_value.get_or_insert(token == "${");
                    seeks = true;
                }
                "[" | "(" => {
                    is_value.get_or_insert(true);
                }
                ";" if seeks && self.ends_prefix() => with_packages |= self.skip_prefix(),
                ";" => {
                    is_value.get_or_insert(false);
                    seeks = false;
                }
                "=" if seeks => {
                    is_value.get_or_insert(true);
                    let mut names = self.path();
                    names.append(&mut path);
                    path = names;
                    seeks = false;
                }
                _ => {}
            }
        }
        match is_value {
            Some(true) => Around::Value { option: path, with_packages },
            _ => Around::Name(path),
        }
    }

    /// Whether the `;` that was just taken belongs to `with` or `assert`.
    fn ends_prefix(&self) -> bool {
        let mut closed = 0usize;
        for token in self.code.iter().rev().map(|token| self.tree.token_text(*token)) {
            match token {
                "}" | "]" | ")" => closed += 1,
                "{" | "[" | "(" | "${" if closed > 0 => closed -= 1,
                _ if closed > 0 => {}
                "with" | "assert" => return true,
                "=" | ";" | "{" | "[" | "(" | "${" | "in" | "inherit" => return false,
                _ => {}
            }
        }
        false
    }

    /// Goes before `with e`; whether `e` is the packages.
    fn skip_prefix(&mut self) -> bool {
        let is_packages = self.last() == "pkgs";
        while !matches!(self.pop(), Some("with" | "assert") | None) {}
        is_packages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Option<(Subject, String)> {
        let offset = text.find('|').expect("a cursor");
        let text = text.replacen('|', "", 1);
        let cursor = at(&Tree::of(&text), offset)?;
        Some((cursor.subject, text[cursor.word].to_owned()))
    }

    fn option(text: &str) -> String {
        match subject(text) {
            Some((Subject::Option(path), word)) => format!("{}|{word}", path.join(".")),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn names_of_options_have_the_path_of_the_sets_around() {
        for (text, expected) in [
            ("{ services.ngi|nx = 1; }", "services|nginx"),
            ("{ services.nginx.| }", "services.nginx|"),
            ("{ services.nginx.|\n  other = 1; }", "services.nginx|"),
            ("{ a = 1; services = { nginx = { ena|", "services.nginx|ena"),
            ("{ pkgs, ... }: let x = { y = 1; }; in { a.b = mkIf (c == 1) { d.|", "a.b.d|"),
            ("{ config = mkMerge [ { a = 1; } { b.c| } ]; }", "b|c"),
            ("{ users.users.\"a b\".na| = 1; }", "users.users.a b|na"),
            ("{ x = with pkgs; [ a ]; y = { z| = 1; }; }", "y|z"),
            ("{ x = config.services.ng|", "services|ng"),
            ("let cfg = config.services.|; in cfg", "services|"),
            ("let cfg = config.services.nginx; in { x = cfg.en|", "services.nginx|en"),
            ("let cfg = config.services; n = cfg.nginx; in { x = mkIf n.en|able { }; }", "services.nginx|enable"),
            ("let inherit (config.services) nginx; in with nginx; [ nginx.p|", "services.nginx|p"),
            ("let cfg = config.services.nginx; in cfg.en|", "services.nginx|en"),
            ("let cfg = config.a; in { cfg.b| = 1; }", "cfg|b"),
            ("|", "|"),
        ] {
            assert_eq!(option(text), expected, "{text}");
        }
    }

    #[test]
    fn values_know_their_option() {
        let value = |option: &[&str], with_packages| Subject::Value {
            option: option.iter().map(|name| (*name).to_owned()).collect(),
            with_packages,
        };
        let packages = ["environment", "systemPackages"];
        let text = "{ pkgs, ... }: { a = 1; environment.systemPackages = with pkgs; [ git vi|m ]; }";
        assert_eq!(subject(text), Some((value(&packages, true), "vim".to_owned())));
        let text = "{ environment = { systemPackages = [ | ]; }; }";
        assert_eq!(subject(text), Some((value(&packages, false), String::new())));
        assert_eq!(subject("{ a = [ pkgs.vi|m ]; }"), Some((Subject::Package, "vim".to_owned())));
        assert_eq!(subject("let p = pkgs; in { a = [ p.vi|m ]; }"), Some((Subject::Package, "vim".to_owned())));
        assert_eq!(subject("{ a = lib.mkI|f; }"), Some((Subject::Attribute, "mkIf".to_owned())));
        assert_eq!(subject("{ options.a.b| = 1; }"), Some((Subject::Attribute, "b".to_owned())));
    }

    #[test]
    fn there_is_nothing_in_comments_and_strings() {
        assert_eq!(subject("{ # services.|\n }"), None);
        assert_eq!(subject("{ a = \"services.|\"; }"), None);
    }
}
