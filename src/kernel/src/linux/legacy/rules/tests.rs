#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::{Layout, V4, V6, targets};
use crate::{IpFamily, IpvsProtocol, ServiceTarget};

/// `xt_tcp`: any source port, destination port 80, padded.
const TO_80: [u8; 16] = [0, 0, 255, 255, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const DESTINATION: usize = 1;
const MASK: usize = 3;

/// A match or a target.
fn extension(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    bytes[2..2 + name.len()].copy_from_slice(name.as_bytes());
    bytes.extend(data);
    let size = u16::try_from(bytes.len()).unwrap();
    bytes[..2].copy_from_slice(&size.to_le_bytes());
    bytes
}

fn entry(
    layout: &Layout,
    change: impl FnOnce(&mut [u8]),
    matches: &[u8],
    target: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; layout.whole];
    change(&mut bytes);
    let offset = layout.whole + matches.len();
    for (at, value) in [(0, offset), (2, offset + target.len())] {
        let at = layout.offsets + at;
        bytes[at..at + 2].copy_from_slice(&u16::try_from(value).unwrap().to_le_bytes());
    }
    [&bytes, matches, target].concat()
}

/// What begins a chain.
fn chain(layout: &Layout, name: &str) -> Vec<u8> {
    let mut data = [0; 32];
    data[..name.len()].copy_from_slice(name.as_bytes());
    entry(layout, |_| {}, &[], &extension("ERROR", &data))
}

fn verdict(verdict: i32) -> Vec<u8> {
    extension("", &[verdict.to_le_bytes(), [0; 4]].concat())
}

fn returns(layout: &Layout) -> Vec<u8> {
    entry(layout, |_| {}, &[], &verdict(-5))
}

/// The condition `-d` with one address, and `-p tcp`.
fn to_one(layout: &Layout, ip: &[u8], head: &mut [u8]) {
    for (part, value) in [(DESTINATION, ip), (MASK, &vec![0xff; ip.len()])] {
        let at = part * layout.address;
        head[at..at + ip.len()].copy_from_slice(value);
    }
    head[layout.protocol] = 6;
}

/// KUBE-SERVICES with one rule for port 80, which `change` may spoil, before a chain of that name.
fn table(layout: &Layout, ip: &[u8], other: &str, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let begins = [chain(layout, "PREROUTING"), chain(layout, "KUBE-SERVICES")].concat();
    let matches = [extension("comment", &[b'x'; 256]), extension("tcp", &TO_80)].concat();
    let rule = |to: i32| {
        let head = |head: &mut [u8]| {
            to_one(layout, ip, head);
            change(head);
        };
        entry(layout, head, &matches, &verdict(to))
    };
    let behind = [returns(layout), chain(layout, other)].concat();
    let to = begins.len() + rule(0).len() + behind.len();
    let rule = rule(i32::try_from(to).unwrap());
    let last = [returns(layout), chain(layout, "ERROR")].concat();
    [begins, rule, behind, last].concat()
}

fn whole() -> [(IpFamily, Vec<u8>, ServiceTarget); 2] {
    let v6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let target = |ip: &str| ServiceTarget {
        ip: ip.parse().unwrap(),
        protocol: IpvsProtocol::Tcp,
        port: 80,
    };
    let of_v4 = table(&V4, &[10, 9, 0, 2], "KUBE-EXT-A", |_| {});
    let of_v6 = table(&V6, &v6, "KUBE-EXT-A", |_| {});
    [
        (IpFamily::V4, of_v4, target("10.9.0.2")),
        (IpFamily::V6, of_v6, target("fd00::2")),
    ]
}

#[test]
fn a_rule_that_takes_a_port_of_an_address_to_a_service_is_found() {
    for (family, entries, target) in whole() {
        assert_eq!(targets(&entries, family), Ok(vec![target]));
    }
}

#[test]
fn other_chains_and_other_conditions_are_passed_over() {
    let ip = [10, 9, 0, 2];
    let nothing = Ok(Vec::new());
    let other = table(&V4, &ip, "OTHER", |_| {});
    assert_eq!(targets(&other, IpFamily::V4), nothing);
    for (at, what) in [
        (8, "a source"),
        (48, "an interface"),
        (82, "fragments"),
        (83, "an inversion"),
    ] {
        let entries = table(&V4, &ip, "KUBE-EXT-A", |head| head[at] = 1);
        assert_eq!(targets(&entries, IpFamily::V4), nothing, "{what}");
    }
    let goes = table(&V4, &ip, "KUBE-EXT-A", |head| head[82] = 2);
    assert_eq!(targets(&goes, IpFamily::V4).unwrap().len(), 1, "goto");
    let net = table(&V4, &ip, "KUBE-EXT-A", |head| head[15] = 0);
    assert_eq!(targets(&net, IpFamily::V4), nothing);
    assert_eq!(targets(&[], IpFamily::V4), nothing);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_run_for_ever(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = targets(&bytes, IpFamily::V4);
        let _ = targets(&bytes, IpFamily::V6);
    }

    #[test]
    fn what_is_cut_off_or_spoiled_is_told(cut in 0..3000usize, at in 0..3000usize, byte in any::<u8>()) {
        for (family, mut entries, _) in whole() {
            let length = entries.len();
            entries[at % length] = byte;
            let _ = targets(&entries[..cut % length], family);
        }
        for (family, entries, target) in whole() {
            let found = targets(&entries[..cut % entries.len()], family);
            prop_assert!(found.is_err() || found.as_ref().is_ok_and(|found| found.iter().all(|found| *found == target)));
        }
    }
}
