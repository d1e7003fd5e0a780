//! An archive like Debian's on this host, signed with a key of its own: what the laboratory's lock pins, and packages that a
//! story invents, in states that follow each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use archive::lock::{LockedIndex, LockedSuite};
use archive::{Architecture, Lock};
use pgp::composed::{CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey};
use pgp::types::Password;
use sha2::{Digest, Sha256};

use crate::Lab;

/// The archive.
#[derive(Debug)]
pub struct DebianArchive {
    folder: tempfile::TempDir,
    key: SignedSecretKey,
    /// By suite, what the laboratory's lock has in `main` for this machine.
    base: BTreeMap<String, String>,
}

/// Which of the packages that the lock pins are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    Everything,
    /// Those that were downloaded for some system: a small archive for a slow machine.
    Downloaded,
}

/// A package that a story invents.
#[derive(Clone, Debug)]
pub struct Invented {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its `Depends`, perhaps empty.
    pub depends: &'static str,
    /// The suite that has it.
    pub suite: &'static str,
}

/// A state of the archive.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Packages beside those of the lock.
    pub packages: Vec<Invented>,
    /// When it was made, in seconds since 1970.
    pub date: u64,
    /// How long it is good, in seconds; for ever without it.
    pub valid_for: Option<u64>,
}

/// The suites, with the archive's folder that holds each.
const SUITES: [(&str, &str); 3] =
    [("trixie", "debian"), ("trixie-updates", "debian"), ("trixie-security", "debian-security")];

impl DebianArchive {
    /// An archive of the packages that the laboratory's lock pins.
    pub fn new(lab: &Lab, extent: Extent) -> Self {
        let folder = tempfile::Builder::new().prefix("archive-").tempdir_in(lab.state()).expect("a folder");
        let key = SecretKeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_sign(true)
            .primary_user_id("Stories".to_owned())
            .build()
            .expect("parameters of a key")
            .generate(rand::thread_rng())
            .and_then(|key| key.sign(rand::thread_rng(), &Password::empty()))
            .expect("a key");
        let public = SignedPublicKey::from(key.clone()).to_armored_string(pgp::composed::ArmorOptions::default());
        fs_err::write(folder.path().join("keys.asc"), public.expect("a public key")).expect("the file of keys");
        let cache = lab.state().join("cache/archive");
        let lock = Lock::load(&lab.state().join("esker.lock")).expect("the laboratory's lock");
        let base = lock.suites.iter().map(|suite| (suite.name.clone(), packages(&cache, suite, extent))).collect();
        let archive = Self { folder, key, base };
        archive.share_downloads(&cache);
        archive
    }

    /// The folder with `debian/` and `debian-security/`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The keys that it is signed with.
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.asc")
    }

    /// Options of `esker` for this archive, below an address of its folder.
    pub fn options(&self, base: &str) -> [String; 2] {
        [format!("--mirror=debian={base}/debian"), format!("--mirror=debian-security={base}/debian-security")]
    }

    /// Puts what was downloaded already where the archive has it.
    fn share_downloads(&self, cache: &Path) {
        for (suite, archive) in SUITES {
            for stanza in stanzas(&self.base[suite]) {
                let target = self.folder.path().join(archive).join(field(stanza, "Filename").expect("a Filename"));
                let deb = cache.join(format!("debs/{}.deb", field(stanza, "SHA256").expect("a SHA256")));
                if deb.exists() && !target.exists() {
                    fs_err::create_dir_all(target.parent().expect("a folder")).expect("the pool's folder");
                    std::os::unix::fs::symlink(&deb, &target).expect("a link");
                }
            }
        }
    }

    /// Makes a state the archive's. Files of earlier states stay, as on real mirrors for a while.
    pub fn publish(&self, state: &State) {
        for (suite, archive) in SUITES {
            let mut main = self.base[suite].clone();
            for package in state.packages.iter().filter(|package| package.suite == suite) {
                main.push_str(&self.make_package(package, archive));
            }
            let dists = self.folder.path().join(archive).join("dists").join(suite);
            let mut listed = String::new();
            for architecture in Architecture::ALL {
                for component in ["main", "non-free-firmware"] {
                    let is_main = architecture == Architecture::Amd64 && component == "main";
                    let path = format!("{component}/binary-{architecture}/Packages.xz");
                    let (hash, size) = write_index(&dists, &path, if is_main { &main } else { "" });
                    listed.push_str(&format!(" {hash} {size} {path}\n"));
                }
            }
            fs_err::write(dists.join("InRelease"), self.signed(&release(suite, state, &listed))).expect("InRelease");
        }
    }

    fn signed(&self, text: &str) -> String {
        let message = CleartextSignedMessage::sign(rand::thread_rng(), text, &*self.key, &Password::empty());
        message.and_then(|message| message.to_armored_string(None.into())).expect("a signature")
    }

    /// The place of an invented package's file.
    pub fn file_of(&self, package: &Invented) -> PathBuf {
        let archive = SUITES.iter().find(|(suite, _)| *suite == package.suite).expect("a suite").1;
        self.folder.path().join(archive).join(filename(package))
    }

    /// Makes the .deb where it is not there yet; its stanza.
    fn make_package(&self, package: &Invented, archive: &str) -> String {
        let Invented { name, version, depends, .. } = package;
        let place = self.folder.path().join(archive).join(filename(package));
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Stories <stories@localhost>\n{}\
             Description: invented for a story\n",
            if depends.is_empty() { String::new() } else { format!("Depends: {depends}\n") }
        );
        if !place.exists() {
            let tree = tempfile::tempdir_in(self.folder.path()).expect("a folder");
            let at = |path: &str| tree.path().join(path);
            fs_err::create_dir_all(at("DEBIAN")).expect("a folder");
            fs_err::create_dir_all(at(&format!("usr/share/{name}"))).expect("a folder");
            fs_err::write(at("DEBIAN/control"), &control).expect("the control file");
            fs_err::write(at(&format!("usr/share/{name}/version")), format!("{version}\n")).expect("a file");
            // Another file in each run: the laboratory's store must not have it from the last one.
            let run = self.folder.path().as_os_str().as_encoded_bytes();
            fs_err::write(at(&format!("usr/share/{name}/run")), run).expect("a file");
            fs_err::create_dir_all(place.parent().expect("a folder")).expect("the pool's folder");
            let mut command = Command::new("dpkg-deb");
            command.args(["--root-owner-group", "--build"]).arg(tree.path()).arg(&place);
            succeed(command.env("SOURCE_DATE_EPOCH", "1700000000"));
        }
        let bytes = fs_err::read(&place).expect("the package");
        let (hash, size) = (sha256(&bytes), bytes.len());
        format!("{control}Filename: {}\nSize: {size}\nSHA256: {hash}\n\n", filename(package))
    }
}

fn filename(package: &Invented) -> String {
    format!("pool/main/s/{0}/{0}_{1}_all.deb", package.name, package.version)
}

fn release(suite: &str, state: &State, listed: &str) -> String {
    let mut text = format!("Origin: Debian\nCodename: {suite}\nDate: {}\n", rfc2822(state.date));
    if let Some(seconds) = state.valid_for {
        text.push_str(&format!("Valid-Until: {}\n", rfc2822(state.date + seconds)));
    }
    format!("{text}Acquire-By-Hash: yes\nSHA256:\n{listed}")
}

/// Writes an index under its name and its hash; its hash and size.
fn write_index(dists: &Path, path: &str, text: &str) -> (String, usize) {
    let place = dists.join(path);
    let folder = place.parent().expect("a folder");
    fs_err::create_dir_all(folder.join("by-hash/SHA256")).expect("the index's folder");
    let plain = place.with_extension("");
    fs_err::write(&plain, text).expect("the index");
    succeed(Command::new("xz").args(["--force", "-0"]).arg(&plain));
    let bytes = fs_err::read(&place).expect("the index");
    let hash = sha256(&bytes);
    fs_err::copy(&place, folder.join("by-hash/SHA256").join(&hash)).expect("the index by its hash");
    (hash, bytes.len())
}

/// The stanzas of a suite's `main` for this machine, as the lock pins them.
fn packages(cache: &Path, suite: &LockedSuite, extent: Extent) -> String {
    let wanted = |index: &&LockedIndex| index.architecture == Architecture::Amd64.debian() && index.component == "main";
    let index = suite.indices.iter().find(wanted).expect("an index of main");
    let mut command = Command::new("xz");
    command
        .args(["--decompress", "--stdout"])
        .stdin(fs_err::File::open(cache.join("by-hash").join(&index.sha256)).expect("the index").into_parts().0);
    let output = command.output().expect("xz runs (xz-utils)");
    assert!(output.status.success(), "xz failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("an index in UTF-8");
    if extent == Extent::Everything {
        return text;
    }
    let downloaded = |stanza: &&str| {
        let hash = field(stanza, "SHA256").unwrap_or_default();
        // Metapackages of kernels are looked at and never fetched.
        let name = field(stanza, "Package").unwrap_or_default();
        cache.join(format!("debs/{hash}.deb")).exists() || name.starts_with("linux-image-")
    };
    stanzas(&text).filter(downloaded).map(|stanza| format!("{stanza}\n\n")).collect()
}

fn stanzas(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").map(str::trim).filter(|stanza| !stanza.is_empty())
}

fn field<'t>(stanza: &'t str, name: &str) -> Option<&'t str> {
    stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rfc2822(seconds: u64) -> String {
    let mut command = Command::new("date");
    command.env("LC_ALL", "C").args(["--utc", "--date", &format!("@{seconds}"), "+%a, %d %b %Y %H:%M:%S UTC"]);
    let output = command.output().expect("date runs (coreutils)");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
