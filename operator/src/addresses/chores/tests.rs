use std::collections::HashSet;
use std::net::Ipv4Addr;

use mooring_api::ExternalIP;
use mooring_core::condition::Condition;
use mooring_core::ipam::reason::{AnnouncedReason, RequestMetReason};

use super::*;
use crate::addresses::source::{Change, external_ip};
use crate::cache::Update;

const MANY: usize = 10_000;

fn address(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap()))
}

/// What is to be said about an address.
fn remark(request: RequestMetReason, taken: bool) -> Remarks {
    Remarks {
        taken_by: taken.then(|| "n1".to_owned()),
        announced: (!taken).then(|| Condition::new(AnnouncedReason::WaitingForNode, "It waits.")),
        request_met: Some(Condition::new(request, format!("It is {request}."))),
    }
}

fn object(number: usize, status: &serde_json::Value) -> ExternalIP {
    let address = address(number);
    let object = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": object_name::of(address), "uid": "u", "resourceVersion": "7"},
        "spec": {
            "address": address.to_string(),
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{"namespace": "shop", "name": "web", "uid": "u", "trafficPolicy": "Cluster"}],
        },
        "status": status,
    });
    serde_json::from_value(object).unwrap()
}

fn put(stores: &mut Stores, object: &ExternalIP) {
    let key = object.metadata.name.clone().unwrap();
    let known = external_ip(object).unwrap();
    stores.apply(Change::Addresses(Update::Set(key, known)));
}

fn writes(decided: &BTreeMap<IpAddr, Remarks>, stores: &Stores) -> Vec<serde_json::Value> {
    writes_after(decided, stores, &Silences::default())
}

fn writes_after(
    decided: &BTreeMap<IpAddr, Remarks>,
    stores: &Stores,
    silences: &Silences,
) -> Vec<serde_json::Value> {
    let now = Timestamp::from_unix_seconds(2_000);
    let writes = remarks(decided, stores, silences, now, |_| true, usize::MAX);
    let body = |write| match write {
        Write::Remarks { body, .. } => body,
        other => panic!("{other:?}"),
    };
    writes.into_iter().map(body).collect()
}

fn types(body: &serde_json::Value) -> Vec<&str> {
    let conditions = body["status"]["conditions"].as_array().unwrap().iter();
    conditions
        .map(|condition| condition["type"].as_str().unwrap())
        .collect()
}

/// Addresses whose statuses say what was decided; those with an odd number are a node's.
fn settled() -> (BTreeMap<IpAddr, Remarks>, Stores) {
    let mut stores = Stores::default();
    let decided: BTreeMap<IpAddr, Remarks> = (0..MANY)
        .map(|number| {
            let remark = remark(RequestMetReason::Met, number % 2 == 1);
            (address(number), remark)
        })
        .collect();
    for number in 0..MANY {
        put(&mut stores, &object(number, &json!({})));
    }
    let untaken: BTreeMap<IpAddr, Remarks> = decided
        .keys()
        .map(|address| (*address, remark(RequestMetReason::Met, false)))
        .collect();
    for (number, mut body) in writes(&untaken, &stores).into_iter().enumerate() {
        if number % 2 == 1 {
            body["status"]["node"] = json!("n1");
            let said = json!({"type": "Announced", "status": "True", "reason": "Announced", "message": "It is.",
                "lastTransitionTime": "1970-01-01T00:00:01Z"});
            body["status"]["conditions"][1] = said;
        }
        put(&mut stores, &object(number, &body["status"]));
    }
    (decided, stores)
}

#[test]
fn an_operator_that_starts_again_writes_nothing_about_ten_thousand_addresses() {
    let (decided, stores) = settled();
    assert_eq!(writes(&decided, &stores), Vec::<serde_json::Value>::new());
}

#[test]
fn a_new_address_is_told_everything_in_one_write() {
    let mut stores = Stores::default();
    put(&mut stores, &object(0, &json!({})));
    let decided = [(address(0), remark(RequestMetReason::Met, false))].into();
    let [body] = &writes(&decided, &stores)[..] else {
        panic!("one write");
    };
    assert_eq!(types(body), ["RequestMet", "Announced"]);
    assert_eq!(body["metadata"]["uid"], "u");
    assert_eq!(body["metadata"]["resourceVersion"], "7");
}

#[test]
fn a_mistake_is_written_to_its_address_only_and_leaves_out_what_is_the_agents() {
    let (mut decided, stores) = settled();
    for number in [4, 5] {
        let taken = number % 2 == 1;
        decided.insert(address(number), remark(RequestMetReason::NoSuchPool, taken));
    }
    let [free, taken] = &writes(&decided, &stores)[..] else {
        panic!("two writes");
    };
    assert_eq!(types(free), ["RequestMet", "Announced"]);
    assert_eq!(
        free["status"]["conditions"][1]["lastTransitionTime"],
        "1970-01-01T00:33:20Z"
    );
    assert_eq!(types(taken), ["RequestMet"]);
    let condition = &taken["status"]["conditions"][0];
    assert_eq!(condition["reason"], "NoSuchPool");
    assert_eq!(condition["status"], "False");
}

#[test]
fn what_a_node_took_up_since_the_decision_is_left_for_the_next_one() {
    let (mut decided, stores) = settled();
    let before = remark(RequestMetReason::NoSuchPool, false);
    decided.insert(address(5), before);
    assert!(writes(&decided, &stores).is_empty());
}

/// The status of an address that n1 has, where this is said of it.
fn has(reason: AnnouncedReason, message: &str) -> serde_json::Value {
    let said = Condition::new(reason, message);
    json!({"node": "n1", "conditions": [
        {"type": "RequestMet", "status": "True", "reason": "Met", "message": "It is Met.",
         "lastTransitionTime": "1970-01-01T00:00:01Z"},
        {"type": "Announced", "status": said.status.as_str(), "reason": said.reason, "message": said.message,
         "lastTransitionTime": "1970-01-01T00:00:01Z"},
    ]})
}

#[test]
fn a_node_whose_agent_answers_is_said_once_not_to_report() {
    let silent = |request: RequestMetReason| {
        let remarks = Remarks {
            announced: Some(Condition::new(
                AnnouncedReason::NodeNotReporting,
                "It is silent.",
            )),
            ..remark(request, true)
        };
        BTreeMap::from([(address(0), remarks)])
    };
    let (mut stores, mut silences) = (Stores::default(), Silences::default());
    let says = |stores: &mut Stores, reason, message: &str| {
        put(stores, &object(0, &has(reason, message)));
    };
    let decided = silent(RequestMetReason::Met);
    let done = |number: usize| {
        let name = object_name::of(address(number));
        let write = Write::Remarks {
            name,
            body: json!({}),
        };
        [write.object()].into()
    };
    says(&mut stores, AnnouncedReason::Announced, "It answers.");
    // Of another address, or not written: nothing was said of this one.
    silences.note(&decided, &done(1));
    assert_eq!(writes_after(&decided, &stores, &silences).len(), 1);

    silences.note(&decided, &done(0));
    says(
        &mut stores,
        AnnouncedReason::NodeNotReporting,
        "It is silent.",
    );
    assert!(writes_after(&decided, &stores, &silences).is_empty());
    // Only the text is another one.
    says(&mut stores, AnnouncedReason::NodeNotReporting, "It is.");
    assert_eq!(writes_after(&decided, &stores, &silences).len(), 1);

    says(&mut stores, AnnouncedReason::Announced, "It answers.");
    for _ in 0..2 {
        assert!(writes_after(&decided, &stores, &silences).is_empty());
        silences.note(&decided, &HashSet::new());
    }
    let [body] = &writes_after(&silent(RequestMetReason::NoSuchPool), &stores, &silences)[..]
    else {
        panic!("one write");
    };
    assert_eq!(types(body), ["RequestMet"]);

    // It reported in between.
    silences.note(
        &[(address(0), remark(RequestMetReason::Met, true))].into(),
        &HashSet::new(),
    );
    assert_eq!(writes_after(&decided, &stores, &silences).len(), 1);
}
