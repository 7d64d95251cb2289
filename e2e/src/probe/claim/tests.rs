use std::net::Ipv4Addr;

use super::*;
use crate::probe::{ArpSender, arp_request, neighbour_solicitation};

const OWN: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 101]);
const NODE: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 11]);
const OTHER: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 12]);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 200);

/// An ARP packet of `NODE` about `VIP`: from a request, with the operation and the destination changed.
fn arp(operation: u8, destination: Mac) -> Vec<u8> {
    let mut frame = arp_request(NODE, ArpSender::Address(VIP), VIP).to_vec();
    frame[..6].copy_from_slice(&destination.0);
    frame[21] = operation;
    frame
}

/// An advertisement of `NODE`, made of a solicitation: the same layout, another type; the checksum follows.
fn advertisement(destination: Mac) -> Vec<u8> {
    let target = "fd77::200".parse().unwrap();
    let mut frame = neighbour_solicitation(NODE, target, target);
    frame[..6].copy_from_slice(&destination.0);
    frame[54] = 136;
    frame[78] = 2; // target link-layer address
    // The type counts in the upper byte of a word of the checksum, and so does the option's; ones' complement (RFC 1624).
    let sum = u32::from(u16::from_be_bytes([frame[56], frame[57]]));
    let mut new = u32::from(!(sum as u16)) + 0x0100 + 0x0100;
    new = (new & 0xffff) + (new >> 16);
    frame[56..58].copy_from_slice(&(!(new as u16)).to_be_bytes());
    frame
}

#[test]
fn claims_are_told_from_what_claims_nothing() {
    let claim = |audience| {
        Some(Claim {
            address: VIP.into(),
            mac: NODE,
            audience,
        })
    };
    let probe = arp_request(NODE, ArpSender::Probe, VIP).to_vec();
    let mut own = arp(2, Mac::BROADCAST);
    own[6..12].copy_from_slice(&OWN.0);
    let cases = [
        ("an answer", arp(2, OWN), claim(Audience::Asker)),
        ("an answer to another", arp(2, OTHER), None),
        (
            "a gratuitous reply",
            arp(2, Mac::BROADCAST),
            claim(Audience::Everybody),
        ),
        (
            "a gratuitous request",
            arp(1, Mac::BROADCAST),
            claim(Audience::Everybody),
        ),
        ("a probe", probe, None),
        ("what we said ourselves", own, None),
        ("too short", vec![0xff; 11], None),
        ("not even Ethernet", vec![], None),
    ];
    for (what, frame, expected) in cases {
        assert_eq!(parse_claim(&frame, OWN), expected, "{what}");
    }
}

#[test]
fn advertisements_claim_and_solicitations_do_not() {
    let target: std::net::Ipv6Addr = "fd77::200".parse().unwrap();
    let all_nodes = Mac([0x33, 0x33, 0, 0, 0, 1]);
    for (destination, audience) in [(OWN, Audience::Asker), (all_nodes, Audience::Everybody)] {
        let expected = Claim {
            address: target.into(),
            mac: NODE,
            audience,
        };
        assert_eq!(
            parse_claim(&advertisement(destination), OWN),
            Some(expected)
        );
    }
    assert_eq!(
        parse_claim(&neighbour_solicitation(NODE, target, target), OWN),
        None
    );
}
