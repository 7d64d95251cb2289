use proptest::prelude::*;

use super::*;
use crate::wire::fixture::{
    ADVERTISEMENT, ALL, ARP_REQUEST, DAD, OTHER, OTHER6, OWN, PLAIN_ADVERTISEMENT, PLAIN_DAD,
    ROUTER_SOLICITATION, SOLICITATION, THIRD, UNICAST_SOLICITATION, UNSOLICITED, VIP6, any_mac,
    any_station, any_unicast_ipv6, damaged, hex, is_sum_right, resummed, with,
};

/// Where things stand in a frame.
mod at {
    pub(super) const VERSION: usize = 14;
    pub(super) const LENGTH: usize = 18;
    pub(super) const NEXT_HEADER: usize = 20;
    pub(super) const HOP_LIMIT: usize = 21;
    pub(super) const SOURCE: usize = 22;
    pub(super) const DESTINATION: usize = 38;
    pub(super) const CODE: usize = 55;
    pub(super) const FLAGS: usize = 58;
    pub(super) const TARGET: usize = 62;
    pub(super) const OPTION: usize = 78;
}

const LINUX: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0x00ff, 0xfe77, 0x000b);

fn flags(router: bool, solicited: bool, overrides: bool) -> Message {
    Message::Advertisement {
        router,
        solicited,
        overrides,
    }
}

fn the_solicitation() -> NdpPacket {
    NdpPacket {
        ethernet_source: OTHER,
        ethernet_destination: Mac([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]),
        source: OTHER6,
        destination: "ff02::1:ff12:3456".parse().unwrap(),
        target: VIP6,
        link_layer: Some(OTHER),
        message: Message::Solicitation,
    }
}

/// Duplicate address detection by `OTHER`.
fn dad() -> NdpPacket {
    NdpPacket {
        source: Ipv6Addr::UNSPECIFIED,
        link_layer: None,
        ..the_solicitation()
    }
}

/// A captured frame with other options at its end.
fn with_options(frame: &str, options: &str) -> Vec<u8> {
    let mut frame = hex(frame);
    frame.truncate(at::OPTION);
    frame.extend(hex(options));
    let length = u16::try_from(frame.len() - 54).unwrap();
    frame[at::LENGTH..at::LENGTH + 2].copy_from_slice(&length.to_be_bytes());
    resummed(frame)
}

/// Any packet that is right.
fn any_packet() -> impl Strategy<Value = NdpPacket> {
    let group = any_unicast_ipv6().prop_map(solicited_node_group);
    let link_layer = prop::option::of(any_station());
    let message = any::<Option<(bool, bool, bool)>>();
    (
        (any_station(), any_mac(), link_layer),
        (any_unicast_ipv6(), any_unicast_ipv6(), any_unicast_ipv6()),
        prop::option::of(group),
        message,
    )
        .prop_map(|(macs, addresses, group, message)| {
            let (ethernet_source, ethernet_destination, link_layer) = macs;
            let (source, destination, target) = addresses;
            let dad = source.is_unspecified() && message.is_none();
            NdpPacket {
                ethernet_source,
                ethernet_destination,
                source,
                destination: match group {
                    Some(group) => group,
                    None if dad => solicited_node_group(target),
                    None => destination,
                },
                target,
                link_layer: link_layer.filter(|_| !dad),
                message: message.map_or(Message::Solicitation, |(router, solicited, overrides)| {
                    flags(router, solicited && group.is_none(), overrides)
                }),
            }
        })
}

#[test]
fn reads_what_linux_sends() {
    assert_eq!(parse(&hex(SOLICITATION)), Ok(the_solicitation()));
    let advertisement = NdpPacket {
        ethernet_source: OWN,
        ethernet_destination: OTHER,
        source: VIP6,
        destination: OTHER6,
        target: VIP6,
        link_layer: Some(OWN),
        message: flags(false, true, true),
    };
    assert_eq!(parse(&hex(ADVERTISEMENT)), Ok(advertisement));
    assert_eq!(
        parse(&hex(UNSOLICITED)),
        Ok(NdpPacket {
            ethernet_destination: Mac([0x33, 0x33, 0, 0, 0, 1]),
            destination: ALL_NODES,
            message: flags(false, false, true),
            ..advertisement
        })
    );
    assert_eq!(
        parse(&hex(DAD)),
        Ok(NdpPacket {
            ethernet_source: OWN,
            ..dad()
        })
    );
    assert_eq!(
        parse(&hex(UNICAST_SOLICITATION)),
        Ok(NdpPacket {
            ethernet_source: OWN,
            ethernet_destination: OTHER,
            source: LINUX,
            destination: OTHER6,
            target: OTHER6,
            link_layer: Some(OWN),
            message: Message::Solicitation,
        })
    );
    let plain = parse(&hex(PLAIN_ADVERTISEMENT)).unwrap();
    assert_eq!(plain.message, flags(false, true, false));
    assert_eq!((plain.link_layer, plain.speaker()), (None, OTHER));
}

#[test]
fn builds_what_linux_sends() {
    assert_eq!(solicitation(OTHER, OTHER6, VIP6), hex(SOLICITATION));
    assert_eq!(advertisement(OWN, &the_solicitation()), hex(ADVERTISEMENT));
    assert_eq!(unsolicited(OWN, VIP6), hex(UNSOLICITED));
}

#[test]
fn a_question_of_duplicate_address_detection_has_no_link_layer_address() {
    assert_eq!(
        solicitation(OTHER, Ipv6Addr::UNSPECIFIED, VIP6),
        hex(PLAIN_DAD)
    );
}

#[test]
fn duplicate_address_detection_is_answered_to_everybody() {
    assert_eq!(advertisement(OWN, &dad()), hex(UNSOLICITED));
}

#[test]
fn the_answer_goes_to_the_link_layer_address_else_to_where_the_question_came_from() {
    for (link_layer, to) in [(Some(THIRD), THIRD), (None, OTHER)] {
        let question = NdpPacket {
            link_layer,
            ..the_solicitation()
        };
        let answer = parse(&advertisement(OWN, &question)).unwrap();
        assert_eq!(answer.ethernet_destination, to);
        assert_eq!(answer.destination, OTHER6);
        assert_eq!(answer.message, flags(false, true, true));
    }
}

#[test]
fn each_flag_is_read_from_its_bit() {
    for (byte, expected) in [
        (0x80, flags(true, false, false)),
        (0x40, flags(false, true, false)),
        (0x20, flags(false, false, true)),
        (0x1f, flags(false, false, false)),
    ] {
        let frame = resummed(with(ADVERTISEMENT, at::FLAGS, &[byte]));
        assert_eq!(parse(&frame).unwrap().message, expected, "{byte:#x}");
    }
}

/// Each is wrong in one place only: the checksum is right.
#[test]
fn every_way_to_be_malformed_has_its_reason() {
    let group: Ipv6Addr = "ff02::1:ff12:3457".parse().unwrap();
    let third = "fd77::4".parse::<Ipv6Addr>().unwrap();
    for (frame, at, bytes, reason) in [
        (
            SOLICITATION,
            6,
            &[0x33; 6][..],
            Malformed::EthernetSource(Mac([0x33; 6])),
        ),
        (SOLICITATION, 12, &[0x81, 0], Malformed::EtherType(0x8100)),
        (SOLICITATION, at::VERSION, &[0x40], Malformed::NotIpv6(4)),
        (SOLICITATION, at::NEXT_HEADER, &[0], Malformed::NotIcmpv6(0)),
        (SOLICITATION, at::NEXT_HEADER, &[6], Malformed::NotIcmpv6(6)),
        (
            SOLICITATION,
            at::NEXT_HEADER,
            &[44],
            Malformed::NotIcmpv6(44),
        ),
        (
            SOLICITATION,
            at::HOP_LIMIT,
            &[254],
            Malformed::HopLimit(254),
        ),
        (ADVERTISEMENT, at::HOP_LIMIT, &[1], Malformed::HopLimit(1)),
        (
            SOLICITATION,
            at::SOURCE,
            &group.octets(),
            Malformed::SourceMulticast(group),
        ),
        (SOLICITATION, at::CODE, &[1], Malformed::Code(1)),
        (ADVERTISEMENT, at::CODE, &[255], Malformed::Code(255)),
        (
            SOLICITATION,
            at::TARGET,
            &group.octets(),
            Malformed::TargetMulticast(group),
        ),
        (
            ADVERTISEMENT,
            at::TARGET,
            &group.octets(),
            Malformed::TargetMulticast(group),
        ),
        (
            DAD,
            at::DESTINATION,
            &ALL_NODES.octets(),
            Malformed::DadDestination(ALL_NODES),
        ),
        (
            DAD,
            at::DESTINATION,
            &third.octets(),
            Malformed::DadDestination(third),
        ),
        (DAD, at::OPTION, &[1], Malformed::DadLinkLayer),
        (
            ADVERTISEMENT,
            at::DESTINATION,
            &group.octets(),
            Malformed::SolicitedByGroup(group),
        ),
        (SOLICITATION, at::OPTION, &[1, 0], Malformed::EmptyOption),
        (ADVERTISEMENT, at::OPTION, &[14, 0], Malformed::EmptyOption),
        (SOLICITATION, at::OPTION, &[1, 2], Malformed::CutOption),
        (SOLICITATION, at::OPTION, &[14, 255], Malformed::CutOption),
    ] {
        let frame = resummed(with(frame, at, bytes));
        assert_eq!(parse(&frame), Err(reason), "{at}: {bytes:02x?}");
    }
    assert_eq!(
        parse(&hex(ROUTER_SOLICITATION)),
        Err(Malformed::OtherMessage(133))
    );
    assert_eq!(parse(&hex(ARP_REQUEST)), Err(Malformed::EtherType(0x0806)));
}

#[test]
fn options_are_walked_through_and_the_first_of_the_right_kind_counts() {
    let (first, second) = ("0101 525400770001", "0101 52540077000c");
    let target = "0201 52540077000c";
    let nonce = "0e02 000102030405060708090a0b0c0d";
    for (options, expected) in [
        (String::new(), Ok(None)),
        (nonce.to_owned(), Ok(None)),
        (format!("{nonce} {first}"), Ok(Some(OTHER))),
        (format!("{first} {second}"), Ok(Some(OTHER))),
        (format!("{second} {first}"), Ok(Some(THIRD))),
        (format!("{target} {first}"), Ok(Some(OTHER))),
        (target.to_owned(), Ok(None)),
        (
            format!("{first} {nonce} 0100 000000000000"),
            Err(Malformed::EmptyOption),
        ),
        (
            format!("{first} 0e02 000000000000"),
            Err(Malformed::CutOption),
        ),
        (
            format!("0102 {}", "52".repeat(14)),
            Err(Malformed::LinkLayerLength(2)),
        ),
        (
            "0101 ffffffffffff".to_owned(),
            Err(Malformed::LinkLayerAddress(Mac::BROADCAST)),
        ),
        (
            "0101 000000000000".to_owned(),
            Err(Malformed::LinkLayerAddress(Mac::ZERO)),
        ),
    ] {
        let read = parse(&with_options(SOLICITATION, &options));
        assert_eq!(read.map(|packet| packet.link_layer), expected, "{options}");
    }
}

#[test]
fn one_wrong_bit_anywhere_behind_the_length_is_not_read_as_right() {
    for frame in [SOLICITATION, ADVERTISEMENT, UNSOLICITED, DAD] {
        let right = hex(frame);
        for bit in at::NEXT_HEADER * 8..right.len() * 8 {
            let mut wrong = right.clone();
            wrong[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(parse(&wrong).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn a_frame_that_is_cut_is_too_short_and_padding_is_passed_over() {
    let frame = hex(SOLICITATION);
    for length in 0..frame.len() {
        assert_eq!(
            parse(&frame[..length]),
            Err(Malformed::TooShort),
            "{length}"
        );
    }
    let mut padded = frame;
    padded.resize(100, 0xaa);
    assert_eq!(parse(&padded), Ok(the_solicitation()));
}

#[test]
fn a_message_shorter_than_its_fixed_part_is_too_short() {
    for length in 0..24_u8 {
        let frame = with(SOLICITATION, at::LENGTH, &[0, length]);
        let reason = Malformed::MessageTooShort(length.into());
        assert_eq!(parse(&frame), Err(reason));
    }
}

#[test]
fn the_second_reckoning_of_checksums_agrees_with_linux() {
    for frame in ALL.map(hex).iter().filter(|frame| frame[12] == 0x86) {
        assert!(is_sum_right(frame), "{frame:02x?}");
    }
}

proptest! {
    #[test]
    fn what_is_built_reads_back_the_same(packet in any_packet(), padding in 0_usize..20) {
        let mut frame = packet.frame();
        prop_assert!(is_sum_right(&frame));
        frame.resize(frame.len() + padding, 0xaa);
        prop_assert_eq!(parse(&frame), Ok(packet));
    }

    #[test]
    fn every_builder_makes_right_frames(
        own in any_station(),
        source in any_unicast_ipv6(),
        target in any_unicast_ipv6(),
    ) {
        let question = solicitation(own, source, target);
        let read = parse(&question);
        prop_assert!(read.is_ok(), "{:?}", read);
        for frame in [&advertisement(own, &read.unwrap()), &unsolicited(own, target), &question] {
            prop_assert!(is_sum_right(frame));
            prop_assert_eq!(parse(frame).map(|packet| packet.target), Ok(target));
        }
    }

    #[test]
    fn only_a_right_checksum_is_read(frame in damaged()) {
        if parse(&frame).is_ok() {
            let length = usize::from(u16::from_be_bytes([frame[18], frame[19]]));
            prop_assert!(is_sum_right(&frame[..54 + length]));
        }
    }

    #[test]
    fn no_options_make_the_reader_panic(options in prop::collection::vec(any::<u8>(), 0..40)) {
        for wanted in [SOURCE_LINK_LAYER, TARGET_LINK_LAYER] {
            let _ = link_layer(&options, wanted);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        start in prop::option::of(Just(hex("333300000001 525400770001 86dd 60000000"))),
        rest in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let frame = [start.unwrap_or_default(), rest].concat();
        let _ = parse(&frame);
    }
}
