//! The module system: options, types, merging, priorities, option docs.
//!
//! NixOS's module semantics in Rust. [`install`] adds `builtins.__moduleSystem` to an evaluator, which `lib/` (the
//! standard library in the language) binds `evalModules` and `types` to. An evaluation is a tree of levels
//! (`level`) with options at its leaves (`option`); definitions (`definition`) are settled and merged (`merging`,
//! `types`) when a value is asked for, and submodules (`submodule`) are evaluations of their own.
//!
//! Nothing here knows any single option, but `assertions` and `warnings` when everything is checked.

mod check;
mod collect;
mod definition;
mod docs;
pub mod errors;
mod evaluation;
mod functions;
mod level;
mod loc;
mod memo;
mod merging;
mod names;
mod natives;
mod option;
mod schema;
mod submodule;
mod system;
mod toml;
mod types;
mod unknown;

/// A path of attributes as a person writes it, with quotes where the language wants them.
pub fn show_path<S: AsRef<str>>(parts: &[S]) -> String {
    loc::show(parts)
}

pub use docs::{DefinitionInfo, OptionDoc, OptionInfo, Place};
use lang::Eval;

use crate::system::System;

/// The module system of one evaluator.
#[derive(Clone, Copy)]
pub struct ModuleSystem<'a> {
    system: &'a System<'a>,
}

/// Adds `builtins.__moduleSystem`; only texts evaluated afterwards see it.
pub fn install<'a>(eval: &Eval<'a>) -> ModuleSystem<'a> {
    let system: &'a System<'a> = eval.bump().alloc(System::new(eval));
    eval.register_native("__moduleSystem", 1, move |eval, args| Ok(natives::native_lib(eval, system, args[0])));
    ModuleSystem { system }
}
