use mooring_core::kube_proxy::snapshot::{
    Container, KeyProjection, Metadata, Mount, PodSpec, Volume,
};

use super::*;

/// A DaemonSet whose Pods mount a ConfigMap and run a program with its `config.conf`.
fn set(name: &str, program: &str, map: &str) -> DaemonSet {
    let container = Container {
        name: "main".to_owned(),
        command: vec![program.to_owned(), "--config=/etc/p/config.conf".to_owned()],
        mounts: vec![Mount {
            volume: "config".to_owned(),
            path: "/etc/p".to_owned(),
            ..Mount::default()
        }],
        ..Container::default()
    };
    let volume = Volume {
        name: "config".to_owned(),
        source: VolumeSource::ConfigMap(KeyProjection {
            name: map.to_owned(),
            items: Vec::new(),
        }),
    };
    DaemonSet {
        metadata: Metadata {
            id: ObjectName::new("kube-system", name),
            uid: format!("uid of {name}"),
            ..Metadata::default()
        },
        template: PodSpec {
            containers: vec![container],
            volumes: vec![volume],
            ..PodSpec::default()
        },
        desired: 3,
        ..DaemonSet::default()
    }
}

fn said(daemon_set: Option<&str>, config_map: Option<(&str, &str)>) -> KubeProxyLocation {
    KubeProxyLocation {
        namespace: "kube-system".to_owned(),
        daemon_set: daemon_set.map(str::to_owned),
        config_map: config_map.map(|(map, _)| map.to_owned()),
        key: config_map.map(|(_, key)| key.to_owned()),
    }
}

fn names(found: &Discovery) -> Vec<&str> {
    let workloads = found.workloads.iter();
    workloads
        .map(|workload| workload.id.name.as_str())
        .collect()
}

fn sources(found: &Discovery) -> Vec<String> {
    let locations = found.locations().into_iter();
    locations.map(|location| location.to_string()).collect()
}

#[test]
fn of_several_daemon_sets_the_one_that_is_named_counts() {
    let sets = [
        set("kube-proxy", "kube-proxy", "a"),
        set("proxy-two", "kube-proxy", "b"),
    ];
    let found = discover_at(&said(Some("proxy-two"), None), &sets, &[]);
    assert_eq!(names(&found), ["proxy-two"]);
    assert_eq!(sources(&found), ["ConfigMap kube-system/b key config.conf"]);
}

#[test]
fn a_config_map_alone_names_the_daemon_set_that_mounts_it() {
    let sets = [
        set("kube-proxy", "kube-proxy", "a"),
        set("proxy-two", "kube-proxy", "b"),
    ];
    let found = discover_at(&said(None, Some(("b", "other.conf"))), &sets, &[]);
    assert_eq!(names(&found), ["proxy-two"]);
    assert_eq!(sources(&found), ["ConfigMap kube-system/b key other.conf"]);
}

#[test]
fn a_config_map_that_is_said_is_what_the_named_daemon_set_reads() {
    let sets = [set("kube-proxy", "kube-proxy", "a")];
    let place = said(Some("kube-proxy"), Some(("c", "conf")));
    assert_eq!(
        sources(&discover_at(&place, &sets, &[])),
        ["ConfigMap kube-system/c key conf"]
    );
}

#[test]
fn a_daemon_set_that_is_not_there_is_not_replaced_by_another() {
    let sets = [set("kube-proxy", "kube-proxy", "a")];
    let found = discover_at(&said(Some("gone"), None), &sets, &[]);
    assert!(found.workloads.is_empty());
    let found = discover_at(&said(None, Some(("gone", "key"))), &sets, &[]);
    assert!(found.workloads.is_empty());
}
