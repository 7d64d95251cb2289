use mooring_core::external_ip::{Move, Moved, Overlap};
use mooring_core::guard::foreign::{Finding, ForeignAddress};
use mooring_core::node::Responder;
use serde_json::{Value, json};

use super::fixture::{Cluster, states};
use super::*;

fn json(found: &Explanation) -> Value {
    serde_json::to_value(found).expect("JSON")
}

#[test]
fn every_state_that_is_not_right_says_what_would_change_it() {
    for (name, found) in states() {
        let wants = matches!(
            found.state,
            State::NotOurs | State::Pending | State::Withheld | State::AssignedOtherwise
        );
        assert!(!wants || !found.remedies.is_empty(), "{name}: {found:?}");
        for remedy in &found.remedies {
            let lines = [Some(&remedy.message), remedy.command.as_ref()];
            assert!(
                lines
                    .into_iter()
                    .flatten()
                    .all(|line| !line.is_empty() && !line.contains('\n')),
                "{name}: {remedy:?}"
            );
        }
    }
}

#[test]
fn every_state_is_shown_by_an_example() {
    let all = [
        State::NotOurs,
        State::Pending,
        State::Withheld,
        State::Assigned,
        State::AssignedOtherwise,
        State::InUse,
        State::Resting,
        State::Free,
        State::Blocked,
        State::Foreign,
        State::InNoPool,
    ];
    let shown = states();
    for state in all {
        assert!(
            shown.iter().any(|(_, found)| found.state == state),
            "{state:?}"
        );
    }
}

#[test]
fn reasons_come_in_the_order_of_the_decision() {
    for (name, found) in states() {
        let steps: Vec<Step> = found.reasons.iter().map(|reason| reason.step).collect();
        assert!(steps.is_sorted(), "{name}: {steps:?}");
        assert!(!steps.is_empty(), "{name}");
    }
}

#[test]
fn a_settled_cluster_has_nothing_to_catch_up_with() {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    let before = cluster.look();
    let found = service(&before, &before.snapshot.services[0]);
    assert!(!found.settled);
    let names: Vec<&str> = found
        .reasons
        .iter()
        .filter(|reason| reason.step == Step::Progress)
        .map(|reason| reason.reason)
        .collect();
    assert_eq!(names, ["NotClaimed", "StatusNotWritten", "OperatorRuns"]);

    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    cluster.settle();
    let found = cluster.explain("web");
    assert!(found.settled, "{found:?}");
    assert!(
        found
            .reasons
            .iter()
            .all(|reason| reason.step != Step::Progress)
    );
}

#[test]
fn successors_are_ranked_as_the_agents_rank_them() {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    cluster.settle();
    let found = cluster.explain("web");
    let nodes = &found.addresses[0].nodes;
    let order = mooring_core::placement::successors(found.addresses[0].address, ["n1", "n2", "n3"]);
    let shown: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(shown, order);
    let ranks: Vec<Option<usize>> = nodes.iter().map(|node| node.rank).collect();
    assert_eq!(ranks, [None, Some(1), Some(2)]);
    assert_eq!(nodes[0].role, Role::Owner);
}

#[test]
fn how_an_address_came_to_its_node_is_told_the_latest_move_first() {
    let mut cluster = Cluster::default();
    cluster.moor();
    let now = cluster.snapshot.now;
    let known = cluster.snapshot.addresses.first_mut().unwrap();
    let known = std::sync::Arc::make_mut(known);
    let moved = |seconds, from: Option<&str>, reason: &str| Move {
        at: now.plus_seconds(seconds),
        from: from.map(str::to_owned),
        reason: reason.to_owned(),
        milliseconds: 250,
    };
    known.moves.push(Moved {
        to: "n2".to_owned(),
        how: moved(-900, None, "FirstChoice"),
    });
    known.last_move = Some(moved(-60, Some("n2"), Move::TAKE_OVER));
    let found = cluster.explain("10.0.1.1");
    let moves = found.reasons.iter().filter(|one| one.reason == "Moved");
    let moves: Vec<&str> = moves.map(|one| one.message.as_str()).collect();
    let [latest, first] = moves[..] else {
        panic!("{moves:?}");
    };
    assert!(
        latest.contains("came to n1 from n2 within 250 ms (TakeOver)"),
        "{latest}"
    );
    assert!(
        first.contains("came to n2 within 250 ms (FirstChoice)"),
        "{first}"
    );
}

#[test]
fn that_another_node_had_an_address_as_well_is_told() {
    let mut cluster = Cluster::default();
    cluster.moor();
    let now = cluster.snapshot.now;
    let known = cluster.snapshot.addresses.first_mut().unwrap();
    std::sync::Arc::make_mut(known).last_overlap = Some(Overlap {
        until: now,
        node: Some("n2".to_owned()),
        milliseconds: 25_300,
    });
    let found = cluster.explain("10.0.1.1");
    let mut reasons = found.reasons.iter();
    let told = reasons.find(|one| one.reason == "AnsweredTwice").unwrap();
    let expected = format!("until {now} n2 answered for 10.0.1.1, too, for 25.3 s at most");
    assert!(told.message.starts_with(&expected), "{}", told.message);
}

#[test]
fn the_keys_for_programs_are_stable() {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| {});
    cluster.snapshot.nodes.truncate(1);
    cluster.settle();
    cluster.take("10.0.1.1", "n1", "True", "Announced");
    assert_eq!(
        json(&cluster.explain("web")),
        json!({
            "kind": "Service",
            "subject": "shop/web",
            "state": "Assigned",
            "summary": "10.0.1.1 of pool blue: it has it already; 10.0.1.1 belongs to node n1",
            "settled": true,
            "reasons": [
                {"step": "Standing", "reason": "Annotation",
                 "message": "it is Mooring's: it has the annotation mooring.dev/pool"},
                {"step": "Request", "reason": "Pools", "message": "pool blue, from annotation mooring.dev/pool"},
                {"step": "Request", "reason": "AnyAddress", "message": "no certain address"},
                {"step": "Request", "reason": "Families", "message": "IPv4, from spec.ipFamilies (SingleStack)"},
                {"step": "Allocation", "reason": "Has", "message": "10.0.1.1 of pool blue: it has it already"},
                {"step": "Publication", "reason": "Published", "message": "10.0.1.1 is in the Service's status"},
                {"step": "Placement", "reason": "Kept",
                 "message": "10.0.1.1 belongs to node n1: it has the address and can keep it"},
                {"step": "Announcement", "reason": "Announced",
                 "message": "node n1 has 10.0.1.1: as the agent on n1 says (Announced)"},
            ],
            "addresses": [{
                "address": "10.0.1.1",
                "pool": {"name": "blue", "group": "mooring.dev"},
                "services": ["shop/web"],
                "published": true,
                "restsUntil": null,
                "node": "n1",
                "answeredBy": "n1",
                "nodes": [{"node": "n1", "role": "Owner", "obstacles": []}],
            }],
            "remedies": [],
            "incomplete": [],
        })
    );
}

#[test]
fn json_of_every_state_has_the_same_keys() {
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .map(|object| object.keys().cloned().collect())
            .unwrap_or_default()
    };
    let shown = states();
    let first = keys(&json(&shown[0].1));
    for (name, found) in &shown {
        let value = json(found);
        assert_eq!(keys(&value), first, "{name}");
        for remedy in value["remedies"].as_array().into_iter().flatten() {
            assert_eq!(keys(remedy), ["command", "message"], "{name}");
        }
        for address in value["addresses"].as_array().into_iter().flatten() {
            assert_eq!(keys(address).len(), 8, "{name}");
        }
    }
}

#[test]
fn a_service_that_nothing_was_decided_about_says_why_it_is_none_of_moorings() {
    let look = Cluster::default().look();
    let other = Service {
        id: ObjectName::new("shop", "internal"),
        ..Service::default()
    };
    let found = service(&look, &other);
    assert_eq!(found.state, State::NotOurs);
    assert!(
        found.summary.ends_with("it is not of type LoadBalancer"),
        "{}",
        found.summary
    );
    assert_eq!(found.reasons.len(), 1);
}

#[test]
fn an_address_of_somebody_else_s_is_explained_with_what_the_wire_said() {
    let mut cluster = Cluster::default();
    let mac: mooring_core::wire::Mac = "52:54:00:77:00:0b".parse().unwrap();
    cluster.foreign.push(ForeignAddress {
        address: "203.0.113.7".parse().unwrap(),
        service: ObjectName::new("shop", "web"),
        witnesses: vec!["n2".to_owned(), "n3".to_owned()],
        finding: Finding::OneResponder,
        responders: vec![Responder {
            mac,
            node: Some("n1".to_owned()),
        }],
        disputed: None,
    });
    let found = cluster.explain("203.0.113.7");
    let seen = found
        .reasons
        .iter()
        .find(|one| one.reason == "OneResponder");
    let message = &seen.unwrap().message;
    assert!(
        message.contains("n1 (52:54:00:77:00:0b) alone answered"),
        "{message}"
    );
}
