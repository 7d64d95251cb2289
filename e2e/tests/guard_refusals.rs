//! What the guard does not write, and why: other owners, texts that cannot be edited, and a first node on which kube-proxy
//! does not come up again.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;
mod plugin;

use std::collections::BTreeMap;
use std::time::Duration;

use mooring::Mooring;
use plugin::{Cluster, tell, wait_for};
use serde_json::{Value, json};
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

/// Long enough for a guard that would write: it acts within a second of a change.
const QUIET: Duration = Duration::from_secs(6);

#[test]
fn the_guard_writes_nothing_that_is_not_its_to_write() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "refusals")
        .nodes(2)
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    mooring.wait_for_status("SafeToAnnounce", "True");
    let good = cluster.config_map();
    for (story, run) in STORIES {
        tell(story, || run(&cluster, &mooring));
        restore(&cluster, &mooring, &good);
    }
    cluster.bed.down().unwrap();
}

type Story = fn(&Cluster, &Mooring<'_>);

const STORIES: &[(&str, Story)] = &[
    ("Argo CD keeps the ConfigMap", argo_cd),
    ("the ConfigMap is immutable", immutable),
    ("the key is binary", binary),
    ("the text is broken", broken),
    ("the key is missing", missing_key),
    ("two DaemonSets read one ConfigMap", shared),
    ("Windows nodes read the same ConfigMap", windows),
    (
        "kube-proxy cannot start again on the first node",
        image_missing,
    ),
];

/// kube-proxy's ConfigMap, made anew with a change.
fn recreate(cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    let mut map = cluster.config_map();
    map["metadata"] =
        json!({"name": "kube-proxy", "namespace": "kube-system", "labels": {"app": "kube-proxy"}});
    change(&mut map);
    let delete = ["-n", "kube-system", "delete", "configmap", "kube-proxy"];
    cluster.bed.kubectl(&delete).unwrap();
    cluster
        .bed
        .kubectl_with(&["create", "-f", "-"], &map.to_string())
        .unwrap();
}

/// As it was at first, with all conditions True.
fn restore(cluster: &Cluster, mooring: &Mooring<'_>, good: &Value) {
    try_again(cluster);
    recreate(cluster, |map| {
        map["data"] = good["data"].clone();
        for extra in ["binaryData", "immutable"] {
            map.as_object_mut().unwrap().remove(extra);
        }
    });
    mooring.wait_for_status("SafeToAnnounce", "True");
}

/// A guard that has stopped, or that would take the next edit for another one of a fight, begins anew.
fn try_again(cluster: &Cluster) {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let now = format!("mooring.dev/retry={}", now.as_millis());
    let annotate = ["annotate", "--overwrite", "serviceproxy", "cluster", &now];
    cluster.bed.kubectl(&annotate).unwrap();
}

fn off(map: &mut Value) {
    let text = map["data"][plugin::KEY].as_str().unwrap();
    map["data"][plugin::KEY] = text.replace("strictARP: true", "strictARP: false").into();
}

/// What would change if the guard acted: the ConfigMap's version and the Pods of kube-proxy.
fn state(cluster: &Cluster) -> (Value, BTreeMap<String, String>) {
    let version = cluster.config_map()["metadata"]["resourceVersion"].clone();
    (version, pods(cluster))
}

/// A line for each of kube-proxy's Pods.
fn lines_of_pods(cluster: &Cluster, columns: &str) -> String {
    let lines = format!(r#"jsonpath={{range .items[*]}}{columns}{{"\n"}}{{end}}"#);
    let list = [
        "-n",
        "kube-system",
        "get",
        "pods",
        "-l",
        "k8s-app=kube-proxy",
        "-o",
        &lines,
    ];
    cluster.bed.kubectl(&list).unwrap()
}

/// kube-proxy's Pods: uid by node.
fn pods(cluster: &Cluster) -> BTreeMap<String, String> {
    lines_of_pods(cluster, "{.spec.nodeName} {.metadata.uid}")
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(node, uid)| (node.to_owned(), uid.to_owned()))
        .collect()
}

/// The condition gets this reason, its message says what to do, and nothing is written.
fn refused(cluster: &Cluster, mooring: &Mooring<'_>, reason: &str, hints: &[&str]) {
    let before = state(cluster);
    mooring.wait_for_reason("StrictARPConfigured", reason);
    let condition = mooring.known("StrictARPConfigured");
    println!("  {reason}: {}", condition.message);
    for hint in hints {
        assert!(
            condition.message.contains(hint),
            "no {hint:?} in: {}",
            condition.message
        );
    }
    mooring.let_pass(QUIET);
    let after = state(cluster);
    assert!(
        after == before,
        "the guard wrote something: {before:?} became {after:?}\n{}",
        mooring.report()
    );
}

fn argo_cd(cluster: &Cluster, mooring: &Mooring<'_>) {
    recreate(cluster, |map| {
        off(map);
        map["metadata"]["labels"]["argocd.argoproj.io/instance"] = "platform".into();
    });
    refused(cluster, mooring, "StrictArpOffManaged", &["Argo CD"]);
}

fn immutable(cluster: &Cluster, mooring: &Mooring<'_>) {
    recreate(cluster, |map| {
        off(map);
        map["immutable"] = true.into();
    });
    refused(
        cluster,
        mooring,
        "ConfigMapImmutable",
        &["kube-system/kube-proxy", "immutable"],
    );
}

fn binary(cluster: &Cluster, mooring: &Mooring<'_>) {
    recreate(cluster, |map| {
        map["data"].as_object_mut().unwrap().remove(plugin::KEY);
        map["binaryData"] = json!({plugin::KEY: "bW9kZTogaXB2cwo="});
    });
    refused(
        cluster,
        mooring,
        "KeyIsBinary",
        &[plugin::KEY, "binaryData"],
    );
}

fn broken(cluster: &Cluster, mooring: &Mooring<'_>) {
    recreate(cluster, |map| {
        let text = map["data"][plugin::KEY].as_str().unwrap();
        map["data"][plugin::KEY] = text
            .replace("bindAddress: 0.0.0.0", "bindAddress: ::")
            .into();
    });
    refused(cluster, mooring, "ConfigUnclear", &["line 2"]);
}

fn missing_key(cluster: &Cluster, mooring: &Mooring<'_>) {
    recreate(cluster, |map| {
        map["data"].as_object_mut().unwrap().remove(plugin::KEY);
    });
    refused(cluster, mooring, "KeyMissing", &[plugin::KEY]);
}

/// kube-proxy's DaemonSet with another name, on the nodes with these labels.
fn second_daemon_set(cluster: &Cluster, name: &str, nodes: Value) -> Value {
    let get = [
        "-n",
        "kube-system",
        "get",
        "daemonset",
        "kube-proxy",
        "-o",
        "json",
    ];
    let mut set: Value = serde_json::from_str(&cluster.bed.kubectl(&get).unwrap()).unwrap();
    let labels = json!({"k8s-app": "kube-proxy", "pool": name});
    set["metadata"] =
        json!({"name": name, "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}});
    set["spec"]["selector"] = json!({"matchLabels": labels});
    set["spec"]["template"]["metadata"] = json!({"labels": labels});
    set["spec"]["template"]["spec"]["nodeSelector"] = nodes;
    set.as_object_mut().unwrap().remove("status");
    set
}

fn keep_to(cluster: &Cluster, selector: &Value) {
    let patch =
        json!([{"op": "replace", "path": "/spec/template/spec/nodeSelector", "value": selector}]);
    let target = [
        "-n",
        "kube-system",
        "patch",
        "daemonset",
        "kube-proxy",
        "--type=json",
        "-p",
    ];
    let patch = patch.to_string();
    let mut words = target.to_vec();
    words.push(&patch);
    cluster.bed.kubectl(&words).unwrap();
}

fn shared(cluster: &Cluster, mooring: &Mooring<'_>) {
    let linux = json!({"kubernetes.io/os": "linux"});
    let on = |node: &str| json!({"kubernetes.io/hostname": node});
    keep_to(cluster, &on("n1"));
    wait_for("kube-proxy runs on n1 only", || {
        pods(cluster).keys().map(String::as_str).eq(["n1"]) && cluster.live_mode("n1") == "ipvs"
    });
    let second = second_daemon_set(cluster, "kube-proxy-pool-b", on("n2"));
    cluster
        .bed
        .kubectl_with(&["create", "-f", "-"], &second.to_string())
        .unwrap();
    wait_for("the second kube-proxy runs on n2", || {
        cluster.live_mode("n2") == "ipvs"
    });
    recreate(cluster, off);
    refused(
        cluster,
        mooring,
        "SharedConfigMap",
        &["kube-proxy-pool-b", "kube-system/kube-proxy"],
    );

    let delete = [
        "-n",
        "kube-system",
        "delete",
        "daemonset",
        "kube-proxy-pool-b",
        "--wait",
    ];
    cluster.bed.kubectl(&delete).unwrap();
    keep_to(cluster, &linux);
    wait_for("kube-proxy is back on both nodes", || {
        pods(cluster).len() == 2
            && ["n1", "n2"]
                .iter()
                .all(|node| cluster.live_mode(node) == "ipvs")
    });
}

/// The Linux nodes are repaired; the other DaemonSet is left alone.
fn windows(cluster: &Cluster, mooring: &Mooring<'_>) {
    let set = second_daemon_set(
        cluster,
        "kube-proxy-windows",
        json!({"kubernetes.io/os": "windows"}),
    );
    cluster
        .bed
        .kubectl_with(&["create", "-f", "-"], &set.to_string())
        .unwrap();
    let generation = "jsonpath={.metadata.generation}";
    let get = [
        "-n",
        "kube-system",
        "get",
        "daemonset",
        "kube-proxy-windows",
        "-o",
        generation,
    ];
    let before = cluster.bed.kubectl(&get).unwrap();
    recreate(cluster, off);
    wait_for("the Linux nodes are repaired", || {
        cluster.text().contains("strictARP: true")
    });
    mooring.wait_for_status("RolledOut", "True");
    mooring.wait_for_status("SafeToAnnounce", "True");
    assert_eq!(cluster.bed.kubectl(&get).unwrap(), before);
    let delete = [
        "-n",
        "kube-system",
        "delete",
        "daemonset",
        "kube-proxy-windows",
    ];
    cluster.bed.kubectl(&delete).unwrap();
}

/// The image is gone from the nodes, so that the canary's new Pod cannot start: the text is put back, and the kube-proxy of
/// the other node goes on as it was.
fn image_missing(cluster: &Cluster, mooring: &Mooring<'_>) {
    let image = "registry.k8s.io/kube-proxy:v1.35.4";
    let policy = |policy: &str| {
        let path = "/spec/template/spec/containers/0/imagePullPolicy";
        let patch = json!([
            {"op": "replace", "path": path, "value": policy},
            {"op": "replace", "path": "/spec/updateStrategy", "value": {"type": "OnDelete"}},
        ])
        .to_string();
        let words = [
            "-n",
            "kube-system",
            "patch",
            "daemonset",
            "kube-proxy",
            "--type=json",
            "-p",
            &patch,
        ];
        cluster.bed.kubectl(&words).unwrap();
    };
    // The kube-proxies run without strictARP, so that they have to be restarted.
    mooring.set_spec(&json!({"strictARP": {"policy": "Warn"}}));
    recreate(cluster, off);
    cluster.restart_kube_proxy("ipvs");
    mooring.wait_for_reason("StrictARPConfigured", "StrictArpOff");
    policy("Never");
    for node in cluster.nodes() {
        let remove = format!("ctr -a /run/containerd.sock -n k8s.io images rm --sync {image}");
        cluster.bed.run_on(&node, &remove).unwrap();
    }
    let before = pods(cluster);
    try_again(cluster);
    mooring.set_spec(&json!({"strictARP": {"policy": "Enforce"}}));
    mooring.wait_for_reason("StrictARPConfigured", "RolledBack");
    let condition = mooring.known("StrictARPConfigured");
    println!("  RolledBack: {}", condition.message);
    assert!(cluster.text().contains("strictARP: false"));
    let canary = mooring.status()["lastRemediation"]["canary"]
        .as_str()
        .unwrap()
        .to_owned();
    for hint in [canary.as_str(), "ErrImageNeverPull"] {
        assert!(
            condition.message.contains(hint),
            "no {hint:?} in: {}",
            condition.message
        );
    }
    // The canary's Pod with the edited text may still be on its way out.
    wait_for("each node has its one kube-proxy", || {
        let leaving = lines_of_pods(cluster, "since:{.metadata.deletionTimestamp}");
        leaving.lines().count() == before.len() && leaving.lines().all(|line| line == "since:")
    });
    let after = pods(cluster);
    for (node, uid) in &before {
        assert_eq!(after[node] == *uid, *node != canary, "the Pod of {node}");
        if *node != canary {
            assert_eq!(cluster.live_mode(node), "ipvs");
        }
    }
    // It is not tried again by itself.
    let then = state(cluster);
    mooring.let_pass(QUIET);
    assert_eq!(state(cluster), then);

    for node in cluster.nodes() {
        let import = "for tar in /images/*kube-proxy*.tar; do ctr -a /run/containerd.sock -n k8s.io images import $tar; done";
        cluster.bed.run_on(&node, import).unwrap();
    }
    policy("IfNotPresent");
    let delete = [
        "-n",
        "kube-system",
        "delete",
        "pods",
        "-l",
        "k8s-app=kube-proxy",
        "--wait=false",
    ];
    cluster.bed.kubectl(&delete).unwrap();
    wait_for("kube-proxy runs again on both nodes", || {
        cluster
            .nodes()
            .iter()
            .all(|node| cluster.live_mode(node) == "ipvs")
    });
}
