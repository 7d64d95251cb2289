//! The bytes are written by hand after linux/netfilter/nf_tables.h, as a little-endian kernel takes them.
#![cfg(target_endian = "little")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Closed, ELEMENTS_PER_MESSAGE, SETS, of_closed};
use crate::{IpvsProtocol, Open, PortFilter};

fn filter(ip: &str, ports: &[(IpvsProtocol, u16)]) -> PortFilter {
    let mut filter = PortFilter::default();
    let open = Open {
        ports: ports.iter().copied().collect(),
        ping: true,
    };
    filter.addresses.insert(ip.parse().unwrap(), open);
    filter
}

#[test]
fn a_port_is_an_element_of_the_set_of_its_family_and_padded() {
    let [_, _, four, six, ..] = SETS;
    let port = (IpvsProtocol::Udp, 0x1234);
    let filter = filter("10.9.0.100", &[port]);
    assert!(six.keys(&filter).is_empty());
    #[rustfmt::skip]
    let expected = [
        12, 0, 1, 0, b'm', b'o', b'o', b'r', b'i', b'n', b'g', 0, // NFTA_SET_ELEM_LIST_TABLE
        14, 0, 2, 0, b's', b'e', b'r', b'v', b'i', b'c', b'e', b's', b'4', 0, 0, 0, // NFTA_SET_ELEM_LIST_SET
        28, 0, 3, 0x80, 24, 0, 1, 0x80, 20, 0, 1, 0x80, // NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY
        16, 0, 1, 0, 10, 9, 0, 100, 17, 0, 0, 0, 0x12, 0x34, 0, 0, // NFTA_DATA_VALUE
    ];
    assert_eq!(four.object().elements(&four.elements(&filter)), expected);
}

#[test]
fn a_set_says_how_long_its_keys_are_and_what_they_mean() {
    let keys = SETS.map(|set| set.key());
    let of = |address: u32| address << 12 | 12 << 6 | 13;
    let services = [(of(7), 12), (of(8), 24)];
    let [_, _, _, _, silent @ ..] = keys;
    assert_eq!(keys[..2], [(7, 4), (8, 16)]);
    assert_eq!(keys[2..4], services);
    assert_eq!(silent, [(7, 4), (8, 16)]);
}

#[test]
fn no_attribute_is_longer_than_its_length_can_say() {
    let mut filter = PortFilter::default();
    for number in 0..=u16::MAX {
        let ip = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, number]);
        let open = Open {
            ports: BTreeSet::from([(IpvsProtocol::Tcp, 80)]),
            ping: true,
        };
        filter.addresses.insert(ip, open);
    }
    let [_, _, _, six, ..] = SETS;
    let keys = six.keys(&filter);
    assert_eq!(keys.len(), 1 << 16);
    let longest = six
        .object()
        .elements(&six.elements(&filter)[..ELEMENTS_PER_MESSAGE]);
    assert!(longest.len() < usize::from(u16::MAX), "{}", longest.len());
}

#[test]
fn a_number_that_is_no_transport_stands_for_nothing() {
    let [_, _, four, ..] = SETS;
    let other = |number| (IpvsProtocol::Other(number), 80);
    let filter = filter("10.9.0.100", &[other(255), other(256)]);
    let keys = four.keys(&filter);
    assert_eq!(keys, [[10, 9, 0, 100, 255, 0, 0, 0, 0, 80, 0, 0]]);
}

#[test]
fn an_address_is_silent_if_it_shall_not_answer_echo_requests() {
    let mut filter = filter("10.9.0.100", &[]);
    let [.., four, six] = SETS;
    assert!(four.keys(&filter).is_empty());
    for ip in ["10.9.0.101", "fd00::101"] {
        filter
            .addresses
            .insert(ip.parse().unwrap(), Open::default());
    }
    assert_eq!(four.keys(&filter), [[10, 9, 0, 101]]);
    assert_eq!(six.keys(&filter).len(), 1);
}

#[test]
fn closed_ports_are_handled_as_the_kernel_can() {
    let rules = |closed| of_closed(closed).collect::<Vec<_>>();
    let says = |rules: &[Vec<u8>], word: &[u8]| {
        let of = |rule: &Vec<u8>| rule.windows(word.len()).any(|window| window == word);
        rules.iter().filter(|rule| of(rule)).count()
    };
    let (rejecting, dropping) = (rules(Closed::Reject), rules(Closed::Drop));
    assert_eq!(says(&rejecting, b"reject"), 2);
    assert_eq!(says(&rejecting, b"silent"), 2);
    assert_eq!(says(&dropping, b"reject"), 0);
    assert_eq!(dropping[..7], rejecting[..7]);
    assert_eq!(dropping.len(), 8);
}
