//! Documents: texts and where lines may or must end between them. How wide one is on a single line is known at once.

use std::rc::Rc;

/// Spaces of a step of indentation.
const STEP: usize = 2;

/// A document; cheap to copy.
#[derive(Clone, Debug)]
pub(crate) struct Doc(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    flat: Option<usize>,
}

/// What a document is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A text, perhaps of several lines, that is printed as it is.
    Text(String),
    /// A space, or the end of a line.
    Line,
    /// Nothing, or the end of a line.
    Soft,
    /// The end of a line; where one just ended, nothing.
    Hard,
    /// An empty line; where there is one, nothing.
    Blank,
    /// The end of a line in a string: it counts each time.
    Exact,
    /// A comment that waits for the end of the line.
    Trailing(String),
    /// Lines within it are indented by so many spaces more.
    Nest(usize, Doc),
    /// On one line if there is room, else all its lines end.
    Group(Doc),
    /// On one line in any case.
    Flat(Doc),
    /// One behind the other.
    Concat(Vec<Doc>),
    /// The first whose first line has room, or the last.
    Choice(Vec<Doc>),
}

impl Doc {
    fn new(kind: Kind) -> Self {
        let flat = match &kind {
            Kind::Text(text) => (!text.contains('\n')).then(|| text.chars().count()),
            Kind::Line => Some(1),
            Kind::Soft | Kind::Trailing(_) => Some(0),
            Kind::Hard | Kind::Blank | Kind::Exact => None,
            Kind::Nest(_, doc) | Kind::Group(doc) | Kind::Flat(doc) => doc.flat(),
            Kind::Concat(docs) => docs.iter().map(Doc::flat).sum(),
            Kind::Choice(docs) => docs.first().and_then(Doc::flat),
        };
        Doc(Rc::new(Inner { kind, flat }))
    }

    /// What it is.
    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Its width on one line; `None` when it does not go on one line.
    pub(crate) fn flat(&self) -> Option<usize> {
        self.0.flat
    }

    /// Whether it cannot be on one line.
    pub(crate) fn must_break(&self) -> bool {
        self.flat().is_none()
    }

    /// Whether there is nothing to it.
    pub(crate) fn is_nil(&self) -> bool {
        matches!(self.kind(), Kind::Concat(docs) if docs.is_empty())
    }
}

pub(crate) fn text(text: impl Into<String>) -> Doc {
    Doc::new(Kind::Text(text.into()))
}

pub(crate) fn nil() -> Doc {
    Doc::new(Kind::Concat(Vec::new()))
}

pub(crate) fn space() -> Doc {
    text(" ")
}

pub(crate) fn line() -> Doc {
    Doc::new(Kind::Line)
}

pub(crate) fn soft() -> Doc {
    Doc::new(Kind::Soft)
}

pub(crate) fn hard() -> Doc {
    Doc::new(Kind::Hard)
}

pub(crate) fn blank() -> Doc {
    Doc::new(Kind::Blank)
}

pub(crate) fn exact() -> Doc {
    Doc::new(Kind::Exact)
}

pub(crate) fn trailing(comment: impl Into<String>) -> Doc {
    Doc::new(Kind::Trailing(comment.into()))
}

/// A step deeper.
pub(crate) fn nest(doc: Doc) -> Doc {
    indent(STEP, doc)
}

pub(crate) fn indent(spaces: usize, doc: Doc) -> Doc {
    Doc::new(Kind::Nest(spaces, doc))
}

pub(crate) fn group(doc: Doc) -> Doc {
    Doc::new(Kind::Group(doc))
}

pub(crate) fn flat(doc: Doc) -> Doc {
    Doc::new(Kind::Flat(doc))
}

pub(crate) fn concat(docs: impl IntoIterator<Item = Doc>) -> Doc {
    Doc::new(Kind::Concat(docs.into_iter().collect()))
}

pub(crate) fn choice(docs: Vec<Doc>) -> Doc {
    Doc::new(Kind::Choice(docs))
}
