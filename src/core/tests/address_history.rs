//! Why an address is where it is, and where it was before.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use std::sync::Arc;

use mooring_core::external_ip::{Known, MOVES, Move, Moved};
use mooring_core::placement::Exit;

#[path = "external_ip/world.rs"]
mod world;

use world::World;

const ADDRESS: &str = "10.0.0.1";

fn world() -> World {
    let mut world = World::of(3, 1);
    world.settle();
    world.take_all();
    world.settle();
    world
}

fn known(world: &World) -> &Known {
    world.known(ADDRESS).unwrap()
}

/// What happens to a node of this name.
type Blow = fn(&mut World, &str);

/// The operator writes down the moves that are to be remembered.
fn remember(world: &mut World) -> Vec<Moved> {
    let known = world.snapshot.addresses.first_mut().unwrap();
    let history = known.history();
    Arc::make_mut(known).moves.clone_from(&history);
    history
}

#[test]
fn the_plan_says_why_an_address_comes_to_a_node() {
    let mut world = world();
    assert_eq!(known(&world).cause.as_deref(), Some("FirstChoice"));
    let causes: [(&str, Blow); 4] = [
        ("Draining", |world, owner| world.node(owner).draining = true),
        ("ShuttingDown", |world, owner| {
            world.node(owner).exit = Some(Exit::ShuttingDown);
        }),
        ("NotReady", |world, owner| {
            let view = &mut world.node(owner).view;
            (view.ready, view.reporting) = (false, false);
        }),
        ("NodeGone", |world, owner| {
            world.snapshot.nodes.retain(|node| node.view.name != owner);
        }),
    ];
    let mut former = known(&world).plan;
    for (cause, happen) in causes {
        let owner = known(&world).planned.clone().unwrap();
        let nodes = world.snapshot.nodes.clone();
        happen(&mut world, &owner);
        world.settle();
        let now = known(&world);
        assert_ne!(now.planned, Some(owner), "{cause}");
        assert_eq!(now.cause.as_deref(), Some(cause));
        assert_eq!(now.plan, former + 1);
        former = now.plan;
        world.take_all();
        world.snapshot.nodes = nodes;
        world.settle();
        assert_eq!(
            known(&world).cause.as_deref(),
            Some(cause),
            "it stays, as the address does"
        );
    }
}

#[test]
fn what_a_node_took_over_is_planned_there_for_that_cause() {
    let mut world = world();
    let heir = known(&world).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    world.settle();
    assert_eq!(known(&world).planned.as_ref(), Some(&heir));
    assert_eq!(known(&world).cause.as_deref(), Some("TakenOver"));
    let [taken, ..] = &remember(&mut world)[..] else {
        panic!("no move is remembered");
    };
    assert_eq!(
        (&taken.to, taken.how.reason.as_str()),
        (&heir, Move::TAKE_OVER)
    );
}

#[test]
fn the_last_moves_are_remembered_the_latest_first_and_each_of_them_once() {
    let mut world = world();
    assert!(known(&world).moves.is_empty());
    assert_eq!(remember(&mut world).len(), 1);
    assert_eq!(remember(&mut world).len(), 1, "it is the same move");
    for round in 0..2 * MOVES {
        world.wait(60);
        let heir = known(&world).heirs[round % 2].clone();
        world.take_over(ADDRESS, &heir);
        let history = remember(&mut world);
        assert_eq!(history.len(), MOVES.min(round + 2));
        assert_eq!(history[0].to, heir);
        let latest_first = history.windows(2).all(|two| two[0].how.at > two[1].how.at);
        assert!(latest_first, "{history:?}");
        let chained = history
            .windows(2)
            .all(|two| two[0].how.from.as_ref() == Some(&two[1].to));
        assert!(chained, "{history:?}");
    }
}

#[test]
fn an_address_that_nobody_has_keeps_what_is_remembered_of_it() {
    let mut world = world();
    let history = remember(&mut world);
    world.take(ADDRESS, None);
    assert_eq!(remember(&mut world), history);
}
