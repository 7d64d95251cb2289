//! Who says what about who answers for an address: the operator, or an agent.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use mooring_core::condition::Condition;
use mooring_core::external_ip::Remarks;
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::reason::AnnouncedReason;
use mooring_core::ipam::service::ServicePort;
use mooring_core::mooring::{Node, Standing, State, Unforwarded};
use mooring_core::proxy_mode::LiveMode;
use mooring_core::wire::Mac;

#[path = "external_ip/world.rs"]
mod world;

use world::{World, id, ip};

const ADDRESS: &str = "10.0.0.1";

/// One address that a Service has, planned for n1 and taken by nobody.
fn planned_for_n1() -> World {
    let mut world = World::default();
    world.pool("blue", &[ADDRESS], |_| ());
    world.service("web", "blue", |_| ());
    let others = [exclude(&mut world, "n2"), exclude(&mut world, "n3")];
    world.settle();
    for name in others {
        world.node(&name).labels.clear();
    }
    assert_eq!(planned(&world).as_deref(), Some("n1"));
    world
}

/// Keeps a node from having addresses.
fn exclude(world: &mut World, name: &str) -> String {
    let key = mooring_core::placement::EXCLUDE_LABEL.to_owned();
    world.node(name).labels.insert(key, String::new());
    name.to_owned()
}

/// The node loses its power.
fn lose(world: &mut World, name: &str) {
    world.node(name).view.ready = false;
    world.node(name).view.reporting = false;
}

fn planned(world: &World) -> Option<String> {
    world.known(ADDRESS).unwrap().planned.clone()
}

/// Whether the address's `Announced` is as the operator has it.
fn is_said(world: &World) -> bool {
    let remarks = world.decide().remarks(&world.snapshot);
    let announced = Remarks {
        request_met: None,
        ..remarks[&ip(ADDRESS)].clone()
    };
    let known = world.known(ADDRESS).unwrap();
    known.suits(&announced) && known.says(&announced)
}

/// All that the agent of a node can say about an address which the node shall have and has not.
fn excuses(node: &str) -> Vec<Condition> {
    let node = Node {
        name: node.to_owned(),
        mode: LiveMode::Iptables,
        proxy_trouble: None,
        uplinks: Vec::new(),
        default_routes: Vec::new(),
    };
    let port = ServicePort {
        protocol: mooring_core::ipam::service::Protocol::Tcp,
        port: 80,
    };
    let why = "Node n9 is in the way".to_owned();
    let service = id("web");
    let states = [
        State::Elsewhere { mac: Mac([2; 6]) },
        State::NotProgrammed(Unforwarded {
            service: service.clone(),
            port,
            cause: None,
        }),
        State::NotHealthy {
            service,
            port: 31_000,
        },
        State::ProxyUnread { why: why.clone() },
        State::Failed { why },
    ];
    let said = states.map(|state| {
        let address = ip(ADDRESS);
        let standing = Standing { address, state };
        standing.announced(&node).unwrap()
    });
    said.into_iter().collect()
}

#[test]
fn a_node_that_says_why_it_waits_is_not_talked_over() {
    let mut world = planned_for_n1();
    let awaited = world.announced(ADDRESS);
    assert_eq!(awaited.reason, "WaitingForNode");
    for excuse in excuses("n1") {
        world.say(ADDRESS, &excuse);
        assert_eq!(world.left_or_announced(ADDRESS), None, "{excuse:?}");
        let remarks = &world.decide().remarks(&world.snapshot)[&ip(ADDRESS)];
        let known = world.known(ADDRESS).unwrap();
        assert!(known.suits(remarks) && remarks.announced.is_none());
    }
    // Nor is one that lets go.
    let let_go = Condition::new(AnnouncedReason::WaitingForNode, "Node n1 has let go.");
    world.say(ADDRESS, &let_go);
    assert_eq!(world.announced(ADDRESS), awaited);
}

#[test]
fn when_the_plan_changes_the_operator_says_once_for_whom_it_waits() {
    for excuse in excuses("n1") {
        let mut world = planned_for_n1();
        world.say(ADDRESS, &excuse);
        exclude(&mut world, "n1");
        assert_eq!(
            world.announced(ADDRESS).reason,
            "WaitingForNode",
            "decided and not carried out"
        );
        world.settle();
        let node = planned(&world).unwrap();
        assert_ne!(node, "n1");
        let awaited = world.announced(ADDRESS);
        assert!(
            awaited.message.contains(&format!("node {node}")),
            "{}",
            awaited.message
        );
        world.say(ADDRESS, &awaited);
        assert_eq!(world.announced(ADDRESS), awaited, "the same again");
        for excuse in excuses(&node) {
            world.say(ADDRESS, &excuse);
            assert_eq!(world.left_or_announced(ADDRESS), None);
        }
    }
}

#[test]
fn what_is_not_the_nodes_to_say_is_said_whatever_the_node_says() {
    let mut world = planned_for_n1();
    world.say(ADDRESS, &excuses("n1")[0]);
    for name in ["n1", "n2", "n3"] {
        exclude(&mut world, name);
    }
    assert_eq!(world.announced(ADDRESS).reason, "NoEligibleNode");

    let mut world = World::default();
    world.snapshot.gate = Gate::Closed {
        message: "Turn strictARP on.".to_owned(),
    };
    world.pool("blue", &[ADDRESS], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    let node = planned(&world).unwrap();
    world.say(ADDRESS, &excuses(&node)[0]);
    assert_eq!(world.announced(ADDRESS).reason, "WaitingForSafety");

    let mut world = planned_for_n1();
    world.say(ADDRESS, &excuses("n1")[0]);
    world.delete("web");
    world.settle();
    assert_eq!(world.announced(ADDRESS).reason, "Released");
}

#[test]
fn a_node_that_lost_its_power_is_spoken_for_while_no_other_can_have_its_address() {
    let mut world = planned_for_n1();
    world.take(ADDRESS, Some("n1"));
    world.say(
        ADDRESS,
        &Condition::new(AnnouncedReason::Announced, "Node n1 answers."),
    );
    for name in ["n2", "n3"] {
        exclude(&mut world, name);
    }
    assert_eq!(world.left_or_announced(ADDRESS), None);

    // Its agent starts again.
    world.node("n1").view.reporting = false;
    assert_eq!(world.left_or_announced(ADDRESS), None);
    // Its kubelet does, and its agent tells of it.
    world.node("n1").view.ready = false;
    world.node("n1").view.reporting = true;
    assert_eq!(world.left_or_announced(ADDRESS), None);

    lose(&mut world, "n1");
    world.settle();
    let said = world.announced(ADDRESS);
    assert_eq!(
        (said.reason, said.status.as_str()),
        ("NodeNotReporting", "Unknown")
    );
    for part in [
        "Node n1 had 10.0.0.1 and does not report (it is NotReady, and neither is mooring-agent there)",
        "n2: it has the label",
        "n3: it has the label",
    ] {
        assert!(said.message.contains(part), "{}", said.message);
    }
    assert!(!said.message.contains("n1: "), "{}", said.message);
    assert!(!is_said(&world));
    world.say(ADDRESS, &said);
    assert!(is_said(&world), "said once");

    // It is back: its agent speaks, and until it does nothing is written.
    world.node("n1").view.ready = true;
    assert_eq!(world.left_or_announced(ADDRESS), None);
    assert!(is_said(&world));
}

#[test]
fn what_becomes_of_the_address_of_a_silent_node_is_said() {
    type Change = fn(&mut World);
    let table: [(&str, Change); 4] = [
        ("which takes it as soon as nobody answers", |world| {
            lose(world, "n1")
        }),
        ("(its Node object is gone)", |world| {
            world.snapshot.nodes.retain(|node| node.view.name != "n1");
        }),
        ("the cluster has no other Linux node. Add one", |world| {
            world.snapshot.nodes.retain(|node| node.view.name == "n1");
            lose(world, "n1");
        }),
        ("No Service has it any more", |world| {
            world.delete("web");
            lose(world, "n1");
        }),
    ];
    for (part, change) in table {
        let mut world = planned_for_n1();
        world.take(ADDRESS, Some("n1"));
        change(&mut world);
        world.settle();
        let said = world.announced(ADDRESS);
        assert_eq!(said.reason, "NodeNotReporting");
        assert!(said.message.contains(part), "{}", said.message);
        assert!(!said.message.contains(".."), "{}", said.message);
    }
}
