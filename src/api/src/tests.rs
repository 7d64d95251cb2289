use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use mooring_core::kube_proxy::snapshot::{
    ContainerStatus, KeyFile, KeyProjection, ObjectName, ProjectedSource, Requirement, Timestamp,
    UpdateStrategy, VolumeSource,
};
use mooring_core::kube_proxy::{Source, discover};
use mooring_core::placement::Exit;
use serde_json::{Value, json};

use super::*;

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a valid object")
}

/// What an API server returns for kubeadm's DaemonSet, less what nobody reads.
fn kubeadm_daemon_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "kube-proxy", "namespace": "kube-system", "uid": "u1", "resourceVersion": "7",
            "creationTimestamp": "2026-11-22T18:11:08Z", "labels": {"k8s-app": "kube-proxy"}
        },
        "spec": {
            "selector": {"matchLabels": {"k8s-app": "kube-proxy"}},
            "template": {
                "metadata": {"labels": {"k8s-app": "kube-proxy"}},
                "spec": {
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "containers": [{
                        "name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4",
                        "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"],
                        "env": [
                            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                            {"name": "LITERAL", "value": "x"}
                        ],
                        "volumeMounts": [
                            {"name": "kube-proxy", "mountPath": "/var/lib/kube-proxy"},
                            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"}
                        ]
                    }],
                    "volumes": [
                        {"name": "kube-proxy", "configMap": {"name": "kube-proxy", "defaultMode": 420}},
                        {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}}
                    ]
                }
            },
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}
        },
        "status": {"currentNumberScheduled": 3, "desiredNumberScheduled": 3, "numberMisscheduled": 0, "numberReady": 3}
    })
}

#[test]
fn kubeadms_daemon_set_leads_to_its_config_map() {
    let set = daemon_set(&from_json::<apps::DaemonSet>(kubeadm_daemon_set()));
    assert_eq!(
        set.metadata.id,
        ObjectName::new("kube-system", "kube-proxy")
    );
    assert_eq!(
        set.metadata.created,
        Some(Timestamp::from_unix_seconds(1_795_371_068))
    );
    assert_eq!(set.desired, 3);
    assert_eq!(
        set.update,
        UpdateStrategy::RollingUpdate {
            max_unavailable: "10%".to_owned()
        }
    );
    let env = &set.template.containers[0].env;
    assert_eq!(env["NODE_NAME"], None);
    assert_eq!(env["LITERAL"], Some("x".to_owned()));

    let found = discover(&[set], &[]);
    let Source::ConfigMap(location) = &found.workloads[0].source else {
        panic!("{found:?}");
    };
    assert_eq!(
        location.to_string(),
        "ConfigMap kube-system/kube-proxy key config.conf"
    );
}

#[test]
fn update_strategies_are_read_with_kubernetes_defaults() {
    let with = |strategy: Value| {
        let mut object = kubeadm_daemon_set();
        object["spec"]["updateStrategy"] = strategy;
        daemon_set(&from_json(object)).update
    };
    let rolling = |text: &str| UpdateStrategy::RollingUpdate {
        max_unavailable: text.to_owned(),
    };
    assert_eq!(with(json!({"type": "OnDelete"})), UpdateStrategy::OnDelete);
    assert_eq!(with(json!({})), rolling("1"));
    assert_eq!(
        with(json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3}})),
        rolling("3")
    );
}

#[test]
fn a_config_map_knows_when_and_by_whom_each_key_was_changed() {
    let object = json!({
        "metadata": {
            "name": "kube-proxy", "namespace": "kube-system", "resourceVersion": "9",
            "managedFields": [
                {"manager": "kubeadm", "operation": "Update", "apiVersion": "v1", "time": "2026-11-22T10:00:00Z",
                 "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {".": {}, "f:config.conf": {}, "f:kubeconfig.conf": {}}, "f:metadata": {"f:labels": {}}}},
                {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "time": "2026-11-22T11:00:00Z",
                 "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:config.conf": {}}}},
                {"manager": "eks", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:annotations": {}}}}
            ]
        },
        "immutable": true,
        "data": {"config.conf": "mode: ipvs\n"},
        "binaryData": {"blob": "AAE="}
    });
    let map = config_map(&from_json(object));
    assert!(map.immutable);
    assert!(map.binary_keys.contains("blob"));
    let (time, who) = map.changed("config.conf").expect("an entry owns the key");
    assert_eq!(
        (time.to_string().as_str(), who),
        ("2026-11-22T11:00:00Z", "kubectl-edit")
    );
    assert!(map.metadata.field_managers[2].applies);
    assert_eq!(map.metadata.field_managers[2].time, None);
    assert!(map.metadata.field_managers[2].data_keys.is_empty());
}

#[test]
fn every_volume_type_that_matters_is_told_apart() {
    let object = json!({
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {
            "containers": [],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["windows"]}]}
            ]}}},
            "os": {"name": "windows"},
            "volumes": [
                {"name": "map", "configMap": {"name": "m", "items": [{"key": "k", "path": "dir/p"}]}},
                {"name": "projected", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": "m2"}}
                ]}},
                {"name": "host", "hostPath": {"path": "/etc/kp"}},
                {"name": "empty", "emptyDir": {}},
                {"name": "secret", "secret": {"secretName": "s"}},
                {"name": "csi", "csi": {"driver": "d"}}
            ]
        }
    });
    let pod = pod(&from_json::<core::Pod>(object));
    let sources: Vec<_> = pod
        .spec
        .volumes
        .iter()
        .map(|volume| &volume.source)
        .collect();
    let map = KeyProjection {
        name: "m".to_owned(),
        items: vec![KeyFile {
            key: "k".to_owned(),
            path: "dir/p".to_owned(),
        }],
    };
    let whole = KeyProjection {
        name: "m2".to_owned(),
        items: Vec::new(),
    };
    assert_eq!(
        sources,
        [
            &VolumeSource::ConfigMap(map),
            &VolumeSource::Projected(vec![
                ProjectedSource::Other("serviceAccountToken".to_owned()),
                ProjectedSource::ConfigMap(whole)
            ]),
            &VolumeSource::HostPath("/etc/kp".to_owned()),
            &VolumeSource::EmptyDir,
            &VolumeSource::Secret("s".to_owned()),
            &VolumeSource::Other("csi".to_owned()),
        ]
    );
    assert_eq!(pod.spec.os.as_deref(), Some("windows"));
    assert_eq!(
        pod.spec.affinity,
        [[Requirement {
            key: "kubernetes.io/os".to_owned(),
            operator: "In".to_owned(),
            values: vec!["windows".to_owned()],
        }]]
    );
}

#[test]
fn a_pods_state_says_since_when_it_runs_or_why_it_does_not() {
    let with = |phase: &str, ready: &str, status: Value| {
        pod(&from_json::<core::Pod>(json!({
            "metadata": {"name": "p", "namespace": "n", "creationTimestamp": "2026-11-22T11:00:00Z"},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [status]}
        })))
    };
    let common = |state: Value, restarts: i32| {
        json!({"name": "kube-proxy", "image": "i", "imageID": "i", "ready": true, "restartCount": restarts, "state": state,
               "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}})
    };
    let running = with(
        "Running",
        "True",
        common(json!({"running": {"startedAt": "2026-11-22T11:00:05Z"}}), 1),
    );
    assert!(running.ready);
    assert_eq!(running.node.as_deref(), Some("n1"));
    let state = running.container("kube-proxy").expect("has a status");
    assert_eq!(
        state.started.map(|time| time.to_string()).as_deref(),
        Some("2026-11-22T11:00:05Z")
    );
    assert_eq!(state.last_exit, Some((1, "Error".to_owned())));

    let crashing = with(
        "Running",
        "False",
        common(
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}),
            4,
        ),
    );
    assert!(!crashing.ready);
    assert_eq!(
        crashing.container("kube-proxy"),
        Some(&ContainerStatus {
            name: "kube-proxy".to_owned(),
            started: None,
            waiting: Some(("CrashLoopBackOff".to_owned(), "back-off 10s".to_owned())),
            last_exit: Some((1, "Error".to_owned())),
            restarts: 4,
        })
    );
}

#[test]
fn a_node_tells_its_system_and_its_distribution() {
    let node = node(&from_json::<core::Node>(json!({
        "metadata": {"name": "n1", "labels": {"a": "b"}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "6.1",
                "kubeProxyVersion": "", "kubeletVersion": "v1.33.1+rke2r1", "machineID": "", "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12", "systemUUID": ""
            }
        }
    })));
    assert!(node.ready);
    assert_eq!(node.os, "linux");
    assert_eq!(node.kubelet_version, "v1.33.1+rke2r1");
    assert_eq!(node.labels["a"], "b");
}

#[test]
fn a_daemon_sets_pod_that_waits_for_the_scheduler_belongs_to_its_node() {
    let waiting = pod(&from_json::<core::Pod>(json!({
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}]
        }}}}
    })));
    assert_eq!(waiting.node.as_deref(), Some("n2"));
}

#[test]
fn a_node_tells_its_addresses_and_its_pods_and_windows_has_no_part_in_it() {
    let mut object: k8s_openapi::api::core::v1::Node = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "n1", "labels": {"role": "edge"}},
        "spec": {"unschedulable": true, "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "InternalIP", "address": "fd00::1"},
                {"type": "Hostname", "address": "n1"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }))
    .expect("a Node");
    let node = cluster_node(&object).expect("a Linux node");
    assert_eq!(node.view.name, "n1");
    assert!(node.view.ready && !node.view.reporting && node.cordoned);
    assert!(!node.draining);
    assert_eq!(node.labels["role"], "edge");
    let addresses: Vec<String> = node.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["10.0.0.1", "fd00::1"],
        "a host name is no address"
    );
    assert_eq!(node.pod_cidrs, ["10.244.1.0/24", "fd00:1::/64"]);
    object.metadata.annotations = Some(BTreeMap::from([(
        "mooring.dev/drain".to_owned(),
        "2026-11-28T15:20:01Z".to_owned(),
    )]));
    assert!(cluster_node(&object).expect("a Linux node").draining);
    let status = object.status.as_mut().expect("a status");
    let ready = &mut status.conditions.as_mut().expect("conditions")[0];
    ready.status = "False".to_owned();
    ready.reason = Some("KubeletNotReady".to_owned());
    ready.message = Some("node is shutting down".to_owned());
    let shut_down = cluster_node(&object).expect("a Linux node");
    assert_eq!(shut_down.exit, Some(Exit::ShuttingDown));
    assert!(!shut_down.view.ready);
    // What is left of the message of a condition that holds by now means nothing.
    let status = object.status.as_mut().expect("a status");
    status.conditions.as_mut().expect("conditions")[0].status = "True".to_owned();
    assert_eq!(cluster_node(&object).expect("a Linux node").exit, None);
    let spec = object.spec.as_mut().expect("a spec");
    spec.taints = Some(vec![k8s_openapi::api::core::v1::Taint {
        key: "node.kubernetes.io/out-of-service".to_owned(),
        effect: "NoExecute".to_owned(),
        ..Default::default()
    }]);
    let out = cluster_node(&object).expect("a Linux node");
    assert_eq!(out.exit, Some(Exit::OutOfService));
    assert!(out.life.farewell, "it does not die");
    // Nothing is heard of it, and nobody said so before.
    object.metadata.annotations = None;
    let spec = object.spec.as_mut().expect("a spec");
    (spec.taints, spec.unschedulable) = (None, None);
    let status = object.status.as_mut().expect("a status");
    let ready = &mut status.conditions.as_mut().expect("conditions")[0];
    ready.status = "Unknown".to_owned();
    ready.reason = Some("NodeStatusUnknown".to_owned());
    ready.message = Some("Kubelet stopped posting node status.".to_owned());
    ready.last_transition_time =
        serde_json::from_value(json!("2026-11-28T15:20:01Z")).expect("a time");
    let life = cluster_node(&object).expect("a Linux node").life;
    let since = life.silent_since.map(|since| since.to_string());
    assert_eq!(since.as_deref(), Some("2026-11-28T15:20:01Z"));
    assert!(!life.farewell && life.boot.is_empty());
    let status = object.status.as_mut().expect("a status");
    status.node_info = Some(k8s_openapi::api::core::v1::NodeSystemInfo {
        operating_system: "windows".to_owned(),
        ..Default::default()
    });
    assert_eq!(cluster_node(&object), None);
}
