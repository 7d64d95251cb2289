#![cfg(target_endian = "little")]

use proptest::prelude::*;

use super::target;
use crate::IpFamily;
use crate::attributes::put;

/// As kernel 6.18 gave the rule that iptables 1.8.9 made of
/// `-A KUBE-SERVICES -p tcp -d 10.9.0.2 --dport 93 -j KUBE-SVC-A`.
#[rustfmt::skip]
const CAPTURED: &[u8] = &[
    2, 0, 0, 2, // NFPROTO_IPV4, version 0, generation 2
    8, 0, 1, 0, b'n', b'a', b't', 0, // TABLE
    18, 0, 2, 0, b'K', b'U', b'B', b'E', b'-', b'S', b'E', b'R', b'V', b'I', b'C', b'E', b'S', 0, 0, 0, // CHAIN
    12, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4, // HANDLE
    128, 1, 4, 0, // EXPRESSIONS
    36, 0, 1, 0, 9, 0, 1, 0, b'm', b'e', b't', b'a', 0, 0, 0, 0, // ELEM, NAME
    20, 0, 2, 0, 8, 0, 2, 0, 0, 0, 0, 16, 8, 0, 1, 0, 0, 0, 0, 1, // DATA: KEY = L4PROTO, DREG = 1
    44, 0, 1, 0, 8, 0, 1, 0, b'c', b'm', b'p', 0,
    32, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 0, // SREG = 1, OP = EQ
    12, 0, 3, 0, 5, 0, 1, 0, 6, 0, 0, 0, // DATA, VALUE = TCP
    52, 0, 1, 0, 12, 0, 1, 0, b'p', b'a', b'y', b'l', b'o', b'a', b'd', 0,
    36, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 1, // DREG = 1, BASE = NETWORK
    8, 0, 3, 0, 0, 0, 0, 16, 8, 0, 4, 0, 0, 0, 0, 4, // OFFSET, LEN
    44, 0, 1, 0, 8, 0, 1, 0, b'c', b'm', b'p', 0,
    32, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 0,
    12, 0, 3, 0, 8, 0, 1, 0, 10, 9, 0, 2,
    52, 0, 1, 0, 12, 0, 1, 0, b'p', b'a', b'y', b'l', b'o', b'a', b'd', 0,
    36, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 2, // DREG = 1, BASE = TRANSPORT
    8, 0, 3, 0, 0, 0, 0, 2, 8, 0, 4, 0, 0, 0, 0, 2,
    44, 0, 1, 0, 8, 0, 1, 0, b'c', b'm', b'p', 0,
    32, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 0,
    12, 0, 3, 0, 6, 0, 1, 0, 0, 93, 0, 0,
    44, 0, 1, 0, 12, 0, 1, 0, b'c', b'o', b'u', b'n', b't', b'e', b'r', 0,
    28, 0, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    64, 0, 1, 0, 14, 0, 1, 0, b'i', b'm', b'm', b'e', b'd', b'i', b'a', b't', b'e', 0, 0, 0,
    44, 0, 2, 0, 8, 0, 1, 0, 0, 0, 0, 0, // DREG = the verdict
    32, 0, 2, 0, 28, 0, 2, 0, // DATA, VERDICT
    8, 0, 1, 0, 255, 255, 255, 253, // CODE = NFT_JUMP
    15, 0, 2, 0, b'K', b'U', b'B', b'E', b'-', b'S', b'V', b'C', b'-', b'A', 0, 0, // CHAIN
];

/// One attribute.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, kind, value);
    bytes
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn expression(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
    let name = attribute(1, format!("{name}\0").as_bytes());
    let data = attribute(2, &data.concat());
    attribute(1, &[name, data].concat())
}

fn payload(base: u32, offset: u32, length: u32) -> Vec<u8> {
    let place = [number(2, base), number(3, offset), number(4, length)];
    expression("payload", &[number(1, 1), place.concat()])
}

fn meta(key: u32) -> Vec<u8> {
    expression("meta", &[number(2, key), number(1, 1)])
}

fn mask(bytes: &[u8], xor: &[u8]) -> Vec<u8> {
    let registers = [number(1, 1), number(2, 1), number(3, bytes.len() as u32)];
    let mask = attribute(4, &attribute(1, bytes));
    let xor = attribute(5, &attribute(1, xor));
    expression("bitwise", &[registers.concat(), mask, xor])
}

fn compare(operator: u32, value: &[u8]) -> Vec<u8> {
    let value = attribute(3, &attribute(1, value));
    expression("cmp", &[number(1, 1), number(2, operator), value])
}

fn matching(name: &str, info: &[u8]) -> Vec<u8> {
    let name = attribute(1, format!("{name}\0").as_bytes());
    expression("match", &[name, number(2, 0), attribute(3, info)])
}

fn go(code: i32, chain: &str) -> Vec<u8> {
    let chain = attribute(2, format!("{chain}\0").as_bytes());
    let verdict = [attribute(1, &code.to_be_bytes()), chain].concat();
    let data = attribute(2, &attribute(2, &verdict));
    expression("immediate", &[number(1, 0), data])
}

fn rule(expressions: &[Vec<u8>]) -> Vec<u8> {
    let expressions = attribute(4, &expressions.concat());
    [vec![2, 0, 0, 7], attribute(1, b"nat\0"), expressions].concat()
}

/// The target of a rule, as it prints.
fn read(family: IpFamily, expressions: &[Vec<u8>]) -> Option<String> {
    let target = target(&rule(expressions), family).unwrap();
    target.map(|target| target.to_string())
}

const ADDRESS: &[u8] = &[10, 9, 0, 2];
const XT_TCP: &[u8] = &[0, 0, 255, 255, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The parts of `-p tcp -d 10.9.0.2 --dport 80 -j KUBE-EXT-A` as of late.
fn parts() -> Vec<Vec<u8>> {
    vec![
        meta(16),
        compare(0, &[6]),
        payload(1, 16, 4),
        compare(0, ADDRESS),
        payload(2, 2, 2),
        compare(0, &[0, 80]),
        expression("counter", &[]),
        go(-3, "KUBE-EXT-A"),
    ]
}

fn of_parts(parts: &[Vec<u8>]) -> Option<String> {
    read(IpFamily::V4, parts)
}

#[test]
fn reads_a_rule_as_the_kernel_gives_it() {
    let read = target(CAPTURED, IpFamily::V4).unwrap().unwrap();
    assert_eq!(read.to_string(), "TCP 10.9.0.2:93");
    assert_eq!(of_parts(&parts()).as_deref(), Some("TCP 10.9.0.2:80"));
}

#[test]
fn reads_a_rule_as_older_versions_of_iptables_write_it() {
    let old = [
        payload(1, 16, 4),
        mask(&[255; 4], &[0; 4]),
        compare(0, ADDRESS),
        payload(1, 9, 1),
        compare(0, &[6]),
        matching("comment", b"default/web:http loadbalancer IP\0"),
        matching("tcp", XT_TCP),
        expression("counter", &[]),
        go(-3, "KUBE-FW-A"),
    ];
    let read_v4 = read(IpFamily::V4, &old);
    assert_eq!(read_v4.as_deref(), Some("TCP 10.9.0.2:80"));
    let ip: std::net::Ipv6Addr = "fd00::2".parse().unwrap();
    let old = [
        payload(1, 24, 16),
        mask(&[255; 16], &[0; 16]),
        compare(0, &ip.octets()),
        meta(16),
        compare(0, &[17]),
        matching("udp", XT_TCP),
        go(-4, "KUBE-SVC-A"),
    ];
    let read_v6 = read(IpFamily::V6, &old);
    assert_eq!(read_v6.as_deref(), Some("UDP [fd00::2]:80"));
}

#[test]
fn a_rule_that_lacks_a_part_is_no_target() {
    for missing in [0..2, 2..4, 4..6, 7..8] {
        let mut parts = parts();
        parts.drain(missing.clone());
        assert_eq!(of_parts(&parts), None, "{missing:?}");
    }
}

#[test]
fn a_rule_with_another_condition_is_no_target() {
    let others = [
        (
            "an inverted comparison",
            vec![payload(1, 16, 4), compare(1, ADDRESS)],
        ),
        ("a source", vec![payload(1, 12, 4), compare(0, ADDRESS)]),
        ("a mark", vec![meta(3), compare(0, &[1, 0, 0, 0])]),
        (
            "a second port",
            vec![payload(2, 2, 2), compare(0, &[0, 81])],
        ),
        ("another match", vec![matching("addrtype", &[0; 8])]),
        ("another expression", vec![expression("fib", &[])]),
        (
            "a mark that is set",
            vec![expression("meta", &[number(2, 3), number(3, 1)])],
        ),
        ("a number", vec![expression("immediate", &[number(1, 1)])]),
    ];
    for (what, other) in others {
        let mut parts = parts();
        parts.splice(6..6, other);
        assert_eq!(of_parts(&parts), None, "{what}");
    }
}

#[test]
fn a_mask_that_takes_bits_away_makes_a_subnet() {
    for (bytes, xor) in [([255, 255, 255, 0], [0; 4]), ([255; 4], [0, 0, 0, 1])] {
        let mut parts = parts();
        parts.insert(3, mask(&bytes, &xor));
        assert_eq!(of_parts(&parts), None, "{bytes:?} {xor:?}");
    }
}

#[test]
fn only_a_jump_to_a_chain_of_a_service_counts() {
    for (code, chain) in [
        (-3, "KUBE-NODEPORTS"),
        (-3, "KUBE-MARK-MASQ"),
        (-3, "OTHER-KUBE-SVC-A"),
        (-5, "KUBE-SVC-A"),
        (1, ""),
    ] {
        let mut parts = parts();
        *parts.last_mut().unwrap() = go(code, chain);
        assert_eq!(of_parts(&parts), None, "{code} {chain}");
    }
}

#[test]
fn a_cut_rule_is_an_error_and_not_a_half_target() {
    for length in 0..4 {
        assert!(target(&CAPTURED[..length], IpFamily::V4).is_err());
    }
    for length in 60..CAPTURED.len() {
        let read = target(&CAPTURED[..length], IpFamily::V4);
        assert!(!matches!(read, Ok(Some(_))), "{length}: {read:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (target(&bytes, IpFamily::V4), target(&bytes, IpFamily::V6));
    }

    #[test]
    fn no_damage_makes_it_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let old = rule(&[payload(1, 16, 4), mask(&[255; 4], &[0; 4]), matching("tcp", XT_TCP)]);
        for mut bytes in [CAPTURED.to_vec(), old] {
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = target(&bytes, IpFamily::V4);
        }
    }
}
