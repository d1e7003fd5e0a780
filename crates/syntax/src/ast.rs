//! The syntax tree: `Copy` nodes of 24 bytes whose parts lie in an arena.
//!
//! Attribute sets are already merged (`a.b = 1; a.c = 2;` is one nested set) and strings already unescaped; what was
//! written how is not kept, formatting is not this tree's purpose.

use diagnostics::{Pos, Span};

use crate::Sym;
use crate::free::FreeName;

/// An expression and its place.
#[derive(Clone, Copy, Debug)]
pub struct Expr<'s> {
    /// The whole expression.
    pub span: Span,
    /// What it is.
    pub kind: Kind<'s>,
}

/// What an expression is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'s> {
    /// Integer literal.
    Int(i64),
    /// Floating-point literal.
    Float(f64),
    /// A name.
    Var(Sym),
    /// A string; its interpolations still to be evaluated.
    Str(&'s [Part<'s>]),
    /// A path; the first part is text starting with `/`, `~/` or a relative path.
    Path(&'s [Part<'s>]),
    /// `<name>`: to be looked for in the search path.
    Search(&'s &'s [u8]),
    /// `[ … ]`
    List(&'s [Expr<'s>]),
    /// `{ … }` or `rec { … }`
    Attrs(&'s Attrs<'s>),
    /// `let … in …`
    Let(&'s (Attrs<'s>, Expr<'s>)),
    /// `with a; b`
    With(&'s (Expr<'s>, Expr<'s>)),
    /// `assert a; b`
    Assert(&'s (Expr<'s>, Expr<'s>)),
    /// `if a then b else c`
    If(&'s (Expr<'s>, Expr<'s>, Expr<'s>)),
    /// A function.
    Lambda(&'s Lambda<'s>),
    /// `f a b`
    Apply(&'s (Expr<'s>, &'s [Expr<'s>])),
    /// `a.b.c or d`
    Select(&'s Select<'s>),
    /// `a ? b.c`
    HasAttr(&'s (Expr<'s>, &'s [AttrName<'s>])),
    /// `!a`
    Not(&'s Expr<'s>),
    /// `-a`
    Negate(&'s Expr<'s>),
    /// `a + b` and the like.
    Binary(&'s Binary<'s>),
    /// Checked, and not kept; only [`parse_keeping_texts`](crate::parse_keeping_texts) leaves such.
    Unread(&'s Unread<'s>),
}

/// A part of a long list or set whose tree was not kept. It is a list, a call, `let`, `with` or `if`, or, as an element of
/// a list, a set.
#[derive(Clone, Copy, Debug)]
pub struct Unread<'s> {
    /// Its text, an expression that can be parsed by itself.
    pub text: Span,
    /// The names that it takes from around it.
    pub free: &'s [FreeName],
}

/// A piece of a string or path.
#[derive(Clone, Copy, Debug)]
pub enum Part<'s> {
    /// Literal bytes.
    Text(&'s [u8]),
    /// `${ … }`
    Expr(Expr<'s>),
}

/// Binary operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Concat,
    Update,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Implies,
}

impl Op {
    /// The operator as written.
    pub fn text(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Concat => "++",
            Op::Update => "//",
            Op::Eq => "==",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::And => "&&",
            Op::Or => "||",
            Op::Implies => "->",
        }
    }

    /// Where it stands, if it starts at `pos`.
    pub fn span(self, pos: Pos) -> Span {
        // No operator has more than two characters.
        Span::new(pos, Pos(pos.0 + if self.text().len() == 1 { 1 } else { 2 }))
    }
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug)]
pub struct Binary<'s> {
    /// Which.
    pub op: Op,
    /// Where the operator stands.
    pub pos: Pos,
    /// Left operand.
    pub lhs: Expr<'s>,
    /// Right operand.
    pub rhs: Expr<'s>,
}

/// One component of an attribute path.
#[derive(Clone, Copy, Debug)]
pub enum AttrName<'s> {
    /// Known now.
    Static(Sym, Span),
    /// `${ … }` or a string with interpolation.
    Dynamic(Expr<'s>),
}

/// Selection by an attribute path.
#[derive(Clone, Copy, Debug)]
pub struct Select<'s> {
    /// From what.
    pub base: Expr<'s>,
    /// What, never empty.
    pub path: &'s [AttrName<'s>],
    /// `or` this.
    pub default: Option<Expr<'s>>,
}

/// A function of one parameter.
#[derive(Clone, Copy, Debug)]
pub struct Lambda<'s> {
    /// The name the whole argument gets (`x: …` or `{ … } @ x: …`).
    pub name: Option<Sym>,
    /// The set pattern, if there is one.
    pub formals: Option<Formals<'s>>,
    /// What it computes.
    pub body: Expr<'s>,
}

/// `{ a, b ? 1, ... }`
#[derive(Clone, Copy, Debug)]
pub struct Formals<'s> {
    /// In the order written.
    pub list: &'s [Formal<'s>],
    /// Whether other attributes may be there (`...`).
    pub ellipsis: bool,
}

/// One name of a set pattern.
#[derive(Clone, Copy, Debug)]
pub struct Formal<'s> {
    /// Its name.
    pub name: Sym,
    /// Where it stands.
    pub span: Span,
    /// Used when the attribute is missing.
    pub default: Option<Expr<'s>>,
}

/// The bindings of a set or `let`, merged.
#[derive(Clone, Copy, Debug)]
pub struct Attrs<'s> {
    /// Whether the bindings see each other.
    pub recursive: bool,
    /// Attributes with known names, each name once, in the order first written.
    pub statics: &'s [Binding<'s>],
    /// Attributes whose names must be evaluated.
    pub dynamics: &'s [DynamicBinding<'s>],
    /// The expressions of `inherit (expr)`; [`Value::InheritFrom`] counts them.
    pub from: &'s [Expr<'s>],
}

/// An attribute with a known name.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'s> {
    /// Its name.
    pub name: Sym,
    /// Where it is defined.
    pub span: Span,
    /// What it is bound to.
    pub value: Value<'s>,
}

/// What a binding is bound to.
#[derive(Clone, Copy, Debug)]
pub enum Value<'s> {
    /// `name = expr;`
    Expr(Expr<'s>),
    /// `inherit name;` — the name in the scope around.
    Inherit,
    /// `inherit (from) name;` — the attribute of the n-th [`Attrs::from`].
    InheritFrom(u32),
}

/// An attribute whose name must be evaluated.
#[derive(Clone, Copy, Debug)]
pub struct DynamicBinding<'s> {
    /// Its name.
    pub name: Expr<'s>,
    /// Where it is defined.
    pub span: Span,
    /// What it is bound to.
    pub value: Expr<'s>,
}
