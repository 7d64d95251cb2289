//! The thread with real sockets: a network namespace with two ends of a cable, `up0` of the node and `peer0` of everybody
//! else.

use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mooring_core::ipam::pool::{Bind, Ownership, Ping, Ports};
use mooring_core::ipam::service::{Protocol, ServicePort};
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::mooring::{Served, State};
use mooring_core::node::Uplink;
use mooring_core::proxy_mode::LiveMode;
use mooring_core::wire::arp::{self, ArpPacket, Operation};
use mooring_kernel::{Ears, Host as _, LinuxHost, PacketSocket, Received, wait};
use nix::sched::{CloneFlags, unshare};

use super::*;

mod death;
mod deputy;
mod fenced;
mod links;
mod quay;
mod relief;
mod stacked;
mod wire;

const ADDRESS: &str = "10.9.0.100";
const STRANGER: Mac = Mac([0x02, 0, 0, 0, 0, 0x99]);

/// The other end of the cable, and what the thread tells.
struct Scene {
    moor: Moor,
    told: mpsc::Receiver<Told>,
    peer: PacketSocket,
    own: Mac,
}

fn ip(arguments: &str) {
    let done = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(done.status.success(), "ip {arguments}: {done:?}");
}

fn address() -> IpAddr {
    ADDRESS.parse().unwrap()
}

fn wanted(address: IpAddr) -> Wanted {
    let http = ServicePort {
        protocol: Protocol::Tcp,
        port: 80,
    };
    Wanted {
        address,
        services: [Served {
            service: ObjectName::new("default", "web"),
            ports: vec![http],
            health_port: None,
            service_proxy: None,
        }]
        .into(),
        bind: Bind::Auto,
        interfaces: Vec::new(),
        ports: Ports::ServiceOnly,
        ping: Ping::Allow,
        ownership: Ownership::Available,
        arrival: mooring_core::mooring::Arrival::Planned,
        former: None,
    }
}

/// Tells a story in a network namespace of its own.
fn story(tell: impl FnOnce(Scene) + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        // Said where tests are counted: the test bed's run is as root.
        tracing::warn!("skipped: network namespaces need root");
        return;
    }
    let told = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell(Scene::new());
    });
    told.join().unwrap();
}

impl Scene {
    fn new() -> Self {
        // Over which the kernel is told to go on.
        ip("link set lo up");
        ip(&format!(
            "link add up0 type veth peer name peer0 address {STRANGER}"
        ));
        ip("address add 10.9.0.1/24 dev up0");
        ip("link set up0 up");
        ip("link set peer0 up");
        let links = LinuxHost::new().links().unwrap();
        let link = |name: &str| {
            links
                .iter()
                .find(|link| link.name.to_string() == name)
                .unwrap()
        };
        let (sender, told) = mpsc::channel();
        let moor = Moor::start(
            "n1",
            Fleet::new().unwrap().0,
            Arc::new(Tally::default()),
            move |told| {
                let _ = sender.send(told);
            },
        )
        .unwrap();
        let own = Mac(link("up0").mac.unwrap().0);
        let report = NodeReport {
            // What it forwards cannot be seen, so that nothing has to be forwarded.
            mode: LiveMode::Ebpf,
            uplinks: vec![Uplink {
                name: "up0".to_owned(),
                mac: own.to_string(),
                subnets: vec!["10.9.0.0/24".to_owned()],
                addresses: vec!["10.9.0.1".parse().unwrap()],
                gateways: Vec::new(),
                arp_ignore: 1,
                arp_announce: 2,
            }],
            ..NodeReport::default()
        };
        moor.order(Order::Node(Box::new(report), Vec::new()));
        Self {
            moor,
            told,
            peer: PacketSocket::open(link("peer0").index, Ears::Arp).unwrap(),
            own,
        }
    }

    fn want(&self, addresses: &[IpAddr]) {
        let wanted = addresses.iter().map(|address| wanted(*address));
        self.moor.order(Order::Want(wanted.collect()));
    }

    /// The next ARP packet about the address; `None` if there is none for so long.
    fn hear(&self, patience: Duration) -> Option<ArpPacket> {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 2_048];
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            wait(&[&self.peer], None, Some(left)).unwrap();
            while let Received::Frame(length) = self.peer.receive(&mut buffer).unwrap() {
                let packet = arp::parse(&buffer[..length]).unwrap();
                if packet.target_ip.to_string() == ADDRESS
                    || packet.sender_ip.to_string() == ADDRESS
                {
                    return Some(packet);
                }
            }
        }
    }

    /// Waits for a packet that fits, and passes over those that do not.
    fn expect(&self, what: &str, fits: impl Fn(&ArpPacket) -> bool) -> ArpPacket {
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(packet) = self.hear(Duration::from_secs(10)) {
            if fits(&packet) {
                return packet;
            }
            assert!(Instant::now() < deadline, "no {what}");
        }
        panic!("no {what}");
    }

    /// What the thread says next about the address.
    fn state(&self, fits: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Ok(Told::Moored(moored)) = self.told.recv_timeout(Duration::from_secs(10))
                && moored
                    .standings
                    .iter()
                    .any(|standing| fits(&standing.state))
            {
                return;
            }
        }
        panic!("it never came to that");
    }

    /// Waits until the thread says that it has nothing.
    fn nothing_left(&self) {
        loop {
            match self.told.recv_timeout(Duration::from_secs(10)) {
                Ok(Told::Moored(moored)) if moored.standings.is_empty() => return,
                Ok(_) => {}
                Err(error) => panic!("it does not let go: {error}"),
            }
        }
    }

    fn answer(&self, question: &ArpPacket) {
        self.peer.send(&arp::reply(question, STRANGER)).unwrap();
    }

    fn ask(&self) {
        let asker = "10.9.0.2".parse().unwrap();
        let question = arp::request(STRANGER, asker, ADDRESS.parse().unwrap());
        self.peer.send(&question).unwrap();
    }
}

fn is_probe(packet: &ArpPacket) -> bool {
    packet.operation == Operation::Request && packet.sender_ip.is_unspecified()
}

fn speaks(packet: &ArpPacket) -> bool {
    packet.sender_ip.to_string() == ADDRESS
}

#[test]
fn it_asks_three_times_then_announces_and_answers_until_it_is_told_otherwise() {
    story(|scene| {
        scene.want(&[address()]);
        for _ in 0..3 {
            let first = scene.hear(Duration::from_secs(10)).unwrap();
            assert!(is_probe(&first), "{first:?}");
        }
        let announced = scene.expect("announcement", |_| true);
        assert!(speaks(&announced), "{announced:?}");
        assert_eq!(announced.sender_mac, scene.own);
        scene.ask();
        let reply = scene.expect("reply", |packet| {
            packet.operation == Operation::Reply && packet.target_mac == STRANGER
        });
        assert_eq!(
            (reply.sender_mac, reply.ethernet_destination),
            (scene.own, STRANGER)
        );
        let standing = LinuxHost::new().addresses().unwrap();
        assert!(
            standing.iter().all(|found| found.ip != address()),
            "it is on no interface"
        );

        scene.want(&[]);
        scene.nothing_left();
        scene.ask();
        assert_eq!(
            scene.hear(Duration::from_secs(1)).filter(speaks),
            None,
            "it is silent"
        );
    });
}

#[test]
fn while_somebody_else_answers_it_says_nothing() {
    story(|scene| {
        scene.want(&[address()]);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            if let Some(packet) = scene.hear(Duration::from_millis(200)) {
                assert!(!speaks(&packet), "{packet:?}");
                scene.answer(&packet);
            }
        }
        scene.state(|state| *state == State::Elsewhere { mac: STRANGER });
        scene.expect("announcement once the other one is silent", speaks);
    });
}

#[test]
fn a_witness_asks_for_what_another_node_has_although_it_has_nothing_itself() {
    story(|scene| {
        scene.want(&[]);
        scene
            .moor
            .order(Order::Peers(BTreeMap::from([(STRANGER, "n2".to_owned())])));
        scene.moor.order(Order::Watch(BTreeMap::from([(
            address(),
            Some("n2".to_owned()),
        )])));
        for _ in 0..3 {
            let question = scene.expect("question", is_probe);
            scene.answer(&question);
        }
        let seen = loop {
            match scene.told.recv_timeout(Duration::from_secs(10)).unwrap() {
                Told::Seen(seen) => break seen,
                Told::Moored(_) | Told::Charged(..) => {}
            }
        };
        assert_eq!(seen.macs.into_iter().collect::<Vec<_>>(), [STRANGER]);
    });
}

#[test]
fn a_claim_on_an_address_that_it_has_is_answered_and_told() {
    story(|scene| {
        scene.want(&[address()]);
        scene.state(|state| matches!(state, State::Holding(_)));
        // The announcements of the beginning are over.
        while scene.hear(Duration::from_millis(1_500)).is_some() {}
        let claim = arp::announcement_request(STRANGER, ADDRESS.parse().unwrap());
        scene.peer.send(&claim).unwrap();
        let defence = scene.expect("defence", speaks);
        assert_eq!(defence.sender_mac, scene.own);
        scene.state(|state| {
            matches!(state, State::Holding(holding) if holding.claimed_by == Some(STRANGER))
        });
    });
}
