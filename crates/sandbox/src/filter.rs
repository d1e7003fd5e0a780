//! The system call filter of builds: no setuid or setgid files, no extended attributes, as in Nix.
//!
//! A store path has one permission bit (executable) and no attributes, so a builder that sets more would build
//! something else than what is stored; a setuid file in a build directory would also be a way out for another user.
//! The filter is a list of rules compiled to classic BPF. Source: seccomp(2), `linux/bpf_common.h`.

use nix::libc;
use syscalls::Errno;
use syscalls::seccomp::Instruction;

/// S_ISUID | S_ISGID.
const SPECIAL_BITS: u32 = 0o6000;
/// O_CREAT | __O_TMPFILE: only with one of these does open look at its mode argument.
const CREATING_BITS: u32 = 0o100 | 0o20_000_000;
// New calls have the same number on all architectures; libc does not know these everywhere yet.
/// fchmodat2(2).
const SYS_FCHMODAT2: libc::c_long = 452;
/// setxattrat(2).
const SYS_SETXATTRAT: libc::c_long = 463;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCHITECTURE: u32 = 0xC000_00B7;

/// What to refuse of one system call. Arguments are counted from 0.
#[derive(Clone, Copy)]
enum Rule {
    /// All of it.
    Always(Errno),
    /// It when the argument `mode` has one of the special bits.
    SpecialMode { mode: u32 },
    /// The same, if the argument `flags` says that a file is made.
    SpecialModeOfNew { flags: u32, mode: u32 },
}

/// The calls that need a rule.
fn rules() -> Vec<(libc::c_long, Rule)> {
    let mut rules = vec![
        (libc::SYS_fchmod, Rule::SpecialMode { mode: 1 }),
        (libc::SYS_fchmodat, Rule::SpecialMode { mode: 2 }),
        (SYS_FCHMODAT2, Rule::SpecialMode { mode: 2 }),
        (libc::SYS_mknodat, Rule::SpecialMode { mode: 2 }),
        (libc::SYS_openat, Rule::SpecialModeOfNew { flags: 2, mode: 3 }),
        // Its mode is behind a pointer that a filter cannot follow; its users fall back to openat.
        (libc::SYS_openat2, Rule::Always(Errno::ENOSYS)),
        // Performs calls that no filter sees.
        (libc::SYS_io_uring_setup, Rule::Always(Errno::ENOSYS)),
        (libc::SYS_setxattr, Rule::Always(Errno::ENOTSUP)),
        (libc::SYS_lsetxattr, Rule::Always(Errno::ENOTSUP)),
        (libc::SYS_fsetxattr, Rule::Always(Errno::ENOTSUP)),
        (SYS_SETXATTRAT, Rule::Always(Errno::ENOTSUP)),
    ];
    // The calls from before the *at family, which newer architectures never had.
    #[cfg(target_arch = "x86_64")]
    rules.extend([
        (libc::SYS_chmod, Rule::SpecialMode { mode: 1 }),
        (libc::SYS_creat, Rule::SpecialMode { mode: 1 }),
        (libc::SYS_mknod, Rule::SpecialMode { mode: 1 }),
        (libc::SYS_open, Rule::SpecialModeOfNew { flags: 1, mode: 2 }),
    ]);
    rules.sort_by_key(|(number, _)| *number);
    rules
}

/// The program for the architecture this is compiled for. The calls of others (i386, x32) do not exist inside.
pub(crate) fn build_filter() -> Vec<Instruction> {
    const X32_BIT: u32 = 0x4000_0000;
    let mut program = vec![
        load(ARCHITECTURE_OFFSET),
        jump(EQUAL, AUDIT_ARCHITECTURE, 1, 0),
        refuse(Errno::ENOSYS),
        load(NUMBER_OFFSET),
        jump(BITS_SET, X32_BIT, 0, 1),
        refuse(Errno::ENOSYS),
    ];
    for (number, rule) in rules() {
        let verdict = rule.verdict();
        // The call numbers and the lengths of verdicts are small constants.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let length = u8::try_from(verdict.len()).unwrap_or(u8::MAX);
        program.push(jump(EQUAL, number, 0, length));
        program.extend(verdict);
    }
    program.push(ALLOW);
    program
}

impl Rule {
    /// Instructions that end by allowing or refusing.
    fn verdict(self) -> Vec<Instruction> {
        match self {
            Self::Always(errno) => vec![refuse(errno)],
            Self::SpecialMode { mode } => {
                vec![load(argument_offset(mode)), jump(BITS_SET, SPECIAL_BITS, 0, 1), refuse(Errno::EPERM), ALLOW]
            }
            Self::SpecialModeOfNew { flags, mode } => vec![
                load(argument_offset(flags)),
                jump(BITS_SET, CREATING_BITS, 1, 0),
                ALLOW,
                load(argument_offset(mode)),
                jump(BITS_SET, SPECIAL_BITS, 0, 1),
                refuse(Errno::EPERM),
                ALLOW,
            ],
        }
    }
}

/// BPF_JMP | BPF_K with BPF_JEQ and BPF_JSET.
const EQUAL: u16 = 0x15;
const BITS_SET: u16 = 0x45;
/// `struct seccomp_data`: i32 number at 0, u32 architecture at 4, u64 instruction pointer at 8, six u64 arguments
/// from 16 on, all in native order.
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ALLOW: Instruction = verdict(0x7FFF_0000);

/// The offset of the lower half of an argument; modes and flags fit in it. Both architectures are little-endian.
const fn argument_offset(number: u32) -> u32 {
    16 + 8 * number
}

/// BPF_LD | BPF_W | BPF_ABS.
const fn load(offset: u32) -> Instruction {
    Instruction { code: 0x20, jump_true: 0, jump_false: 0, operand: offset }
}

const fn jump(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, operand }
}

/// BPF_RET | BPF_K.
const fn verdict(action: u32) -> Instruction {
    Instruction { code: 0x06, jump_true: 0, jump_false: 0, operand: action }
}

fn refuse(errno: Errno) -> Instruction {
    const RET_ERRNO: u32 = 0x0005_0000;
    verdict(RET_ERRNO | (errno as i32).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program decides, by an interpreter of the four instructions it uses.
    fn decide(architecture: u32, number: libc::c_long, arguments: &[u32]) -> u32 {
        let program = build_filter();
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let instruction = program[at];
            at += 1;
            match instruction.code {
                0x20 => {
                    accumulator = match instruction.operand {
                        NUMBER_OFFSET => u32::try_from(number).unwrap(),
                        ARCHITECTURE_OFFSET => architecture,
                        offset => arguments[(offset as usize - 16) / 8],
                    }
                }
                0x06 => return instruction.operand,
                code => {
                    let holds = match code {
                        EQUAL => accumulator == instruction.operand,
                        BITS_SET => accumulator & instruction.operand != 0,
                        other => panic!("unexpected instruction {other:#x}"),
                    };
                    let skip = if holds { instruction.jump_true } else { instruction.jump_false };
                    at += usize::from(skip);
                }
            }
        }
    }

    fn here(number: libc::c_long, arguments: &[u32]) -> u32 {
        decide(AUDIT_ARCHITECTURE, number, arguments)
    }

    #[test]
    fn ordinary_calls_and_modes_are_allowed() {
        assert_eq!(here(libc::SYS_read, &[]), ALLOW.operand);
        assert_eq!(here(libc::SYS_fchmodat, &[0, 0, 0o755]), ALLOW.operand);
        assert_eq!(here(libc::SYS_openat, &[0, 0, 0o101, 0o644]), ALLOW.operand);
    }

    #[test]
    fn setuid_and_setgid_modes_are_refused() {
        for mode in [0o4755, 0o2755] {
            assert_eq!(here(libc::SYS_fchmod, &[3, mode]), refuse(Errno::EPERM).operand);
            assert_eq!(here(SYS_FCHMODAT2, &[0, 0, mode]), refuse(Errno::EPERM).operand);
            assert_eq!(here(libc::SYS_openat, &[0, 0, 0o101, mode]), refuse(Errno::EPERM).operand);
        }
    }

    #[test]
    fn a_mode_that_open_ignores_is_not_looked_at() {
        assert_eq!(here(libc::SYS_openat, &[0, 0, 0, 0o6000]), ALLOW.operand);
    }

    #[test]
    fn attributes_and_other_architectures_are_refused() {
        assert_eq!(here(libc::SYS_fsetxattr, &[]), refuse(Errno::ENOTSUP).operand);
        assert_eq!(decide(0x4000_0003, libc::SYS_read, &[]), refuse(Errno::ENOSYS).operand);
        assert_eq!(here(0x4000_0000, &[]), refuse(Errno::ENOSYS).operand);
    }
}
