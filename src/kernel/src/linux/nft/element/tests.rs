#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::targets;
use crate::{IpFamily, IpvsProtocol};

/// By hand after linux/netfilter/nf_tables.h: TCP 10.0.0.1:80, UDP 10.0.0.2:53 and, as no kube-proxy has it, an element
/// for all other keys.
const V4: &[u8] = &[
    2, 0, 0, 7, // NFPROTO_IPV4, version 0, generation 7
    15, 0, 1, 0, b'k', b'u', b'b', b'e', b'-', b'p', b'r', b'o', b'x', b'y', 0, 0, // TABLE
    16, 0, 2, 0, b's', b'e', b'r', b'v', b'i', b'c', b'e', b'-', b'i', b'p', b's', 0, // SET
    108, 0, 3, 0x80, // ELEMENTS
    52, 0, 1, 0x80, // LIST_ELEM
    20, 0, 1, 0x80, 16, 0, 1, 0, 10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0, // KEY, DATA_VALUE
    28, 0, 2, 0x80, 24, 0, 2, 0x80, // DATA, DATA_VERDICT
    8, 0, 1, 0, 0xff, 0xff, 0xff, 0xfc, // CODE = NFT_GOTO
    10, 0, 2, 0, b's', b'v', b'c', b'-', b'A', 0, 0, 0, // CHAIN
    40, 0, 1, 0x80, // LIST_ELEM
    20, 0, 1, 0x80, 16, 0, 1, 0, 10, 0, 0, 2, 17, 0, 0, 0, 0, 53, 0, 0, // KEY
    16, 0, 2, 0x80, 12, 0, 2, 0x80, 8, 0, 1, 0, 0, 0, 0, 0, // DATA: NF_DROP
    12, 0, 1, 0x80, 8, 0, 3, 0, 0, 0, 0,
    2, // LIST_ELEM with FLAGS = NFT_SET_ELEM_CATCHALL only
];

/// SCTP [fd00::1]:9.
const V6: &[u8] = &[
    10, 0, 0, 7, // NFPROTO_IPV6
    40, 0, 3, 0x80, 36, 0, 1, 0x80, 32, 0, 1, 0x80, 28, 0, 1, 0, // ELEMENTS, ELEM, KEY, VALUE
    0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 132, 0, 0, 0, 0, 9, 0, 0,
];

#[test]
fn reads_address_protocol_and_port_of_each_key() {
    let read = targets(V4, IpFamily::V4).unwrap();
    let shown: Vec<_> = read.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["TCP 10.0.0.1:80", "UDP 10.0.0.2:53"]);
    let read = targets(V6, IpFamily::V6).unwrap();
    assert_eq!(read[0].to_string(), "SCTP [fd00::1]:9");
    assert_eq!(read[0].protocol, IpvsProtocol::Sctp);
}

#[test]
fn a_key_of_another_shape_is_an_error_and_not_a_service() {
    let refused = targets(V4, IpFamily::V6);
    let expected = "a key of 12 bytes is not an address, a protocol and a port";
    assert_eq!(refused, Err(expected.to_owned()));
    assert!(targets(V6, IpFamily::V4).is_err());
}

#[test]
fn a_message_without_elements_has_none() {
    assert_eq!(targets(&V4[..4], IpFamily::V4), Ok(vec![]));
    assert!(targets(&V4[..3], IpFamily::V4).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = (targets(&bytes, IpFamily::V4), targets(&bytes, IpFamily::V6));
    }

    #[test]
    fn no_damage_makes_it_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = V4.to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = targets(&bytes, IpFamily::V4);
    }
}
