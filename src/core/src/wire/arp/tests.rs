use proptest::prelude::*;

use super::*;
use crate::wire::fixture::{
    ARP_ANNOUNCEMENT, ARP_REPLY, ARP_REQUEST, OTHER, OTHER4, OWN, SOLICITATION, THIRD, VIP4,
    any_ipv4, any_mac, any_station, damaged, hex, with,
};

fn any_packet() -> impl Strategy<Value = ArpPacket> {
    (
        (any_station(), any_mac()),
        prop::sample::select(Operation::BOTH.to_vec()),
        (any_station(), any_ipv4()),
        (any_mac(), any_ipv4()),
    )
        .prop_map(|(ethernet, operation, sender, target)| ArpPacket {
            ethernet_source: ethernet.0,
            ethernet_destination: ethernet.1,
            operation,
            sender_mac: sender.0,
            sender_ip: sender.1,
            target_mac: target.0,
            target_ip: target.1,
        })
}

fn the_request() -> ArpPacket {
    ArpPacket {
        ethernet_source: OTHER,
        ethernet_destination: Mac::BROADCAST,
        operation: Operation::Request,
        sender_mac: OTHER,
        sender_ip: OTHER4,
        target_mac: Mac::ZERO,
        target_ip: VIP4,
    }
}

#[test]
fn reads_what_linux_sends() {
    assert_eq!(parse(&hex(ARP_REQUEST)), Ok(the_request()));
    assert_eq!(
        parse(&hex(ARP_REPLY)),
        Ok(ArpPacket {
            ethernet_source: OWN,
            ethernet_destination: OTHER,
            operation: Operation::Reply,
            sender_mac: OWN,
            sender_ip: VIP4,
            target_mac: OTHER,
            target_ip: OTHER4,
        })
    );
}

#[test]
fn builds_what_linux_sends() {
    assert_eq!(request(OTHER, OTHER4, VIP4).to_vec(), hex(ARP_REQUEST));
    assert_eq!(reply(&the_request(), OWN).to_vec(), hex(ARP_REPLY));
    assert_eq!(
        announcement_request(OWN, VIP4).to_vec(),
        hex(ARP_ANNOUNCEMENT)
    );
}

#[test]
fn a_probe_names_no_sender_and_is_answered_where_it_came_from() {
    let frame = probe(OTHER, VIP4);
    assert_eq!(
        frame.to_vec(),
        hex("ffffffffffff 525400770001 0806 0001 0800 06 04 0001
             525400770001 00000000 000000000000 0a4d00c8")
    );
    let mut probe = parse(&frame).unwrap();
    probe.ethernet_source = THIRD;
    assert_eq!(
        reply(&probe, OWN).to_vec(),
        hex("52540077000c 52540077000b 0806 0001 0800 06 04 0002
             52540077000b 0a4d00c8 525400770001 00000000")
    );
}

#[test]
fn a_request_that_was_sent_on_is_answered_to_its_sender() {
    let request = ArpPacket {
        ethernet_source: THIRD,
        ..the_request()
    };
    assert_eq!(reply(&request, OWN).to_vec(), hex(ARP_REPLY));
}

#[test]
fn an_announcement_as_a_reply_names_its_sender_four_times() {
    assert_eq!(
        announcement_reply(OWN, VIP4).to_vec(),
        hex("ffffffffffff 52540077000b 0806 0001 0800 06 04 0002
             52540077000b 0a4d00c8 52540077000b 0a4d00c8")
    );
}

#[test]
fn padding_is_passed_over() {
    let mut padded = hex(ARP_REQUEST);
    padded.resize(60, 0xaa);
    assert_eq!(parse(&padded), Ok(the_request()));
}

#[test]
fn every_way_to_be_malformed_has_its_reason() {
    const GROUP: Mac = Mac([0x03, 0xbf, 10, 77, 0, 200]);
    for (at, bytes, reason) in [
        (6, &GROUP.0[..], Malformed::EthernetSource(GROUP)),
        (6, &[0; 6], Malformed::EthernetSource(Mac::ZERO)),
        (12, &[0x08, 0x00], Malformed::EtherType(0x0800)),
        (12, &[0x81, 0x00], Malformed::EtherType(0x8100)),
        (14, &[0, 6], Malformed::NotEthernetIpv4),
        (16, &[0x86, 0xdd], Malformed::NotEthernetIpv4),
        (18, &[8], Malformed::NotEthernetIpv4),
        (19, &[16], Malformed::NotEthernetIpv4),
        (20, &[0, 0], Malformed::UnknownOperation(0)),
        (20, &[0, 3], Malformed::UnknownOperation(3)),
        (20, &[1, 1], Malformed::UnknownOperation(257)),
        (22, &GROUP.0, Malformed::SenderMac(GROUP)),
        (22, &[0xff; 6], Malformed::SenderMac(Mac::BROADCAST)),
        (22, &[0; 6], Malformed::SenderMac(Mac::ZERO)),
    ] {
        assert_eq!(parse(&with(ARP_REQUEST, at, bytes)), Err(reason), "{at}");
    }
    assert_eq!(parse(&hex(SOLICITATION)), Err(Malformed::EtherType(0x86dd)));
}

#[test]
fn a_cut_frame_is_too_short_wherever_it_is_cut() {
    let frame = hex(ARP_REQUEST);
    for length in 0..FRAME_LENGTH {
        assert_eq!(
            parse(&frame[..length]),
            Err(Malformed::TooShort),
            "{length}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_built_reads_back_the_same(packet in any_packet(), padding in 0_usize..20) {
        let mut frame = packet.frame().to_vec();
        frame.resize(FRAME_LENGTH + padding, 0);
        prop_assert_eq!(parse(&frame), Ok(packet));
    }

    #[test]
    fn what_is_read_is_built_the_same(frame in damaged()) {
        if let Ok(packet) = parse(&frame) {
            prop_assert_eq!(&packet.frame()[..], &frame[..FRAME_LENGTH]);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(frame in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse(&frame);
    }
}
