//! The bytes are written by hand after linux/if_addr.h, as a little-endian kernel takes them.
#![cfg(target_endian = "little")]

use std::time::Duration;

use super::{message, which};
use crate::{AddressFlags, Lifetime, NewAddress};

#[test]
fn says_address_flags_and_lifetimes_in_the_kernels_words() {
    let address = NewAddress {
        link: 3,
        ip: "10.9.0.100".parse().unwrap(),
        prefix: 32,
        flags: AddressFlags::NO_PREFIX_ROUTE,
        valid: Lifetime::For(Duration::from_secs(20)),
        preferred: Lifetime::For(Duration::ZERO),
    };
    let expected = [
        2, 32, 0, 0, 3, 0, 0, 0, // AF_INET, /32, no flags, scope global, link 3
        8, 0, 2, 0, 10, 9, 0, 100, // IFA_LOCAL
        8, 0, 1, 0, 10, 9, 0, 100, // IFA_ADDRESS
        8, 0, 8, 0, 0, 2, 0, 0, // IFA_FLAGS = IFA_F_NOPREFIXROUTE
        20, 0, 6, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // IFA_CACHEINFO
    ];
    assert_eq!(message(&address), expected);
}

#[test]
fn names_an_ipv6_address_by_all_its_bytes() {
    let bytes = which(7, "fd00::100".parse().unwrap(), 128);
    assert_eq!(bytes.len(), 8 + 20 + 20);
    assert_eq!(bytes[..8], [10, 128, 0, 0, 7, 0, 0, 0]);
    assert_eq!(bytes[8..14], [20, 0, 2, 0, 0xfd, 0]);
    assert_eq!(bytes[46..], [1, 0]);
}
