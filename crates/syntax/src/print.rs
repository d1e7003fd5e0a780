//! The tree as text, in the notation of `nix-instantiate --parse`: every operator in parentheses, sets sorted by name,
//! strings as sums. It shows how a text was understood; for people's files it is no formatter.

use std::io::Write;

use crate::ast::{AttrName, Attrs, Expr, Formals, Kind, Lambda, Op, Part, Value};
use crate::{Sym, Symbols};

/// Prints an expression. `absolute` makes an absolute path of the text that a path literal starts with.
pub fn print(expr: &Expr<'_>, symbols: &Symbols<'_>, absolute: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut printer = Printer { symbols, absolute, out: Vec::new() };
    printer.expr(expr);
    printer.out
}

struct Printer<'p, 'y> {
    symbols: &'p Symbols<'y>,
    absolute: &'p dyn Fn(&[u8]) -> Vec<u8>,
    out: Vec<u8>,
}

impl Printer<'_, '_> {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn name(&mut self, name: Sym) {
        let bytes = self.symbols.bytes(name).to_vec();
        write_name(&mut self.out, &bytes);
    }

    fn expr(&mut self, expr: &Expr<'_>) {
        // A long sum is a deep tree.
        stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.kind(&expr.kind));
    }

    fn kind(&mut self, kind: &Kind<'_>) {
        match kind {
            // Writing into a Vec cannot fail.
            Kind::Int(n) => drop(write!(self.out, "{n}")),
            Kind::Float(n) => self.text(&float(*n)),
            Kind::Var(name) => self.name(*name),
            Kind::Str([]) => self.text("\"\""),
            Kind::Str([Part::Text(text)]) => write_string(&mut self.out, text),
            Kind::Str(parts) => self.sum(parts, false),
            Kind::Path(parts) => self.path(parts),
            Kind::Search(name) => {
                self.text("(__findFile __nixPath ");
                write_string(&mut self.out, name);
                self.text(")");
            }
            Kind::List(items) => {
                self.text("[ ");
                for item in *items {
                    self.text("(");
                    self.expr(item);
                    self.text(") ");
                }
                self.text("]");
            }
            Kind::Attrs(attrs) => {
                self.text(if attrs.recursive { "rec { " } else { "{ " });
                self.bindings(attrs);
                self.text("}");
            }
            Kind::Let((attrs, body)) => {
                self.text("(let ");
                self.bindings(attrs);
                self.around("in ", body, ")");
            }
            Kind::With((set, body)) => {
                self.around("(with ", set, "; ");
                self.around("", body, ")");
            }
            Kind::Assert((condition, body)) => {
                self.around("assert ", condition, "; ");
                self.expr(body);
            }
            Kind::If((condition, then, other)) => {
                self.around("(if ", condition, " then ");
                self.around("", then, " else ");
                self.around("", other, ")");
            }
            Kind::Lambda(lambda) => self.lambda(lambda),
            Kind::Apply((function, args)) => self.apply(function, args),
            Kind::Select(select) => {
                self.around("(", &select.base, ").");
                self.attr_path(select.path);
                if let Some(default) = &select.default {
                    self.around(" or (", default, ")");
                }
            }
            Kind::HasAttr((base, path)) => {
                self.around("((", base, ") ? ");
                self.attr_path(path);
                self.text(")");
            }
            Kind::Not(e) => self.around("(! ", e, ")"),
            Kind::Negate(e) => self.around("(__sub 0 ", e, ")"),
            Kind::Binary(b) => self.binary(b.op, &b.lhs, &b.rhs),
            // Nobody prints a tree that leaves out texts.
            Kind::Unread(_) => self.text("..."),
        }
    }

    fn around(&mut self, before: &str, expr: &Expr<'_>, after: &str) {
        self.text(before);
        self.expr(expr);
        self.text(after);
    }

    /// `-`, `*`, `/` and comparisons are calls.
    fn binary(&mut self, op: Op, lhs: &Expr<'_>, rhs: &Expr<'_>) {
        let (function, lhs, rhs) = match op {
            Op::Sub => ("(__sub ", lhs, rhs),
            Op::Mul => ("(__mul ", lhs, rhs),
            Op::Div => ("(__div ", lhs, rhs),
            Op::Lt => ("(__lessThan ", lhs, rhs),
            Op::Gt => ("(__lessThan ", rhs, lhs),
            Op::Ge => ("(! (__lessThan ", lhs, rhs),
            Op::Le => ("(! (__lessThan ", rhs, lhs),
            _ => {
                self.around("(", lhs, &format!(" {} ", op.text()));
                return self.around("", rhs, ")");
            }
        };
        self.around(function, lhs, " ");
        self.around("", rhs, if matches!(op, Op::Ge | Op::Le) { "))" } else { ")" });
    }

    /// `f a b`; a call of a call takes all arguments together.
    fn apply(&mut self, function: &Expr<'_>, args: &[Expr<'_>]) {
        let mut all = vec![args];
        let mut function = function;
        while let Kind::Apply((inner, more)) = &function.kind {
            all.push(more);
            function = inner;
        }
        self.around("(", function, "");
        for arg in all.into_iter().rev().flatten() {
            self.around(" ", arg, "");
        }
        self.text(")");
    }

    fn sum(&mut self, parts: &[Part<'_>], path: bool) {
        self.text("(");
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.text(" + ");
            }
            match part {
                Part::Text(text) if path && i == 0 => {
                    let mut start = (self.absolute)(text);
                    // The slash in front of an interpolation counts.
                    if text.ends_with(b"/") && !start.ends_with(b"/") {
                        start.push(b'/');
                    }
                    self.out.extend_from_slice(&start);
                }
                Part::Text(text) => write_string(&mut self.out, text),
                Part::Expr(e) => self.expr(e),
            }
        }
        self.text(")");
    }

    fn path(&mut self, parts: &[Part<'_>]) {
        match parts {
            [Part::Text(text)] => {
                let text = (self.absolute)(text);
                self.out.extend_from_slice(&text);
            }
            parts => self.sum(parts, true),
        }
    }

    fn attr_path(&mut self, path: &[AttrName<'_>]) {
        for (i, name) in path.iter().enumerate() {
            if i > 0 {
                self.text(".");
            }
            match name {
                AttrName::Static(name, _) => self.name(*name),
                AttrName::Dynamic(e) => self.around("\"${", e, "}\""),
            }
        }
    }

    fn lambda(&mut self, lambda: &Lambda<'_>) {
        self.text("(");
        if let Some(formals) = &lambda.formals {
            self.formals(formals);
            if lambda.name.is_some() {
                self.text(" @ ");
            }
        }
        if let Some(name) = lambda.name {
            self.name(name);
        }
        self.around(": ", &lambda.body, ")");
    }

    fn formals(&mut self, formals: &Formals<'_>) {
        let mut list: Vec<_> = formals.list.iter().collect();
        list.sort_by_key(|f| self.symbols.bytes(f.name));
        self.text("{ ");
        for (i, formal) in list.into_iter().enumerate() {
            if i > 0 {
                self.text(", ");
            }
            self.name(formal.name);
            if let Some(default) = &formal.default {
                self.around(" ? ", default, "");
            }
        }
        if formals.ellipsis {
            self.text(if formals.list.is_empty() { "..." } else { ", ..." });
        }
        self.text(" }");
    }

    fn bindings(&mut self, attrs: &Attrs<'_>) {
        let mut sorted: Vec<_> = attrs.statics.iter().collect();
        sorted.sort_by_key(|b| self.symbols.bytes(b.name));
        let inherited: Vec<Sym> = sorted.iter().filter(|b| matches!(b.value, Value::Inherit)).map(|b| b.name).collect();
        if !inherited.is_empty() {
            self.text("inherit");
            self.names(&inherited);
        }
        for (i, from) in attrs.from.iter().enumerate() {
            let is_from = |v: &Value<'_>| matches!(v, Value::InheritFrom(n) if *n as usize == i);
            let names: Vec<Sym> = sorted.iter().filter(|b| is_from(&b.value)).map(|b| b.name).collect();
            if !names.is_empty() {
                self.around("inherit (", from, ")");
                self.names(&names);
            }
        }
        for binding in sorted {
            if let Value::Expr(e) = &binding.value {
                self.name(binding.name);
                self.around(" = ", e, "; ");
            }
        }
        for binding in attrs.dynamics {
            self.around("\"${", &binding.name, "}\" = ");
            self.around("", &binding.value, "; ");
        }
    }

    fn names(&mut self, names: &[Sym]) {
        for name in names {
            self.text(" ");
            self.name(*name);
        }
        self.text("; ");
    }
}

/// A string literal: quotes, backslashes, line ends, tabs and `${` escaped.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for (i, b) in text.iter().enumerate() {
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *b]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'$' if text.get(i + 1) == Some(&b'{') => out.extend_from_slice(b"\\$"),
            b => out.push(*b),
        }
    }
    out.push(b'"');
}

/// An attribute name, quoted where it must be.
pub fn write_name(out: &mut Vec<u8>, name: &[u8]) {
    const KEYWORDS: [&str; 9] = ["if", "then", "else", "assert", "with", "let", "in", "rec", "inherit"];
    let plain = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'\'' | b'-'))
        && !KEYWORDS.iter().any(|k| k.as_bytes() == name);
    if plain { out.extend_from_slice(name) } else { write_string(out, name) }
}

/// A float as C++'s default stream format has it: six significant digits, no needless zeros.
pub fn float(n: f64) -> String {
    if n.is_nan() {
        return if n.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if n.is_infinite() {
        return if n < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    if n == 0.0 {
        return if n.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let scientific = format!("{n:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        let plain = format!("{n:.decimals$}");
        return trim_zeros(&plain).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim_zeros(mantissa), exponent.abs())
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}
