use std::net::IpAddr;

use mooring_core::node::ArpSetting as Decided;
use mooring_kernel::{
    AddressFlags, AddressScope, DefaultRoute, FakeHost, IpvsMatch, IpvsProtocol, IpvsService,
    Lifetime, NftChain, NftFamily, NftTable,
};

use super::*;

fn name(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

fn address(link: u32, ip: &str, prefix: u8) -> Address {
    Address {
        link,
        ip: ip.parse().unwrap(),
        prefix,
        scope: AddressScope::Global,
        flags: AddressFlags::PERMANENT,
        valid: Lifetime::Forever,
        preferred: Lifetime::Forever,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn links_are_seen_with_their_addresses_controllers_and_sysctls() {
    let mut host = FakeHost::new();
    let bond = host.add_link(name("bond0"), "bond").unwrap();
    host.add_link(name("eth0"), "veth").unwrap();
    let ipvs = host.add_link(name("kube-ipvs0"), "dummy").unwrap();
    host.change_link(&name("bond0"), |link| link.up = true);
    host.change_link(&name("eth0"), |link| link.controller = Some(bond));
    host.set_address(address(bond, "192.0.2.7", 24));
    host.set_address(address(bond, "2001:db8::7", 64));
    host.set_address(address(ipvs, "192.0.2.200", 32));
    for (sysctl, value) in [
        (Sysctl::all(ArpSetting::Announce), 2),
        (Sysctl::of(&name("bond0"), ArpSetting::Ignore), 1),
    ] {
        host.write_sysctl(&sysctl, value).unwrap();
    }
    let seen = look(&host, &Traces::default());
    let links: Vec<&str> = seen.links.keys().map(String::as_str).collect();
    assert_eq!(links, ["bond0", "eth0", "kube-ipvs0", "lo"]);
    let bond = &seen.links["bond0"];
    assert_eq!(
        bond.addresses,
        [(ip("192.0.2.7"), 24), (ip("2001:db8::7"), 64)]
    );
    assert_eq!(bond.kind.as_deref(), Some("bond"));
    assert!(bond.up && !bond.no_arp && !bond.loopback);
    let arp = bond.arp.clone().unwrap();
    assert_eq!((arp.all, arp.own), ((0, 2), (1, 0)));
    assert_eq!(seen.links["eth0"].controller.as_deref(), Some("bond0"));
    assert!(seen.links["kube-ipvs0"].no_arp);
    assert!(seen.links["lo"].loopback);
    assert_eq!(seen.links["lo"].mac, None);
    assert_eq!(seen.unread, [""; 0]);
}

#[test]
fn default_routes_are_named_by_their_links_the_preferred_first_and_each_once() {
    let mut host = FakeHost::new();
    let slow = host.add_link(name("wwan0"), "veth").unwrap();
    let fast = host.add_link(name("eth0"), "veth").unwrap();
    let six = host.add_link(name("eth1"), "veth").unwrap();
    for (family, metric, link) in [
        (IpFamily::V4, 700, slow),
        (IpFamily::V4, 100, fast),
        (IpFamily::V6, 1024, six),
        (IpFamily::V6, 2000, fast),
    ] {
        let gateway = (metric == 100).then(|| "192.0.2.1".parse().unwrap());
        let route = DefaultRoute {
            metric,
            link,
            gateway,
        };
        host.add_default_route(family, route);
    }
    let seen = look(&host, &Traces::default());
    assert_eq!(seen.default_routes, ["eth0", "wwan0", "eth1"]);
    let gateways = |name: &str| seen.links[name].gateways.clone();
    assert_eq!(
        gateways("eth0"),
        ["192.0.2.1".parse::<std::net::IpAddr>().unwrap()]
    );
    assert!(gateways("wwan0").is_empty());
}

#[test]
fn traces_keep_one_chain_of_those_that_each_service_has() {
    let mut host = FakeHost::new();
    let chain = |table: &str, chain: &str| NftChain {
        table: NftTable {
            family: NftFamily::Ip,
            name: table.to_owned(),
        },
        name: chain.to_owned(),
    };
    for name in [
        "KUBE-SERVICES",
        "KUBE-SVC-AAAA",
        "KUBE-SVC-BBBB",
        "KUBE-SEP-AAAA",
        "KUBE-NODEPORTS",
        "PREROUTING",
    ] {
        host.add_nft_chain(chain("nat", name));
    }
    host.add_nft_table(chain("empty", "").table);
    host.add_legacy_table(IpFamily::V4, "nat");
    host.add_legacy_table(IpFamily::V6, "nat");
    host.add_legacy_table(IpFamily::V6, "filter");
    let seen = look(&host, &traces(&host));
    let of = |table: &str| seen.nft[&("ip".to_owned(), table.to_owned())].clone();
    assert_eq!(
        of("nat"),
        [
            "KUBE-NODEPORTS",
            "KUBE-SEP-AAAA",
            "KUBE-SERVICES",
            "KUBE-SVC-AAAA",
            "PREROUTING"
        ]
    );
    assert_eq!(of("empty"), [""; 0]);
    assert_eq!(seen.legacy_tables, ["nat", "filter"]);
    assert_eq!(seen.ipvs_services, None);
}

#[test]
fn services_of_ipvs_are_counted_and_a_kernel_without_it_is_told_apart_from_none() {
    let mut host = FakeHost::new();
    assert_eq!(traces(&host).ipvs_services, None);
    host.load_ipvs();
    assert_eq!(traces(&host).ipvs_services, Some(0));
    let matches = IpvsMatch::Address {
        ip: ip("10.96.0.1"),
        protocol: IpvsProtocol::Tcp,
        port: 443,
    };
    let scheduler = "rr".to_owned();
    host.set_ipvs_service(IpvsService { matches, scheduler }, vec![]);
    assert_eq!(traces(&host).ipvs_services, Some(1));
}

#[test]
fn a_name_that_no_interface_can_have_is_no_sysctl() {
    assert_eq!(sysctl("../../vm", Decided::Ignore), None);
    let own = sysctl("eth0.100", Decided::Announce).unwrap();
    assert_eq!(own.to_string(), "net/ipv4/conf/eth0.100/arp_announce");
}
