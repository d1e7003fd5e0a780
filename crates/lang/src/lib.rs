//! The evaluator of the Nix language and its builtins: same values as C++ Nix 2.26.
//!
//! [`Eval`] is the way in: it parses, compiles ([`code`]: names resolved to slots) and evaluates lazily. Values live in
//! a bump arena, are `Copy` and never freed before the arena. The world is seen only through [`io::EvalIo`]: nothing
//! here opens a file, asks the clock or reads the environment.

mod attrs;
mod bad_call;
mod builtins;
mod call;
pub mod code;
mod coerce;
mod compile;
mod context;
mod cycle;
mod derivations;
mod difference;
mod document;
mod error;
mod eval;
mod flake_ref;
mod internal;
mod interrupt;
pub mod io;
mod json;
mod names;
mod ops;
mod paths;
mod places;
mod print;
mod regex;
mod run;
mod string;
mod toplevel;
mod value;
mod xml;

pub use attrs::{Attr, Attrs};
pub use coerce::Coerce;
pub use context::{Context, Element};
pub use error::{Error, ErrorKind, Res};
pub use eval::{AttrsBuilder, Eval, Settings, ends_early};
pub use interrupt::Interrupt;
pub use string::Str;
pub use syntax::{Features, Sym};
pub use value::{Bool, Closure, External, Float, LazyCode, List, NativeCode, NativeFn, Partial, Slot, Value};
pub use xml::XmlStyle;
