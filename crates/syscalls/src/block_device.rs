//! Telling the kernel of larger partitions and filesystems while they are in use.
//! Source: `include/uapi/linux/blkpg.h`, `fs/ext4/ext4.h`.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_longlong, c_ulong, c_void};

use crate::SyscallError;

const BLKPG: c_ulong = 0x1269;
const BLKPG_RESIZE_PARTITION: c_int = 3;
/// `_IOW('f', 16, __u64)`
const EXT4_IOC_RESIZE_FS: c_ulong = 0x4008_6610;

/// `struct blkpg_partition`.
#[repr(C)]
struct BlkpgPartition {
    start: c_longlong,
    length: c_longlong,
    number: c_int,
    device_name: [u8; 64],
    volume_name: [u8; 64],
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct BlkpgArgument {
    operation: c_int,
    flags: c_int,
    data_length: c_int,
    data: *mut c_void,
}

/// Gives a partition (from 1) of a disk its new length; what is mounted from it stays so.
pub fn resize_partition(disk: &File, number: u32, start_bytes: u64, length_bytes: u64) -> Result<(), SyscallError> {
    let failed = |errno| SyscallError::new("ioctl BLKPG_RESIZE_PARTITION", format!("partition {number}"), errno);
    let signed = |bytes| c_longlong::try_from(bytes).map_err(|_| failed(Errno::EOVERFLOW));
    let mut partition = BlkpgPartition {
        start: signed(start_bytes)?,
        length: signed(length_bytes)?,
        number: c_int::try_from(number).map_err(|_| failed(Errno::EOVERFLOW))?,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let argument = BlkpgArgument {
        operation: BLKPG_RESIZE_PARTITION,
        flags: 0,
        data_length: c_int::try_from(size_of::<BlkpgPartition>()).map_err(|_| failed(Errno::EOVERFLOW))?,
        data: std::ptr::from_mut(&mut partition).cast(),
    };
    // SAFETY: the request reads a `struct blkpg_ioctl_arg` and the `struct blkpg_partition` that it points to; both have
    // these layouts and outlive the call.
    let result = unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, std::ptr::from_ref(&argument)) };
    Errno::result(result).map(drop).map_err(failed)
}

/// Makes a mounted ext4 filesystem so many of its blocks large; `folder` is any open folder of it.
pub fn resize_ext4(folder: &File, blocks: u64) -> Result<(), SyscallError> {
    // SAFETY: the request reads a 64-bit number from this address, which outlives the call.
    let result = unsafe { libc::ioctl(folder.as_raw_fd(), EXT4_IOC_RESIZE_FS as _, std::ptr::from_ref(&blocks)) };
    let failed = |errno| SyscallError::new("ioctl EXT4_IOC_RESIZE_FS", format!("{blocks} blocks"), errno);
    Errno::result(result).map(drop).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_disk_and_no_ext4_is_refused_by_name() {
        let null = File::open("/dev/null").unwrap();
        let error = resize_partition(&null, 2, 1 << 20, 2 << 20).unwrap_err();
        assert_eq!((error.call, error.errno), ("ioctl BLKPG_RESIZE_PARTITION", Errno::ENOTTY));
        let folder = File::open("/proc").unwrap();
        assert_eq!(resize_ext4(&folder, 1).unwrap_err().errno, Errno::ENOTTY);
    }

    #[test]
    fn structures_are_as_long_as_the_kernels() {
        assert_eq!(size_of::<BlkpgPartition>(), 152);
        assert_eq!(size_of::<BlkpgArgument>(), 24);
    }
}
