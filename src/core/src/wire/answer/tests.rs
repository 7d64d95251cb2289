use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::wire::fixture::{
    ADVERTISEMENT, ARP_ANNOUNCEMENT, ARP_REPLY, ARP_REQUEST, DAD, OTHER, OTHER4, OTHER6, OWN,
    PLAIN_ADVERTISEMENT, PLAIN_DAD, ROUTER_SOLICITATION, SOLICITATION, THIRD, UNICAST_SOLICITATION,
    UNSOLICITED, VIP4, VIP6, any_ipv4, any_station, any_unicast_ipv6, damaged, hex,
};

/// The two external addresses, and nothing else.
fn vips(address: IpAddr) -> bool {
    address == VIP4 || address == VIP6
}

/// Who says that it has the address.
fn answers(frame: &[u8], asked: IpAddr) -> Option<Mac> {
    speaker(frame)
        .filter(|spoken| spoken.address == asked)
        .map(|spoken| spoken.mac)
}

fn question(address: impl Into<IpAddr>, from: Mac, reply: &str) -> Heard {
    Heard::Question {
        address: address.into(),
        from,
        reply: hex(reply),
    }
}

fn claim(address: impl Into<IpAddr>, mac: Mac) -> Heard {
    Heard::Claim {
        address: address.into(),
        mac,
    }
}

/// An ARP packet from `mac` to everybody.
fn arp(operation: Operation, mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> ArpPacket {
    ArpPacket {
        ethernet_source: mac,
        ethernet_destination: Mac::BROADCAST,
        operation,
        sender_mac: mac,
        sender_ip: sender,
        target_mac: Mac::ZERO,
        target_ip: target,
    }
}

/// An advertisement of `target` from `mac` to everybody.
fn advertised(mac: Mac, link_layer: Option<Mac>, target: Ipv6Addr) -> NdpPacket {
    NdpPacket {
        ethernet_source: mac,
        link_layer,
        target,
        ..ndp::parse(&hex(UNSOLICITED)).unwrap()
    }
}

#[test]
fn a_question_for_a_held_address_is_answered_as_linux_would() {
    assert_eq!(
        hear(&hex(ARP_REQUEST), OWN, vips),
        Ok(question(VIP4, OTHER, ARP_REPLY))
    );
    assert_eq!(
        hear(&hex(SOLICITATION), OWN, vips),
        Ok(question(VIP6, OTHER, ADVERTISEMENT))
    );
}

#[test]
fn a_question_to_us_alone_is_answered() {
    let mut packet = arp(Operation::Request, OTHER, OTHER4, VIP4);
    packet.ethernet_destination = OWN;
    assert_eq!(
        hear(&packet.frame(), OWN, vips),
        Ok(question(VIP4, OTHER, ARP_REPLY))
    );
    // fd77::3 is asked for where it is.
    let heard = hear(&hex(UNICAST_SOLICITATION), OTHER, |ip| ip == OTHER6);
    assert!(
        matches!(&heard, Ok(Heard::Question { address, from: OWN, .. }) if *address == OTHER6),
        "{heard:?}"
    );
}

#[test]
fn an_address_is_defended_against_a_probe() {
    let reply = "525400770001 52540077000b 0806 0001 0800 06 04 0002
        52540077000b 0a4d00c8 525400770001 00000000";
    assert_eq!(
        hear(&arp::probe(OTHER, VIP4), OWN, vips),
        Ok(question(VIP4, OTHER, reply))
    );
    let mut sent_on = arp(Operation::Request, OTHER, Ipv4Addr::UNSPECIFIED, VIP4);
    sent_on.ethernet_source = THIRD;
    let reply = reply.replacen("525400770001", "52540077000c", 1);
    assert_eq!(
        hear(&sent_on.frame(), OWN, vips),
        Ok(question(VIP4, THIRD, &reply))
    );
}

#[test]
fn an_address_is_defended_against_duplicate_address_detection() {
    assert_eq!(
        hear(&hex(PLAIN_DAD), OWN, vips),
        Ok(question(VIP6, OTHER, UNSOLICITED))
    );
    // With a nonce.
    assert!(matches!(
        hear(&hex(DAD), OTHER, vips),
        Ok(Heard::Question { from: OWN, .. })
    ));
}

#[test]
fn who_says_it_has_a_held_address_makes_a_claim() {
    for operation in Operation::BOTH {
        for (sender, target, expected) in [
            (VIP4, VIP4, claim(VIP4, OTHER)),
            (VIP4, OTHER4, claim(VIP4, OTHER)),
            (OTHER4, OTHER4, Heard::Foreign),
        ] {
            let frame = arp(operation, OTHER, sender, target).frame();
            assert_eq!(hear(&frame, OWN, vips), Ok(expected), "{operation:?}");
        }
    }
    assert_eq!(
        hear(&hex(ARP_ANNOUNCEMENT), OTHER, vips),
        Ok(claim(VIP4, OWN))
    );
    assert_eq!(hear(&hex(UNSOLICITED), OTHER, vips), Ok(claim(VIP6, OWN)));
    assert_eq!(hear(&hex(ADVERTISEMENT), OTHER, vips), Ok(claim(VIP6, OWN)));
}

#[test]
fn a_claim_is_made_for_where_the_packet_says_and_not_for_who_sent_it_on() {
    let mut packet = arp(Operation::Reply, OTHER, VIP4, OTHER4);
    packet.ethernet_source = THIRD;
    assert_eq!(hear(&packet.frame(), OWN, vips), Ok(claim(VIP4, OTHER)));
    for (link_layer, mac) in [(Some(OTHER), OTHER), (None, THIRD)] {
        let packet = advertised(THIRD, link_layer, VIP6);
        assert_eq!(hear(&packet.frame(), OWN, vips), Ok(claim(VIP6, mac)));
    }
}

#[test]
fn a_claim_on_one_held_address_comes_before_the_question_for_another() {
    let frame = arp(Operation::Request, OTHER, VIP4, OTHER4).frame();
    assert_eq!(hear(&frame, OWN, |_| true), Ok(claim(VIP4, OTHER)));
}

#[test]
fn what_is_not_for_us_is_foreign() {
    let reply_to_us = arp(Operation::Reply, OTHER, OTHER4, VIP4);
    let sent_on = ArpPacket {
        ethernet_source: THIRD,
        ..arp(Operation::Request, OWN, OTHER4, VIP4)
    };
    let mut announcement_sent_on = arp(Operation::Request, OWN, VIP4, VIP4);
    announcement_sent_on.ethernet_source = THIRD;
    let mut for_third = arp(Operation::Request, OTHER, VIP4, VIP4);
    for_third.ethernet_destination = THIRD;
    for (what, frame) in [
        (
            "a reply to a question of ours",
            reply_to_us.frame().to_vec(),
        ),
        ("our question, sent on", sent_on.frame().to_vec()),
        (
            "our announcement, sent on",
            announcement_sent_on.frame().to_vec(),
        ),
        ("a claim that goes to a third", for_third.frame().to_vec()),
        ("our own reply", hex(ARP_REPLY)),
        ("our own announcement", hex(ARP_ANNOUNCEMENT)),
        ("our own advertisement", hex(ADVERTISEMENT)),
        ("our own detection of duplicates", hex(DAD)),
        (
            "our advertisement, sent on",
            advertised(THIRD, Some(OWN), VIP6).frame(),
        ),
        (
            "a question for another address",
            arp::request(OTHER, OTHER4, OTHER4).to_vec(),
        ),
        (
            "an announcement of another address",
            ndp::unsolicited(OTHER, OTHER6),
        ),
        ("an advertisement to us", hex(PLAIN_ADVERTISEMENT)),
    ] {
        assert_eq!(hear(&frame, OWN, vips), Ok(Heard::Foreign), "{what}");
    }
    for frame in [ARP_REPLY, ADVERTISEMENT, UNICAST_SOLICITATION] {
        assert_eq!(hear(&hex(frame), THIRD, |_| true), Ok(Heard::Foreign));
    }
}

#[test]
fn what_is_malformed_is_refused_but_not_looked_into_if_it_is_foreign() {
    let mut broken = hex(SOLICITATION);
    broken[80] ^= 1;
    assert_eq!(hear(&broken, OWN, vips), Err(Malformed::Checksum));
    assert_eq!(hear(&broken, OTHER, vips), Ok(Heard::Foreign));
    assert_eq!(
        hear(&hex("525400770001 52540077000b 0800 45"), OTHER, vips),
        Err(Malformed::EtherType(0x0800))
    );
    assert!(hear(&hex(ROUTER_SOLICITATION), OWN, vips).is_err());
    assert_eq!(hear(&[], OWN, vips), Err(Malformed::TooShort));
}

#[test]
fn nobody_holds_an_unspecified_address() {
    let asked = Cell::new(0);
    let everything = |address: IpAddr| {
        assert!(!address.is_unspecified());
        asked.set(asked.get() + 1);
        true
    };
    let none = Ipv4Addr::UNSPECIFIED;
    for frame in [
        arp(Operation::Request, OTHER, none, none).frame().to_vec(),
        arp(Operation::Reply, OTHER, none, none).frame().to_vec(),
        ndp::solicitation(OTHER, OTHER6, Ipv6Addr::UNSPECIFIED),
        advertised(OTHER, None, Ipv6Addr::UNSPECIFIED).frame(),
    ] {
        assert_eq!(hear(&frame, OWN, everything), Ok(Heard::Foreign));
    }
    assert_eq!(asked.get(), 0);
    assert_eq!(answers(&arp::probe(OTHER, VIP4), none.into()), None);
    let nothing = Ipv6Addr::UNSPECIFIED;
    assert_eq!(
        answers(&ndp::unsolicited(OTHER, nothing), nothing.into()),
        None
    );
}

#[test]
fn whoever_says_it_has_the_address_answers() {
    let plain = IpAddr::from(OTHER6);
    for (frame, asked, expected) in [
        (ARP_REPLY, VIP4.into(), Some(OWN)),
        (ARP_REPLY, OTHER4.into(), None),
        (ARP_ANNOUNCEMENT, VIP4.into(), Some(OWN)),
        (ARP_REQUEST, OTHER4.into(), Some(OTHER)),
        (ARP_REQUEST, VIP4.into(), None),
        (ARP_REPLY, VIP6.into(), None),
        (ARP_REPLY, VIP4.to_ipv6_mapped().into(), None),
        (ADVERTISEMENT, VIP6.into(), Some(OWN)),
        (ADVERTISEMENT, OTHER6.into(), None),
        (ADVERTISEMENT, VIP4.into(), None),
        (UNSOLICITED, VIP6.into(), Some(OWN)),
        (PLAIN_ADVERTISEMENT, plain, Some(OTHER)),
        (SOLICITATION, VIP6.into(), None),
        (SOLICITATION, OTHER6.into(), None),
        (DAD, VIP6.into(), None),
    ] {
        assert_eq!(answers(&hex(frame), asked), expected, "{asked}: {frame}");
    }
    let elsewhere = advertised(OTHER, Some(THIRD), VIP6).frame();
    assert_eq!(answers(&elsewhere, VIP6.into()), Some(THIRD));
}

/// Any question that is right, from anybody.
fn any_question() -> impl Strategy<Value = Vec<u8>> {
    let macs = (any_station(), any_station());
    let arp = (macs, any_ipv4(), any_ipv4()).prop_map(|(macs, sender, target)| {
        let packet = ArpPacket {
            ethernet_source: macs.1,
            ..arp(Operation::Request, macs.0, sender, target)
        };
        packet.frame().to_vec()
    });
    let ndp = (any_station(), any_unicast_ipv6(), any_unicast_ipv6())
        .prop_map(|(mac, source, target)| ndp::solicitation(mac, source, target));
    prop_oneof![arp, ndp]
}

/// A reply says that the address is at `own`, and to the asker only where it can.
fn check(heard: Heard, frame: &[u8], own: Mac) -> Result<(), TestCaseError> {
    match heard {
        Heard::Question {
            address,
            from,
            reply,
        } => {
            prop_assert_eq!(answers(&reply, address), Some(own));
            prop_assert_ne!(from, own);
            prop_assert!(from.is_station());
            let to = Mac(*reply.first_chunk().unwrap());
            prop_assert!(to == from || to == Mac([0x33, 0x33, 0, 0, 0, 1]));
            // To the asker it is a claim on the address, if it takes it to be its own; to us it is nothing.
            let heard = hear(&reply, from, |held| held == address);
            prop_assert_eq!(heard, Ok(Heard::Claim { address, mac: own }));
            prop_assert_eq!(hear(&reply, own, |_| true), Ok(Heard::Foreign));
        }
        Heard::Claim { address, mac } => {
            prop_assert_ne!(mac, own);
            prop_assert_eq!(answers(frame, address), Some(mac));
        }
        Heard::Foreign => {}
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_reply_says_that_the_address_is_ours(
        frame in any_question(),
        own in any_station(),
        ours in any::<bool>(),
    ) {
        let heard = hear(&frame, own, |address| ours || vips(address));
        prop_assert!(heard.is_ok(), "{:?}", heard);
        check(heard.unwrap(), &frame, own)?;
    }

    #[test]
    fn nothing_is_said_for_an_address_that_is_not_held(
        frame in prop_oneof![any_question(), damaged()],
        own in any_station(),
    ) {
        let heard = hear(&frame, own, |_| false);
        prop_assert!(matches!(heard, Ok(Heard::Foreign) | Err(_)), "{:?}", heard);
    }

    #[test]
    fn damaged_frames_are_taken_for_what_they_say(frame in damaged(), own in any_station()) {
        if let Ok(heard) = hear(&frame, own, |_| true) {
            check(heard, &frame, own)?;
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        frame in prop::collection::vec(any::<u8>(), 0..120),
        asked in any::<IpAddr>(),
    ) {
        let _ = hear(&frame, OWN, |_| true);
        let _ = answers(&frame, asked);
    }
}
