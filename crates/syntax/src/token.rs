//! Tokens outside of strings and paths.

use crate::Sym;
use crate::ast::Op;

/// A token; strings and paths only tell that they begin, the parser reads their inside.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Token {
    Eof,
    Ident(Sym),
    Int(i64),
    Float(f64),
    /// `"`; the position is behind it.
    Quote,
    /// `''`
    IndentQuote,
    /// A path starts here; nothing of it was read yet.
    Path,
    /// `<…>`, the range is between the brackets.
    Search,
    /// An URI, the range is all of it.
    Uri,
    If,
    Then,
    Else,
    Assert,
    With,
    Let,
    In,
    Rec,
    Inherit,
    OrKw,
    Ellipsis,
    Op(Op),
    Minus,
    Not,
    Question,
    PipeInto,
    PipeFrom,
    LParen,
    RParen,
    LBrace,
    RBrace,
    LBracket,
    RBracket,
    DollarBrace,
    Semicolon,
    Colon,
    Comma,
    Dot,
    At,
    Assign,
    /// A byte that starts no token.
    Invalid(u8),
}

impl Token {
    /// Whether an operand of an application can start with it.
    pub(crate) fn starts_simple(self) -> bool {
        matches!(
            self,
            Token::Ident(_)
                | Token::Int(_)
                | Token::Float(_)
                | Token::Quote
                | Token::IndentQuote
                | Token::Path
                | Token::Search
                | Token::Uri
                | Token::LParen
                | Token::LBrace
                | Token::LBracket
                | Token::Rec
                | Token::Let
        )
    }

    /// Whether a name in an attribute path can start with it.
    pub(crate) fn starts_attr(self) -> bool {
        matches!(self, Token::Ident(_) | Token::OrKw | Token::Quote | Token::DollarBrace)
    }

    /// As the reference's messages name it.
    pub(crate) fn describe(self) -> String {
        let text = match self {
            Token::Eof => "end of file",
            Token::Ident(_) => "identifier",
            Token::Int(_) => "integer",
            Token::Float(_) => "floating-point literal",
            Token::Quote => "'\"'",
            Token::IndentQuote => "start of an indented string",
            Token::Path => "path",
            Token::Search => "search path",
            Token::Uri => "URI",
            Token::If => "'if'",
            Token::Then => "'then'",
            Token::Else => "'else'",
            Token::Assert => "'assert'",
            Token::With => "'with'",
            Token::Let => "'let'",
            Token::In => "'in'",
            Token::Rec => "'rec'",
            Token::Inherit => "'inherit'",
            Token::OrKw => "'or'",
            Token::Ellipsis => "'...'",
            Token::Op(op) => return format!("'{}'", op.text()),
            Token::Minus => "'-'",
            Token::Not => "'!'",
            Token::Question => "'?'",
            Token::PipeInto => "'|>'",
            Token::PipeFrom => "'<|'",
            Token::LParen => "'('",
            Token::RParen => "')'",
            Token::LBrace => "'{'",
            Token::RBrace => "'}'",
            Token::LBracket => "'['",
            Token::RBracket => "']'",
            Token::DollarBrace => "'${'",
            Token::Semicolon => "';'",
            Token::Colon => "':'",
            Token::Comma => "','",
            Token::Dot => "'.'",
            Token::At => "'@'",
            Token::Assign => "'='",
            Token::Invalid(_) => "invalid token",
        };
        text.to_owned()
    }
}
