use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use mooring_core::kube_proxy::discover;
use mooring_core::remediation::{Observation, Policy, assess};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::args::Color;

fn from_json<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

/// One node, mode ipvs without strictARP.
fn unsafe_cluster() -> Assessment {
    let spec = json!({
        "containers": [{
            "name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4",
            "command": ["kube-proxy", "--config=/etc/kp/config.conf"],
            "volumeMounts": [{"name": "c", "mountPath": "/etc/kp"}]
        }],
        "volumes": [{"name": "c", "configMap": {"name": "kube-proxy"}}],
        "nodeName": "n1"
    });
    let set = mooring_api::daemon_set(&from_json::<DaemonSet>(json!({
        "metadata": {"name": "kube-proxy", "namespace": "kube-system", "uid": "u1"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "kube-proxy"}},
                 "template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}, "spec": spec}}
    })));
    let pod = mooring_api::pod(&from_json::<Pod>(json!({
        "metadata": {"name": "kube-proxy-x", "namespace": "kube-system", "uid": "u2", "creationTimestamp": "2026-11-22T10:00:00Z",
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "uid": "u1"}]},
        "spec": spec,
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    })));
    let map = mooring_api::config_map(&from_json::<ConfigMap>(json!({
        "metadata": {"name": "kube-proxy", "namespace": "kube-system", "resourceVersion": "7", "managedFields": [
            {"manager": "kubeadm", "operation": "Update", "time": "2026-11-22T11:00:00Z",
             "fieldsV1": {"f:data": {"f:config.conf": {}}}}]},
        "data": {"config.conf": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n"}
    })));
    let seen = Observation {
        discovery: discover(&[set], std::slice::from_ref(&pod)),
        config_maps: vec![map],
        pods: vec![pod],
        nodes: Some(Vec::new()),
        replacements: Vec::new(),
    };
    assess(&seen, &Policy::default())
}

fn plain() -> Style {
    Style::new(Color::Never, false)
}

#[test]
fn the_table_starts_with_the_verdict_and_the_next_step() {
    let text = assessment(&unsafe_cluster(), Format::Table, plain()).expect("renders");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("NOT SAFE (StrictArpOff): "), "{text}");
    assert_eq!(lines[1], "Next: kubectl mooring fix");
    assert_eq!(lines[2], "");
    let columns = |line: &str| -> Vec<String> {
        line.split("   ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        columns(lines[3]),
        ["KUBE-PROXY", "PODS", "CONFIGURED BY", "STATE"]
    );
    assert_eq!(
        columns(lines[7]),
        [
            "kube-system/kube-proxy",
            "config.conf",
            "ipvs",
            "false",
            "2026-11-22T11:00:00Z",
            "kubeadm",
            "-"
        ]
    );
    assert_eq!(
        columns(lines[10]),
        ["n1", "kube-proxy-x", "-", "NO: restart pending", "yes"]
    );
    assert!(lines.iter().all(|line| line.trim_end() == *line), "{text}");
}

#[test]
fn json_and_yaml_say_the_same() {
    let found = unsafe_cluster();
    let json = assessment(&found, Format::Json, plain()).expect("renders");
    let yaml = assessment(&found, Format::Yaml, plain()).expect("renders");
    let from_json: Value = serde_json::from_str(&json).expect("JSON");
    let from_yaml: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    assert_eq!(from_json, from_yaml);
    assert_eq!(from_json["verdict"], "notSafe");
}

#[test]
fn colour_is_only_on_the_verdict() {
    let text = verdict(&unsafe_cluster(), Style::new(Color::Always, false));
    assert!(
        text.starts_with("\x1b[1;31mNOT SAFE (StrictArpOff)\x1b[0m: kube-proxy"),
        "{text:?}"
    );
    assert!(!verdict(&unsafe_cluster(), plain()).contains('\x1b'));
}
