//! Running programs of another architecture: the rule by which the kernel hands them to an emulator.
//!
//! Since Linux 6.7 each user namespace has binfmt_misc rules of its own, so no rule of the host is made or needed. The
//! emulator's file is opened when the rule is made (`F`) and is visible inside to nobody; it must be statically linked.
//! Source: Documentation/admin-guide/binfmt-misc.rst; ELF's `e_ident`, `e_type` and `e_machine`.

use std::fmt::Write as _;
use std::path::Path;

/// How the entry's description begins, by which its failure is known.
pub(crate) const FOREIGN_PROGRAMS: &str = "programs of";

/// Where the kernel keeps the host's rules.
const HOST_RULES: &str = "/proc/sys/fs/binfmt_misc";

/// Whose programs to emulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignMachine {
    /// 64-bit x86 (EM_X86_64).
    X86_64,
    /// 64-bit Arm, little endian (EM_AARCH64).
    Aarch64,
}

impl ForeignMachine {
    /// The first part of Nix's system double: `x86_64` or `aarch64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::X86_64, Self::Aarch64].into_iter().find(|machine| machine.name() == name)
    }

    /// Whether the host has a rule of its own that holds in sandboxes too, as Debian's `qemu-user-binfmt` makes it.
    pub fn runs_on_host(self) -> bool {
        let rules = std::fs::read_dir(Path::new(HOST_RULES)).into_iter().flatten().flatten();
        rules.filter_map(|rule| std::fs::read_to_string(rule.path()).ok()).any(|text| self.is_made_by(&text))
    }

    /// Whether a rule, as the kernel shows it, is for this machine, in force, and has its emulator open.
    fn is_made_by(self, shown: &str) -> bool {
        let mut enabled = false;
        let mut keeps_open = false;
        let mut is_ours = false;
        for line in shown.lines() {
            match line.split_once(' ') {
                None => enabled |= line == "enabled",
                Some(("flags:", flags)) => keeps_open = flags.contains('F'),
                Some(("magic", magic)) => {
                    let [low, high] = self.elf_machine().to_le_bytes();
                    is_ours = magic.starts_with("7f454c46") && magic.ends_with(&format!("{low:02x}{high:02x}"));
                }
                Some(_) => {}
            }
        }
        enabled && keeps_open && is_ours
    }

    fn elf_machine(self) -> u16 {
        match self {
            Self::X86_64 => 0x3e,
            Self::Aarch64 => 0xb7,
        }
    }

    /// The rule's line: ELF of 64 bits, little endian, any ABI, `e_type` 2 (executable) or 3 (shared object), this
    /// machine. `P` keeps the program's name, by which programs like busybox know what to be.
    pub(crate) fn rule(self, interpreter: &str) -> String {
        let mut magic = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        let mut mask = b"\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\xfe\xff".to_vec();
        magic.extend(self.elf_machine().to_le_bytes());
        mask.extend([0xff, 0xff]);
        format!(":{}:M:0:{}:{}:{interpreter}:PF", self.name(), escaped(&magic), escaped(&mask))
    }
}

/// The kernel takes a NUL or a colon only in this form.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_the_host_counts_when_it_is_in_force_and_holds_everywhere() {
        let shown = |state: &str, flags: &str| {
            format!(
                "{state}\ninterpreter /usr/bin/qemu-aarch64\nflags: {flags}\noffset 0\n\
                 magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
            )
        };
        assert!(ForeignMachine::Aarch64.is_made_by(&shown("enabled", "POCF")));
        assert!(!ForeignMachine::Aarch64.is_made_by(&shown("disabled", "POCF")));
        assert!(!ForeignMachine::Aarch64.is_made_by(&shown("enabled", "OC")));
        assert!(!ForeignMachine::X86_64.is_made_by(&shown("enabled", "POCF")));
    }

    #[test]
    fn a_rule_is_one_line_as_the_kernel_reads_it() {
        let rule = ForeignMachine::Aarch64.rule("/host/emulator");
        let fields: Vec<_> = rule.split(':').collect();
        assert_eq!(fields[..4], ["", "aarch64", "M", "0"]);
        assert!(fields[4].ends_with("\\x02\\x00\\xb7\\x00"), "{rule}");
        assert_eq!(fields[4].len(), fields[5].len(), "magic and mask are equally long");
        assert_eq!(fields[6..], ["/host/emulator", "PF"]);
        // The kernel's limit for a line is a page, and for the magic half of 256 bytes.
        assert!(rule.len() < 256);
    }
}
