use super::*;
use crate::condition::ConditionStatus;
use crate::ipam::service::Protocol;
use crate::mooring::{Path, Uplink};

const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);

fn node() -> Node {
    Node {
        name: "n1".to_owned(),
        mode: LiveMode::Ipvs,
        proxy_trouble: None,
        uplinks: vec![Uplink {
            name: "eth0".to_owned(),
            mac: MAC,
            up: true,
            path: Path::default(),
            subnets: Vec::new(),
            addresses: vec!["fd00:77::b".parse().unwrap(), "10.77.0.11".parse().unwrap()],
            arp_ignore: 1,
        }],
        default_routes: Vec::new(),
    }
}

fn holding(outside: bool) -> Standing {
    Standing {
        address: "10.10.0.2".parse().unwrap(),
        state: State::Holding(Holding {
            berth: Berth {
                interface: "eth0".to_owned(),
                method: Method::Responder,
                place: Place::IpvsLink,
                outside,
            },
            mac: Some(MAC),
            since: Now::ZERO,
            took: Now::ZERO,
            claimed_by: None,
            fenced: false,
            forsaken: None,
            exposed: None,
        }),
    }
}

#[test]
fn an_address_that_is_held_says_where_how_and_why_so() {
    let said = holding(false).announced(&node()).unwrap();
    assert!(said.is(AnnouncedReason::Announced));
    assert_eq!(
        said.message,
        "Node n1 answers for 10.10.0.2 on eth0 with 52:54:00:77:00:0b: the agent answers, as kube-proxy in mode ipvs keeps \
         the address on kube-ipvs0, for which the kernel does not."
    );
}

#[test]
fn an_address_that_is_held_and_not_forwarded_says_so_with_what_may_be_the_cause() {
    let mut standing = holding(false);
    let State::Holding(holding) = &mut standing.state else {
        unreachable!()
    };
    let port = ServicePort {
        protocol: Protocol::Tcp,
        port: 80,
    };
    let mut lack = Unforwarded {
        service: ObjectName::new("shop", "web"),
        port,
        cause: None,
    };
    holding.forsaken = Some(lack.clone());
    let said = standing.announced(&node()).unwrap();
    assert!(said.is(AnnouncedReason::ProxyNotProgrammed));
    assert_eq!(
        said.message,
        "Node n1 answers for 10.10.0.2, but what handles Services there (mode ipvs) has not forwarded port 80/TCP of Service \
         shop/web for more than 40 s, so that clients reach nothing. If this lasts, see whether the Service has ready \
         endpoints, and what kube-proxy logs on n1."
    );
    lack.cause = Some(Cause::Trouble("node n1: it does not run.".to_owned()));
    standing.state = State::NotProgrammed(lack.clone());
    let said = standing.announced(&node()).unwrap();
    let end = "as soon as it does. The cause may be this: node n1: it does not run.";
    assert!(said.message.ends_with(end), "{}", said.message);
    lack.cause = Some(Cause::LeftTo("other".to_owned()));
    standing.state = State::NotProgrammed(lack);
    let said = standing.announced(&node()).unwrap();
    assert_eq!(
        said.message,
        "Node n1 is to have 10.10.0.2, but what handles Services there (mode ipvs) does not forward port 80/TCP of Service \
         shop/web yet. It takes the address as soon as it does. The cause: the Service's label \
         service.kubernetes.io/service-proxy-name=other leaves it to another service proxy than kube-proxy. Remove the label, \
         unless that one forwards the Service."
    );
}

#[test]
fn an_address_outside_every_subnet_names_the_route_that_a_router_needs() {
    let said = holding(true).announced(&node()).unwrap();
    assert!(said.is(AnnouncedReason::OutsideNodeSubnet));
    assert_eq!(said.status, ConditionStatus::True);
    assert!(
        said.message.contains("a route to 10.10.0.2 via 10.77.0.11"),
        "{}",
        said.message
    );
}

#[test]
fn a_claim_names_the_node_behind_the_mac_if_there_is_one() {
    let mut standing = holding(false);
    let nobody = |_: Mac| None;
    assert!(
        standing
            .conflict(nobody)
            .unwrap()
            .is(ConflictReason::NoConflict)
    );
    if let State::Holding(holding) = &mut standing.state {
        holding.claimed_by = Some(MAC);
    }
    assert!(
        standing
            .conflict(nobody)
            .unwrap()
            .is(ConflictReason::ForeignHost)
    );
    let named = standing
        .conflict(|mac| (mac == MAC).then_some("n2"))
        .unwrap();
    assert!(named.is(ConflictReason::OtherNode));
    assert!(
        named.message.contains("Node n2 (52:54:00:77:00:0b)"),
        "{}",
        named.message
    );
}

#[test]
fn nothing_is_said_while_the_wire_is_being_asked() {
    let standing = Standing {
        state: State::Asking,
        ..holding(false)
    };
    assert_eq!(standing.announced(&node()), None);
    assert_eq!(standing.conflict(|_| None), None);
}

#[test]
fn an_address_whose_ports_could_not_be_closed_says_so() {
    let mut standing = holding(false);
    if let State::Holding(holding) = &mut standing.state {
        holding.exposed = Some("the kernel has no nf_tables".to_owned());
    }
    let said = standing.announced(&node()).unwrap();
    assert!(said.is(AnnouncedReason::Announced));
    assert!(
        said.message
            .ends_with("could not be closed: the kernel has no nf_tables."),
        "{}",
        said.message
    );
}
