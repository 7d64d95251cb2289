use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::open_ports;
use crate::ipam::pool::{Bind, Ports};
use crate::ipam::service::{Protocol, ServicePort};
use crate::kube_proxy::snapshot::ObjectName;
use crate::mooring::Wanted;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn port(protocol: Protocol, port: u16) -> ServicePort {
    ServicePort { protocol, port }
}

fn wanted(text: &str, ports: Ports, services: &[(&str, &[ServicePort])]) -> Wanted {
    let services = services
        .iter()
        .map(|(name, ports)| (ObjectName::new("default", *name), ports.to_vec()));
    Wanted {
        address: address(text),
        services: services.collect(),
        bind: Bind::Auto,
        interfaces: Vec::new(),
        ports,
    }
}

#[test]
fn the_ports_of_all_services_that_share_an_address_stay_open() {
    let (http, https) = (port(Protocol::Tcp, 80), port(Protocol::Tcp, 443));
    let (dns, dns_too) = (port(Protocol::Udp, 53), port(Protocol::Tcp, 53));
    let wanted = [
        wanted(
            "10.77.0.100",
            Ports::ServiceOnly,
            &[("web", &[https, http]), ("dns", &[dns, dns_too])],
        ),
        wanted("fd77::100", Ports::ServiceOnly, &[("web", &[http])]),
    ];
    let bound = ["fd77::100", "10.77.0.100"].map(address);
    let expected = BTreeMap::from([
        (bound[1], BTreeSet::from([http, https, dns, dns_too])),
        (bound[0], BTreeSet::from([http])),
    ]);
    assert_eq!(open_ports(bound, &wanted), expected);
}

#[test]
fn what_is_not_on_an_uplink_or_shall_be_open_is_left_alone() {
    let http = port(Protocol::Tcp, 80);
    let wanted = [
        wanted("10.77.0.100", Ports::All, &[("web", &[http])]),
        wanted("10.77.0.101", Ports::ServiceOnly, &[("web", &[http])]),
    ];
    let open = open_ports([address("10.77.0.100")], &wanted);
    assert_eq!(open, BTreeMap::new());
}

#[test]
fn an_address_that_nobody_wants_or_without_a_port_is_closed_wholly() {
    let wanted = [wanted("10.77.0.100", Ports::ServiceOnly, &[("web", &[])])];
    let bound = ["10.77.0.100", "10.77.0.101"].map(address);
    let expected = bound.map(|address| (address, BTreeSet::new()));
    assert_eq!(open_ports(bound, &wanted), BTreeMap::from(expected));
}
