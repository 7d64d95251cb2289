//! Ports that are closed on some addresses: two namespaces on one wire, real connections, and nft(8) as the witness.

pub(crate) mod segment;
mod sent_on;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mooring_kernel::{
    Facility, FakeHost, Filtered, Forwarding, Host, IpvsDestination, IpvsMatch, IpvsProtocol,
    NftFamily, NftTable, Open, PortFilter, WriteError, Writing,
};

use crate::world::{World, both, real};
use segment::{FAR, FAR_V6, NODE, NODE_V6, PEER, PEER_V6, Segment, VIP, VIP_V6, has_nft, nft};

const SERVICE: (IpvsProtocol, u16) = (IpvsProtocol::Tcp, 8443);
/// Which the node listens on, and no Service has.
const SSH: u16 = 2222;
/// Before an unanswered SYN is sent again.
const AT_ONCE: Duration = Duration::from_millis(900);

const REFUSING: Facility<Filtered> = Facility::Present(Filtered::Refusing);
const NOTHING: Facility<Filtered> = Facility::Present(Filtered::Nothing);

/// With one port of a Service on each address.
fn filter(addresses: &[&str], ping: bool) -> PortFilter {
    let addresses = addresses.iter().map(|ip| ip.parse().expect("an address"));
    let open = Open {
        ports: BTreeSet::from([SERVICE]),
        ping,
    };
    PortFilter {
        addresses: addresses.map(|ip: IpAddr| (ip, open.clone())).collect(),
    }
}

/// Without any port on the same addresses.
fn closed(mut filter: PortFilter) -> PortFilter {
    let all = filter.addresses.values_mut();
    all.for_each(|open| open.ports.clear());
    filter
}

fn socket(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), port)
}

fn own_table() -> NftTable {
    NftTable {
        family: NftFamily::Inet,
        name: "mooring".to_owned(),
    }
}

fn tables(world: &mut World) -> Vec<NftTable> {
    match world.host().nft_tables().expect("tables") {
        Facility::Absent => Vec::new(),
        Facility::Present(tables) => tables,
    }
}

/// How a connection ends that is tried from where the thread is: greeted, or the error.
fn greeted(to: SocketAddr) -> Result<(), ErrorKind> {
    let begun = Instant::now();
    let answer = TcpStream::connect_timeout(&to, Duration::from_secs(5)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read_exact(&mut [0; 2])
    });
    let took = begun.elapsed();
    let at_once = answer.is_ok() || took < AT_ONCE;
    assert!(at_once, "{to}: {answer:?} after {took:?}");
    answer.map_err(|error| error.kind())
}

/// A listener on all addresses of the namespace that the thread is in.
fn greet(port: u16) {
    let listener = TcpListener::bind(socket("::", port)).expect("a listener");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(b"hi"));
        }
    });
}

#[test]
fn a_filter_is_set_twice_and_gone_twice() {
    both("ports-set", |world| {
        if world.no_nft_tables_yet() == Facility::Absent {
            return;
        }
        let none = PortFilter::default();
        assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
        for wanted in [filter(&[VIP], true), filter(&[VIP, VIP_V6], false)] {
            for _ in 0..2 {
                let set = world.host().set_port_filter(&wanted);
                assert_eq!(set, Ok(REFUSING));
                assert_eq!(tables(world), [own_table()]);
                let Facility::Present(chains) = world.host().nft_chains().unwrap() else {
                    panic!("no nftables");
                };
                let chains: Vec<_> = chains.into_iter().map(|chain| chain.name).collect();
                assert_eq!(chains, ["closed", "prerouting"]);
            }
        }
        for _ in 0..2 {
            assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
            assert_eq!(tables(world), []);
        }
    });
}

#[test]
fn the_model_shows_what_was_set_and_fails_as_a_kernel_does() {
    let mut host = FakeHost::new();
    let wanted = filter(&[VIP], true);
    assert_eq!(host.set_port_filter(&wanted), Ok(REFUSING));
    assert_eq!(*host.port_filter(), wanted);
    host.take_nft_reject_away();
    let dropping = Ok(Facility::Present(Filtered::Dropping));
    assert_eq!(host.set_port_filter(&wanted), dropping);
    host.set_net_admin(false);
    let writing = Writing::PortFilter;
    let denied = Err(WriteError::Denied { writing });
    assert_eq!(host.set_port_filter(&PortFilter::default()), denied);
    assert_eq!(*host.port_filter(), wanted);
    host.set_net_admin(true);
    host.take_nft_away();
    assert_eq!(host.set_port_filter(&wanted), Ok(Facility::Absent));
    assert_eq!(*host.port_filter(), PortFilter::default());
}

#[test]
fn nft_reads_the_table_as_it_is_meant() {
    real("ports-nft", |world| {
        if !has_nft(world) {
            return;
        }
        let mut wanted = filter(&[VIP, VIP_V6], true);
        let silent = ["10.9.0.101", "fd00::101"];
        wanted.addresses.extend(filter(&silent, false).addresses);
        assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
        let listed = nft("list table inet mooring");
        let words = |text: &str| {
            let words = text.split_whitespace().map(str::to_owned);
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words(&listed), words(include_str!("table.nft")), "{listed}");
    });
}

#[test]
fn nothing_but_our_own_table_is_touched() {
    real("ports-own", |world| {
        if !has_nft(world) {
            return;
        }
        for line in [
            "add table inet other",
            "add chain inet other input { type filter hook input priority -10 ; }",
            "add rule inet other input ip daddr 10.9.0.7 tcp dport 7 drop",
            "add table ip mooring",
            "add set ip mooring addresses4 { type ipv4_addr ; elements = { 10.9.0.8 } ; }",
            "add table inet mooring-too",
        ] {
            nft(line);
        }
        let before = nft("list ruleset");
        for ping in [true, false] {
            let set = world.host().set_port_filter(&filter(&[VIP, VIP_V6], ping));
            assert_eq!(set, Ok(REFUSING));
            let own = nft("list table inet mooring");
            assert!(own.contains("hook prerouting"), "{own}");
            assert_eq!(nft("list ruleset").replace(&own, ""), before);
        }
        let none = PortFilter::default();
        assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
        assert_eq!(nft("list ruleset"), before);
    });
}

#[test]
fn only_the_ports_of_services_are_open_on_an_address_and_the_nodes_own_stay_as_they_are() {
    real("ports-tcp", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        for port in [SSH, SERVICE.1] {
            greet(port);
        }
        let from_peer = |ip, port| segment.at_peer(|| greeted(socket(ip, port)));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip, SSH), Ok(()), "{ip}: this is the danger");
        }
        let set = world.host().set_port_filter(&filter(&[VIP, VIP_V6], true));
        assert_eq!(set, Ok(REFUSING));
        let refused = Err(ErrorKind::ConnectionRefused);
        for (vip, own) in [(VIP, NODE), (VIP_V6, NODE_V6)] {
            assert_eq!(from_peer(vip, SERVICE.1), Ok(()), "{vip}");
            assert_eq!(from_peer(vip, SSH), refused, "{vip}");
            assert_eq!(from_peer(own, SERVICE.1), Ok(()), "{own}");
            assert_eq!(from_peer(own, SSH), Ok(()), "{own}");
            // The node itself, from the address to the address.
            assert_eq!(greeted(socket(vip, SERVICE.1)), Ok(()), "{vip}");
            assert_eq!(greeted(socket(vip, SSH)), refused, "{vip}");
        }
        // An address without a port is closed wholly.
        let closed = closed(filter(&[VIP, VIP_V6], true));
        assert_eq!(world.host().set_port_filter(&closed), Ok(REFUSING));
        for (vip, own) in [(VIP, NODE), (VIP_V6, NODE_V6)] {
            assert_eq!(from_peer(vip, SERVICE.1), refused, "{vip}");
            assert_eq!(from_peer(own, SERVICE.1), Ok(()), "{own}");
        }
        let none = PortFilter::default();
        assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip, SSH), Ok(()), "{ip}");
        }
    });
}

#[test]
fn a_connection_to_a_port_that_is_closed_meanwhile_is_reset() {
    real("ports-open-connection", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        let listener = TcpListener::bind(socket("::", SSH)).unwrap();
        for ip in [VIP, VIP_V6] {
            let connect = || TcpStream::connect(socket(ip, SSH)).unwrap();
            let mut from_peer = segment.at_peer(connect);
            let _to_node = listener.accept().unwrap();
            let set = world.host().set_port_filter(&filter(&[ip], true));
            assert_eq!(set, Ok(REFUSING));
            from_peer.write_all(b"ls").unwrap();
            from_peer
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            let ended = from_peer.read(&mut [0; 2]).map_err(|error| error.kind());
            assert_eq!(ended, Err(ErrorKind::ConnectionReset), "{ip}");
            let none = PortFilter::default();
            assert_eq!(world.host().set_port_filter(&none), Ok(NOTHING));
        }
    });
}

#[test]
fn no_moment_is_without_a_filter_while_it_is_set_anew() {
    real("ports-atomic", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        greet(SSH);
        let wanted = [true, false].map(|ping| filter(&[VIP, VIP_V6], ping));
        assert_eq!(world.host().set_port_filter(&wanted[0]), Ok(REFUSING));
        let refused = Err(ErrorKind::ConnectionRefused);
        let over = AtomicBool::new(false);
        let tried = std::thread::scope(|scope| {
            let trying = scope.spawn(|| {
                segment.at_peer(|| {
                    let mut tried = 0;
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(greeted(socket(VIP, SSH)), refused);
                        tried += 1;
                    }
                    tried
                })
            });
            for wanted in wanted.iter().cycle().take(200) {
                assert_eq!(world.host().set_port_filter(wanted), Ok(REFUSING));
            }
            over.store(true, Ordering::Relaxed);
            trying.join().expect("refused each time")
        });
        assert!(tried > 10, "{tried}");
    });
}

#[test]
fn a_port_is_open_for_its_protocol_alone_and_udp_is_told_that_it_is_closed() {
    real("ports-udp", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        let dns = UdpSocket::bind(socket("::", SERVICE.1)).unwrap();
        dns.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut wanted = filter(&[VIP, VIP_V6], true);
        assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
        let from_peer = |ip| {
            segment.at_peer(|| {
                let any = if ip == VIP { PEER } else { "::" };
                let socket_of = UdpSocket::bind(socket(any, 0)).unwrap();
                socket_of
                    .set_read_timeout(Some(Duration::from_millis(500)))
                    .unwrap();
                socket_of.connect(socket(ip, SERVICE.1)).unwrap();
                socket_of.send(b"who").unwrap();
                socket_of.recv(&mut [0; 4]).map_err(|error| error.kind())
            })
        };
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip), Err(ErrorKind::ConnectionRefused), "{ip}");
        }
        for open in wanted.addresses.values_mut() {
            open.ports.insert((IpvsProtocol::Udp, SERVICE.1));
        }
        assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
        for ip in [VIP, VIP_V6] {
            assert_eq!(from_peer(ip), Err(ErrorKind::WouldBlock), "{ip}");
            let mut heard = [0; 4];
            assert_eq!(dns.recv(&mut heard).unwrap(), 3, "{ip}");
        }
    });
}

#[test]
fn echo_requests_are_answered_if_they_shall_be_and_neighbours_always() {
    real("ports-ping", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        let pinged = |ip| segment.at_peer(|| segment::ping(ip));
        let both = [VIP, VIP_V6];
        // Each address by itself, and the switch of each while the filter stands.
        for answering in [&both[..], &[], &both[..1], &both[1..], &both] {
            let mut wanted = filter(&both, false);
            wanted.addresses.extend(filter(answering, true).addresses);
            assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
            segment.forget_neighbours();
            for (vip, own) in [(VIP, NODE), (VIP_V6, NODE_V6)] {
                let answers = answering.contains(&vip);
                assert_eq!(pinged(vip), answers, "{vip} of {answering:?}");
                assert!(pinged(own), "{own}");
                // Asked again with a frame to the node alone.
                assert!(segment.is_a_neighbour(vip), "{vip}");
            }
        }
    });
}

#[test]
fn what_icmp_says_about_packets_gets_through_where_echo_requests_do_not() {
    real("ports-icmp", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        segment.make_the_way_on_narrow();
        let set = world.host().set_port_filter(&filter(&[VIP, VIP_V6], false));
        assert_eq!(set, Ok(REFUSING));
        for (vip, peer, far) in [(VIP, PEER, FAR), (VIP_V6, PEER_V6, FAR_V6)] {
            let from_vip = UdpSocket::bind(socket(vip, 0)).unwrap();
            from_vip
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            // Nobody listens there, so the peer says that it is unreachable.
            from_vip.connect(socket(peer, 9)).unwrap();
            from_vip.send(b"who").unwrap();
            let heard = from_vip.recv(&mut [0; 4]).map_err(|error| error.kind());
            assert_eq!(heard, Err(ErrorKind::ConnectionRefused), "{vip}");
            // The peer is the router there, and says that this is too big.
            from_vip.connect(socket(far, 9)).unwrap();
            from_vip.send(&[0; 1400]).unwrap();
            segment.wait_for_narrow_way(vip, far);
        }
    });
}

#[test]
fn the_node_itself_reaches_a_service_at_the_address_from_the_address() {
    real("ports-own-connections", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        segment.at_peer(|| greet(8080));
        // As a service proxy sends it to an endpoint elsewhere; the node's source is the address itself.
        for line in [
            "add table ip nat",
            "add chain ip nat output { type nat hook output priority -100 ; }",
            "add chain ip nat postrouting { type nat hook postrouting priority 100 ; }",
            &format!("add rule ip nat output ip daddr {VIP} tcp dport 80 dnat to {PEER}:8080"),
            &format!("add rule ip nat postrouting ip daddr {PEER} masquerade"),
        ] {
            nft(line);
        }
        let closed = closed(filter(&[VIP], true));
        assert_eq!(world.host().set_port_filter(&closed), Ok(REFUSING));
        assert_eq!(greeted(socket(VIP, 80)), Ok(()));
    });
}

#[test]
fn what_ipvs_takes_at_the_address_gets_there_if_its_port_is_open() {
    real("ports-ipvs", |world| {
        let Some(segment) = Segment::new(world) else {
            return;
        };
        if !world.load_ipvs() {
            return;
        }
        greet(8080);
        let (protocol, port) = SERVICE;
        let service = IpvsMatch::Address {
            ip: VIP.parse().unwrap(),
            protocol,
            port,
        };
        let endpoint = IpvsDestination {
            ip: NODE.parse().unwrap(),
            port: 8080,
            forwarding: Forwarding::Masquerade,
            weight: 1,
            active: 0,
            inactive: 0,
        };
        world.add_ipvs_service(service, "rr", vec![endpoint]);
        let from_peer = |port| segment.at_peer(|| greeted(socket(VIP, port)));
        assert_eq!(from_peer(port), Ok(()), "without a filter");
        let refused = Err(ErrorKind::ConnectionRefused);
        let wanted = filter(&[VIP], true);
        assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
        assert_eq!(from_peer(port), Ok(()));
        assert_eq!(from_peer(8080), refused);
        let closed = closed(wanted);
        assert_eq!(world.host().set_port_filter(&closed), Ok(REFUSING));
        assert_eq!(from_peer(port), refused);
    });
}

#[test]
#[expect(clippy::print_stderr, reason = "the time is worth knowing")]
fn five_thousand_addresses_are_set_at_once() {
    real("ports-many", |world| {
        if !has_nft(world) {
            return;
        }
        let mut wanted = PortFilter::default();
        for number in 0..2500_u16 {
            let [high, low] = number.to_be_bytes();
            let ports = [80, 443, 8080].map(|port| (IpvsProtocol::Tcp, port));
            let six = [0xfd00, 0, 0, 0, 0, 0, 0, number];
            for ip in [IpAddr::from([10, 9, high, low]), IpAddr::from(six)] {
                let open = Open {
                    ports: BTreeSet::from(ports),
                    ping: false,
                };
                wanted.addresses.insert(ip, open);
            }
        }
        for time in ["first", "again"] {
            let begun = Instant::now();
            assert_eq!(world.host().set_port_filter(&wanted), Ok(REFUSING));
            eprintln!("5,000 addresses, {time}: {:?}", begun.elapsed());
        }
        for (set, count) in [("addresses4", 2500), ("services6", 7500), ("silent4", 2500)] {
            let listed = nft(&format!("list set inet mooring {set}"));
            assert_eq!(listed.matches(',').count() + 1, count, "{set}");
        }
    });
}
