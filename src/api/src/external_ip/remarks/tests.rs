use mooring_core::ipam::reason::{AnnouncedReason, RequestMetReason};

use super::*;

fn object(status: Value) -> ExternalIP {
    serde_json::from_value(json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": "10-77-0-200"},
        "spec": {
            "address": "10.77.0.200",
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{"namespace": "shop", "name": "web", "uid": "u1", "trafficPolicy": "Cluster"}],
            "node": "n1",
        },
        "status": status,
    }))
    .expect("an ExternalIP")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

#[test]
fn an_object_says_who_has_it_who_shall_have_it_and_what_is_awaited() {
    let fresh = known(&object(json!({}))).expect("a claim");
    assert_eq!(fresh.planned.as_deref(), Some("n1"));
    assert_eq!((fresh.taken_by, fresh.announced), (None, None));
    assert_eq!(fresh.request_met, None);
    let taken = known(&object(json!({
        "node": "n2",
        "conditions": [
            {"type": "Conflict", "status": "False", "reason": "NoConflict", "message": "",
             "lastTransitionTime": "1970-01-01T00:00:01Z"},
            {"type": "Announced", "status": "True", "reason": "Announced", "message": "It is.",
             "lastTransitionTime": "1970-01-01T00:00:02Z"},
        ],
    })))
    .expect("a claim");
    assert_eq!(taken.taken_by.as_deref(), Some("n2"));
    let announced = taken.announced.expect("what its agent says");
    assert_eq!((announced.how, announced.seen), (None, None));
    let said = announced.said;
    assert!(said.is(&Decided::new(AnnouncedReason::Announced, "It is.")));
    assert!(!said.is(&Decided::new(AnnouncedReason::Announced, "It is not.")));
    assert!(!said.is(&Decided::new(AnnouncedReason::WaitingForNode, "It is.")));
    assert_eq!(said.since, at(2));
}

#[test]
fn an_object_says_how_its_node_answers_and_what_a_witness_saw() {
    let said = |kind: &str, reason: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": "It is.",
               "lastTransitionTime": "1970-01-01T00:00:02Z"})
    };
    let status = json!({
        "node": "n2",
        "interface": "eth0",
        "mac": "02:00:00:00:00:02",
        "method": "Uplink",
        "since": "1970-01-01T00:00:01Z",
        "seen": {"witness": "n3", "time": "1970-01-01T00:00:04Z"},
        "conditions": [said("Announced", "Announced"), said("SingleResponder", "OneResponder")],
    });
    let taken = known(&object(status)).expect("a claim");
    let announced = taken.announced.expect("what its agent says");
    let how = How {
        interface: "eth0".to_owned(),
        mac: Some("02:00:00:00:00:02".to_owned()),
        method: mooring::Method::Uplink,
        since: Some(at(1)),
    };
    assert_eq!(announced.how, Some(how));
    let seen = announced.seen.expect("what a witness says");
    assert_eq!(seen.since, Some(at(4)));
    assert_eq!(seen.single.reason, "OneResponder");
}

#[test]
fn the_move_that_brought_an_address_to_its_node_is_remembered_before_those_that_are_already() {
    let mut last = json!({
        "time": "1970-01-01T00:00:02Z", "from": "n1", "to": "n2", "reason": "TakeOver", "durationMilliseconds": 250,
    });
    let former = json!({
        "time": "1970-01-01T00:00:01Z", "to": "n1", "reason": "FirstChoice", "durationMilliseconds": 900,
    });
    let both = json!([last.clone(), former.clone()]);
    last.as_object_mut().expect("an object").remove("to");
    let mut status = json!({
        "node": "n2", "lastMove": last, "moves": [former],
        "conditions": [{"type": "RequestMet", "status": "True", "reason": "Met", "message": "Every Service has it.",
                        "lastTransitionTime": "1970-01-01T00:00:01Z"}],
    });
    let taken = known(&object(status.clone())).expect("a claim");
    let remarks = self::taken(met());
    assert!(!taken.says(&remarks), "a move is to be written down");
    let body = remarks_status(&taken, &remarks, at(100)).expect("a body");
    assert_eq!(body["status"]["moves"], both);
    status["moves"] = both;
    let told = known(&object(status)).expect("a claim");
    assert!(told.says(&remarks), "it is written down");
}

#[test]
fn an_object_that_is_no_claim_is_refused() {
    let mut wrong = object(json!({}));
    wrong.metadata.name = Some("10-77-0-201".to_owned());
    assert!(known(&wrong).is_err());
}

fn waits() -> Decided {
    Decided::new(AnnouncedReason::WaitingForNode, "n1 has not taken it yet.")
}

fn met() -> Decided {
    Decided::new(RequestMetReason::Met, "Every Service has it.")
}

fn not_met() -> Decided {
    Decided::new(RequestMetReason::NoSuchPool, "There is no pool bleu.")
}

/// What is said about an address that no node has taken up.
fn untaken(request_met: Decided) -> Remarks {
    Remarks {
        taken_by: None,
        announced: Some(waits()),
        request_met: Some(request_met),
    }
}

/// What is said about one that a node has.
fn taken(request_met: Decided) -> Remarks {
    Remarks {
        taken_by: Some("n2".to_owned()),
        announced: None,
        request_met: Some(request_met),
    }
}

fn applied(known: &Known, remarks: &Remarks, second: i64) -> Value {
    let body = remarks_status(known, remarks, at(second)).expect("a body");
    assert_eq!(
        body["status"].as_object().map(|status| status.len()),
        Some(1)
    );
    body["status"]["conditions"].clone()
}

#[test]
fn nothing_but_the_conditions_is_applied_and_they_read_back_as_they_were() {
    let fresh = known(&object(json!({}))).expect("a claim");
    assert!(!fresh.says(&untaken(met())));
    let body = remarks_status(&fresh, &untaken(met()), at(100)).expect("a body");
    assert_eq!(
        body,
        json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ExternalIP",
            "metadata": {"name": "10-77-0-200"},
            "status": {"conditions": [
                {
                    "type": "RequestMet", "status": "True", "reason": "Met",
                    "message": "Every Service has it.", "lastTransitionTime": "1970-01-01T00:01:40Z",
                },
                {
                    "type": "Announced", "status": "False", "reason": "WaitingForNode",
                    "message": "n1 has not taken it yet.", "lastTransitionTime": "1970-01-01T00:01:40Z",
                },
            ]},
        })
    );
    let first = known(&object(body["status"].clone())).expect("a claim");
    assert!(first.says(&untaken(met())));
    assert!(!first.says(&untaken(not_met())));
    assert!(!first.says(&Remarks {
        request_met: None,
        ..untaken(met())
    }));
}

#[test]
fn both_are_applied_when_one_changes_and_only_that_ones_time_moves() {
    let fresh = known(&object(json!({}))).expect("a claim");
    let conditions = applied(&fresh, &untaken(met()), 100);
    let first = known(&object(json!({"conditions": conditions}))).expect("a claim");
    let times = |remarks: &Remarks| {
        let conditions = applied(&first, remarks, 200);
        let list = conditions.as_array().expect("a list").clone();
        let time = |condition: &Value| condition["lastTransitionTime"].clone();
        list.iter().map(time).collect::<Vec<_>>()
    };
    let (then, now) = ("1970-01-01T00:01:40Z", "1970-01-01T00:03:20Z");
    assert_eq!(times(&untaken(met())), [then, then]);
    assert_eq!(times(&untaken(not_met())), [now, then]);
    let nowhere = Decided::new(AnnouncedReason::NoEligibleNode, "No node can have it.");
    let still_false = Remarks {
        announced: Some(nowhere),
        ..untaken(met())
    };
    assert_eq!(times(&still_false), [then, then]);
    let lost = Decided::new(AnnouncedReason::NodeNotReporting, "n1 does not report.");
    let unknown = Remarks {
        announced: Some(lost),
        ..untaken(met())
    };
    assert_eq!(times(&unknown), [then, now]);
}

#[test]
fn of_an_address_that_a_node_has_the_operator_applies_its_own_condition_only() {
    let status = json!({
        "node": "n2",
        "conditions": [
            {"type": "RequestMet", "status": "True", "reason": "Met", "message": "Every Service has it.",
             "lastTransitionTime": "1970-01-01T00:00:01Z"},
            {"type": "Announced", "status": "True", "reason": "Announced", "message": "It is.",
             "lastTransitionTime": "1970-01-01T00:00:02Z"},
            {"type": "Conflict", "status": "False", "reason": "NoConflict", "message": "",
             "lastTransitionTime": "1970-01-01T00:00:02Z"},
        ],
    });
    let has = known(&object(status)).expect("a claim");
    assert!(has.says(&taken(met())), "whatever its agent says");
    assert!(!has.says(&taken(not_met())));
    let conditions = applied(&has, &taken(not_met()), 100);
    assert_eq!(conditions.as_array().map(Vec::len), Some(1));
    assert_eq!(conditions[0]["type"], "RequestMet");
    // Nobody asks for it any more, and the node has not let go yet.
    let nothing = Remarks {
        request_met: None,
        ..taken(met())
    };
    assert!(!has.says(&nothing));
    assert_eq!(applied(&has, &nothing, 100), json!([]));
}

#[test]
fn what_was_decided_before_a_node_took_it_up_or_let_go_is_not_applied() {
    let free = known(&object(json!({}))).expect("a claim");
    let has = known(&object(json!({"node": "n2"}))).expect("a claim");
    assert_eq!(remarks_status(&has, &untaken(not_met()), at(100)), None);
    assert_eq!(remarks_status(&free, &taken(not_met()), at(100)), None);
}

/// An address that is planned for n1, with this `Announced`.
fn says(node: Option<&str>, status: &str, reason: &str, message: &str) -> Known {
    let conditions = json!([
        {"type": "RequestMet", "status": "True", "reason": "Met", "message": "Every Service has it.",
         "lastTransitionTime": "1970-01-01T00:00:01Z"},
        {"type": "Announced", "status": status, "reason": reason, "message": message,
         "lastTransitionTime": "1970-01-01T00:00:02Z"},
    ]);
    known(&object(json!({"node": node, "conditions": conditions}))).expect("a claim")
}

/// What is said about an address whose agent says why its node has not taken it.
fn explained(request_met: Decided) -> Remarks {
    Remarks {
        taken_by: None,
        ..taken(request_met)
    }
}

#[test]
fn what_a_node_says_that_waits_is_left_to_it() {
    for reason in ["ProxyNotProgrammed", "AnsweredElsewhere", "Failed"] {
        let message = "Node n1 is to have 10.77.0.200, but it waits.";
        let waiting = says(None, "False", reason, message);
        assert!(waiting.is_explained());
        assert!(waiting.says(&explained(met())), "{reason}");
        let conditions = applied(&waiting, &explained(not_met()), 100);
        assert_eq!(conditions.as_array().map(Vec::len), Some(1), "{conditions}");
        // It said so after that was decided.
        assert_eq!(remarks_status(&waiting, &untaken(met()), at(100)), None);
        // Something else than that the node is waited for is the operator's to say all the same.
        let nowhere = Remarks {
            announced: Some(Decided::new(AnnouncedReason::NoEligibleNode, "No node.")),
            ..untaken(met())
        };
        assert!(!waiting.says(&nowhere));
        assert_eq!(
            applied(&waiting, &nowhere, 100)[1]["reason"],
            "NoEligibleNode"
        );
    }
}

#[test]
fn what_the_node_said_that_was_planned_before_is_replaced_once() {
    let message = "Node n2 is to have 10.77.0.200, but it waits.";
    let moved = says(None, "False", "Failed", message);
    assert!(!moved.is_explained());
    assert!(!moved.says(&untaken(met())));
    let conditions = applied(&moved, &untaken(met()), 100);
    let written = json!({"conditions": conditions});
    let after = known(&object(written)).expect("a claim");
    assert!(after.says(&untaken(met())));
    // One who let go, or who answers and is named nowhere, gives no reason why n1 has not taken it.
    for (status, reason) in [("False", "WaitingForNode"), ("True", "Announced")] {
        assert!(!says(None, status, reason, "Node n1 has.").is_explained());
    }
    // A text of another version is no reason for two to contradict each other.
    assert!(says(None, "False", "Failed", "It did not work.").is_explained());
}

#[test]
fn a_silent_node_is_spoken_for_until_its_agent_does() {
    let silent = |request_met| Remarks {
        announced: Some(Decided::new(
            AnnouncedReason::NodeNotReporting,
            "n2 is silent.",
        )),
        ..taken(request_met)
    };
    let has = says(Some("n2"), "True", "Announced", "Node n2 answers.");
    assert!(!has.says(&silent(met())));
    let conditions = applied(&has, &silent(met()), 100);
    assert_eq!(
        conditions[1],
        json!({"type": "Announced", "status": "Unknown", "reason": "NodeNotReporting", "message": "n2 is silent.",
               "lastTransitionTime": "1970-01-01T00:01:40Z"})
    );
    let unknown = json!({"node": "n2", "conditions": conditions});
    let unknown = known(&object(unknown)).expect("a claim");
    assert!(unknown.says(&silent(met())), "said once");
    // The node is back, and its agent has not spoken yet: nothing is to be written, and what has to be leaves out no half of
    // a condition.
    assert!(unknown.says(&taken(met())));
    let again = applied(&unknown, &taken(not_met()), 200);
    assert_eq!(again[1], conditions[1]);
}

#[test]
fn what_was_decided_while_another_node_had_it_is_not_applied() {
    let has = says(Some("n3"), "True", "Announced", "Node n3 answers.");
    assert_eq!(remarks_status(&has, &taken(not_met()), at(100)), None);
}
