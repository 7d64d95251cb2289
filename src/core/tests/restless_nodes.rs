//! Nodes that die often: what is recorded, and that they come last for a while.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use mooring_core::external_ip::Relocation;
use mooring_core::placement::{Obstacle, Unrest};

#[path = "external_ip/world.rs"]
mod world;

use world::{World, ip, node};

const HOUR: i64 = 3600;

/// [`World::of`] so many, where all is done.
fn world(nodes: usize, addresses: usize) -> World {
    let mut world = World::of(nodes, addresses);
    settle(&mut world);
    world
}

/// The operator writes all that is to be written, and agents do it.
fn settle(world: &mut World) {
    record(world);
    world.settle();
    world.take_all();
    world.settle();
}

/// The operator records deaths; returns how many there were to record.
fn record(world: &mut World) -> usize {
    let unrest = world.decide().unrest;
    for (name, unrest) in &unrest {
        world.node(name).view.report.as_mut().unwrap().unrest = Some(*unrest);
    }
    unrest.len()
}

/// The node falls silent, and is back five minutes later.
fn dies(world: &mut World, name: &str) {
    let now = world.snapshot.now;
    let node = world.node(name);
    (node.view.ready, node.view.reporting) = (false, false);
    node.life.silent_since = Some(now);
    settle(world);
    world.snapshot.now = now.plus_seconds(300);
    let node = world.node(name);
    (node.view.ready, node.view.reporting) = (true, true);
    node.life.silent_since = None;
    settle(world);
}

fn pass(world: &mut World, seconds: i64) {
    world.snapshot.now = world.snapshot.now.plus_seconds(seconds);
    settle(world);
}

fn on(world: &World, name: &str) -> usize {
    let all = world.snapshot.addresses.iter();
    all.filter(|known| known.planned.as_deref() == Some(name))
        .count()
}

/// A dozen new Services.
fn more(world: &mut World, name: &str) {
    for number in 0..12 {
        world.service(&format!("{name}-{number}"), "blue", |_| ());
    }
    settle(world);
}

fn unrest(world: &mut World, name: &str) -> Option<Unrest> {
    world.node(name).view.report.as_ref().unwrap().unrest
}

/// A world whose node n1 has just died twice.
fn restless(nodes: usize, addresses: usize) -> World {
    let mut world = world(nodes, addresses);
    dies(&mut world, "n1");
    pass(&mut world, 600);
    dies(&mut world, "n1");
    world
}

#[test]
fn the_second_death_within_an_hour_puts_a_node_last_and_time_forgives_it() {
    let mut world = world(3, 6);
    dies(&mut world, "n1");
    assert_eq!(unrest(&mut world, "n1").unwrap().deaths, 1);
    assert_eq!(on(&world, "n1"), 0);
    more(&mut world, "after-one");
    assert!(on(&world, "n1") > 0, "one death is an accident");
    dies(&mut world, "n1");
    assert_eq!(unrest(&mut world, "n1").unwrap().deaths, 2);
    more(&mut world, "after-two");
    assert_eq!(on(&world, "n1"), 0);
    let verdicts = world
        .decide()
        .verdicts(&world.snapshot, ip("10.0.0.1"))
        .unwrap();
    let [obstacle @ Obstacle::DiesOften(said)] = verdicts[0].obstacles.as_slice() else {
        panic!("{verdicts:?}");
    };
    let text = obstacle.to_string();
    assert!(
        text.starts_with("it died 2 times lately, the last time at 1970-01-12T"),
        "{text}"
    );
    assert_eq!(
        world.decide().wake,
        Some(said.until),
        "it is looked at when that is over"
    );
    assert!((HOUR..2 * HOUR).contains(&(said.until.unix_seconds() - said.last.unix_seconds())));
    for known in &world.snapshot.addresses {
        assert_eq!(
            known.heirs.last().unwrap(),
            "n1",
            "the other one first: {known:?}"
        );
    }
    world.snapshot.now = said.until;
    settle(&mut world);
    more(&mut world, "later");
    assert!(on(&world, "n1") > 0);
}

#[test]
fn a_restless_node_keeps_what_it_has_and_is_used_where_there_is_no_other() {
    let mut world = restless(1, 2);
    assert_eq!(on(&world, "n1"), 2);
    world.service("more", "blue", |_| ());
    settle(&mut world);
    assert_eq!(on(&world, "n1"), 3);
    let decision = world.decide();
    let placement = &decision.placements[&ip("10.0.0.3")].to_string();
    assert!(placement.contains("it died 2 times lately"), "{placement}");
    // Others come, and nothing moves.
    world.snapshot.nodes.push(node("n2", &["10.0.0.0/16"]));
    settle(&mut world);
    assert_eq!(on(&world, "n1"), 3);
    // Better than a cordoned one, which somebody wants to have no more.
    world.node("n2").cordoned = true;
    world.service("yet-more", "blue", |_| ());
    let decision = world.decide();
    let placement = &decision.placements[&ip("10.0.0.4")];
    assert_eq!(
        placement.to_string(),
        "n1: every node that can have the address died often lately, this one is the first choice of them"
    );
    // By hand it goes there, and stays.
    let world = restless(2, 2);
    assert_eq!(on(&world, "n1"), 0);
    let relocation = world
        .decide()
        .relocation(&world.snapshot, ip("10.0.0.1"), "n1");
    assert!(
        matches!(relocation, Ok(Relocation::Write { .. })),
        "{relocation:?}"
    );
}

#[test]
fn a_death_is_recorded_once_whoever_looks_and_whatever_tells_of_it() {
    let mut world = world(3, 6);
    let holder = world.snapshot.addresses[0].planned.clone().unwrap();
    let all: Vec<_> = world
        .snapshot
        .addresses
        .iter()
        .map(|known| known.claim.address)
        .collect();
    for address in &all {
        let known = world.known(&address.to_string()).unwrap();
        if known.planned.as_deref() == Some(holder.as_str()) {
            let heir = known.heirs[0].clone();
            world.take_over(&address.to_string(), &heir);
        }
    }
    assert_eq!(record(&mut world), 1, "by the take-overs alone");
    assert_eq!(record(&mut world), 0);
    world.snapshot.now = world.snapshot.now.plus_seconds(45);
    let now = world.snapshot.now;
    world.node(&holder).life.silent_since = Some(now);
    assert_eq!(record(&mut world), 0, "the same death");
    world.node(&holder).life.restarted = Some(now.plus_seconds(20));
    world.snapshot.now = now.plus_seconds(20);
    assert_eq!(record(&mut world), 0, "still the same");
    world.snapshot.now = now.plus_seconds(10 * HOUR);
    assert_eq!(record(&mut world), 0, "and for ever");
    assert_eq!(unrest(&mut world, &holder).unwrap().deaths, 1);
}

#[test]
fn who_was_drained_or_has_no_agent_has_no_record() {
    let mut world = world(2, 2);
    let now = world.snapshot.now;
    let node = world.node("n1");
    node.life.silent_since = Some(now);
    node.life.farewell = true;
    let node = world.node("n2");
    node.life.silent_since = Some(now);
    node.view.report = None;
    assert!(world.decide().unrest.is_empty());
    world.node("n1").life.farewell = false;
    assert_eq!(world.decide().unrest.len(), 1);
}

#[test]
fn the_same_record_makes_the_same_heirs_and_nothing_is_written_twice() {
    for nodes in 2..=8 {
        let mut world = restless(nodes, 12);
        let decision = world.decide();
        assert!(
            decision.is_settled() && decision.unrest.is_empty(),
            "{nodes}: {decision:#?}"
        );
        let heirs = |world: &World| {
            let all = world.snapshot.addresses.iter();
            all.map(|known| known.heirs.clone()).collect::<Vec<_>>()
        };
        let before = heirs(&world);
        world.snapshot.nodes.reverse();
        pass(&mut world, 60);
        assert_eq!(heirs(&world), before, "{nodes}");
        let enough = nodes > 5;
        for heirs in before {
            let place = heirs.iter().position(|heir| heir == "n1");
            assert_eq!(
                place,
                (!enough).then(|| heirs.len() - 1),
                "{nodes}: {heirs:?}"
            );
        }
    }
}
