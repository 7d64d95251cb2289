use mooring_core::ipam::request::{Claim, Others, request};
use serde_json::{Value, json};

use super::*;

fn read(value: Value) -> Service {
    service(&serde_json::from_value(value).expect("a Service"))
}

/// The Service of Antrea's guide, as an API server stores it once Antrea has given it an address.
fn guide() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "my-service", "namespace": "default", "uid": "u1",
            "creationTimestamp": "1970-01-01T00:01:40Z",
            "annotations": {
                "service.antrea.io/external-ip-pool": "service-external-ip-pool",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:type": {}}}},
                {"manager": "antrea-controller", "operation": "Update", "subresource": "status",
                 "fieldsV1": {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}},
                {"manager": "prober", "operation": "Update", "subresource": "status",
                 "fieldsV1": {"f:status": {"f:conditions": {}}}},
            ],
        },
        "spec": {
            "type": "LoadBalancer", "loadBalancerIP": "10.10.0.2", "selector": {"app": "MyApp"},
            "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "externalTrafficPolicy": "Cluster",
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 9376, "nodePort": 30080}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "10.10.0.2", "ipMode": "VIP"}]}},
    })
}

#[test]
fn the_guides_service_is_read() {
    let read = read(guide());
    assert_eq!(read.id, ObjectName::new("default", "my-service"));
    assert_eq!(read.created.map(|time| time.unix_seconds()), Some(100));
    assert!(read.load_balancer && !read.terminating);
    assert_eq!(read.class, None);
    assert_eq!(read.load_balancer_ip.as_deref(), Some("10.10.0.2"));
    assert_eq!(read.families, [Family::V4]);
    assert_eq!(
        read.ports
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["80/TCP"]
    );
    assert_eq!(
        read.annotations.keys().collect::<Vec<_>>(),
        ["service.antrea.io/external-ip-pool"],
        "annotations about something else change nothing"
    );
    assert_eq!(read.ingress.len(), 1);
    assert_eq!(read.ingress[0].ip.as_deref(), Some("10.10.0.2"));
    assert_eq!(read.ingress[0].ip_mode.as_deref(), Some("VIP"));
    assert_eq!(read.status_writers, ["antrea-controller"]);
    let asked = request(&read, Others::default()).expect("Mooring's");
    assert_eq!(asked.claim, Claim::Asked);
    assert_eq!(asked.problems, []);
}

#[test]
fn a_dual_stack_service_keeps_the_order_of_its_families() {
    let mut object = guide();
    object["spec"]["ipFamilies"] = json!(["IPv6", "IPv4"]);
    object["spec"]["ipFamilyPolicy"] = json!("PreferDualStack");
    object["spec"]["externalTrafficPolicy"] = json!("Local");
    object["spec"]["healthCheckNodePort"] = json!(31_000);
    object["spec"]["loadBalancerClass"] = json!("mooring.dev/mooring");
    object["spec"]["loadBalancerIP"] = json!("");
    let read = read(object);
    assert_eq!(read.families, [Family::V6, Family::V4]);
    assert_eq!(read.family_policy, FamilyPolicy::PreferDualStack);
    assert_eq!(read.traffic_policy, TrafficPolicy::Local);
    assert_eq!(read.health_port, Some(31_000));
    assert_eq!(read.class.as_deref(), Some("mooring.dev/mooring"));
    assert_eq!(read.load_balancer_ip, None, "empty is not set");
}

#[test]
fn families_that_are_not_filled_in_follow_from_the_cluster_ips() {
    let mut object = guide();
    let spec = object["spec"].as_object_mut().expect("a spec");
    spec.remove("ipFamilies");
    spec.insert("clusterIPs".to_owned(), json!(["fd00::9", "10.96.0.9"]));
    assert_eq!(read(object).families, [Family::V6, Family::V4]);
}

#[test]
fn whatever_is_missing_or_strange_is_read_without_panic() {
    let empty = read(json!({"apiVersion": "v1", "kind": "Service", "metadata": {}}));
    assert_eq!(empty, Service::default());
    let strange = read(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {
            "type": "LoadBalancer", "ipFamilies": ["IPv5"], "clusterIPs": ["None"],
            "ports": [{"port": 70000}, {"port": -1}, {"port": 53, "protocol": "QUIC"}, {"port": 53, "protocol": "UDP"}],
        },
        "status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, {"ip": "not an address", "ports": [{"port": 1, "protocol": "TCP"}]}]}},
    }));
    assert!(strange.families.is_empty());
    assert_eq!(strange.ports.len(), 1);
    assert_eq!(strange.ingress[0].hostname.as_deref(), Some("lb.example"));
    assert!(strange.ingress[1].has_ports);
}
