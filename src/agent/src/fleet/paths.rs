//! By which address a node is talked to, and over which link it can be asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mooring_core::peer::PeerId;

use super::{Member, Reach};

/// A way to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub name: String,
    /// The address to talk to; `None` if the node has none.
    pub address: Option<IpAddr>,
    /// The index of the link whose segment has that address; `None` if the node is behind a router.
    pub link: Option<u32>,
}

/// A way to each node: over the first link that has it on its segment, by IPv4 before IPv6.
pub(super) fn paths(members: &[Member], reaches: &[Reach]) -> BTreeMap<PeerId, Path> {
    let path = |member: &Member| {
        let near = reaches.iter().find_map(|reach| {
            let here = |address: &&IpAddr| {
                let mut subnets = reach.subnets.iter();
                subnets.any(|subnet| subnet.contains(**address))
            };
            let address = member
                .addresses
                .iter()
                .filter(here)
                .min_by_key(|address| address.is_ipv6())?;
            Some((*address, reach.link.index))
        });
        Path {
            name: member.name.clone(),
            address: near
                .map(|(address, _)| address)
                .or_else(|| member.addresses.first().copied()),
            link: near.map(|(_, link)| link),
        }
    };
    members
        .iter()
        .map(|member| (member.id(), path(member)))
        .collect()
}

/// An address of the node that is on a segment of this one's, and of the family of `like`.
pub(super) fn beside(member: &Member, reaches: &[Reach], like: IpAddr) -> Option<IpAddr> {
    let here = |address: &&IpAddr| {
        let mut subnets = reaches.iter().flat_map(|reach| &reach.subnets);
        address.is_ipv4() == like.is_ipv4() && subnets.any(|subnet| subnet.contains(**address))
    };
    member.addresses.iter().find(here).copied()
}

/// The address of this node, on that link, in the subnet of another one's.
pub(super) fn own(reach: &Reach, other: IpAddr) -> Option<IpAddr> {
    let near = |address: &&IpAddr| {
        let mut subnets = reach.subnets.iter();
        subnets.any(|subnet| subnet.contains(**address) && subnet.contains(other))
    };
    reach.addresses.iter().find(near).copied()
}

#[cfg(test)]
mod tests {
    use mooring_core::ipam::range::{AddressRange, HostBits};
    use mooring_core::wire::Mac;

    use super::*;
    use crate::moor::SegmentLink;

    fn reach(index: u32, subnets: &[&str]) -> Reach {
        let subnets = subnets.iter();
        Reach {
            link: SegmentLink {
                name: format!("eth{index}"),
                reported: format!("eth{index}"),
                index,
                mac: Mac([2, 0, 0, 0, 0, 1]),
            },
            subnets: subnets
                .map(|subnet| AddressRange::from_cidr(subnet, HostBits::Clear).unwrap())
                .collect(),
            addresses: Vec::new(),
        }
    }

    fn member(addresses: &[&str]) -> Member {
        let addresses = addresses.iter();
        Member {
            name: "n2".to_owned(),
            addresses: addresses.map(|address| address.parse().unwrap()).collect(),
        }
    }

    fn way(addresses: &[&str], reaches: &[Reach]) -> (Option<String>, Option<u32>) {
        let found = paths(&[member(addresses)], reaches);
        let path = &found[&PeerId::of("n2")];
        (path.address.map(|address| address.to_string()), path.link)
    }

    #[test]
    fn a_node_is_talked_to_over_the_segment_that_both_are_on() {
        let reaches = [
            reach(2, &["10.77.0.0/24", "2001:db8::/64"]),
            reach(3, &["10.78.0.0/24"]),
        ];
        let rows: [(&[&str], Option<&str>, Option<u32>); 5] = [
            (
                &["10.78.0.12", "2001:db8::12", "10.77.0.12"],
                Some("10.77.0.12"),
                Some(2),
            ),
            (&["10.78.0.12"], Some("10.78.0.12"), Some(3)),
            (&["2001:db8::12"], Some("2001:db8::12"), Some(2)),
            (&["192.0.2.12"], Some("192.0.2.12"), None),
            (&[], None, None),
        ];
        for (addresses, address, link) in rows {
            let expected = (address.map(str::to_owned), link);
            assert_eq!(way(addresses, &reaches), expected, "{addresses:?}");
        }
    }

    #[test]
    fn a_node_is_asked_for_from_an_address_in_its_subnet() {
        let addresses = ["10.78.0.11", "10.77.0.11", "2001:db8::11", "fd00::11"];
        let reach = Reach {
            addresses: addresses.map(|address| address.parse().unwrap()).into(),
            ..reach(2, &["10.77.0.0/24", "10.78.0.0/24", "fd00::/64"])
        };
        for (other, from) in [
            ("10.77.0.12", Some("10.77.0.11")),
            ("10.78.0.12", Some("10.78.0.11")),
            ("fd00::12", Some("fd00::11")),
            ("2001:db8::12", None),
            ("10.79.0.12", None),
        ] {
            let found = own(&reach, other.parse().unwrap());
            let expected = from.map(|address| address.parse().unwrap());
            assert_eq!(found, expected, "{other}");
        }
    }

    #[test]
    fn packets_go_on_to_an_address_of_their_family_on_a_segment_of_both() {
        let reaches = [
            reach(2, &["10.77.0.0/24"]),
            reach(3, &["2001:db8::/64", "10.78.0.0/24"]),
        ];
        let of = |addresses: &[&str], like: &str| {
            let found = beside(&member(addresses), &reaches, like.parse().unwrap());
            found.map(|address| address.to_string())
        };
        let all = ["192.0.2.12", "10.78.0.12", "2001:db8::12"];
        assert_eq!(of(&all, "10.77.0.200").as_deref(), Some("10.78.0.12"));
        assert_eq!(of(&all, "fd00::200").as_deref(), Some("2001:db8::12"));
        assert_eq!(of(&all[..1], "10.77.0.200"), None);
        assert_eq!(of(&all[..2], "fd00::200"), None);
    }
}
