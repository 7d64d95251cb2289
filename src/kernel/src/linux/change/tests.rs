use proptest::prelude::*;

use super::{NLMSG_ERROR, Verdict};
use crate::OsError;
use crate::linux::question::SEQUENCE;

fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(0_u16.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

fn verdict(datagram: &[u8]) -> Result<Option<Verdict>, String> {
    super::verdict(datagram, &(SEQUENCE..=SEQUENCE))
}

/// An error with the header of what it is about.
fn answer(sequence: u32, code: i32) -> Vec<u8> {
    let payload = [&code.to_ne_bytes()[..], &[0; 16]].concat();
    message(NLMSG_ERROR, sequence, &payload)
}

#[test]
fn an_error_of_zero_means_done() {
    let done = verdict(&answer(SEQUENCE, 0));
    assert_eq!(done, Ok(Some(Verdict::Done)));
    let refused = verdict(&answer(SEQUENCE, -17));
    let exists = Verdict::Refused(OsError::from_raw(17));
    assert_eq!(refused, Ok(Some(exists)));
}

#[test]
fn what_is_about_something_else_is_passed_over() {
    let other = answer(SEQUENCE + 1, -17);
    assert_eq!(verdict(&other), Ok(None));
    let then = [other, answer(SEQUENCE, 0)].concat();
    assert_eq!(verdict(&then), Ok(Some(Verdict::Done)));
    assert_eq!(verdict(&message(20, SEQUENCE, &[0; 8])), Ok(None));
}

#[test]
fn of_several_messages_the_last_is_done_when_all_are_and_the_first_no_is_one_to_all() {
    let several = SEQUENCE..=SEQUENCE + 2;
    let said = |datagrams: &[Vec<u8>]| super::verdict(&datagrams.concat(), &several);
    let (done, last) = (answer(SEQUENCE, 0), answer(SEQUENCE + 2, 0));
    assert_eq!(said(std::slice::from_ref(&done)), Ok(None));
    assert_eq!(said(&[done.clone(), last.clone()]), Ok(Some(Verdict::Done)));
    let refused = answer(SEQUENCE + 1, -2);
    let missing = Verdict::Refused(OsError::from_raw(2));
    assert_eq!(said(&[done, refused, last]), Ok(Some(missing)));
    assert_eq!(said(&[answer(SEQUENCE + 3, 0)]), Ok(None));
}

#[test]
fn an_answer_without_a_code_is_malformed() {
    assert!(verdict(&message(NLMSG_ERROR, SEQUENCE, &[0; 2])).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = verdict(&bytes);
        let _ = verdict(&message(NLMSG_ERROR, SEQUENCE, &bytes));
    }
}
