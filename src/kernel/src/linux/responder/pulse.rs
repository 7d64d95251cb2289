//! Frames over the loopback that only a rule of the table heeds. A socket that is closed waits until no processor uses it any
//! more (`packet_release` in net/packet/af_packet.c), for milliseconds: it is kept, also while there is
//! no table.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socket};

use super::WRITING;
use super::ruleset::{ETHER_TYPE, MAGIC};
use crate::{WriteError, system};

/// Of the loopback, in every network namespace (`LOOPBACK_IFINDEX` in net/flow.h).
const LOOPBACK: i32 = 1;

/// What has the kernel go on to answer, in one network namespace.
#[derive(Debug)]
pub(in crate::linux) struct Pulse(OwnedFd);

// === impl Pulse ===

impl Pulse {
    /// It hears nothing.
    pub(in crate::linux) fn open() -> Result<Self, WriteError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(failed)?;
        system::bind(fd.as_fd(), 0, LOOPBACK).map_err(failed)?;
        Ok(Self(fd))
    }

    pub(in crate::linux) fn beat(&self) -> Result<(), WriteError> {
        let mut frame = vec![0; 12];
        frame.extend(ETHER_TYPE);
        frame.extend(MAGIC);
        send(self.0.as_raw_fd(), &frame, MsgFlags::empty()).map_err(failed)?;
        Ok(())
    }
}

fn failed(errno: Errno) -> WriteError {
    match errno {
        Errno::EPERM => WriteError::Denied { writing: WRITING },
        _ => WriteError::Socket {
            writing: WRITING,
            error: (&io::Error::from(errno)).into(),
        },
    }
}
