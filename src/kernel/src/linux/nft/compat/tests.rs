//! Structures of linux/netfilter/xt_tcpudp.h and xt_sctp.h, as a little-endian kernel shows them.
#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{Condition, condition};
use crate::attributes::put;

/// Any source port, destination port 80, padded to 16 bytes.
const TCP: [u8; 16] = [0, 0, 255, 255, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn read(name: &str, info: &[u8]) -> Condition {
    let mut data = Vec::new();
    put(&mut data, 1, format!("{name}\0").as_bytes());
    put(&mut data, 2, &[0; 4]);
    put(&mut data, 3, info);
    condition(&data).unwrap()
}

fn with(info: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut info = info.to_vec();
    info[at] = byte;
    info
}

#[test]
fn a_port_is_read_from_tcp_and_udp() {
    assert_eq!(read("tcp", &TCP), Condition::Port(80));
    assert_eq!(read("udp", &TCP), Condition::Port(80));
    let high = with(&with(&TCP, 5, 0x1f), 7, 0x1f);
    assert_eq!(read("tcp", &high), Condition::Port(0x1f50));
}

#[test]
fn what_asks_for_more_or_less_than_a_port_is_not_understood() {
    for (at, byte, what) in [
        (0, 1, "a source port"),
        (6, 81, "a range"),
        (8, 1, "an option, or with UDP an inversion"),
    ] {
        let info = with(&TCP, at, byte);
        assert_eq!(read("tcp", &info), Condition::NotUnderstood, "{what}");
        assert_eq!(read("udp", &info), Condition::NotUnderstood, "{what}");
    }
    for (at, what) in [(9, "flags"), (11, "an inversion")] {
        let info = with(&TCP, at, 2);
        assert_eq!(read("tcp", &info), Condition::NotUnderstood, "{what}");
    }
    assert_eq!(read("tcp", &TCP[..11]), Condition::NotUnderstood);
    assert_eq!(read("udp", &TCP[..8]), Condition::NotUnderstood);
}

#[test]
fn a_port_is_read_from_sctp_which_says_what_counts() {
    // As iptables 1.8.9 gave it to kernel 6.18: 292 bytes and padding, the flags before the inversions.
    let mut sctp = vec![0; 296];
    (sctp[0], sctp[2], sctp[284]) = (9, 9, 2);
    assert_eq!(read("sctp", &sctp), Condition::Port(9));
    let inverted = with(&sctp, 288, 2);
    assert_eq!(read("sctp", &inverted), Condition::NotUnderstood);
    let source_too = with(&sctp, 284, 3);
    assert_eq!(read("sctp", &source_too), Condition::NotUnderstood);
    assert_eq!(read("sctp", &sctp[..288]), Condition::NotUnderstood);
}

#[test]
fn a_comment_is_no_condition_and_another_match_is_one() {
    assert_eq!(read("comment", b"default/web\0"), Condition::Always);
    assert_eq!(read("addrtype", &[0; 8]), Condition::NotUnderstood);
    assert!(condition(&[]).is_err());
}

proptest! {
    #[test]
    fn no_structure_makes_it_panic(
        name in "tcp|udp|sctp|comment|other",
        info in prop::collection::vec(any::<u8>(), 0..310),
    ) {
        let _ = read(&name, &info);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = condition(&bytes);
    }
}
