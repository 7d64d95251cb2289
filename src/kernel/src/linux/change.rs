//! One change over a blocking netlink socket: say it, wait until the kernel says done or why not.

use std::io;
use std::ops::RangeInclusive;

use netlink_packet_core::{ErrorBuffer, NLM_F_ACK, NetlinkBuffer};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use super::question::{PATIENCE, Question, SEQUENCE, next_datagram};
use crate::{OsError, WriteError, Writing};

const NLMSG_ERROR: u16 = 2;

/// What is to be changed: the type of the message, its flags and what follows its header.
pub(super) struct Change<'a> {
    pub(super) writing: Writing,
    pub(super) message_type: u16,
    /// `NLM_F_ACK` goes without saying.
    pub(super) flags: u16,
    pub(super) payload: &'a [u8],
}

/// What the kernel said, if it said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    Refused(OsError),
}

// === impl Change ===

impl Change<'_> {
    /// The socket lives for one change, so it belongs to the namespace of the calling thread.
    pub(super) fn run(&self) -> Result<Verdict, WriteError> {
        let question = Question {
            protocol: NETLINK_ROUTE,
            message_type: self.message_type,
            flags: NLM_F_ACK | self.flags,
            payload: self.payload,
        };
        let socket = question
            .ask()
            .map_err(|error| failed(self.writing, &error))?;
        hear(&socket, self.writing, SEQUENCE..=SEQUENCE)
    }
}

/// What the kernel says of the messages with these numbers, of which only the last has to be answered. The first no is one
/// to all of them.
pub(super) fn hear(
    socket: &Socket,
    writing: Writing,
    numbers: RangeInclusive<u32>,
) -> Result<Verdict, WriteError> {
    loop {
        let datagram = next_datagram(socket).map_err(|error| failed(writing, &error))?;
        let verdict = verdict(&datagram, &numbers)
            .map_err(|detail| WriteError::Malformed { writing, detail })?;
        if let Some(verdict) = verdict {
            return Ok(verdict);
        }
    }
}

/// What an error of the socket means.
pub(super) fn failed(writing: Writing, error: &io::Error) -> WriteError {
    match error.kind() {
        io::ErrorKind::WouldBlock => WriteError::TimedOut {
            writing,
            within: PATIENCE,
        },
        _ => WriteError::Socket {
            writing,
            error: error.into(),
        },
    }
}

/// What a datagram says of the change, if it says anything that decides it.
fn verdict(datagram: &[u8], numbers: &RangeInclusive<u32>) -> Result<Option<Verdict>, String> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|error| error.to_string())?;
        let number = message.sequence_number();
        if numbers.contains(&number) && message.message_type() == NLMSG_ERROR {
            let error =
                ErrorBuffer::new_checked(message.payload()).map_err(|error| error.to_string())?;
            if let Some(code) = error.code() {
                let error = OsError::from_raw(code.get());
                return Ok(Some(Verdict::Refused(error)));
            }
            if number == *numbers.end() {
                return Ok(Some(Verdict::Done));
            }
        }
        let length = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
