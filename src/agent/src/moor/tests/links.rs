//! What happens to the links of a node that answers for addresses.

use std::io::Write as _;
use std::process::Stdio;

use mooring_core::condition::ConditionStatus;
use mooring_core::mooring::{Hindrance, Method};

use super::quay::{Quay, ip_address, link, mac, story};
use super::wire::{Kind, Wire};
use super::*;

const V4: &str = "10.9.0.100";
const V6: &str = "fd00:9::100";
const SUBNETS: [&str; 2] = ["10.9.0.0/24", "fd00:9::/64"];

fn both() -> [IpAddr; 2] {
    [ip_address(V4), ip_address(V6)]
}

/// A node with one uplink, `up0`, that holds both addresses and has announced them.
fn holding(quay: &mut Quay, mode: LiveMode) -> Wire {
    quay.cable("up0", "peer0");
    let wire = quay.wire("peer0");
    give_addresses("up0");
    quay.report(mode, &[("up0", &SUBNETS)]);
    quay.want(&both());
    quay.hold();
    for address in both() {
        assert_eq!(wire.expect(Kind::Announcement, address), mac("up0"));
    }
    for address in both() {
        wire.settle(address);
    }
    wire
}

/// The node's own, and brings the link up.
fn give_addresses(link: &str) {
    ip(&format!("address add 10.9.0.1/24 dev {link}"));
    ip(&format!("address add fd00:9::1/64 dev {link} nodad"));
    ip(&format!("link set {link} up"));
}

/// Which of both addresses are on the link.
fn on(name: &str) -> Vec<IpAddr> {
    let index = link(name).index;
    let addresses = LinuxHost::new().addresses().unwrap();
    let here = addresses.into_iter().filter(|found| found.link == index);
    here.map(|found| found.ip)
        .filter(|found| both().contains(found))
        .collect()
}

#[test]
fn each_of_two_uplinks_answers_for_its_own_addresses_with_its_own_mac() {
    story(|mut quay| {
        let other = ip_address("10.9.1.100");
        quay.cable("up0", "peer0");
        quay.cable("up1", "peer1");
        let (first, second) = (quay.wire("peer0"), quay.wire("peer1"));
        give_addresses("up0");
        ip("address add 10.9.1.1/24 dev up1");
        ip("link set up1 up");
        let uplinks: [(&str, &[&str]); 2] = [("up0", &SUBNETS), ("up1", &["10.9.1.0/24"])];
        quay.report(LiveMode::Ebpf, &uplinks);
        quay.want(&[both().as_slice(), &[other]].concat());
        quay.hold();
        assert_eq!(second.expect(Kind::Announcement, other), mac("up1"));
        assert_eq!(second.answer(other), mac("up1"));
        for address in both() {
            assert_eq!(first.expect(Kind::Announcement, address), mac("up0"));
            assert_eq!(first.answer(address), mac("up0"));
            second.silence(address);
        }
        first.silence(other);
    });
}

#[test]
fn a_link_that_went_down_and_up_faster_than_anybody_looks_has_its_addresses_again_and_says_so() {
    story(|mut quay| {
        let wire = holding(&mut quay, LiveMode::Nftables);
        assert_eq!(on("up0"), both());
        let mut at_once = Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut changes = at_once.stdin.take().unwrap();
        changes
            .write_all(b"link set up0 down\nlink set up0 up\n")
            .unwrap();
        drop(changes);
        assert!(at_once.wait().unwrap().success());
        assert_eq!(on("up0"), [ip_address(V4)], "the kernel drops IPv6 ones");
        for address in both() {
            assert_eq!(wire.expect(Kind::Announcement, address), mac("up0"));
            assert_eq!(wire.answer(address), mac("up0"));
        }
        assert_eq!(on("up0"), both());
    });
}

#[test]
fn a_link_that_comes_back_has_its_addresses_again_once_the_wire_was_asked() {
    story(|mut quay| {
        let wire = holding(&mut quay, LiveMode::Nftables);
        quay.outside(|| ip("link set peer0 down"));
        for address in both() {
            quay.until(address, |state| {
                *state
                    == State::Hindered(Hindrance::UplinkDown {
                        interface: "up0".to_owned(),
                    })
            });
        }
        assert_eq!(on("up0"), [] as [IpAddr; 0]);
        quay.outside(|| ip("link set peer0 up"));
        for address in both() {
            wire.expect(Kind::Question, address);
        }
        quay.hold();
        for address in both() {
            assert_eq!(wire.expect(Kind::Announcement, address), mac("up0"));
            assert_eq!(wire.answer(address), mac("up0"));
        }
        assert_eq!(on("up0"), both());
    });
}

#[test]
fn a_link_with_another_mac_answers_with_that_one_and_says_so() {
    story(|mut quay| {
        let wire = holding(&mut quay, LiveMode::Ebpf);
        let new = Mac([0x02, 0, 0, 0, 0, 0x77]);
        ip(&format!("link set up0 address {new}"));
        for address in both() {
            assert_eq!(wire.expect(Kind::Announcement, address), new);
            assert_eq!(wire.answer(address), new);
        }
    });
}

#[test]
fn a_link_with_another_name_goes_on_before_it_is_reported_and_after() {
    story(|mut quay| {
        let wire = holding(&mut quay, LiveMode::Nftables);
        let own = mac("up0");
        // Older kernels rename no link that is up.
        ip("link set up0 down");
        ip("link set up0 name lan0");
        ip("link set lan0 up");
        quay.hold_on("lan0");
        let since = both().map(|address| {
            assert_eq!(wire.answer(address), own);
            let standing = quay.until(address, |_| true);
            (address, standing.holding().unwrap().since)
        });
        let since = BTreeMap::from(since);
        // Whatever it is, it has the node looked at again, which would ask anew if it lost its uplink.
        ip("link set lan0 mtu 1400");
        thread::sleep(Duration::from_millis(500));
        quay.report(LiveMode::Nftables, &[("lan0", &SUBNETS)]);
        thread::sleep(Duration::from_millis(500));
        quay.hold_on("lan0");
        for address in both() {
            assert_eq!(wire.answer(address), own);
            let standing = quay.until(address, |_| true);
            let holding = standing.holding().unwrap();
            assert_eq!(holding.berth.method, Method::Uplink);
            assert_eq!(holding.since, since[&address], "it never lost it");
        }
        assert_eq!(on("lan0"), both());
    });
}

#[test]
fn an_address_that_a_foreign_host_has_is_left_to_it_until_it_is_gone() {
    story(|mut quay| {
        quay.cable("up0", "peer0");
        let wire = quay.wire("peer0");
        give_addresses("up0");
        quay.outside(|| {
            ip(&format!("address add {V4}/24 dev peer0"));
            ip(&format!("address add {V6}/64 dev peer0 nodad"));
        });
        quay.report(LiveMode::Ebpf, &[("up0", &SUBNETS)]);
        quay.want(&both());
        for address in both() {
            let standing = quay.until(address, |state| {
                *state == State::Elsewhere { mac: wire.mac() }
            });
            let conflict = standing.conflict(|_| None).unwrap();
            assert_eq!(conflict.reason, "ForeignHost");
            assert_eq!(conflict.status, ConditionStatus::True);
            assert!(conflict.message.contains(&wire.mac().to_string()));
            let of_node = standing.conflict(|_| Some("n2")).unwrap();
            assert_eq!(of_node.reason, "OtherNode");
            wire.silence(address);
        }
        quay.outside(|| {
            ip(&format!("address del {V4}/24 dev peer0"));
            ip(&format!("address del {V6}/64 dev peer0"));
        });
        quay.hold();
        for address in both() {
            assert_eq!(wire.expect(Kind::Announcement, address), mac("up0"));
            assert_eq!(wire.answer(address), mac("up0"));
        }
    });
}
