//! Sockets to the kernel: bringing an interface up, and device events.
//! Source: netdevice(7), netlink(7), `lib/kobject_uevent.c` for the form of events.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_short};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};

use crate::SyscallError;
use crate::error::Context;

/// Brings up the loopback interface of this network namespace; its addresses come with it.
pub fn bring_loopback_up() -> Result<(), SyscallError> {
    set_interface_up(*b"lo\0").on("ioctl SIOCSIFFLAGS", "lo")
}

/// Async-signal-safe. `name` is NUL-terminated and shorter than IFNAMSIZ.
pub(crate) fn set_interface_up(name: [u8; 3]) -> Result<(), Errno> {
    // SAFETY: all arguments are integers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    Errno::result(socket)?;
    // SAFETY: a structure of integers and bytes, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = IFF_UP_RUNNING;
    // SAFETY: the request reads a `struct ifreq` from this address, which outlives the call.
    let result = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, std::ptr::from_mut(&mut request)) };
    let result = Errno::result(result).map(drop);
    // SAFETY: the descriptor is ours and used no more.
    unsafe { libc::close(socket) };
    result
}

const IFF_UP_RUNNING: c_short = 0x1 | 0x40;

/// The kernel's announcements of devices that come, change and go.
#[derive(Debug)]
pub struct DeviceEvents {
    socket: OwnedFd,
}

impl DeviceEvents {
    /// Starts to listen; what happened before is not announced again.
    pub fn listen() -> Result<Self, SyscallError> {
        /// The multicast group that the kernel itself sends to (udev sends to group 2).
        const KERNEL_GROUP: u32 = 1;
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )
        .on("socket", "device events")?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP)).on("bind", "device events")?;
        Ok(Self { socket })
    }

    /// The next event waiting, as its lines `KEY=VALUE` after the first `ACTION@DEVPATH`; `None` when there is none.
    pub fn next(&self) -> Result<Option<Vec<String>>, SyscallError> {
        let mut buffer = [0_u8; 8192];
        match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => Ok(Some(
                buffer[..length]
                    .split(|&byte| byte == 0)
                    .filter(|line| !line.is_empty())
                    .map(|line| String::from_utf8_lossy(line).into_owned())
                    .collect(),
            )),
            // ENOBUFS: events were lost, so the caller looks at everything anew, as after an event.
            Err(Errno::ENOBUFS) => Ok(Some(Vec::new())),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(errno) => Err(SyscallError::new("recv", "device events", errno)),
        }
    }
}

impl AsFd for DeviceEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
