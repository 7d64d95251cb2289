//! Messages that take effect together or not at all (net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`).

use std::io;
use std::sync::Arc;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkBuffer};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};

use super::object::table;
use crate::linux::change::{self, Verdict};
use crate::linux::nft::numbers::{NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE};
use crate::linux::question::{self, SEQUENCE};
use crate::{Facility, NftFamily, OsError, WriteError, Writing};

const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const HEADER: usize = 16;

const ENOENT: i32 = 2;
const EPROTONOSUPPORT: i32 = 93;
const EOPNOTSUPP: i32 = 95;

/// What became of a batch, where it is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Outcome {
    Done,
    /// A table, an expression or all of nftables is not there: `ENOENT` for what has a name, `EOPNOTSUPP` for a family or a
    /// subsystem, `EPROTONOSUPPORT` for nfnetlink itself.
    Missing(OsError),
}

/// Messages to nftables between the two that hold them together. Each has a number, so that the kernel can say which of them
/// it refuses.
#[derive(Debug)]
pub(in crate::linux) struct Batch {
    bytes: Vec<u8>,
    family: NftFamily,
    /// Where the last message begins.
    last: usize,
    /// Its number.
    sequence: u32,
}

// === impl Batch ===

impl Batch {
    /// About tables of this family.
    pub(in crate::linux) fn of(family: NftFamily) -> Self {
        let mut batch = Self {
            bytes: Vec::new(),
            family,
            last: 0,
            sequence: SEQUENCE - 1,
        };
        batch.append(NFNL_MSG_BATCH_BEGIN, 0, &edge());
        batch
    }

    /// Takes a table away. That it is not there is an error, which costs less than to create it first.
    pub(in crate::linux) fn removing(family: NftFamily, name: &str) -> Self {
        let mut batch = Self::of(family);
        batch.push(NFT_MSG_DELTABLE, 0, &table(name));
        batch
    }

    /// Puts an empty table there in place of the one that may be there. Only what is there can be deleted, so it is created
    /// first.
    pub(in crate::linux) fn replacing(family: NftFamily, name: &str) -> Self {
        let mut batch = Self::of(family);
        batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, &table(name));
        batch.push(NFT_MSG_DELTABLE, 0, &table(name));
        batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, &table(name));
        batch
    }

    /// Appends a message of the type `message`, `NFT_MSG_*`, about the table's family. `NLM_F_REQUEST` goes without saying.
    pub(in crate::linux) fn push(&mut self, message: u16, flags: u16, attributes: &[u8]) {
        let mut payload = vec![self.family.number(), 0, 0, 0];
        payload.extend(attributes);
        self.append(message, flags, &payload);
    }

    fn append(&mut self, message_type: u16, flags: u16, payload: &[u8]) {
        self.last = self.bytes.len();
        self.sequence += 1;
        let length = HEADER + payload.len();
        self.bytes.resize(self.last + length, 0);
        let mut message = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        message.set_length(length as u32);
        message.set_message_type(message_type);
        message.set_flags(NLM_F_REQUEST | flags);
        message.set_sequence_number(self.sequence);
        message.payload_mut().copy_from_slice(payload);
    }

    /// The bytes, and the number of the message that is answered if none is refused: the last but the end, which not every
    /// kernel answers.
    fn finish(mut self) -> (Vec<u8>, u32) {
        let mut last = NetlinkBuffer::new(&mut self.bytes[self.last..]);
        last.set_flags(last.flags() | NLM_F_ACK);
        let answered = self.sequence;
        self.append(NFNL_MSG_BATCH_END, 0, &edge());
        (self.bytes, answered)
    }

    /// Has all of it done, or nothing: the first refusal speaks for it.
    ///
    /// # Errors
    /// If it was refused for another reason than [`Outcome::Missing`], or nothing was heard.
    pub(in crate::linux) fn run(self, writing: Writing) -> Result<Outcome, WriteError> {
        self.run_over(&mut None, writing)
    }

    /// The same, over a socket that is kept, unless something was wrong with it. To close one takes until all is gone that a
    /// transaction of anybody's has taken away, for milliseconds (`nft_rcv_nl_event` in net/netfilter/nf_tables_api.c).
    pub(in crate::linux) fn run_over(
        self,
        kept: &mut Option<Arc<Socket>>,
        writing: Writing,
    ) -> Result<Outcome, WriteError> {
        match self.ask(kept, writing) {
            Ok(Verdict::Done) => Ok(Outcome::Done),
            Ok(Verdict::Refused(error)) if matches!(error.raw(), ENOENT | EOPNOTSUPP) => {
                Ok(Outcome::Missing(error))
            }
            Ok(Verdict::Refused(error)) => Err(WriteError::refused(writing, error)),
            Err(WriteError::Socket { error, .. }) if error.raw() == EPROTONOSUPPORT => {
                Ok(Outcome::Missing(error))
            }
            Err(error) => Err(error),
        }
    }

    fn ask(self, kept: &mut Option<Arc<Socket>>, writing: Writing) -> Result<Verdict, WriteError> {
        let failed = |error: io::Error| change::failed(writing, &error);
        let (bytes, answered) = self.finish();
        let socket = match kept.take() {
            Some(socket) => socket,
            None => Arc::new(question::open(NETLINK_NETFILTER).map_err(failed)?),
        };
        send(&socket, &bytes).map_err(failed)?;
        let verdict = change::hear(&socket, writing, SEQUENCE..=answered)?;
        // Of a refusal there may be more to hear.
        *kept = (verdict == Verdict::Done).then_some(socket);
        Ok(verdict)
    }
}

// === impl Outcome ===

impl Outcome {
    /// Of a batch that takes a table away: whether there is none now, or there never could be.
    pub(in crate::linux) fn of_removal(self) -> Facility<()> {
        match self {
            Self::Missing(error) if error.raw() != ENOENT => Facility::Absent,
            Self::Done | Self::Missing(_) => Facility::Present(()),
        }
    }
}

/// The kernel takes a batch in one piece, and no piece that is larger than the socket's buffer. To go beyond what the
/// administrator allows everybody takes CAP_NET_ADMIN outside of user namespaces; where it is not there, the kernel may
/// say EMSGSIZE.
fn send(socket: &Socket, bytes: &[u8]) -> io::Result<()> {
    let size = bytes.len();
    if setsockopt(socket, sockopt::SndBufForce, &size).is_err() {
        setsockopt(socket, sockopt::SndBuf, &size)?;
    }
    socket.send_to(bytes, &SocketAddr::new(0, 0), 0)?;
    Ok(())
}

/// `nfgenmsg` of the messages around: of no family, and as the resource the subsystem.
fn edge() -> [u8; 4] {
    let [high, low] = NFNL_SUBSYS_NFTABLES.to_be_bytes();
    [0, 0, high, low]
}

#[cfg(test)]
mod tests;
