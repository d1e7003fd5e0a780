//! System call filters: classic BPF programs that the kernel runs for each system call. Which calls are refused is
//! the caller's; this only has the instruction and loads the program. Source: seccomp(2), bpf in `linux/filter.h`.

use nix::errno::Errno;
use nix::libc::{self, c_ulong, c_ushort};

/// One instruction of a classic BPF program (`struct sock_filter`: u16, u8, u8, u32, native order).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip when the comparison holds.
    pub jump_true: u8,
    /// How many to skip when not.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

/// Loads `program` for this thread and all it starts. Needs no_new_privs. Async-signal-safe.
pub(crate) fn load(program: &[Instruction]) -> Result<(), Errno> {
    let header = libc::sock_fprog {
        len: c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: `header` points to `len` instructions of the kernel's layout (checked by a test); the kernel copies
    // them and writes to neither.
    let result = unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, c_ulong::from(libc::SECCOMP_MODE_FILTER), std::ptr::from_ref(&header))
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_has_the_kernels_layout() {
        assert_eq!(size_of::<Instruction>(), size_of::<libc::sock_filter>());
        assert_eq!(align_of::<Instruction>(), align_of::<libc::sock_filter>());
    }
}
