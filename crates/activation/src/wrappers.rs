//! `security.wrappers`: copies of programs with setuid, setgid or file capabilities under `/run/wrappers/bin`.
//!
//! The copies lie in a tmpfs of their own, the only file system besides /usr that is mounted without `nosuid`. Each
//! activation fills a new directory and switches the link `bin` to it, so that no reader ever misses a program.
//! Programs whose Debian package declares such a mode have it at their own path in /usr already; wrappers only add.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::accounts::AccountsPlan;
use crate::capabilities;
use crate::root::{Durability, Ownership, Root, replace_file, replace_link};
use crate::toplevel::Mode;

/// Where the tmpfs is mounted, and the directories of wrappers are.
pub const WRAPPERS: &str = "/run/wrappers";

/// One of `activation.json`'s `wrappers`, with the attributes of NixOS's `security.wrappers.<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wrapper {
    /// File name in `/run/wrappers/bin`.
    #[serde(alias = "program")]
    pub name: String,
    /// The program, an absolute target path; links are followed.
    pub source: PathBuf,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
    /// Run as the owner.
    #[serde(default)]
    pub setuid: bool,
    /// Run as the group.
    #[serde(default)]
    pub setgid: bool,
    /// Who may run it, as `chmod` writes it: `u+rx,g+x,o+x`, or octal text.
    #[serde(default = "default_permissions")]
    pub permissions: String,
    /// File capabilities in libcap's text; empty for none.
    #[serde(default)]
    pub capabilities: String,
}

/// One wrapper, with names turned into numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrapperStep {
    /// File name in `/run/wrappers/bin`.
    pub name: String,
    /// The program (target path, links not followed: it is looked up in the new /usr).
    pub source: PathBuf,
    /// Permission bits with setuid and setgid.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The text, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub capabilities: String,
    #[serde(skip)]
    attribute: Option<[u8; 20]>,
}

/// All wrappers of a generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrappersPlan {
    /// Name of the directory to fill, beside those that exist.
    pub directory: String,
    /// What goes into it.
    pub steps: Vec<WrapperStep>,
    /// Wrappers that are left out, and why: a wrong one must not keep the others away.
    pub warnings: Vec<String>,
    /// Whether the tmpfs has to be mounted first.
    pub mount: bool,
}

/// What is under /run/wrappers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedWrappers {
    /// The directory that `bin` points to.
    pub current: Option<String>,
    /// Whether the tmpfs is mounted (always true below a test's root).
    pub mounted: bool,
}

/// Looks at /run/wrappers.
pub fn observe(root: &Root) -> io::Result<ObservedWrappers> {
    let link = fs::read_link(root.path(WRAPPERS).join("bin")).ok();
    let current = link.and_then(|link| link.to_str().map(str::to_owned));
    let mounted = if root.is_machine() {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        mounts.lines().any(|line| line.split(' ').nth(4) == Some(WRAPPERS))
    } else {
        true
    };
    Ok(ObservedWrappers { current, mounted })
}

/// Plans the wrappers; owners are looked up among the accounts as they will be.
pub fn plan_wrappers(wrappers: &[Wrapper], accounts: &AccountsPlan, observed: &ObservedWrappers) -> WrappersPlan {
    let directory = if observed.current.as_deref() == Some("a") { "b" } else { "a" };
    let mut plan = WrappersPlan { directory: directory.to_owned(), mount: !observed.mounted, ..Default::default() };
    for wrapper in wrappers {
        match plan_wrapper(wrapper, accounts) {
            Ok(step) => plan.steps.push(step),
            Err(reason) => plan.warnings.push(format!("wrapper `{}` is left out: {reason}", wrapper.name)),
        }
    }
    plan
}

fn plan_wrapper(wrapper: &Wrapper, accounts: &AccountsPlan) -> Result<WrapperStep, String> {
    if wrapper.name.is_empty() || wrapper.name.contains('/') || wrapper.name.starts_with('.') {
        return Err("its name is no file name".to_owned());
    }
    let uid = accounts.uid(&wrapper.owner).ok_or_else(|| format!("there is no user `{}`", wrapper.owner))?;
    let gid = accounts.gid(&wrapper.group).ok_or_else(|| format!("there is no group `{}`", wrapper.group))?;
    let permissions = parse_permissions(&wrapper.permissions)
        .ok_or_else(|| format!("`{}` are no permissions such as `u+rx,g+x,o+x`", wrapper.permissions))?;
    let attribute = if wrapper.capabilities.trim().is_empty() {
        None
    } else {
        let attribute = capabilities::attribute(&wrapper.capabilities);
        Some(attribute.ok_or_else(|| format!("`{}` are no file capabilities", wrapper.capabilities))?)
    };
    let special = if wrapper.setuid { 0o4000 } else { 0 } | if wrapper.setgid { 0o2000 } else { 0 };
    Ok(WrapperStep {
        name: wrapper.name.clone(),
        source: wrapper.source.clone(),
        mode: Mode(permissions | special),
        uid,
        gid,
        capabilities: wrapper.capabilities.clone(),
        attribute,
    })
}

/// Octal, or clauses of `[ugoa]*[+=][rwx]*` on top of nothing.
fn parse_permissions(text: &str) -> Option<u32> {
    if let Ok(bits) = u32::from_str_radix(text, 8) {
        return (bits <= 0o777).then_some(bits);
    }
    let mut bits = 0;
    for clause in text.split(',') {
        let (who, what) = clause.split_once(['+', '='])?;
        let what = what.chars().try_fold(0, |set, letter| {
            Some(
                set | match letter {
                    'r' => 4,
                    'w' => 2,
                    'x' => 1,
                    _ => return None,
                },
            )
        })?;
        let who = if who.is_empty() { "a" } else { who };
        for letter in who.chars() {
            bits |= match letter {
                'u' => what << 6,
                'g' => what << 3,
                'o' => what,
                'a' => what << 6 | what << 3 | what,
                _ => return None,
            };
        }
    }
    Some(bits)
}

/// Fills the new directory and switches `bin` to it. A program that is missing is reported, not fatal.
pub fn apply_wrappers(root: &Root, plan: &WrappersPlan) -> io::Result<Vec<String>> {
    let base = root.path(WRAPPERS);
    fs::create_dir_all(&base)?;
    if plan.mount {
        mount_tmpfs(&base)?;
    }
    let directory = base.join(&plan.directory);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755))?;
    let mut problems = Vec::new();
    for step in &plan.steps {
        if let Err(error) = make_wrapper(root, &directory, step) {
            problems.push(format!("wrapper `{}` is left out: {error}", step.name));
        }
    }
    replace_link(&base.join("bin"), Path::new(&plan.directory))?;
    Ok(problems)
}

fn make_wrapper(root: &Root, directory: &Path, step: &WrapperStep) -> io::Result<()> {
    let program = fs::read(root.resolve(&step.source)?)?;
    let path = directory.join(&step.name);
    // Without permissions until the capabilities are on it.
    let closed = Ownership { mode: 0, uid: step.uid, gid: step.gid };
    replace_file(&path, &program, closed, Durability::Volatile)?;
    if let Some(attribute) = &step.attribute {
        rustix::fs::lsetxattr(&path, "security.capability", attribute, rustix::fs::XattrFlags::empty()).map_err(
            |error| {
                io::Error::new(
                    io::Error::from(error).kind(),
                    format!("failed to set capabilities of `{}`", path.display()),
                )
            },
        )?;
    }
    fs::set_permissions(&path, std::fs::Permissions::from_mode(step.mode.0))
}

fn mount_tmpfs(base: &Path) -> io::Result<()> {
    let flags = syscalls::mount::MountFlags::MS_NODEV;
    syscalls::mount::mount(Path::new("tmpfs"), base, "tmpfs", flags, "mode=0755").map_err(io::Error::other)
}

fn default_permissions() -> String {
    "u+rx,g+x,o+x".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_as_chmod_writes_them() {
        assert_eq!(parse_permissions("u+rx,g+x,o+x"), Some(0o511));
        assert_eq!(parse_permissions("a+rx"), Some(0o555));
        assert_eq!(parse_permissions("u=rwx,go=rx"), Some(0o755));
        assert_eq!(parse_permissions("0750"), Some(0o750));
        for text in ["4755", "u+s", "z+x", "ux", ""] {
            assert_eq!(parse_permissions(text), None, "{text}");
        }
    }
}
