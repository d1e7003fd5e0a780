//! Loading kernel modules: finit_module(2).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};

use crate::SyscallError;
use crate::error::Context;

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel decompresses the file itself (5.17, `CONFIG_MODULE_DECOMPRESS`).
const COMPRESSED_FILE: c_int = 4;

/// How a module's file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleFile {
    /// An ELF object.
    Plain,
    /// Compressed with the method that the kernel was configured for.
    Compressed,
}

/// Loads the module in the open `file` with `parameters` (`name=value` separated by spaces).
/// Errors with `EEXIST` when it is loaded already, which most callers take for success.
pub fn load(file: impl AsFd, name: &str, parameters: &str, form: ModuleFile) -> Result<(), SyscallError> {
    let arguments = CString::new(parameters).map_err(|_| Errno::EINVAL).on("finit_module", name)?;
    let flags = match form {
        ModuleFile::Plain => 0,
        ModuleFile::Compressed => COMPRESSED_FILE,
    };
    // SAFETY: the descriptor is borrowed for the call and `arguments` is a NUL-terminated string that outlives it.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_fd().as_raw_fd(), arguments.as_ptr(), flags) };
    Errno::result(result).map(drop).on("finit_module", name)
}
