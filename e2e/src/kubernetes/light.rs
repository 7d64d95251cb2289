//! A light bed: node objects made by hand, and kube-proxy as a plain process.

use std::path::Path;

use serde_json::json;

use crate::plan::Host;

/// Node objects, Ready, with their addresses, as a kubelet would register them.
pub(super) fn node_objects(hosts: &[Host]) -> String {
    let nodes: Vec<_> = hosts
        .iter()
        .map(|host| {
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": host.name,
                    "labels": {"kubernetes.io/hostname": host.name, "kubernetes.io/os": "linux"},
                },
                "spec": {"podCIDR": host.pods_v4(), "podCIDRs": [host.pods_v4(), host.pods_v6()]},
                "status": {
                    "addresses": [
                        {"type": "InternalIP", "address": host.ipv4().to_string()},
                        {"type": "InternalIP", "address": host.ipv6().to_string()},
                        {"type": "Hostname", "address": host.name},
                    ],
                    "conditions": [{
                        "type": "Ready", "status": "True",
                        "reason": "TestBed", "message": "a light test bed runs no kubelet",
                    }],
                },
            })
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string()
}

/// Starts kube-proxy in a node.
pub(super) fn start_script(controlplane: &Path, host: &Host) -> String {
    format!(
        "sh /tb/routes
         setsid {} kube-proxy --config=/tb/kube-proxy.conf --hostname-override={} >/tb/kube-proxy.log 2>&1 &",
        controlplane.display(),
        host.name
    )
}
