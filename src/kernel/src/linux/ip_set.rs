//! Whether elements are in a set of ipset (net/netfilter/ipset/ip_set_core.c). Each is asked for by itself with
//! `IPSET_CMD_TEST`: that costs the same however large the set is, and a list of the set would keep others from destroying,
//! renaming or swapping it meanwhile. Many questions go in one datagram, each with a number, and the kernel acknowledges each.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{ErrorBuffer, NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use super::question::{self, PATIENCE, SEQUENCE};
use crate::attributes::{nest, put};
use crate::{Facility, OsError, ReadError, Reading, ServiceTarget};

// Numbers of linux/netfilter/ipset/ip_set.h, attributes without their `IPSET_ATTR_`.
const NFNL_SUBSYS_IPSET: u16 = 6;
const IPSET_CMD_TEST: u16 = 11;
/// The version of the protocol that every kernel takes, also one that knows the next (`protocol_min_failed`).
const IPSET_PROTOCOL: u8 = 6;
const PROTOCOL: u16 = 1;
const SETNAME: u16 = 2;
const DATA: u16 = 7;
const IP: u16 = 1;
const PORT: u16 = 4;
const PROTO: u16 = 7;
const IPADDR_IPV4: u16 = 1;
const IPADDR_IPV6: u16 = 2;
/// What is not in the set, and also what cannot be in a set of that kind (`ip_set_utest`).
const IPSET_ERR_EXIST: i32 = 4103;

/// Which ipset wants to see on what is in the order of the network (`ip_set_attr_netorder`).
const NLA_F_NET_BYTEORDER: u16 = 0x4000;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;
const EPROTONOSUPPORT: i32 = 93;
/// So many answers certainly fit into the buffer of a socket.
const AT_ONCE: usize = 64;

/// One question for each element that a set of type `hash:ip,port` may have; its name ends with a zero.
pub(super) struct Members<'a> {
    pub(super) reading: Reading,
    pub(super) set: &'a [u8],
    pub(super) wanted: &'a [ServiceTarget],
}

/// Why a datagram did not get questions answered.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Refused(OsError),
    Malformed(String),
}

// === impl Members ===

impl Members<'_> {
    /// What of it is in the set, in the same order. Absent is the set, or all of ipset. The socket lives for one reading, so
    /// it belongs to the namespace of the calling thread.
    pub(super) fn read(&self) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        match self.ask_all() {
            Ok(members) => Ok(Facility::Present(members)),
            // No nfnetlink at all, nobody behind it for ipset (`nfnetlink_rcv_msg`), or no such set (`ip_set_utest`).
            Err(ReadError::Socket { error, .. }) if error.raw() == EPROTONOSUPPORT => {
                Ok(Facility::Absent)
            }
            Err(ReadError::Refused { error, .. }) if matches!(error.raw(), EINVAL | ENOENT) => {
                Ok(Facility::Absent)
            }
            Err(error) => Err(error),
        }
    }

    fn ask_all(&self) -> Result<Vec<ServiceTarget>, ReadError> {
        let socket = question::open(NETLINK_NETFILTER).map_err(|error| self.failed(&error))?;
        let mut members = Vec::new();
        let mut first = SEQUENCE;
        for wanted in self.wanted.chunks(AT_ONCE) {
            let found = self.ask(&socket, wanted, first)?;
            let both = wanted.iter().zip(found);
            members.extend(both.filter(|(_, is_in)| *is_in).map(|(target, _)| *target));
            first += wanted.len() as u32;
        }
        Ok(members)
    }

    /// Whether each is in the set; the questions are numbered from `first`.
    fn ask(
        &self,
        socket: &Socket,
        wanted: &[ServiceTarget],
        first: u32,
    ) -> Result<Vec<bool>, ReadError> {
        let mut questions = Vec::new();
        for (target, number) in wanted.iter().zip(first..) {
            append(&mut questions, self.set, target, number);
        }
        let sent = socket.send_to(&questions, &SocketAddr::new(0, 0), 0);
        sent.map_err(|error| self.failed(&error))?;
        let mut answers = vec![None; wanted.len()];
        while answers.contains(&None) {
            let datagram = question::next_datagram(socket).map_err(|error| self.failed(&error))?;
            take(&datagram, first, &mut answers).map_err(|failure| match failure {
                Failure::Refused(error) => ReadError::Refused {
                    reading: self.reading,
                    error,
                },
                Failure::Malformed(detail) => ReadError::Malformed {
                    reading: self.reading,
                    detail,
                },
            })?;
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn failed(&self, error: &io::Error) -> ReadError {
        let reading = self.reading;
        match error.kind() {
            io::ErrorKind::WouldBlock => ReadError::TimedOut {
                reading,
                within: PATIENCE,
            },
            _ => ReadError::Socket {
                reading,
                error: error.into(),
            },
        }
    }
}

/// Appends the question whether the target is in the set.
fn append(questions: &mut Vec<u8>, set: &[u8], target: &ServiceTarget, number: u32) {
    // `nfgenmsg`: the family is that of the set, whatever stands here.
    let mut payload = vec![0; 4];
    put(&mut payload, PROTOCOL, &[IPSET_PROTOCOL]);
    put(&mut payload, SETNAME, set);
    nest(&mut payload, DATA, |element| {
        nest(element, IP, |ip| match target.ip {
            IpAddr::V4(v4) => put(ip, NLA_F_NET_BYTEORDER | IPADDR_IPV4, &v4.octets()),
            IpAddr::V6(v6) => put(ip, NLA_F_NET_BYTEORDER | IPADDR_IPV6, &v6.octets()),
        });
        let port = target.port.to_be_bytes();
        put(element, NLA_F_NET_BYTEORDER | PORT, &port);
        let [_, protocol] = target.protocol.number().to_be_bytes();
        put(element, PROTO, &[protocol]);
    });
    let begin = questions.len();
    let length = HEADER + payload.len();
    questions.resize(begin + length, 0);
    let mut message = NetlinkBuffer::new(&mut questions[begin..]);
    message.set_length(length as u32);
    message.set_message_type(NFNL_SUBSYS_IPSET << 8 | IPSET_CMD_TEST);
    message.set_flags(NLM_F_REQUEST | NLM_F_ACK);
    message.set_sequence_number(number);
    message.payload_mut().copy_from_slice(&payload);
}

/// Notes what a datagram says of the questions, which are numbered from `first`. What keeps one from being answered is said
/// at once: without CAP_NET_ADMIN the kernel refuses a datagram once, and not each question in it (`nfnetlink_rcv`).
fn take(datagram: &[u8], first: u32, answers: &mut [Option<bool>]) -> Result<(), Failure> {
    let malformed = |error: &dyn ToString| Failure::Malformed(error.to_string());
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest).map_err(|error| malformed(&error))?;
        let place = message.sequence_number().checked_sub(first);
        let answer = place.and_then(|place| answers.get_mut(place as usize));
        if let (Some(answer), NLMSG_ERROR) = (answer, message.message_type()) {
            let error =
                ErrorBuffer::new_checked(message.payload()).map_err(|error| malformed(&error))?;
            let error = error.code().map(|code| OsError::from_raw(code.get()));
            *answer = match error {
                None => Some(true),
                Some(error) if error.raw() == IPSET_ERR_EXIST => Some(false),
                Some(error) => return Err(Failure::Refused(error)),
            };
        }
        let length = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
