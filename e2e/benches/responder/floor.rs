//! The least that answering from a process can take: this program, in place of the agent, waits in the call that takes a
//! frame, and sends the answer with the next call. It does nothing else and looks nothing up.

use std::net::Ipv4Addr;

use mooring_core::wire::Mac;
use mooring_core::wire::arp::{self, Operation};
use mooring_kernel::{Ears, Host as _, LinuxHost, PacketSocket, Received, lock_memory, real_time};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// What makes this program do that.
pub(crate) const ARGUMENT: &str = "answer";
/// Who has it answered for: all from here to the end of that /16.
pub(crate) const FIRST: Ipv4Addr = Ipv4Addr::new(10, 99, 192, 0);

/// As the agent does, and as it is for the kernel.
const PRIORITY: u8 = 10;

/// Answers on `eth0` for ever.
pub(crate) fn run() {
    let links = LinuxHost::new().links().unwrap();
    let link = links.iter().find(|link| link.name.to_string() == "eth0");
    let link = link.unwrap();
    let own = Mac(link.mac.unwrap().0);
    let socket = PacketSocket::open(link.index, Ears::Arp).unwrap();
    // From now on taking a frame waits for one.
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    lock_memory().unwrap();
    real_time(PRIORITY).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let Received::Frame(length) = socket.receive(&mut buffer).unwrap() else {
            continue;
        };
        let Ok(packet) = arp::parse(&buffer[..length]) else {
            continue;
        };
        let ours = packet.target_ip >= FIRST && packet.target_ip.octets()[1] == FIRST.octets()[1];
        if packet.operation == Operation::Request && ours {
            // What the link has no room for is lost.
            let _ = socket.send(&arp::reply(&packet, own));
        }
    }
}
