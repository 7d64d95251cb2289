use mooring_api::ExternalIP;
use serde_json::json;

use super::*;
use crate::addresses::source::external_ip;

const NAME: &str = "10-77-0-200";

/// An ExternalIP whose condition `SingleResponder` says that, since so many seconds.
fn object(status: &str, reason: &str, since: i64) -> Versioned<Address> {
    let condition = |kind: &str, status: &str, reason: &str, since: i64| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": format!("It is {reason}."),
            "lastTransitionTime": jiff::Timestamp::from_second(since).unwrap().to_string(),
        })
    };
    let object = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": NAME, "uid": "u1", "resourceVersion": "7"},
        "spec": {
            "address": "10.77.0.200",
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{"namespace": "shop", "name": "web", "uid": "u2", "trafficPolicy": "Cluster"}],
        },
        "status": {
            "node": "n1",
            "conditions": [
                condition("Announced", "True", "Announced", 0),
                condition("SingleResponder", status, reason, since),
            ],
        },
    });
    let object: ExternalIP = serde_json::from_value(object).unwrap();
    external_ip(&object).unwrap()
}

fn look(sightings: &mut Sightings, status: &str, reason: &str, since: i64) -> Vec<Notice> {
    let object = object(status, reason, since);
    sightings.follow(&Update::Set(NAME.to_owned(), object))
}

#[test]
fn what_goes_wrong_on_the_wire_is_told_once_and_that_it_is_over_with_how_long_it_was_so() {
    let mut sightings = Sightings::default();
    assert!(look(&mut sightings, "True", "OneResponder", 100).is_empty());
    let told = look(&mut sightings, "False", "SeveralResponders", 200);
    let kinds: Vec<_> = told
        .iter()
        .map(|notice| notice.regarding.kind.clone().unwrap())
        .collect();
    assert_eq!(kinds, ["ExternalIP", "Service"]);
    for notice in &told {
        assert_eq!(notice.kind, NoteKind::Warning);
        assert_eq!(notice.reason, "SeveralResponders");
        assert_eq!(notice.message, "It is SeveralResponders.");
    }
    assert!(look(&mut sightings, "False", "SeveralResponders", 200).is_empty());
    assert_eq!(
        look(&mut sightings, "False", "OtherResponder", 200).len(),
        2
    );
    let over = look(&mut sightings, "True", "OneResponder", 225);
    assert_eq!(over.len(), 2);
    assert_eq!(over[0].kind, NoteKind::Normal);
    assert_eq!(
        over[0].message,
        "10.77.0.200 is answered for by its node alone again. For 25 s a witness saw something else on the wire, \
         OtherResponder at last."
    );
    assert!(look(&mut sightings, "True", "OneResponder", 225).is_empty());
}

#[test]
fn what_nobody_sees_any_more_or_what_is_gone_is_not_over() {
    let mut sightings = Sightings::default();
    assert_eq!(look(&mut sightings, "False", "NoResponder", 200).len(), 2);
    assert!(look(&mut sightings, "Unknown", "NotWitnessed", 210).is_empty());
    assert!(look(&mut sightings, "False", "NoResponder", 220).is_empty());
    assert!(sightings.follow(&Update::Gone(NAME.to_owned())).is_empty());
    assert_eq!(look(&mut sightings, "False", "NoResponder", 230).len(), 2);
    assert!(sightings.follow(&Update::All(BTreeMap::new())).is_empty());
    assert!(look(&mut sightings, "True", "OneResponder", 240).is_empty());
    assert!(look(&mut sightings, "False", "OfAnotherVersion", 250).is_empty());
}

#[test]
fn that_two_nodes_had_an_address_is_told_once_and_not_of_what_was_before_the_start() {
    let overlapping = |until: i64| {
        let mut object = object("True", "OneResponder", 100);
        let known = std::sync::Arc::make_mut(&mut object.value.known);
        known.last_overlap = Some(Overlap {
            until: Timestamp::from_unix_seconds(until),
            node: Some("n2".to_owned()),
            milliseconds: 25_300,
        });
        object
    };
    let all = |object| Update::All(BTreeMap::from([(NAME.to_owned(), object)]));
    let set = |object| Update::Set(NAME.to_owned(), object);
    let mut sightings = Sightings::default();
    assert!(sightings.follow(&all(overlapping(1_000))).is_empty());
    assert!(sightings.follow(&set(overlapping(1_001))).is_empty());
    let told = sightings.follow(&set(overlapping(2_000)));
    assert_eq!(told.len(), 2, "the ExternalIP and its Service");
    assert_eq!(
        told[0].message,
        "n1 and n2 both answered for 10.77.0.200, for 25.3 s at most, until 1970-01-01T00:33:20Z: neither could hear that the \
         other one had it, as while the network between them is split. Connections may have broken. n2 has let go of it, and \
         n1 has it."
    );
    assert!(sightings.follow(&set(overlapping(2_001))).is_empty());
    assert!(sightings.follow(&all(overlapping(2_001))).is_empty());
}
