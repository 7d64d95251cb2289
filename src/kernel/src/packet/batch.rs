//! Many frames in one call of the kernel (recvmmsg(2), sendmmsg(2)): a flood of questions costs one call for each 32 of them.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

use super::{PacketError, PacketSocket};

/// How many frames are taken together.
const BATCH: usize = 32;
/// More bytes than any ARP or NDP packet takes on a link with the usual MTU of 1500.
const LONGEST: usize = 2048;

/// Room for the frames that are taken together.
#[derive(Debug)]
pub struct Inbox {
    room: Vec<u8>,
    /// Of the frames that came last, in bytes.
    lengths: Vec<usize>,
}

/// Whether a socket has more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// The room was used up.
    Perhaps,
    /// It had no more.
    No,
}

// === impl Inbox ===

impl Inbox {
    /// Without a frame.
    #[must_use]
    pub fn new() -> Self {
        Self {
            room: vec![0; BATCH * LONGEST],
            lengths: Vec::with_capacity(BATCH),
        }
    }

    /// The frames that came last, from the Ethernet header on, in their order.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let frames = self.room.chunks(LONGEST).zip(&self.lengths);
        frames.map(|(room, length)| &room[..*length])
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

// === impl PacketSocket ===

impl PacketSocket {
    /// Takes the next frames, up to 32, without waiting for one; none is no error. What of a frame is beyond 2048 bytes is cut
    /// off. That the link is down, or was, is passed over: see [`super::Received::LinkDown`].
    ///
    /// # Errors
    /// If receiving fails, and not for want of a frame.
    pub fn receive_many(&self, inbox: &mut Inbox) -> Result<More, PacketError> {
        inbox.lengths.clear();
        self.was_down.store(false, Ordering::Relaxed);
        let fd = self.fd.as_raw_fd();
        loop {
            let rooms = inbox.room.chunks_mut(LONGEST);
            let mut rooms: Vec<_> = rooms.map(|room| [IoSliceMut::new(room)]).collect();
            let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
            let received = recvmmsg(fd, &mut headers, &mut rooms, MsgFlags::empty(), None);
            match received {
                Ok(frames) => inbox.lengths.extend(frames.map(|frame| frame.bytes)),
                Err(Errno::EAGAIN | Errno::ENETDOWN) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(PacketError::receiving(self.link, errno)),
            }
            let full = inbox.lengths.len() == BATCH;
            return Ok(if full { More::Perhaps } else { More::No });
        }
    }

    /// Hands frames to the link, as [`PacketSocket::send`] does with one; returns how many of them could be sent. One that
    /// cannot keeps no other from being sent.
    #[must_use]
    pub fn send_many(&self, frames: &[Vec<u8>]) -> usize {
        let (mut sent, mut rest) = (0, frames);
        while let Some((first, others)) = rest.split_first() {
            match self.try_send_many(rest) {
                Ok(number) if number > 0 => {
                    sent += number;
                    rest = &rest[number..];
                }
                // It is about the first one.
                failed => {
                    if failed == Err(Errno::ENETDOWN) {
                        self.was_down.store(true, Ordering::Relaxed);
                    }
                    sent += usize::from(self.send(first).is_ok());
                    rest = others;
                }
            }
        }
        sent
    }

    fn try_send_many(&self, frames: &[Vec<u8>]) -> Result<usize, Errno> {
        let parts: Vec<_> = frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
        let mut headers = MultiHeaders::<()>::preallocate(parts.len(), None);
        // The socket is bound to its link.
        let nowhere = vec![None; parts.len()];
        let fd = self.fd.as_raw_fd();
        sendmmsg(fd, &mut headers, &parts, &nowhere, [], MsgFlags::empty()).map(Iterator::count)
    }
}
