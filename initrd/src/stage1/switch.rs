//! The last phase: the system's root becomes the root, the initrd's memory is freed, and the system's init takes over.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use syscalls::SyscallError;
use syscalls::files::is_in_memory;
use syscalls::mount::{chroot, move_to};

use super::Boot;
use super::error::Stage1Error;
use super::filesystems::KERNEL_FILESYSTEMS;
use super::report::TIMES;

/// Moves the kernel's filesystems into the system and makes it the root.
pub(super) fn switch_root(boot: &mut Boot) -> Result<(), Stage1Error> {
    boot.report.store_times(Path::new(TIMES))?;
    let system = boot.system.path().to_owned();
    for (_, place, ..) in KERNEL_FILESYSTEMS {
        move_to(&Path::new("/").join(place), &system.join(place))?;
    }
    // Before anything is deleted: only an initrd lies in memory.
    if !is_in_memory(Path::new("/"))? {
        return Err(Stage1Error::NotAnInitrd);
    }
    delete_initrd(Path::new("/"));
    std::env::set_current_dir(&system).map_err(|error| SyscallError::io("chdir", "the system's root", &error))?;
    move_to(Path::new("."), Path::new("/"))?;
    chroot(Path::new("."))?;
    std::env::set_current_dir("/").map_err(|error| SyscallError::io("chdir", "/", &error))?;
    Ok(())
}

/// Executes the system's init with the arguments that the kernel gave us. Returns only the error.
pub(super) fn execute_init(boot: &Boot) -> Stage1Error {
    let init = boot.command_line.init();
    let arguments = std::iter::once(init.clone().into_os_string())
        .chain(std::env::args_os().skip(1))
        .map(|argument| CString::new(argument.into_vec()));
    match arguments.collect::<Result<Vec<_>, _>>() {
        Ok(arguments) => syscalls::process::exec(&init, &arguments).into(),
        Err(_) => Stage1Error::BadInit { init: String::from_utf8_lossy(init.as_os_str().as_bytes()).into_owned() },
    }
}

/// Deletes all files of the filesystem that `folder` is on, and stays off others. Frees the memory that the initrd takes;
/// what cannot be deleted only stays there.
fn delete_initrd(folder: &Path) {
    let Ok(device) = fs::symlink_metadata(folder).map(|metadata| metadata.dev()) else {
        return;
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.dev() != device => {}
            Ok(metadata) if metadata.is_dir() => {
                delete_initrd(&path);
                // Fails for the places where other filesystems are mounted.
                let _ = fs::remove_dir(&path);
            }
            _ => {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_files_folders_and_links_but_not_their_targets() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "stays").unwrap();
        let initrd = dir.path().join("initrd");
        fs::create_dir_all(initrd.join("lib/modules")).unwrap();
        fs::write(initrd.join("lib/modules/x.ko"), "").unwrap();
        std::os::unix::fs::symlink(&outside, initrd.join("link")).unwrap();
        delete_initrd(&initrd);
        assert_eq!(fs::read_dir(&initrd).unwrap().count(), 0);
        assert!(outside.exists());
    }
}
