use netlink_packet_core::NLM_F_DUMP_INTR;
use proptest::prelude::*;

use super::{Dump, Failure, NLMSG_DONE, NLMSG_ERROR, Progress, SEQUENCE};
use crate::{OsError, ReadError, Reading};

const DUMP: Dump<'_> = Dump {
    reading: Reading::Links,
    protocol: 0,
    message_type: 18,
    payload: &[],
};

fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Takes a datagram, keeping the first byte of each payload.
fn take(datagram: &[u8]) -> (Result<Progress, Failure>, Vec<u8>) {
    let mut items = Vec::new();
    let first = |_, payload: &[u8]| Ok(payload.first().copied());
    let progress = DUMP.take(datagram, &first, &mut items);
    (progress, items)
}

#[test]
fn several_messages_in_a_datagram_are_taken_in_order_until_done() {
    let mut datagram = message(16, 0, SEQUENCE, &[7, 7, 7]);
    datagram.extend(message(16, 0, SEQUENCE, &[8]));
    assert_eq!(take(&datagram), (Ok(Progress::More), vec![7, 8]));
    datagram.extend(message(NLMSG_DONE, 0, SEQUENCE, &0_i32.to_ne_bytes()));
    assert_eq!(take(&datagram), (Ok(Progress::Done), vec![7, 8]));
}

#[test]
fn an_answer_to_another_question_is_not_ours() {
    let datagram = message(16, 0, SEQUENCE + 1, &[7]);
    assert_eq!(take(&datagram), (Ok(Progress::More), vec![]));
}

#[test]
fn a_list_that_changed_while_it_was_given_is_not_trusted() {
    let datagram = message(16, NLM_F_DUMP_INTR, SEQUENCE, &[7]);
    assert_eq!(take(&datagram).0, Err(Failure::Interrupted));
}

#[test]
fn an_error_is_the_kernels_whether_it_comes_alone_or_at_the_end() {
    let refused = Err(Failure::Error(ReadError::Refused {
        reading: Reading::Links,
        error: OsError::from_raw(1),
    }));
    let mut payload = (-1_i32).to_ne_bytes().to_vec();
    let done = message(NLMSG_DONE, 0, SEQUENCE, &payload);
    assert_eq!(take(&done).0, refused);
    payload.extend([0; 16]);
    let error = message(NLMSG_ERROR, 0, SEQUENCE, &payload);
    assert_eq!(take(&error).0, refused);
}

#[test]
fn a_message_longer_than_its_datagram_is_malformed() {
    let mut datagram = message(16, 0, SEQUENCE, &[7; 8]);
    datagram.truncate(20);
    let (progress, items) = take(&datagram);
    assert!(
        matches!(progress, Err(Failure::Error(ReadError::Malformed { .. }))),
        "{progress:?}"
    );
    assert!(items.is_empty());
}

proptest! {
    #[test]
    fn no_datagram_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = take(&bytes);
    }

    #[test]
    fn no_payload_makes_it_panic(kind in 0_u16..5, payload in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = take(&message(kind, 0, SEQUENCE, &payload));
    }
}
