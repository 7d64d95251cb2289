//! Moving one address by hand, and draining a node: what may be moved, what is written, and that the operator leaves it so.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use std::sync::Arc;

use mooring_core::condition::Condition;
use mooring_core::external_ip::{Evacuation, Fate, Immovable, Known, Relocation, Stage, stage};
use mooring_core::ipam::pool::OnCordon;
use mooring_core::ipam::reason::AnnouncedReason;
use mooring_core::ipam::service::TrafficPolicy;
use mooring_core::placement::{Exit, Obstacle, successors};

#[path = "external_ip/world.rs"]
mod world;

use world::{World, ip};

const ADDRESS: &str = "10.0.0.1";

/// [`World::of`] so many, where all is done.
fn world(nodes: usize, addresses: usize) -> World {
    let mut world = World::of(nodes, addresses);
    world.settle();
    world.take_all();
    world.settle();
    world
}

fn known<'w>(world: &'w World, address: &str) -> &'w Known {
    world.known(address).unwrap()
}

fn owner(world: &World) -> String {
    known(world, ADDRESS).planned.clone().unwrap()
}

/// The nodes that are not the owner of the address.
fn others(world: &World) -> Vec<String> {
    let owner = owner(world);
    let names = world.snapshot.nodes.iter().map(|node| &node.view.name);
    names.filter(|name| **name != owner).cloned().collect()
}

fn relocation(world: &World, to: &str) -> Result<Relocation, Immovable> {
    world.decide().relocation(&world.snapshot, ip(ADDRESS), to)
}

/// Writes what a move wants written.
fn carry_out(world: &mut World, relocation: Relocation) {
    let Relocation::Write { node, heirs, plan } = relocation else {
        panic!("nothing is to be written: {relocation:?}");
    };
    let mut all = world.snapshot.addresses.iter_mut();
    let known = all
        .find(|known| known.claim.address == ip(ADDRESS))
        .unwrap();
    let known = Arc::make_mut(known);
    known.planned = Some(node);
    known.heirs = heirs;
    known.plan = plan;
}

fn say_announced(world: &mut World) {
    let condition = Condition::new(AnnouncedReason::Announced, "as it should be");
    world.say(ADDRESS, &condition);
}

// === move ===

#[test]
fn the_operator_leaves_an_address_where_it_was_moved_by_hand() {
    for nodes in 2..=7 {
        for to in others(&world(nodes, 1)) {
            let mut world = world(nodes, 1);
            let from = owner(&world);
            let before = known(&world, ADDRESS).clone();
            let written = relocation(&world, &to).unwrap();
            carry_out(&mut world, written);
            let after = known(&world, ADDRESS);
            assert_eq!(after.plan, before.plan + 1);
            assert_eq!(after.heirs[0], from, "the former node comes first");
            assert!(!after.heirs.contains(&to) && after.heirs.len() == before.heirs.len());
            let decision = world.decide();
            assert!(
                decision.is_settled(),
                "{nodes} nodes, to {to}: {decision:#?}"
            );
            assert_eq!(
                world.decide().placements[&ip(ADDRESS)].to_string(),
                format!("{to}: it has the address and can keep it")
            );
            world.take_all();
            assert!(world.decide().is_settled());
        }
    }
}

#[test]
fn a_move_is_asked_for_once_and_watched_until_the_node_answers() {
    let mut world = world(3, 1);
    say_announced(&mut world);
    let from = owner(&world);
    let to = others(&world).remove(0);
    let before = known(&world, ADDRESS).plan;
    assert_eq!(relocation(&world, &from), Ok(Relocation::There));
    assert_eq!(stage(known(&world, ADDRESS), &from), Stage::Arrived);
    assert_eq!(stage(known(&world, ADDRESS), &to), Stage::Overruled);
    let written = relocation(&world, &to).unwrap();
    carry_out(&mut world, written);
    assert_eq!(relocation(&world, &to), Ok(Relocation::UnderWay));
    assert_eq!(stage(known(&world, ADDRESS), &to), Stage::UnderWay);
    world.take(ADDRESS, Some(&to));
    world.take_all();
    assert_eq!(stage(known(&world, ADDRESS), &to), Stage::Arrived);
    assert_eq!(relocation(&world, &to), Ok(Relocation::There));
    // Back again, while the former node still has it: that is a new plan, and the one before is over.
    let written = relocation(&world, &from).unwrap();
    carry_out(&mut world, written);
    assert_eq!(stage(known(&world, ADDRESS), &to), Stage::Overruled);
    let written = relocation(&world, &to).unwrap();
    carry_out(&mut world, written);
    assert_eq!(
        stage(known(&world, ADDRESS), &to),
        Stage::UnderWay,
        "it has it under a former plan"
    );
    assert_eq!(known(&world, ADDRESS).plan, before + 3);
}

#[test]
fn whoever_took_an_address_over_gives_it_back_by_a_move() {
    let mut world = world(3, 1);
    let from = owner(&world);
    let heir = known(&world, ADDRESS).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    let written = relocation(&world, &from).unwrap();
    assert!(
        matches!(&written, Relocation::Write { heirs, .. } if heirs[0] == heir),
        "{written:?}"
    );
    carry_out(&mut world, written);
    assert!(world.decide().is_settled(), "it goes back");
}

#[test]
fn a_node_that_cannot_have_an_address_says_all_that_is_in_the_way() {
    let mut world = world(3, 1);
    let to = others(&world).remove(0);
    world.node(&to).cordoned = true;
    world.node(&to).view.ready = false;
    assert_eq!(
        relocation(&world, &to),
        Err(Immovable::Obstructed(vec![
            Obstacle::NotReady,
            Obstacle::Cordoned
        ]))
    );
    // The owner may stay, whatever is in its way.
    let from = owner(&world);
    world.node(&from).cordoned = true;
    assert_eq!(relocation(&world, &from), Ok(Relocation::There));
    assert_eq!(relocation(&world, "n9"), Err(Immovable::NoSuchNode));
    let nobody = world
        .decide()
        .relocation(&world.snapshot, ip("10.0.0.2"), &from);
    assert_eq!(nobody, Err(Immovable::NoSuchAddress));
    world.delete("web-0");
    assert_eq!(relocation(&world, &to), Err(Immovable::Released));
    world.settle();
    assert_eq!(relocation(&world, &to), Err(Immovable::Released));
}

#[test]
fn an_obstructed_former_node_is_no_heir() {
    let mut world = world(3, 1);
    let from = owner(&world);
    world.node(&from).cordoned = true;
    let to = others(&world).remove(0);
    let Ok(Relocation::Write { heirs, .. }) = relocation(&world, &to) else {
        panic!("it can be moved");
    };
    assert!(!heirs.contains(&from), "{heirs:?}");
}

#[test]
fn in_a_revertive_pool_an_address_can_only_be_moved_to_its_first_choice() {
    let mut world = world(3, 1);
    world.pool("blue", &["10.0.0.1-10.0.0.200"], |spec| {
        spec.revertive = true
    });
    world.settle();
    world.take_all();
    let order = successors(ip(ADDRESS), ["n1", "n2", "n3"]);
    let refused = relocation(&world, order[1]).unwrap_err();
    assert_eq!(refused.as_str(), "Revertive");
    assert!(refused.to_string().contains(order[0]), "{refused}");
    // While the first choice is away, the second one is it.
    world.node(order[0]).view.ready = false;
    world.settle();
    world.take_all();
    let second = owner(&world);
    assert_eq!(second, order[1]);
    assert!(matches!(
        relocation(&world, order[2]),
        Err(Immovable::Revertive { .. })
    ));
    // It comes back and waits for its minute: a move does not.
    world.node(order[0]).view.ready = true;
    world.settle();
    assert_eq!(owner(&world), order[1]);
    let written = relocation(&world, order[0]).unwrap();
    carry_out(&mut world, written);
    world.take_all();
    world.settle();
    assert_eq!(owner(&world), order[0]);
}

// === drain ===

#[test]
fn a_drained_node_loses_every_address_and_gets_none() {
    let mut world = world(4, 40);
    world.node("n1").draining = true;
    let lingering = world.decide().lingering(&world.snapshot, "n1");
    assert!(lingering.len() > 5, "{lingering:?}");
    for one in &lingering {
        assert!(matches!(&one.fate, Fate::Goes(to) if to != "n1"), "{one:?}");
    }
    world.settle();
    world.service("later", "blue", |_| ());
    world.settle();
    for known in &world.snapshot.addresses {
        assert_ne!(known.planned.as_deref(), Some("n1"));
        assert!(!known.heirs.contains(&"n1".to_owned()), "{known:?}");
    }
    // What its agent still has is not done.
    assert_eq!(
        world.decide().lingering(&world.snapshot, "n1").len(),
        lingering.len()
    );
    world.take_all();
    assert_eq!(world.decide().lingering(&world.snapshot, "n1"), []);
    // Undone: nothing moves back, and it is an heir again.
    world.node("n1").draining = false;
    let before: Vec<_> = world
        .snapshot
        .addresses
        .iter()
        .map(|known| known.planned.clone())
        .collect();
    world.settle();
    let after: Vec<_> = world
        .snapshot
        .addresses
        .iter()
        .map(|known| known.planned.clone())
        .collect();
    assert_eq!(before, after);
    let mut heirs = world
        .snapshot
        .addresses
        .iter()
        .flat_map(|known| &known.heirs);
    assert!(heirs.any(|heir| heir == "n1"));
}

#[test]
fn an_address_that_no_other_node_can_have_stays_and_says_why() {
    let mut world = world(3, 1);
    let from = owner(&world);
    let policy = |service: &mut mooring_core::ipam::service::Service| {
        service.traffic_policy = TrafficPolicy::Local;
    };
    world.edit("web-0", policy);
    world.endpoints("web-0", &[&from]);
    world.settle();
    world.take_all();
    assert_eq!(owner(&world), from);
    world.node(&from).draining = true;
    let lingering = world.decide().lingering(&world.snapshot, &from);
    let [one] = lingering.as_slice() else {
        panic!("{lingering:?}");
    };
    let Fate::Stays(nodes) = &one.fate else {
        panic!("{one:?}");
    };
    assert_eq!(nodes.len(), 2);
    for node in nodes {
        assert!(
            matches!(
                node.obstacles.as_slice(),
                [Obstacle::NoLocalEndpoint { .. }]
            ),
            "{node:?}"
        );
    }
    assert!(world.decide().is_settled());
    // An endpoint elsewhere, and it leaves.
    world.endpoints(
        "web-0",
        &others(&world)
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    world.settle();
    assert_ne!(owner(&world), from);
}

#[test]
fn an_address_that_is_released_or_can_be_nowhere_leaves_a_drained_node() {
    let mut world = world(2, 2);
    for name in ["n1", "n2"] {
        world.node(name).draining = true;
    }
    world.delete("web-0");
    let all: Vec<_> = ["n1", "n2"]
        .into_iter()
        .flat_map(|node| world.decide().lingering(&world.snapshot, node))
        .collect();
    let fates = |address: &str| {
        let found = all.iter().find(|one| one.address == ip(address)).unwrap();
        found.fate.clone()
    };
    assert_eq!(fates("10.0.0.1"), Fate::Released);
    assert!(matches!(fates("10.0.0.2"), Fate::Stays(_)));
    world.pool("blue", &["10.0.0.1-10.0.0.200"], |spec| {
        spec.interfaces = vec!["eth7".to_owned()];
    });
    let holder = known(&world, "10.0.0.2").planned.clone().unwrap();
    let lingering = world.decide().lingering(&world.snapshot, &holder);
    assert!(
        lingering
            .iter()
            .any(|one| matches!(&one.fate, Fate::Nowhere(nodes) if nodes.len() == 2)),
        "{lingering:?}"
    );
}

#[test]
fn a_drained_node_is_an_heir_only_while_there_is_no_other() {
    let mut world = world(3, 1);
    let from = owner(&world);
    world.node(&from).draining = true;
    world.settle();
    world.take_all();
    let (owner, heirs) = (owner(&world), known(&world, ADDRESS).heirs.clone());
    assert_eq!(heirs.len(), 1, "the third one: {heirs:?}");
    assert!(!heirs.contains(&from));
    // The last of the others is cordoned: better a drained one than nobody.
    world.node(&heirs[0]).cordoned = true;
    world.settle();
    assert_eq!(known(&world, ADDRESS).heirs, std::slice::from_ref(&from));
    assert_eq!(
        known(&world, ADDRESS).planned.as_deref(),
        Some(owner.as_str())
    );
    world.node(&heirs[0]).cordoned = false;
    world.settle();
    assert_eq!(known(&world, ADDRESS).heirs, heirs);
    // One that nobody sees stays before the drained one.
    world.node(&heirs[0]).view.ready = false;
    world.settle();
    assert_eq!(known(&world, ADDRESS).heirs, [heirs[0].clone(), from]);
}

#[test]
fn a_node_that_shuts_down_is_told_of_once_and_takes_nothing_over() {
    let mut world = world(3, 6);
    let from = owner(&world);
    let here = |world: &World| {
        let all = world.snapshot.addresses.iter();
        all.filter(|known| known.planned.as_deref() == Some(from.as_str()))
            .count()
    };
    let before = here(&world);
    assert!(before >= 2, "{before}");
    assert!(world.decide().farewells().is_empty());
    let node = world.node(&from);
    (node.view.ready, node.exit) = (false, Some(Exit::ShuttingDown));
    let decision = world.decide();
    let farewells = decision.farewells();
    assert_eq!(farewells.len(), 1);
    let farewell = &farewells[from.as_str()];
    assert_eq!((farewell.leaving, farewell.staying), (before, 0));
    assert_eq!(
        farewell.to_string(),
        format!(
            "{before} addresses go to other nodes: its kubelet shuts it down, so that its addresses belong to other nodes until \
             it is ready again"
        )
    );
    world.settle();
    assert_eq!(here(&world), 0);
    assert!(world.decide().farewells().is_empty());
    for known in &world.snapshot.addresses {
        assert!(!known.heirs.contains(&from), "{known:?}");
    }
    // It is gone, and comes back: nothing returns.
    let node = world.node(&from);
    (node.exit, node.view.reporting) = (None, false);
    world.settle();
    world.take_all();
    let node = world.node(&from);
    (node.view.ready, node.view.reporting) = (true, true);
    world.settle();
    assert_eq!(here(&world), 0);
}

#[test]
fn what_a_node_that_shuts_down_keeps_is_told_too() {
    let mut world = world(2, 4);
    for name in ["n1", "n2"] {
        world.node(name).exit = Some(Exit::OutOfService);
    }
    let decision = world.decide();
    assert!(decision.update.iter().all(|berthed| berthed.node.is_some()));
    for (_, farewell) in decision.farewells() {
        assert_eq!(farewell.leaving, 0);
        let text = farewell.to_string();
        assert!(
            text.starts_with("no address goes to another node, and ")
                && text.contains("as no other node can have"),
            "{text}"
        );
    }
    assert!(!decision.farewells().is_empty());
    assert!(decision.is_settled(), "nothing is written: {decision:#?}");
}

#[test]
fn a_cordon_moves_the_addresses_of_those_pools_that_say_so() {
    let on = |world: &World, node: &str, pool: &str| {
        let all = world.snapshot.addresses.iter();
        let here = all.filter(|known| known.planned.as_deref() == Some(node));
        here.filter(|known| known.claim.pool.name == pool).count()
    };
    let mut world = world(3, 6);
    world.pool("red", &["10.0.1.1-10.0.1.200"], |spec| {
        spec.on_cordon = OnCordon::Move;
    });
    for number in 0..6 {
        world.service(&format!("red-{number}"), "red", |_| ());
    }
    world.settle();
    world.take_all();
    world.settle();
    let (blue, red) = (on(&world, "n1", "blue"), on(&world, "n1", "red"));
    assert!(blue > 0 && red > 0, "{blue} {red}");
    world.node("n1").cordoned = true;
    let decision = world.decide();
    let farewell = &decision.farewells()["n1"];
    assert_eq!((farewell.leaving, farewell.staying), (red, 0));
    assert!(
        farewell
            .to_string()
            .ends_with("it is cordoned, and pool red moves its addresses to other nodes then (spec.onCordon: Move)"),
        "{farewell}"
    );
    world.settle();
    world.take_all();
    world.settle();
    assert_eq!(
        (on(&world, "n1", "blue"), on(&world, "n1", "red")),
        (blue, 0)
    );
    let reds = world.snapshot.addresses.iter();
    for known in reds.filter(|known| known.claim.pool.name == "red") {
        assert!(!known.heirs.contains(&"n1".to_owned()), "{known:?}");
    }
    // All are cordoned, as one after the other is in an upgrade that goes too fast: what works stays.
    world.node("n2").cordoned = true;
    world.node("n3").cordoned = true;
    let before = (on(&world, "n2", "red"), on(&world, "n3", "red"));
    world.settle();
    assert_eq!((on(&world, "n2", "red"), on(&world, "n3", "red")), before);
    // Uncordoned, it can have them again: the others are still cordoned.
    world.node("n1").cordoned = false;
    world.settle();
    assert_eq!(on(&world, "n1", "red"), 6);
}

#[test]
fn departures_are_told_once_and_when_the_other_node_has_the_address() {
    let mut world = world(2, 8);
    let on_n1: Vec<_> = world
        .snapshot
        .addresses
        .iter()
        .filter(|known| known.planned.as_deref() == Some("n1"))
        .map(|known| known.claim.address)
        .collect();
    assert!(on_n1.len() >= 2, "{on_n1:?}");
    let mut evacuation = Evacuation::of("n1");
    let observe = |evacuation: &mut Evacuation, world: &World| {
        evacuation.observe(world.snapshot.addresses.iter().map(Arc::as_ref))
    };
    assert_eq!(observe(&mut evacuation, &world), []);
    let open = |evacuation: &Evacuation| -> Vec<_> {
        evacuation.open().map(|(address, _)| address).collect()
    };
    assert_eq!(open(&evacuation), on_n1);
    world.node("n1").draining = true;
    world.settle();
    assert_eq!(observe(&mut evacuation, &world), [], "n1 still answers");
    let first = on_n1[0].to_string();
    world.take(&first, None);
    assert_eq!(observe(&mut evacuation, &world), [], "nobody answers");
    world.take(&first, Some("n2"));
    let [gone] = observe(&mut evacuation, &world).try_into().unwrap();
    assert_eq!((gone.address, gone.to.as_deref()), (on_n1[0], Some("n2")));
    assert_eq!(gone.services.len(), 1);
    assert_eq!(open(&evacuation), on_n1[1..]);
    world.take_all();
    assert_eq!(observe(&mut evacuation, &world).len(), on_n1.len() - 1);
    assert_eq!(observe(&mut evacuation, &world), []);
    assert!(open(&evacuation).is_empty());
    // One that was only planned there is awaited by nobody.
    let mut evacuation = Evacuation::of("n1");
    world.node("n1").draining = false;
    world.node("n2").draining = true;
    world.settle();
    for address in &on_n1 {
        world.take(&address.to_string(), None);
    }
    observe(&mut evacuation, &world);
    assert!(!open(&evacuation).is_empty());
    world.node("n1").draining = true;
    world.node("n2").draining = false;
    world.settle();
    let departures = observe(&mut evacuation, &world);
    let unanswered = departures.iter().filter(|one| on_n1.contains(&one.address));
    assert_eq!(unanswered.count(), on_n1.len());
    // Objects that are gone have left as well.
    world.node("n2").draining = true;
    let mut evacuation = Evacuation::of("n2");
    observe(&mut evacuation, &world);
    world.snapshot.addresses.clear();
    assert!(
        observe(&mut evacuation, &world)
            .iter()
            .all(|one| one.to.is_none())
    );
}
