//! Tokens to tree: recursive descent, with binding powers for the operators.

mod functions;
mod operators;
mod sets;
mod text;
mod unread;

pub(crate) use operators::{Assoc, NOT_LEVEL, binary};

use std::cell::Cell;

use bumpalo::Bump;
use diagnostics::Pos;

use crate::ast::{Expr, Kind};
use crate::bindings::Builder;
use crate::lexer::Lexer;
use crate::token::Token;
use crate::{Symbols, SyntaxError};

/// Nesting deeper than this is refused instead of overflowing the stack.
pub(crate) const MAX_DEPTH: u32 = 2000;

/// Grammar behind feature names.
#[derive(Clone, Copy, Default, Debug)]
pub struct Features {
    /// `|>` and `<|` (`pipe-operators`).
    pub pipe_operators: bool,
}

/// Parses one expression, all of `text`. Positions start at `base`; the tree lies in `bump`.
///
/// # Errors
/// The first thing wrong with the text.
pub fn parse<'s>(
    text: &[u8],
    base: Pos,
    symbols: &Symbols<'_>,
    bump: &'s Bump,
    features: Features,
) -> Result<Expr<'s>, SyntaxError> {
    Parser::new(Lexer { text, base }, symbols, bump, features).whole()
}

/// Like [`parse`], but most of a long list or set is left as text ([`Kind::Unread`]), checked like the rest.
///
/// # Errors
/// The first thing wrong with the text.
pub fn parse_keeping_texts<'s>(
    text: &[u8],
    base: Pos,
    symbols: &Symbols<'_>,
    bump: &'s Bump,
    features: Features,
) -> Result<Expr<'s>, SyntaxError> {
    let mut parser = Parser::new(Lexer { text, base }, symbols, bump, features);
    parser.keeps_text = true;
    parser.whole()
}

pub(crate) type Res<T> = Result<T, SyntaxError>;

struct Parser<'p, 't, 's, 'y> {
    lexer: Lexer<'t>,
    symbols: &'p Symbols<'y>,
    bump: &'s Bump,
    features: Features,
    token: Token,
    start: usize,
    end: usize,
    prev_end: usize,
    depth: u32,
    /// The token behind the offset that was last peeked at.
    ahead: Cell<Ahead>,
    /// Whether parts of long lists and sets are left as text.
    keeps_text: bool,
    /// For trees that are not kept.
    scratch: Bump,
}

/// A token read already: the offset looked at, where the token starts, the token, the offset behind it.
type Ahead = Option<(usize, usize, Token, usize)>;

impl<'p, 't, 's, 'y> Parser<'p, 't, 's, 'y> {
    fn new(lexer: Lexer<'t>, symbols: &'p Symbols<'y>, bump: &'s Bump, features: Features) -> Self {
        Parser {
            lexer,
            symbols,
            bump,
            features,
            token: Token::Eof,
            start: 0,
            end: 0,
            prev_end: 0,
            depth: 0,
            ahead: Cell::new(None),
            keeps_text: false,
            scratch: Bump::new(),
        }
    }

    /// One expression, all of the text.
    fn whole(mut self) -> Res<Expr<'s>> {
        self.advance()?;
        let expr = self.expr()?;
        match self.token {
            Token::Eof => Ok(expr),
            Token::Assign => {
                Err(self.unexpected("end of file").hint("attributes stand in braces: `{ name = value; }`"))
            }
            _ => Err(self.unexpected("end of file")),
        }
    }

    fn advance(&mut self) -> Res<()> {
        self.prev_end = self.end;
        if let Some((offset, start, token, end)) = self.ahead.get() {
            if offset == self.end {
                (self.start, self.token, self.end) = (start, token, end);
                return Ok(());
            }
        }
        self.start = self.lexer.skip_blank(self.end);
        (self.token, self.end) = self.lexer.token(self.start, self.symbols)?;
        Ok(())
    }

    /// Goes on with the token behind `offset`, where a string or path ended.
    fn resume(&mut self, offset: usize) -> Res<()> {
        self.end = offset;
        self.advance()
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        let end = self.end.max(self.start + 1);
        let expecting = if expected.is_empty() { String::new() } else { format!(", expecting {expected}") };
        SyntaxError::new(
            format!("syntax error, unexpected {}{expecting}", self.token.describe()),
            self.lexer.span(self.start, end),
        )
    }

    /// What ends too early says where it began.
    fn unclosed(&self, open: usize, close: Token) -> SyntaxError {
        if self.token == Token::Eof {
            return self.unexpected(&close.describe()).related(self.lexer.span(open, open + 1), "opened here");
        }
        self.unexpected("")
    }

    fn expect(&mut self, token: Token) -> Res<()> {
        if self.token == token { self.advance() } else { Err(self.unexpected(&token.describe())) }
    }

    fn expect_then(&mut self) -> Res<()> {
        let assigns = self.token == Token::Assign;
        self.expect(Token::Then).map_err(|e| if assigns { e.hint("`==` compares") } else { e })
    }

    fn eat(&mut self, token: Token) -> Res<bool> {
        let found = self.token == token;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// The token behind the current one, and the offset behind that.
    fn peek(&self, offset: usize) -> Res<(Token, usize)> {
        let start = self.lexer.skip_blank(offset);
        let (token, end) = self.lexer.token(start, self.symbols)?;
        self.ahead.set(Some((offset, start, token, end)));
        Ok((token, end))
    }

    fn make(&self, start: usize, kind: Kind<'s>) -> Expr<'s> {
        Expr { span: self.lexer.span(start, self.prev_end), kind }
    }

    fn alloc<T: Copy>(&self, value: T) -> &'s T {
        self.bump.alloc(value)
    }

    fn expr(&mut self) -> Res<Expr<'s>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new("expression nested too deeply", self.lexer.span(self.start, self.end)));
        }
        let result = self.expr_function();
        self.depth -= 1;
        result
    }

    fn expr_function(&mut self) -> Res<Expr<'s>> {
        let start = self.start;
        match self.token {
            Token::Ident(name) => match self.peek(self.end)?.0 {
                Token::Colon => {
                    self.advance()?;
                    self.advance()?;
                    self.lambda(start, Some(name), None)
                }
                Token::At => {
                    self.advance()?;
                    self.advance()?;
                    let formals = self.formals()?;
                    self.check_formals(&formals, Some(name), start)?;
                    self.expect(Token::Colon)?;
                    self.lambda(start, Some(name), Some(formals))
                }
                _ => self.expr_pipe(),
            },
            Token::LBrace if self.formals_follow()? => {
                let formals = self.formals()?;
                let mut name = None;
                if self.eat(Token::At)? {
                    name = Some(self.ident()?);
                }
                self.check_formals(&formals, name, start)?;
                self.expect(Token::Colon)?;
                self.lambda(start, name, Some(formals))
            }
            Token::Assert => {
                self.advance()?;
                let condition = self.expr()?;
                self.expect(Token::Semicolon)?;
                let body = self.expr()?;
                Ok(self.make(start, Kind::Assert(self.alloc((condition, body)))))
            }
            Token::With => {
                self.advance()?;
                let set = self.expr()?;
                self.expect(Token::Semicolon)?;
                let body = self.expr()?;
                Ok(self.make(start, Kind::With(self.alloc((set, body)))))
            }
            Token::Let if self.peek(self.end)?.0 != Token::LBrace => self.let_in(start),
            Token::If => {
                self.advance()?;
                let condition = self.expr()?;
                self.expect_then()?;
                let then = self.expr()?;
                self.expect(Token::Else)?;
                let other = self.expr()?;
                Ok(self.make(start, Kind::If(self.alloc((condition, then, other)))))
            }
            _ => self.expr_pipe(),
        }
    }

    fn let_in(&mut self, start: usize) -> Res<Expr<'s>> {
        self.advance()?;
        let attrs = self.bindings(Builder::new(true, self.bump), start, Token::In)?;
        if let Some(dynamic) = attrs.dynamics.first() {
            return Err(SyntaxError::new("dynamic attributes not allowed in let", dynamic.span));
        }
        let body = self.expr()?;
        Ok(self.make(start, Kind::Let(self.alloc((attrs, body)))))
    }

    fn expr_simple(&mut self) -> Res<Expr<'s>> {
        let (start, end) = (self.start, self.end);
        let kind = match self.token {
            Token::Ident(name) => Kind::Var(name),
            Token::Int(n) => Kind::Int(n),
            Token::Float(n) => Kind::Float(n),
            Token::Uri => Kind::Str(self.text_parts(start, end)),
            Token::Search => {
                Kind::Search(self.alloc(&*self.bump.alloc_slice_copy(&self.lexer.text[start + 1..end - 1])))
            }
            Token::Quote => return self.string(),
            Token::IndentQuote => return self.indented_string(),
            Token::Path => return self.path(),
            Token::LParen => {
                self.advance()?;
                let inner = self.expr()?;
                if self.token == Token::Eof {
                    return Err(self.unclosed(start, Token::RParen));
                }
                self.expect(Token::RParen)?;
                return Ok(inner);
            }
            Token::LBracket => return self.list(),
            Token::LBrace => return self.attrs(start, false),
            Token::Rec => {
                self.advance()?;
                return self.attrs(start, true);
            }
            Token::Let => return self.legacy_let(start),
            _ => return Err(self.unexpected("")),
        };
        self.advance()?;
        Ok(self.make(start, kind))
    }
}
