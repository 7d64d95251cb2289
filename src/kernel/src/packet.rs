//! Raw Ethernet frames of one link, for whoever answers ARP and NDP there.
//!
//! ```text
//! link --> pkt_type and BPF filter --> PacketSocket --+
//! other threads ------- Waker::wake ------------------+--> wait() --> receive()
//! ```
//!
//! A socket knows its link by index, so that it survives a new name and the link's going down and up. Frames are bytes
//! here; what they mean is `mooring-core`'s business.

mod batch;
mod error;
mod filter;
mod wait;

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc::{ARPHRD_ETHER, ETH_P_ARP, ETH_P_IPV6};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socket, sockopt,
};

pub use batch::{Inbox, More};
pub use error::{GroupChange, OpeningStep, PacketError};
pub use wait::{Ready, Waker, wait, wait_for};

use crate::{MacAddress, system};

/// In bytes. The kernel doubles it and counts some 768 bytes for a small frame: about 2,700 of them, 130 ms of a burst of
/// 20,000 a second.
const RECEIVE_BUFFER: usize = 1 << 20;

/// What a socket listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ears {
    /// Every ARP packet (RFC 826).
    Arp,
    /// Neighbour Solicitations and Advertisements (RFC 4861, sections 4.3 and 4.4) that follow the IPv6 header at once.
    Ndp,
}

/// What [`PacketSocket::receive`] came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A frame from its Ethernet header on, that many bytes at the start of the buffer.
    Frame(usize),
    /// No frame is there.
    Nothing,
    /// The link is down, or was since this was last said, or is gone; told once each time. The socket hears again by itself
    /// once the link is up, but never after the link was deleted, which [`crate::Monitor`] tells.
    LinkDown,
}

/// Frames of one socket since they were last counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameCount {
    /// Those that the filter let through, the dropped ones among them.
    pub passed: u32,
    /// Those that the receive buffer had no room for.
    pub dropped: u32,
}

/// A raw socket (`AF_PACKET`, `SOCK_RAW`) that hears one kind of frame on one link and sends any. It belongs to the network
/// namespace of the thread that opened it, and all that it joined ends with it.
///
/// It hears what is for this host, for everybody or for a group, as the kernel's own ARP and IPv6 do. That leaves out what
/// the host itself sends, frames for other hosts, and frames of a VLAN that has no interface: the kernel hands those to the
/// link underneath with the tag taken off, and marks them as another host's (`__netif_receive_skb_core` in net/core/dev.c).
/// Frames of a VLAN that has one are that one's alone. An answer to either would go out untagged, into the wrong segment.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    link: u32,
    groups: BTreeSet<MacAddress>,
    /// Sending met the kernel's word that the link was down, which receiving is to pass on.
    was_down: AtomicBool,
}

// === impl Ears ===

impl Ears {
    /// In host byte order (linux/if_ether.h).
    fn ethertype(self) -> u16 {
        let number = match self {
            Self::Arp => ETH_P_ARP,
            Self::Ndp => ETH_P_IPV6,
        };
        number as u16
    }
}

// === impl PacketSocket ===

impl PacketSocket {
    /// Listens on the Ethernet link with the index `link`, which may be down. It takes `CAP_NET_RAW`.
    ///
    /// The socket is made with protocol 0, which hears nothing, gets its filter, and only then its protocol and link: no
    /// stray frame is ever queued (packet(7)).
    pub fn open(link: u32, ears: Ears) -> Result<Self, PacketError> {
        // 0 would be every link.
        let index = i32::try_from(link).ok().filter(|index| *index > 0);
        let index = index.ok_or(PacketError::NoSuchLink { link })?;
        let failed = |step| move |errno| PacketError::opening(link, step, errno);

        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)
            .map_err(failed(OpeningStep::Socket))?;
        // Beyond net.core.rmem_max takes CAP_NET_ADMIN. A smaller buffer is no reason not to listen.
        if setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            let _ = setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER);
        }
        // Linux 4.20 and later. It spares the filter work; without it the filter drops the same frames.
        let _ = system::ignore_outgoing(fd.as_fd());
        let program = filter::program(ears, link);
        system::attach_filter(fd.as_fd(), &program).map_err(failed(OpeningStep::Filter))?;
        system::bind(fd.as_fd(), ears.ethertype(), index).map_err(failed(OpeningStep::Bind))?;

        let hardware =
            system::hardware_type(fd.as_fd()).map_err(failed(OpeningStep::HardwareType))?;
        if hardware != ARPHRD_ETHER {
            return Err(PacketError::NotEthernet { link, hardware });
        }
        Ok(Self {
            fd,
            link,
            groups: BTreeSet::new(),
            was_down: AtomicBool::new(false),
        })
    }

    /// The index of the link it was opened on.
    #[must_use]
    pub fn link(&self) -> u32 {
        self.link
    }

    /// Has the link's hardware let through frames for exactly the groups `wanted`, as far as this socket goes: those that
    /// the kernel or other sockets joined stay. What is new is joined before the rest is left.
    ///
    /// On an error the other changes are made all the same, the first error is returned, and the next call with the same
    /// set tries again what is missing. Nothing is changed if an address in `wanted` is no group's.
    pub fn set_groups(&mut self, wanted: &BTreeSet<MacAddress>) -> Result<(), PacketError> {
        if let Some(group) = wanted.iter().find(|group| !is_group(**group)) {
            return Err(PacketError::NotAGroup {
                link: self.link,
                group: *group,
            });
        }
        let mut outcome = Ok(());
        let joins = wanted.difference(&self.groups).copied();
        let leaves = self.groups.difference(wanted).copied();
        let changes: Vec<_> = joins
            .map(|group| (GroupChange::Join, group))
            .chain(leaves.map(|group| (GroupChange::Leave, group)))
            .collect();
        for (change, group) in changes {
            outcome = outcome.and(self.change_group(change, group));
        }
        outcome
    }

    fn change_group(&mut self, change: GroupChange, group: MacAddress) -> Result<(), PacketError> {
        // `open` has checked that it fits.
        let index = self.link as i32;
        system::change_group(self.fd.as_fd(), change, index, group)
            .map_err(|errno| PacketError::changing_group(self.link, change, group, errno))?;
        match change {
            GroupChange::Join => self.groups.insert(group),
            GroupChange::Leave => self.groups.remove(&group),
        };
        Ok(())
    }

    /// The next frame, without waiting for one. What does not fit into `buffer` is cut off; 2048 bytes are more than any
    /// ARP or NDP packet takes on a link with the usual MTU of 1500.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, PacketError> {
        if self.was_down.swap(false, Ordering::Relaxed) {
            return Ok(Received::LinkDown);
        }
        loop {
            match recv(self.fd.as_raw_fd(), buffer, MsgFlags::empty()) {
                Ok(length) => return Ok(Received::Frame(length)),
                Err(Errno::EAGAIN) => return Ok(Received::Nothing),
                Err(Errno::ENETDOWN) => return Ok(Received::LinkDown),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(PacketError::receiving(self.link, errno)),
            }
        }
    }

    /// Hands a frame to the link, from its Ethernet header on and without padding or checksum, without waiting for room.
    pub fn send(&self, frame: &[u8]) -> Result<(), PacketError> {
        match self.try_send(frame) {
            // A link that was down and is up again has left an error behind, and the frame may be what meets it.
            Err(PacketError::LinkDown { .. }) => {
                self.was_down.store(true, Ordering::Relaxed);
                self.try_send(frame)
            }
            outcome => outcome,
        }
    }

    fn try_send(&self, frame: &[u8]) -> Result<(), PacketError> {
        loop {
            match send(self.fd.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(PacketError::sending(self.link, frame.len(), errno)),
            }
        }
    }

    /// Counts frames since the last call, or since the socket was opened.
    pub fn statistics(&self) -> Result<FrameCount, PacketError> {
        let (passed, dropped) = system::statistics(self.fd.as_fd())
            .map_err(|errno| PacketError::counting(self.link, errno))?;
        Ok(FrameCount { passed, dropped })
    }

    /// Whether `receive` has something to say that poll(2) does not know of.
    fn has_news(&self) -> bool {
        self.was_down.load(Ordering::Relaxed)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The I/G bit of IEEE 802, the lowest of the first byte: set in group addresses, broadcast among them.
fn is_group(address: MacAddress) -> bool {
    address.0[0] & 1 == 1
}
