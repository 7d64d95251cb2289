use std::net::IpAddr;

use mooring_kernel::{
    FakeHost, Forwarding, HostRoute, InterfaceName, IpvsDestination, IpvsService,
};

use super::*;

const V4: &str = "10.77.0.200";
const V6: &str = "fd00:77::200";

fn forwarded(address: &str, port: u16) -> ServiceTarget {
    ServiceTarget {
        ip: address.parse().unwrap(),
        protocol: IpvsProtocol::Tcp,
        port,
    }
}

fn wanted(address: &str) -> Target {
    target(forwarded(address, 80)).unwrap()
}

fn question(mode: LiveMode, addresses: &[&str]) -> Question {
    Question {
        mode,
        targets: addresses.iter().map(|address| wanted(address)).collect(),
        ..Question::default()
    }
}

fn serve(host: &mut FakeHost, address: &str, endpoints: &[&str]) {
    let ServiceTarget { ip, protocol, port } = forwarded(address, 80);
    let service = IpvsService {
        matches: IpvsMatch::Address { ip, protocol, port },
        scheduler: "rr".to_owned(),
    };
    let destinations = endpoints.iter().map(|endpoint| IpvsDestination {
        ip: endpoint.parse::<IpAddr>().unwrap(),
        port: 8080,
        forwarding: Forwarding::Masquerade,
        weight: 1,
        active: 0,
        inactive: 0,
    });
    host.set_ipvs_service(service, destinations.collect());
}

fn targets(addresses: &[&str]) -> Programmed {
    Programmed::Targets(addresses.iter().map(|address| wanted(address)).collect())
}

#[test]
fn a_virtual_service_without_destinations_forwards_nothing() {
    let mut host = FakeHost::new();
    let both = question(LiveMode::Ipvs, &[V4, V6]);
    assert_eq!(
        read(&host, &both),
        Programmed::Failed("the kernel has no IPVS".to_owned())
    );
    serve(&mut host, V4, &[]);
    assert_eq!(read(&host, &both), targets(&[]));
    serve(&mut host, V4, &["10.244.1.2"]);
    serve(&mut host, "10.96.0.1", &["10.77.0.2"]);
    assert_eq!(
        read(&host, &both),
        targets(&[V4]),
        "only what was asked for"
    );
    serve(&mut host, V6, &["fd10:244::2"]);
    assert_eq!(read(&host, &both), targets(&[V4, V6]));
}

#[test]
fn with_kube_proxy_a_virtual_service_forwards_once_its_port_is_in_the_set_of_its_family() {
    let mut host = FakeHost::new();
    let both = question(LiveMode::Ipvs, &[V4, V6]);
    serve(&mut host, V4, &["10.244.1.2"]);
    serve(&mut host, V6, &["fd10:244::2"]);
    host.add_ipset(IpFamily::V4);
    assert_eq!(
        read(&host, &both),
        targets(&[V6]),
        "what kube-proxy has no set for is not waited for"
    );
    host.add_ipset(IpFamily::V6);
    assert_eq!(read(&host, &both), targets(&[]));
    host.add_ipset_target(forwarded(V4, 443));
    host.add_ipset_target(ServiceTarget {
        protocol: IpvsProtocol::Udp,
        ..forwarded(V4, 80)
    });
    assert_eq!(read(&host, &both), targets(&[]), "not its port");
    host.add_ipset_target(forwarded(V4, 80));
    assert_eq!(read(&host, &both), targets(&[V4]));
    host.add_ipset_target(forwarded(V6, 80));
    assert_eq!(read(&host, &both), targets(&[V4, V6]));
    serve(&mut host, V4, &[]);
    assert_eq!(
        read(&host, &both),
        targets(&[V6]),
        "the set alone is nothing"
    );
}

#[test]
fn kube_router_has_no_set_of_kube_proxys_to_be_waited_for() {
    let mut host = FakeHost::new();
    serve(&mut host, V4, &["10.244.1.2"]);
    host.add_ipset(IpFamily::V4);
    for mode in [LiveMode::KubeRouter, LiveMode::Unknown] {
        assert_eq!(read(&host, &question(mode, &[V4])), targets(&[V4]));
    }
}

#[test]
fn each_mode_is_asked_in_its_own_way() {
    let mut host = FakeHost::new();
    host.add_nftables_target(forwarded(V4, 80));
    host.add_iptables_target(forwarded(V6, 80));
    assert_eq!(
        read(&host, &question(LiveMode::Nftables, &[V4, V6])),
        targets(&[V4])
    );
    assert_eq!(
        read(&host, &question(LiveMode::Iptables, &[V4, V6])),
        targets(&[V6])
    );
    assert_eq!(
        read(&host, &question(LiveMode::Unknown, &[V4, V6])),
        targets(&[V4, V6]),
        "whatever forwards it"
    );
    assert!(matches!(
        read(&host, &question(LiveMode::Ebpf, &[V4])),
        Programmed::Hidden(_)
    ));
}

#[test]
fn with_antrea_an_address_is_forwarded_once_its_route_leads_to_open_vswitch() {
    let mut host = FakeHost::new();
    let question = question(LiveMode::AntreaProxyAll, &[V4, V6]);
    assert_eq!(read(&host, &question), targets(&[]));
    let mut add = |name: &str| {
        let name = InterfaceName::new(name).unwrap();
        host.add_link(name, "openvswitch").unwrap()
    };
    let (gateway, other) = (add("antrea-gw0"), add("eth0"));
    for (ip, link) in [(V4, gateway), (V6, other)] {
        let ip = ip.parse().unwrap();
        host.add_host_route(HostRoute { ip, link });
    }
    assert_eq!(read(&host, &question), targets(&[V4]));
}

#[test]
fn another_port_or_protocol_is_another_target() {
    let mut host = FakeHost::new();
    host.add_nftables_target(forwarded(V4, 443));
    host.add_nftables_target(ServiceTarget {
        protocol: IpvsProtocol::Udp,
        ..forwarded(V4, 80)
    });
    assert_eq!(
        read(&host, &question(LiveMode::Nftables, &[V4])),
        targets(&[])
    );
}

#[test]
fn readings_get_rarer_the_longer_nothing_comes_and_the_longer_they_take() {
    let (millis, seconds) = (Duration::from_millis, Duration::from_secs);
    assert_eq!(gap(seconds(0), millis(1)), millis(25));
    assert_eq!(gap(seconds(5), millis(1)), millis(100));
    assert_eq!(gap(seconds(20), millis(1)), millis(400));
    assert_eq!(gap(seconds(3_600), millis(1)), seconds(1));
    assert_eq!(gap(seconds(0), millis(50)), millis(450));
}

#[test]
fn what_is_held_and_not_forwarded_any_more_is_missing_unless_it_cannot_be_read() {
    let mut host = FakeHost::new();
    let held: BTreeSet<Target> = [V4, V6].map(wanted).into();
    let none = BTreeSet::new();
    assert_eq!(missing(&host, LiveMode::Ipvs, &held), none, "no IPVS");
    assert_eq!(missing(&host, LiveMode::Ebpf, &held), none);
    serve(&mut host, V4, &["10.244.1.2"]);
    let gone = BTreeSet::from([wanted(V6)]);
    assert_eq!(missing(&host, LiveMode::Ipvs, &held), gone);
}

#[test]
fn what_is_missing_is_told_as_long_as_it_is_and_once_that_nothing_is() {
    let mut host = FakeHost::new();
    let held = BTreeSet::from([wanted(V4)]);
    let mut hindsight = Hindsight::default();
    let mut look = |host: &FakeHost| {
        hindsight.rested = None;
        hindsight.look(host, LiveMode::Ipvs, &held)
    };
    serve(&mut host, V6, &["fd00::2"]);
    assert_eq!(look(&host), Some(held.clone()));
    assert_eq!(look(&host), Some(held.clone()));
    serve(&mut host, V4, &["10.244.1.2"]);
    assert_eq!(look(&host), Some(BTreeSet::new()));
    assert_eq!(look(&host), None);
    hindsight.rested = Some(Instant::now() + Duration::from_secs(60));
    let other = BTreeSet::from([wanted(V6)]);
    assert_eq!(
        hindsight.look(&host, LiveMode::Ipvs, &other),
        None,
        "too soon"
    );
}
