//! The bytes are written by hand after linux/ip_vs.h, as a little-endian kernel lays them out.
#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{FAMILY_NAME, destination, destinations_of, family_id, service};
use crate::{Forwarding, IpFamily, IpvsDestination, IpvsMatch, IpvsProtocol, IpvsService};

/// TCP 10.10.0.2:80 with scheduler rr, as in a dump: flags, timeout, netmask and an attribute from the future included.
const SERVICE_V4: &[u8] = &[
    1, 1, 0, 0, // IPVS_CMD_NEW_SERVICE, version 1
    88, 0, 1, 0, // IPVS_CMD_ATTR_SERVICE, 4 + 84 bytes
    6, 0, 1, 0, 2, 0, 0, 0, // AF = AF_INET, padded
    6, 0, 2, 0, 6, 0, 0, 0, // PROTOCOL = TCP, padded
    20, 0, 3, 0, 10, 10, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ADDR
    6, 0, 4, 0, 0, 80, 0, 0, // PORT, big endian
    7, 0, 6, 0, b'r', b'r', 0, 0, // SCHED_NAME
    12, 0, 7, 0, 2, 0, 0, 0, 255, 255, 255, 255, // FLAGS: hashed, mask
    8, 0, 8, 0, 0, 0, 0, 0, // TIMEOUT
    8, 0, 9, 0, 255, 255, 255, 255, // NETMASK
    4, 0, 99, 0, // not known to this reader
];

/// UDP [fd10:10::2]:53.
const SERVICE_V6: &[u8] = &[
    1, 1, 0, 0, //
    56, 0, 1, 0x80, // IPVS_CMD_ATTR_SERVICE with the flag for nesting
    6, 0, 1, 0, 10, 0, 0, 0, // AF = AF_INET6
    6, 0, 2, 0, 17, 0, 0, 0, // PROTOCOL = UDP
    20, 0, 3, 0, 0xfd, 0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // ADDR
    6, 0, 4, 0, 0, 53, 0, 0, // PORT
    8, 0, 6, 0, b'w', b'r', b'r', 0, // SCHED_NAME
];

/// 10.244.1.7:8080 by masquerading, weight 1, three connections open and one closing.
const DESTINATION_V4: &[u8] = &[
    5, 1, 0, 0, // IPVS_CMD_NEW_DEST
    72, 0, 2, 0, // IPVS_CMD_ATTR_DEST, 4 + 68 bytes
    20, 0, 1, 0, 10, 244, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ADDR
    6, 0, 2, 0, 0x1f, 0x90, 0, 0, // PORT
    8, 0, 3, 0, 0, 0, 0, 0, // FWD_METHOD
    8, 0, 4, 0, 1, 0, 0, 0, // WEIGHT
    8, 0, 7, 0, 3, 0, 0, 0, // ACTIVE_CONNS
    8, 0, 8, 0, 1, 0, 0, 0, // INACT_CONNS
    6, 0, 11, 0, 2, 0, 0, 0, // ADDR_FAMILY
];

/// What the controller says of the family: number 33, name IPVS, version 1.
const FAMILY: &[u8] = &[
    1, 2, 0, 0, // CTRL_CMD_NEWFAMILY
    9, 0, 2, 0, b'I', b'P', b'V', b'S', 0, 0, 0, 0, // FAMILY_NAME
    6, 0, 1, 0, 33, 0, 0, 0, // FAMILY_ID
    8, 0, 3, 0, 1, 0, 0, 0, // VERSION
];

fn tcp(ip: &str, port: u16) -> IpvsMatch {
    IpvsMatch::Address {
        ip: ip.parse().expect("an address"),
        protocol: IpvsProtocol::Tcp,
        port,
    }
}

#[test]
fn reads_a_service_of_either_family() {
    let read = service(SERVICE_V4).unwrap().unwrap();
    let expected = IpvsService {
        matches: tcp("10.10.0.2", 80),
        scheduler: "rr".to_owned(),
    };
    assert_eq!(read, expected);
    assert_eq!(read.matches.to_string(), "TCP 10.10.0.2:80");
    let read = service(SERVICE_V6).unwrap().unwrap();
    assert_eq!(read.matches.to_string(), "UDP [fd10:10::2]:53");
    assert_eq!(read.scheduler, "wrr");
}

#[test]
fn reads_a_service_by_mark() {
    let bytes = [
        1, 1, 0, 0, 20, 0, 1, 0, // SERVICE
        6, 0, 1, 0, 10, 0, 0, 0, // AF = AF_INET6
        8, 0, 5, 0, 0x39, 5, 0, 0, // FWMARK = 1337
    ];
    let family = IpFamily::V6;
    let matches = IpvsMatch::Mark { family, mark: 1337 };
    assert_eq!(service(&bytes).unwrap().unwrap().matches, matches);
}

#[test]
fn reads_a_destination_also_from_a_kernel_that_does_not_name_its_family() {
    let expected = IpvsDestination {
        ip: "10.244.1.7".parse().unwrap(),
        port: 8080,
        forwarding: Forwarding::Masquerade,
        weight: 1,
        active: 3,
        inactive: 1,
    };
    let read = destination(DESTINATION_V4, IpFamily::V6);
    assert_eq!(read, Ok(Some(expected.clone())), "its own family wins");
    let mut old = DESTINATION_V4[..DESTINATION_V4.len() - 8].to_vec();
    old[4] = 64;
    assert_eq!(destination(&old, IpFamily::V4), Ok(Some(expected)));
}

#[test]
fn finds_the_family_only_by_its_whole_name() {
    assert_eq!(family_id(FAMILY, FAMILY_NAME), Ok(Some(33)));
    let mut other = FAMILY.to_vec();
    other[8] = b'J';
    assert_eq!(family_id(&other, FAMILY_NAME), Ok(None));
}

#[test]
fn a_message_about_something_else_is_passed_over() {
    assert_eq!(service(DESTINATION_V4), Ok(None));
    assert_eq!(destination(SERVICE_V4, IpFamily::V4), Ok(None));
}

#[test]
fn an_address_of_another_length_is_refused() {
    let bytes = [
        1, 1, 0, 0, 36, 0, 1, 0, 6, 0, 1, 0, 2, 0, 0, 0, 6, 0, 2, 0, 6, 0, 0, 0, //
        8, 0, 3, 0, 10, 10, 0, 2, 6, 0, 4, 0, 0, 80, 0, 0,
    ];
    assert_eq!(
        service(&bytes),
        Err("an address has 4 bytes and not 16".to_owned())
    );
}

#[test]
fn a_cut_message_is_an_error_and_not_a_half_service() {
    for length in 0..48 {
        assert!(service(&SERVICE_V4[..length]).is_err(), "{length}");
    }
}

#[test]
fn asks_for_destinations_in_the_kernels_words() {
    let expected = [
        8, 1, 0, 0, // IPVS_CMD_GET_DEST
        48, 0, 1, 0x80, // IPVS_CMD_ATTR_SERVICE, nested
        6, 0, 1, 0, 2, 0, 0, 0, // AF
        6, 0, 2, 0, 6, 0, 0, 0, // PROTOCOL
        20, 0, 3, 0, 10, 10, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ADDR
        6, 0, 4, 0, 0, 80, 0, 0, // PORT
    ];
    assert_eq!(destinations_of(&tcp("10.10.0.2", 80)), expected);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        let _ = (service(&bytes), destination(&bytes, IpFamily::V6), family_id(&bytes, FAMILY_NAME));
    }

    #[test]
    fn no_damage_makes_a_reader_panic(
        which in 0_usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = [SERVICE_V4, SERVICE_V6, DESTINATION_V4, FAMILY][which].to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = (service(&bytes), destination(&bytes, IpFamily::V4), family_id(&bytes, FAMILY_NAME));
    }
}
