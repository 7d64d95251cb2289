use serde_json::{Value, json};

use super::*;

fn object(change: impl FnOnce(&mut Value)) -> ExternalIP {
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "R", "message": "M",
               "lastTransitionTime": "2026-01-02T03:04:05Z"})
    };
    let mut object = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": "10-77-0-200", "uid": "u1", "resourceVersion": "7"},
        "spec": {
            "address": "10.77.0.200",
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{
                "namespace": "shop", "name": "web", "uid": "u2", "trafficPolicy": "Local", "healthCheckNodePort": 31_000,
                "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 80}],
            }],
            "node": "n1",
        },
        "status": {
            "node": "n2",
            "interface": "eth0",
            "mac": "02:00:00:00:00:02",
            "method": "Uplink",
            "since": "2026-01-02T03:04:05Z",
            "lastMove": {"time": "2026-01-02T03:04:05Z", "reason": "NodeLost", "durationMilliseconds": 300},
            "seen": {"witness": "n3", "time": "2026-01-02T03:04:05Z"},
            "conditions": [condition("RequestMet"), condition("Announced"), condition("SingleResponder")],
        },
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn types(address: &Address) -> Vec<&str> {
    let conditions = address.status.conditions.iter();
    conditions
        .map(|condition| condition.type_.as_str())
        .collect()
}

#[test]
fn it_is_who_shall_have_it_for_whom_and_who_has_it() {
    let address = Address::of(object(|_| {}), "n9").unwrap();
    assert_eq!(address.address, IpAddr::from([10, 77, 0, 200]));
    assert_eq!(address.pool, PoolId::mooring("blue"));
    assert_eq!(address.planned.as_deref(), Some("n1"));
    let [served] = &address.services[..] else {
        panic!("{address:?}");
    };
    assert_eq!(served.service.to_string(), "shop/web");
    assert_eq!(served.health_port, Some(31_000));
    let ports: Vec<String> = served.ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["80/TCP", "53/UDP"]);
    assert_eq!(address.status.node.as_deref(), Some("n2"));
    assert_eq!(address.status.mac.as_deref(), Some("02:00:00:00:00:02"));
}

#[test]
fn what_is_said_about_it_is_kept_by_the_node_that_says_it_and_the_next_one() {
    for (node, kept) in [("n1", true), ("n2", true), ("n9", false)] {
        let address = Address::of(object(|_| {}), node).unwrap();
        let expected: &[&str] = if kept { &["Announced"] } else { &[] };
        assert_eq!(types(&address), expected, "{node}");
        assert_eq!(address.status.last_move.is_some(), kept, "{node}");
        assert_eq!(address.status.seen, None);
    }
}

#[test]
fn what_a_witness_or_another_node_says_about_it_is_no_news() {
    let read = |node: &str, change: &dyn Fn(&mut Value)| {
        let later = object(|object| {
            object["metadata"]["resourceVersion"] = "8".into();
            change(object);
        });
        Address::of(later, node).unwrap()
    };
    let former = |node| Address::of(object(|_| {}), node).unwrap();
    let seen = |object: &mut Value| object["status"]["seen"]["witness"] = "n4".into();
    let said = |object: &mut Value| object["status"]["conditions"][1]["message"] = "N".into();
    let moved = |object: &mut Value| object["status"]["node"] = "n3".into();
    assert_eq!(read("n1", &seen), former("n1"));
    assert_eq!(read("n9", &said), former("n9"));
    assert_ne!(read("n1", &said), former("n1"));
    assert_ne!(read("n9", &moved), former("n9"));
}

#[test]
fn an_object_that_is_no_claim_is_left_out() {
    let mut reader = Reader::new("n1");
    let wrong = || object(|object| object["metadata"]["name"] = "10-77-0-201".into());
    assert_eq!(reader.read(wrong()), None);
    assert_eq!(reader.read(wrong()), None);
    assert_eq!(reader.told.len(), 1);
    assert!(reader.read(object(|_| {})).is_some());
}
