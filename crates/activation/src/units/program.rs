//! What a service runs: the files behind `ExecStart=` with the shared libraries they load, as paths of the store.
//!
//! A Debian unit names `/usr/sbin/x`, and its text stays the same when the package is upgraded. So a service counts as
//! changed when its program, the interpreter of its script, or a library that the program links to lies at another store
//! path than before. Libraries matter: otherwise a fixed libssl would wait for the next boot. What a program opens while
//! it runs (plug-ins, Python modules) is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader};
use object::read::{ReadCache, ReadRef};

use super::file::Unit;
use super::view::GenerationView;

/// Where Debian's dynamic loader looks, beside a program's own run path.
const LIBRARY_DIRECTORIES: [&str; 5] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64", "/usr/local/lib"];
/// Where systemd looks for a program without a slash.
const PROGRAM_DIRECTORIES: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/// Files by the name that asks for them (a path, or a library's soname) → where they are in this generation.
pub(super) type Files = BTreeMap<String, PathBuf>;

/// Looks files up in one generation, remembering what each one needs.
pub(super) struct Programs<'a> {
    view: &'a GenerationView,
    needs: BTreeMap<PathBuf, Needs>,
}

/// What a file needs to run.
#[derive(Debug, Clone, Default)]
struct Needs {
    interpreter: Option<String>,
    libraries: Vec<String>,
    run_path: Vec<String>,
}

impl<'a> Programs<'a> {
    pub(super) fn new(view: &'a GenerationView) -> Self {
        Self { view, needs: BTreeMap::new() }
    }

    /// Everything that the main commands of a service consist of.
    pub(super) fn files_of(&mut self, unit: &Unit) -> io::Result<Files> {
        let mut files = Files::new();
        for command in unit.values("Service", "ExecStart") {
            if let Some(program) = program_of(command) {
                self.add(&program, &mut files)?;
            }
        }
        Ok(files)
    }

    /// One program and all that it needs.
    pub(super) fn files_of_program(&mut self, program: &str) -> io::Result<Files> {
        let mut files = Files::new();
        self.add(program, &mut files)?;
        Ok(files)
    }

    fn add(&mut self, program: &str, files: &mut Files) -> io::Result<()> {
        let Some(place) = self.find_program(program)? else {
            return Ok(());
        };
        if files.insert(program.to_owned(), place.clone()).is_some() {
            return Ok(());
        }
        let needs = self.needs_of(&place)?;
        if let Some(interpreter) = needs.interpreter {
            self.add(&interpreter, files)?;
        }
        self.add_libraries(&place, files)
    }

    fn add_libraries(&mut self, program: &Path, files: &mut Files) -> io::Result<()> {
        let mut pending = vec![program.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(file) = pending.pop() {
            let needs = self.needs_of(&file)?;
            for library in &needs.libraries {
                if !seen.insert(library.clone()) {
                    continue;
                }
                if let Some(place) = self.find_library(library, &needs.run_path, &file)? {
                    files.insert(library.clone(), place.clone());
                    pending.push(place);
                }
            }
        }
        Ok(())
    }

    fn find_program(&self, program: &str) -> io::Result<Option<PathBuf>> {
        if program.starts_with('/') {
            return self.view.file(Path::new(program));
        }
        for directory in PROGRAM_DIRECTORIES {
            if let Some(place) = self.view.file(&Path::new(directory).join(program))? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn find_library(&self, name: &str, run_path: &[String], loader: &Path) -> io::Result<Option<PathBuf>> {
        let origin = loader.parent().unwrap_or(Path::new("/")).display().to_string();
        let own = run_path.iter().map(|path| path.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin));
        for directory in own.chain(LIBRARY_DIRECTORIES.map(str::to_owned)) {
            if let Some(place) = self.view.file(&Path::new(&directory).join(name))? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn needs_of(&mut self, place: &Path) -> io::Result<Needs> {
        if let Some(needs) = self.needs.get(place) {
            return Ok(needs.clone());
        }
        let needs = load_needs(self.view.open(place)?)?;
        self.needs.insert(place.to_owned(), needs.clone());
        Ok(needs)
    }
}

/// The first file that lies elsewhere than before, in words.
pub(super) fn first_change(old: &Files, new: &Files) -> Option<String> {
    let (name, place) = new.iter().find(|(name, place)| old.get(*name).is_some_and(|before| before != *place))?;
    let before = old.get(name)?;
    Some(match (package_of(before), package_of(place)) {
        (Some(old), Some(new)) if old != new => format!("{name} changed ({old} → {new})"),
        _ => format!("{name} changed"),
    })
}

/// `/nix/store/<hash>-nginx-1.26/usr/…` → `nginx-1.26`.
fn package_of(place: &Path) -> Option<&str> {
    let name = place.strip_prefix("/nix/store").ok()?.components().next()?.as_os_str().to_str()?;
    name.split_once('-').map(|(_, name)| name)
}

/// The program of a command line; `None` when a specifier stands for it.
fn program_of(command: &str) -> Option<String> {
    let command = command.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let word = match command.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => command.split_whitespace().next()?,
    };
    (!word.is_empty() && !word.contains('%')).then(|| word.to_owned())
}

/// The longest first line that the kernel reads.
const SCRIPT_LINE_BYTES: u64 = 256;

/// What a script or ELF file needs; a file that is neither needs nothing. Large programs are not read whole.
fn load_needs(mut file: fs_err::File) -> io::Result<Needs> {
    let mut start = Vec::new();
    file.by_ref().take(SCRIPT_LINE_BYTES).read_to_end(&mut start)?;
    if let Some(line) = start.strip_prefix(b"#!") {
        return Ok(Needs { interpreter: interpreter(line), ..Needs::default() });
    }
    Ok(parse_elf(&ReadCache::new(file)).unwrap_or_default())
}

/// What follows `#!`; of `env`, the program that it looks for.
fn interpreter(line: &[u8]) -> Option<String> {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let interpreter = match words.next() {
        Some("/usr/bin/env" | "/bin/env") => words.find(|word| !word.starts_with('-')),
        other => other,
    };
    interpreter.map(str::to_owned)
}

fn parse_elf<'data, R: ReadRef<'data>>(bytes: R) -> Option<Needs> {
    let file = ElfFile64::<object::Endianness, R>::parse(bytes).ok()?;
    let (header, endian) = (file.elf_header(), file.endian());
    let sections = header.sections(endian, bytes).ok()?;
    let (entries, strings) = sections.dynamic(endian, bytes).ok()??;
    let strings = sections.strings(endian, bytes, strings).ok()?;
    let text = |entry: &elf::Dyn64<object::Endianness>| {
        let bytes = strings.get(u32::try_from(entry.d_val(endian)).ok()?).ok()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let mut needs = Needs::default();
    for entry in entries {
        match u32::try_from(entry.d_tag(endian)).ok()? {
            elf::DT_NEEDED => needs.libraries.push(text(entry)?),
            elf::DT_RUNPATH | elf::DT_RPATH => {
                needs.run_path.extend(text(entry)?.split(':').map(str::to_owned));
            }
            _ => {}
        }
    }
    Some(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_behind_prefixes_and_quotes() {
        assert_eq!(program_of("/usr/sbin/nginx -g x").as_deref(), Some("/usr/sbin/nginx"));
        assert_eq!(program_of("-@!!/bin/a b").as_deref(), Some("/bin/a"));
        assert_eq!(program_of("\"/opt/my app/x\" y").as_deref(), Some("/opt/my app/x"));
        assert_eq!(program_of("/usr/bin/%i"), None);
        assert_eq!(program_of(""), None);
    }

    #[test]
    fn scripts_name_their_interpreter() {
        assert_eq!(interpreter(b"/usr/bin/python3 -I\nx").as_deref(), Some("/usr/bin/python3"));
        assert_eq!(interpreter(b" /usr/bin/env -S perl\n").as_deref(), Some("perl"));
        assert_eq!(interpreter(b"\n"), None);
    }

    /// Against the dynamic loader's own view of a real program.
    #[test]
    fn libraries_are_those_that_readelf_lists() {
        let path = std::env::current_exe().unwrap();
        let needs = load_needs(fs_err::File::open(&path).unwrap()).unwrap();
        let output = std::process::Command::new("readelf").args(["-d", "-W"]).arg(&path).output();
        let output = output.expect("this test needs `readelf` (Debian: binutils)");
        let text = String::from_utf8_lossy(&output.stdout);
        let listed = text.lines().filter(|line| line.contains("(NEEDED)"));
        let listed: Vec<&str> = listed.filter_map(|line| line.split(['[', ']']).nth(1)).collect();
        assert!(listed.contains(&"libc.so.6"), "{text}");
        assert_eq!(needs.libraries, listed);
    }
}
