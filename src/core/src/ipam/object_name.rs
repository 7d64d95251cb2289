//! The name of the object that stands for an address.
//!
//! Creating it is the claim to the address, so one address must never have two names, nor two addresses one name. The
//! address is written out in full: `10-77-0-200`, `2001-0db8-0000-0000-0000-0000-0000-0001`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name of the ExternalIP of `address`.
pub fn of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.octets().map(|octet| octet.to_string()).join("-"),
        IpAddr::V6(v6) => v6
            .segments()
            .map(|segment| format!("{segment:04x}"))
            .join("-"),
    }
}

/// The address whose ExternalIP has this name; `None` if it is the name of none.
pub fn address(name: &str) -> Option<IpAddr> {
    let parts: Vec<&str> = name.split('-').take(9).collect();
    let found = match parts.len() {
        4 => {
            let mut octets = [0; 4];
            for (octet, part) in octets.iter_mut().zip(parts) {
                *octet = part.parse().ok()?;
            }
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        8 => {
            let mut segments = [0; 8];
            for (segment, part) in segments.iter_mut().zip(parts) {
                *segment = u16::from_str_radix(part, 16).ok()?;
            }
            IpAddr::V6(Ipv6Addr::from(segments))
        }
        _ => return None,
    };
    // Only the form that is written, not `+1` or `01`.
    (of(found) == name).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_look_like_their_addresses() {
        for (text, name) in [
            ("10.77.0.200", "10-77-0-200"),
            ("0.0.0.0", "0-0-0-0"),
            ("2001:db8::1", "2001-0db8-0000-0000-0000-0000-0000-0001"),
            ("::ffff:10.0.0.1", "0000-0000-0000-0000-0000-ffff-0a00-0001"),
        ] {
            assert_eq!(of(text.parse().expect("an address")), name);
        }
    }

    #[test]
    fn what_is_not_written_so_is_no_name() {
        for name in [
            "",
            "10-77-0",
            "10-77-0-200-1",
            "010-77-0-200",
            "+10-77-0-200",
            "10-77-0-256",
            "10.77.0.200",
            "2001-db8-0-0-0-0-0-1",
            "2001-0DB8-0000-0000-0000-0000-0000-0001",
            "default",
            "---",
            "-------",
        ] {
            assert_eq!(address(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_address_has_one_name_that_leads_back(number: u128, v4: u32) {
            for ip in [IpAddr::from(Ipv6Addr::from(number)), IpAddr::from(Ipv4Addr::from(v4))] {
                let name = of(ip);
                prop_assert_eq!(address(&name), Some(ip));
                prop_assert!(name.len() <= 63, "a DNS label");
                prop_assert!(name.bytes().all(|letter| matches!(letter, b'a'..=b'f' | b'0'..=b'9' | b'-')));
                prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            if let Some(ip) = address(&text) {
                prop_assert_eq!(of(ip), text);
            }
        }
    }
}
