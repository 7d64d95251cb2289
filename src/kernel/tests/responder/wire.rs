//! A wire whose near end answers, and whose far end asks.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mooring_core::wire::Mac;
use mooring_kernel::{
    Ears, Facility, Host, LinuxHost, MacAddress, PacketSocket, Received, Responder,
};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, socket,
};

pub(super) const ASKER: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// Both ends are in the namespace of the thread, and have no addresses.
pub(super) struct Wire {
    near: u32,
    pub(super) near_mac: MacAddress,
    /// At the near end, as a process listens there.
    process: [PacketSocket; 2],
    far: PacketSocket,
    /// Hears everything, also what is for other hosts.
    all: OwnedFd,
    /// By which the answers come.
    heard_at: u32,
}

// === impl Wire ===

impl Wire {
    /// None on a kernel without nftables.
    pub(super) fn new() -> Option<Self> {
        if LinuxHost::new().nft_tables().expect("tables") == Facility::Absent {
            return None;
        }
        for line in [
            format!("link add near type veth peer name far address {ASKER}"),
            "link set lo up".to_owned(),
            "link set near addrgenmode none up".to_owned(),
            "link set far addrgenmode none up".to_owned(),
        ] {
            ip(&line);
        }
        let ((near, near_mac), (far, _)) = (link("near"), link("far"));
        let sockets = |link| {
            let open = |ears| PacketSocket::open(link, ears).expect("a socket");
            [open(Ears::Arp), open(Ears::Ndp)]
        };
        let wire = Self {
            near,
            near_mac,
            process: sockets(near),
            far: PacketSocket::open(far, Ears::Arp).expect("a socket"),
            all: everything(),
            heard_at: far,
        };
        // What the links say of themselves as they come up.
        while wire.hear().is_some() || !wire.left().is_empty() {}
        Some(wire)
    }

    pub(super) fn responder(&self, lasts: Duration) -> Responder {
        super::responder(self.near, "near", self.near_mac, lasts)
    }

    /// Sends a frame, and returns what comes back, which is there at once as a rule.
    pub(super) fn ask(&self, frame: &[u8]) -> Option<Vec<u8>> {
        self.ask_for(frame, Duration::from_secs(1))
    }

    /// The same of a frame that nobody is to answer.
    pub(super) fn ask_in_vain(&self, frame: &[u8]) -> Option<Vec<u8>> {
        self.ask_for(frame, Duration::from_millis(2))
    }

    fn ask_for(&self, frame: &[u8], patience: Duration) -> Option<Vec<u8>> {
        self.far.send(frame).expect("sent");
        let deadline = Instant::now() + patience;
        loop {
            if let Some(answer) = self.hear() {
                return Some(answer);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// The next frame of ARP or NDP that came out at the far end.
    fn hear(&self) -> Option<Vec<u8>> {
        const PACKET_OUTGOING: u8 = 4;
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = recvfrom::<LinkAddr>(self.all.as_raw_fd(), &mut buffer).ok()?;
            let from = from.expect("where it was heard");
            let came = from.pkttype() != PACKET_OUTGOING;
            if came && from.ifindex() == self.heard_at as usize && is_neighbourly(&buffer[..length])
            {
                return Some(buffer[..length].to_vec());
            }
        }
    }

    /// What a process heard at the near end since it was asked last.
    pub(super) fn left(&self) -> Vec<Vec<u8>> {
        let all = self.process.iter();
        all.flat_map(|socket| std::iter::from_fn(|| next(socket)))
            .collect()
    }

    /// The process has heard none of these. Frames from before may come late on a busy machine.
    #[track_caller]
    pub(super) fn expect_unheard(&self, frames: &[Vec<u8>]) {
        let left = self.left();
        let heard = frames.iter().find(|frame| left.contains(*frame));
        assert_eq!(heard, None, "the process hears it, too");
    }

    /// A VLAN on both ends, with sockets at the far one.
    pub(super) fn add_vlan(&mut self, number: u16) -> Option<(u32, MacAddress)> {
        for end in ["near", "far"] {
            let arguments =
                format!("link add link {end} name {end}.{number} type vlan id {number}");
            if !attempt("ip", &arguments).0 {
                return None;
            }
            ip(&format!("link set {end}.{number} addrgenmode none up"));
        }
        // Frames are still sent by the link underneath, with their tags.
        (self.heard_at, _) = link(&format!("far.{number}"));
        Some(link(&format!("near.{number}")))
    }
}

fn everything() -> OwnedFd {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(
        AddressFamily::Packet,
        SockType::Raw,
        flags,
        SockProtocol::EthAll,
    )
    .expect("a socket")
}

/// ARP, or a solicitation or an advertisement.
fn is_neighbourly(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x06]) => true,
        Some([0x86, 0xdd]) => matches!(frame.get(54), Some(135 | 136)),
        _ => false,
    }
}

fn next(socket: &PacketSocket) -> Option<Vec<u8>> {
    let mut buffer = [0; 2_048];
    match socket.receive(&mut buffer).expect("receive") {
        Received::Frame(length) => Some(buffer[..length].to_vec()),
        Received::LinkDown => next(socket),
        Received::Nothing => None,
    }
}

fn link(name: &str) -> (u32, MacAddress) {
    let links = LinuxHost::new().links().expect("links");
    let link = links.iter().find(|link| link.name.to_string() == name);
    let link = link.expect("a link");
    (link.index, link.mac.expect("a MAC address"))
}

pub(super) fn ip(arguments: &str) {
    let (done, said) = attempt("ip", arguments);
    assert!(done, "ip {arguments}: {said}");
}

/// What nft(8) says.
pub(super) fn nft(arguments: &str) -> String {
    let (done, said) = attempt("nft", arguments);
    assert!(done, "nft {arguments}: {said}");
    said
}

fn attempt(program: &str, arguments: &str) -> (bool, String) {
    let output = Command::new(program).args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
