//! What the kernel answers for a process: frames that go in at one end of a wire, and what comes back, beside what
//! `mooring-core` makes of the same frames.

mod corpus;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::{Duration, Instant};

use mooring_core::wire::Mac;
use mooring_core::wire::answer::{Heard, hear};
use mooring_core::wire::{arp, ndp};
use mooring_kernel::{
    Answering, Facility, FakeHost, Host, InterfaceName, LinuxHost, MacAddress, NftFamily, NftTable,
    OsError, Responder, WriteError, Writing,
};

use crate::world::{World, both, real};
use wire::{ASKER, Wire, nft};

const LASTS: Duration = Duration::from_millis(200);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
const PRESENT: Facility<()> = Facility::Present(());
const ADDRESSES: [&str; 2] = ["10.9.0.100", "fd00::100"];
const CLAIMABLE: &str = "10.9.0.101";

fn responder(link: u32, name: &str, mac: MacAddress, lasts: Duration) -> Responder {
    let answering = Answering {
        name: InterfaceName::new(name).expect("a name"),
        mac,
        addresses: ADDRESSES
            .iter()
            .map(|ip| ip.parse().expect("an address"))
            .collect(),
        claimable: BTreeSet::from([CLAIMABLE.parse().expect("an address")]),
    };
    Responder {
        links: BTreeMap::from([(link, answering)]),
        lasts,
    }
}

fn own_tables(world: &mut World) -> Vec<NftTable> {
    match world.host().nft_tables().expect("tables") {
        Facility::Absent => Vec::new(),
        Facility::Present(tables) => tables,
    }
}

fn question(last: u8) -> Vec<u8> {
    question_from(2, last)
}

fn question_from(asker: u8, last: u8) -> Vec<u8> {
    let [asker, target] = [asker, last].map(|last| Ipv4Addr::new(10, 9, 0, last));
    arp::request(ASKER, asker, target).to_vec()
}

fn solicitation(target: &str) -> Vec<u8> {
    solicitation_from("fe80::99", target)
}

fn solicitation_from(asker: &str, target: &str) -> Vec<u8> {
    let asker: Ipv6Addr = asker.parse().expect("an address");
    ndp::solicitation(ASKER, asker, target.parse().expect("an address"))
}

#[test]
fn a_responder_is_set_twice_renewed_and_gone_twice() {
    both("responder-set", |world| {
        if world.no_nft_tables_yet() == Facility::Absent {
            return;
        }
        world.add_link("up0");
        let links = world.host().links().unwrap();
        let link = links.iter().find(|link| link.name.to_string() == "up0");
        let (index, mac) = link.map(|link| (link.index, link.mac.unwrap())).unwrap();
        let none = Responder::default();
        assert_eq!(world.host().set_responder(&none), Ok(PRESENT));
        assert_eq!(world.host().renew_responder(), Ok(()));
        world.set_up("lo", 65_536);
        for _ in 0..2 {
            let wanted = responder(index, "up0", mac, LASTS);
            assert_eq!(world.host().set_responder(&wanted), Ok(PRESENT));
            let table = NftTable {
                family: NftFamily::Netdev,
                name: "mooring".to_owned(),
            };
            assert_eq!(own_tables(world), [table]);
            let Facility::Present(chains) = world.host().nft_chains().unwrap() else {
                panic!("no nftables");
            };
            let chains: Vec<_> = chains.into_iter().map(|chain| chain.name).collect();
            let of = |kind: &str| format!("{kind}{index}");
            let all = [of("arp"), of("link"), of("ndp"), "pulse".to_owned()];
            assert_eq!(chains, all);
            for _ in 0..2 {
                assert_eq!(world.host().renew_responder(), Ok(()));
            }
        }
        let gone = responder(index, "up1", mac, LASTS);
        let writing = Writing::Responder;
        let no_link = Err(WriteError::NoLink { writing });
        assert_eq!(world.host().set_responder(&gone), no_link);
        assert_eq!(own_tables(world).len(), 1, "what was there stays");
        for _ in 0..2 {
            assert_eq!(world.host().set_responder(&none), Ok(PRESENT));
            assert_eq!(own_tables(world), []);
        }
    });
}

#[test]
fn the_model_shows_what_was_set_and_fails_as_a_kernel_does() {
    let mut host = FakeHost::new();
    let name = InterfaceName::new("up0").unwrap();
    let index = host.add_link(name, "veth").unwrap();
    let wanted = responder(index, "up0", MacAddress([2, 0, 0, 0, 0, 1]), LASTS);
    assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
    assert_eq!(host.renew_responder(), Ok(()));
    assert_eq!(host.responder(), (&wanted, 1));
    host.set_net_admin(false);
    let writing = Writing::Responder;
    let denied = Err(WriteError::Denied { writing });
    assert_eq!(host.set_responder(&Responder::default()), denied);
    host.set_net_admin(true);
    assert_eq!(host.set_responder(&Responder::default()), Ok(PRESENT));
    host.take_nft_away();
    assert_eq!(host.set_responder(&wanted), Ok(Facility::Absent));
    assert_eq!(host.responder(), (&Responder::default(), 0));
}

#[test]
fn it_answers_for_as_long_as_it_was_renewed() {
    real("responder-lasts", |_| {
        let Some(wire) = Wire::new() else { return };
        let mut host = LinuxHost::new();
        let wanted = wire.responder(LASTS);
        assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
        let all = [question(100), solicitation("fd00::100")];
        let answered = |wire: &Wire| all.each_ref().map(|asked| wire.ask(asked).is_some());
        let silent = |wire: &Wire| {
            all.each_ref()
                .map(|asked| wire.ask_in_vain(asked).is_none())
        };
        assert_eq!(silent(&wire), [true; 2], "not yet renewed");
        assert_eq!(wire.left().len(), 2, "and the process hears them");
        // Others than those, which may come late.
        let again = [
            question_from(3, 100),
            solicitation_from("fe80::98", "fd00::100"),
        ];
        let mut renewed = Instant::now();
        for _ in 0..6 {
            host.renew_responder().unwrap();
            renewed = Instant::now();
            let asked = again.each_ref().map(|asked| wire.ask(asked).is_some());
            assert_eq!(asked, [true; 2]);
            thread::sleep(LASTS / 3);
        }
        wire.expect_unheard(&again);
        while wire.ask_in_vain(&all[0]).is_some() {
            let elapsed = renewed.elapsed();
            assert!(elapsed < LASTS + Duration::from_millis(60), "{elapsed:?}");
        }
        assert!(renewed.elapsed() > LASTS - Duration::from_millis(20));
        assert_eq!(silent(&wire), [true; 2]);
        host.renew_responder().unwrap();
        assert_eq!(answered(&wire), [true; 2], "it goes on");
        let mut longer = wanted.clone();
        longer.lasts = LONG;
        assert_eq!(host.set_responder(&longer), Ok(PRESENT));
        assert_eq!(silent(&wire), [true; 2], "set anew, it is silent");
        host.renew_responder().unwrap();
        assert_eq!(host.set_responder(&Responder::default()), Ok(PRESENT));
        assert_eq!(silent(&wire), [true; 2]);
    });
}

#[test]
fn the_kernel_answers_what_a_process_would_byte_for_byte_and_leaves_the_rest() {
    real("responder-corpus", |_| {
        let Some(wire) = Wire::new() else { return };
        let mut host = LinuxHost::new();
        assert_eq!(host.set_responder(&wire.responder(LONG)), Ok(PRESENT));
        host.renew_responder().unwrap();
        let own = Mac(wire.near_mac.0);
        let held: BTreeSet<IpAddr> = ADDRESSES
            .iter()
            .chain([&CLAIMABLE])
            .map(|ip| ip.parse().unwrap())
            .collect();
        let (mut answered, mut left) = (0, 0);
        for frame in corpus::frames(own) {
            let heard = hear(&frame, own, |address| held.contains(&address));
            let expected = match heard {
                Ok(Heard::Question { address, reply, .. })
                    if address != CLAIMABLE.parse::<IpAddr>().unwrap()
                        && corpus::is_for_the_kernel(&frame) =>
                {
                    Some(reply)
                }
                _ => None,
            };
            let answer = match expected {
                Some(_) => wire.ask(&frame),
                None => wire.ask_in_vain(&frame),
            };
            let told = || format!("{frame:02x?}\nexpected {expected:02x?}\nanswered {answer:02x?}");
            match (&expected, &answer) {
                (Some(expected), Some(answer)) => {
                    assert!(corpus::are_equal(expected, answer, &frame), "{}", told());
                    answered += 1;
                    wire.expect_unheard(std::slice::from_ref(&frame));
                }
                (None, None) => {
                    left += 1;
                    wire.left();
                }
                _ => panic!("{}", told()),
            }
        }
        assert!(
            answered > 100 && left > 100,
            "{answered} answered, {left} left"
        );
    });
}

#[test]
fn frames_of_a_vlan_are_answered_on_its_interface_alone() {
    real("responder-vlan", |_| {
        let Some(mut wire) = Wire::new() else { return };
        let mut host = LinuxHost::new();
        assert_eq!(host.set_responder(&wire.responder(LONG)), Ok(PRESENT));
        host.renew_responder().unwrap();
        let tagged = corpus::with_tag(&question(100), 7);
        assert_eq!(
            wire.ask_in_vain(&tagged),
            None,
            "it would be an answer in another segment"
        );
        let Some((index, mac)) = wire.add_vlan(7) else {
            return;
        };
        let wanted = responder(index, "near.7", mac, LONG);
        assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
        host.renew_responder().unwrap();
        assert_eq!(wire.ask_in_vain(&question(100)), None);
        let answer = wire.ask(&tagged).expect("an answer");
        let plain = arp::parse(&answer).expect("a reply");
        assert_eq!(plain.sender_ip.to_string(), "10.9.0.100");
    });
}

#[test]
fn addresses_come_and_go_while_the_others_are_answered_for() {
    real("responder-change", |_| {
        let Some(wire) = Wire::new() else { return };
        let mut host = LinuxHost::new();
        let wanted = wire.responder(LONG);
        assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
        host.renew_responder().unwrap();
        let with = |ips: &[&str]| {
            let mut other = wanted.clone();
            let link = other.links.values_mut().next().unwrap();
            link.addresses = ips.iter().map(|ip| ip.parse().unwrap()).collect();
            other
        };
        let (four, six) = (question(100), solicitation("fd00::100"));
        assert_eq!(
            host.set_responder(&with(&["fd00::100", "10.9.0.7"])),
            Ok(PRESENT)
        );
        assert!(wire.ask_in_vain(&four).is_none());
        assert!(wire.ask(&six).is_some() && wire.ask(&question(7)).is_some());
        assert_eq!(host.set_responder(&with(&[])), Ok(PRESENT));
        assert!(wire.ask_in_vain(&six).is_none());
        assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
        assert!(wire.ask(&four).is_some() && wire.ask(&six).is_some());
        // Somebody else takes the table away.
        nft("flush ruleset");
        assert!(wire.ask_in_vain(&four).is_none());
        assert_eq!(host.set_responder(&with(&["10.9.0.100"])), Ok(PRESENT));
        host.renew_responder().unwrap();
        assert!(wire.ask(&four).is_some(), "it is made anew");
    });
}

#[test]
fn ten_thousand_addresses_are_set_in_a_moment_and_one_of_them_goes_at_once() {
    real("responder-many", |_| {
        let Some(wire) = Wire::new() else { return };
        let mut wanted = wire.responder(LONG);
        let many = (0..10_000_u32).map(|number| {
            let ip = u32::from(Ipv4Addr::new(10, 10, 0, 0)) + number;
            IpAddr::from(Ipv4Addr::from(ip))
        });
        let link = wanted.links.values_mut().next().unwrap();
        link.addresses.extend(many);
        let mut fewer = wanted.clone();
        let link = fewer.links.values_mut().next().unwrap();
        link.addresses.remove(&ADDRESSES[0].parse().unwrap());
        let (mut all, mut one) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let mut host = LinuxHost::new();
            let begun = Instant::now();
            assert_eq!(host.set_responder(&wanted), Ok(PRESENT));
            all = all.min(begun.elapsed());
            host.renew_responder().unwrap();
            assert!(wire.ask(&question(100)).is_some());
            let begun = Instant::now();
            assert_eq!(host.set_responder(&fewer), Ok(PRESENT));
            one = one.min(begun.elapsed());
            assert!(wire.ask_in_vain(&question(100)).is_none());
        }
        assert!(all < Duration::from_millis(100), "{all:?}");
        assert!(one < Duration::from_millis(10), "{one:?}");
    });
}

#[test]
fn nothing_but_our_own_table_is_touched() {
    real("responder-own", |_| {
        let Some(wire) = Wire::new() else { return };
        for line in [
            "add table netdev other",
            "add chain netdev other in { type filter hook ingress device near priority 0 ; }",
            "add table inet mooring",
        ] {
            nft(line);
        }
        let before = nft("list ruleset");
        let mut host = LinuxHost::new();
        assert_eq!(host.set_responder(&wire.responder(LASTS)), Ok(PRESENT));
        let (own, all) = (nft("list table netdev mooring"), nft("list ruleset"));
        assert_eq!(all.replace(&own, ""), before);
        assert_eq!(host.set_responder(&Responder::default()), Ok(PRESENT));
        assert_eq!(nft("list ruleset"), before);
    });
}

#[test]
fn without_a_loopback_nothing_is_renewed() {
    real("responder-loopback", |_| {
        let Some(wire) = Wire::new() else { return };
        let mut host = LinuxHost::new();
        assert_eq!(host.set_responder(&wire.responder(LASTS)), Ok(PRESENT));
        wire::ip("link set lo down");
        let (writing, error) = (Writing::Responder, OsError::from_raw(100));
        let down = Err(WriteError::Socket { writing, error });
        assert_eq!(host.renew_responder(), down);
    });
}
