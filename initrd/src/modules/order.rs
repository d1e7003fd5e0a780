//! In which order modules' files are loaded.

use std::collections::BTreeSet;

use super::{ModuleIndex, module_name};

/// Whether it matters that a module loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// What was asked for depends on it.
    Required,
    /// It may be missing or refuse: a soft dependency such as a faster checksum for other processors.
    Optional,
}

/// One file to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loading<'a> {
    /// The file, relative to the module folder of the kernel.
    pub file: &'a str,
    /// Whether a failure matters.
    pub need: Need,
}

impl ModuleIndex {
    /// The files to load for a module or alias, each after what it depends on. Empty when the kernel contains it;
    /// `None` when nobody knows it.
    pub fn loading_order(&self, wanted: &str) -> Option<Vec<Loading<'_>>> {
        let name = module_name(wanted);
        let mut order = Order::default();
        if self.module(&name).is_some() {
            order.add(self, &name, Need::Required);
        } else if !self.is_builtin(&name) {
            let modules = self.matching(wanted);
            if modules.is_empty() {
                return None;
            }
            for module in modules {
                order.add(self, module, Need::Required);
            }
        }
        Some(order.files)
    }
}

#[derive(Default)]
struct Order<'a> {
    files: Vec<Loading<'a>>,
    /// Modules that are in the list or about to be, which also ends circles of soft dependencies.
    seen: BTreeSet<String>,
}

impl<'a> Order<'a> {
    fn add(&mut self, index: &'a ModuleIndex, name: &str, need: Need) {
        let Some(module) = index.module(name) else {
            return;
        };
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let soft = index.soft_dependencies(name);
        for name in soft.iter().flat_map(|soft| &soft.before) {
            self.add_optional(index, name);
        }
        // depmod lists the deepest dependency last.
        for file in module.needs.iter().rev() {
            self.add(index, &module_name(file), need);
        }
        self.files.push(Loading { file: &module.file, need });
        for name in soft.iter().flat_map(|soft| &soft.after) {
            self.add_optional(index, name);
        }
    }

    /// A soft dependency names a module or an alias that several modules may have.
    fn add_optional(&mut self, index: &'a ModuleIndex, wanted: &str) {
        let name = module_name(wanted);
        if index.module(&name).is_some() {
            self.add(index, &name, Need::Optional);
        } else if !index.is_builtin(&name) {
            for module in index.matching(wanted) {
                self.add(index, module, Need::Optional);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::IndexTexts;
    use super::*;

    fn index() -> ModuleIndex {
        ModuleIndex::parse(&IndexTexts {
            dep: "ext4.ko: mbcache.ko jbd2.ko\njbd2.ko:\nmbcache.ko:\ncrc32c_generic.ko:\ncrc32c-intel.ko:\n\
                  a.ko:\nb.ko:\nxts.ko: ecb.ko\necb.ko:\n"
                .into(),
            alias: "alias crc32c crc32c_generic\nalias crc32c crc32c_intel\nalias fs-ext4 ext4\n".into(),
            softdep: "softdep ext4 pre: crc32c\nsoftdep a pre: b\nsoftdep b pre: a post: xts none\n".into(),
            builtin: "kernel/virtio.ko\n".into(),
        })
    }

    fn files(wanted: &str) -> Vec<String> {
        let index = index();
        let order = index.loading_order(wanted).unwrap();
        order
            .iter()
            .map(|loading| match loading.need {
                Need::Required => loading.file.to_owned(),
                Need::Optional => format!("({})", loading.file),
            })
            .collect()
    }

    #[test]
    fn dependencies_come_first_the_last_listed_before_all() {
        let expected = ["(crc32c_generic.ko)", "(crc32c-intel.ko)", "jbd2.ko", "mbcache.ko", "ext4.ko"];
        assert_eq!(files("ext4"), expected);
        assert_eq!(files("fs-ext4"), expected);
    }

    #[test]
    fn circles_of_soft_dependencies_end() {
        assert_eq!(files("a"), ["(b.ko)", "(ecb.ko)", "(xts.ko)", "a.ko"]);
    }

    #[test]
    fn a_builtin_needs_no_file_and_an_unknown_name_is_none() {
        assert!(files("virtio").is_empty());
        assert_eq!(index().loading_order("nonesuch"), None);
    }
}
