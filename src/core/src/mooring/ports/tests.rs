use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Open, open_ports};
use crate::ipam::pool::{Bind, Ping, Ports};
use crate::ipam::service::{Protocol, ServicePort};
use crate::kube_proxy::snapshot::ObjectName;
use crate::mooring::{Arrival, Served, Wanted};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn port(protocol: Protocol, port: u16) -> ServicePort {
    ServicePort { protocol, port }
}

fn wanted(text: &str, ports: Ports, services: &[(&str, &[ServicePort])]) -> Wanted {
    let services = services.iter().map(|(name, ports)| Served {
        service: ObjectName::new("default", *name),
        ports: ports.to_vec(),
        health_port: None,
        service_proxy: None,
    });
    Wanted {
        address: address(text),
        services: services.collect(),
        bind: Bind::Auto,
        interfaces: Vec::new(),
        ports,
        ping: Ping::Allow,
        ownership: crate::ipam::pool::Ownership::Available,
        arrival: Arrival::Planned,
        former: None,
    }
}

fn open(ports: &[ServicePort], ping: Ping) -> Open {
    Open {
        ports: ports.iter().copied().collect(),
        ping,
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
        (bound[1], open(&[http, https, dns, dns_too], Ping::Allow)),
        (bound[0], open(&[http], Ping::Allow)),
    ]);
    assert_eq!(open_ports(bound, &wanted), expected);
}

#[test]
fn echo_requests_are_as_the_pool_of_each_address_says() {
    let http = port(Protocol::Tcp, 80);
    let services: &[(&str, &[ServicePort])] = &[("web", &[http])];
    let silent = Wanted {
        ping: Ping::Deny,
        ownership: crate::ipam::pool::Ownership::Available,
        ..wanted("10.77.0.100", Ports::ServiceOnly, services)
    };
    let wanted = [silent, wanted("10.77.0.101", Ports::ServiceOnly, services)];
    let bound = ["10.77.0.100", "10.77.0.101"].map(address);
    let expected = [Ping::Deny, Ping::Allow].map(|ping| open(&[http], ping));
    let found: Vec<Open> = open_ports(bound, &wanted).into_values().collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_on_an_uplink_or_shall_be_open_is_left_alone() {
    let http = port(Protocol::Tcp, 80);
    let all = Wanted {
        // Where all is open, this is, too.
        ping: Ping::Deny,
        ownership: crate::ipam::pool::Ownership::Available,
        ..wanted("10.77.0.100", Ports::All, &[("web", &[http])])
    };
    let wanted = [
        all,
        wanted("10.77.0.101", Ports::ServiceOnly, &[("web", &[http])]),
    ];
    let open = open_ports([address("10.77.0.100")], &wanted);
    assert_eq!(open, BTreeMap::new());
}

#[test]
fn an_address_that_nobody_wants_is_closed_wholly_and_one_without_a_port_but_for_echo_requests() {
    let wanted = [wanted("10.77.0.100", Ports::ServiceOnly, &[("web", &[])])];
    let bound = ["10.77.0.100", "10.77.0.101"].map(address);
    let expected = BTreeMap::from([
        (bound[0], open(&[], Ping::Allow)),
        (bound[1], open(&[], Ping::Deny)),
    ]);
    assert_eq!(open_ports(bound, &wanted), expected);
}
