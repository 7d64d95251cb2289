use serde_json::json;

use super::*;

#[test]
fn an_empty_spec_is_the_default() {
    let read: ServiceProxySpec = serde_json::from_value(json!({})).expect("a spec");
    assert_eq!(read, ServiceProxySpec::default());
    let written = serde_json::to_value(ServiceProxySpec::default()).expect("JSON");
    assert_eq!(
        written,
        json!({"strictARP": {
            "leftovers": "RemoveOurs",
            "managed": "Report",
            "policy": "Enforce",
            "rollout": {"strategy": "Canary"},
            "sysctls": "Observe",
        }})
    );
}

#[test]
fn names_are_spelt_as_in_the_documentation() {
    let spec: ServiceProxySpec = serde_json::from_value(json!({
        "strictARP": {
            "policy": "Warn",
            "rollout": {"strategy": "Rolling", "maxUnavailable": "10%"},
            "sysctls": "Enforce",
        },
        "kubeProxy": {"configMap": "kube-proxy", "key": "config.conf"},
    }))
    .expect("a spec");
    assert_eq!(spec.strict_arp.policy, Policy::Warn);
    assert_eq!(spec.strict_arp.sysctls, Sysctls::Enforce);
    assert_eq!(spec.strict_arp.rollout.strategy, RolloutStrategy::Rolling);
    assert_eq!(
        spec.strict_arp.rollout.max_unavailable,
        Some(IntOrString::String("10%".to_owned()))
    );
    let location = spec.kube_proxy.expect("a location");
    assert_eq!(location.namespace, "kube-system");
    assert_eq!(location.daemon_set, None);
    assert_eq!(location.key.as_deref(), Some("config.conf"));
}

#[test]
fn the_summary_of_nodes_follows_from_the_counts() {
    let nodes = NodeCounts::new(2, 1, 4);
    assert_eq!((nodes.total, nodes.summary.as_str()), (7, "2/7"));
    assert_eq!(NodeCounts::new(0, 0, 0).summary, "0/0");
}

#[test]
fn an_empty_status_writes_nothing() {
    let written = serde_json::to_value(ServiceProxyStatus::default()).expect("JSON");
    assert_eq!(written, json!({}));
}
