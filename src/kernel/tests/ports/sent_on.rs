//! What a service proxy or a CNI plugin sends on from every address of a node, and connections that were sent on from an
//! address: the filter has to see what their senders asked for.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mooring_kernel::PortFilter;

use super::segment::{NODE, NODE_V6, PEER, PEER_V6, Segment, VIP, VIP_V6, nft};
use super::{NOTHING, REFUSING, SERVICE, closed, filter, greet, greeted, socket};
use crate::world::real;

/// Of a `NodePort` or a `hostPort`.
const NODE_PORT: u16 = 30080;
/// Of the Pod that both lead to.
const POD: u16 = 8080;

/// As kube-proxy and the CNI plugin portmap have it: a Service's port at its address, and one port at every local address, go
/// to a Pod, with the node as the source where anything is masqueraded.
fn send_on() {
    for (family, vip, pod) in [
        ("ip", VIP, format!("{NODE}:{POD}")),
        ("ip6", VIP_V6, format!("[{NODE_V6}]:{POD}")),
    ] {
        let service = SERVICE.1;
        for line in [
            format!("add table {family} proxy"),
            format!(
                "add chain {family} proxy services {{ type nat hook prerouting priority dstnat ; }}"
            ),
            format!(
                "add rule {family} proxy services {family} daddr {vip} tcp dport {service} dnat to {pod}"
            ),
            format!(
                "add rule {family} proxy services fib daddr type local tcp dport {NODE_PORT} dnat to {pod}"
            ),
            format!(
                "add chain {family} proxy masquerading {{ type nat hook postrouting priority srcnat ; }}"
            ),
            format!("add rule {family} proxy masquerading oifname up0 masquerade"),
        ] {
            nft(&line);
        }
    }
}

#[test]
fn ports_that_are_open_on_every_address_of_the_node_are_closed_and_those_of_services_are_not() {
    real("ports-dnat", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        greet(POD);
        send_on();
        let from_peer = |ip, port| segment.at_peer(|| greeted(socket(ip, port)));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip, NODE_PORT), Ok(()), "{ip}: this is the danger");
        }
        let wanted = filter(&[VIP, VIP_V6], true);
        let refused = Err(ErrorKind::ConnectionRefused);
        assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
        for (vip, own) in [(VIP, NODE), (VIP_V6, NODE_V6)] {
            assert_eq!(from_peer(vip, SERVICE.1), Ok(()), "{vip}");
            assert_eq!(from_peer(vip, NODE_PORT), refused, "{vip}");
            assert_eq!(from_peer(vip, POD), refused, "{vip}");
            assert_eq!(from_peer(own, NODE_PORT), Ok(()), "{own}");
            assert_eq!(from_peer(own, POD), Ok(()), "{own}");
        }
        assert_eq!(world.host().set_port_filter(&closed(wanted)), Ok(REFUSING));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip, SERVICE.1), refused, "{ip}");
        }
        let none = PortFilter::default();
        assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip, NODE_PORT), Ok(()), "{ip}");
        }
    });
}

#[test]
fn a_connection_to_a_port_of_a_service_outlives_every_change_of_the_filter() {
    real("ports-dnat-open", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        send_on();
        let listener = TcpListener::bind(socket("::", POD)).unwrap();
        for ip in [VIP, VIP_V6] {
            let client = segment.at_peer(|| TcpStream::connect(socket(ip, SERVICE.1)).unwrap());
            let (pod, _) = listener.accept().unwrap();
            for end in [&client, &pod] {
                end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            }
            for wanted in [
                filter(&[ip], true),
                filter(&[ip], false),
                PortFilter::default(),
                filter(&[ip], true),
            ] {
                world.host().set_port_filter(&wanted).unwrap();
                for (mut from, mut to) in [(&client, &pod), (&pod, &client)] {
                    from.write_all(b"on").unwrap();
                    to.read_exact(&mut [0; 2])
                        .unwrap_or_else(|error| panic!("{ip}: {error}"));
                }
            }
        }
    });
}

#[test]
fn answers_come_back_to_whoever_speaks_with_the_address_as_his_source() {
    real("ports-snat", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        segment.at_peer(|| greet(POD));
        let everything = closed(filter(&[VIP, VIP_V6], false));
        assert_eq!(world.host().set_port_filter(&everything), Ok(REFUSING));
        // As an egress gateway does: what goes to the peer has an external IP as its source.
        for (family, vip, peer) in [("ip", VIP, PEER), ("ip6", VIP_V6, PEER_V6)] {
            for line in [
                format!("add table {family} egress"),
                format!(
                    "add chain {family} egress out {{ type nat hook postrouting priority srcnat ; }}"
                ),
                format!(
                    "add rule {family} egress out {family} daddr {peer} tcp dport {POD} counter snat to {vip}"
                ),
            ] {
                nft(&line);
            }
            assert_eq!(greeted(socket(peer, POD)), Ok(()), "{peer}");
            let counted = nft(&format!("list chain {family} egress out"));
            assert!(!counted.contains("packets 0"), "{counted}");
        }
    });
}
