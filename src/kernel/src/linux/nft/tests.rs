#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::table;
use crate::{NftFamily, NftTable};

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

#[test]
fn a_table_without_a_name_is_an_error() {
    let nameless = [&TABLE[..4], &TABLE[20..]].concat();
    assert_eq!(table(&nameless), Err("a table has no name".to_owned()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = table(&bytes);
    }
}
