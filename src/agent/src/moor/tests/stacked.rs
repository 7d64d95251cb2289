//! Uplinks that are built on others: VLANs and bonds.

use super::quay::{Quay, ip_address, link, mac, story};
use super::wire::{Kind, Wire};
use super::*;

const VLAN: [&str; 2] = ["10.9.5.0/24", "fd00:9:5::/64"];

fn on_vlan() -> [IpAddr; 2] {
    [ip_address("10.9.5.100"), ip_address("fd00:9:5::100")]
}

#[test]
#[ignore = "takes a kernel with VLANs: the story agent_on_nodes runs it"]
fn an_address_of_a_vlan_is_answered_for_there_and_nowhere_else() {
    story(|mut quay| {
        quay.cable("up0", "peer0");
        let untagged = quay.wire("peer0");
        quay.outside(|| {
            for id in [5, 6] {
                ip(&format!(
                    "link add link peer0 name peer0.{id} type vlan id {id}"
                ));
            }
        });
        let (tagged, other) = (quay.wire("peer0.5"), quay.wire("peer0.6"));
        ip("link add link up0 name up0.5 type vlan id 5");
        // So that the one cannot be taken for the other.
        ip("link set up0.5 address 02:00:00:00:00:55");
        ip("address add 10.9.0.1/24 dev up0");
        ip("address add 10.9.5.1/24 dev up0.5");
        ip("link set up0 up");
        ip("link set up0.5 up");
        let uplinks: [(&str, &[&str]); 2] = [("up0", &["10.9.0.0/24"]), ("up0.5", &VLAN)];
        quay.report(LiveMode::Ebpf, &uplinks);
        let beside = ip_address(ADDRESS);
        quay.want(&[on_vlan().as_slice(), &[beside]].concat());
        quay.hold();
        for address in on_vlan() {
            assert_eq!(tagged.expect(Kind::Announcement, address), mac("up0.5"));
            assert_eq!(tagged.answer(address), mac("up0.5"));
            untagged.silence(address);
            other.silence(address);
        }
        assert_eq!(untagged.answer(beside), mac("up0"));
        untagged.settle(beside);
        tagged.silence(beside);
        // It is asked for in the VLAN, and not answered for without a tag.
        untagged.quiet(beside);
    });
}

#[test]
#[ignore = "takes a kernel with bonds: the story agent_on_nodes runs it"]
fn a_bond_that_sends_by_another_port_goes_on_and_says_so() {
    story(|mut quay| {
        let wire = bond(&mut quay, "none");
        let own = mac("bond0");
        quay.report(LiveMode::Ebpf, &[("bond0", &["10.9.0.0/24"])]);
        fail_over(&mut quay, &wire, &[ip_address(ADDRESS)], "bond0", || own);
    });
}

#[test]
#[ignore = "takes a kernel with bonds: the story agent_on_nodes runs it"]
fn a_bond_that_takes_the_mac_of_its_other_port_answers_with_that_one() {
    story(|mut quay| {
        let wire = bond(&mut quay, "active");
        let before = mac("bond0");
        quay.report(LiveMode::Ebpf, &[("bond0", &["10.9.0.0/24"])]);
        fail_over(&mut quay, &wire, &[ip_address(ADDRESS)], "bond0", || {
            let after = mac("bond0");
            assert_ne!(before, after);
            after
        });
    });
}

#[test]
#[ignore = "takes a kernel with bonds and VLANs: the story agent_on_nodes runs it"]
fn a_vlan_on_a_bond_that_sends_by_another_port_goes_on_and_says_so() {
    story(|mut quay| {
        bond(&mut quay, "none");
        quay.outside(|| ip("link add link switch name switch.5 type vlan id 5"));
        let wire = quay.wire("switch.5");
        ip("link add link bond0 name bond0.5 type vlan id 5");
        ip("address add 10.9.5.1/24 dev bond0.5");
        ip("link set bond0.5 up");
        let own = mac("bond0.5");
        quay.report(LiveMode::Ebpf, &[("bond0.5", &VLAN)]);
        fail_over(&mut quay, &wire, &on_vlan(), "bond0.5", || own);
    });
}

/// `bond0` of `up0` and `up1`, both of which lead to one switch, where the stranger is.
fn bond(quay: &mut Quay, takes_mac: &str) -> Wire {
    quay.cable("up0", "peer0");
    quay.cable("up1", "peer1");
    quay.outside(|| {
        ip("link add switch type bridge");
        for port in ["peer0", "peer1"] {
            ip(&format!("link set {port} master switch"));
            ip(&format!("link set {port} up"));
        }
    });
    ip(&format!(
        "link add bond0 type bond mode active-backup miimon 50 fail_over_mac {takes_mac}"
    ));
    for port in ["up0", "up1"] {
        ip(&format!("link set {port} master bond0"));
    }
    ip("address add 10.9.0.1/24 dev bond0");
    ip("link set bond0 up");
    quay.wire("switch")
}

/// Has the bond lose the cable that it sends by, once all is held and announced.
fn fail_over(
    quay: &mut Quay,
    wire: &Wire,
    addresses: &[IpAddr],
    uplink: &str,
    then: impl Fn() -> Mac,
) {
    quay.want(addresses);
    quay.hold();
    for address in addresses {
        assert_eq!(wire.answer(*address), mac(uplink));
        wire.settle(*address);
    }
    let ports = [link("up0").index, link("up1").index];
    let sends_by = || link("bond0").active_port.unwrap();
    let at = ports.iter().position(|port| *port == sends_by()).unwrap();
    quay.outside(|| ip(&format!("link set peer{at} down")));
    for address in addresses {
        let announced = wire.expect(Kind::Announcement, *address);
        assert_eq!(sends_by(), ports[1 - at]);
        assert_eq!(announced, then());
        assert_eq!(wire.answer(*address), then());
    }
}
