//! One change over a blocking netlink socket: say it, wait until the kernel says done or why not.

use std::io;

use netlink_packet_core::{ErrorBuffer, NLM_F_ACK, NetlinkBuffer};
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
        let socket = question.ask().map_err(|error| self.failed(&error))?;
        loop {
            let datagram = next_datagram(&socket).map_err(|error| self.failed(&error))?;
            let verdict = verdict(&datagram).map_err(|detail| WriteError::Malformed {
                writing: self.writing,
                detail,
            })?;
            if let Some(verdict) = verdict {
                return Ok(verdict);
            }
        }
    }

    fn failed(&self, error: &io::Error) -> WriteError {
        match error.kind() {
            io::ErrorKind::WouldBlock => WriteError::TimedOut {
                writing: self.writing,
                within: PATIENCE,
            },
            _ => WriteError::Socket {
                writing: self.writing,
                error: error.into(),
            },
        }
    }
}

/// What a datagram says of the change, if it says anything of it.
fn verdict(datagram: &[u8]) -> Result<Option<Verdict>, String> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|error| error.to_string())?;
        if message.sequence_number() == SEQUENCE && message.message_type() == NLMSG_ERROR {
            let error =
                ErrorBuffer::new_checked(message.payload()).map_err(|error| error.to_string())?;
            let refused = |code: std::num::NonZeroI32| {
                let error = OsError::from_raw(code.get());
                Verdict::Refused(error)
            };
            return Ok(Some(error.code().map_or(Verdict::Done, refused)));
        }
        let length = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
