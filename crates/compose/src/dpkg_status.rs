//! dpkg's database of installed packages, so that `dpkg -l`, `-S`, `-L` and `-V` tell what the system holds.
//!
//! Only what those read: `status`, `info/*.list`, links to the packages' own control files, `arch`-less and unlocked.
//! Installing with dpkg on top of it is not meant to work: the database lies in the store. Source: dpkg's
//! `lib/dpkg/dump.c` field names as described in deb-control(5), and the `info/` layout of dpkg(1), "FILES".

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::manifest::Member;
use crate::package::{Control, Package};

/// Files of `DEBIAN/` that dpkg keeps in `info/` under `<package>.<file>`. Scripts are left out: nothing may run them.
const KEPT: [&str; 5] = ["md5sums", "shlibs", "symbols", "triggers", "templates"];

/// Writes the database into an existing directory.
///
/// # Errors
/// When a file cannot be written.
pub fn write_database(packages: &[Package], directory: &Path) -> io::Result<()> {
    let info = directory.join("info");
    std::fs::create_dir(&info)?;
    std::fs::create_dir(directory.join("updates"))?;
    std::fs::create_dir(directory.join("triggers"))?;
    std::fs::write(info.join("format"), "1\n")?;
    std::fs::write(directory.join("available"), "")?;
    std::fs::write(directory.join("diversions"), "")?;
    std::fs::write(directory.join("statoverride"), "")?;
    let mut status = String::new();
    for package in packages {
        let Some(control) = &package.control else {
            continue;
        };
        status.push_str(&status_paragraph(control));
        let base = info_base(package, control);
        std::fs::write(info.join(format!("{base}.list")), file_list(&package.members))?;
        for file in KEPT.iter().filter(|file| control.files.iter().any(|kept| kept == *file)) {
            let target = format!("{}/DEBIAN/{file}", package.store_path);
            symlink(target, info.join(format!("{base}.{file}")))?;
        }
    }
    std::fs::write(directory.join("status"), status)
}

/// `Multi-Arch: same` packages carry their architecture in the names of their files.
fn info_base(package: &Package, control: &Control) -> String {
    match (control.field("Multi-Arch"), control.field("Architecture")) {
        (Some("same"), Some(architecture)) => format!("{}:{architecture}", package.name),
        _ => package.name.clone(),
    }
}

/// The control paragraph with `Status` after `Package`. Without a `Conffiles` field: /etc belongs to the configuration, and
/// `dpkg -V` shall not call its files changed.
fn status_paragraph(control: &Control) -> String {
    let mut text = String::new();
    for line in control.text.trim_end().lines() {
        text.push_str(line);
        text.push('\n');
        if line.starts_with("Package:") {
            text.push_str("Status: install ok installed\n");
        }
    }
    text.push('\n');
    text
}

/// Absolute paths in archive order, `/.` first, as dpkg writes them.
fn file_list(members: &[Member]) -> String {
    let mut text = String::from("/.\n");
    for member in members {
        let _ = writeln!(text, "/{}", member.path);
    }
    text
}

#[cfg(test)]
#[path = "dpkg_status/tests.rs"]
mod tests;
