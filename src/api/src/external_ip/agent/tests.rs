use mooring_core::ipam::reason::{ConflictReason, RangesUsableReason, SingleResponderReason};
use serde_json::to_value;

use super::super::{Overlap, Responder};
use super::*;

fn at(seconds: i64) -> Time {
    Time(jiff::Timestamp::new(seconds, 700_000_000).expect("a time"))
}

fn held() -> Held {
    Held {
        node: "n1".to_owned(),
        interface: "eth0".to_owned(),
        mac: Some("02:00:00:00:00:01".to_owned()),
        method: Method::Responder,
        since: at(90),
        last_move: Some(Move {
            time: at(89),
            from: Some("n2".to_owned()),
            reason: "Drained".to_owned(),
            duration_milliseconds: 7,
        }),
        last_overlap: Some(Overlap {
            time: at(99),
            node: Some("n2".to_owned()),
            duration_milliseconds: 9_000,
        }),
        term: Some(Term {
            plan: 3,
            takeovers: 1,
        }),
    }
}

fn announced() -> Decided {
    Decided::new(AnnouncedReason::Announced, "It is.")
}

fn no_conflict() -> Decided {
    Decided::new(ConflictReason::NoConflict, "None.")
}

fn said(conditions: Vec<Decided>) -> Said {
    Said {
        held: Some(held()),
        conditions,
    }
}

/// The status of an object to which parts were applied one after the other.
fn stored(parts: &[ExternalIPStatus]) -> ExternalIPStatus {
    let mut whole = ExternalIPStatus::default();
    for part in parts {
        for condition in &part.conditions {
            set_condition(&mut whole.conditions, condition.clone());
        }
        whole.seen = part.seen.clone().or(whole.seen);
        whole.node = part.node.clone().or(whole.node);
    }
    whole
}

#[test]
fn a_holder_says_where_and_how_it_answers_in_whole_seconds() {
    let status = said_status(
        &said(vec![no_conflict(), announced()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    assert_eq!(
        applied("10-77-0-200", "u1", None, &status),
        json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ExternalIP",
            "metadata": {"name": "10-77-0-200", "uid": "u1"},
            "status": {
                "node": "n1",
                "interface": "eth0",
                "mac": "02:00:00:00:00:01",
                "method": "Responder",
                "since": "1970-01-01T00:01:30Z",
                "lastMove": {
                    "time": "1970-01-01T00:01:29Z",
                    "from": "n2",
                    "reason": "Drained",
                    "durationMilliseconds": 7,
                },
                "lastOverlap": {
                    "time": "1970-01-01T00:01:39Z",
                    "node": "n2",
                    "durationMilliseconds": 9_000,
                },
                "term": {"plan": 3, "takeovers": 1},
                "conditions": [
                    {"type": "Announced", "status": "True", "reason": "Announced", "message": "It is.",
                     "lastTransitionTime": "1970-01-01T00:01:40Z"},
                    {"type": "Conflict", "status": "False", "reason": "NoConflict", "message": "None.",
                     "lastTransitionTime": "1970-01-01T00:01:40Z"},
                ],
            },
        })
    );
}

#[test]
fn a_node_that_waits_says_why_and_claims_nothing() {
    let waits = Said {
        held: None,
        conditions: vec![Decided::new(AnnouncedReason::AnsweredElsewhere, "Not yet.")],
    };
    let status = said_status(&waits, &ExternalIPStatus::default(), &at(100));
    let keys: Vec<String> = to_value(&status)
        .expect("JSON")
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["conditions"]);
}

#[test]
fn nothing_new_gives_what_stands_there() {
    let said = said(vec![announced(), no_conflict()]);
    let first = said_status(&said, &ExternalIPStatus::default(), &at(100));
    let whole: ExternalIPStatus =
        serde_json::from_value(to_value(&first).expect("JSON")).expect("a status");
    assert_eq!(said_status(&said, &whole, &at(200)), holders_part(&whole));
}

#[test]
fn a_transition_has_a_time_and_another_message_has_not() {
    let before = said_status(
        &said(vec![announced()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    let time = |reason, message| {
        let said = said(vec![Decided::new(reason, message)]);
        let status = said_status(&said, &before, &at(200));
        to_value(&status.conditions[0].last_transition_time).expect("JSON")
    };
    let same = time(AnnouncedReason::Announced, "It is, as before.");
    assert_eq!(same, "1970-01-01T00:01:40Z");
    let other = time(AnnouncedReason::Failed, "It is not.");
    assert_eq!(other, "1970-01-01T00:03:20Z");
}

#[test]
fn what_others_wrote_is_left_to_them() {
    let foreign = Decided::new(RangesUsableReason::AllUsable, "Of a pool.");
    let single = Decided::new(SingleResponderReason::OneResponder, "One.");
    let former = ExternalIPStatus {
        conditions: vec![condition(single.clone(), None, at(1))],
        seen: Some(sighting()),
        ..ExternalIPStatus::default()
    };
    let status = said_status(&said(vec![foreign, single, announced()]), &former, &at(100));
    let types: Vec<&str> = status.conditions.iter().map(|it| &*it.type_).collect();
    assert_eq!(types, ["Announced"]);
    assert_eq!(status.seen, None);
    assert_eq!(holders_part(&former), ExternalIPStatus::default());
}

#[test]
fn a_conflict_that_is_over_goes_and_what_the_operator_owns_a_part_of_stays_whole() {
    let former = said_status(
        &said(vec![announced(), no_conflict()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    let status = said_status(&said(vec![]), &former, &at(200));
    assert_eq!(status.conditions, former.conditions[..1]);
}

#[test]
fn a_node_that_lets_go_leaves_no_more_than_that_it_did() {
    let address = "10.77.0.200".parse().expect("an address");
    let former = said_status(
        &said(vec![announced(), no_conflict()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    let status = let_go_status("n1", address, &former, &at(200));
    let body = applied("10-77-0-200", "u1", Some("7"), &status);
    assert_eq!(body["metadata"]["resourceVersion"], "7");
    let message = &status.conditions[0].message;
    assert!(message.starts_with("Node n1 has let go of 10.77.0.200"));
    assert_eq!(
        body["status"],
        json!({"conditions": [{
            "type": "Announced", "status": "False", "reason": "WaitingForNode", "message": message,
            "lastTransitionTime": "1970-01-01T00:03:20Z",
        }]})
    );
}

fn sighting() -> Sighting {
    Sighting {
        witness: "n3".to_owned(),
        time: at(300),
        responders: vec![Responder {
            mac: "02:00:00:00:00:01".to_owned(),
            node: Some("n1".to_owned()),
        }],
    }
}

#[test]
fn a_witness_says_what_it_saw_and_nothing_else() {
    let single = Decided::new(SingleResponderReason::OneResponder, "One.");
    let former = said_status(
        &said(vec![announced()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    let first = sighting_status(sighting(), single.clone(), &former, &at(300));
    assert_eq!(
        to_value(&first).expect("JSON"),
        json!({
            "seen": {
                "witness": "n3",
                "time": "1970-01-01T00:05:00Z",
                "responders": [{"mac": "02:00:00:00:00:01", "node": "n1"}],
            },
            "conditions": [{
                "type": "SingleResponder", "status": "True", "reason": "OneResponder", "message": "One.",
                "lastTransitionTime": "1970-01-01T00:05:00Z",
            }],
        })
    );
}

#[test]
fn a_witness_that_sees_the_same_again_says_nothing_new() {
    let one = || Decided::new(SingleResponderReason::OneResponder, "One.");
    let holder = said_status(
        &said(vec![announced()]),
        &ExternalIPStatus::default(),
        &at(100),
    );
    let second = Responder {
        mac: "02:00:00:00:00:00".to_owned(),
        node: None,
    };
    let mut both = sighting();
    both.responders.push(second.clone());
    let several = || Decided::new(SingleResponderReason::SeveralResponders, "Two.");
    for (sighting, single) in [(sighting(), one()), (both.clone(), several())] {
        let first = sighting_status(sighting.clone(), single.clone(), &holder, &at(300));
        let whole = stored(&[holder.clone(), first.clone()]);
        assert_eq!(witness_part(&whole), first);
        let mut later = sighting;
        later.time = at(400);
        later.responders.reverse();
        assert_eq!(sighting_status(later, single, &whole, &at(400)), first);
    }
    // Anything else is news, and of this moment.
    let first = sighting_status(sighting(), one(), &holder, &at(300));
    let whole = stored(&[holder, first.clone()]);
    let later = |change: fn(&mut Sighting)| {
        let mut sighting = Sighting {
            time: at(400),
            ..sighting()
        };
        change(&mut sighting);
        let status = sighting_status(sighting, one(), &whole, &at(400));
        status.seen.expect("a sighting").time.0.as_second()
    };
    assert_eq!(later(|_| ()), 300);
    assert_eq!(later(|sighting| sighting.witness = "n4".to_owned()), 400);
    assert_eq!(later(|sighting| sighting.responders.clear()), 400);
    let unsure = Decided::new(SingleResponderReason::NotWitnessed, "Nobody looked.");
    assert_ne!(sighting_status(sighting(), unsure, &whole, &at(400)), first);
}

#[test]
fn a_node_that_waits_does_not_talk_over_the_operator_that_holds_the_address_back() {
    let held_back = Decided::new(AnnouncedReason::WaitingForSafety, "Not safe.");
    let former = ExternalIPStatus {
        conditions: vec![condition(held_back, None, at(0))],
        ..ExternalIPStatus::default()
    };
    let reasons = |held: Option<Held>, announced: Decided| {
        let said = Said {
            held,
            conditions: vec![announced, no_conflict()],
        };
        let status = said_status(&said, &former, &at(100));
        let conditions = status.conditions.into_iter();
        conditions.map(|it| it.reason).collect::<Vec<_>>()
    };
    let waits = Decided::new(AnnouncedReason::ProxyNotProgrammed, "Not yet.");
    assert_eq!(reasons(None, waits), ["WaitingForSafety", "NoConflict"]);
    assert_eq!(
        reasons(Some(held()), announced()),
        ["Announced", "NoConflict"]
    );
}

#[test]
fn what_was_seen_of_an_address_is_over_once_no_node_has_it() {
    let address = "10.77.0.200".parse().unwrap();
    let single = Decided::new(SingleResponderReason::OneResponder, "n1 alone answered.");
    let seen = sighting_status(sighting(), single, &ExternalIPStatus::default(), &at(300));
    let held = ExternalIPStatus {
        node: Some("n1".to_owned()),
        ..seen.clone()
    };
    assert_eq!(unseen_status(address, &held, &at(400)), None);
    let over = unseen_status(address, &seen, &at(400)).unwrap();
    assert_eq!(over.seen, None);
    let condition = &over.conditions[0];
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str()),
        ("Unknown", "NotWitnessed")
    );
    assert_eq!(condition.last_transition_time.0.as_second(), 400);
    assert_eq!(unseen_status(address, &over, &at(500)), None);
    let fresh = ExternalIPStatus::default();
    assert_eq!(unseen_status(address, &fresh, &at(500)), None);
}
