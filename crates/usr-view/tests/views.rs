//! Views mounted for real: as root, each test in a mount namespace of its own. Needs `mkfs.erofs` (Debian package
//! erofs-utils) and a kernel with EROFS and overlay.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use syscalls::Errno;
use syscalls::mount::{MountFlags, change, mount};
use syscalls::namespace::{NamespaceFlags, unshare};
use usr_view::{Attachment, Cover, ViewError, ViewMount, apply};

/// A store, views of it, and a place to mount them; gone with the mount namespace.
struct World {
    root: PathBuf,
}

impl World {
    /// The calling thread moves into a new mount namespace with a tmpfs in it.
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "mounting views needs root: run these tests as root");
        unshare(NamespaceFlags::CLONE_NEWNS).unwrap();
        change(Path::new("/"), MountFlags::MS_REC | MountFlags::MS_PRIVATE).unwrap();
        let root = PathBuf::from("/mnt");
        mount(Path::new("test"), &root, "tmpfs", MountFlags::empty(), "").unwrap();
        for directory in ["store", "store2", "usr", "staging"] {
            fs::create_dir(root.join(directory)).unwrap();
        }
        Self { root }
    }

    /// Adds a package with one file to a store.
    fn package(&self, store: &str, name: &str, text: &str) {
        let directory = self.root.join(store).join(name).join("usr/bin");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("tool"), text).unwrap();
    }

    /// Makes an image in which bin/tool, 4755, is that of a package.
    fn view(&self, name: &str, package: &str, size: u64) -> PathBuf {
        let tree = self.root.join(format!("{name}.tree"));
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::create_dir_all(tree.join("lib/modules")).unwrap();
        let tool = tree.join("bin/tool");
        fs::File::create(&tool).unwrap().set_len(size).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).unwrap();
        let redirect = format!("/{package}/usr/bin/tool");
        set_attribute(&tool, "trusted.overlay.metacopy", "");
        set_attribute(&tool, "trusted.overlay.redirect", &redirect);
        let image = self.root.join(format!("{name}.erofs"));
        run("mkfs.erofs", [OsStr::new("--quiet"), image.as_ref(), tree.as_ref()]);
        image
    }

    fn mount_of(&self, image: &Path) -> ViewMount {
        ViewMount {
            image: image.to_owned(),
            name: image.to_owned(),
            stores: vec![self.root.join("store")],
            covers: vec![],
            target: self.root.join("usr"),
            staging: self.root.join("staging"),
        }
    }

    fn tool(&self) -> PathBuf {
        self.root.join("usr/bin/tool")
    }

    /// How many mounts there are at or below a path.
    fn mounts_at(&self, path: &Path) -> usize {
        // The namespace belongs to this thread, not to the process.
        let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let place = |line: &str| PathBuf::from(line.split(' ').nth(4).unwrap_or_default());
        table.lines().filter(|line| place(line).starts_with(path)).count()
    }
}

fn set_attribute(path: &Path, name: &str, value: &str) {
    run("setfattr", [OsStr::new("-n"), name.as_ref(), "-v".as_ref(), value.as_ref(), path.as_ref()]);
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("`{program}` is needed (erofs-utils, attr): {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn contents_come_from_the_store_and_modes_from_the_view() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let image = world.view("one", "aaa-tool", 4);
    apply(&world.mount_of(&image), Attachment::OnTop).unwrap();
    assert_eq!(fs::read_to_string(world.tool()).unwrap(), "one\n");
    assert_eq!(fs::metadata(world.tool()).unwrap().mode() & 0o7777, 0o4755);
    let error = fs::write(world.root.join("usr/x"), "").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn only_the_view_is_left_mounted() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let image = world.view("one", "aaa-tool", 4);
    apply(&world.mount_of(&image), Attachment::OnTop).unwrap();
    assert_eq!(world.mounts_at(&world.root.join("staging")), 0);
    assert_eq!(world.mounts_at(&world.root.join("usr")), 1);
}

#[test]
fn mount_tables_name_the_view() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let mut view = world.mount_of(&world.view("one", "aaa-tool", 4));
    view.name = "/nix/store/sw/usr.erofs".into();
    apply(&view, Attachment::OnTop).unwrap();
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(table.contains(" /mnt/usr ro,relatime - overlay /nix/store/sw/usr.erofs "), "{table}");
}

#[test]
fn a_second_store_is_searched_too() {
    let world = World::new();
    world.package("store2", "bbb-tool", "two\n");
    let image = world.view("two", "bbb-tool", 4);
    let mut view = world.mount_of(&image);
    view.stores.push(world.root.join("store2"));
    apply(&view, Attachment::OnTop).unwrap();
    assert_eq!(fs::read_to_string(world.tool()).unwrap(), "two\n");
}

#[test]
fn a_flip_shows_the_new_view_and_leaves_open_files_alone() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    world.package("store", "bbb-tool", "second\n");
    let (first, second) = (world.view("one", "aaa-tool", 4), world.view("two", "bbb-tool", 7));
    apply(&world.mount_of(&first), Attachment::OnTop).unwrap();
    let mut open = fs::File::open(world.tool()).unwrap();
    apply(&world.mount_of(&second), Attachment::Flip).unwrap();
    assert_eq!(fs::read_to_string(world.tool()).unwrap(), "second\n");
    assert_eq!(std::io::read_to_string(&mut open).unwrap(), "one\n");
    assert_eq!(world.mounts_at(&world.root.join("usr")), 1);
}

#[test]
fn no_look_up_misses_during_flips() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let images = [world.view("one", "aaa-tool", 4), world.view("two", "aaa-tool", 4)];
    apply(&world.mount_of(&images[0]), Attachment::OnTop).unwrap();
    let tool = world.tool();
    let stop = std::sync::atomic::AtomicBool::new(false);
    // A thread started from here is in the same mount namespace.
    let (look_ups, misses) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut look_ups, mut misses) = (0, 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                look_ups += 1;
                misses += usize::from(fs::metadata(&tool).is_err());
            }
            (look_ups, misses)
        });
        for round in 0..20 {
            apply(&world.mount_of(&images[(round + 1) % 2]), Attachment::Flip).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(look_ups > 20, "only {look_ups} look-ups");
    assert_eq!(misses, 0);
}

#[test]
fn the_booted_kernels_modules_stay_over_every_view() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let modules = world.root.join("modules");
    fs::create_dir_all(modules.join("6.1")).unwrap();
    let mut view = world.mount_of(&world.view("one", "aaa-tool", 4));
    view.covers.push(Cover { source: modules, target: "lib/modules".into() });
    for attachment in [Attachment::OnTop, Attachment::Flip] {
        apply(&view, attachment).unwrap();
        assert!(world.root.join("usr/lib/modules/6.1").is_dir());
        assert_eq!(world.mounts_at(&world.root.join("usr")), 2);
    }
}

#[test]
fn a_broken_image_is_named_and_nothing_changes() {
    let world = World::new();
    let image = world.root.join("broken.erofs");
    fs::write(&image, vec![0; 8192]).unwrap();
    let error = apply(&world.mount_of(&image), Attachment::OnTop).unwrap_err();
    assert_eq!(error.to_string(), "cannot mount the view's metadata `/mnt/broken.erofs`");
    assert!(matches!(&error, ViewError::Metadata { source, .. } if source.errno == Errno::EINVAL), "{error:?}");
    assert_eq!(world.mounts_at(&world.root.join("usr")) + world.mounts_at(&world.root.join("staging")), 0);
}

#[test]
fn a_missing_place_for_modules_is_explained() {
    let world = World::new();
    world.package("store", "aaa-tool", "one\n");
    let mut view = world.mount_of(&world.view("one", "aaa-tool", 4));
    view.covers.push(Cover { source: world.root.join("store"), target: "lib/nowhere".into() });
    let error = apply(&view, Attachment::OnTop).unwrap_err();
    assert!(matches!(error, ViewError::Cover { .. }), "{error:?}");
    assert_eq!(error.hint().unwrap(), "the view must have a directory `lib/nowhere`");
}

#[test]
fn the_description_lists_the_mounts_in_order() {
    let view = ViewMount {
        image: "/nix/store/x-sw/usr.erofs".into(),
        name: "/nix/store/x-sw/usr.erofs".into(),
        stores: vec!["/nix/store".into()],
        covers: vec![Cover {
            source: "/run/booted-system/kernel-modules/lib/modules".into(),
            target: "lib/modules".into(),
        }],
        target: "/usr".into(),
        staging: "/run/esker/view".into(),
    };
    let expected = "erofs /nix/store/x-sw/usr.erofs (metadata)\n\
        contents from /nix/store\n\
        overlay at /usr\n\
        bind /run/booted-system/kernel-modules/lib/modules over /usr/lib/modules\n";
    assert_eq!(view.describe(), expected);
}
