//! NAR, Nix's archive of a tree: sorted, without owners, times or modes beyond "executable".
//!
//! A tree is passed along as calls on a `TreeVisitor`: `NarWriter` is a visitor that writes an archive, `read_nar` drives
//! any visitor from an archive. Walking and creating files on disk are the `store` package's.
//!
//! Every token is a string: length (u64, little endian), bytes, zero padding to a multiple of eight.
//!
//! ```text
//! "nix-archive-1" node
//! node = "(" "type" ( "regular" ["executable" ""] "contents" BYTES
//!                   | "symlink" "target" BYTES
//!                   | "directory" { "entry" "(" "name" BYTES "node" node ")" } ) ")"
//! ```

mod reader;
mod writer;

use std::io::{self, Read};

pub use reader::{NarError, read_nar};
pub use writer::NarWriter;

pub(crate) const MAGIC: &[u8] = b"nix-archive-1";

/// Whether a file may be executed, the only permission a NAR keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Mode 0444 in the store.
    Regular,
    /// Mode 0555 in the store.
    Executable,
}

/// Receives a tree in depth-first order, the entries of a folder sorted by bytes. The root's name is empty.
pub trait TreeVisitor {
    /// A folder begins; its entries follow until `leave_directory`.
    ///
    /// Errors end the walk.
    fn enter_directory(&mut self, name: &[u8]) -> io::Result<()>;

    /// The innermost folder is complete.
    ///
    /// Errors end the walk.
    fn leave_directory(&mut self) -> io::Result<()>;

    /// A symbolic link.
    ///
    /// Errors end the walk.
    fn symlink(&mut self, name: &[u8], target: &[u8]) -> io::Result<()>;

    /// A file of exactly `size_bytes`, to be read to its end from `contents`.
    ///
    /// Errors end the walk.
    fn file(&mut self, name: &[u8], mode: FileMode, size_bytes: u64, contents: &mut dyn Read) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::{FileMode, NarError, NarWriter, TreeVisitor, read_nar};

    fn sample() -> Vec<u8> {
        let mut nar = Vec::new();
        let mut writer = NarWriter::new(&mut nar).unwrap();
        writer.enter_directory(b"").unwrap();
        writer.file(b"a", FileMode::Executable, 3, &mut &b"abc"[..]).unwrap();
        writer.enter_directory(b"d").unwrap();
        writer.leave_directory().unwrap();
        writer.symlink(b"l", b"../a").unwrap();
        writer.file(b"z", FileMode::Regular, 0, &mut &b""[..]).unwrap();
        writer.leave_directory().unwrap();
        writer.finish().unwrap();
        nar
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let nar = sample();
        let mut copy = Vec::new();
        let mut writer = NarWriter::new(&mut copy).unwrap();
        read_nar(&mut &nar[..], &mut writer).unwrap();
        writer.finish().unwrap();
        assert_eq!(nar, copy);
    }

    #[test]
    fn every_truncation_and_many_corruptions_are_errors() {
        let nar = sample();
        for len in 0..nar.len() {
            let mut writer = NarWriter::new(std::io::sink()).unwrap();
            assert!(read_nar(&mut &nar[..len], &mut writer).is_err(), "{len}");
        }
        for i in 0..nar.len() {
            let mut bad = nar.clone();
            bad[i] ^= 0x80;
            let mut writer = NarWriter::new(std::io::sink()).unwrap();
            let mut input = &bad[..];
            let changed_text_only = read_nar(&mut input, &mut writer).is_ok();
            let text = [b"abc".as_slice(), b"../a", b"a", b"d", b"l", b"z"];
            assert!(!changed_text_only || text.iter().any(|t| t.contains(&nar[i])), "byte {i}");
        }
    }

    #[test]
    fn unsorted_and_escaping_names_are_refused() {
        let mut writer = NarWriter::new(std::io::sink()).unwrap();
        writer.enter_directory(b"").unwrap();
        writer.symlink(b"b", b"x").unwrap();
        assert!(writer.symlink(b"a", b"x").is_err());
        assert!(writer.symlink(b"..", b"x").is_err());
        let mut nar = sample();
        let at = nar.windows(4).position(|w| w == b"../a").unwrap();
        let name = nar[..at].windows(8).rposition(|w| w == b"l\0\0\0\0\0\0\0").unwrap();
        nar[name] = b'/';
        let mut sink = NarWriter::new(std::io::sink()).unwrap();
        assert!(matches!(read_nar(&mut &nar[..], &mut sink), Err(NarError::Malformed { .. })));
    }
}
