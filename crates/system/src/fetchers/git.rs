//! Git repositories, by the `git` program: a commit's tree as it is stored (no filters, no substitutions), or the
//! tracked files of a folder with changes that are not committed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lang::io::{FetchAttr, IoError};
use nix_formats::{Hash, HashAlgo};

use super::{Fetching, Tree, failed, failed_by, plain_tree, scratch};

/// Fetches what the attributes of `fetchGit` or `fetchTree { type = "git"; }` say, and the time of the commit.
pub(super) fn fetch(
    fetching: &Fetching<'_>,
    attrs: &BTreeMap<String, FetchAttr>,
) -> Result<(Tree, Option<u64>), IoError> {
    let text = |name: &str| match attrs.get(name) {
        Some(FetchAttr::String(text)) => Some(text.clone()),
        _ => None,
    };
    let url = text("url").ok_or_else(|| failed("input attribute 'url' is missing"))?;
    if attrs.get("submodules") == Some(&FetchAttr::Bool(true)) {
        return Err(failed(format!("fetching '{url}' with submodules is not supported")));
    }
    let name = text("name").unwrap_or_else(|| "source".to_owned());
    let (rev, branch) = (text("rev"), text("ref"));
    let local = local_folder(&url);
    if let (Some(folder), None, None) = (&local, &rev, &branch) {
        if !is_clean(folder)? {
            return working_tree(folder, &name);
        }
    }
    let repository = match &local {
        Some(folder) => folder.clone(),
        None => clone(fetching, &url, branch.as_deref(), rev.as_deref())?,
    };
    let wanted = match (&rev, &branch) {
        (Some(rev), _) => rev.clone(),
        (None, Some(branch)) if local.is_some() => branch.clone(),
        // A clone's head is what was fetched.
        _ => "HEAD".to_owned(),
    };
    let rev = run(&repository, ["rev-parse", "--verify", "--quiet", &format!("{wanted}^{{commit}}")])
        .map_err(|_| failed(format!("there is no commit '{wanted}' in the git repository '{url}'")))?;
    commit_tree(&repository, &rev, &name)
}

/// The folder of a repository on this machine.
fn local_folder(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    path.starts_with('/').then(|| PathBuf::from(path))
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // Nothing of the user's settings may change what is fetched, and a repository of another user is only read.
    command.args(["-c", "safe.directory=*", "-c", "core.quotePath=false", "-C"]).arg(folder);
    command.env("GIT_TERMINAL_PROMPT", "0").env_remove("GIT_DIR").stdin(Stdio::null());
    command
}

fn run<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Result<String, IoError> {
    Ok(String::from_utf8_lossy(&run_bytes(folder, args)?).trim_end().to_owned())
}

fn run_bytes<S: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = S>) -> Result<Vec<u8>, IoError> {
    let output = git(folder).args(args).output().map_err(|e| failed_by("cannot run `git`; is it installed?", e))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("git failed in '{}': {}", folder.display(), said.trim())))
}

/// Whether a work tree has what its last commit has; a bare repository has no work tree.
fn is_clean(folder: &Path) -> Result<bool, IoError> {
    if run(folder, ["rev-parse", "--is-bare-repository"])? == "true" {
        return Ok(true);
    }
    let has_commit = run(folder, ["rev-parse", "--verify", "--quiet", "HEAD"]).is_ok();
    Ok(has_commit && run(folder, ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules"])?.is_empty())
}

/// The tracked files as they are now.
fn working_tree(folder: &Path, name: &str) -> Result<(Tree, Option<u64>), IoError> {
    tracing::warn!(repository = %folder.display(), "the git tree has uncommitted changes");
    let copy = scratch()?;
    let target = copy.path().join("tree");
    let io = |e: std::io::Error| failed_by(format!("cannot copy '{}'", folder.display()), e);
    std::fs::create_dir(&target).map_err(io)?;
    for path in run_bytes(folder, ["ls-files", "-z"])?.split(|b| *b == 0).filter(|p| !p.is_empty()) {
        let path = Path::new(OsStr::from_bytes(path));
        let (from, to) = (folder.join(path), target.join(path));
        // A tracked file that was removed is not there any more.
        let Ok(metadata) = from.symlink_metadata() else { continue };
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        if metadata.is_symlink() {
            symlink(std::fs::read_link(&from).map_err(io)?, &to).map_err(io)?;
        } else if metadata.is_file() {
            std::fs::copy(&from, &to).map_err(io)?;
        }
    }
    let mut tree = Tree { kept: Some(copy), ..plain_tree(name, target) };
    let mut modified = 0;
    if let Ok(rev) = run(folder, ["rev-parse", "--verify", "--quiet", "HEAD"]) {
        modified = commit_time(folder, &rev)?;
        tree.attrs.insert("dirtyRev".to_owned(), FetchAttr::String(format!("{rev}-dirty")));
        tree.attrs.insert("dirtyShortRev".to_owned(), FetchAttr::String(format!("{}-dirty", &rev[..7])));
    }
    tree.attrs.insert("submodules".to_owned(), FetchAttr::Bool(false));
    Ok((tree, Some(modified)))
}

fn commit_time(repository: &Path, rev: &str) -> Result<u64, IoError> {
    let text = run(repository, ["log", "-1", "--format=%ct", "--no-show-signature", rev])?;
    text.parse().map_err(|_| failed(format!("commit {rev} has no time")))
}

/// A commit's files, written out.
fn commit_tree(repository: &Path, rev: &str, name: &str) -> Result<(Tree, Option<u64>), IoError> {
    let copy = scratch()?;
    let target = copy.path().join("tree");
    write_tree(repository, rev, &target)?;
    let mut tree = Tree { kept: Some(copy), ..plain_tree(name, target) };
    let is_shallow = run(repository, ["rev-parse", "--is-shallow-repository"])? == "true";
    if !is_shallow {
        let count = run(repository, ["rev-list", "--count", rev])?;
        let count = count.parse().map_err(|_| failed(format!("git counts '{count}' commits")))?;
        tree.attrs.insert("revCount".to_owned(), FetchAttr::Int(count));
    }
    tree.attrs.insert("rev".to_owned(), FetchAttr::String(rev.to_owned()));
    tree.attrs.insert("shortRev".to_owned(), FetchAttr::String(rev[..7].to_owned()));
    tree.attrs.insert("submodules".to_owned(), FetchAttr::Bool(false));
    Ok((tree, Some(commit_time(repository, rev)?)))
}

/// Writes the blobs of a commit below `target`; submodules are empty folders.
fn write_tree(repository: &Path, rev: &str, target: &Path) -> Result<(), IoError> {
    let io = |e: std::io::Error| failed_by(format!("cannot write the files of commit {rev}"), e);
    std::fs::create_dir(target).map_err(io)?;
    let list = run_bytes(repository, ["ls-tree", "-r", "-z", "--full-tree", rev])?;
    let mut child = git(repository)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed_by("cannot run `git`; is it installed?", e))?;
    let (Some(mut asked), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("git has no standard streams"));
    };
    let mut answers = BufReader::new(answers);
    for line in list.split(|b| *b == 0).filter(|l| !l.is_empty()) {
        let text = line.iter().position(|b| *b == b'\t').map(|tab| (&line[..tab], &line[tab + 1..]));
        let Some((head, path)) = text else { return Err(failed("git lists a tree in an unknown form")) };
        let head = String::from_utf8_lossy(head).into_owned();
        let fields: Vec<&str> = head.split(' ').collect();
        let [mode, kind, id] = fields[..] else { return Err(failed("git lists a tree in an unknown form")) };
        let path = target.join(OsStr::from_bytes(path));
        if kind == "commit" {
            std::fs::create_dir_all(&path).map_err(io)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        writeln!(asked, "{id}").and_then(|()| asked.flush()).map_err(io)?;
        let contents = blob(&mut answers).map_err(io)?;
        if mode == "120000" {
            symlink(OsStr::from_bytes(&contents), &path).map_err(io)?;
            continue;
        }
        std::fs::write(&path, contents).map_err(io)?;
        let permissions = std::fs::Permissions::from_mode(if mode == "100755" { 0o755 } else { 0o644 });
        std::fs::set_permissions(&path, permissions).map_err(io)?;
    }
    drop(asked);
    child.wait().map(drop).map_err(io)
}

/// One answer of `cat-file --batch`: a line `ID blob SIZE`, the contents, a line break.
fn blob(answers: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
    let size: usize = size.ok_or_else(|| std::io::Error::other(format!("git answers '{}'", head.trim_end())))?;
    let mut contents = vec![0; size + 1];
    answers.read_exact(&mut contents)?;
    contents.truncate(size);
    Ok(contents)
}

/// A bare clone among what fetchers remember, with what is wanted fetched into it as its head.
fn clone(fetching: &Fetching<'_>, url: &str, branch: Option<&str>, rev: Option<&str>) -> Result<PathBuf, IoError> {
    let Some(realiser) = fetching.realiser else {
        return Err(failed(format!("there is no folder for a clone of '{url}'")));
    };
    let key = Hash::of(HashAlgo::Sha256, url.as_bytes()).to_base32();
    let folder = realiser.fetch_folder().join("git").join(key);
    let io = |e: std::io::Error| failed_by(format!("cannot make '{}'", folder.display()), e);
    if !folder.join("HEAD").exists() {
        std::fs::create_dir_all(&folder).map_err(io)?;
        run(&folder, ["init", "--quiet", "--bare"])?;
    }
    // A commit that is there needs no network.
    if let Some(rev) = rev {
        if run(&folder, ["cat-file", "-e", &format!("{rev}^{{commit}}")]).is_ok() {
            return Ok(folder);
        }
    }
    if realiser.is_offline() {
        return Err(failed(format!("cannot fetch '{url}': --offline forbids it")));
    }
    let branch = branch.unwrap_or("HEAD");
    let spec = format!("{branch}:refs/esker/fetched");
    run(&folder, ["fetch", "--quiet", "--force", "--no-tags", "--", url, &spec])?;
    run(&folder, ["symbolic-ref", "HEAD", "refs/esker/fetched"])?;
    Ok(folder)
}
