//! A part of a file or device that behaves like a whole one.
//!
//! Filesystem writers address from zero; a partition does not start there. Knows nothing of what is inside.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// `length_bytes` of `inner` from `start_bytes` on. Reads stop at the window's end; writes beyond it fail.
#[derive(Debug)]
pub struct Window<D> {
    inner: D,
    start_bytes: u64,
    length_bytes: u64,
    position: u64,
}

impl<D: Seek> Window<D> {
    /// A window, positioned at its start.
    ///
    /// Errors when `inner` cannot seek there.
    pub fn new(mut inner: D, start_bytes: u64, length_bytes: u64) -> io::Result<Self> {
        inner.seek(SeekFrom::Start(start_bytes))?;
        Ok(Window { inner, start_bytes, length_bytes, position: 0 })
    }

    /// Gives back what is behind the window.
    pub fn into_inner(self) -> D {
        self.inner
    }

    /// How many of `wanted` bytes lie between the position and the window's end.
    fn available(&self, wanted: usize) -> usize {
        usize::try_from(self.length_bytes.saturating_sub(self.position)).map_or(wanted, |rest| rest.min(wanted))
    }
}

impl<D: Read + Seek> Read for Window<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = self.available(buffer.len());
        let count = self.inner.read(&mut buffer[..limit])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<D: Write + Seek> Write for Window<D> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let limit = self.available(buffer.len());
        if limit == 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the partition ends here"));
        }
        let count = self.inner.write(&buffer[..limit])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<D: Seek> Seek for Window<D> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length_bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        // The inner position is always right, so that no read or write needs a seek of its own.
        self.inner.seek(SeekFrom::Start(self.start_bytes.saturating_add(target)))?;
        self.position = target;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom, Write};

    use super::Window;

    #[test]
    fn stays_inside() {
        let mut window = Window::new(Cursor::new(vec![0; 10]), 3, 4).unwrap();
        window.write_all(b"abcd").unwrap();
        assert!(window.write_all(b"e").is_err());
        window.seek(SeekFrom::End(-2)).unwrap();
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "cd");
        assert!(window.seek(SeekFrom::Current(-5)).is_err());
        assert_eq!(window.into_inner().into_inner(), b"\0\0\0abcd\0\0\0");
    }
}
