//! The concrete syntax: every byte of a text, comments and blanks among them, and a tree over it whatever is wrong.
//!
//! For who changes texts (formatting, renaming) or looks at them while they are typed (completion). It holds no errors'
//! words and merges nothing: [`crate::parse`] is what says whether a text is of the language, and both share the lexer and
//! the table of operators.

mod parser;
mod tokens;

use std::ops::Range;

pub use tokens::{Token, TokenKind};

/// A text with its tokens and its tree.
#[derive(Debug)]
pub struct Tree<'t> {
    /// The text.
    pub text: &'t str,
    /// All tokens, one behind the other, blanks and comments too; the last is [`TokenKind::End`].
    pub tokens: Vec<Token>,
    /// The expression, and the end.
    pub root: Node,
    /// Whether all of the text made sense.
    pub is_whole: bool,
}

/// A piece of the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its parts, in order; blanks and comments lie between them.
    pub children: Vec<Child>,
}

/// A part of a node.
#[derive(Clone, Debug)]
pub enum Child {
    /// A smaller node.
    Node(Node),
    /// A token, by its index in [`Tree::tokens`].
    Token(usize),
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// The whole text: an expression and the end.
    Root,
    /// What does not belong where it stands, or nothing where something is missing.
    Error,
    /// A name as an expression, as a parameter or in an attribute path.
    Name,
    /// A number, an URI or `<path>`.
    Literal,
    /// `"…"`
    String,
    /// `''…''`
    IndentedString,
    /// A path.
    Path,
    /// `${ e }`
    Interpolation,
    /// `[ e … ]`
    List,
    /// `{ … }` or `rec { … }`
    Set,
    /// `let … in e`
    Let,
    /// `let { … }`
    LegacyLet,
    /// `with e; e`
    With,
    /// `assert e; e`
    Assert,
    /// `if e then e else e`
    If,
    /// A parameter (a [`NodeKind::Name`] or a [`NodeKind::Pattern`]), `:` and a body.
    Lambda,
    /// `{ a, b ? e, ... }`, perhaps with `name@` before or `@name` behind it.
    Pattern,
    /// One name of a pattern, perhaps with `? e`.
    Formal,
    /// A function and its arguments.
    Apply,
    /// `e . path`, perhaps with `or e`.
    Select,
    /// `e ? path`
    HasAttr,
    /// `!e` or `-e`
    Unary,
    /// `e op e`
    Binary,
    /// `( e )`
    Paren,
    /// `path = e;`
    Binding,
    /// `a."b".${c}`
    AttrPath,
    /// `inherit a b;`, perhaps with a [`NodeKind::Paren`].
    Inherit,
}

impl<'t> Tree<'t> {
    /// The tree of a text.
    pub fn of(text: &'t str) -> Self {
        let tokens = tokens::tokens(text);
        let (root, is_whole) = parser::parse(&tokens);
        Tree { text, tokens, root, is_whole }
    }

    /// A token's text.
    pub fn token_text(&self, token: usize) -> &'t str {
        self.text.get(self.tokens[token].range.clone()).unwrap_or_default()
    }

    /// The bytes from a node's first token to its last; `None` where something is missing.
    pub fn range(&self, node: &Node) -> Option<Range<usize>> {
        let (first, last) = (node.first_token()?, node.last_token()?);
        Some(self.tokens[first].range.start..self.tokens[last].range.end)
    }

    /// The text of a node.
    pub fn node_text(&self, node: &Node) -> &'t str {
        self.range(node).and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// Whether one of a node's own tokens is this.
    pub fn has_token(&self, node: &Node, text: &str) -> bool {
        node.tokens().any(|token| self.token_text(token) == text)
    }
}

impl Node {
    /// The nodes among its parts.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.children.iter().filter_map(|child| match child {
            Child::Node(node) => Some(node),
            Child::Token(_) => None,
        })
    }

    /// The tokens among its own parts.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.children.iter().filter_map(|child| match child {
            Child::Token(token) => Some(*token),
            Child::Node(_) => None,
        })
    }

    /// The first token of all of it.
    pub fn first_token(&self) -> Option<usize> {
        self.children.iter().find_map(|child| match child {
            Child::Node(node) => node.first_token(),
            Child::Token(token) => Some(*token),
        })
    }

    /// The last token of all of it.
    pub fn last_token(&self) -> Option<usize> {
        self.children.iter().rev().find_map(|child| match child {
            Child::Node(node) => node.last_token(),
            Child::Token(token) => Some(*token),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(tree: &Tree<'_>, node: &Node) -> String {
        let parts: Vec<String> = node
            .children
            .iter()
            .map(|child| match child {
                Child::Node(node) => shape(tree, node),
                Child::Token(token) => tree.token_text(*token).to_owned(),
            })
            .collect();
        format!("{:?}[{}]", node.kind, parts.join(" "))
    }

    fn shown(text: &str) -> String {
        let tree = Tree::of(text);
        let all: String = (0..tree.tokens.len()).map(|token| tree.token_text(token)).collect();
        assert_eq!(all, text, "every byte belongs to one token");
        let inner = tree.root.nodes().next().map(|node| shape(&tree, node)).unwrap_or_default();
        format!("{}{inner}", if tree.is_whole { "" } else { "broken " })
    }

    #[test]
    fn trees_follow_the_grammar() {
        for (text, tree) in [
            ("a: b", "Lambda[Name[a] : Name[b]]"),
            (
                "x@{ a, b ? 1, ... }: a",
                "Lambda[Pattern[Name[x] @ { Formal[a] , Formal[b ? Literal[1]] , ... }] : Name[a]]",
            ),
            ("f x (y z)", "Apply[Name[f] Name[x] Paren[( Apply[Name[y] Name[z]] )]]"),
            ("a.b.\"c\" or d", "Select[Name[a] . AttrPath[Name[b] . Name[c]] or Name[d]]"),
            ("1 + 2 * 3", "Binary[Literal[1] + Binary[Literal[2] * Literal[3]]]"),
            ("a ++ b ++ c", "Binary[Name[a] ++ Binary[Name[b] ++ Name[c]]]"),
            (
                "{ inherit (a) b; c.d = 1; }",
                "Set[{ Inherit[inherit Paren[( Name[a] )] Name[b] ;] Binding[AttrPath[Name[c] . Name[d]] = Literal[1] ;] }]",
            ),
            ("./a/${b}/c", "Path[./a/ Interpolation[${ Name[b] }] /c]"),
            ("\"a${b}\\\"\"", "String[\" a Interpolation[${ Name[b] }] \\\" \"]"),
            ("''a''${b}''", "IndentedString['' a''${b} '']"),
            ("a ? b && !c", "Binary[HasAttr[Name[a] ? AttrPath[Name[b]]] && Unary[! Name[c]]]"),
            ("a |> b", "Binary[Name[a] |> Name[b]]"),
        ] {
            let shown = shown(text).replace("String[\" c \"]", "Name[c]");
            assert_eq!(shown, tree, "{text}");
        }
    }

    #[test]
    fn what_is_being_typed_leaves_the_rest_in_shape() {
        for (text, tree) in [
            (
                "{ a = ; b = 1; }",
                "broken Set[{ Binding[AttrPath[Name[a]] = Error[] ;] Binding[AttrPath[Name[b]] = Literal[1] ;] }]",
            ),
            (
                "{ a.; b = 1; }",
                "broken Set[{ Binding[AttrPath[Name[a] .] ;] Binding[AttrPath[Name[b]] = Literal[1] ;] }]",
            ),
            ("{ a. }", "broken Set[{ Binding[AttrPath[Name[a] .]] }]"),
            ("{ a = [ b", "broken Set[{ Binding[AttrPath[Name[a]] = List[[ Name[b]]]]"),
            ("let a = 1; in", "broken Let[let Binding[AttrPath[Name[a]] = Literal[1] ;] in Error[]]"),
            ("f (a", "broken Apply[Name[f] Paren[( Name[a]]]"),
            (
                "{ a = \"${b\"; }",
                "broken Set[{ Binding[AttrPath[Name[a]] = String[\" Interpolation[${ Apply[Name[b] String[\" ; }]]]]]]",
            ),
        ] {
            assert_eq!(shown(text), tree, "{text}");
        }
        for text in
            ["", "}", "((((", "\"", "''", "${", "a b }", "{ ] }", "let", "in", "./", "{ inherit", "@", "x:", "é"]
        {
            assert!(shown(text).starts_with("broken"), "{text}");
        }
    }
}
