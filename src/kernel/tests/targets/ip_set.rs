//! What kube-proxy's sets of ipset hold in mode `ipvs`.

use std::collections::BTreeSet;

use mooring_kernel::{Facility, IpFamily, IpvsProtocol, ServiceTarget};

use super::{FAMILIES, nothing, some_of, target};
use crate::world::both;

/// What the set may hold, in order.
fn members_of(family: IpFamily) -> Vec<ServiceTarget> {
    let mut members = some_of(family);
    members.push(ServiceTarget {
        protocol: IpvsProtocol::Sctp,
        ..members[0]
    });
    members.sort();
    members
}

/// Everything that the tests talk about, of both families.
fn all() -> BTreeSet<ServiceTarget> {
    FAMILIES.into_iter().flat_map(members_of).collect()
}

#[test]
fn without_the_set_of_its_family_or_without_ipset_it_is_absent() {
    both("ipset-absent", |world| {
        for family in FAMILIES {
            let absent = Ok(Facility::Absent);
            assert_eq!(world.host().ipset_targets(family, &all()), absent);
            let none = BTreeSet::new();
            assert_eq!(world.host().ipset_targets(family, &none), nothing());
        }
        if !world.add_ipset(IpFamily::V4, &[]) {
            return;
        }
        let host = world.host();
        assert_eq!(host.ipset_targets(IpFamily::V4, &all()), nothing());
        let absent = Ok(Facility::Absent);
        assert_eq!(host.ipset_targets(IpFamily::V6, &all()), absent);
    });
}

#[test]
fn what_is_wanted_and_in_the_set_is_told_in_order_until_it_is_taken_out() {
    both("ipset-targets", |world| {
        for family in FAMILIES {
            let mut members = members_of(family);
            let outside = members.remove(2);
            let backwards: Vec<_> = members.iter().rev().copied().collect();
            if !world.add_ipset(family, &backwards) {
                return;
            }
            let told = Ok(Facility::Present(members.clone()));
            assert_eq!(world.host().ipset_targets(family, &all()), told);
            let wanted = BTreeSet::from([outside, members[1]]);
            let told = Ok(Facility::Present(vec![members[1]]));
            assert_eq!(world.host().ipset_targets(family, &wanted), told);
            let gone = members.remove(1);
            world.remove_ipset_target(&gone);
            let told = Ok(Facility::Present(members));
            assert_eq!(world.host().ipset_targets(family, &all()), told);
        }
    });
}

#[test]
fn another_port_protocol_or_address_is_not_in_the_set() {
    both("ipset-others", |world| {
        let tcp = IpvsProtocol::Tcp;
        if !world.add_ipset(IpFamily::V4, &[target("10.9.0.2", tcp, 80)]) {
            return;
        }
        let others = BTreeSet::from([
            target("10.9.0.2", tcp, 81),
            target("10.9.0.2", tcp, 0),
            target("10.9.0.2", IpvsProtocol::Udp, 80),
            target("10.9.0.2", IpvsProtocol::Other(47), 80),
            // Whose lower byte is TCP.
            target("10.9.0.2", IpvsProtocol::Other(0x106), 80),
            target("10.9.0.3", tcp, 80),
            target("::ffff:10.9.0.2", tcp, 80),
        ]);
        let host = world.host();
        assert_eq!(host.ipset_targets(IpFamily::V4, &others), nothing());
    });
}

#[test]
fn ten_thousand_elements_are_asked_for() {
    both("ipset-many", |world| {
        let many = |port| {
            let ip = |at: u16| [10, 1, at.to_be_bytes()[0], at.to_be_bytes()[1]].into();
            let target = move |at| ServiceTarget {
                ip: ip(at),
                protocol: IpvsProtocol::Tcp,
                port,
            };
            (0..10_000).map(target)
        };
        let members: Vec<ServiceTarget> = many(80).collect();
        if !world.add_ipset(IpFamily::V4, &members) {
            return;
        }
        let wanted: BTreeSet<_> = many(80).chain(many(81)).collect();
        let told = world.host().ipset_targets(IpFamily::V4, &wanted);
        assert!(told == Ok(Facility::Present(members)));
    });
}
