//! Loop devices: a file as a block device, for kernels that cannot mount EROFS from a file (before 6.12).
//! Source: loop(4), `include/uapi/linux/loop.h`.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_ulong};

use crate::SyscallError;
use crate::error::Context;

const LOOP_CTL_GET_FREE: c_ulong = 0x4C82;
const LOOP_CONFIGURE: c_ulong = 0x4C0A;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// How often another process may take the free device before we do.
const ATTEMPTS: usize = 16;

/// `struct loop_info64`, 232 bytes. Only `flags` is ours to set.
#[repr(C)]
struct LoopInfo64 {
    before_flags: [u8; 52],
    flags: u32,
    after_flags: [u8; 176],
}

/// `struct loop_config`, 304 bytes.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

/// A loop device in use. The kernel frees it by itself when this and the last mount of it are gone.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    _open: File,
}

impl LoopDevice {
    /// Makes `image` readable as a block device. Needs kernel 5.8.
    pub fn read_only(image: &Path) -> Result<Self, SyscallError> {
        let backing = open(image, OpenOptions::new().read(true))?;
        let control_path = Path::new("/dev/loop-control");
        let control = open(control_path, OpenOptions::new().read(true).write(true))?;
        for _ in 0..ATTEMPTS {
            // SAFETY: the request takes no argument; the descriptor is open.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
            let number = Errno::result(number).on_path("ioctl LOOP_CTL_GET_FREE", control_path)?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = open(&path, OpenOptions::new().read(true))?;
            match configure(&device, &backing) {
                Ok(()) => {
                    return Ok(Self { path, _open: device });
                }
                Err(Errno::EBUSY) => {}
                Err(errno) => return Err(SyscallError::path("ioctl LOOP_CONFIGURE", image, errno)),
            }
        }
        Err(SyscallError::path("ioctl LOOP_CONFIGURE", image, Errno::EBUSY))
    }

    /// The device file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn configure(device: &File, backing: impl AsFd) -> Result<(), Errno> {
    let fd: c_int = backing.as_fd().as_raw_fd();
    let config = LoopConfig {
        fd: u32::try_from(fd).map_err(|_| Errno::EBADF)?,
        block_size: 0,
        info: LoopInfo64 {
            before_flags: [0; 52],
            flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
            after_flags: [0; 176],
        },
        reserved: [0; 8],
    };
    // SAFETY: the request reads a `struct loop_config` from this address; `config` has its layout and outlives the
    // call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, std::ptr::from_ref(&config)) };
    Errno::result(result).map(drop)
}

fn open(path: &Path, how: &OpenOptions) -> Result<File, SyscallError> {
    how.open(path).map_err(|error| SyscallError::io("open", path.display().to_string(), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_kernels_size() {
        assert_eq!(size_of::<LoopInfo64>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(std::mem::offset_of!(LoopInfo64, flags), 52);
    }
}
