use super::*;
use crate::ipam::pool::{Bind, Ownership, Ping, Ports};
use crate::ipam::range::{AddressRange, HostBits};
use crate::ipam::service::{Protocol, ServicePort};
use crate::kube_proxy::snapshot::ObjectName;
use crate::mooring::{Arrival, Cause, Hindrance, Path, Programmed, Served, State, Uplink, Words};
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

mod asking;
mod fenced;

const ADDRESS: &str = "10.77.0.200";
const OWN: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
const OTHER: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0c]);

/// A machine with its clock.
struct Bench {
    moorings: Moorings,
    now: Now,
    said: Vec<(Now, IpAddr, Words)>,
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn http() -> ServicePort {
    ServicePort {
        protocol: Protocol::Tcp,
        port: 80,
    }
}

fn wanted(text: &str) -> Wanted {
    Wanted {
        address: address(text),
        services: [Served {
            service: ObjectName::new("default", "web"),
            ports: vec![http()],
            health_port: None,
            service_proxy: None,
        }]
        .into(),
        bind: Bind::Auto,
        interfaces: Vec::new(),
        ports: Ports::default(),
        ping: Ping::default(),
        ownership: Ownership::Available,
        arrival: Arrival::Planned,
        former: None,
    }
}

fn node(mode: LiveMode) -> Node {
    Node {
        name: "n1".to_owned(),
        mode,
        proxy_trouble: None,
        uplinks: vec![Uplink {
            name: "eth0".to_owned(),
            mac: OWN,
            up: true,
            path: Path::default(),
            subnets: vec![AddressRange::from_cidr("10.77.0.0/24", HostBits::Clear).unwrap()],
            addresses: vec![address("10.77.0.11")],
            arp_ignore: 1,
        }],
        default_routes: vec!["eth0".to_owned()],
    }
}

fn programmed(addresses: &[&str]) -> ProxyState {
    let targets = addresses.iter().map(|text| Target {
        address: address(text),
        protocol: Protocol::Tcp,
        port: 80,
    });
    proxy(Programmed::Targets(targets.collect()))
}

fn proxy(programmed: Programmed) -> ProxyState {
    ProxyState {
        programmed,
        ..ProxyState::default()
    }
}

impl Bench {
    fn new(mode: LiveMode) -> Self {
        let mut moorings = Moorings::new();
        let now = Duration::from_secs(1_000);
        moorings.look(node(mode), now);
        Self {
            moorings,
            now,
            said: Vec::new(),
        }
    }

    /// It shall have an address that its proxy forwards.
    fn wanting(mode: LiveMode) -> Self {
        let mut bench = Self::new(mode);
        bench.moorings.program(programmed(&[ADDRESS]));
        bench.want(&[ADDRESS]);
        bench
    }

    fn want(&mut self, addresses: &[&str]) {
        self.moorings
            .want(addresses.iter().map(|text| wanted(text)), self.now);
    }

    fn tick(&mut self) -> Orders {
        let orders = self.moorings.tick(self.now);
        for sending in &orders.send {
            self.said.push((self.now, sending.address, sending.words));
        }
        orders
    }

    /// As the shell does it: from deadline to deadline.
    fn run(&mut self, time: Duration) -> Orders {
        let end = self.now + time;
        let mut orders = self.tick();
        while let Some(next) = self.moorings.deadline().filter(|next| *next <= end) {
            assert!(next >= self.now, "never back in time");
            self.now = next.max(self.now);
            let before = self.now;
            orders = self.tick();
            // Time goes on, so that a deadline that stays where it is shows.
            self.now = before + Duration::from_micros(1);
        }
        self.now = end;
        let last = self.tick();
        if orders.send.is_empty() {
            last
        } else {
            Orders {
                send: last.send,
                ..last
            }
        }
    }

    /// Somebody else answers for an address.
    fn hear(&mut self, text: &str) -> bool {
        let spoken = Spoken {
            address: address(text),
            mac: OTHER,
            answers: true,
        };
        self.moorings.hear(spoken, self.now)
    }

    fn state(&self) -> State {
        self.moorings.standings(self.now).next().unwrap().state
    }

    /// What the wire was asked for.
    fn asked(&mut self) -> Vec<String> {
        let said = std::mem::take(&mut self.said).into_iter();
        let asked = said.filter(|(_, _, words)| *words == Words::Ask);
        asked.map(|(_, address, _)| address.to_string()).collect()
    }

    fn words(&mut self) -> Vec<Words> {
        std::mem::take(&mut self.said)
            .into_iter()
            .map(|(_, _, words)| words)
            .collect()
    }
}

fn held(orders: &Orders) -> bool {
    !orders.answer.is_empty() || !orders.bind.is_empty()
}

#[test]
fn an_address_is_taken_when_the_wire_is_silent_and_the_proxy_forwards_it() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.want(&[ADDRESS]);
    bench.moorings.program(programmed(&[]));
    assert!(!held(&bench.run(Duration::from_secs(1))));
    assert_eq!(bench.words(), [Words::Ask; 3]);
    assert!(matches!(bench.state(), State::NotProgrammed(lack) if lack.port == http()));
    bench.moorings.program(programmed(&[ADDRESS]));
    let orders = bench.tick();
    assert_eq!(orders.answer["eth0"], BTreeSet::from([address(ADDRESS)]));
    assert_eq!(orders.ensure, BTreeSet::from([address(ADDRESS)]));
    assert!(orders.bind.is_empty());
    assert_eq!(bench.words(), [Words::Announce]);
}

#[test]
fn nothing_is_said_for_an_address_before_the_questions_are_over() {
    let mut bench = Bench::wanting(LiveMode::Nftables);
    let begin = bench.now;
    let orders = bench.run(Duration::from_secs(5));
    assert_eq!(orders.bind[&address(ADDRESS)], "eth0");
    let first = bench
        .said
        .iter()
        .find(|(_, _, words)| *words == Words::Announce);
    let (at, ..) = first.unwrap();
    assert_eq!(*at - begin, Duration::from_millis(400));
    let burst = bench
        .words()
        .into_iter()
        .filter(|words| *words == Words::Announce)
        .count();
    assert_eq!(burst, 4, "0, 1.1, 2.2 and 3.3 s");
}

#[test]
fn an_address_that_is_not_wanted_any_more_is_let_go_at_once() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    assert!(held(&bench.run(Duration::from_secs(1))));
    bench.words();
    bench.want(&[]);
    assert_eq!(bench.tick(), Orders::default());
    assert_eq!(bench.moorings.deadline(), None);
}

#[test]
fn a_proxy_that_forgets_an_address_does_not_take_it_from_its_node() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    bench.run(Duration::from_secs(1));
    for programmed in [programmed(&[]), proxy(Programmed::Failed("why".to_owned()))] {
        bench.moorings.program(programmed);
        assert!(held(&bench.run(Duration::from_secs(1))));
    }
}

#[test]
fn that_a_proxy_has_not_forwarded_for_long_what_is_held_is_told() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    bench.run(Duration::from_secs(1));
    let all = bench.moorings.serving();
    assert_eq!(all.len(), 1);
    let told = |bench: &Bench| match bench.state() {
        State::Holding(holding) => holding.forsaken,
        other => panic!("{other:?}"),
    };
    bench.moorings.miss(&all, bench.now);
    bench.run(Duration::from_secs(39));
    assert_eq!(told(&bench), None, "kube-proxy may be starting again");
    bench.moorings.miss(&all, bench.now);
    assert!(held(&bench.run(Duration::from_secs(1))));
    let lack = told(&bench).unwrap();
    assert_eq!((lack.service.name.as_str(), lack.port), ("web", http()));
    assert_eq!(lack.cause, None);
    let mut ailing = node(LiveMode::Ipvs);
    ailing.proxy_trouble = Some("it does not run".to_owned());
    bench.moorings.look(ailing, bench.now);
    let cause = Cause::Trouble("it does not run".to_owned());
    assert_eq!(told(&bench).unwrap().cause, Some(cause));
    bench.moorings.miss(&BTreeSet::new(), bench.now);
    assert_eq!(told(&bench), None);
    bench.moorings.miss(&all, bench.now);
    assert_eq!(told(&bench), None, "it counts anew");
}

#[test]
fn a_proxy_whose_rules_cannot_be_seen_is_trusted_and_one_that_cannot_be_read_is_not() {
    let mut bench = Bench::new(LiveMode::Ebpf);
    bench.want(&[ADDRESS]);
    bench
        .moorings
        .program(proxy(Programmed::Failed("no answer".to_owned())));
    assert!(!held(&bench.run(Duration::from_secs(2))));
    let why = "no answer".to_owned();
    assert_eq!(bench.state(), State::ProxyUnread { why });
    bench
        .moorings
        .program(proxy(Programmed::Hidden("in eBPF".to_owned())));
    assert!(held(&bench.tick()));
}

#[test]
fn a_proxy_that_says_that_it_leads_nowhere_is_waited_for() {
    for programmed in [
        programmed(&[ADDRESS]).programmed,
        Programmed::Hidden("in eBPF".to_owned()),
    ] {
        let mut bench = Bench::new(LiveMode::Ipvs);
        let mut local = wanted(ADDRESS);
        std::sync::Arc::get_mut(&mut local.services).unwrap()[0].health_port = Some(31_000);
        bench.moorings.want([local], bench.now);
        assert_eq!(bench.moorings.health_ports(), BTreeSet::from([31_000]));
        let mut proxy = ProxyState {
            programmed,
            unhealthy: BTreeSet::from([31_000]),
        };
        bench.moorings.program(proxy.clone());
        assert!(!held(&bench.run(Duration::from_secs(2))));
        assert!(matches!(
            bench.state(),
            State::NotHealthy { port: 31_000, .. }
        ));
        proxy.unhealthy = BTreeSet::from([31_001]);
        bench.moorings.program(proxy.clone());
        assert!(held(&bench.tick()));
        assert_eq!(bench.moorings.health_ports(), BTreeSet::new());
        // What is held stays, as with rules that are gone: where it would be better off is for the operator to say.
        proxy.unhealthy = BTreeSet::from([31_000]);
        bench.moorings.program(proxy);
        assert!(held(&bench.run(Duration::from_secs(1))));
    }
}

#[test]
fn a_service_without_rules_does_not_keep_the_one_away_that_shares_its_address() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    let mut shared = wanted(ADDRESS);
    let dns = ServicePort {
        protocol: Protocol::Udp,
        port: 53,
    };
    let dns = Served {
        service: ObjectName::new("default", "dns"),
        ports: vec![dns],
        health_port: None,
        service_proxy: None,
    };
    shared.services = [shared.services[0].clone(), dns].into();
    bench.moorings.want([shared], bench.now);
    bench.moorings.program(programmed(&[ADDRESS]));
    assert!(held(&bench.run(Duration::from_secs(1))));
}

#[test]
fn an_address_that_stands_from_before_is_held_without_a_question() {
    let mut bench = Bench::new(LiveMode::Nftables);
    bench.want(&[ADDRESS, "10.77.0.201"]);
    bench.moorings.adopt(
        [(address(ADDRESS), "eth0"), (address("10.77.0.201"), "eth7")],
        bench.now,
    );
    let orders = bench.tick();
    assert_eq!(
        orders.bind.keys().copied().collect::<Vec<_>>(),
        [address(ADDRESS)]
    );
    assert_eq!(
        bench.words(),
        [Words::Ask, Words::Announce],
        "one asks, one speaks"
    );
}

#[test]
fn a_change_of_mode_changes_the_shape_and_not_the_holder() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    bench.run(Duration::from_secs(10));
    bench.words();
    bench.moorings.look(node(LiveMode::Nftables), bench.now);
    let orders = bench.tick();
    assert!(orders.answer.is_empty() && orders.ensure.is_empty());
    assert_eq!(orders.bind[&address(ADDRESS)], "eth0");
    assert_eq!(bench.words(), [Words::Announce]);
    bench
        .moorings
        .look(node(LiveMode::AntreaProxyAll), bench.now);
    let orders = bench.tick();
    assert!(orders.bind.is_empty() && orders.ensure.is_empty());
    assert_eq!(orders.answer["eth0"], BTreeSet::from([address(ADDRESS)]));
}

#[test]
fn while_nobody_knows_the_mode_what_was_right_goes_on() {
    let mut bench = Bench::wanting(LiveMode::Nftables);
    let held = bench.run(Duration::from_secs(10));
    bench.words();
    for mode in [LiveMode::Unknown, LiveMode::None] {
        bench.moorings.look(node(mode), bench.now);
        assert_eq!(bench.tick().bind, held.bind, "{mode}");
        assert_eq!(bench.words(), []);
        assert_eq!(bench.moorings.mode(), LiveMode::Nftables, "{mode}");
    }
    bench.moorings.look(node(LiveMode::Ipvs), bench.now);
    assert!(bench.tick().bind.is_empty());
}

#[test]
fn a_link_that_goes_down_takes_the_address_with_it_until_the_wire_was_asked_again() {
    let mut bench = Bench::wanting(LiveMode::Iptables);
    bench.run(Duration::from_secs(1));
    let mut down = node(LiveMode::Iptables);
    down.uplinks[0].up = false;
    bench.moorings.look(down, bench.now);
    assert!(!held(&bench.tick()));
    assert!(matches!(
        bench.state(),
        State::Hindered(Hindrance::UplinkDown { .. })
    ));
    bench.words();
    bench.moorings.look(node(LiveMode::Iptables), bench.now);
    assert!(held(&bench.run(Duration::from_secs(1))));
    assert_eq!(
        bench.words()[..4],
        [Words::Ask, Words::Ask, Words::Ask, Words::Announce]
    );
}

#[test]
fn a_link_with_another_name_or_mac_keeps_its_addresses_and_says_so() {
    let mut bench = Bench::wanting(LiveMode::Iptables);
    bench.run(Duration::from_secs(20));
    bench.words();
    let mut renamed = node(LiveMode::Iptables);
    renamed.uplinks[0].name = "lan0".to_owned();
    bench.moorings.look(renamed.clone(), bench.now);
    let orders = bench.tick();
    assert_eq!(orders.bind[&address(ADDRESS)], "lan0");
    assert_eq!(bench.words(), [Words::Announce]);
    renamed.uplinks[0].mac = OTHER;
    bench.moorings.look(renamed, bench.now);
    assert!(held(&bench.tick()));
    assert_eq!(bench.words(), [Words::Announce]);
}

#[test]
fn a_link_that_reaches_its_segment_by_another_path_says_so() {
    let mut bench = Bench::wanting(LiveMode::Iptables);
    bench.run(Duration::from_secs(20));
    bench.words();
    let mut there = node(LiveMode::Iptables);
    let changes: [fn(&mut Path); 3] = [
        |path| path.port = Some(8),
        |path| path.carrier_changes += 2,
        |path| path.link += 1,
    ];
    for change in changes {
        change(&mut there.uplinks[0].path);
        bench.moorings.look(there.clone(), bench.now);
        assert!(held(&bench.tick()));
        assert_eq!(bench.words(), [Words::Announce], "{there:?}");
        bench.moorings.look(there.clone(), bench.now);
        bench.tick();
        assert_eq!(bench.words(), [], "nothing changed");
    }
}

#[test]
fn a_foreign_claim_is_answered_once_in_ten_seconds_and_reported_for_a_minute() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    bench.run(Duration::from_secs(20));
    bench.words();
    let begin = bench.now;
    for _ in 0..50 {
        bench.hear(ADDRESS);
        bench.tick();
        bench.now += Duration::from_millis(100);
    }
    assert_eq!(bench.words(), [Words::Announce], "in the first 5 s");
    assert!(held(&bench.tick()), "it is defended, not given away");
    let claimed = |bench: &Bench| match bench.state() {
        State::Holding(holding) => holding.claimed_by,
        other => panic!("{other:?}"),
    };
    assert_eq!(claimed(&bench), Some(OTHER));
    bench.run(Duration::from_secs(50));
    assert_eq!(
        claimed(&bench),
        Some(OTHER),
        "{:?} later",
        bench.now - begin
    );
    bench.run(Duration::from_secs(15));
    assert_eq!(claimed(&bench), None);
}

#[test]
fn an_order_that_failed_is_tried_again_after_asking_again() {
    let mut bench = Bench::wanting(LiveMode::Iptables);
    bench.run(Duration::from_secs(1));
    bench
        .moorings
        .fail(address(ADDRESS), "no permission".to_owned(), bench.now);
    assert!(!held(&bench.tick()));
    assert!(matches!(bench.state(), State::Failed { .. }));
    bench.words();
    assert!(held(&bench.run(Duration::from_secs(4))));
    assert_eq!(bench.words()[0], Words::Ask);
}

#[test]
fn a_thousand_addresses_do_not_all_speak_at_once() {
    let names: Vec<String> = (0..1_000)
        .map(|n| format!("10.77.{}.{}", n / 250, n % 250 + 1))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(LiveMode::Iptables);
    let mut wide = node(LiveMode::Iptables);
    wide.uplinks[0].subnets =
        vec![AddressRange::from_cidr("10.77.0.0/16", HostBits::Clear).unwrap()];
    bench.moorings.look(wide, bench.now);
    bench.moorings.program(programmed(&names));
    bench.want(&names);
    let orders = bench.run(Duration::from_secs(30));
    assert_eq!(orders.bind.len(), 1_000);
    let mut per_second = BTreeMap::<u64, usize>::new();
    for (at, _, words) in &bench.said {
        if *words == Words::Announce {
            *per_second.entry(at.as_secs()).or_default() += 1;
        }
    }
    assert!(
        per_second.values().skip(1).all(|count| *count <= 50),
        "{per_second:?}"
    );
    let heard: BTreeSet<IpAddr> = bench
        .said
        .iter()
        .filter(|(_, _, words)| *words == Words::Announce)
        .map(|(_, address, _)| *address)
        .collect();
    assert_eq!(heard.len(), 1_000, "nobody is forgotten");
}
