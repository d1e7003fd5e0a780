//! Documents to text: which lines end is decided from left to right, by what fits in the rest of the line.

use crate::doc::{Doc, Kind};

/// Columns of a line without its indentation, where that can be helped.
const WIDTH: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Flat,
    Broken,
}

#[derive(Clone, Copy)]
struct Item<'d> {
    indent: usize,
    mode: Mode,
    doc: &'d Doc,
}

/// The document as text.
pub(crate) fn print(doc: &Doc) -> String {
    let mut printer = Printer { out: String::new(), column: 0, pending: None, comments: Vec::new() };
    let mut stack = vec![Item { indent: 0, mode: Mode::Broken, doc }];
    while let Some(item) = stack.pop() {
        printer.item(item, &mut stack);
    }
    printer.end_line(0, 1);
    printer.out.push('\n');
    printer.out
}

struct Printer {
    out: String,
    /// Characters in the line behind its indentation.
    column: usize,
    /// Newlines to come before the next text, and its indentation.
    pending: Option<(usize, usize)>,
    /// Comments for the end of the line.
    comments: Vec<String>,
}

impl Printer {
    fn item<'d>(&mut self, item: Item<'d>, stack: &mut Vec<Item<'d>>) {
        let Item { indent, mode, doc } = item;
        let is_flat = mode == Mode::Flat;
        match doc.kind() {
            Kind::Text(text) => self.write(text),
            Kind::Line if is_flat => self.write(" "),
            Kind::Soft if is_flat => {}
            Kind::Line | Kind::Soft | Kind::Hard => self.end_line(indent, 1),
            Kind::Blank => self.end_line(indent, 2),
            Kind::Exact => {
                let before = self.pending.map_or(0, |(count, _)| count);
                self.end_line(indent, before + 1);
            }
            Kind::Trailing(comment) => self.comments.push(comment.clone()),
            Kind::Nest(spaces, inner) => stack.push(Item { indent: indent + spaces, mode, doc: inner }),
            Kind::Group(inner) => {
                let fits = is_flat || self.fits(inner, stack);
                stack.push(Item { indent, mode: if fits { Mode::Flat } else { Mode::Broken }, doc: inner });
            }
            Kind::Flat(inner) => stack.push(Item { indent, mode: Mode::Flat, doc: inner }),
            Kind::Concat(docs) => stack.extend(docs.iter().rev().map(|doc| Item { indent, mode, doc })),
            Kind::Choice(docs) => {
                let chosen = match docs.split_last() {
                    Some((_, others)) if is_flat => others.first().or(docs.first()),
                    Some((last, others)) => others.iter().find(|doc| self.first_line_fits(doc, stack)).or(Some(last)),
                    None => None,
                };
                stack.extend(chosen.map(|doc| Item { indent, mode, doc }));
            }
        }
    }

    fn column(&self) -> usize {
        if self.pending.is_some() { 0 } else { self.column }
    }

    fn end_line(&mut self, indent: usize, newlines: usize) {
        for comment in std::mem::take(&mut self.comments) {
            self.out.push(' ');
            self.out.push_str(&comment);
        }
        let before = self.pending.map_or(0, |(count, _)| count);
        self.pending = Some((newlines.max(before), indent));
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some((newlines, indent)) = self.pending.take() {
            // A text has no empty lines at its beginning.
            if !self.out.is_empty() {
                self.out.extend(std::iter::repeat_n('\n', newlines));
            }
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.column = 0;
        }
        self.out.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    /// Whether a document and what follows it up to where a line may end have room.
    fn fits(&self, doc: &Doc, rest: &[Item<'_>]) -> bool {
        let Some(room) = doc.flat().and_then(|width| WIDTH.checked_sub(self.column() + width)) else { return false };
        line_fits(Vec::new(), rest, room)
    }

    fn first_line_fits(&self, doc: &Doc, rest: &[Item<'_>]) -> bool {
        let Some(room) = WIDTH.checked_sub(self.column()) else { return false };
        line_fits(vec![(Mode::Broken, doc)], rest, room)
    }
}

/// Whether what is printed before the next end of a line has room: a stack, and what follows it.
fn line_fits<'d>(mut stack: Vec<(Mode, &'d Doc)>, rest: &[Item<'d>], mut room: usize) -> bool {
    let mut left = rest.len();
    loop {
        let next = stack.pop().or_else(|| {
            left = left.checked_sub(1)?;
            Some((rest[left].mode, rest[left].doc))
        });
        let Some((mode, doc)) = next else { return true };
        let is_flat = mode == Mode::Flat;
        let used = match doc.kind() {
            Kind::Text(text) => match text.split_once('\n') {
                Some((first, _)) => return first.chars().count() <= room,
                None => text.chars().count(),
            },
            Kind::Line if is_flat => 1,
            Kind::Soft if is_flat => 0,
            Kind::Line | Kind::Soft | Kind::Hard | Kind::Blank | Kind::Exact => return true,
            Kind::Trailing(_) => 0,
            Kind::Flat(inner) => match inner.flat() {
                Some(width) => width,
                None => return false,
            },
            Kind::Nest(_, inner) => {
                stack.push((mode, inner));
                0
            }
            Kind::Group(inner) => {
                let is_flat = is_flat || inner.flat().is_some_and(|width| width <= room);
                stack.push((if is_flat { Mode::Flat } else { Mode::Broken }, inner));
                0
            }
            Kind::Concat(docs) => {
                stack.extend(docs.iter().rev().map(|doc| (mode, doc)));
                0
            }
            Kind::Choice(docs) => {
                let Some((last, others)) = docs.split_last() else { continue };
                let fits = |doc: &'d Doc| {
                    let mut with = stack.clone();
                    with.push((mode, doc));
                    line_fits(with, &rest[..left], room)
                };
                if !is_flat && others.iter().any(fits) {
                    return true;
                }
                stack.push((mode, if is_flat { docs.first().unwrap_or(last) } else { last }));
                0
            }
        };
        match room.checked_sub(used) {
            Some(less) => room = less,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::print;
    use crate::doc::{Doc, choice, concat, exact, flat, group, hard, line, nest, soft, text, trailing};

    fn words(count: usize) -> Doc {
        let more = (1..count).map(|_| concat([line(), text("word")]));
        group(concat([text("word"), nest(concat(more))]))
    }

    #[test]
    fn a_group_is_on_one_line_or_on_as_many_as_it_has() {
        assert_eq!(print(&words(2)), "word word\n");
        assert!(print(&words(30)).starts_with("word\n  word\n  word\n"));
    }

    #[test]
    fn comments_wait_for_the_end_of_the_line_and_newlines_are_not_doubled() {
        let doc =
            concat([text("a"), trailing("# c"), text(";"), hard(), hard(), text("b"), exact(), exact(), text("c")]);
        assert_eq!(print(&doc), "a; # c\nb\n\nc\n");
    }

    #[test]
    fn of_choices_the_first_counts_that_has_room() {
        let long = text("x".repeat(120));
        let block = concat([text("("), nest(concat([soft(), long.clone()])), soft(), text(")")]);
        let doc =
            choice(vec![flat(long.clone()), concat([text("f "), block.clone()]), concat([text("g"), hard(), long])]);
        assert!(print(&doc).starts_with("f (\n  xxx"));
    }
}
