//! The same configuration, lock and files, built twice from nothing with everything else different: the folder, the
//! user, the home, the time zone, the locale, the umask, the number of jobs, the files' times and the time of day. The
//! toplevel, every path of its closure and the disk image are the same, bit by bit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, with the reason in its words"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use stories::{Checks, Lab};

/// A user who owns nothing: Debian's `nobody`.
const NOBODY: &str = "65534";

/// One of the two builds and all that must not matter to it.
struct Side {
    folder: PathBuf,
    umask: &'static str,
    zone: &'static str,
    locale: &'static str,
    jobs: &'static str,
    /// Words that start a program as somebody else.
    user: Vec<String>,
}

/// What a build gave.
struct Result {
    toplevel: String,
    /// One line for each path of the store: its name, the hash and the size of its archive.
    paths: String,
    image: PathBuf,
}

#[test]
fn two_builds_are_the_same_bit_by_bit() {
    let lab = Lab::open("reproducible");
    let configuration = lab.file("systems/first.nix");
    // Makes the lock and downloads what it pins.
    lab.run(&["build", "--no-link", configuration.to_str().expect("a path in UTF-8")]);

    // Not below the repository, which another user may not be able to reach.
    let folder = tempfile::Builder::new().prefix("esker-reproducible-").tempdir_in("/var/tmp").expect("a folder");
    allow_all(folder.path());
    let one = Side {
        folder: folder.path().join("one"),
        umask: "022",
        zone: "Pacific/Kiritimati",
        locale: "C",
        jobs: "1",
        user: Vec::new(),
    };
    let two = Side {
        folder: folder.path().join("the/other/side"),
        umask: "077",
        zone: "America/Anchorage",
        locale: "tr_TR.UTF-8",
        jobs: "3",
        user: somebody_else(),
    };
    let one = one.build(&lab);
    let two = two.build(&lab);

    let mut checks = Checks::new();
    checks.fact(
        "the toplevel is the same",
        one.toplevel == two.toplevel,
        format!("{} and {}", one.toplevel, two.toplevel),
    );
    checks.fact("there are paths to compare", one.paths.lines().count() > 100, one.paths.lines().count());
    checks.fact("every path has the same contents", one.paths == two.paths, differences(&one.paths, &two.paths));
    let difference = first_difference(&one.image, &two.image);
    checks.fact("the image is the same", difference.is_none(), format!("they differ from byte {difference:?} on"));
    checks.done();
}

impl Side {
    /// Builds the system and its image in a folder that is made for it.
    fn build(self, lab: &Lab) -> Result {
        self.furnish(lab);
        let image = self.folder.join("disk.img");
        let configuration = self.folder.join("configuration/tests/systems/first.nix");
        let output = self
            .run_in_it(&["--json", "--jobs", self.jobs, "image"])
            .arg(&configuration)
            .arg("--output")
            .arg(&image)
            .output()
            .expect("a shell runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "esker in {} failed ({}):\n{errors}", self.folder.display(), output.status);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("esker --json prints JSON");
        let toplevel = report["toplevel"].as_str().expect("the toplevel").to_owned();
        let database = self.folder.join("store/nix/var/nix/db/db.sqlite");
        Result { toplevel, paths: registered(&database), image }
    }

    /// Puts copies of the program, the configuration, the lock and the downloads there.
    fn furnish(&self, lab: &Lab) {
        let put = |from: &Path, to: &str| copy(from, &self.folder.join(to));
        let program = lab.program();
        let installation = program.parent().and_then(Path::parent).expect("the program is in an installation");
        put(installation, "esker");
        for folder in ["examples", "tests/systems", "tests/keys"] {
            put(&lab.repository().join(folder), &format!("configuration/{folder}"));
        }
        put(&lab.state().join("esker.lock"), "configuration/tests/systems/esker.lock");
        for folder in ["by-hash", "debs"] {
            put(&lab.state().join("cache/archive").join(folder), &format!("cache/archive/{folder}"));
        }
        for folder in ["home", "tmp"] {
            fs_err::create_dir_all(self.folder.join(folder)).expect("a folder");
        }
        if self.user.is_empty() {
            // The sources' times are another thing that the other side has differently.
            succeed(Command::new("find").arg(self.folder.join("configuration")).args([
                "-exec",
                "touch",
                "-h",
                "-d",
                "2001-02-03",
                "{}",
                "+",
            ]));
        }
        if self.user.iter().any(|word| word == NOBODY) {
            succeed(Command::new("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(&self.folder));
        }
    }

    fn run_in_it(&self, arguments: &[&str]) -> Command {
        let mut words: Vec<String> = self.user.clone();
        words.extend(["sh", "-c", "umask \"$0\" && exec \"$@\"", self.umask].map(String::from));
        words.push(self.folder.join("esker/bin/esker").display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments).current_dir(&self.folder).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").expect("PATH"))
            .env("HOME", self.folder.join("home"))
            .env("TMPDIR", self.folder.join("tmp"))
            .env("ESKER_STORE", self.folder.join("store"))
            .env("ESKER_CACHE", self.folder.join("cache"))
            .env("TZ", self.zone)
            .env("LC_ALL", self.locale);
        command
    }
}

/// Starts programs as another user: `nobody` where the test is root, root of a user namespace where it is not.
fn somebody_else() -> Vec<String> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    let words: &[&str] = match id.stdout.as_slice() {
        b"0\n" => &["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"],
        _ => &["unshare", "--user", "--map-root-user", "--"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Everything that a store has registered, except when.
fn registered(database: &Path) -> String {
    let output = Command::new("sqlite3")
        .arg(database)
        .arg("select path, hash, narSize, (select group_concat(path, ' ') from (select r.path from Refs join ValidPaths r on r.id = reference where referrer = v.id order by 1)) from ValidPaths v order by path")
        .output()
        .expect("sqlite3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The lines that only one side has, as a person wants to see them.
fn differences(one: &str, two: &str) -> String {
    let only = |a: &str, b: &str, sign: &str| -> String {
        let there: std::collections::BTreeSet<_> = b.lines().collect();
        a.lines().filter(|line| !there.contains(line)).take(40).map(|line| format!("{sign} {line:.200}\n")).collect()
    };
    only(one, two, "-") + &only(two, one, "+")
}

/// Where two files begin to differ; their lengths count.
fn first_difference(one: &Path, two: &Path) -> Option<usize> {
    let open = |path: &Path| std::io::BufReader::with_capacity(1 << 20, fs_err::File::open(path).expect("the image"));
    let (mut one, mut two) = (open(one), open(two));
    let (mut here, mut there) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut offset = 0;
    loop {
        let read = read_full(&mut one, &mut here);
        if read != read_full(&mut two, &mut there) {
            return Some(offset);
        }
        if let Some(index) = here[..read].iter().zip(&there[..read]).position(|(a, b)| a != b) {
            return Some(offset + index);
        }
        if read == 0 {
            return None;
        }
        offset += read;
    }
}

fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]).expect("the image can be read") {
            0 => break,
            read => filled += read,
        }
    }
    filled
}

/// Copies a file or a folder as it is, links followed.
fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to.parent().expect("a parent")).expect("a folder");
    succeed(Command::new("cp").args(["-rLT"]).arg(from).arg(to));
}

fn allow_all(folder: &Path) {
    succeed(Command::new("chmod").arg("755").arg(folder));
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("a tool of coreutils runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
