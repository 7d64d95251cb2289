//! A thousand nodes as objects: Nodes, kube-proxy's and the agents' Pods, and NodeProxyStates that change.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use mooring_api::NodeProxyState;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The argument that makes this program the load.
pub(crate) const ARGUMENT: &str = "--crowd";
const THERE: &str = "all there";

/// Blocks until the load has made its objects.
pub(crate) fn wait_until_there(output: impl Read) {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    assert!(
        lines.any(|line| line == THERE),
        "the load ended before its objects were there"
    );
}

/// Makes the objects, and changes each NodeProxyState once a minute until it is killed.
pub(crate) fn run(nodes: usize) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let client = Client::try_default().await.unwrap();
            let owner = kube_proxy(&client).await;
            stream::iter(0..nodes)
                .for_each_concurrent(16, |index| node(&client, index, &owner))
                .await;
            println!("{THERE}");
            let states: Api<NodeProxyState> = Api::all(client);
            let every = Duration::from_secs(60) / u32::try_from(nodes).unwrap();
            let mut clock = tokio::time::interval(every);
            for round in 1_u64.. {
                for index in 0..nodes {
                    clock.tick().await;
                    set_state(&states, &name(index), round).await;
                }
            }
        });
}

fn name(index: usize) -> String {
    format!("node-{index:04}")
}

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn pod_spec(node: &str) -> Value {
    json!({
        "nodeName": node, "hostNetwork": true,
        "containers": [{
            "name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4",
            "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"],
            "volumeMounts": [{"name": "config", "mountPath": "/var/lib/kube-proxy"}]
        }],
        "volumes": [{"name": "config", "configMap": {"name": "kube-proxy"}}]
    })
}

/// kube-proxy's ConfigMap and DaemonSet, as kubeadm makes them; the answer is the DaemonSet's reference for its Pods.
async fn kube_proxy(client: &Client) -> Value {
    // No controller manager runs here that would make them, and no Pod is accepted without.
    for namespace in ["kube-system", "mooring-system"] {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let account = json!({"metadata": {"name": "default"}});
        accounts
            .create(&PostParams::default(), &from(account))
            .await
            .unwrap();
    }
    let text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  strictARP: true\n";
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    let map = json!({"metadata": {"name": "kube-proxy"}, "data": {"config.conf": text}});
    maps.create(&PostParams::default(), &from(map))
        .await
        .unwrap();
    let labels = json!({"k8s-app": "kube-proxy"});
    let mut spec = pod_spec("");
    spec.as_object_mut().unwrap().remove("nodeName");
    let set = json!({
        "metadata": {"name": "kube-proxy"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}}
    });
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), "kube-system");
    let made = sets
        .create(&PostParams::default(), &from(set))
        .await
        .unwrap();
    json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "uid": made.metadata.uid, "controller": true}])
}

/// A node with its two Pods, running and ready, and what its agent says.
async fn node(client: &Client, index: usize, owner: &Value) {
    let name = name(index);
    let nodes: Api<Node> = Api::all(client.clone());
    let object = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}],
                   "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "",
                                "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "v1.35.4", "machineID": "",
                                "osImage": "", "systemUUID": ""}}
    });
    nodes
        .create(&PostParams::default(), &from(object))
        .await
        .unwrap();
    let nobody = json!([]);
    for (namespace, app, labels, owner) in [
        (
            "kube-system",
            "kube-proxy",
            json!({"k8s-app": "kube-proxy"}),
            owner,
        ),
        (
            "mooring-system",
            "mooring-agent",
            json!({"app.kubernetes.io/name": "mooring-agent"}),
            &nobody,
        ),
    ] {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pod_name = format!("{app}-{index:04}");
        let pod = json!({
            "metadata": {"name": pod_name, "labels": labels, "ownerReferences": owner},
            "spec": pod_spec(&name)
        });
        pods.create(&PostParams::default(), &from(pod))
            .await
            .unwrap();
        let status = json!({"status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "kube-proxy", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                                   "state": {"running": {"startedAt": "2026-11-22T10:00:00Z"}}}]
        }});
        pods.patch_status(&pod_name, &PatchParams::default(), &Patch::Merge(&status))
            .await
            .unwrap();
    }
    let states: Api<NodeProxyState> = Api::all(client.clone());
    let state = json!({"apiVersion": "mooring.dev/v1alpha1", "kind": "NodeProxyState", "metadata": {"name": name}});
    states
        .create(&PostParams::default(), &from(state))
        .await
        .unwrap();
    set_state(&states, &name, 0).await;
}

/// A state that is another one in each round, as with a changing neighbour.
async fn set_state(states: &Api<NodeProxyState>, name: &str, round: u64) {
    let condition = |kind: &str, reason: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": "as it should be",
               "lastTransitionTime": "2026-11-22T10:00:00Z"})
    };
    let status = json!({"status": {
        "mode": "ipvs",
        "evidence": [
            {"witness": "ProxyModeEndpoint", "mode": "ipvs", "message": "127.0.0.1:10249 says ipvs"},
            {"witness": "Configz", "mode": "ipvs", "message": format!("mode ipvs, strictARP true (look {round})")},
            {"witness": "Kernel", "mode": "ipvs", "message": "kube-ipvs0 with 40 addresses, 120 virtual services"}
        ],
        "kubeProxy": {"version": "v1.35.4", "strictARP": true, "startedAt": "2026-11-22T10:00:00Z", "healthy": true},
        "arpIgnore": 1, "arpAnnounce": 2,
        "uplinks": [{"name": "eth0", "mac": "52:54:00:77:00:0b", "subnets": ["10.77.0.0/24"], "arpIgnore": 1, "arpAnnounce": 2}],
        "conditions": [
            condition("ModeDetected", "Detected"), condition("KubeProxyHealthy", "Healthy"),
            condition("Effective", "Quiet"), condition("UplinksAnswer", "Answering")
        ]
    }});
    states
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}
