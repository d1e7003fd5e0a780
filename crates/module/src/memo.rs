//! A cell computed at most once that notices when its computation needs itself.

use std::cell::Cell;

use lang::{Error, ErrorKind, Res};

/// Computed on first use; a failed computation is tried again.
pub(crate) struct Memo<T: Copy>(Cell<State<T>>);

#[derive(Clone, Copy)]
enum State<T> {
    Empty,
    Running,
    Done(T),
}

impl<T: Copy> Memo<T> {
    pub(crate) fn new() -> Self {
        Memo(Cell::new(State::Empty))
    }

    /// The value; `compute` runs the first time.
    ///
    /// # Errors
    /// What `compute` runs into, or infinite recursion when it asks for this very value.
    pub(crate) fn get(&self, compute: impl FnOnce() -> Res<T>) -> Res<T> {
        match self.0.get() {
            State::Done(value) => return Ok(value),
            State::Running => {
                return Err(Error::new(ErrorKind::InfiniteRecursion, "infinite recursion encountered"));
            }
            State::Empty => {}
        }
        self.0.set(State::Running);
        let result = compute();
        self.0.set(match &result {
            Ok(value) => State::Done(*value),
            Err(_) => State::Empty,
        });
        result
    }
}
