//! What is known about kernel modules: the index files that depmod writes, and the order in which modules are loaded.
//!
//! Parsed from text, written as text; no file is opened here. Source: modules.dep(5), modprobe.d(5), depmod(8).

mod glob;
mod index;
mod order;

pub use glob::glob_matches;
pub use index::{IndexTexts, ModuleIndex};
pub use order::{Loading, Need};

/// A module's name as the kernel shows it: from a file name or a name with dashes.
pub fn module_name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let stem = base.split_once(".ko").map_or(base, |(stem, _)| stem);
    stem.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files_and_have_underscores() {
        assert_eq!(module_name("kernel/fs/nls/nls_cp437.ko.xz"), "nls_cp437");
        assert_eq!(module_name("kernel/drivers/nvme/host/nvme-core.ko"), "nvme_core");
        assert_eq!(module_name("virtio-blk"), "virtio_blk");
    }
}
