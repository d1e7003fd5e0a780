//! Writing NARs.

use std::io::{self, Read, Write};

use super::{FileMode, MAGIC, TreeVisitor};

const PADDING: [u8; 8] = [0; 8];

/// A visitor that writes the archive of the tree it is shown. Many small writes: give it a buffered `Write`.
pub struct NarWriter<W: Write> {
    out: W,
    /// For each open folder, the name of its last entry, to keep the order honest.
    last_names: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    complete: bool,
}

impl<W: Write> NarWriter<W> {
    /// Begins an archive.
    ///
    /// Errors when writing does.
    pub fn new(mut out: W) -> io::Result<Self> {
        write_string(&mut out, MAGIC)?;
        Ok(Self { out, last_names: Vec::new(), buffer: vec![0; 64 * 1024], complete: false })
    }

    /// Flushes and gives the writer back.
    ///
    /// Errors when the tree is not complete.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.complete {
            return Err(invalid("the tree is not complete"));
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, name: &[u8]) -> io::Result<()> {
        let Some(last) = self.last_names.last_mut() else {
            if self.complete || !name.is_empty() {
                return Err(invalid("a tree has one root, without a name"));
            }
            return write_strings(&mut self.out, &[b"(", b"type"]);
        };
        check_entry_name(name, last).map_err(invalid)?;
        name.clone_into(last);
        write_strings(&mut self.out, &[b"entry", b"(", b"name", name, b"node", b"(", b"type"])
    }

    fn end(&mut self) -> io::Result<()> {
        write_string(&mut self.out, b")")?;
        if self.last_names.is_empty() {
            self.complete = true;
            return Ok(());
        }
        write_string(&mut self.out, b")")
    }
}

impl<W: Write> TreeVisitor for NarWriter<W> {
    fn enter_directory(&mut self, name: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        self.last_names.push(Vec::new());
        write_string(&mut self.out, b"directory")
    }

    fn leave_directory(&mut self) -> io::Result<()> {
        if self.last_names.pop().is_none() {
            return Err(invalid("no folder is open"));
        }
        self.end()
    }

    fn symlink(&mut self, name: &[u8], target: &[u8]) -> io::Result<()> {
        self.begin(name)?;
        write_strings(&mut self.out, &[b"symlink", b"target", target])?;
        self.end()
    }

    fn file(&mut self, name: &[u8], mode: FileMode, size_bytes: u64, contents: &mut dyn Read) -> io::Result<()> {
        self.begin(name)?;
        write_string(&mut self.out, b"regular")?;
        if mode == FileMode::Executable {
            write_strings(&mut self.out, &[b"executable", b""])?;
        }
        write_string(&mut self.out, b"contents")?;
        self.out.write_all(&size_bytes.to_le_bytes())?;
        let mut left = size_bytes;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let got = contents.read(&mut self.buffer[..want])?;
            if got == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file shrank while it was read"));
            }
            self.out.write_all(&self.buffer[..got])?;
            left -= got as u64;
        }
        self.out.write_all(padding_of(size_bytes))?;
        self.end()
    }
}

/// Checks an entry's name and that it comes after `last` (empty: it is the first).
pub(super) fn check_entry_name(name: &[u8], last: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
        return Err("an entry's name is not a file name");
    }
    if name <= last {
        return Err("entries are not sorted by name");
    }
    Ok(())
}

pub(super) fn padding_of(len_bytes: u64) -> &'static [u8] {
    match len_bytes % 8 {
        0 => &[],
        // At most seven, so the index is in range on every platform.
        odd => &PADDING[usize::try_from(odd).unwrap_or(0)..],
    }
}

fn write_string(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text)?;
    out.write_all(padding_of(text.len() as u64))
}

fn write_strings(out: &mut impl Write, texts: &[&[u8]]) -> io::Result<()> {
    texts.iter().try_for_each(|text| write_string(out, text))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
