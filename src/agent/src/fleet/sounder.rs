//! Questions for nodes on the wire: does their kernel still answer?

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use mooring_core::liveness::Now;
use mooring_core::wire::answer::speaker;
use mooring_core::wire::{Mac, arp, ndp};
use mooring_kernel::{Ears, PacketError, PacketSocket, Received};
use tracing::debug;

use super::Reach;
use super::paths;

/// Sockets hear everything that is said on a segment, so they are closed when nobody was asked for that long.
const IDLE: Duration = Duration::from_secs(10);
/// How many frames of one socket are taken at once.
const TURN: usize = 64;
const LONGEST: usize = 2_048;

/// The sockets of those links on which somebody is being asked for.
#[derive(Debug, Default)]
pub(super) struct Sounder {
    open: BTreeMap<(u32, bool), Line>,
}

#[derive(Debug)]
struct Line {
    socket: PacketSocket,
    own: Mac,
    used: Now,
}

// === impl Sounder ===

impl Sounder {
    /// Asks for the address of a node, from an address of this one beside it, if it has one: the other kernel learns from the
    /// question where this node is. Where it has asked for that in vain, as this node stood still or was cut off, it asks again
    /// only each second, and what is sent here waits for that.
    pub(super) fn ask(&mut self, address: IpAddr, reach: &Reach, now: Now) {
        let own = reach.link.mac;
        let index = reach.link.index;
        let line = match self.line(index, address, own) {
            Ok(line) => line,
            Err(error) => {
                debug!(iface = reach.link.name, reason = %error, "a node cannot be asked for");
                return;
            }
        };
        line.used = now;
        let question = match (address, paths::own(reach, address)) {
            (IpAddr::V4(address), Some(IpAddr::V4(from))) => {
                arp::request(own, from, address).to_vec()
            }
            (IpAddr::V4(address), _) => arp::probe(own, address).to_vec(),
            (IpAddr::V6(address), Some(IpAddr::V6(from))) => ndp::solicitation(own, from, address),
            (IpAddr::V6(address), _) => ndp::solicitation(own, Ipv6Addr::UNSPECIFIED, address),
        };
        if let Err(error) = line.socket.send(&question) {
            debug!(iface = reach.link.name, reason = %error, "a node could not be asked for");
            if matches!(error, PacketError::NoSuchLink { .. }) {
                self.open.remove(&(index, address.is_ipv6()));
            }
        }
    }

    fn line(&mut self, index: u32, address: IpAddr, own: Mac) -> Result<&mut Line, PacketError> {
        let key = (index, address.is_ipv6());
        if self.open.get(&key).is_none_or(|line| line.own != own) {
            let ears = if address.is_ipv6() {
                Ears::Ndp
            } else {
                Ears::Arp
            };
            let socket = PacketSocket::open(index, ears)?;
            let used = Now::ZERO;
            self.open.insert(key, Line { socket, own, used });
        }
        Ok(self.open.get_mut(&key).expect("was just put there"))
    }

    /// Closes what is not used any more.
    pub(super) fn rest(&mut self, now: Now) {
        self.open.retain(|_, line| line.used + IDLE > now);
    }

    /// What to wait for.
    pub(super) fn sources(&self) -> Vec<BorrowedFd<'_>> {
        self.open.values().map(|line| line.socket.as_fd()).collect()
    }

    /// Who spoke for which address by now, on any of the links.
    pub(super) fn heard(&mut self) -> Vec<(IpAddr, Mac)> {
        let mut heard = Vec::new();
        let mut buffer = [0; LONGEST];
        self.open.retain(|_, line| {
            for _ in 0..TURN {
                match line.socket.receive(&mut buffer) {
                    Ok(Received::Frame(length)) => {
                        let spoke = speaker(&buffer[..length]);
                        let others = spoke.filter(|spoken| spoken.mac != line.own);
                        heard.extend(others.map(|spoken| (spoken.address, spoken.mac)));
                    }
                    Ok(Received::Nothing | Received::LinkDown) => return true,
                    Err(_) => return false,
                }
            }
            true
        });
        heard
    }
}
