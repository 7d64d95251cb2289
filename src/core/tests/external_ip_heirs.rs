//! Who takes an address over, and what is planned once somebody has.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use mooring_core::external_ip::{Decision, Known};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::peer::Term;
use mooring_core::placement::{Basis, HEIRS, Placement, successors};

#[path = "external_ip/world.rs"]
mod world;

use world::{World, ip, node};

const ADDRESS: &str = "10.0.0.1";

/// So many nodes, and one address.
fn world(nodes: usize, revertive: bool) -> World {
    let mut world = World::default();
    let names = (1..=nodes).map(|number| format!("n{number}"));
    world.snapshot.nodes = names.map(|name| node(&name, &["10.0.0.0/16"])).collect();
    world.pool("blue", &[ADDRESS], |spec| spec.revertive = revertive);
    world.service("web", "blue", |_| ());
    world.settle();
    world.take_all();
    world.settle();
    world
}

fn known(world: &World) -> &Known {
    world.known(ADDRESS).unwrap()
}

fn planned(world: &World) -> String {
    known(world).planned.clone().unwrap()
}

fn basis(decision: &Decision) -> &Basis {
    match &decision.placements[&ip(ADDRESS)] {
        Placement::On { basis, .. } => basis,
        Placement::Nowhere(nobody) => panic!("{nobody}"),
    }
}

fn seconds_later(world: &World, seconds: i64) -> Timestamp {
    world.snapshot.now.plus_seconds(seconds)
}

#[test]
fn the_heirs_are_the_next_choices_of_the_hash() {
    let world = world(7, false);
    let names: Vec<String> = (1..=7).map(|number| format!("n{number}")).collect();
    let order = successors(ip(ADDRESS), names.iter().map(String::as_str));
    assert_eq!(planned(&world), order[0]);
    assert_eq!(known(&world).heirs, order[1..=HEIRS]);
    assert_eq!(known(&world).plan, 1);
}

#[test]
fn where_there_are_few_nodes_all_others_are_heirs_and_new_ones_become_some() {
    let mut world = world(3, false);
    assert_eq!(known(&world).heirs.len(), 2);
    world.snapshot.nodes.push(node("n4", &["10.0.0.0/16"]));
    world.settle();
    assert_eq!(known(&world).heirs.len(), 3);
    assert_eq!(known(&world).plan, 1, "the planned node is the same");
    world
        .snapshot
        .nodes
        .push(node("elsewhere", &["192.168.0.0/24"]));
    assert!(world.decide().is_settled(), "that one cannot have it");
}

#[test]
fn heirs_stay_while_all_of_them_can_have_the_address() {
    let mut world = world(5, false);
    let before = known(&world).heirs.clone();
    for number in 6..=30 {
        let name = format!("n{number}");
        world.snapshot.nodes.push(node(&name, &["10.0.0.0/16"]));
    }
    assert!(world.decide().is_settled());
    let silent_since = Some(world.snapshot.now);
    let heir = world.node(&before[1]);
    heir.view.reporting = false;
    heir.silent_since = silent_since;
    assert!(world.decide().is_settled(), "it is being restarted");
    world.wait(60);
    world.settle();
    let after = known(&world).heirs.clone();
    assert!(!after.contains(&before[1]), "{after:?}");
    assert_eq!(after.len(), HEIRS);
    world.node(&after[0]).cordoned = true;
    world.settle();
    assert!(!known(&world).heirs.contains(&after[0]));
    assert_eq!(known(&world).plan, 1);
}

#[test]
fn with_policy_local_the_heirs_have_endpoints() {
    let mut world = world(6, false);
    world.edit("web", |service| {
        service.traffic_policy = mooring_core::ipam::service::TrafficPolicy::Local;
    });
    let owner = planned(&world);
    let mut others = ["n1", "n2", "n3"]
        .into_iter()
        .filter(|name| **name != *owner);
    let (other, third) = (others.next().unwrap(), others.next().unwrap());
    world.endpoints("web", &[&owner]);
    world.settle();
    assert_eq!(planned(&world), owner);
    assert!(known(&world).heirs.is_empty());
    world.endpoints("web", &[&owner, other]);
    world.settle();
    assert_eq!(known(&world).heirs, [other]);
    world.endpoints("web", &[third, other]);
    world.node(third).cordoned = true;
    world.settle();
    assert_eq!(planned(&world), other);
    assert!(
        known(&world).heirs.is_empty(),
        "a cordoned node takes no more"
    );
}

#[test]
fn an_address_without_a_node_has_no_heirs_and_each_change_is_a_new_plan() {
    let mut world = world(3, false);
    world.delete("web");
    world.settle();
    assert_eq!(known(&world).planned, None);
    assert!(known(&world).heirs.is_empty());
    assert_eq!(known(&world).plan, 2);
    world.service("web", "blue", |_| ());
    world.settle();
    assert_eq!(known(&world).plan, 3);
    assert_eq!(known(&world).heirs.len(), 2);
}

#[test]
fn who_took_an_address_over_keeps_it_under_a_new_plan() {
    let mut world = world(4, false);
    let dead = planned(&world);
    let heir = known(&world).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    let decision = world.decide();
    assert_eq!(basis(&decision), &Basis::TakenOver { from: dead.clone() });
    assert_eq!(
        decision.placements[&ip(ADDRESS)].to_string(),
        format!("{heir}: it took the address over while {dead} was gone, and can keep it")
    );
    world.settle();
    assert_eq!(planned(&world), heir);
    assert_eq!(known(&world).plan, 2);
    assert!(!known(&world).heirs.contains(&heir));
    assert!(
        known(&world).heirs.contains(&dead),
        "it is still called ready"
    );
    assert_eq!(basis(&world.decide()), &Basis::Kept);
    world.node(&dead).view.ready = false;
    world.settle();
    assert_eq!(known(&world).heirs.last(), Some(&dead), "nobody is better");
    assert_eq!(known(&world).plan, 2);
    world.snapshot.nodes.retain(|node| node.view.name != dead);
    world.settle();
    assert!(!known(&world).heirs.contains(&dead));
}

#[test]
fn an_operator_that_sees_no_node_takes_no_heirs_away() {
    let mut world = world(6, false);
    let before = known(&world).clone();
    for node in &mut world.snapshot.nodes {
        node.view.ready = false;
        node.view.reporting = false;
    }
    assert!(world.decide().is_settled());
    assert_eq!(known(&world), &before);
}

#[test]
fn who_took_an_address_over_and_may_not_have_it_gives_it_away() {
    let mut world = world(4, false);
    let heir = known(&world).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    world.node(&heir).labels.insert(
        "node.kubernetes.io/exclude-from-external-load-balancers".to_owned(),
        String::new(),
    );
    let decision = world.settle();
    assert_ne!(planned(&world), heir);
    assert_eq!(known(&world).plan, 2, "a new one, even for the same node");
    assert_ne!(basis(&decision).as_str(), "TakenOver");
    assert!(!known(&world).heirs.contains(&heir));
}

#[test]
fn an_address_of_a_revertive_pool_goes_back_a_minute_after_the_take_over() {
    let mut world = world(4, true);
    let dead = planned(&world);
    let heir = known(&world).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    let until = seconds_later(&world, 60);
    assert_eq!(world.decide().wake, Some(until));
    world.settle();
    assert_eq!(planned(&world), heir, "the dead node is still called ready");
    let decision = world.decide();
    assert_eq!(
        basis(&decision),
        &Basis::NotYetReverted {
            to: dead.clone(),
            until
        }
    );
    assert_eq!(decision.wake, Some(until));
    world.wait(59);
    assert!(world.decide().is_settled());
    world.wait(1);
    let decision = world.decide();
    assert_eq!(basis(&decision), &Basis::Reverted { from: heir });
    assert_eq!(decision.wake, None);
    world.settle();
    assert_eq!(planned(&world), dead);
    assert_eq!(known(&world).plan, 3);
}

#[test]
fn an_operator_that_comes_late_calls_an_address_of_a_revertive_pool_back() {
    let mut world = world(4, true);
    let back = planned(&world);
    let heir = known(&world).heirs[0].clone();
    world.take_over(ADDRESS, &heir);
    world.wait(60);
    let decision = world.decide();
    assert_eq!(basis(&decision), &Basis::Reverted { from: heir });
    assert_eq!(decision.update[0].node.as_ref(), Some(&back));
    assert_eq!(decision.update[0].plan, 2, "else the heir would keep it");
    world.settle();
    assert_eq!(known(&world).plan, 2, "once");
}

#[test]
fn a_node_that_has_an_address_under_a_former_plan_is_not_the_owner() {
    let mut world = world(3, false);
    let former = planned(&world);
    world.node(&former).view.ready = false;
    world.settle();
    let owner = planned(&world);
    assert_ne!(owner, former);
    world.node(&former).view.ready = true;
    let term = Term {
        plan: 1,
        takeovers: 0,
    };
    assert_eq!(known(&world).term, Some(term));
    world.settle();
    assert_eq!(planned(&world), owner, "it is on its way already");
    assert_eq!(known(&world).plan, 2);
    // An agent that does not tell under which plan it has the address is believed.
    world.take(ADDRESS, Some(&former));
    world.settle();
    assert_eq!(planned(&world), former);
}
