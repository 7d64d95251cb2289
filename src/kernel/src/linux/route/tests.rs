#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{decode, decode_host, is_default};
use crate::{DefaultRoute, HostRoute};

/// By hand after linux/rtnetlink.h: the start of `default ... metric 7` of the main table, static, unicast.
const HEADER: &[u8] = &[2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
const TABLE: &[u8] = &[8, 0, 15, 0, 254, 0, 0, 0];
const METRIC: &[u8] = &[8, 0, 6, 0, 7, 0, 0, 0];
const LINK: &[u8] = &[8, 0, 4, 0, 3, 0, 0, 0];
/// Two next hops, of links 3 and 9, the first with a gateway.
const HOPS: &[u8] = &[
    28, 0, 9, 0, // RTA_MULTIPATH
    16, 0, 0, 0, 3, 0, 0, 0, 8, 0, 5, 0, 10, 9, 0, 1, // by 10.9.0.1
    8, 0, 0, 0, 9, 0, 0, 0,
];

fn route(link: u32, gateway: Option<&str>) -> DefaultRoute {
    DefaultRoute {
        metric: 7,
        link,
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
    }
}

#[test]
fn reads_metric_and_link() {
    let message = [HEADER, TABLE, METRIC, LINK].concat();
    assert!(is_default(&message));
    assert_eq!(decode(&message), Ok(Some(vec![route(3, None)])));
}

#[test]
fn reads_the_router_of_either_family() {
    let router = [8, 0, 5, 0, 10, 9, 0, 1];
    let message = [HEADER, TABLE, METRIC, LINK, &router].concat();
    let found = vec![route(3, Some("10.9.0.1"))];
    assert_eq!(decode(&message), Ok(Some(found)));
    let mut via = vec![22, 0, 18, 0, 10, 0];
    via.extend("fe80::9".parse::<std::net::Ipv6Addr>().unwrap().octets());
    via.extend([0, 0]);
    let message = [HEADER, TABLE, METRIC, &via, LINK].concat();
    let found = vec![route(3, Some("fe80::9"))];
    assert_eq!(decode(&message), Ok(Some(found)));
}

#[test]
fn each_next_hop_is_a_way() {
    let message = [HEADER, TABLE, METRIC, HOPS].concat();
    let ways = vec![route(3, Some("10.9.0.1")), route(9, None)];
    assert_eq!(decode(&message), Ok(Some(ways)));
}

#[test]
fn another_table_and_a_route_to_nowhere_do_not_count() {
    let mut other_table = TABLE.to_vec();
    other_table[4] = 100;
    let message = [HEADER, &other_table, METRIC, LINK].concat();
    assert_eq!(decode(&message), Ok(None));
    let mut unreachable = HEADER.to_vec();
    unreachable[7] = 7;
    let message = [&unreachable, TABLE, METRIC, LINK].concat();
    assert_eq!(decode(&message), Ok(None));
}

#[test]
fn a_route_to_one_address_names_it() {
    let mut header = HEADER.to_vec();
    header[1] = 32;
    let destination = [8, 0, 1, 0, 10, 77, 0, 200];
    let message = [&header, TABLE, &destination, LINK].concat();
    let found = HostRoute {
        ip: "10.77.0.200".parse().unwrap(),
        link: 3,
    };
    assert_eq!(decode_host(&message), Ok(Some(vec![found])));
    let nameless = [&header, TABLE, LINK].concat();
    assert!(decode_host(&nameless).is_err());
}

#[test]
fn a_route_to_a_subnet_is_no_default() {
    let mut subnet = HEADER.to_vec();
    subnet[1] = 24;
    assert!(!is_default(&subnet));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(&bytes);
        let _ = decode_host(&bytes);
    }
}
