//! depmod's index files, read and written: modules.dep, modules.alias, modules.softdep, modules.builtin.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{glob_matches, module_name};

/// The texts of depmod's index files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexTexts {
    /// `FILE: FILES…`: what a module's file needs loaded before, the last first.
    pub dep: String,
    /// `alias PATTERN MODULE`.
    pub alias: String,
    /// `softdep MODULE pre: MODULES… post: MODULES…`.
    pub softdep: String,
    /// Files of modules that the kernel contains.
    pub builtin: String,
}

/// The modules that can be loaded, and what asks for them.
#[derive(Debug, Clone, Default)]
pub struct ModuleIndex {
    /// By name: the file and the files that it needs, in the order of modules.dep.
    modules: BTreeMap<String, Module>,
    /// Patterns and modules, by what is before the first `:` or wildcard of the pattern, which a matching text shares.
    aliases: BTreeMap<String, Vec<(String, String)>>,
    soft: BTreeMap<String, SoftDependencies>,
    builtin: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) needs: Vec<String>,
}

/// Modules that should be loaded before and after another if they exist.
#[derive(Debug, Clone, Default)]
pub(super) struct SoftDependencies {
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

impl ModuleIndex {
    /// Parses the index files. Lines that are not of their form are skipped, as modprobe does.
    pub fn parse(texts: &IndexTexts) -> Self {
        let mut index = Self::default();
        for (file, needs) in texts.dep.lines().filter_map(|line| line.split_once(':')) {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            let file = file.trim().to_owned();
            index.modules.insert(module_name(&file), Module { file, needs });
        }
        for line in texts.alias.lines() {
            if let ["alias", pattern, module] = line.split_whitespace().collect::<Vec<_>>()[..] {
                let entry = (pattern.to_owned(), module_name(module));
                index.aliases.entry(bus(pattern)).or_default().push(entry);
            }
        }
        for line in texts.softdep.lines() {
            if let Some((module, dependencies)) = parse_softdep(line) {
                index.soft.insert(module, dependencies);
            }
        }
        index.builtin = texts.builtin.lines().map(module_name).collect();
        index
    }

    /// The file of a module, relative to the module folder of the kernel.
    pub fn file_of(&self, name: &str) -> Option<&str> {
        self.modules.get(name).map(|module| module.file.as_str())
    }

    /// Whether the kernel contains this module.
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(name)
    }

    /// The names of all modules, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    /// The names of the modules whose files match patterns, sorted. Patterns are of what is below the folder `kernel/`, and
    /// the last one that matches a file decides; one with a leading `!` decides against it.
    pub fn chosen_by(&self, patterns: &[String]) -> BTreeSet<String> {
        let chosen = |file: &str| {
            let file = file.strip_prefix("kernel/").unwrap_or(file);
            let decides = |pattern: &&String| glob_matches(pattern.strip_prefix('!').unwrap_or(pattern), file);
            patterns.iter().rfind(decides).is_some_and(|pattern| !pattern.starts_with('!'))
        };
        self.modules.iter().filter(|(_, module)| chosen(&module.file)).map(|(name, _)| name.clone()).collect()
    }

    /// The modules that serve a device with this modalias, sorted and without repetition.
    pub fn matching(&self, modalias: &str) -> BTreeSet<&str> {
        // Patterns like `acpi*:…` start with the bus but are filed under what is before the wildcard.
        let key = bus(modalias);
        self.aliases
            .range(..=key.clone())
            .filter(|(prefix, _)| key.starts_with(prefix.as_str()))
            .flat_map(|(_, entries)| entries)
            .filter(|(pattern, _)| glob_matches(pattern, modalias))
            .map(|(_, module)| module.as_str())
            .collect()
    }

    pub(super) fn module(&self, name: &str) -> Option<&Module> {
        self.modules.get(name)
    }

    pub(super) fn soft_dependencies(&self, name: &str) -> Option<&SoftDependencies> {
        self.soft.get(name)
    }

    /// The index files of a kernel that has only these modules.
    pub fn subset(&self, names: &BTreeSet<String>) -> IndexTexts {
        let mut texts = IndexTexts::default();
        // Writing to a string cannot fail.
        let _ = self.write_subset(names, &mut texts);
        texts
    }

    fn write_subset(&self, names: &BTreeSet<String>, texts: &mut IndexTexts) -> std::fmt::Result {
        let chosen = |name: &str| names.contains(name);
        for (_, module) in self.modules.iter().filter(|(name, _)| chosen(name)) {
            let needs: String = module.needs.iter().map(|file| format!(" {file}")).collect();
            writeln!(texts.dep, "{}:{needs}", module.file)?;
        }
        for (pattern, module) in self.aliases.values().flatten().filter(|(_, module)| chosen(module)) {
            writeln!(texts.alias, "alias {pattern} {module}")?;
        }
        for (name, soft) in self.soft.iter().filter(|(name, _)| chosen(name)) {
            let list = |names: &[String]| names.join(" ");
            writeln!(texts.softdep, "softdep {name} pre: {} post: {}", list(&soft.before), list(&soft.after))?;
        }
        for name in &self.builtin {
            writeln!(texts.builtin, "{name}.ko")?;
        }
        Ok(())
    }
}

/// What is before the first `:` or wildcard, with dashes as underscores.
fn bus(alias: &str) -> String {
    let end = alias.find([':', '*', '?', '[']).unwrap_or(alias.len());
    alias[..end].replace('-', "_")
}

fn parse_softdep(line: &str) -> Option<(String, SoftDependencies)> {
    let mut words = line.split_whitespace();
    if words.next()? != "softdep" {
        return None;
    }
    let module = module_name(words.next()?);
    let mut soft = SoftDependencies::default();
    let mut list = None;
    for word in words {
        match word {
            "pre:" => list = Some(&mut soft.before),
            "post:" => list = Some(&mut soft.after),
            name => list.as_mut()?.push(name.to_owned()),
        }
    }
    Some((module, soft))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> ModuleIndex {
        ModuleIndex::parse(&IndexTexts {
            dep: "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n\
                  kernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc16.ko.xz:\n\
                  kernel/drivers/block/virtio_blk.ko.xz:\n"
                .into(),
            alias: "# comment\nalias virtio:d00000002v* virtio_blk\nalias fs-ext4 ext4\nalias acpi*:QEMU0002:* jbd2\n"
                .into(),
            softdep: "softdep ext4 pre: crc32c\n".into(),
            builtin: "kernel/drivers/virtio/virtio_pci.ko\n".into(),
        })
    }

    #[test]
    fn finds_modules_by_modalias() {
        let index = index();
        assert_eq!(index.matching("virtio:d00000002v00001AF4"), BTreeSet::from(["virtio_blk"]));
        assert_eq!(index.matching("fs-ext4"), BTreeSet::from(["ext4"]));
        assert_eq!(index.matching("acpi:QEMU0002:"), BTreeSet::from(["jbd2"]));
        assert!(index.matching("virtio:d00000009v00001AF4").is_empty());
    }

    #[test]
    fn knows_what_the_kernel_contains() {
        assert!(index().is_builtin("virtio_pci"));
        assert!(!index().is_builtin("ext4"));
    }

    #[test]
    fn a_subset_parses_to_itself() {
        let names = BTreeSet::from(["ext4".to_owned(), "jbd2".to_owned()]);
        let texts = index().subset(&names);
        assert_eq!(
            texts.dep,
            "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\n"
        );
        assert_eq!(texts.alias, "alias acpi*:QEMU0002:* jbd2\nalias fs-ext4 ext4\n");
        assert_eq!(ModuleIndex::parse(&texts).subset(&names), texts);
    }
}
