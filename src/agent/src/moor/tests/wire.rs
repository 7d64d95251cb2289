//! What a stranger on a segment hears and asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use mooring_core::wire::Mac;
use mooring_core::wire::arp::{self, ArpPacket, Operation};
use mooring_core::wire::ndp::{self, Message, NdpPacket};
use mooring_kernel::{Ears, Host as _, LinuxHost, PacketSocket, Received, wait};

/// How long something is waited for that has to come.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longer than the gap between the announcements of a burst.
const BETWEEN: Duration = Duration::from_millis(1_500);

/// The stranger's end of a cable.
pub(super) struct Wire {
    arp: PacketSocket,
    ndp: PacketSocket,
    mac: Mac,
}

/// Something that was said about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    address: IpAddr,
    mac: Mac,
    kind: Kind,
}

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Who has it?
    Question,
    /// I have it, as you asked.
    Answer,
    /// I have it, everybody.
    Announcement,
}

// === impl Wire ===

impl Wire {
    /// On the interface of that name in the thread's network namespace.
    pub(super) fn at(interface: &str) -> Self {
        let links = LinuxHost::new().links().unwrap();
        let link = links.iter().find(|link| link.name.as_os_str() == interface);
        let link = link.unwrap_or_else(|| panic!("there is no {interface}"));
        Self {
            arp: PacketSocket::open(link.index, Ears::Arp).unwrap(),
            ndp: PacketSocket::open(link.index, Ears::Ndp).unwrap(),
            mac: Mac(link.mac.unwrap().0),
        }
    }

    pub(super) fn mac(&self) -> Mac {
        self.mac
    }

    /// Waits until this is said about the address, and returns who says it.
    pub(super) fn expect(&self, kind: Kind, address: IpAddr) -> Mac {
        let deadline = Instant::now() + PATIENCE;
        while let Some(said) = self.hear(address, deadline) {
            if said.kind == kind {
                return said.mac;
            }
        }
        panic!("{kind:?} about {address} never came");
    }

    /// Asks until somebody answers, and returns who.
    pub(super) fn answer(&self, address: IpAddr) -> Mac {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.ask(address);
            let next = Instant::now() + Duration::from_millis(300);
            while let Some(said) = self.hear(address, next) {
                if said.kind == Kind::Answer {
                    return said.mac;
                }
            }
        }
        panic!("nobody answers for {address}");
    }

    /// Asks some times, and fails if anybody says that he has it, or has said so before.
    pub(super) fn silence(&self, address: IpAddr) {
        for _ in 0..3 {
            self.ask(address);
            let next = Instant::now() + Duration::from_millis(300);
            while let Some(said) = self.hear(address, next) {
                assert_eq!(said.kind, Kind::Question, "{said:?}");
            }
        }
    }

    /// Fails if anything is said about the address in the next moment, or was before.
    pub(super) fn quiet(&self, address: IpAddr) {
        let next = Instant::now() + Duration::from_millis(300);
        assert_eq!(self.hear(address, next), None);
    }

    /// Says that it has an address itself.
    pub(super) fn claim(&self, address: IpAddr) {
        let IpAddr::V4(address) = address else {
            panic!("only of IPv4");
        };
        let claim = arp::announcement_request(self.mac, address);
        self.arp.send(&claim).unwrap();
    }

    /// Lets a burst of announcements pass.
    pub(super) fn settle(&self, address: IpAddr) {
        let deadline = Instant::now() + PATIENCE;
        let mut quiet = Instant::now() + BETWEEN;
        while let Some(said) = self.hear(address, quiet) {
            if said.kind != Kind::Question {
                quiet = Instant::now() + BETWEEN;
            }
            assert!(quiet < deadline, "there is no end of what is said");
        }
    }

    fn ask(&self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                let asker = Ipv4Addr::new(a, b, c, 2);
                let question = arp::request(self.mac, asker, v4);
                self.arp.send(&question).unwrap();
            }
            IpAddr::V6(v6) => {
                let asker: Ipv6Addr = "fe80::99".parse().unwrap();
                let question = ndp::solicitation(self.mac, asker, v6);
                self.ndp.send(&question).unwrap();
            }
        }
    }

    /// The next thing that is said about the address; `None` if there is none by then.
    fn hear(&self, address: IpAddr, by: Instant) -> Option<Said> {
        let mut buffer = [0; 2_048];
        // What is said about the other family stays for whoever asks for it.
        let socket = match address {
            IpAddr::V4(_) => &self.arp,
            IpAddr::V6(_) => &self.ndp,
        };
        loop {
            match socket.receive(&mut buffer).unwrap() {
                Received::Frame(length) => match Said::of(&buffer[..length]) {
                    Some(said) if said.address == address && said.mac != self.mac => {
                        return Some(said);
                    }
                    _ => {}
                },
                Received::LinkDown => {}
                Received::Nothing => {
                    let left = by.checked_duration_since(Instant::now())?;
                    wait(&[socket], None, Some(left)).unwrap();
                }
            }
        }
    }
}

// === impl Said ===

impl Said {
    fn of(frame: &[u8]) -> Option<Self> {
        if let Ok(packet) = arp::parse(frame) {
            return Self::of_arp(&packet);
        }
        Self::of_ndp(&ndp::parse(frame).ok()?)
    }

    fn of_arp(packet: &ArpPacket) -> Option<Self> {
        let about_itself = packet.sender_ip == packet.target_ip;
        let (kind, address) = match packet.operation {
            _ if about_itself => (Kind::Announcement, packet.sender_ip),
            Operation::Request if packet.sender_ip.is_unspecified() => {
                (Kind::Question, packet.target_ip)
            }
            Operation::Request => return None,
            Operation::Reply => (Kind::Answer, packet.sender_ip),
        };
        Some(Self {
            address: address.into(),
            mac: packet.sender_mac,
            kind,
        })
    }

    fn of_ndp(packet: &NdpPacket) -> Option<Self> {
        let kind = match packet.message {
            Message::Solicitation if packet.source.is_unspecified() => Kind::Question,
            Message::Solicitation => return None,
            Message::Advertisement { solicited, .. } if solicited => Kind::Answer,
            Message::Advertisement { .. } => Kind::Announcement,
        };
        Some(Self {
            address: packet.target.into(),
            mac: packet.speaker(),
            kind,
        })
    }
}
