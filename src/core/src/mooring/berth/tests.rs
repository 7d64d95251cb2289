use super::*;
use crate::ipam::pool::Ownership;
use crate::ipam::pool::{Ping, Ports};
use crate::ipam::range::{AddressRange, HostBits};
use crate::mooring::{Arrival, Path};
use crate::wire::Mac;

fn uplink(name: &str, subnet: &str, arp_ignore: i32) -> Uplink {
    Uplink {
        name: name.to_owned(),
        mac: Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]),
        up: true,
        path: Path::default(),
        subnets: vec![AddressRange::from_cidr(subnet, HostBits::Clear).unwrap()],
        addresses: Vec::new(),
        arp_ignore,
    }
}

fn node(mode: LiveMode) -> Node {
    Node {
        name: "n1".to_owned(),
        mode,
        proxy_trouble: None,
        uplinks: vec![
            uplink("eth0", "10.77.0.0/24", 1),
            uplink("eth1", "192.0.2.0/24", 1),
        ],
        default_routes: vec!["eth1".to_owned()],
    }
}

fn wanted(address: &str, bind: Bind) -> Wanted {
    Wanted {
        address: address.parse().unwrap(),
        services: [].into(),
        bind,
        interfaces: Vec::new(),
        ports: Ports::default(),
        ping: Ping::default(),
        ownership: Ownership::Available,
        arrival: Arrival::Planned,
        former: None,
    }
}

#[test]
fn who_answers_follows_from_the_mode_and_the_pool() {
    use Bind::{Auto, Responder as AskedResponder, Uplink as AskedUplink};
    use LiveMode::{AntreaProxyAll, Ebpf, Iptables, Ipvs, KubeRouter, Nftables, Unknown};
    use Method::{Responder, Uplink};
    use Place::{IpvsLink, Nowhere, Uplink as OnUplink};
    let rows = [
        (Ipvs, Auto, Responder, IpvsLink),
        (Ipvs, AskedResponder, Responder, IpvsLink),
        (Ipvs, AskedUplink, Uplink, OnUplink),
        (Iptables, Auto, Uplink, OnUplink),
        (Iptables, AskedUplink, Uplink, OnUplink),
        (Iptables, AskedResponder, Responder, Nowhere),
        (Nftables, Auto, Uplink, OnUplink),
        (Nftables, AskedResponder, Responder, Nowhere),
        (AntreaProxyAll, Auto, Responder, Nowhere),
        (AntreaProxyAll, AskedUplink, Responder, Nowhere),
        (Ebpf, AskedUplink, Responder, Nowhere),
        (KubeRouter, Auto, Responder, Nowhere),
        (LiveMode::None, Auto, Responder, Nowhere),
        (Unknown, AskedUplink, Responder, Nowhere),
    ];
    for (mode, bind, method, place) in rows {
        let found = berth(&wanted("10.77.0.200", bind), &node(mode)).unwrap();
        assert_eq!(
            (found.method, found.place),
            (method, place),
            "{mode} {bind:?}"
        );
        assert_eq!(found.interface, "eth0");
        assert!(!found.outside);
    }
}

#[test]
fn a_kernel_that_would_not_answer_is_not_relied_on() {
    for (arp_ignore, method) in [
        (0, Method::Uplink),
        (1, Method::Uplink),
        (2, Method::Responder),
        (3, Method::Responder),
        (8, Method::Responder),
    ] {
        let mut node = node(LiveMode::Nftables);
        node.uplinks[0].arp_ignore = arp_ignore;
        let found = berth(&wanted("10.77.0.200", Bind::Auto), &node).unwrap();
        assert_eq!(found.method, method, "arp_ignore {arp_ignore}");
    }
    let mut node = node(LiveMode::Nftables);
    node.uplinks[0] = uplink("eth0", "fd00:77::/64", 8);
    let found = berth(&wanted("fd00:77::200", Bind::Auto), &node).unwrap();
    assert_eq!(
        found.method,
        Method::Uplink,
        "arp_ignore means nothing to IPv6"
    );
}

#[test]
fn the_interface_is_the_one_named_else_that_of_the_subnet_else_that_of_the_default_route() {
    let node = node(LiveMode::Iptables);
    let of = |address: &str, interfaces: &[&str]| {
        let mut wanted = wanted(address, Bind::Auto);
        wanted.interfaces = interfaces.iter().map(|&name| name.to_owned()).collect();
        berth(&wanted, &node).map(|berth| (berth.interface, berth.outside))
    };
    let on = |name: &str, outside| Ok((name.to_owned(), outside));
    assert_eq!(of("10.77.0.200", &[]), on("eth0", false));
    assert_eq!(of("10.10.0.2", &[]), on("eth1", true));
    assert_eq!(of("10.77.0.200", &["eth1"]), on("eth1", true));
    assert_eq!(of("10.77.0.200", &["bond0", "eth0"]), on("eth0", false));
    let none = Hindrance::NoSuchInterface {
        interfaces: vec!["bond0".to_owned()],
    };
    assert_eq!(of("10.77.0.200", &["bond0"]), Err(none));
}

#[test]
fn a_node_without_a_way_out_cannot_answer() {
    let mut lonely = node(LiveMode::Iptables);
    lonely.default_routes.clear();
    let outside = wanted("10.10.0.2", Bind::Auto);
    assert_eq!(berth(&outside, &lonely), Err(Hindrance::NoUplink));
    let mut down = node(LiveMode::Iptables);
    down.uplinks[0].up = false;
    let inside = wanted("10.77.0.200", Bind::Auto);
    let interface = "eth0".to_owned();
    assert_eq!(
        berth(&inside, &down),
        Err(Hindrance::UplinkDown { interface })
    );
}
