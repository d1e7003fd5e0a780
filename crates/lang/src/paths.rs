//! Paths as text: normal form, literals, what an `import` names.

use diagnostics::Span;

use crate::coerce::Coerce;
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Res};
use crate::eval::Eval;
use crate::io::FileType;
use crate::value::Value;

/// Symbolic links followed in one look-up.
const MAX_LINKS: usize = 1024;

/// An absolute path without `.`, `..`, empty components and a slash at the end.
pub(crate) fn normalise(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len() + 1);
    for component in path.split(|b| *b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let end = out.iter().rposition(|b| *b == b'/').unwrap_or(0);
                out.truncate(end);
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

impl<'a> Eval<'a> {
    /// The absolute path that a literal names in a text with this base directory.
    pub(crate) fn literal_path(&self, literal: &[u8], base_dir: &str, span: Span) -> Res<Vec<u8>> {
        if literal.starts_with(b"/") {
            return Ok(normalise(literal));
        }
        let mut path = Vec::new();
        if let Some(rest) = literal.strip_prefix(b"~/") {
            match &self.settings.home {
                Some(home) if !self.settings.pure => path.extend_from_slice(home.as_bytes()),
                _ => {
                    let text = String::from_utf8_lossy(literal);
                    let message = format!("the path '{text}' can not be resolved in pure mode");
                    return Err(Error::new(ErrorKind::Restricted, message).label(span, ""));
                }
            }
            path.push(b'/');
            path.extend_from_slice(rest);
        } else {
            path.extend_from_slice(base_dir.as_bytes());
            path.push(b'/');
            path.extend_from_slice(literal);
        }
        Ok(normalise(&path))
    }

    /// A path given to a builtin that reads it, its context realised.
    ///
    /// # Errors
    /// When it is no absolute path.
    pub(crate) fn readable_path(&self, value: Value<'a>) -> Res<String> {
        let text = self.coerce(value, Coerce::PATH_SEGMENT)?;
        self.realise(text.context())?;
        let path = text.to_string_lossy();
        if !path.starts_with('/') {
            return Err(Error::eval(format!("string '{path}' doesn't represent an absolute path")));
        }
        Ok(path.into_owned())
    }

    /// Has the outputs built that a string refers to (import from derivation).
    fn realise(&self, context: Option<&'a Context<'a>>) -> Res<()> {
        for element in context.map_or(&[][..], Context::elements) {
            if let Element::Built(drv, output) = element {
                if let Some((drv, _)) = drv.split_once('^') {
                    return Err(Error::eval(format!(
                        "cannot build output '{output}' of a derivation that '{drv}' makes: that is not supported"
                    )));
                }
                let drv = self.store_path(drv)?;
                self.io.realise(&drv, output).map_err(|e| self.io_error(&e))?;
            }
        }
        Ok(())
    }

    /// What a path leads to: every symbolic link in it followed. What does not exist stays as it is.
    ///
    /// # Errors
    /// When there are too many links.
    pub(crate) fn follow_links(&self, path: &str) -> Res<String> {
        let mut links = 0;
        let mut done = String::new();
        let mut todo: Vec<String> = components(path);
        while let Some(name) = todo.pop() {
            if name == ".." {
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{done}/{name}");
            if self.io.file_type(&next).map_err(|e| self.io_error(&e))? != Some(FileType::Symlink) {
                done = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                let message = format!("too many symbolic links encountered while traversing the path '{path}'");
                return Err(Error::new(ErrorKind::Io, message));
            }
            let target = self.io.read_link(&next).map_err(|e| self.io_error(&e))?;
            if target.starts_with('/') {
                done.clear();
            }
            todo.extend(components(&target));
        }
        Ok(if done.is_empty() { "/".to_owned() } else { done })
    }

    /// The file to read for `import path`: links followed, `default.nix` for a directory.
    pub(crate) fn resolve_import(&self, path: &str) -> Res<String> {
        let real = self.follow_links(path)?;
        if self.io.file_type(&real).map_err(|e| self.io_error(&e))? == Some(FileType::Directory) {
            return self.follow_links(&format!("{real}/default.nix"));
        }
        Ok(real)
    }
}

/// The components in reverse order, without those that mean nothing.
fn components(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|c| !c.is_empty() && *c != ".").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn normal_form_has_no_dots_and_no_double_slashes() {
        assert_eq!(normalise(b"/a/./b//c/../d/"), b"/a/b/d");
        assert_eq!(normalise(b"/.."), b"/");
        assert_eq!(normalise(b"/"), b"/");
    }
}
