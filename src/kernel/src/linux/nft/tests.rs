#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{chain, table};
use crate::{NftChain, NftFamily, NftTable};

/// By hand after linux/netfilter/nf_tables.h: table `ip6 kube-proxy`.
const TABLE: &[u8] = &[
    10, 0, 0, 7, // NFPROTO_IPV6, version 0, generation 7
    15, 0, 1, 0, b'k', b'u', b'b', b'e', b'-', b'p', b'r', b'o', b'x', b'y', 0, 0, // NAME
    8, 0, 2, 0, 0, 0, 0, 0, // FLAGS
    8, 0, 3, 0, 0, 0, 0, 12, // USE
];

#[test]
fn reads_family_and_name() {
    let expected = NftTable {
        family: NftFamily::Ip6,
        name: "kube-proxy".to_owned(),
    };
    assert_eq!(expected.to_string(), "ip6 kube-proxy");
    assert_eq!(table(TABLE), Ok(expected));
}

/// Chain `nat KUBE-SERVICES` of family ip.
const CHAIN: &[u8] = &[
    2, 0, 0, 7, // NFPROTO_IPV4, version 0, generation 7
    8, 0, 1, 0, b'n', b'a', b't', 0, // TABLE
    12, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, // HANDLE
    18, 0, 3, 0, b'K', b'U', b'B', b'E', b'-', b'S', b'E', b'R', b'V', b'I', b'C', b'E', b'S', 0,
    0, 0, // NAME
];

#[test]
fn reads_the_table_and_the_name_of_a_chain() {
    let table = NftTable {
        family: NftFamily::Ip,
        name: "nat".to_owned(),
    };
    let expected = NftChain {
        table,
        name: "KUBE-SERVICES".to_owned(),
    };
    assert_eq!(chain(CHAIN), Ok(expected));
    let nameless = &CHAIN[..24];
    assert_eq!(chain(nameless), Err("a chain has no name".to_owned()));
}

#[test]
fn a_table_without_a_name_is_an_error() {
    let nameless = [&TABLE[..4], &TABLE[20..]].concat();
    assert_eq!(table(&nameless), Err("a table has no name".to_owned()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = table(&bytes);
        let _ = chain(&bytes);
    }
}
