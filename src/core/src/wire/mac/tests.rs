use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn prints_in_lower_case_and_reads_both_cases() {
    let mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
    assert_eq!(mac.to_string(), "52:54:00:77:00:0b");
    assert_eq!(format!("{mac:>19}"), "  52:54:00:77:00:0b");
    assert_eq!("52:54:00:77:00:0b".parse(), Ok(mac));
    assert_eq!("52:54:00:77:00:0B".parse(), Ok(mac));
}

#[test]
fn what_is_no_mac_is_refused_with_the_reason() {
    for (text, found) in [
        ("", 1),
        ("52:54:00:77:00", 5),
        ("52:54:00:77:00:0b:", 7),
        ("52:54:00:77:00:0b:0c", 7),
        ("52-54-00-77-00-0b", 1),
    ] {
        let text = text.to_owned();
        assert_eq!(
            text.parse::<Mac>(),
            Err(MacError::NotSixParts { text, found })
        );
    }
    for (text, part) in [
        ("52:54:00:77:00:b", "b"),
        ("52:54:00:77:00:0g", "0g"),
        ("52:54::77:00:0b", ""),
        ("+5:54:00:77:00:0b", "+5"),
        ("52:54:00:77:00:0b ", "0b "),
        ("52:54:00:77:00:ü", "ü"),
    ] {
        let (text, part) = (text.to_owned(), part.to_owned());
        assert_eq!(
            text.parse::<Mac>(),
            Err(MacError::NotHexadecimal { text, part })
        );
    }
}

#[test]
fn the_reason_says_what_to_write() {
    let message = |text: &str| text.parse::<Mac>().unwrap_err().to_string();
    assert_eq!(
        message("1:2"),
        "\"1:2\" is no MAC address: it has 2 parts between colons and not six; write one as in 52:54:00:77:00:0b"
    );
    assert_eq!(
        message("52:54:00:77:00:0g"),
        "\"52:54:00:77:00:0g\" is no MAC address: \"0g\" is not two hexadecimal digits; write one as in \
         52:54:00:77:00:0b"
    );
}

#[test]
fn groups_are_told_from_stations() {
    for (mac, multicast, station) in [
        (Mac::BROADCAST, true, false),
        (Mac::ZERO, false, false),
        (Mac([0x33, 0x33, 0, 0, 0, 1]), true, false),
        (Mac([0x01, 0, 0x5e, 0, 0, 1]), true, false),
        (Mac([0x52, 0x54, 0, 0x77, 0, 1]), false, true),
        (Mac([0, 0, 0, 0, 0, 1]), false, true),
    ] {
        assert_eq!(mac.is_multicast(), multicast, "{mac}");
        assert_eq!(mac.is_station(), station, "{mac}");
    }
}

/// The example of RFC 4291 section 2.7.1, and the edges of the 24 bits.
#[test]
fn a_solicited_node_group_has_the_last_24_bits() {
    for (address, group, mac) in [
        (
            "4037::1:800:200e:8c6c",
            "ff02::1:ff0e:8c6c",
            "33:33:ff:0e:8c:6c",
        ),
        ("fd77::12:3456", "ff02::1:ff12:3456", "33:33:ff:12:34:56"),
        ("2001:db8::", "ff02::1:ff00:0", "33:33:ff:00:00:00"),
        ("fe80::ffff:ffff", "ff02::1:ffff:ffff", "33:33:ff:ff:ff:ff"),
        ("fe80::ff00:0001", "ff02::1:ff00:1", "33:33:ff:00:00:01"),
    ] {
        assert_eq!(solicited_node_group(ip(address)), ip(group), "{address}");
        assert_eq!(
            Ok(Mac::solicited_node(ip(address))),
            mac.parse(),
            "{address}"
        );
    }
}

proptest! {
    #[test]
    fn every_mac_reads_back_as_it_prints(bytes in any::<[u8; 6]>()) {
        prop_assert_eq!(Mac(bytes).to_string().parse(), Ok(Mac(bytes)));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[0-9a-f:+ü ]{0,24}") {
        if let Ok(mac) = text.parse::<Mac>() {
            prop_assert_eq!(mac.to_string(), text);
        }
    }

    #[test]
    fn the_group_of_a_group_of_this_kind_is_itself(address in any::<Ipv6Addr>()) {
        let group = solicited_node_group(address);
        prop_assert_eq!(solicited_node_group(group), group);
        prop_assert!(group.is_multicast() && Mac::of_group(group).is_multicast());
    }
}
