//! A question over a netlink socket of its own, and what comes back.

use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

const HEADER: usize = 16;
/// Which every message of the answer bears.
pub(super) const SEQUENCE: u32 = 1;
/// How long the kernel is waited for; it normally answers within milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The protocol of the socket, the type of the message, its flags and what follows its header.
pub(super) struct Question<'a> {
    pub(super) protocol: isize,
    pub(super) message_type: u16,
    /// `NLM_F_REQUEST` goes without saying.
    pub(super) flags: u16,
    pub(super) payload: &'a [u8],
}

// === impl Question ===

impl Question<'_> {
    /// Asks. The socket belongs to the network namespace of the calling thread.
    pub(super) fn ask(&self) -> io::Result<Socket> {
        let socket = open(self.protocol)?;
        let length = HEADER + self.payload.len();
        let mut request = vec![0; length];
        let mut header = NetlinkBuffer::new(&mut request);
        header.set_length(length as u32);
        header.set_message_type(self.message_type);
        header.set_flags(NLM_F_REQUEST | self.flags);
        header.set_sequence_number(SEQUENCE);
        header.payload_mut().copy_from_slice(self.payload);
        socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
        Ok(socket)
    }
}

/// A socket whose patience ends.
pub(super) fn open(protocol: isize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    let patience = TimeVal::new(PATIENCE.as_secs() as i64, 0);
    setsockopt(&socket, sockopt::ReceiveTimeout, &patience)?;
    Ok(socket)
}

/// The next datagram of the kernel's; anybody else's is dropped. "Would block" means that the patience is over.
pub(super) fn next_datagram(socket: &Socket) -> io::Result<Vec<u8>> {
    loop {
        match socket.recv_from_full() {
            Ok((datagram, from)) if from.port_number() == 0 => return Ok(datagram),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
