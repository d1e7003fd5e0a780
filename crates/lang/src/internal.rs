//! The one file that comes with the language: `<nix/fetchurl.nix>`, found where the search path has no other.

use crate::error::Res;
use crate::eval::Eval;
use crate::value::Value;

/// Its name in the search path.
pub(crate) const FETCHURL: &str = "nix/fetchurl.nix";

/// The path value it is; no file system has it.
pub(crate) const FETCHURL_PATH: &str = "<nix/fetchurl.nix>";

impl<'a> Eval<'a> {
    /// The file's value, evaluated once.
    ///
    /// # Errors
    /// None, unless the text is wrong.
    pub(crate) fn import_fetchurl(&self) -> Res<Value<'a>> {
        if let Some(value) = self.imports.borrow().get(FETCHURL_PATH) {
            return Ok(*value);
        }
        let value = self.eval_string(include_str!("fetchurl.nix"), "«nix-internal»/fetchurl.nix", "/")?;
        self.imports.borrow_mut().insert(FETCHURL_PATH.to_owned(), value);
        Ok(value)
    }
}
