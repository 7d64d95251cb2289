//! Antrea, as far as the API server and the kernel show it: its ConfigMap, its DaemonSet and its interface are real; its agent
//! is a program that sleeps, and Open vSwitch is not there.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::net::IpAddr;

use serde_json::json;

use crate::plugin::{Cluster, wait_for};

/// The interface by which a node's own traffic, and that from outside, gets to Open vSwitch.
const GATEWAY: &str = "antrea-gw0";

/// Puts Antrea's interface on every node, and its objects into the cluster.
pub(crate) fn install(cluster: &Cluster, proxy_all: bool) {
    for node in cluster.nodes() {
        let link = format!("ip link add {GATEWAY} type dummy && ip link set {GATEWAY} up");
        cluster.bed.run_on(&node, &link).unwrap();
    }
    configure(cluster, proxy_all);
    let labels = json!({"app": "antrea", "component": "antrea-agent"});
    let agents = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "antrea-agent", "namespace": "kube-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {
                "hostNetwork": true,
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "antrea-agent", "image": "localhost/web:1", "imagePullPolicy": "Never",
                    "volumeMounts": [{"name": "antrea-config", "mountPath": "/etc/antrea"}]
                }],
                "volumes": [{"name": "antrea-config", "configMap": {"name": "antrea-config"}}]
            }
        }}
    });
    apply(cluster, &agents.to_string());
}

/// Writes Antrea's ConfigMap.
pub(crate) fn configure(cluster: &Cluster, proxy_all: bool) {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "antrea-config", "namespace": "kube-system", "labels": {"app": "antrea"}},
        "data": {"antrea-agent.conf": format!(
            "featureGates:\n#  Egress: true\nantreaProxy:\n  enable: true\n  proxyAll: {proxy_all}\n#  proxyLoadBalancerIPs: true\n"
        )}
    });
    apply(cluster, &config.to_string());
}

/// Lays the route to an external IP as Antrea's agent does with proxyAll, once its flows are there (setServiceRoutes in
/// pkg/agent/route/route_linux.go): by way of an address that only Open vSwitch has.
pub(crate) fn lay_route(cluster: &Cluster, node: &str, address: IpAddr) {
    let (family, prefix, by) = match address {
        IpAddr::V4(_) => ("-4", 32, "169.254.0.253"),
        IpAddr::V6(_) => ("-6", 128, "fc01::aabb:ccdd:eeff"),
    };
    let add = format!("ip {family} route replace {address}/{prefix} via {by} dev {GATEWAY} onlink");
    cluster.bed.run_on(node, &add).unwrap();
}

/// The interface by which a node sends packets to an address; `lo` if the address is its own.
pub(crate) fn way_to(cluster: &Cluster, node: &str, address: IpAddr) -> String {
    let text = cluster
        .bed
        .run_on(node, &format!("ip -json route get {address}"))
        .unwrap();
    let routes: serde_json::Value = serde_json::from_str(&text).unwrap();
    routes[0]["dev"].as_str().unwrap().to_owned()
}

/// Waits until every node's state shows Antrea, and returns what it says of a field.
pub(crate) fn wait_until_known(cluster: &Cluster) {
    wait_for("the nodes' states know Antrea", || {
        let nodes = cluster.nodes();
        nodes
            .iter()
            .all(|node| of_node(cluster, node, "antreaProxy") == "true")
    });
}

/// A field of what a node's state says of Antrea.
pub(crate) fn of_node(cluster: &Cluster, node: &str, field: &str) -> String {
    let path = format!("jsonpath={{.status.antrea.{field}}}");
    let get = ["get", "nodeproxystate", node, "-o", &path];
    cluster.bed.kubectl(&get).unwrap_or_default()
}

/// Takes all of it away.
pub(crate) fn remove(cluster: &Cluster) {
    let delete = [
        "delete",
        "daemonset/antrea-agent",
        "configmap/antrea-config",
    ];
    let arguments = [&["-n", "kube-system"][..], &delete].concat();
    cluster.bed.kubectl(&arguments).unwrap();
    for node in cluster.nodes() {
        let delete = format!("ip link del {GATEWAY}");
        cluster.bed.run_on(&node, &delete).unwrap();
    }
}

fn apply(cluster: &Cluster, manifest: &str) {
    let apply = ["apply", "-f", "-"];
    cluster.bed.kubectl_with(&apply, manifest).unwrap();
}
