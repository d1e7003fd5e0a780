//! Options as fstab has them, split into the kernel's mount flags and what goes to the filesystem.
//! Source: mount(8), `FILESYSTEM-INDEPENDENT MOUNT OPTIONS`; systemd.mount(5) for the `x-` options.

use crate::mount::MountFlags;

/// Options taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    /// For the kernel.
    pub flags: MountFlags,
    /// For the filesystem, comma separated.
    pub data: String,
    /// Whether the boot goes on without it.
    pub no_fail: bool,
}

/// Options that the kernel knows as flags; the second column is taken away, the third added.
const FLAGS: &[(&str, MountFlags, MountFlags)] = {
    const NONE: MountFlags = MountFlags::empty();
    &[
        ("ro", NONE, MountFlags::MS_RDONLY),
        ("rw", MountFlags::MS_RDONLY, NONE),
        ("nosuid", NONE, MountFlags::MS_NOSUID),
        ("suid", MountFlags::MS_NOSUID, NONE),
        ("nodev", NONE, MountFlags::MS_NODEV),
        ("dev", MountFlags::MS_NODEV, NONE),
        ("noexec", NONE, MountFlags::MS_NOEXEC),
        ("exec", MountFlags::MS_NOEXEC, NONE),
        ("sync", NONE, MountFlags::MS_SYNCHRONOUS),
        ("async", MountFlags::MS_SYNCHRONOUS, NONE),
        ("dirsync", NONE, MountFlags::MS_DIRSYNC),
        ("noatime", NONE, MountFlags::MS_NOATIME),
        ("atime", MountFlags::MS_NOATIME, NONE),
        ("nodiratime", NONE, MountFlags::MS_NODIRATIME),
        ("diratime", MountFlags::MS_NODIRATIME, NONE),
        ("relatime", NONE, MountFlags::MS_RELATIME),
        ("norelatime", MountFlags::MS_RELATIME, NONE),
        ("strictatime", NONE, MountFlags::MS_STRICTATIME),
        ("bind", NONE, MountFlags::MS_BIND),
        ("rbind", NONE, MountFlags::MS_BIND.union(MountFlags::MS_REC)),
        ("silent", NONE, MountFlags::MS_SILENT),
        ("defaults", NONE, NONE),
    ]
};

/// Options for mount(8), fsck and systemd, which mean nothing here.
const OTHERS: &[&str] = &["auto", "noauto", "user", "nouser", "users", "owner", "group", "_netdev"];

impl MountOptions {
    /// Takes options apart; later ones override earlier ones. No option is an error: the filesystem judges what it is given.
    pub fn parse<'a>(options: impl IntoIterator<Item = &'a str>) -> Self {
        let mut parsed = Self { flags: MountFlags::empty(), data: String::new(), no_fail: false };
        for option in options.into_iter().flat_map(|list| list.split(',')) {
            if let Some((_, clear, set)) = FLAGS.iter().find(|(name, ..)| *name == option) {
                parsed.flags.remove(*clear);
                parsed.flags.insert(*set);
            } else if option == "nofail" {
                parsed.no_fail = true;
            } else if !option.is_empty() && !is_for_others(option) {
                if !parsed.data.is_empty() {
                    parsed.data.push(',');
                }
                parsed.data.push_str(option);
            }
        }
        parsed
    }
}

fn is_for_others(option: &str) -> bool {
    OTHERS.contains(&option) || option.starts_with("x-") || option.starts_with("X-") || option.starts_with("comment=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_data_and_others_are_told_apart() {
        let options = ["defaults", "noatime", "ro", "compress=zstd,subvol=@nix", "x-systemd.automount", "nofail"];
        let parsed = MountOptions::parse(options);
        assert_eq!(parsed.flags, MountFlags::MS_NOATIME | MountFlags::MS_RDONLY);
        assert_eq!(parsed.data, "compress=zstd,subvol=@nix");
        assert!(parsed.no_fail);
    }

    #[test]
    fn the_last_of_two_opposites_counts() {
        assert_eq!(MountOptions::parse(["ro", "rw"]).flags, MountFlags::empty());
        assert_eq!(MountOptions::parse(["rw", "ro"]).flags, MountFlags::MS_RDONLY);
    }
}
