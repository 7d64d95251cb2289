use serde_json::{Value, json};

use super::*;

/// An address of node `n1`, which answers for it, with this condition as well.
fn external_ip(address: &str, kind: &str, status: &str, reason: &str) -> ExternalIP {
    let condition = |kind: &str, status: &str, reason: &str| -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": "why",
            "lastTransitionTime": "2026-01-02T03:04:05Z"})
    };
    let object = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": address.replace('.', "-")},
        "spec": {
            "address": address,
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{"namespace": "shop", "name": "web", "uid": "u", "trafficPolicy": "Cluster"}],
            "node": "n1",
        },
        "status": {
            "node": "n1",
            "conditions": [condition(kind, status, reason), condition("Announced", "True", "Announced")],
        },
    });
    serde_json::from_value(object).expect("an ExternalIP")
}

#[test]
fn what_is_not_as_it_should_be_is_named_and_comes_first() {
    let shown = shown(&[
        external_ip("10.77.0.1", "RequestMet", "True", "Met"),
        external_ip("10.77.0.2", "RequestMet", "False", "InvalidRequest"),
        external_ip("10.77.0.3", "Conflict", "True", "ForeignHost"),
        external_ip("10.77.0.4", "SingleResponder", "Unknown", "NotWitnessed"),
    ]);
    let trouble: Vec<(&str, &[String])> = shown
        .iter()
        .map(|address| (address.address.as_str(), address.trouble.as_slice()))
        .collect();
    assert_eq!(
        trouble,
        [
            ("10.77.0.2", &["InvalidRequest".to_owned()][..]),
            ("10.77.0.3", &["ForeignHost".to_owned()][..]),
            ("10.77.0.1", &[][..]),
            ("10.77.0.4", &[][..]),
        ]
    );
}
