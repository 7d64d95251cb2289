use serde_json::{Value, json};

use super::*;

fn slice(service: &str, family: &str, endpoints: Value) -> EndpointSlice {
    let mut labels = json!({"app": "web"});
    if !service.is_empty() {
        labels[SERVICE_LABEL] = json!(service);
    }
    serde_json::from_value(json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-abcde", "namespace": "shop", "labels": labels},
        "addressType": family,
        "endpoints": endpoints,
    }))
    .expect("an EndpointSlice")
}

#[test]
fn what_is_not_set_counts_as_the_api_says() {
    let table = [
        (
            json!({"addresses": ["10.0.0.1"], "nodeName": "n1"}),
            (true, true),
        ),
        (
            json!({"addresses": ["10.0.0.1"], "conditions": {}}),
            (true, true),
        ),
        (
            json!({"addresses": ["10.0.0.1"], "conditions": {"ready": false}}),
            (false, false),
        ),
        (
            json!({"addresses": ["10.0.0.1"], "conditions": {"ready": false, "serving": true, "terminating": true}}),
            (false, true),
        ),
        (
            json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true}}),
            (true, true),
        ),
    ];
    for (endpoint, expected) in table {
        let text = endpoint.to_string();
        let (service, found) =
            endpoints(&slice("web", "IPv4", json!([endpoint]))).expect("a slice of a Service");
        assert_eq!(service, ObjectName::new("shop", "web"));
        assert_eq!((found[0].ready, found[0].serving), expected, "{text}");
    }
}

#[test]
fn endpoints_have_a_node_and_a_family_or_are_none() {
    let two = json!([{"addresses": ["fd00::1"], "nodeName": "n1"}, {"addresses": ["fd00::2"]}]);
    let (_, found) = endpoints(&slice("web", "IPv6", two.clone())).expect("a slice of a Service");
    assert_eq!(found[0].node.as_deref(), Some("n1"));
    assert_eq!(
        (found[1].node.as_deref(), found[1].family),
        (None, Family::V6)
    );
    assert_eq!(endpoints(&slice("web", "FQDN", two.clone())), None);
    assert_eq!(endpoints(&slice("", "IPv6", two)), None, "of no Service");
    let (_, none) = endpoints(&slice("web", "IPv4", json!([]))).expect("a slice without endpoints");
    assert!(none.is_empty());
}

#[test]
fn the_api_server_is_where_default_kubernetes_says() {
    let endpoints = json!([{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2", "nonsense"]}]);
    let mut found = slice("kubernetes", "IPv4", endpoints);
    assert!(
        api_servers(&found).is_empty(),
        "a Service of that name elsewhere"
    );
    found.metadata.namespace = Some("default".to_owned());
    let addresses: Vec<String> = api_servers(&found)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["10.0.0.1", "10.0.0.2"]);
    let other = slice("web", "IPv4", json!([{"addresses": ["10.0.0.1"]}]));
    assert!(api_servers(&other).is_empty());
}

#[test]
fn ranges_and_labels_are_taken_over_as_they_are() {
    let cidrs: ServiceCIDR = serde_json::from_value(
        json!({"metadata": {}, "spec": {"cidrs": ["10.96.0.0/12", "fd00::/108"]}}),
    )
    .expect("a ServiceCIDR");
    assert_eq!(service_cidrs(&cidrs), ["10.96.0.0/12", "fd00::/108"]);
    assert!(service_cidrs(&ServiceCIDR::default()).is_empty());
    let object: Namespace =
        serde_json::from_value(json!({"metadata": {"name": "shop", "labels": {"team": "a"}}}))
            .expect("a Namespace");
    let (name, labels) = namespace(&object);
    assert_eq!((name.as_str(), labels["team"].as_str()), ("shop", "a"));
}
