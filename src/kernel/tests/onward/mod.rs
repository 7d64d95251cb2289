//! Connections whose address moves to another node: a client and two nodes on one bridge, real connections, and NAT as a service
//! proxy has it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mooring_kernel::{Facility, FakeHost, Host, NftFamily, NftTable, Onward, WriteError, Writing};

use crate::ports::segment::{Namespace, has_nft, ip, nft};
use crate::world::{both, real};

/// The address that moves, by family, the client's, that of the former node, and that of the present one.
const WIRES: [(&str, &str, &str, &str, &str); 2] = [
    ("ip", "10.9.0.100", "10.9.0.1", "10.9.0.2", "10.9.0.3"),
    ("ip6", "fd00::100", "fd00::1", "fd00::2", "fd00::3"),
];
const SERVICE: u16 = 8443;
/// Of the Pod that each node leads to.
const POD: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(5);

fn parsed(ip: &str) -> IpAddr {
    ip.parse().expect("an address")
}

fn onward(moved: &[(&str, &str)]) -> Onward {
    let moved = moved.iter();
    let pairs = moved.map(|(address, node)| (parsed(address), parsed(node)));
    Onward {
        to: pairs.collect(),
        lasts: Duration::from_secs(600),
    }
}

fn tables(host: &dyn Host) -> Vec<NftTable> {
    match host.nft_tables().expect("tables") {
        Facility::Absent => Vec::new(),
        Facility::Present(tables) => tables,
    }
}

#[test]
fn both_tables_come_and_go_with_their_addresses() {
    both("onward-set", |world| {
        if !has_nft(world) {
            return;
        }
        let done = Ok(Facility::Present(()));
        let own = |family| NftTable {
            family,
            name: "mooring".to_owned(),
        };
        let [four, six] = [("10.9.0.100", "10.9.0.2"), ("fd00::100", "fd00::2")];
        let (ip, ip6) = (own(NftFamily::Ip), own(NftFamily::Ip6));
        for _ in 0..2 {
            assert_eq!(world.host().set_onward(&onward(&[four, six])), done);
            assert_eq!(tables(world.host()), [ip.clone(), ip6.clone()]);
        }
        assert_eq!(world.host().set_onward(&onward(&[six])), done);
        assert_eq!(tables(world.host()), [ip6]);
        for _ in 0..2 {
            assert_eq!(world.host().set_onward(&Onward::default()), done);
            assert_eq!(tables(world.host()), []);
        }
    });
}

#[test]
fn the_model_shows_where_packets_go_on_to_and_fails_as_a_kernel_does() {
    let mut host = FakeHost::new();
    let wanted = onward(&[("10.9.0.100", "10.9.0.2")]);
    assert_eq!(host.set_onward(&wanted), Ok(Facility::Present(())));
    assert_eq!(*host.onward(), wanted);
    host.set_net_admin(false);
    let writing = Writing::Onward;
    let denied = Err(WriteError::Denied { writing });
    assert_eq!(host.set_onward(&Onward::default()), denied);
    host.set_net_admin(true);
    host.take_nft_away();
    assert_eq!(host.set_onward(&wanted), Ok(Facility::Absent));
}

/// A node: it leads the service's port to a Pod of its own, and tells its number there.
fn serve(number: u8, mac: &str, bridge: &Namespace) {
    let there = format!("/proc/{}/fd/{}", std::process::id(), bridge.number());
    ip(&format!(
        "link add up0 address {mac} type veth peer name port{number} netns {there}"
    ));
    ip("link set lo up");
    ip("link set up0 up");
    bridge.within(|| ip(&format!("link set port{number} master up0 up")));
    for (family, vip, _, former, present) in WIRES {
        let own = if number == 1 { former } else { present };
        let (length, pod) = match family {
            "ip" => (24, format!("{own}:{POD}")),
            _ => (64, format!("[{own}]:{POD}")),
        };
        ip(&format!("address add {own}/{length} dev up0 nodad"));
        for line in [
            format!("add table {family} proxy"),
            format!(
                "add chain {family} proxy services {{ type nat hook prerouting priority dstnat ; }}"
            ),
            format!(
                "add rule {family} proxy services {family} daddr {vip} tcp dport {SERVICE} dnat to {pod}"
            ),
        ] {
            nft(&line);
        }
    }
    let listener = TcpListener::bind(SocketAddr::new(parsed("::"), POD)).expect("a listener");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                // Each byte is answered with the node's number.
                while let Ok(()) = stream.read_exact(&mut [0]) {
                    let _ = stream.write_all(&[number]);
                }
            });
        }
    });
}

/// Who answers on a connection.
fn ask(connection: &mut TcpStream) -> Result<u8, ErrorKind> {
    let mut number = [0];
    let asked = connection
        .write_all(&[0])
        .and_then(|()| connection.read_exact(&mut number));
    asked.map(|()| number[0]).map_err(|error| error.kind())
}

#[test]
fn connections_that_began_at_the_former_node_go_on_there_and_new_ones_begin_here() {
    const MACS: [&str; 2] = ["02:00:00:00:00:02", "02:00:00:00:00:03"];
    real("onward", |world| {
        if !has_nft(world) {
            return;
        }
        let (client, former) = (Namespace::new(), Namespace::new());
        client.within(|| {
            ip("link add up0 type bridge");
            ip("link set up0 up");
            for (family, _, own, ..) in WIRES {
                let length = if family == "ip" { 24 } else { 64 };
                ip(&format!("address add {own}/{length} dev up0 nodad"));
            }
        });
        former.within(|| serve(1, MACS[0], &client));
        serve(2, MACS[1], &client);
        let held_by = |node: usize| {
            let mac = MACS[node];
            client.within(|| {
                for (_, vip, ..) in WIRES {
                    ip(&format!("neigh replace {vip} lladdr {mac} dev up0"));
                }
            });
        };
        let connect = |vip: &str| {
            let service = SocketAddr::new(parsed(vip), SERVICE);
            client.within(|| {
                let stream = TcpStream::connect_timeout(&service, PATIENCE);
                let stream = stream.expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
                stream
            })
        };
        held_by(0);
        let mut connections = WIRES.map(|(_, vip, ..)| [(); 3].map(|()| connect(vip)));
        for connection in connections.as_flattened_mut() {
            assert_eq!(ask(connection), Ok(1));
        }

        held_by(1);
        for [lost, ..] in &mut connections {
            assert!(ask(lost).is_err(), "this is the danger");
        }
        let moved = WIRES.map(|(_, vip, _, former, _)| (vip, former));
        let done = Ok(Facility::Present(()));
        assert_eq!(world.host().set_onward(&onward(&moved)), done);
        let listed = WIRES.map(|(family, ..)| nft(&format!("list table {family} mooring")));
        for (listed, (_, vip, _, former, _)) in listed.iter().zip(WIRES) {
            let element = format!("{vip} timeout 10m");
            assert!(
                listed.contains(&element) && listed.contains(former),
                "{listed}"
            );
            assert!(listed.contains("dup to"), "{listed}");
        }
        for ([_, kept, _], (_, vip, ..)) in connections.iter_mut().zip(WIRES) {
            assert_eq!(ask(kept), Ok(1), "{vip}: it goes on where it began");
            let mut new = connect(vip);
            assert_eq!(ask(&mut new), Ok(2), "{vip}: a new one begins here");
            assert_eq!(ask(&mut new), Ok(2), "{vip}: and goes on here");
            assert_eq!(ask(kept), Ok(1), "{vip}");
        }
        assert_eq!(world.host().set_onward(&Onward::default()), done);
        for [.., lost] in &mut connections {
            assert!(ask(lost).is_err(), "nothing is sent on any more");
        }
    });
}
