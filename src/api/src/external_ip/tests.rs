use serde_json::{Value, json};

use super::*;

fn stored() -> Value {
    json!({
        "address": "10.77.0.200",
        "pool": {"group": "crd.antrea.io", "name": "blue"},
        "services": [
            {
                "namespace": "shop",
                "name": "web",
                "uid": "u1",
                "ports": [{"protocol": "TCP", "port": 80}],
                "trafficPolicy": "Cluster",
                "share": {"key": "front"},
            },
            {"namespace": "shop", "name": "dns", "uid": "u2", "trafficPolicy": "Local", "share": {"anybody": true}},
        ],
        "node": "n1",
        "heirs": ["n3", "n2"],
        "plan": 2,
    })
}

#[test]
fn names_are_spelt_as_in_the_documentation() {
    let spec: ExternalIPSpec = serde_json::from_value(stored()).expect("a spec");
    assert_eq!(spec.pool.group, PoolGroup::Antrea);
    assert_eq!(spec.services[0].ports[0].protocol, Protocol::Tcp);
    assert_eq!(spec.services[1].traffic_policy, TrafficPolicy::Local);
    assert_eq!(serde_json::to_value(&spec).expect("JSON"), stored());
}

#[test]
fn a_resting_address_says_who_had_it() {
    let resting = json!({
        "address": "10.77.0.200",
        "pool": {"group": "mooring.dev", "name": "blue"},
        "released": {"at": "2026-01-02T03:04:05Z", "namespace": "shop", "name": "web"},
    });
    let spec: ExternalIPSpec = serde_json::from_value(resting.clone()).expect("a spec");
    assert_eq!(
        spec.released.as_ref().map(|release| release.name.as_str()),
        Some("web")
    );
    assert_eq!(serde_json::to_value(&spec).expect("JSON"), resting);
}

#[test]
fn an_empty_status_writes_nothing() {
    let written = serde_json::to_value(ExternalIPStatus::default()).expect("JSON");
    assert_eq!(written, json!({}));
}
