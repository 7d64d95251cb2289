//! One dump over a blocking netlink socket: ask, collect until the kernel says done.

use std::io;

use netlink_packet_core::{DoneBuffer, ErrorBuffer, NLM_F_DUMP, NLM_F_DUMP_INTR, NetlinkBuffer};
use netlink_sys::Socket;

use super::question::{PATIENCE, Question, SEQUENCE, next_datagram};
use crate::{OsError, ReadError, Reading};

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const ATTEMPTS: u8 = 8;

/// A question: the socket's protocol, the type of the message and what follows its header.
pub(super) struct Dump<'a> {
    pub(super) reading: Reading,
    pub(super) protocol: isize,
    pub(super) message_type: u16,
    pub(super) payload: &'a [u8],
}

/// What came out of one datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
}

/// How one attempt ended without a list.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The kernel marked the list as changed while it was given.
    Interrupted,
    Error(ReadError),
}

// === impl Dump ===

impl Dump<'_> {
    /// Every message of the answer as `decode` sees it: its type and its payload. `None` skips a message; an error says
    /// what is wrong with it. The socket lives for one dump, so it belongs to the namespace of the calling thread.
    pub(super) fn run<T>(
        &self,
        decode: impl Fn(u16, &[u8]) -> Result<Option<T>, String>,
    ) -> Result<Vec<T>, ReadError> {
        for _ in 0..ATTEMPTS {
            match self.attempt(&decode) {
                Ok(items) => return Ok(items),
                Err(Failure::Interrupted) => {}
                Err(Failure::Error(error)) => return Err(error),
            }
        }
        Err(ReadError::Unsettled {
            reading: self.reading,
            attempts: ATTEMPTS,
        })
    }

    fn attempt<T>(
        &self,
        decode: &impl Fn(u16, &[u8]) -> Result<Option<T>, String>,
    ) -> Result<Vec<T>, Failure> {
        let socket = self.open().map_err(|error| self.socket(&error))?;
        let mut items = Vec::new();
        loop {
            let datagram = self.receive(&socket)?;
            if self.take(&datagram, decode, &mut items)? == Progress::Done {
                return Ok(items);
            }
        }
    }

    fn open(&self) -> io::Result<Socket> {
        let question = Question {
            protocol: self.protocol,
            message_type: self.message_type,
            flags: NLM_F_DUMP,
            payload: self.payload,
        };
        question.ask()
    }

    fn receive(&self, socket: &Socket) -> Result<Vec<u8>, Failure> {
        next_datagram(socket).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Failure::Error(ReadError::TimedOut {
                reading: self.reading,
                within: PATIENCE,
            }),
            _ => self.socket(&error),
        })
    }

    fn take<T>(
        &self,
        datagram: &[u8],
        decode: &impl Fn(u16, &[u8]) -> Result<Option<T>, String>,
        items: &mut Vec<T>,
    ) -> Result<Progress, Failure> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let message =
                NetlinkBuffer::new_checked(rest).map_err(|error| self.malformed(&error))?;
            let length = (message.length() as usize).next_multiple_of(4);
            if message.sequence_number() == SEQUENCE {
                if message.flags() & NLM_F_DUMP_INTR != 0 {
                    return Err(Failure::Interrupted);
                }
                match message.message_type() {
                    NLMSG_NOOP => {}
                    NLMSG_OVERRUN => return Err(self.malformed(&"the kernel lost part of it")),
                    NLMSG_DONE => return self.done(message.payload()),
                    NLMSG_ERROR => return self.error(message.payload()),
                    kind => {
                        let item = decode(kind, message.payload());
                        items.extend(item.map_err(|detail| self.malformed(&detail))?);
                    }
                }
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Progress::More)
    }

    /// A dump that fails half-way says so here.
    fn done(&self, payload: &[u8]) -> Result<Progress, Failure> {
        let code = DoneBuffer::new_checked(payload).map_or(0, |done| done.code());
        self.verdict(code)
    }

    fn error(&self, payload: &[u8]) -> Result<Progress, Failure> {
        let error = ErrorBuffer::new_checked(payload).map_err(|error| self.malformed(&error))?;
        self.verdict(error.code().map_or(0, i32::from))
    }

    fn verdict(&self, code: i32) -> Result<Progress, Failure> {
        if code >= 0 {
            return Ok(Progress::Done);
        }
        Err(Failure::Error(ReadError::Refused {
            reading: self.reading,
            error: OsError::from_raw(code),
        }))
    }

    fn socket(&self, error: &io::Error) -> Failure {
        Failure::Error(ReadError::Socket {
            reading: self.reading,
            error: error.into(),
        })
    }

    fn malformed(&self, detail: &dyn ToString) -> Failure {
        Failure::Error(ReadError::Malformed {
            reading: self.reading,
            detail: detail.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
