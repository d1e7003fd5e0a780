//! A tree of sizes as one HTML page: rectangles within rectangles, each as large as what would go with it.
//!
//! The page needs nothing else: no script, no font, no address. Its bytes are a function of the tree. Source of the
//! arrangement: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).

use serde::Serialize;
use tera::{Context, Tera};
use thiserror::Error;

use crate::tree::Entry;

/// The drawing's size, in its own units.
const WIDTH: f64 = 1600.0;
const HEIGHT: f64 = 1000.0;
/// What an entry's name takes of its rectangle, and the space around what is below it.
const TITLE: f64 = 14.0;
const MARGIN: f64 = 2.0;
/// Sides below which nothing is drawn within a rectangle.
const LEAST_SIDE: f64 = 12.0;
/// How wide a letter is, about.
const LETTER: f64 = 6.2;
/// How many colours the page has, one per level.
const LEVELS: usize = 6;

/// The page could not be written: a defect of the template.
#[derive(Debug, Error)]
#[error("cannot write the page of the treemap")]
pub struct PageError(#[from] tera::Error);

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Rectangle {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// What the template draws.
#[derive(Debug, Serialize)]
struct Cell {
    place: Rectangle,
    level: usize,
    /// Cut to the rectangle; empty where not even one letter fits.
    label: String,
    /// What a pointer that rests on it shows.
    hint: String,
}

/// The page about a tree; `size` writes a number of bytes for people.
///
/// Errors when the template is wrong.
pub fn page(root: &Entry, size: fn(u64) -> String) -> Result<String, PageError> {
    let mut drawing = Drawing { cells: Vec::new(), size };
    drawing.draw(root, Rectangle { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT }, 0);
    let mut context = Context::new();
    context.insert("name", &root.name);
    context.insert("size", &size(root.only_bytes));
    context.insert("width", &WIDTH);
    context.insert("height", &HEIGHT);
    context.insert("cells", &drawing.cells);
    Ok(Tera::one_off(include_str!("treemap.html"), &context, true)?)
}

struct Drawing {
    cells: Vec<Cell>,
    size: fn(u64) -> String,
}

impl Drawing {
    fn draw(&mut self, entry: &Entry, place: Rectangle, level: usize) {
        let size = self.size;
        let letters = ((place.width - 2.0 * MARGIN) / LETTER).max(0.0);
        let wanted = format!("{} {}", entry.name, size(entry.only_bytes));
        let label = if place.height < TITLE { String::new() } else { cut(&wanted, letters) };
        let hint = format!(
            "{}\nonly because of it {}, itself {}, with all that it needs {}",
            entry.path.as_ref().unwrap_or(&entry.name),
            size(entry.only_bytes),
            size(entry.own_bytes),
            size(entry.closure_bytes)
        );
        self.cells.push(Cell { place: place.rounded(), level: level % LEVELS, label, hint });
        let inner = place.within();
        if entry.children.is_empty() || inner.width.min(inner.height) < LEAST_SIDE {
            return;
        }
        // The entry itself keeps the room of its own size: the last of its rectangle.
        let seen: Vec<&Entry> = entry.children.iter().filter(|child| child.only_bytes > 0).collect();
        let own = (entry.own_bytes > 0).then_some(entry.own_bytes);
        let sizes: Vec<u64> = seen.iter().map(|child| child.only_bytes).chain(own).collect();
        for (child, place) in seen.into_iter().zip(squarify(&sizes, inner)) {
            self.draw(child, place, level + 1);
        }
    }
}

/// The first letters of a text, as many as there is room for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a width is a small number and not negative"
)]
fn cut(text: &str, letters: f64) -> String {
    let room = letters as usize;
    match text.chars().count() {
        count if count <= room => text.to_owned(),
        _ if room < 4 => String::new(),
        _ => text.chars().take(room - 1).chain(['…']).collect(),
    }
}

impl Rectangle {
    /// The room for what is below an entry.
    fn within(self) -> Self {
        Rectangle {
            x: self.x + MARGIN,
            y: self.y + TITLE,
            width: self.width - 2.0 * MARGIN,
            height: self.height - TITLE - MARGIN,
        }
    }

    /// To tenths, so that no digit more than is seen reaches the page.
    fn rounded(self) -> Self {
        let round = |number: f64| (number * 10.0).round() / 10.0;
        Rectangle { x: round(self.x), y: round(self.y), width: round(self.width), height: round(self.height) }
    }

    /// Cuts a strip of this area off the shorter side, and the rest.
    fn split(self, area: f64) -> (Self, Self) {
        if self.width >= self.height {
            let width = area / self.height;
            (Rectangle { width, ..self }, Rectangle { x: self.x + width, width: self.width - width, ..self })
        } else {
            let height = area / self.width;
            (Rectangle { height, ..self }, Rectangle { y: self.y + height, height: self.height - height, ..self })
        }
    }
}

/// Places for sizes, which descend and are not zero: strips along the shorter side, each as long as it makes its
/// rectangles more square.
#[expect(clippy::cast_precision_loss, reason = "a drawing is not exact to the byte")]
fn squarify(sizes: &[u64], place: Rectangle) -> Vec<Rectangle> {
    let total: u64 = sizes.iter().sum();
    let scale = place.width * place.height / total.max(1) as f64;
    let areas: Vec<f64> = sizes.iter().map(|&bytes| bytes as f64 * scale).collect();
    let mut places = Vec::with_capacity(areas.len());
    let (mut rest, mut room) = (areas.as_slice(), place);
    while !rest.is_empty() {
        let side = room.width.min(room.height);
        let better = |count: &usize| worst(&rest[..count + 1], side) <= worst(&rest[..*count], side);
        let count = (1..rest.len()).find(|count| !better(count)).unwrap_or(rest.len());
        let (strip, behind) = rest.split_at(count);
        let (mut left, remaining) = room.split(strip.iter().sum());
        for area in strip {
            // A strip is cut across its own length, which is the room's shorter side.
            let cut = match room.width >= room.height {
                true => Rectangle { height: area / left.width, ..left },
                false => Rectangle { width: area / left.height, ..left },
            };
            match room.width >= room.height {
                true => left = Rectangle { y: left.y + cut.height, height: left.height - cut.height, ..left },
                false => left = Rectangle { x: left.x + cut.width, width: left.width - cut.width, ..left },
            }
            places.push(cut);
        }
        (rest, room) = (behind, remaining);
    }
    places
}

/// The worst ratio of sides in a strip of these areas along a side.
fn worst(areas: &[f64], side: f64) -> f64 {
    let sum: f64 = areas.iter().sum();
    let ratio = |area: &f64| {
        let across = sum / side;
        let along = area / across;
        (across / along).max(along / across)
    };
    areas.iter().map(ratio).fold(1.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{Rectangle, squarify};

    const PLACE: Rectangle = Rectangle { x: 0.0, y: 0.0, width: 6.0, height: 4.0 };

    /// The example of the paper, whose figures give the answer.
    #[test]
    fn squares_as_the_paper_does() {
        let places = squarify(&[6, 6, 4, 3, 2, 2, 1], PLACE);
        assert_eq!(places[0], Rectangle { x: 0.0, y: 0.0, width: 3.0, height: 2.0 });
        assert_eq!(places[1], Rectangle { x: 0.0, y: 2.0, width: 3.0, height: 2.0 });
        assert!((places[2].height - 7.0 / 3.0).abs() < 1e-9 && (places[2].x - 3.0).abs() < 1e-9, "{:?}", places[2]);
    }

    #[test]
    fn fills_its_place_and_overlaps_nothing() {
        let places = squarify(&[900, 80, 79, 31, 2, 1, 1], PLACE);
        let area: f64 = places.iter().map(|place| place.width * place.height).sum();
        assert!((area - 24.0).abs() < 1e-6, "{area}");
        for (position, one) in places.iter().enumerate() {
            assert!(one.x + one.width < 6.0 + 1e-6 && one.y + one.height < 4.0 + 1e-6, "{one:?}");
            for other in &places[position + 1..] {
                let across = (one.x + one.width).min(other.x + other.width) - one.x.max(other.x);
                let down = (one.y + one.height).min(other.y + other.height) - one.y.max(other.y);
                assert!(across < 1e-6 || down < 1e-6, "{one:?} {other:?}");
            }
        }
    }
}
