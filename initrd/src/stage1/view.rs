//! The phase that makes /usr, and the links to it in the root.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use usr_view::{Attachment, Cover, StoreLayers, ViewMount, apply};

use super::Boot;
use super::error::Stage1Error;
use crate::root::Root;
use crate::settings::StoreKind;

/// Directories of the root that are links into /usr: always, or if /usr has them.
const ALWAYS_LINKED: &[&str] = &["bin", "lib", "sbin"];
const LINKED_IF_PRESENT: &[&str] = &["lib32", "lib64", "libx32"];

/// Where the kernel modules lie below the toplevel's `kernel-modules`.
const MODULE_FOLDERS: &[&str] = &["lib/modules", "usr/lib/modules"];

/// Mounts the toplevel's view at /usr with the modules of its kernel, which is the one that runs.
pub(super) fn mount_view(boot: &mut Boot) -> Result<(), Stage1Error> {
    let layers = match boot.settings.store {
        StoreKind::Own => StoreLayers::own(boot.system.path()),
        StoreKind::Shared => StoreLayers::shared(boot.system.path()),
    };
    let plan = plan_view(&boot.system, &boot.toplevel, &layers)?;
    if boot.command_line.debug {
        for line in plan.describe().lines() {
            boot.report.info(line);
        }
    }
    apply(&plan, Attachment::OnTop)?;
    link_into_usr(boot.system.path())
}

fn plan_view(system: &Root, toplevel: &Path, layers: &StoreLayers) -> Result<ViewMount, Stage1Error> {
    let find = |path: PathBuf| match system.resolve(&path) {
        Ok(found) => Ok(found),
        Err(source) => Err(Stage1Error::NotInStore { path, source }),
    };
    let image = find(toplevel.join("sw/usr.erofs"))?;
    let mut covers = Vec::new();
    let kernel_modules = toplevel.join("kernel-modules");
    for folder in MODULE_FOLDERS {
        match system.resolve(&kernel_modules.join(folder)) {
            Ok(source) => {
                covers.push(Cover { source, target: "lib/modules".into() });
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Stage1Error::NotInStore { path: kernel_modules, source });
            }
        }
    }
    Ok(ViewMount {
        name: Path::new("/").join(image.strip_prefix(system.path()).unwrap_or(&image)),
        image: layers.locate(&image),
        stores: layers.folders().to_vec(),
        covers,
        target: system.path().join("usr"),
        staging: "/run/esker/view".into(),
    })
}

/// Makes the links in the root. On a root that is not empty some exist already.
fn link_into_usr(root: &Path) -> Result<(), Stage1Error> {
    let present = LINKED_IF_PRESENT.iter().filter(|name| root.join("usr").join(name).is_dir());
    for name in ALWAYS_LINKED.iter().chain(present) {
        let path = root.join(name);
        match symlink(Path::new("usr").join(name), &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Stage1Error::Make { path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["nix/store/a-system", "nix/store/b-sw", "nix/store/c-modules/lib/modules/6.1"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let toplevel = dir.path().join("nix/store/a-system");
        symlink("/nix/store/b-sw", toplevel.join("sw")).unwrap();
        symlink("/nix/store/c-modules", toplevel.join("kernel-modules")).unwrap();
        std::fs::write(dir.path().join("nix/store/b-sw/usr.erofs"), "").unwrap();
        let root = Root::new(dir.path());
        (dir, root)
    }

    #[test]
    fn the_view_is_the_toplevels_with_its_kernels_modules() {
        let (dir, root) = system();
        let plan = plan_view(&root, Path::new("/nix/store/a-system"), &StoreLayers::own(root.path())).unwrap();
        assert_eq!(plan.name, Path::new("/nix/store/b-sw/usr.erofs"));
        assert_eq!(plan.image, dir.path().join("nix/store/b-sw/usr.erofs"));
        assert_eq!(plan.covers[0].source, dir.path().join("nix/store/c-modules/lib/modules"));
    }

    #[test]
    fn a_missing_view_is_named() {
        let (dir, root) = system();
        std::fs::remove_file(dir.path().join("nix/store/b-sw/usr.erofs")).unwrap();
        let error = plan_view(&root, Path::new("/nix/store/a-system"), &StoreLayers::own(root.path())).unwrap_err();
        assert!(error.to_string().contains("`/nix/store/a-system/sw/usr.erofs` is not in"), "{error}");
    }

    #[test]
    fn links_exist_for_what_usr_has() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/lib64")).unwrap();
        link_into_usr(dir.path()).unwrap();
        link_into_usr(dir.path()).unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["bin", "lib", "lib64", "sbin", "usr"]);
        assert_eq!(dir.path().join("bin").read_link().unwrap(), Path::new("usr/bin"));
    }
}
