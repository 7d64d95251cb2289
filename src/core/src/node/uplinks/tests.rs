use super::*;
use crate::node::fixture::{dummy, ipvs, link};
use crate::proxy_mode::Observed;

fn names(observed: &Observed) -> Vec<&str> {
    uplinks(&observed.kernel)
        .iter()
        .map(|uplink| uplink.name)
        .collect()
}

fn port(controller: &str) -> LinkSeen {
    LinkSeen {
        controller: Some(controller.to_owned()),
        ..link(None, "", (0, 0))
    }
}

#[test]
fn hardware_and_what_is_built_from_it_connects_a_node() {
    for kind in [
        None,
        Some("none"),
        Some("bond"),
        Some("vlan"),
        Some("macvlan"),
        Some("team"),
    ] {
        let observed = ipvs().with_link("x1", link(kind, "203.0.113.1/24", (0, 0)));
        assert_eq!(names(&observed), ["eth0", "x1"], "{kind:?}");
    }
    let v6 = ipvs().with_link("x1", link(None, "2001:db8::1/64", (0, 0)));
    assert_eq!(names(&v6), ["eth0", "x1"]);
}

#[test]
fn links_of_pods_and_tunnels_do_not() {
    let address = "203.0.113.1/24";
    for (name, kind) in [
        ("veth12", Some("veth")),
        ("cali12", Some("veth")),
        ("lxc12", Some("veth")),
        ("cilium_host", Some("veth")),
        ("flannel.1", Some("vxlan")),
        ("antrea-gw0", Some("openvswitch")),
        ("antrea-egress0", Some("dummy")),
        ("kube-ipvs0", Some("dummy")),
        ("docker0", Some("bridge")),
        ("cni0", Some("bridge")),
        ("br-1234", Some("bridge")),
        ("wg0", Some("wireguard")),
        ("tun0", Some("tun")),
        ("tunl0", Some("ipip")),
    ] {
        let observed = ipvs().with_link(name, link(kind, address, (0, 0)));
        assert_eq!(names(&observed), ["eth0"], "{name}");
    }
}

#[test]
fn a_link_needs_an_address_that_others_can_ask_for_and_arp() {
    let up = link(None, "203.0.113.1/24", (0, 0));
    for (why, other) in [
        (
            "down",
            LinkSeen {
                up: false,
                ..up.clone()
            },
        ),
        (
            "no ARP",
            LinkSeen {
                no_arp: true,
                ..up.clone()
            },
        ),
        (
            "no MAC",
            LinkSeen {
                mac: None,
                ..up.clone()
            },
        ),
        (
            "a port",
            LinkSeen {
                controller: Some("bond0".to_owned()),
                ..up
            },
        ),
        ("no address", link(None, "", (0, 0))),
        ("link-local", link(None, "fe80::1/64", (0, 0))),
        ("link-local v4", link(None, "169.254.1.1/16", (0, 0))),
    ] {
        let observed = ipvs().with_link("eth1", other);
        assert_eq!(names(&observed), ["eth0"], "{why}");
    }
}

#[test]
fn a_bridge_connects_a_node_if_hardware_is_a_port_of_it() {
    let mut observed = ipvs()
        .with_link("br0", link(Some("bridge"), "203.0.113.1/24", (0, 0)))
        .with_link("br1", link(Some("bridge"), "198.51.100.9/24", (0, 0)))
        .with_link("eth1", port("br0"));
    let mut veth = port("br1");
    veth.kind = Some("veth".to_owned());
    observed = observed.with_link("veth9", veth);
    assert_eq!(names(&observed), ["br0", "eth0"]);
}

#[test]
fn the_link_of_the_default_route_always_connects() {
    let mut observed = ipvs();
    let eth0 = observed.kernel.links.get_mut("eth0").expect("eth0");
    eth0.kind = Some("veth".to_owned());
    assert_eq!(names(&observed), ["eth0"]);
    observed.kernel.default_routes = vec!["br-ex".to_owned()];
    observed = observed.with_link("br-ex", link(Some("openvswitch"), "203.0.113.1/24", (0, 0)));
    assert_eq!(names(&observed), ["br-ex"]);
    observed.kernel.default_routes = vec!["wg0".to_owned()];
    let tunnel = LinkSeen {
        mac: None,
        ..dummy("203.0.113.1/32")
    };
    assert!(names(&observed.with_link("wg0", tunnel)).is_empty());
}

#[test]
fn subnets_are_those_with_other_hosts_in_them() {
    let mut eth0 = link(None, "192.0.2.11/24", (1, 2));
    for (address, length) in [
        ("192.0.2.12", 24),
        ("192.0.2.200", 32),
        ("2001:db8:0:1:2::1", 64),
        ("2001:db8::9", 128),
        ("fe80::1", 64),
        ("10.9.8.7", 0),
    ] {
        eth0.addresses
            .push((address.parse().expect("an address"), length));
    }
    let gateway = "192.0.2.1".parse().expect("an address");
    eth0.gateways = vec![gateway, "fe80::9".parse().expect("an address")];
    let observed = ipvs().with_link("eth0", eth0);
    let reported = uplinks(&observed.kernel)[0].report().expect("an uplink");
    assert_eq!(
        reported.subnets,
        ["0.0.0.0/0", "192.0.2.0/24", "2001:db8:0:1::/64"]
    );
    let addresses: Vec<String> = reported.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["10.9.8.7", "192.0.2.11", "192.0.2.12", "2001:db8:0:1:2::1"]
    );
    assert_eq!(reported.gateways, [gateway]);
    assert_eq!((reported.arp_ignore, reported.arp_announce), (1, 2));
}
