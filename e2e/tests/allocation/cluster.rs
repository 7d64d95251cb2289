//! Three nodes as objects, with kube-proxy in mode ipvs and strictARP, and agents that report it.

use serde_json::{Value, json};
use testbed::Bed;

use super::objects::NAMESPACE;

const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// The nodes' own subnet; the pools of [`super::objects`] are in it.
const SUBNET: &str = "172.16.0.0/12";
const CONFIG: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  strictARP: true\n";
const LONG_AGO: &str = "2026-01-01T10:00:00Z";

/// Makes everything.
pub(super) fn populate(bed: &Bed) {
    // No controller manager runs here that would make accounts, and no Pod is accepted without.
    let mut before = Vec::new();
    for namespace in [NAMESPACE, "mooring-system"] {
        before.push(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}
        }));
    }
    for namespace in ["kube-system", "mooring-system"] {
        before.push(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace}
        }));
    }
    before.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"config.conf": CONFIG},
        "metadata": {"name": "kube-proxy", "namespace": "kube-system"}
    }));
    before.push(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "kube-proxy"}},
            "template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}, "spec": pod_spec()}
        }
    }));
    create(bed, &before);
    let uid = ["-n", "kube-system", "get", "daemonset", "kube-proxy"];
    let uid = [&uid[..], &["-o", "jsonpath={.metadata.uid}"]].concat();
    let uid = bed.kubectl(&uid).unwrap();
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "uid": uid.trim(), "controller": true
    }]);

    let objects: Vec<Value> = (11..)
        .zip(NODES)
        .flat_map(|(number, name)| node(name, number, &owner))
        .collect();
    create(bed, &objects);
    // The API server takes the statuses of Pods and of Mooring's own kinds only by themselves.
    let statuses: Vec<Value> = objects
        .into_iter()
        .filter(|object| object["kind"] != "Node")
        .map(|mut object| {
            object["status"] = match object["kind"].as_str() {
                Some("Pod") => running(),
                _ => state(),
            };
            object
        })
        .collect();
    for object in statuses {
        let replace = ["replace", "--subresource=status", "--validate=false"];
        let replace = [&replace[..], &["-f", "-"]].concat();
        bed.kubectl_with(&replace, &object.to_string()).unwrap();
    }
}

fn create(bed: &Bed, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.kubectl_with(&["create", "-f", "-"], &list.to_string())
        .unwrap();
}

fn pod_spec() -> Value {
    json!({
        "hostNetwork": true,
        "containers": [{
            "name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4",
            "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"],
            "volumeMounts": [{"name": "config", "mountPath": "/var/lib/kube-proxy"}]
        }],
        "volumes": [{"name": "config", "configMap": {"name": "kube-proxy"}}]
    })
}

/// A node, its two Pods, and what its agent says.
fn node(name: &str, number: u8, owner: &Value) -> Vec<Value> {
    let pod = |namespace: &str, app: &str, labels: Value, owner: &Value| {
        let mut spec = pod_spec();
        spec["nodeName"] = name.into();
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {
                "name": format!("{app}-{name}"), "namespace": namespace, "labels": labels, "ownerReferences": owner
            }
        })
    };
    let proxy = json!({"k8s-app": "kube-proxy"});
    let agent = json!({"app.kubernetes.io/name": "mooring-agent"});
    vec![
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": name, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}
            },
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": format!("172.16.0.{number}")}],
                "nodeInfo": {
                    "operatingSystem": "linux", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "",
                    "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "v1.35.4", "machineID": "",
                    "osImage": "", "systemUUID": ""
                }
            }
        }),
        pod("kube-system", "kube-proxy", proxy, owner),
        pod("mooring-system", "mooring-agent", agent, &json!([])),
        json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "NodeProxyState", "metadata": {"name": name}
        }),
    ]
}

fn running() -> Value {
    json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{
            "name": "kube-proxy", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": LONG_AGO}}
        }]
    })
}

fn state() -> Value {
    let condition = |kind: &str, reason: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": "as it should be",
            "lastTransitionTime": LONG_AGO
        })
    };
    json!({
        "mode": "ipvs",
        "evidence": [
            {"witness": "ProxyModeEndpoint", "mode": "ipvs", "message": "127.0.0.1:10249 says ipvs"},
            {"witness": "Configz", "mode": "ipvs", "message": "mode ipvs, strictARP true"}
        ],
        "kubeProxy": {"version": "v1.35.4", "strictARP": true, "startedAt": LONG_AGO, "healthy": true},
        "arpIgnore": 1, "arpAnnounce": 2,
        "uplinks": [{
            "name": "eth0", "mac": "52:54:00:77:00:0b", "subnets": [SUBNET], "arpIgnore": 1, "arpAnnounce": 2
        }],
        "conditions": [
            condition("ModeDetected", "Detected"), condition("KubeProxyHealthy", "Healthy"),
            condition("Effective", "Quiet"), condition("UplinksAnswer", "Answering")
        ]
    })
}
