//! What the condition `RequestMet` of an address says, for each way in which a request cannot be met.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use mooring_core::condition::{ConditionStatus, Reason as _};
use mooring_core::ipam::outcome::State;
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::range::Family;
use mooring_core::ipam::reason::RequestMetReason;
use mooring_core::ipam::request::{CLASS, annotation};
use mooring_core::ipam::service::{FamilyPolicy, Protocol, Service, ServicePort};

#[path = "external_ip/world.rs"]
mod world;

use world::{World, id, ip};

fn annotate(service: &mut Service, key: &str, value: &str) {
    service.annotations.insert(key.to_owned(), value.to_owned());
}

/// `web` has 10.0.0.1 of pool `blue`. 10.0.0.2 is `other`'s, 10.0.0.3 rests, 10.0.0.4 is a node's. Pool `green` has one
/// address, which is taken; pool `red` is for another namespace.
fn before() -> World {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    world.pool("green", &["10.0.1.1"], |_| ());
    world.pool("red", &["10.0.2.1"], |spec| {
        spec.namespaces = vec!["payments".to_owned()];
    });
    for (name, pool) in [
        ("web", "blue"),
        ("other", "blue"),
        ("gone", "blue"),
        ("green", "green"),
    ] {
        world.service(name, pool, |_| ());
    }
    world.node("n1").addresses.push(ip("10.0.0.4"));
    world.settle();
    world.delete("gone");
    world.settle();
    assert_eq!(world.addresses("web"), ["10.0.0.1"]);
    world
}

/// What `web` asks for instead.
type Ask = fn(&mut Service);

/// Each reason, what is asked for, and what the message says about it.
const TABLE: &[(&str, Ask, &str)] = &[
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, "10.0.0.300"),
        "\"10.0.0.300\" is not an IP address: write",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, "fe80::1%eth0"),
        "leave out the %",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, "::ffff:10.0.0.5"),
        "write 10.0.0.5",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, "10.0.0.5,10.0.0.6"),
        "has both 10.0.0.5 and 10.0.0.6",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, ","),
        "mooring.dev/ips is empty",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::IPS, "fd00::1"),
        "add IPv6 to spec.ipFamilies",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::POOL, "Blue!"),
        "cannot be the name of a pool",
    ),
    (
        "InvalidRequest",
        |web| {
            annotate(
                web,
                annotation::POOL,
                &["p"; 17].map(str::to_owned).join("x,"),
            )
        },
        "remove some",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::ANTREA_SHARE, "maybe"),
        "neither true nor false",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::SHARE, &"k".repeat(254)),
        "take a shorter key",
    ),
    (
        "InvalidRequest",
        |web| annotate(web, annotation::ANTREA_POOL, "green"),
        "ask for different pools",
    ),
    (
        "NoSuchPool",
        |web| annotate(web, annotation::POOL, "bleu"),
        "there is no pool bleu",
    ),
    (
        "NoDefaultPool",
        asks_without_a_pool,
        "set the annotation mooring.dev/pool",
    ),
    (
        "NotAllowed",
        |web| annotate(web, annotation::POOL, "red"),
        "it may not use pool red",
    ),
    (
        "PoolProblem",
        |web| annotate(web, annotation::IPS, "10.0.0.4"),
        "pool blue: ",
    ),
    (
        "NoFamily",
        needs_both_families,
        "pool blue has no IPv6 addresses",
    ),
    (
        "Exhausted",
        |web| annotate(web, annotation::POOL, "green"),
        "all IPv4 addresses of pool green",
    ),
    (
        "InNoPool",
        |web| annotate(web, annotation::IPS, "192.0.2.1"),
        "192.0.2.1 is in no pool",
    ),
    (
        "InOtherPool",
        |web| annotate(web, annotation::IPS, "10.0.1.1"),
        "10.0.1.1 is in pool green",
    ),
    (
        "Held",
        |web| annotate(web, annotation::IPS, "10.0.0.2"),
        "default/other has 10.0.0.2",
    ),
    (
        "Resting",
        |web| annotate(web, annotation::IPS, "10.0.0.3"),
        "default/gone released 10.0.0.3",
    ),
];

/// Its pool is closed to it, too, before it asks so.
fn asks_without_a_pool(web: &mut Service) {
    web.class = Some(CLASS.to_owned());
    web.annotations.clear();
}

fn needs_both_families(web: &mut Service) {
    web.families = vec![Family::V4, Family::V6];
    web.family_policy = FamilyPolicy::RequireDualStack;
}

#[test]
fn a_request_that_cannot_be_met_is_named_with_its_reason_and_what_is_kept() {
    for (reason, ask, text) in TABLE {
        let mut world = before();
        if *reason == "NoDefaultPool" {
            world.pool("blue", &["10.0.0.1-10.0.0.9"], |spec| {
                spec.namespaces = vec!["payments".to_owned()];
            });
        }
        world.edit("web", ask);
        let decision = world.decide();
        let statuses = &decision.statuses;
        assert!(statuses.is_empty() && decision.delete.is_empty(), "{text}");
        let condition = world.request_met("10.0.0.1").unwrap();
        let message = &condition.message;
        assert_eq!(condition.reason, *reason, "{message}");
        assert_eq!(condition.status, ConditionStatus::False, "{message}");
        assert!(message.contains(text), "{text:?} in {message}");
        let event = decision.outcomes[&id("web")].headline();
        assert_eq!(event.reason, "RequestNotMet", "{message}");
        assert_eq!(
            *message,
            format!(
                "default/web has not all that it asks for: {}.",
                event.message
            )
        );
        let keeps = message.contains("it keeps 10.0.0.1, which works");
        assert!(keeps || *reason == "NoFamily", "{message}");
        world.wait(10);
        let later = world.request_met("10.0.0.1").unwrap();
        assert_eq!(later, condition, "it changes by itself");
    }
}

#[test]
fn every_reason_is_in_the_table() {
    for reason in RequestMetReason::ALL {
        let known = TABLE.iter().any(|(name, ..)| *name == reason.as_str());
        assert!(known || *reason == RequestMetReason::Met, "{reason}");
    }
}

#[test]
fn once_the_request_is_put_right_it_says_so_and_what_rests_says_nothing() {
    let mut world = before();
    let met = world.request_met("10.0.0.1").unwrap();
    assert_eq!((met.status, met.reason), (ConditionStatus::True, "Met"));
    world.edit("web", |web| annotate(web, annotation::IPS, "10.0.0.55"));
    assert_eq!(world.request_met("10.0.0.1").unwrap().reason, "InNoPool");
    world.edit("web", |web| annotate(web, annotation::IPS, "10.0.0.5"));
    world.settle();
    assert_eq!(world.request_met("10.0.0.1"), None, "it rests");
    assert_eq!(world.request_met("10.0.0.5"), Some(met));
}

#[test]
fn while_all_is_well_it_does_not_change_with_those_who_share_the_address() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    shares(&mut world, "b", 80);
    world.settle();
    let alone = world.request_met("10.0.0.1").unwrap();
    shares(&mut world, "a", 81);
    world.settle();
    assert_eq!(world.addresses("a"), ["10.0.0.1"]);
    assert_eq!(world.request_met("10.0.0.1").unwrap(), alone);
    world.take_all();
    assert_eq!(world.request_met("10.0.0.1").unwrap(), alone);
}

#[test]
fn of_several_services_the_first_by_name_is_named_and_the_others_are_counted() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    for (name, port) in [("d", 80), ("c", 81), ("b", 82), ("a", 83)] {
        shares(&mut world, name, port);
        world.settle();
    }
    let mistaken = |world: &mut World, name: &str, asks: &str| {
        world.edit(name, |service| annotate(service, annotation::IPS, asks));
        world.request_met("10.0.0.1").unwrap()
    };
    let one = mistaken(&mut world, "d", "192.0.2.1");
    assert_eq!(one.reason, "InNoPool");
    assert!(
        one.message.starts_with("default/d has not"),
        "{}",
        one.message
    );
    assert!(!one.message.contains("more"), "{}", one.message);
    let two = mistaken(&mut world, "b", "10.0.0.300");
    assert_eq!(two.reason, "InvalidRequest");
    assert!(
        two.message.starts_with("default/b has not"),
        "{}",
        two.message
    );
    assert!(
        two.message.ends_with(
            "The same goes for 1 more Service that has the address: kubectl mooring explain 10.0.0.1"
        ),
        "{}",
        two.message
    );
    let three = mistaken(&mut world, "c", "192.0.2.1");
    assert!(
        three.message.contains("for 2 more Services"),
        "{}",
        three.message
    );
}

fn shares(world: &mut World, name: &str, port: u16) {
    world.service(name, "blue", |service| {
        annotate(service, annotation::SHARE, "front");
        service.ports = vec![ServicePort {
            protocol: Protocol::Tcp,
            port,
        }];
    });
}

#[test]
fn of_two_families_the_one_that_is_not_as_asked_for_gives_the_reason() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9", "fd00::1-fd00::9"], |_| ());
    world.service("other", "blue", |other| other.families = vec![Family::V6]);
    world.service("web", "blue", needs_both_families);
    world.settle();
    assert_eq!(world.addresses("web"), ["10.0.0.1", "fd00::2"]);
    world.edit("web", |web| annotate(web, annotation::IPS, "fd00::1"));
    for address in ["10.0.0.1", "fd00::2"] {
        let condition = world.request_met(address).unwrap();
        assert_eq!(condition.reason, "Held", "{address}: {}", condition.message);
    }
    assert_eq!(world.request_met("fd00::1").unwrap().reason, "Met");
}

#[test]
fn a_mistake_shows_as_well_while_the_address_is_held_back() {
    let mut world = World::default();
    world.snapshot.gate = Gate::Closed {
        message: "Turn strictARP on.".to_owned(),
    };
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    assert_eq!(world.request_met("10.0.0.1").unwrap().reason, "Met");
    world.edit("web", |web| annotate(web, annotation::IPS, "192.0.2.1"));
    let outcome = &world.decide().outcomes[&id("web")];
    assert_eq!(outcome.state, State::Withheld);
    assert_eq!(world.request_met("10.0.0.1").unwrap().reason, "InNoPool");
}

#[test]
fn it_is_said_about_addresses_that_nodes_have_and_about_nothing_else_there() {
    let mut world = before();
    world.take_all();
    world.edit("web", |web| annotate(web, annotation::POOL, "bleu"));
    let remarks = world.decide().remarks(&world.snapshot);
    let of_web = &remarks[&ip("10.0.0.1")];
    assert_eq!(of_web.announced, None, "of this its agent speaks");
    assert_eq!(of_web.request_met.as_ref().unwrap().reason, "NoSuchPool");
    let resting = &remarks[&ip("10.0.0.3")];
    assert_eq!(resting.announced.as_ref().unwrap().reason, "Released");
    assert_eq!(resting.request_met, None);
    assert_eq!(remarks.len(), world.snapshot.addresses.len());
}
