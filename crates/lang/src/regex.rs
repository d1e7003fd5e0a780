//! POSIX extended regular expressions for `builtins.match` and `builtins.split`.
//!
//! The expression is translated for `regex-automata`. The reference's library finds the leftmost match, of these the
//! longest, and of these the one its alternatives reach first; so the end comes from a search that considers all
//! matches, and the groups from a second one that must end there.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

/// Compiled expressions by source.
#[derive(Default)]
pub(crate) struct Cache {
    known: RefCell<HashMap<Vec<u8>, Rc<Expression>>>,
}

/// A compiled expression.
pub(crate) struct Expression {
    /// Must match a whole range.
    whole: Regex,
    /// Finds where the leftmost match starts.
    leftmost: Regex,
    /// Finds the end of the longest match.
    longest: Regex,
}

/// Start and end of the match and of each group.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

impl Cache {
    /// The compiled form of `source`, or nothing when it is no regular expression.
    pub(crate) fn get(&self, source: &[u8]) -> Option<Rc<Expression>> {
        if let Some(known) = self.known.borrow().get(source) {
            return Some(known.clone());
        }
        let translated = translate(source)?;
        let config = |kind| Config::new().match_kind(kind).utf8_empty(false);
        let syntax = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
        let build = |kind, text: &str| Regex::builder().configure(config(kind)).syntax(syntax).build(text).ok();
        let expression = Rc::new(Expression {
            whole: build(MatchKind::LeftmostFirst, &format!("\\A(?:{translated})\\z"))?,
            leftmost: build(MatchKind::LeftmostFirst, &translated)?,
            longest: build(MatchKind::All, &translated)?,
        });
        self.known.borrow_mut().insert(source.to_vec(), expression.clone());
        Some(expression)
    }
}

impl Expression {
    /// The groups of a match of all of `text`; the first entry is the whole.
    pub(crate) fn match_whole(&self, text: &[u8]) -> Option<Groups> {
        let mut captures = self.whole.create_captures();
        self.whole.search_captures(&Input::new(text), &mut captures);
        captures.is_match().then(|| captures.iter().map(|g| g.map(|s| (s.start, s.end))).collect())
    }

    /// The first match at or after `from`.
    pub(crate) fn find(&self, text: &[u8], from: usize) -> Option<Groups> {
        let rough = self.leftmost.search(&Input::new(text).range(from..))?;
        let start = rough.start();
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let end = self.longest.search(&input).map_or(rough.end(), |m| m.end());
        if self.longest.captures_len() == 1 {
            return Some(vec![Some((start, end))]);
        }
        let found = self.match_whole(&text[start..end]);
        let shift = |g: &Option<(usize, usize)>| g.map(|(a, b)| (a + start, b + start));
        Some(found.map_or_else(|| vec![Some((start, end))], |groups| groups.iter().map(shift).collect()))
    }
}

/// The same expression in Rust's syntax.
fn translate(source: &[u8]) -> Option<String> {
    let mut parser = Parser { source, at: 0, groups: 0 };
    let text = parser.alternatives()?;
    (parser.at == source.len()).then_some(text)
}

struct Parser<'s> {
    source: &'s [u8],
    at: usize,
    groups: u32,
}

/// Groups may nest this deep.
const MAX_GROUPS: u32 = 250;

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn alternatives(&mut self) -> Option<String> {
        let mut out = self.sequence()?;
        while self.peek() == Some(b'|') {
            self.at += 1;
            out.push('|');
            out.push_str(&self.sequence()?);
        }
        Some(out)
    }

    fn sequence(&mut self) -> Option<String> {
        let mut out = String::new();
        while let Some(b) = self.peek() {
            if b == b'|' || (b == b')' && self.groups > 0) {
                break;
            }
            let mut atom = self.atom()?;
            while let Some(repeat) = self.repeat()? {
                atom = format!("(?:{atom}){repeat}");
            }
            out.push_str(&atom);
        }
        Some(out)
    }

    fn atom(&mut self) -> Option<String> {
        let b = self.peek()?;
        self.at += 1;
        Some(match b {
            b'(' => {
                self.groups += 1;
                if self.groups > MAX_GROUPS {
                    return None;
                }
                let inner = self.alternatives()?;
                if self.peek() != Some(b')') {
                    return None;
                }
                self.at += 1;
                self.groups -= 1;
                format!("({inner})")
            }
            b'[' => self.bracket()?,
            b'.' => "[^\\x00]".to_owned(),
            b'^' => "\\A".to_owned(),
            b'$' => "\\z".to_owned(),
            b'*' | b'+' | b'?' | b'{' => return None,
            b'\\' => {
                let escaped = self.peek()?;
                self.at += 1;
                literal(escaped)
            }
            other => literal(other),
        })
    }

    fn repeat(&mut self) -> Option<Option<String>> {
        let repeat = match self.peek() {
            Some(b @ (b'*' | b'+' | b'?')) => {
                self.at += 1;
                char::from(b).to_string()
            }
            Some(b'{') => {
                self.at += 1;
                let low = self.number()?;
                let text = match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if self.peek() == Some(b'}') {
                            format!("{{{low},}}")
                        } else {
                            format!("{{{low},{}}}", self.number()?)
                        }
                    }
                    _ => format!("{{{low}}}"),
                };
                if self.peek() != Some(b'}') {
                    return None;
                }
                self.at += 1;
                text
            }
            _ => return Some(None),
        };
        Some(Some(repeat))
    }

    fn number(&mut self) -> Option<u32> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        std::str::from_utf8(&self.source[start..self.at]).ok()?.parse().ok()
    }

    fn bracket(&mut self) -> Option<String> {
        let negated = self.peek() == Some(b'^');
        if negated {
            self.at += 1;
        }
        let mut members = [false; 256];
        let mut first = true;
        loop {
            let b = self.peek()?;
            if b == b']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            if b == b'[' && matches!(self.source.get(self.at + 1), Some(b':')) {
                self.class(&mut members)?;
                continue;
            }
            let low = self.member()?;
            let is_range = self.peek() == Some(b'-') && self.source.get(self.at + 1).is_some_and(|n| *n != b']');
            if !is_range {
                members[low as usize] = true;
                continue;
            }
            self.at += 1;
            let high = self.member()?;
            if high < low {
                return None;
            }
            members[low as usize..=high as usize].fill(true);
        }
        Some(class_text(&members, negated))
    }

    /// A single byte, perhaps as `[.x.]` or `[=x=]`.
    fn member(&mut self) -> Option<u8> {
        if let [b'[', mark @ (b'.' | b'='), b, end, b']', ..] = &self.source[self.at..] {
            if mark == end {
                self.at += 5;
                return Some(*b);
            }
        }
        let b = self.peek()?;
        self.at += 1;
        Some(b)
    }

    fn class(&mut self, members: &mut [bool; 256]) -> Option<()> {
        let rest = &self.source[self.at + 2..];
        let len = rest.windows(2).position(|w| w == b":]")?;
        let test: fn(&u8) -> bool = match &rest[..len] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"space" => |b| matches!(b, b' ' | 9..=13),
            b"blank" => |b| matches!(b, b' ' | b'\t'),
            b"punct" => u8::is_ascii_punctuation,
            b"print" => |b| matches!(b, 32..=126),
            b"graph" => u8::is_ascii_graphic,
            b"cntrl" => u8::is_ascii_control,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        for b in 0..=255u8 {
            if test(&b) {
                members[b as usize] = true;
            }
        }
        self.at += 2 + len + 2;
        Some(())
    }
}

fn literal(b: u8) -> String {
    if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("\\x{b:02x}") }
}

fn class_text(members: &[bool; 256], negated: bool) -> String {
    use std::fmt::Write;
    let mut text = String::from(if negated { "[^" } else { "[" });
    let mut b = 0;
    while b < 256 {
        if !members[b] {
            b += 1;
            continue;
        }
        let start = b;
        while b < 256 && members[b] {
            b += 1;
        }
        // Writing into a String cannot fail.
        let _ = write!(text, "\\x{start:02x}-\\x{:02x}", b - 1);
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::Cache;

    fn groups(source: &str, text: &str) -> Option<Vec<Option<(usize, usize)>>> {
        Cache::default().get(source.as_bytes()).unwrap().match_whole(text.as_bytes())
    }

    #[test]
    fn brackets_take_backslashes_literally() {
        assert!(groups(r"[\n]+", r"\n").is_some());
        assert!(groups(r"[]a]+", "]a").is_some());
        assert!(groups(r"[^]a]+", "]").is_none());
        assert!(groups(r"[[:alpha:]_-]+", "a_-").is_some());
    }

    #[test]
    fn a_search_takes_the_longest_match() {
        let e = Cache::default().get(b"a|ab|abc").unwrap();
        assert_eq!(e.find(b"xabcd", 0), Some(vec![Some((1, 4))]));
        let e = Cache::default().get(b"(a?)(ab)?").unwrap();
        assert_eq!(e.find(b"ab", 0).unwrap()[0], Some((0, 2)));
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for bad in ["(", "*a", "[a", "a{1", "[[:foo:]]", "+"] {
            assert!(Cache::default().get(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
