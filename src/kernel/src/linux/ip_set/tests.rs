#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{Failure, append, take};
use crate::{IpvsProtocol, OsError, ServiceTarget};

/// As ipset 7.17 asks for `T 10.0.0.1,tcp:80`, but for the version of the protocol and the family of the set.
#[rustfmt::skip]
const V4: &[u8] = &[
    68, 0, 0, 0, 11, 6, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, // IPSET_CMD_TEST, REQUEST | ACK, number 9
    0, 0, 0, 0, // nfgenmsg
    5, 0, 1, 0, 6, 0, 0, 0, // PROTOCOL
    6, 0, 2, 0, b'T', 0, 0, 0, // SETNAME
    32, 0, 7, 0x80, // DATA
    12, 0, 1, 0x80, 8, 0, 1, 0x40, 10, 0, 0, 1, // IP, IPADDR_IPV4 in the order of the network
    6, 0, 4, 0x40, 0, 80, 0, 0, // PORT
    5, 0, 7, 0, 6, 0, 0, 0, // PROTO
];

/// As it asks for `T6 fd00::1,sctp:80`.
#[rustfmt::skip]
const V6: &[u8] = &[
    80, 0, 0, 0, 11, 6, 5, 0, 10, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0,
    5, 0, 1, 0, 6, 0, 0, 0,
    7, 0, 2, 0, b'T', b'6', 0, 0,
    44, 0, 7, 0x80,
    24, 0, 1, 0x80, 20, 0, 2, 0x40, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    6, 0, 4, 0x40, 0, 80, 0, 0,
    5, 0, 7, 0, 132, 0, 0, 0,
];

/// What kernel 6.18 says to question 9: 0, followed by the header of the question.
#[rustfmt::skip]
const IN: &[u8] = &[
    36, 0, 0, 0, 2, 0, 0, 1, 9, 0, 0, 0, 0x8a, 0x1c, 0, 0, // NLMSG_ERROR, NLM_F_CAPPED
    0, 0, 0, 0,
    68, 0, 0, 0, 11, 6, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0,
];

/// An answer to a question: the error, followed by all of what was asked.
fn answer(number: u32, error: i32, question: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((20 + question.len() as u32).to_ne_bytes());
    bytes.extend([2, 0, 0, 0]);
    bytes.extend(number.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(error.to_ne_bytes());
    bytes.extend(question);
    bytes
}

/// What a datagram says of three questions, of which the first has number 8.
fn taken(datagram: &[u8]) -> (Result<(), Failure>, [Option<bool>; 3]) {
    let mut answers = [None; 3];
    let result = take(datagram, 8, &mut answers);
    (result, answers)
}

fn target(ip: &str, protocol: IpvsProtocol, port: u16) -> ServiceTarget {
    let ip = ip.parse().expect("an address");
    ServiceTarget { ip, protocol, port }
}

#[test]
fn asks_in_the_kernels_words_many_times_in_a_datagram() {
    let mut questions = Vec::new();
    let tcp = target("10.0.0.1", IpvsProtocol::Tcp, 80);
    append(&mut questions, b"T\0", &tcp, 9);
    assert_eq!(questions, V4);
    let sctp = target("fd00::1", IpvsProtocol::Sctp, 80);
    append(&mut questions, b"T6\0", &sctp, 10);
    assert_eq!(questions, [V4, V6].concat());
}

#[test]
fn each_answer_is_that_to_its_own_question() {
    assert_eq!(taken(IN), (Ok(()), [None, Some(true), None]));
    let mut datagram = answer(10, -4103, V6);
    datagram.extend(IN);
    assert_eq!(taken(&datagram), (Ok(()), [None, Some(true), Some(false)]));
}

#[test]
fn an_answer_to_another_question_is_not_ours() {
    for number in [0, 7, 11, u32::MAX] {
        assert_eq!(taken(&answer(number, 0, V4)), (Ok(()), [None; 3]));
        assert_eq!(taken(&answer(number, -1, V4)), (Ok(()), [None; 3]));
    }
}

#[test]
fn any_other_error_is_the_kernels_and_no_answer() {
    for errno in [1, 2, 22, 4097] {
        let refused = Err(Failure::Refused(OsError::from_raw(errno)));
        assert_eq!(taken(&answer(8, -errno, V4)), (refused, [None; 3]));
    }
}

#[test]
fn what_is_no_acknowledgement_answers_nothing() {
    let mut other = IN.to_vec();
    other[4] = 3;
    assert_eq!(taken(&other), (Ok(()), [None; 3]));
}

#[test]
fn a_cut_answer_is_malformed_and_not_a_yes() {
    for length in 1..IN.len() {
        let (result, answers) = taken(&IN[..length]);
        assert!(matches!(result, Err(Failure::Malformed(_))), "{length}");
        assert_eq!(answers, [None; 3]);
    }
    let mut short = IN[..18].to_vec();
    short[0] = 18;
    let (result, answers) = taken(&short);
    assert!(matches!(result, Err(Failure::Malformed(_))), "{result:?}");
    assert_eq!(answers, [None; 3]);
}

proptest! {
    #[test]
    fn no_datagram_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = taken(&bytes);
    }

    #[test]
    fn no_damage_makes_it_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [answer(8, -4103, V4), IN.to_vec()].concat();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = taken(&bytes);
    }
}
