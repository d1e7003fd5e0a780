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
    /// The loops whose last round matches nothing.
    loops: Vec<Loop>,
}

/// A loop over a group that can match nothing. The reference goes round once more where nothing is left to match, which
/// leaves the group, and groups in it, with an empty text.
#[derive(Clone)]
struct Loop {
    group: usize,
    groups: Vec<usize>,
}

/// Start and end of the match and of each group.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

impl Cache {
    /// The compiled form of `source`, or nothing when it is no regular expression.
    pub(crate) fn get(&self, source: &[u8]) -> Option<Rc<Expression>> {
        if let Some(known) = self.known.borrow().get(source) {
            return Some(known.clone());
        }
        let (translated, loops) = translate(source)?;
        let config = |kind| Config::new().match_kind(kind).utf8_empty(false);
        let syntax = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
        let build = |kind, text: &str| Regex::builder().configure(config(kind)).syntax(syntax).build(text).ok();
        let expression = Rc::new(Expression {
            whole: build(MatchKind::LeftmostFirst, &format!("\\A(?:{translated})\\z"))?,
            leftmost: build(MatchKind::LeftmostFirst, &translated)?,
            longest: build(MatchKind::All, &translated)?,
            loops,
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
        let mut groups: Groups =
            captures.is_match().then(|| captures.iter().map(|g| g.map(|s| (s.start, s.end))).collect())?;
        for repeated in &self.loops {
            let Some((_, end)) = groups.get(repeated.group).copied().flatten() else { continue };
            for group in &repeated.groups {
                groups[*group] = Some((end, end));
            }
        }
        Some(groups)
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

/// A part of an expression in Rust's syntax.
struct Part {
    text: String,
    /// The groups that take part when it matches nothing at all; `None` when it cannot.
    empty: Option<Vec<usize>>,
}

/// The same expression in Rust's syntax, and its loops over groups that can match nothing.
fn translate(source: &[u8]) -> Option<(String, Vec<Loop>)> {
    let mut parser = Parser { source, at: 0, depth: 0, groups: 0, loops: Vec::new() };
    let part = parser.alternatives()?;
    (parser.at == source.len()).then_some((part.text, parser.loops))
}

struct Parser<'s> {
    source: &'s [u8],
    at: usize,
    depth: u32,
    groups: usize,
    loops: Vec<Loop>,
}

/// Groups may nest this deep.
const MAX_GROUPS: u32 = 250;

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn alternatives(&mut self) -> Option<Part> {
        let mut all = self.sequence()?;
        while self.peek() == Some(b'|') {
            self.at += 1;
            let next = self.sequence()?;
            all.text.push('|');
            all.text.push_str(&next.text);
            all.empty = all.empty.or(next.empty);
        }
        Some(all)
    }

    fn sequence(&mut self) -> Option<Part> {
        let mut all = Part { text: String::new(), empty: Some(Vec::new()) };
        while let Some(b) = self.peek() {
            let part = match b {
                b'|' | b')' => break,
                // Nothing can be repeated of these two.
                b'^' | b'$' => {
                    self.at += 1;
                    let text = if b == b'^' { "\\A" } else { "\\z" };
                    Part { text: text.to_owned(), empty: Some(Vec::new()) }
                }
                _ => self.repeated()?,
            };
            all.text.push_str(&part.text);
            all.empty = all.empty.zip(part.empty).map(|(a, b)| [a, b].concat());
        }
        Some(all)
    }

    fn repeated(&mut self) -> Option<Part> {
        let group = self.groups + 1;
        let mut part = self.atom()?;
        while let Some((repeat, least, is_loop)) = self.repeat()? {
            part.text = format!("(?:{}){repeat}", part.text);
            if let (true, Some(groups)) = (is_loop, &part.empty) {
                if groups.first() == Some(&group) {
                    self.loops.push(Loop { group, groups: groups.clone() });
                }
            }
            if least == 0 {
                part.empty = Some(part.empty.unwrap_or_default());
            }
        }
        Some(part)
    }

    fn atom(&mut self) -> Option<Part> {
        let b = self.peek()?;
        self.at += 1;
        let text = match b {
            b'(' => return self.group(),
            b'[' => self.bracket()?,
            b'.' => "[^\\x00]".to_owned(),
            b'*' | b'+' | b'?' | b'{' => return None,
            b'\\' => {
                let escaped = self.peek().filter(|b| b".[\\()*+?{|^$".contains(b))?;
                self.at += 1;
                literal(escaped)
            }
            other => literal(other),
        };
        Some(Part { text, empty: None })
    }

    fn group(&mut self) -> Option<Part> {
        self.groups += 1;
        let number = self.groups;
        self.depth += 1;
        if self.depth > MAX_GROUPS {
            return None;
        }
        let inner = self.alternatives()?;
        if self.peek() != Some(b')') {
            return None;
        }
        self.at += 1;
        self.depth -= 1;
        let empty = inner.empty.map(|groups| [vec![number], groups].concat());
        Some(Part { text: format!("({})", inner.text), empty })
    }

    /// The repetition, how often at least, and whether it has no upper end.
    fn repeat(&mut self) -> Option<Option<(String, u32, bool)>> {
        let found = match self.peek() {
            Some(b @ (b'*' | b'+' | b'?')) => {
                self.at += 1;
                (char::from(b).to_string(), u32::from(b == b'+'), b != b'?')
            }
            Some(b'{') => {
                self.at += 1;
                let low = self.number()?;
                let mut is_loop = false;
                let text = match self.peek()? {
                    b',' => {
                        self.at += 1;
                        is_loop = self.peek() == Some(b'}');
                        if is_loop { format!("{{{low},}}") } else { format!("{{{low},{}}}", self.number()?) }
                    }
                    _ => format!("{{{low}}}"),
                };
                if self.peek() != Some(b'}') {
                    return None;
                }
                self.at += 1;
                (text, low, is_loop)
            }
            _ => return Some(None),
        };
        Some(Some(found))
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
        // What a dash may make a range of: a dash stands for itself only at the start and at the end.
        let mut last = None;
        let mut first = true;
        loop {
            let b = self.peek()?;
            match (b, self.source.get(self.at + 1)) {
                (b']', _) if !first => {
                    self.at += 1;
                    break;
                }
                (b'[', Some(b':')) => {
                    self.class(&mut members)?;
                    last = None;
                }
                (b'[', Some(b'.' | b'=')) => {
                    let found = self.collating()?;
                    members[found as usize] = true;
                    last = Some(found);
                }
                (b'-', Some(b']')) | (_, _) if b != b'-' || first || self.source.get(self.at + 1) == Some(&b']') => {
                    self.at += 1;
                    members[b as usize] = true;
                    last = Some(b);
                }
                (_, next) => {
                    let (low, high) = (last?, *next?);
                    if high < low || (high == b'[' && matches!(self.source.get(self.at + 2), Some(b':' | b'.' | b'=')))
                    {
                        return None;
                    }
                    self.at += 2;
                    members[low as usize..=high as usize].fill(true);
                    last = None;
                }
            }
            first = false;
        }
        Some(class_text(&members, negated))
    }

    /// `[.name.]` or `[=name=]`, of one character.
    fn collating(&mut self) -> Option<u8> {
        let mark = self.source[self.at + 1];
        let rest = &self.source[self.at + 2..];
        let len = rest.windows(2).position(|w| w == [mark, b']'])?;
        let name = std::str::from_utf8(&rest[..len]).ok()?;
        self.at += 2 + len + 2;
        match name.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => Some(*letter),
            _ => COLLATING_NAMES.iter().find(|(_, n)| *n == name).map(|(b, _)| *b),
        }
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

/// POSIX's names of characters that are no letters.
const COLLATING_NAMES: &[(u8, &str)] = &[
    (b'\t', "tab"),
    (b'\n', "newline"),
    (b' ', "space"),
    (b'!', "exclamation-mark"),
    (b'"', "quotation-mark"),
    (b'#', "number-sign"),
    (b'$', "dollar-sign"),
    (b'%', "percent-sign"),
    (b'&', "ampersand"),
    (b'\'', "apostrophe"),
    (b'(', "left-parenthesis"),
    (b')', "right-parenthesis"),
    (b'*', "asterisk"),
    (b'+', "plus-sign"),
    (b',', "comma"),
    (b'-', "hyphen"),
    (b'.', "period"),
    (b'/', "slash"),
    (b'0', "zero"),
    (b'1', "one"),
    (b'2', "two"),
    (b'3', "three"),
    (b'4', "four"),
    (b'5', "five"),
    (b'6', "six"),
    (b'7', "seven"),
    (b'8', "eight"),
    (b'9', "nine"),
    (b':', "colon"),
    (b';', "semicolon"),
    (b'<', "less-than-sign"),
    (b'=', "equals-sign"),
    (b'>', "greater-than-sign"),
    (b'?', "question-mark"),
    (b'@', "commercial-at"),
    (b'[', "left-square-bracket"),
    (b'\\', "backslash"),
    (b']', "right-square-bracket"),
    (b'^', "circumflex"),
    (b'_', "underscore"),
    (b'`', "grave-accent"),
    (b'{', "left-curly-bracket"),
    (b'|', "vertical-line"),
    (b'}', "right-curly-bracket"),
    (b'~', "tilde"),
];

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
    fn the_last_round_of_a_loop_matches_nothing() {
        assert_eq!(groups("(a*)*", "aa").unwrap()[1], Some((2, 2)));
        assert_eq!(groups("((a)?)*", "a").unwrap()[1..], [Some((1, 1)), Some((0, 1))]);
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for bad in ["(", ")", "*a", "[a", "a{1", "[[:foo:]]", "+", "^*", r"\d", "[a-c-e]", "[[.-.]]"] {
            assert!(Cache::default().get(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
