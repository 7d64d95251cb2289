use super::*;
use crate::kube_proxy::location::ProblemReason;
use crate::kube_proxy::snapshot::{
    KeyFile, KeyProjection, Mount, Owner, Requirement, Volume, VolumeSource,
};
use crate::proxy_mode::ProxyMode;

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

fn labels(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn config_map(name: &str, items: &[(&str, &str)]) -> VolumeSource {
    VolumeSource::ConfigMap(KeyProjection {
        name: name.to_owned(),
        items: items
            .iter()
            .map(|(key, path)| KeyFile {
                key: (*key).to_owned(),
                path: (*path).to_owned(),
            })
            .collect(),
    })
}

/// A pod with one container and one volume mounted at `directory`.
fn pod_spec(image: &str, command: &[&str], directory: &str, source: VolumeSource) -> PodSpec {
    PodSpec {
        containers: vec![Container {
            name: "kube-proxy".to_owned(),
            image: image.to_owned(),
            command: words(command),
            mounts: vec![Mount {
                volume: "config".to_owned(),
                path: directory.to_owned(),
                ..Mount::default()
            }],
            ..Container::default()
        }],
        volumes: vec![Volume {
            name: "config".to_owned(),
            source,
        }],
        ..PodSpec::default()
    }
}

fn set(id: (&str, &str), template_labels: &[(&str, &str)], template: PodSpec) -> DaemonSet {
    DaemonSet {
        metadata: Metadata {
            id: ObjectName::new(id.0, id.1),
            ..Metadata::default()
        },
        template_labels: labels(template_labels),
        template,
        desired: 3,
        ..DaemonSet::default()
    }
}

fn static_pod(name: &str, node: &str, pod_labels: &[(&str, &str)], spec: PodSpec) -> Pod {
    let mut metadata = Metadata {
        id: ObjectName::new("kube-system", format!("{name}-{node}")),
        labels: labels(pod_labels),
        annotations: labels(&[("kubernetes.io/config.mirror", "0011")]),
        ..Metadata::default()
    };
    metadata.owners.push(Owner {
        kind: "Node".to_owned(),
        name: node.to_owned(),
        uid: "1".to_owned(),
    });
    Pod {
        metadata,
        node: Some(node.to_owned()),
        spec,
        ..Pod::default()
    }
}

const KUBE_PROXY: &[(&str, &str)] = &[("k8s-app", "kube-proxy")];

fn kubeadm() -> DaemonSet {
    let command = [
        "/usr/local/bin/kube-proxy",
        "--config=/var/lib/kube-proxy/config.conf",
        "--hostname-override=$(NODE_NAME)",
    ];
    set(
        ("kube-system", "kube-proxy"),
        KUBE_PROXY,
        pod_spec(
            "registry.k8s.io/kube-proxy:v1.35.4",
            &command,
            "/var/lib/kube-proxy",
            config_map("kube-proxy", &[]),
        ),
    )
}

/// (installer, DaemonSet, ConfigMap namespace, name, key, matched by)
type Case = (
    &'static str,
    DaemonSet,
    (&'static str, &'static str, &'static str),
    MatchedBy,
);

fn daemon_sets_of_installers() -> Vec<Case> {
    vec![
        (
            "kubeadm",
            kubeadm(),
            ("kube-system", "kube-proxy", "config.conf"),
            MatchedBy::K8sAppLabel,
        ),
        (
            "EKS: the ConfigMap named kube-proxy is another one",
            set(
                ("kube-system", "kube-proxy"),
                KUBE_PROXY,
                pod_spec(
                    "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:v1.33.0-eksbuild.2",
                    &[
                        "kube-proxy",
                        "--v=2",
                        "--config=/var/lib/kube-proxy-config/config",
                    ],
                    "/var/lib/kube-proxy-config/",
                    config_map("kube-proxy-config", &[]),
                ),
            ),
            ("kube-system", "kube-proxy-config", "config"),
            MatchedBy::K8sAppLabel,
        ),
        (
            "OpenShift",
            set(
                ("openshift-kube-proxy", "openshift-kube-proxy"),
                &[("app", "kube-proxy"), ("component", "network")],
                pod_spec(
                    "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:00",
                    &[
                        "/bin/bash",
                        "-c",
                        "#!/bin/bash\nset -euo pipefail\nexec /usr/bin/kube-proxy --hostname-override=\"${K8S_NODE_NAME}\" --config=/config/kube-proxy-config.yaml --v=2\n",
                    ],
                    "/config",
                    config_map("proxy-config", &[]),
                ),
            ),
            (
                "openshift-kube-proxy",
                "proxy-config",
                "kube-proxy-config.yaml",
            ),
            MatchedBy::AppLabel,
        ),
        (
            "Talos",
            set(
                ("kube-system", "kube-proxy"),
                &[("tier", "node"), ("k8s-app", "kube-proxy")],
                pod_spec(
                    "registry.k8s.io/kube-proxy:v1.34.0",
                    &[
                        "/usr/local/bin/kube-proxy",
                        "--config=/etc/kube-proxy/config.conf",
                    ],
                    "/etc/kube-proxy",
                    config_map("kube-proxy-config-0123456789abcdef", &[]),
                ),
            ),
            (
                "kube-system",
                "kube-proxy-config-0123456789abcdef",
                "config.conf",
            ),
            MatchedBy::K8sAppLabel,
        ),
        (
            "Gardener, one per worker pool",
            set(
                ("kube-system", "kube-proxy-pool-1-v1.33.1"),
                &[("app", "kubernetes"), ("role", "proxy")],
                pod_spec(
                    "registry.k8s.io/kube-proxy:v1.33.1",
                    &[
                        "/usr/local/bin/kube-proxy",
                        "--config=/var/lib/kube-proxy-config/config.yaml",
                        "--v=2",
                    ],
                    "/var/lib/kube-proxy-config",
                    config_map("kube-proxy-config-pool", &[]),
                ),
            ),
            ("kube-system", "kube-proxy-config-pool", "config.yaml"),
            MatchedBy::Name,
        ),
        (
            "a name of its own, a renamed key",
            set(
                ("network", "service-routing"),
                &[("app", "routing")],
                pod_spec(
                    "example.org/net:1",
                    &["/opt/kube-proxy", "--config", "/conf/proxy.yaml"],
                    "/conf",
                    config_map("routing", &[("the-config", "proxy.yaml")]),
                ),
            ),
            ("network", "routing", "the-config"),
            MatchedBy::Program,
        ),
    ]
}

#[test]
fn the_config_map_of_each_installer_is_found_through_the_pod_spec() {
    for (installer, set, (namespace, name, key), matched_by) in daemon_sets_of_installers() {
        let found = discover(&[set], &[]);
        let [workload] = found.workloads.as_slice() else {
            panic!("{installer}: {found:?}");
        };
        assert_eq!(
            workload.source,
            Source::ConfigMap(ConfigLocation {
                config_map: ObjectName::new(namespace, name),
                key: key.to_owned(),
                sub_path: false,
            }),
            "{installer}"
        );
        assert_eq!(workload.matched_by, matched_by, "{installer}");
        assert!(found.skipped.is_empty(), "{installer}");
    }
}

#[test]
fn static_pods_of_all_nodes_that_say_the_same_are_one_workload() {
    let spec = |extra: &str| PodSpec {
        containers: vec![Container {
            name: "kube-proxy".to_owned(),
            image: "index.docker.io/rancher/hardened-kubernetes:v1.33.1-rke2r1".to_owned(),
            command: words(&["kube-proxy"]),
            args: words(&["--proxy-mode=ipvs", "--conntrack-max-per-core=0", extra]),
            ..Container::default()
        }],
        ..PodSpec::default()
    };
    let component = &[("component", "kube-proxy"), ("tier", "control-plane")];
    let pods = [
        static_pod(
            "kube-proxy",
            "n1",
            component,
            spec("--hostname-override=n1"),
        ),
        static_pod(
            "kube-proxy",
            "n2",
            component,
            spec("--hostname-override=n2"),
        ),
        static_pod(
            "kube-proxy",
            "n3",
            component,
            spec("--ipvs-strict-arp=true"),
        ),
    ];
    let found = discover(&[], &pods);
    let [off, on] = found.workloads.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(off.to_string(), "static pod kube-system/kube-proxy");
    assert_eq!(off.matched_by, MatchedBy::ComponentLabel);
    let flags = |strict| {
        Source::Flags(Flags {
            mode: Ok(Some(ProxyMode::Ipvs)),
            strict_arp: Ok(strict),
        })
    };
    assert_eq!(off.source, flags(false));
    assert_eq!(on.source, flags(true));
}

#[test]
fn a_static_pod_with_a_file_of_the_node_is_not_in_a_config_map() {
    let spec = pod_spec(
        "registry.k8s.io/kube-proxy:v1.33.1",
        &["kube-proxy", "--config=/etc/kp/config.yaml"],
        "/etc/kp",
        VolumeSource::HostPath("/var/lib/kp".to_owned()),
    );
    let found = discover(&[], &[static_pod("kube-proxy", "n1", KUBE_PROXY, spec)]);
    assert!(
        matches!(&found.workloads[0].source, Source::Elsewhere(problem)
            if problem.reason == ProblemReason::FileOnNodes
                && problem.message.contains("/var/lib/kp/config.yaml of each node"))
    );
}

#[test]
fn pods_of_daemon_sets_are_not_found_twice() {
    let mut pod = static_pod("kube-proxy", "n1", KUBE_PROXY, kubeadm().template);
    pod.metadata.annotations.clear();
    pod.metadata.owners[0].kind = "DaemonSet".to_owned();
    let found = discover(&[kubeadm()], &[pod]);
    assert_eq!(found.workloads.len(), 1);
}

#[test]
fn windows_daemon_sets_with_the_same_labels_are_left_alone() {
    let windows = |change: &dyn Fn(&mut PodSpec)| {
        let mut set = kubeadm();
        set.metadata.id.name = "kube-proxy-windows".to_owned();
        change(&mut set.template);
        set
    };
    let requirement = |operator: &str, os: &str| Requirement {
        key: "kubernetes.io/os".to_owned(),
        operator: operator.to_owned(),
        values: words(&[os]),
    };
    let ways: [&dyn Fn(&mut PodSpec); 5] = [
        &|spec| spec.node_selector = labels(&[("kubernetes.io/os", "windows")]),
        &|spec| spec.node_selector = labels(&[("beta.kubernetes.io/os", "windows")]),
        &|spec| spec.os = Some("windows".to_owned()),
        &|spec| spec.affinity = vec![vec![requirement("In", "windows")]],
        &|spec| spec.affinity = vec![vec![requirement("NotIn", "linux")]],
    ];
    for change in ways {
        let found = discover(&[kubeadm(), windows(change)], &[]);
        assert_eq!(found.workloads.len(), 1);
        let [skipped] = found.skipped.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(skipped.reason, SkipReason::Windows);
        assert_eq!(skipped.id.name, "kube-proxy-windows");
        assert_eq!(found.locations().len(), 1);
        assert_eq!(skipped.config.as_ref(), found.locations().first().copied());
    }
    let either = |spec: &mut PodSpec| {
        spec.affinity = vec![
            vec![requirement("In", "windows")],
            vec![requirement("In", "linux")],
        ];
    };
    assert_eq!(discover(&[windows(&either)], &[]).workloads.len(), 1);
}

#[test]
fn look_alikes_are_skipped_and_strangers_are_not_mentioned() {
    let exporter = set(
        ("monitoring", "kube-proxy-exporter"),
        &[],
        PodSpec {
            containers: vec![Container {
                name: "exporter".to_owned(),
                image: "example.org/kube-proxy-exporter:1".to_owned(),
                command: words(&["/exporter"]),
                ..Container::default()
            }],
            ..PodSpec::default()
        },
    );
    let stranger = set(
        ("kube-system", "kube-flannel"),
        &[("app", "flannel")],
        PodSpec {
            containers: vec![Container {
                command: words(&["/opt/bin/flanneld"]),
                ..Container::default()
            }],
            ..PodSpec::default()
        },
    );
    let found = discover(&[exporter, stranger], &[]);
    assert!(found.workloads.is_empty());
    assert_eq!(
        found.skipped,
        [Skipped {
            id: ObjectName::new("monitoring", "kube-proxy-exporter"),
            reason: SkipReason::NotKubeProxy,
            config: None,
        }]
    );
}

#[test]
fn a_command_line_in_the_image_is_hidden() {
    let mut set = kubeadm();
    set.template.containers[0].command = words(&["/start.sh"]);
    assert_eq!(discover(&[set], &[]).workloads[0].source, Source::Hidden);
}

#[test]
fn several_daemon_sets_on_one_config_map_share_one_location() {
    let mut arm = kubeadm();
    arm.metadata.id.name = "kube-proxy-arm64".to_owned();
    let found = discover(&[kubeadm(), arm], &[]);
    assert_eq!(found.workloads.len(), 2);
    assert_eq!(found.locations().len(), 1);
}
