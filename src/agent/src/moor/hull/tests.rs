use std::time::Duration;

use mooring_core::ipam::service::ServicePort;
use mooring_core::node::Uplink as Reported;
use mooring_core::proxy_mode::LiveMode;
use mooring_kernel::{AddressScope, FakeHost, InterfaceName};

use super::*;

const V4: &str = "10.77.0.200";
const V6: &str = "fd00:77::200";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

/// A node with `eth0`, `eth1` and `kube-ipvs0`.
fn host() -> FakeHost {
    let mut host = FakeHost::new();
    for (link, kind) in [("eth0", "veth"), ("eth1", "veth"), (IPVS_LINK, "dummy")] {
        host.add_link(name(link), kind).unwrap();
    }
    for link in ["eth0", "eth1"] {
        host.change_link(&name(link), |link| {
            link.up = true;
            link.carrier = true;
        });
    }
    host
}

fn index(host: &FakeHost, wanted: &str) -> u32 {
    let links = host.links().unwrap();
    links
        .iter()
        .find(|link| link.name.as_os_str() == wanted)
        .unwrap()
        .index
}

fn on(host: &FakeHost, link: &str) -> Vec<IpAddr> {
    let index = index(host, link);
    let addresses = host.addresses().unwrap();
    addresses
        .into_iter()
        .filter(|address| address.link == index)
        .map(|address| address.ip)
        .collect()
}

fn bind(pairs: &[(&str, &str)]) -> BTreeMap<IpAddr, String> {
    pairs
        .iter()
        .map(|(address, link)| (ip(address), (*link).to_owned()))
        .collect()
}

fn surveyed(host: &FakeHost) -> Hull {
    let mut hull = Hull::default();
    hull.survey(host).unwrap();
    hull
}

#[test]
fn what_it_puts_on_an_uplink_it_knows_again_and_takes_away() {
    let mut host = host();
    let wanted = bind(&[(V4, "eth0"), (V6, "eth0")]);
    assert_eq!(surveyed(&host).bind(&mut host, &wanted), []);
    assert_eq!(on(&host, "eth0"), [ip(V4), ip(V6)]);
    let mut hull = surveyed(&host);
    assert_eq!(
        hull.ours().collect::<Vec<_>>(),
        [(ip(V4), "eth0"), (ip(V6), "eth0")]
    );
    hull.sweep(&mut host, &bind(&[(V6, "eth0")]));
    assert_eq!(on(&host, "eth0"), [ip(V6)]);
    surveyed(&host).let_go(&mut host, &|_| false);
    assert!(on(&host, "eth0").is_empty());
}

#[test]
fn an_address_that_goes_on_in_another_way_outlives_those_that_do_not() {
    let mut host = host();
    surveyed(&host).bind(&mut host, &bind(&[(V4, "eth0"), (V6, "eth0")]));
    surveyed(&host).let_go(&mut host, &|address| *address == ip(V4));
    assert_eq!(on(&host, "eth0"), [ip(V4)]);
}

#[test]
fn a_nodes_own_addresses_are_never_touched() {
    let mut host = host();
    let link = index(&host, "eth0");
    host.set_address(Address {
        link,
        ip: ip("10.77.0.11"),
        prefix: 24,
        scope: AddressScope::Global,
        flags: AddressFlags::PERMANENT,
        valid: Lifetime::Forever,
        preferred: Lifetime::Forever,
    });
    let mut hull = surveyed(&host);
    assert_eq!(hull.ours().count(), 0);
    hull.let_go(&mut host, &|_| false);
    hull.sweep(&mut host, &BTreeMap::new());
    assert_eq!(on(&host, "eth0"), [ip("10.77.0.11")]);
}

#[test]
fn an_uplink_that_is_gone_is_a_failure_with_its_name() {
    let mut host = host();
    let failed = surveyed(&host).bind(&mut host, &bind(&[(V4, "eth7")]));
    assert_eq!(failed, [(ip(V4), "there is no interface eth7".to_owned())]);
}

#[test]
fn on_the_ipvs_link_it_only_adds_what_is_missing_and_removes_nothing() {
    let mut host = host();
    let wanted = BTreeSet::from([ip(V4), ip(V6)]);
    surveyed(&host).ensure(&mut host, &wanted);
    assert_eq!(on(&host, IPVS_LINK), [ip(V4), ip(V6)]);
    let mut hull = surveyed(&host);
    assert_eq!(hull.ours().count(), 0, "they are kube-proxy's");
    hull.ensure(&mut host, &BTreeSet::new());
    hull.sweep(&mut host, &BTreeMap::new());
    assert_eq!(on(&host, IPVS_LINK), [ip(V4), ip(V6)]);
    host.remove_link(&name(IPVS_LINK));
    surveyed(&host).ensure(&mut host, &wanted);
}

#[test]
fn what_an_agent_before_left_is_renewed() {
    let mut host = host();
    let link = index(&host, "eth0");
    let old = NewAddress {
        valid: Lifetime::For(Duration::from_secs(20)),
        ..new_address(link, ip(V4))
    };
    host.put_address(&old).unwrap();
    Hull::default().renew_ours(&mut host).unwrap();
    let renewed = host.addresses().unwrap();
    assert_eq!(renewed[0].valid, Lifetime::For(LIFETIME));
}

#[test]
fn a_node_is_as_its_report_says_with_its_links_as_they_are() {
    let mut host = host();
    let reported = |link: &str| Reported {
        name: link.to_owned(),
        mac: String::new(),
        subnets: vec!["10.77.0.0/24".to_owned()],
        addresses: vec![ip("10.77.0.11")],
        gateways: Vec::new(),
        arp_ignore: 1,
        arp_announce: 2,
    };
    let report = NodeReport {
        mode: LiveMode::Ipvs,
        uplinks: vec![reported("eth0"), reported("eth9")],
        ..NodeReport::default()
    };
    let routes = ["eth0".to_owned()];
    let (node, links) = super::node(&host, &[], "n1", &report, &routes).unwrap();
    assert_eq!(node.uplinks.len(), 1, "eth9 is not there");
    assert!(node.uplinks[0].up);
    assert_eq!(links[0].index, index(&host, "eth0"));

    host.change_link(&name("eth0"), |link| {
        link.name = InterfaceName::new("lan0").unwrap();
        link.carrier = false;
    });
    let (node, renamed) = super::node(&host, &links, "n1", &report, &routes).unwrap();
    assert_eq!(node.uplinks[0].name, "lan0", "known by its index");
    assert!(!node.uplinks[0].up);
    assert_eq!(node.default_routes, ["lan0"]);
    let (node, links) = super::node(&host, &renamed, "n1", &report, &routes).unwrap();
    assert_eq!(node.uplinks[0].name, "lan0", "the report may be late");

    let mut report = report;
    report.uplinks[0].name = "lan0".to_owned();
    let (node, links) = super::node(&host, &links, "n1", &report, &routes).unwrap();
    assert_eq!(node.uplinks[0].name, "lan0");
    assert_eq!(links[0].reported, "lan0");
}

#[test]
fn a_vlan_on_a_bond_goes_the_way_of_the_bond() {
    let mut host = host();
    let bond = host.add_link(name("bond0"), "bond").unwrap();
    let vlan = host.add_link(name("bond0.5"), "vlan").unwrap();
    let (first, second) = (index(&host, "eth0"), index(&host, "eth1"));
    host.change_link(&name("bond0"), |link| link.active_port = Some(first));
    host.change_link(&name("bond0.5"), |link| {
        link.parent = Some(bond);
        link.carrier_changes = 2;
    });
    let paths = |host: &FakeHost| {
        let links = host.links().unwrap();
        let of = |index: u32| links.iter().find(|link| link.index == index).unwrap();
        (path(of(bond), &links), path(of(vlan), &links))
    };
    let by = |link, port, carrier_changes| Path {
        link,
        port: Some(port),
        carrier_changes,
    };
    assert_eq!(paths(&host), (by(bond, first, 0), by(vlan, first, 2)));
    host.change_link(&name("bond0"), |link| link.active_port = Some(second));
    assert_eq!(paths(&host), (by(bond, second, 0), by(vlan, second, 2)));
    host.change_link(&name("bond0"), |link| link.parent = Some(vlan));
    let round = paths(&host);
    assert_eq!(round, (by(bond, second, 0), by(vlan, second, 2)));
}

#[test]
fn packets_go_on_for_as_long_as_they_have_to() {
    let mut host = host();
    let mut hull = surveyed(&host);
    let onward = BTreeMap::from([(ip(V4), ip("10.77.0.12"))]);
    let later = |seconds| Duration::from_secs(seconds);
    hull.send_on(&mut host, &BTreeMap::new(), later(1));
    assert_eq!(
        *host.onward(),
        Onward::default(),
        "it may be of an earlier agent"
    );
    hull.send_on(&mut host, &onward, later(1));
    assert_eq!(host.onward().to, onward);
    assert_eq!(host.onward().lasts, ONWARD_LASTS);
    host.set_onward(&Onward::default()).unwrap();
    hull.send_on(&mut host, &onward, later(300));
    assert_eq!(host.onward().to, BTreeMap::new(), "the kernel still knows");
    hull.send_on(&mut host, &onward, later(301));
    assert_eq!(host.onward().to, onward, "it would forget");
    hull.send_on(&mut host, &BTreeMap::new(), later(302));
    assert_eq!(host.onward().to, BTreeMap::new());
}

#[test]
fn ports_are_closed_once_and_again_when_something_changes() {
    let mut host = host();
    let mut hull = Hull::default();
    let http = ServicePort {
        protocol: Protocol::Tcp,
        port: 80,
    };
    let with = |ping| {
        let ports = BTreeSet::from([http]);
        BTreeMap::from([(ip(V4), mooring::Open { ports, ping })])
    };
    for (ping, answers) in [(Ping::Allow, true), (Ping::Deny, false)] {
        hull.close(&mut host, &with(ping)).unwrap();
        let open = &host.port_filter().addresses[&ip(V4)];
        assert_eq!(open.ports, BTreeSet::from([(IpvsProtocol::Tcp, 80)]));
        assert_eq!(open.ping, answers);
    }
    let open = with(Ping::Deny);
    host.take_nft_away();
    assert_eq!(
        hull.close(&mut host, &open),
        Ok(()),
        "nothing has to be done"
    );
    assert_eq!(
        hull.close(&mut host, &BTreeMap::new()),
        Ok(()),
        "nothing is to be closed"
    );
    assert_eq!(
        hull.close(&mut host, &open),
        Err("the kernel has no nf_tables".to_owned())
    );
}

#[test]
fn of_what_is_left_on_the_ipvs_link_only_ours_goes() {
    let mut host = host();
    let all = BTreeSet::from([ip(V4), ip(V6), ip("10.96.0.1")]);
    surveyed(&host).ensure(&mut host, &all);
    surveyed(&host).clear(
        &mut host,
        &BTreeSet::from([ip(V4), ip(V6), ip("10.77.0.201")]),
    );
    assert_eq!(on(&host, IPVS_LINK), [ip("10.96.0.1")]);
    host.remove_link(&name(IPVS_LINK));
    surveyed(&host).clear(&mut host, &all);
}
