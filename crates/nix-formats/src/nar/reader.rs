//! Reading NARs, strictly: only the bytes that writing the same tree would give are accepted.

use std::io::{self, Read};

use super::writer::{check_entry_name, padding_of};
use super::{FileMode, MAGIC, TreeVisitor};

/// Tokens are short; a longer one is damage, and must not make us allocate its length.
const MAX_TOKEN_LEN: u64 = 32;
/// What Linux allows in a file name and a link target.
const MAX_NAME_LEN: u64 = 255;
const MAX_TARGET_LEN: u64 = 4095;
/// Deeper trees than any path could name.
const MAX_DEPTH: usize = 2048;

/// Why reading an archive failed.
#[derive(Debug, thiserror::Error)]
pub enum NarError {
    /// Reading the archive, or the visitor, failed.
    #[error("reading a NAR failed at byte {offset}")]
    Io {
        /// How far reading came, in bytes.
        offset: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The bytes are not a NAR.
    #[error("malformed NAR at byte {offset}: {reason}")]
    Malformed {
        /// Where, in bytes from the beginning.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Reads one archive and shows its tree to `visitor`. Reads not a byte more than the archive. Many small reads: give it
/// a buffered `Read`.
///
/// Errors when reading or the visitor fails, and when the bytes are not a canonical NAR.
pub fn read_nar(input: &mut dyn Read, visitor: &mut dyn TreeVisitor) -> Result<(), NarError> {
    let mut reader = Reader { input, offset: 0 };
    reader.expect(MAGIC)?;
    reader.node(b"", visitor, 0)
}

struct Reader<'r> {
    input: &'r mut dyn Read,
    offset: u64,
}

impl Reader<'_> {
    fn malformed(&self, reason: &'static str) -> NarError {
        NarError::Malformed { offset: self.offset, reason }
    }

    fn io(&self, source: io::Error) -> NarError {
        NarError::Io { offset: self.offset, source }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NarError> {
        self.input.read_exact(buffer).map_err(|source| self.io(source))?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    fn len(&mut self) -> Result<u64, NarError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn padding(&mut self, len: u64) -> Result<(), NarError> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..padding_of(len).len()];
        self.fill(bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(self.malformed("padding is not zero"));
        }
        Ok(())
    }

    fn string(&mut self, max_len: u64) -> Result<Vec<u8>, NarError> {
        let len = self.len()?;
        if len > max_len {
            return Err(self.malformed("a string is too long"));
        }
        let mut text = vec![0; usize::try_from(len).map_err(|_| self.malformed("a string is too long"))?];
        self.fill(&mut text)?;
        self.padding(len)?;
        Ok(text)
    }

    fn token(&mut self) -> Result<Vec<u8>, NarError> {
        self.string(MAX_TOKEN_LEN)
    }

    fn expect(&mut self, token: &[u8]) -> Result<(), NarError> {
        if self.token()? == token { Ok(()) } else { Err(self.malformed("unexpected token")) }
    }

    fn node(&mut self, name: &[u8], visitor: &mut dyn TreeVisitor, depth: usize) -> Result<(), NarError> {
        self.expect(b"(")?;
        self.expect(b"type")?;
        match &*self.token()? {
            b"regular" => self.regular(name, visitor),
            b"symlink" => {
                self.expect(b"target")?;
                let target = self.string(MAX_TARGET_LEN)?;
                if target.is_empty() || target.contains(&0) {
                    return Err(self.malformed("a link's target is not a path"));
                }
                visitor.symlink(name, &target).map_err(|source| self.io(source))?;
                self.expect(b")")
            }
            b"directory" if depth < MAX_DEPTH => self.directory(name, visitor, depth),
            b"directory" => Err(self.malformed("folders are nested too deeply")),
            _ => Err(self.malformed("unknown node type")),
        }
    }

    fn regular(&mut self, name: &[u8], visitor: &mut dyn TreeVisitor) -> Result<(), NarError> {
        let mut mode = FileMode::Regular;
        let mut token = self.token()?;
        if token == b"executable" {
            self.expect(b"")?;
            mode = FileMode::Executable;
            token = self.token()?;
        }
        if token != b"contents" {
            return Err(self.malformed("a file without contents"));
        }
        let size_bytes = self.len()?;
        let mut contents = Counting { input: &mut *self.input, left: size_bytes };
        let visited = visitor.file(name, mode, size_bytes, &mut contents);
        let left = contents.left;
        self.offset += size_bytes - left;
        visited.map_err(|source| self.io(source))?;
        if left > 0 {
            return Err(self.malformed("a file was not read to its end"));
        }
        self.padding(size_bytes)?;
        self.expect(b")")
    }

    fn directory(&mut self, name: &[u8], visitor: &mut dyn TreeVisitor, depth: usize) -> Result<(), NarError> {
        visitor.enter_directory(name).map_err(|source| self.io(source))?;
        let mut last = Vec::new();
        loop {
            match &*self.token()? {
                b")" => break,
                b"entry" => {}
                _ => return Err(self.malformed("unexpected token in a folder")),
            }
            self.expect(b"(")?;
            self.expect(b"name")?;
            let entry = self.string(MAX_NAME_LEN)?;
            check_entry_name(&entry, &last).map_err(|reason| self.malformed(reason))?;
            self.expect(b"node")?;
            self.node(&entry, visitor, depth + 1)?;
            self.expect(b")")?;
            last = entry;
        }
        visitor.leave_directory().map_err(|source| self.io(source))
    }
}

/// Lets a visitor read one file's bytes and no further; an archive that ends early is an error, not an end.
struct Counting<'r> {
    input: &'r mut dyn Read,
    left: u64,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let got = self.input.read(&mut buffer[..want])?;
        if got == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends inside a file"));
        }
        self.left -= got as u64;
        Ok(got)
    }
}
