//! Frames and stations for tests. The frames were captured between two Linux 6 hosts on one segment: `OTHER` with
//! 10.77.0.3 and fd77::3, and `OWN` with 10.77.0.200 and fd77::12:3456.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::Mac;

pub(super) const OTHER: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x01]);
pub(super) const OWN: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
pub(super) const THIRD: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0c]);

pub(super) const VIP4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 200);
pub(super) const OTHER4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
pub(super) const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0x0012, 0x3456);
pub(super) const OTHER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 3);

/// Who has 10.77.0.200? Tell 10.77.0.3.
pub(super) const ARP_REQUEST: &str = "ffffffffffff 525400770001 0806 0001 0800 06 04 0001
    525400770001 0a4d0003 000000000000 0a4d00c8";

/// 10.77.0.200 is at `OWN`.
pub(super) const ARP_REPLY: &str = "525400770001 52540077000b 0806 0001 0800 06 04 0002
    52540077000b 0a4d00c8 525400770001 0a4d0003";

/// 10.77.0.200 is at `OWN` now; sent because of `arp_notify`.
pub(super) const ARP_ANNOUNCEMENT: &str = "ffffffffffff 52540077000b 0806 0001 0800 06 04 0001
    52540077000b 0a4d00c8 000000000000 0a4d00c8";

/// Who has fd77::12:3456? Tell fd77::3.
pub(super) const SOLICITATION: &str = "3333ff123456 525400770001 86dd 60000000 0020 3a ff
    fd770000000000000000000000000003 ff0200000000000000000001ff123456
    87 00 c30f 00000000 fd770000000000000000000000123456 0101 525400770001";

/// fd77::12:3456 is at `OWN`: solicited, override.
pub(super) const ADVERTISEMENT: &str = "525400770001 52540077000b 86dd 60000000 0020 3a ff
    fd770000000000000000000000123456 fd770000000000000000000000000003
    88 00 6192 60000000 fd770000000000000000000000123456 0201 52540077000b";

/// fd77::12:3456 is at `OWN` now: override; sent because of `ndisc_notify`.
pub(super) const UNSOLICITED: &str = "333300000001 52540077000b 86dd 60000000 0020 3a ff
    fd770000000000000000000000123456 ff020000000000000000000000000001
    88 00 a009 20000000 fd770000000000000000000000123456 0201 52540077000b";

/// Duplicate address detection of `OWN` for fd77::12:3456, with a nonce (RFC 7527).
pub(super) const DAD: &str = "3333ff123456 52540077000b 86dd 60000000 0020 3a ff
    00000000000000000000000000000000 ff0200000000000000000001ff123456
    87 00 b3b7 00000000 fd770000000000000000000000123456 0e01 f084b51bacfe";

/// The same of `OTHER`, without a nonce; sent because of `enhanced_dad` 0.
pub(super) const PLAIN_DAD: &str = "3333ff123456 525400770001 86dd 60000000 0018 3a ff
    00000000000000000000000000000000 ff0200000000000000000001ff123456
    87 00 1460 00000000 fd770000000000000000000000123456";

/// `OWN` asks `OTHER` alone whether it still has fd77::3.
pub(super) const UNICAST_SOLICITATION: &str = "525400770001 52540077000b 86dd 60000000 0020 3a ff
    fe80000000000000505400fffe77000b fd770000000000000000000000000003
    87 00 db80 00000000 fd770000000000000000000000000003 0101 52540077000b";

/// The answer to it, without a link-layer address: solicited.
pub(super) const PLAIN_ADVERTISEMENT: &str = "52540077000b 525400770001 86dd 60000000 0018 3a ff
    fd770000000000000000000000000003 fe80000000000000505400fffe77000b
    88 00 ee5f 40000000 fd770000000000000000000000000003";

/// A router solicitation: ICMPv6, but another message.
pub(super) const ROUTER_SOLICITATION: &str = "333300000002 525400770001 86dd 60000000 0010 3a ff
    fe80000000000000505400fffe770001 ff020000000000000000000000000002
    85 00 d995 00000000 0101 525400770001";

pub(super) const ALL: [&str; 11] = [
    ARP_REQUEST,
    ARP_REPLY,
    ARP_ANNOUNCEMENT,
    SOLICITATION,
    ADVERTISEMENT,
    UNSOLICITED,
    DAD,
    PLAIN_DAD,
    UNICAST_SOLICITATION,
    PLAIN_ADVERTISEMENT,
    ROUTER_SOLICITATION,
];

/// The bytes of hexadecimal digits, with any white space.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// `frame` with `bytes` from `at` on.
pub(super) fn with(frame: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = hex(frame);
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

/// The sum over a frame of ICMPv6 that a right checksum makes 0xffff, by another way than the product's: the remainder
/// of the whole as one large number (RFC 1071 section 1: sums of one's complement are sums modulo 0xffff).
pub(super) fn is_sum_right(frame: &[u8]) -> bool {
    let (addresses, message) = (&frame[22..54], &frame[54..]);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let covered = [addresses, &length, &[0, 0, 0, 58], message].concat();
    let remainder = covered
        .iter()
        .fold(0_u32, |rest, byte| (rest * 256 + u32::from(*byte)) % 0xffff);
    covered.len().is_multiple_of(2) && remainder == 0
}

/// `frame` with the checksum made right.
pub(super) fn resummed(mut frame: Vec<u8>) -> Vec<u8> {
    for checksum in 0..=u16::MAX {
        frame[56..58].copy_from_slice(&checksum.to_be_bytes());
        if is_sum_right(&frame) {
            return frame;
        }
    }
    panic!("no checksum fits");
}

/// Any address that a station can have.
pub(super) fn any_station() -> impl Strategy<Value = Mac> {
    let one_of_few = prop::sample::select(vec![OTHER, OWN, THIRD]);
    let any_other = any::<[u8; 6]>().prop_map(|[first, rest @ ..]| {
        let [b, c, d, e, f] = rest;
        Mac([first & !1 | 2, b, c, d, e, f])
    });
    prop_oneof![one_of_few, any_other]
}

/// Any address on the wire: also of groups.
pub(super) fn any_mac() -> impl Strategy<Value = Mac> {
    prop_oneof![
        any_station(),
        Just(Mac::BROADCAST),
        any::<[u8; 6]>().prop_map(Mac)
    ]
}

pub(super) fn any_ipv4() -> impl Strategy<Value = Ipv4Addr> {
    let few = vec![VIP4, OTHER4, Ipv4Addr::UNSPECIFIED];
    prop_oneof![prop::sample::select(few), any::<Ipv4Addr>()]
}

/// Any address of IPv6 but those of groups.
pub(super) fn any_unicast_ipv6() -> impl Strategy<Value = Ipv6Addr> {
    let few = vec![VIP6, OTHER6, Ipv6Addr::UNSPECIFIED];
    let any_other = any::<Ipv6Addr>().prop_filter("a group", |address| !address.is_multicast());
    prop_oneof![prop::sample::select(few), any_other]
}

/// A captured frame with some bytes changed and its end cut off.
pub(super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let cut = prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)];
    (prop::sample::select(ALL.to_vec()), damage, cut).prop_map(|(frame, damage, cut)| {
        let mut frame = hex(frame);
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len() + 1));
        }
        frame
    })
}
