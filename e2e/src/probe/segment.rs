//! A raw socket on one interface: the only place of the probe that touches the system.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send,
    setsockopt, socket, sockopt,
};

use super::{ArpSender, Mac, ProbeError, Reply, arp_request, neighbour_solicitation, parse_reply};

/// ARPHRD_ETHER, the hardware type of Ethernet (linux/if_arp.h).
const ETHERNET: u16 = 1;

/// Longer than every answer; longer frames are cut by `recv` and are none.
const FRAME_BUFFER: usize = 2048;

/// An interface with everything that is needed to ask on its segment.
pub(crate) struct Segment {
    interface: String,
    mac: Mac,
    /// Address and netmask.
    ipv4: Vec<(Ipv4Addr, Ipv4Addr)>,
    ipv6: Vec<Ipv6Addr>,
    socket: OwnedFd,
}

impl Segment {
    /// Opens a raw socket on the interface of that name in the namespace of the calling thread.
    pub(crate) fn open(interface: &str) -> Result<Self, ProbeError> {
        let all: Vec<InterfaceAddress> = getifaddrs().map_err(ProbeError::Interfaces)?.collect();
        let mine = all.iter().filter(|entry| entry.interface_name == interface);
        let addresses = mine.filter_map(|entry| Some((entry.address.as_ref()?, entry)));

        let mut link = None;
        let mut ipv4 = Vec::new();
        let mut ipv6 = Vec::new();
        for (address, entry) in addresses {
            if let Some(found) = address.as_link_addr() {
                link = Some(*found);
            } else if let Some(found) = address.as_sockaddr_in() {
                let mask = entry
                    .netmask
                    .as_ref()
                    .and_then(|mask| mask.as_sockaddr_in());
                ipv4.push((
                    found.ip(),
                    mask.map_or(Ipv4Addr::BROADCAST, |mask| mask.ip()),
                ));
            } else if let Some(found) = address.as_sockaddr_in6() {
                ipv6.push(found.ip());
            }
        }
        let link = link.ok_or_else(|| ProbeError::NoInterface {
            interface: interface.to_owned(),
            present: names(&all),
        })?;
        let mac = match link.addr() {
            Some(bytes) if link.hatype() == ETHERNET => Mac(bytes),
            _ => {
                return Err(ProbeError::NotEthernet {
                    interface: interface.to_owned(),
                });
            }
        };
        let interface = interface.to_owned();
        match open_socket(&link) {
            Ok(socket) => Ok(Self {
                interface,
                mac,
                ipv4,
                ipv6,
                socket,
            }),
            Err(Errno::ENETDOWN) => Err(ProbeError::Down { interface }),
            Err(errno) => Err(ProbeError::Socket { interface, errno }),
        }
    }

    /// The MAC of the interface.
    pub(crate) fn mac(&self) -> Mac {
        self.mac
    }

    /// The IPv4 address to ask from: one on the subnet of `target`, else the first one.
    fn ipv4_towards(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        let on_link = self
            .ipv4
            .iter()
            .find(|(own, mask)| own & mask == target & mask);
        on_link.or(self.ipv4.first()).map(|(own, _)| *own)
    }

    /// The IPv6 address to ask from: the link-local one, else the first one.
    fn ipv6_source(&self) -> Result<Ipv6Addr, ProbeError> {
        let link_local = self.ipv6.iter().find(|own| own.is_unicast_link_local());
        link_local
            .or(self.ipv6.first())
            .copied()
            .ok_or_else(|| ProbeError::NoSource {
                interface: self.interface.clone(),
            })
    }

    /// The frame that asks who has `target`. An ARP request is a probe if the interface has no IPv4 address, or if
    /// `arp_probe` says so.
    pub(crate) fn question(&self, target: IpAddr, arp_probe: bool) -> Result<Vec<u8>, ProbeError> {
        Ok(match target {
            IpAddr::V4(target) => {
                let sender = match self.ipv4_towards(target) {
                    Some(address) if !arp_probe => ArpSender::Address(address),
                    _ => ArpSender::Probe,
                };
                arp_request(self.mac, sender, target).to_vec()
            }
            IpAddr::V6(target) => neighbour_solicitation(self.mac, self.ipv6_source()?, target),
        })
    }

    /// Puts a frame on the wire.
    pub(crate) fn send(&self, frame: &[u8], target: IpAddr) -> Result<(), ProbeError> {
        match send(self.socket.as_raw_fd(), frame, MsgFlags::empty()) {
            Ok(_) => Ok(()),
            Err(errno) => Err(ProbeError::Send {
                target,
                interface: self.interface.clone(),
                errno,
            }),
        }
    }

    /// Hands every answer to us for `target` to `heard`, until `deadline` and never shorter.
    pub(super) fn listen(
        &self,
        target: IpAddr,
        deadline: Instant,
        mut heard: impl FnMut(Reply),
    ) -> Result<(), ProbeError> {
        self.frames(target, deadline, |frame| {
            if let Some(reply) = parse_reply(frame)
                && reply.address() == target
                && reply.frame_destination() == self.mac
                && reply.frame_source() != self.mac
            {
                heard(reply);
            }
        })
    }

    /// Hands every frame to `heard`, until `deadline` and never shorter. `target` is what an error names.
    pub(crate) fn frames(
        &self,
        target: IpAddr,
        deadline: Instant,
        mut heard: impl FnMut(&[u8]),
    ) -> Result<(), ProbeError> {
        let mut frame = [0; FRAME_BUFFER];
        while let Some(length) = self.next(target, deadline, &mut frame)? {
            heard(&frame[..length]);
        }
        Ok(())
    }

    /// Waits for a frame; `None` if there was none until `deadline`. What does not fit into `buffer` is cut off. `target` is
    /// what an error names.
    pub(crate) fn next(
        &self,
        target: IpAddr,
        deadline: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, ProbeError> {
        let failed = |errno| ProbeError::Receive {
            target,
            interface: self.interface.clone(),
            errno,
        };
        loop {
            match recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        return Ok(None);
                    }
                    // In whole milliseconds, rounded up: 0 would spin.
                    let rest = u16::try_from(rest.as_millis() + 1).unwrap_or(u16::MAX);
                    let mut wanted = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut wanted, rest) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(failed(errno)),
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Makes room for frames that come faster than they are taken, in bytes as the kernel counts them.
    pub(crate) fn make_room(&self, bytes: usize) -> Result<(), ProbeError> {
        setsockopt(&self.socket, sockopt::RcvBufForce, &bytes).map_err(|errno| ProbeError::Socket {
            interface: self.interface.clone(),
            errno,
        })
    }
}

/// A socket that gets every frame of one interface.
///
/// `link` comes from getifaddrs, which leaves its protocol 0. The kernel then binds to the
/// interface and keeps the protocol that the socket was created with (`packet_bind` in
/// net/packet/af_packet.c: `sll->sll_protocol ? : pkt_sk(sk)->num`).
fn open_socket(link: &LinkAddr) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        flags,
        SockProtocol::EthAll,
    )?;
    bind(socket.as_raw_fd(), link)?;
    // Until it was bound it took the frames of all interfaces: answers from another segment.
    let mut frame = [0; FRAME_BUFFER];
    loop {
        match recv(socket.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(socket),
            Err(errno) => return Err(errno),
        }
    }
}

fn names(all: &[InterfaceAddress]) -> Vec<String> {
    let mut names: Vec<String> = all
        .iter()
        .map(|entry| entry.interface_name.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
