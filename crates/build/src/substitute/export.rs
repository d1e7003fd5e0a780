//! Writing a binary cache: `nix-cache-info`, `<hash>.narinfo`, `nar/<file hash>.nar.zst`.
//!
//! A narinfo is written after its NAR and both appear by renaming, so an interrupted export is a smaller valid cache that
//! the next export completes.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use nix_formats::nar::NarWriter;
use nix_formats::signature::SecretKey;
use nix_formats::{Hash, HashAlgo, Hasher, NarInfo, StorePath};
use store::{PathInfo, Store};

use super::CacheError;

/// Fast, and nearly as small as the slow levels on programs.
const COMPRESSION_LEVEL: i32 = 6;

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Paths written.
    pub written: usize,
    /// Paths that the cache had.
    pub present: usize,
    /// Size of the files written.
    pub bytes_written: u64,
}

/// A new signing key from the system's randomness.
///
/// Errors when that cannot be read.
pub fn generate_key(name: &str) -> Result<SecretKey, CacheError> {
    let path = Path::new("/dev/urandom");
    let mut seed = [0; 32];
    File::open(path).and_then(|mut file| file.read_exact(&mut seed)).map_err(failed("read", path))?;
    Ok(SecretKey::from_seed(name, &seed))
}

/// Writes the closure of `roots` into the cache at `folder`, signed with `key`.
///
/// Errors when a root is not valid or writing fails.
pub fn export_closure<'p>(
    store: &Store,
    roots: impl IntoIterator<Item = &'p StorePath>,
    folder: &Path,
    key: Option<&SecretKey>,
) -> Result<ExportReport, CacheError> {
    let nars = folder.join("nar");
    std::fs::create_dir_all(&nars).map_err(failed("create folder", &nars))?;
    let cache_info = format!("StoreDir: {}\nWantMassQuery: 1\nPriority: 40\n", store.dir().as_str());
    write_atomically(&folder.join("nix-cache-info"), cache_info.as_bytes())?;
    let closure = store.closure_in_order(roots)?;
    let export = Export { store, folder, key };
    let queue = Mutex::new(closure.iter());
    let report = Mutex::new(Ok(ExportReport::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = next(&queue) {
                    let written = export.path(path);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *report, written) {
                        (Ok(report), Ok(Some(bytes))) => {
                            report.written += 1;
                            report.bytes_written += bytes;
                        }
                        (Ok(report), Ok(None)) => report.present += 1,
                        (failed @ Ok(_), Err(error)) => *failed = Err(error),
                        (Err(_), _) => return,
                    }
                }
            });
        }
    });
    let report = report.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    let opened = File::open(folder).map_err(failed("open", folder))?;
    nix::unistd::syncfs(&opened).map_err(|errno| failed("sync", folder)(errno.into()))?;
    Ok(report)
}

fn next<'i>(queue: &Mutex<std::slice::Iter<'i, StorePath>>) -> Option<&'i StorePath> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

struct Export<'e> {
    store: &'e Store,
    folder: &'e Path,
    key: Option<&'e SecretKey>,
}

impl Export<'_> {
    /// Writes one path; `None` when the cache has it, else how many bytes it took.
    fn path(&self, path: &StorePath) -> Result<Option<u64>, CacheError> {
        let narinfo = self.folder.join(format!("{}.narinfo", path.hash_part()));
        if narinfo.exists() {
            return Ok(None);
        }
        let info = self.store.info(path)?;
        let (file_hash, file_size_bytes) = self.write_nar(&info)?;
        let entry = NarInfo {
            path: path.clone(),
            url: format!("nar/{}.nar.zst", file_hash.to_base32()),
            compression: "zstd".to_owned(),
            file_hash: Some(file_hash),
            file_size_bytes: Some(file_size_bytes),
            nar_hash: info.nar.hash,
            nar_size_bytes: info.nar.size_bytes,
            references: info.references.clone(),
            deriver: info.deriver.clone(),
            signatures: self.signatures(&info),
            content_address: info.content_address,
        };
        write_atomically(&narinfo, entry.to_text(self.store.dir()).as_bytes())?;
        Ok(Some(file_size_bytes))
    }

    fn signatures(&self, info: &PathInfo) -> Vec<nix_formats::signature::Signature> {
        let mut signatures = info.signatures.clone();
        if let Some(key) = self.key {
            let signature = info.fingerprint().sign(self.store.dir(), key);
            if !signatures.contains(&signature) {
                signatures.push(signature);
            }
        }
        signatures
    }

    fn write_nar(&self, info: &PathInfo) -> Result<(Hash, u64), CacheError> {
        let temporary = self.folder.join("nar").join(format!("{}.tmp-{}", info.path.hash_part(), std::process::id()));
        let write = failed("write", &temporary);
        let file = File::create(&temporary).map_err(&write)?;
        let sink = Counting { inner: file, hasher: Hasher::new(HashAlgo::Sha256), len: 0 };
        let compressor = zstd::Encoder::new(sink, COMPRESSION_LEVEL).map_err(&write)?;
        let checked = Counting { inner: compressor, hasher: Hasher::new(HashAlgo::Sha256), len: 0 };
        let mut nar = NarWriter::new(BufWriter::with_capacity(64 * 1024, checked)).map_err(&write)?;
        store::walk_tree(&self.store.physical(&info.path), &mut nar)?;
        let buffer = nar.finish().map_err(&write)?;
        let checked = buffer.into_inner().map_err(|error| write(error.into_error()))?;
        let nar_hash = checked.hasher.finish();
        if nar_hash != info.nar.hash {
            // Better no cache entry than one that every client refuses.
            let _ = std::fs::remove_file(&temporary);
            return Err(CacheError::Store(store::StoreError::HashMismatch {
                path: info.path.clone(),
                expected: info.nar.hash.to_sri(),
                actual: nar_hash.to_sri(),
            }));
        }
        let file = checked.inner.finish().map_err(&write)?;
        let (hash, len) = (file.hasher.finish(), file.len);
        let place = self.folder.join("nar").join(format!("{}.nar.zst", hash.to_base32()));
        std::fs::rename(&temporary, &place).map_err(failed("rename", &place))?;
        Ok((hash, len))
    }
}

/// Hashes and counts what passes through.
struct Counting<W> {
    inner: W,
    hasher: Hasher,
    len: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, bytes).map_err(failed("write", &temporary))?;
    std::fs::rename(&temporary, path).map_err(failed("rename", path))
}

fn failed(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> CacheError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| CacheError::Write { action, path: path.clone(), source }
}
