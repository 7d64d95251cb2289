use mooring_core::ipam::reason::AnnouncedReason;

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
    assert!(taken.says(&Decided::new(AnnouncedReason::Announced, "It is.")));
    assert!(!taken.says(&Decided::new(AnnouncedReason::Announced, "It is not.")));
    assert!(!taken.says(&Decided::new(AnnouncedReason::WaitingForNode, "It is.")));
    assert_eq!(taken.announced.map(|said| said.since), Some(at(2)));
}

#[test]
fn an_object_that_is_no_claim_is_refused() {
    let mut wrong = object(json!({}));
    wrong.metadata.name = Some("10-77-0-201".to_owned());
    assert!(known(&wrong).is_err());
}

#[test]
fn nothing_but_the_condition_is_applied_and_it_reads_back_as_it_was() {
    let address = IpAddr::from([10, 77, 0, 200]);
    let waits = Decided::new(AnnouncedReason::WaitingForNode, "n1 has not taken it yet.");
    let body = announced_status(address, &waits, None, at(100));
    assert_eq!(
        body,
        json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ExternalIP",
            "metadata": {"name": "10-77-0-200"},
            "status": {"conditions": [{
                "type": "Announced", "status": "False", "reason": "WaitingForNode",
                "message": "n1 has not taken it yet.", "lastTransitionTime": "1970-01-01T00:01:40Z",
            }]},
        })
    );
    let first = known(&object(body["status"].clone())).expect("a claim");
    assert!(first.says(&waits));
    let other = Decided::new(AnnouncedReason::NoEligibleNode, "No node can have it.");
    let said = first.announced.as_ref();
    let since = |decided: &Decided| {
        let body = announced_status(address, decided, said, at(200));
        body["status"]["conditions"][0]["lastTransitionTime"].clone()
    };
    assert_eq!(since(&other), "1970-01-01T00:01:40Z", "still False");
    let lost = Decided::new(AnnouncedReason::NodeNotReporting, "n1 does not report.");
    assert_eq!(since(&lost), "1970-01-01T00:03:20Z");
}
