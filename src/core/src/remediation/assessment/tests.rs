use super::*;
use crate::kube_proxy::snapshot::{
    ConfigMap, Container, ContainerStatus, DaemonSet, FieldManager, KeyProjection, Metadata, Mount,
    Node, ObjectName, Owner, PodSpec, Timestamp, UpdateStrategy, Volume, VolumeSource,
};
use crate::kube_proxy::{Replacement, discover};
use crate::remediation::Policy;

const HEAD: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
const CHANGED: i64 = 1_000;

/// A cluster of three nodes in kubeadm's shape: mode ipvs, strictARP as said, pods started after the last change.
struct Cluster {
    sets: Vec<DaemonSet>,
    maps: Vec<ConfigMap>,
    pods: Vec<Pod>,
    nodes: Vec<Node>,
    replacements: Vec<Replacement>,
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(seconds))
}

fn metadata(namespace: &str, name: &str) -> Metadata {
    Metadata {
        id: ObjectName::new(namespace, name),
        uid: name.to_owned(),
        resource_version: "7".to_owned(),
        ..Metadata::default()
    }
}

fn daemon_set(name: &str, map: &str) -> DaemonSet {
    DaemonSet {
        metadata: metadata("kube-system", name),
        template_labels: [("k8s-app".to_owned(), "kube-proxy".to_owned())].into(),
        template: PodSpec {
            containers: vec![Container {
                name: "kube-proxy".to_owned(),
                command: vec![
                    "kube-proxy".to_owned(),
                    "--config=/etc/kp/config.conf".to_owned(),
                ],
                mounts: vec![Mount {
                    volume: "config".to_owned(),
                    path: "/etc/kp".to_owned(),
                    ..Mount::default()
                }],
                ..Container::default()
            }],
            volumes: vec![Volume {
                name: "config".to_owned(),
                source: VolumeSource::ConfigMap(KeyProjection {
                    name: map.to_owned(),
                    items: Vec::new(),
                }),
            }],
            ..PodSpec::default()
        },
        desired: 3,
        ..DaemonSet::default()
    }
}

fn config_map(name: &str, text: &str) -> ConfigMap {
    let mut map = ConfigMap {
        metadata: metadata("kube-system", name),
        data: [("config.conf".to_owned(), text.to_owned())].into(),
        ..ConfigMap::default()
    };
    map.metadata.created = at(10);
    map.metadata.field_managers = vec![FieldManager {
        name: "kubeadm".to_owned(),
        time: at(CHANGED),
        data_keys: ["config.conf".to_owned()].into(),
        ..FieldManager::default()
    }];
    map
}

fn pod_of(set: &DaemonSet, node: &str) -> Pod {
    let mut metadata = metadata("kube-system", &format!("{}-{node}", set.metadata.id.name));
    metadata.created = at(CHANGED + 10);
    metadata.owners = vec![Owner {
        kind: "DaemonSet".to_owned(),
        name: set.metadata.id.name.clone(),
        uid: set.metadata.uid.clone(),
    }];
    Pod {
        metadata,
        node: Some(node.to_owned()),
        spec: set.template.clone(),
        phase: "Running".to_owned(),
        ready: true,
        containers: vec![ContainerStatus {
            name: "kube-proxy".to_owned(),
            started: at(CHANGED + 12),
            ..ContainerStatus::default()
        }],
    }
}

fn text(mode: &str, strict: &str) -> String {
    format!("{HEAD}mode: {mode}\nipvs:\n  strictARP: {strict}\n")
}

impl Cluster {
    fn kubeadm(text: &str) -> Self {
        let set = daemon_set("kube-proxy", "kube-proxy");
        let nodes = ["n1", "n2", "n3"];
        Self {
            pods: nodes.iter().map(|node| pod_of(&set, node)).collect(),
            sets: vec![set],
            maps: vec![config_map("kube-proxy", text)],
            nodes: nodes
                .iter()
                .map(|name| Node {
                    name: (*name).to_owned(),
                    os: "linux".to_owned(),
                    kubelet_version: "v1.35.4".to_owned(),
                    ready: true,
                    ..Node::default()
                })
                .collect(),
            replacements: Vec::new(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn assess_with(self, policy: &Policy) -> Assessment {
        let seen = Observation {
            discovery: discover(&self.sets, &self.pods),
            config_maps: self.maps,
            pods: self.pods,
            nodes: Some(self.nodes),
            replacements: self.replacements,
        };
        assess(&seen, policy)
    }

    fn assess(self) -> Assessment {
        self.assess_with(&Policy::default())
    }
}

fn pods_of_plan(assessment: &Assessment) -> Vec<Vec<&str>> {
    let rollouts = assessment.plan.rollouts.iter();
    rollouts
        .map(|rollout| rollout.pods.iter().map(|pod| pod.node.as_str()).collect())
        .collect()
}

/// (what, cluster, reason, patches, rollouts, text in the message, text in the next step)
type Case = (
    &'static str,
    Cluster,
    Reason,
    usize,
    usize,
    &'static str,
    &'static str,
);

fn cases() -> Vec<Case> {
    let ipvs_off = || Cluster::kubeadm(&text("ipvs", "false"));
    let ipvs_on = || Cluster::kubeadm(&text("ipvs", "true"));
    vec![
        (
            "off",
            ipvs_off(),
            Reason::StrictArpOff,
            1,
            1,
            "without strictARP",
            "kubectl mooring fix",
        ),
        (
            "key absent",
            Cluster::kubeadm(&format!("{HEAD}mode: ipvs\nipvs:\n  scheduler: rr\n")),
            Reason::StrictArpOff,
            1,
            1,
            "every node answers ARP",
            "kubectl mooring fix",
        ),
        (
            "on, all restarted",
            ipvs_on(),
            Reason::Applied,
            0,
            0,
            "all 3 pods started after",
            "",
        ),
        (
            "on, one pod older",
            ipvs_on().with(|cluster| cluster.pods[1].metadata.created = at(CHANGED - 1)),
            Reason::RestartPending,
            0,
            1,
            "pods on node n2 started before",
            "only restarts",
        ),
        (
            "on, pod down",
            ipvs_on().with(|cluster| {
                cluster.pods[2].ready = false;
                cluster.pods[2].containers[0].waiting =
                    Some(("CrashLoopBackOff".to_owned(), "back-off".to_owned()));
            }),
            Reason::PodsNotReady,
            0,
            0,
            "node n3: pod kube-proxy-n3 is CrashLoopBackOff",
            "logs kube-proxy-n3",
        ),
        (
            "on, pod down with its node",
            ipvs_on().with(|cluster| {
                cluster.pods[2].ready = false;
                cluster.nodes[2].ready = false;
            }),
            Reason::Applied,
            0,
            0,
            "strictARP on",
            "",
        ),
        (
            "on, no trace of the change",
            ipvs_on().with(|cluster| cluster.maps[0].metadata.field_managers.clear()),
            Reason::ChangeTimeUnknown,
            0,
            0,
            "no managedFields",
            "configz",
        ),
        (
            "on, no pods",
            ipvs_on().with(|cluster| cluster.pods.clear()),
            Reason::NoPods,
            0,
            0,
            "no pod of kube-proxy",
            "nodeSelector",
        ),
        (
            "off, no pods",
            ipvs_off().with(|cluster| cluster.pods.clear()),
            Reason::StrictArpOff,
            1,
            0,
            "without strictARP",
            "kubectl mooring fix",
        ),
        (
            "iptables",
            Cluster::kubeadm(&text("iptables", "false")),
            Reason::NotNeeded,
            0,
            0,
            "iptables",
            "",
        ),
        (
            "nftables",
            Cluster::kubeadm(&text("nftables", "false")),
            Reason::NotNeeded,
            0,
            0,
            "nftables",
            "",
        ),
        (
            "mode unset",
            Cluster::kubeadm(&text("\"\"", "false")),
            Reason::NotNeeded,
            0,
            0,
            "mode",
            "",
        ),
        (
            "iptables since after the pods",
            Cluster::kubeadm(&text("iptables", "false"))
                .with(|cluster| cluster.pods[0].metadata.created = at(CHANGED - 1)),
            Reason::NotNeededAfterRestart,
            0,
            0,
            "node n1 started before",
            "proxyMode",
        ),
        (
            "managed",
            ipvs_off().with(|cluster| {
                cluster.maps[0]
                    .metadata
                    .labels
                    .insert("k0s.k0sproject.io/stack".to_owned(), "kubeproxy".to_owned());
            }),
            Reason::StrictArpOffManaged,
            0,
            0,
            "kept in shape by k0s",
            "spec.network.kubeProxy.ipvs.strictARP: true",
        ),
        (
            "immutable",
            ipvs_off().with(|cluster| cluster.maps[0].immutable = true),
            Reason::ConfigMapImmutable,
            0,
            0,
            "immutable",
            "another name",
        ),
        (
            "broken text",
            Cluster::kubeadm(&format!("{HEAD}mode: ipvs\nipvs: [\n")),
            Reason::ConfigUnclear,
            0,
            0,
            "nothing is written",
            "edit configmap kube-proxy",
        ),
        (
            "shared map by an anchor",
            Cluster::kubeadm(&format!(
                "{HEAD}mode: ipvs\nipvs: &a {{strictARP: false}}\nwinkernel: {{}}\nclientConnection: {{}}\nx: *a\n"
            )),
            Reason::EditRefused,
            0,
            0,
            "not edited",
            "edit configmap kube-proxy",
        ),
        (
            "ConfigMap gone",
            ipvs_off().with(|cluster| cluster.maps.clear()),
            Reason::ConfigMapMissing,
            0,
            0,
            "does not exist",
            "restore",
        ),
        (
            "key gone",
            ipvs_off().with(|cluster| {
                cluster.maps[0].data = [("other".to_owned(), String::new())].into()
            }),
            Reason::KeyMissing,
            0,
            0,
            "only the keys: other",
            "correct the key",
        ),
        (
            "key is binary",
            ipvs_off().with(|cluster| {
                cluster.maps[0].data.clear();
                cluster.maps[0].binary_keys.insert("config.conf".to_owned());
            }),
            Reason::KeyIsBinary,
            0,
            0,
            "binaryData",
            "recreate",
        ),
    ]
}

#[test]
fn one_config_map_is_judged_by_its_text_its_owner_and_its_pods() {
    for (what, cluster, reason, patches, rollouts, message, next) in cases() {
        let found = cluster.assess();
        assert_eq!(found.reason, reason, "{what}: {}", found.message);
        assert_eq!(found.verdict, reason.safety(), "{what}");
        assert_eq!(found.plan.patches.len(), patches, "{what}");
        assert_eq!(found.plan.rollouts.len(), rollouts, "{what}");
        assert!(found.message.contains(message), "{what}: {}", found.message);
        let next_step = found.next_step.unwrap_or_default();
        assert!(next_step.contains(next), "{what}: {next_step:?}");
        assert_eq!(
            next.is_empty(),
            next_step.is_empty(),
            "{what}: {next_step:?}"
        );
    }
}

fn by_flags_cluster(flags: &[&str], kubelet: &str) -> Cluster {
    Cluster::kubeadm("").with(|cluster| {
        cluster.maps.clear();
        cluster.sets.clear();
        for pod in &mut cluster.pods {
            let node = pod.node.clone().unwrap_or_default();
            pod.metadata.id.name = format!("kube-proxy-{node}");
            pod.metadata.owners[0].kind = "Node".to_owned();
            pod.metadata.labels = [("component".to_owned(), "kube-proxy".to_owned())].into();
            pod.spec.containers[0].command = vec!["kube-proxy".to_owned()];
            pod.spec.containers[0].args = flags.iter().map(|flag| (*flag).to_owned()).collect();
        }
        for node in &mut cluster.nodes {
            node.kubelet_version = kubelet.to_owned();
        }
    })
}

#[test]
fn flags_alone_are_judged_with_the_knob_of_the_distribution() {
    let cases: &[(&[&str], &str, Reason, &str)] = &[
        (
            &["--proxy-mode=ipvs"],
            "v1.33.1+rke2r1",
            Reason::StrictArpOffByFlags,
            "/etc/rancher/rke2/config.yaml",
        ),
        (
            &["--proxy-mode=ipvs"],
            "v1.33.1",
            Reason::StrictArpOffByFlags,
            "/etc/kubernetes/manifests",
        ),
        (
            &["--proxy-mode=ipvs", "--ipvs-strict-arp"],
            "v1.33.1+rke2r1",
            Reason::Applied,
            "",
        ),
        (&["--proxy-mode=iptables"], "v1.33.1", Reason::NotNeeded, ""),
        (&[], "v1.33.1", Reason::NotNeeded, ""),
        (
            &["--proxy-mode=IPVS"],
            "v1.33.1",
            Reason::InvalidFlags,
            "correct --proxy-mode",
        ),
    ];
    for (flags, kubelet, reason, next) in cases {
        let found = by_flags_cluster(flags, kubelet).assess();
        assert_eq!(found.reason, *reason, "{flags:?}: {}", found.message);
        assert!(found.plan.is_empty());
        assert!(
            found
                .next_step
                .as_deref()
                .unwrap_or_default()
                .contains(next),
            "{flags:?}: {:?}",
            found.next_step
        );
        assert_eq!(found.workloads[0].kind, "static pod");
        assert_eq!(found.workloads[0].pods, 3);
    }
}

#[test]
fn without_a_pod_of_kube_proxy_the_signals_decide() {
    let bare = |change: &dyn Fn(&mut Cluster)| {
        Cluster::kubeadm("")
            .with(|cluster| {
                cluster.sets.clear();
                cluster.pods.clear();
                change(cluster);
            })
            .assess()
    };
    assert_eq!(bare(&|_| ()).reason, Reason::NoKubeProxy);
    let k3s = bare(&|cluster| cluster.nodes[0].kubelet_version = "v1.33.1+k3s1".to_owned());
    assert_eq!(k3s.reason, Reason::EmbeddedKubeProxy);
    assert!(
        k3s.next_step
            .is_some_and(|next| next.contains("kube-proxy-arg"))
    );
    let cilium = bare(&|cluster| cluster.replacements = vec![Replacement::Cilium]);
    assert_eq!(
        (cilium.reason, cilium.verdict),
        (Reason::Replaced, Safety::Safe)
    );
    let router = bare(&|cluster| cluster.replacements = vec![Replacement::KubeRouter]);
    assert_eq!(
        (router.reason, router.verdict),
        (Reason::KubeRouter, Safety::Unknown)
    );
}

#[test]
fn a_parked_daemon_set_under_calicos_ebpf_is_replaced_whatever_its_config_map_says() {
    let found = Cluster::kubeadm(&text("ipvs", "false"))
        .with(|cluster| {
            cluster.pods.clear();
            cluster.sets[0].desired = 0;
            cluster.replacements = vec![Replacement::CalicoEbpf];
        })
        .assess();
    assert_eq!(found.reason, Reason::Replaced);
}

#[test]
fn force_edits_a_managed_config_map_and_says_so() {
    let managed = || {
        Cluster::kubeadm(&text("ipvs", "false")).with(|cluster| {
            let labels = &mut cluster.maps[0].metadata.labels;
            labels.insert("argocd.argoproj.io/instance".to_owned(), "net".to_owned());
        })
    };
    let policy = Policy {
        force_managed: true,
        ..Policy::default()
    };
    let found = managed().assess_with(&policy);
    assert_eq!(found.reason, Reason::StrictArpOff);
    assert_eq!(found.plan.patches.len(), 1);
    assert!(found.warnings.iter().any(|notice| {
        notice.reason == NoticeReason::ForcedManaged && notice.message.contains("application net")
    }));
}

#[test]
fn force_mode_plans_the_edit_although_the_mode_needs_none() {
    let policy = Policy {
        force_mode: true,
        ..Policy::default()
    };
    let found = Cluster::kubeadm(&text("iptables", "false")).assess_with(&policy);
    assert_eq!(found.reason, Reason::NotNeeded);
    assert_eq!(found.plan.patches.len(), 1);
}

#[test]
fn the_plan_carries_the_version_both_texts_and_the_pods_of_all_nodes() {
    let found = Cluster::kubeadm(&text("ipvs", "false")).assess();
    let patch = &found.plan.patches[0];
    assert_eq!(patch.resource_version, "7");
    assert_eq!(patch.before, text("ipvs", "false"));
    assert_eq!(patch.after, text("ipvs", "true"));
    assert_eq!(pods_of_plan(&found), [["n1", "n2", "n3"]]);
    assert_eq!(
        found.plan.rollouts[0].restart,
        Restart::Template {
            max_unavailable: "1".to_owned()
        }
    );
}

#[test]
fn on_delete_restarts_only_the_pods_that_are_older() {
    let found = Cluster::kubeadm(&text("ipvs", "true"))
        .with(|cluster| {
            cluster.sets[0].update = UpdateStrategy::OnDelete;
            cluster.pods[1].metadata.created = at(CHANGED - 1);
        })
        .assess();
    assert_eq!(found.reason, Reason::RestartPending);
    assert_eq!(found.plan.rollouts[0].restart, Restart::DeletePods);
    assert_eq!(pods_of_plan(&found), [["n2"]]);
}

#[test]
fn daemon_sets_on_one_config_map_are_patched_once_and_all_restarted_but_windows() {
    let found = Cluster::kubeadm(&text("ipvs", "false"))
        .with(|cluster| {
            let arm = daemon_set("kube-proxy-arm", "kube-proxy");
            cluster.pods.push(pod_of(&arm, "n4"));
            let mut windows = daemon_set("kube-proxy-windows", "kube-proxy");
            windows.template.os = Some("windows".to_owned());
            cluster.pods.push(pod_of(&windows, "w1"));
            cluster.sets.extend([arm, windows]);
        })
        .assess();
    assert_eq!(found.plan.patches.len(), 1);
    assert_eq!(pods_of_plan(&found), [vec!["n1", "n2", "n3"], vec!["n4"]]);
    assert!(found.pods.iter().all(|pod| pod.node != "w1"));
    let notice = |reason| found.warnings.iter().any(|notice| notice.reason == reason);
    assert!(notice(NoticeReason::SharedWithWindows));
    assert!(notice(NoticeReason::Skipped));
}

#[test]
fn the_most_urgent_of_several_configurations_decides() {
    let found = Cluster::kubeadm(&text("ipvs", "true"))
        .with(|cluster| {
            let pool = daemon_set("kube-proxy-pool", "kube-proxy-pool");
            cluster.pods.push(pod_of(&pool, "n4"));
            cluster.sets.push(pool);
            cluster
                .maps
                .push(config_map("kube-proxy-pool", &text("ipvs", "false")));
            let spare = daemon_set("kube-proxy-spare", "kube-proxy-spare");
            cluster.sets.push(spare);
            cluster
                .maps
                .push(config_map("kube-proxy-spare", "broken: ["));
        })
        .assess();
    assert_eq!(found.reason, Reason::StrictArpOff);
    assert!(
        found
            .message
            .starts_with("1 of 2 kube-proxy configurations"),
        "{}",
        found.message
    );
    assert_eq!(pods_of_plan(&found), [["n4"]]);
}

#[test]
fn different_modes_are_pointed_out() {
    let found = Cluster::kubeadm(&text("ipvs", "true"))
        .with(|cluster| {
            let pool = daemon_set("kube-proxy-pool", "kube-proxy-pool");
            cluster.pods.push(pod_of(&pool, "n4"));
            cluster.sets.push(pool);
            cluster
                .maps
                .push(config_map("kube-proxy-pool", &text("nftables", "false")));
        })
        .assess();
    assert_eq!(found.reason, Reason::Applied);
    assert!(found.warnings.iter().any(|notice| {
        notice.reason == NoticeReason::MixedModes && notice.message.contains("ipvs, nftables")
    }));
}

#[test]
fn a_node_that_is_down_is_named_before_the_rollout_waits_for_it() {
    let found = Cluster::kubeadm(&text("ipvs", "false"))
        .with(|cluster| cluster.nodes[1].ready = false)
        .assess();
    assert!(found.warnings.iter().any(|notice| {
        notice.reason == NoticeReason::NodesNotReady
            && notice.message.starts_with("node n2 is not Ready")
    }));
}

#[test]
fn nodes_without_kube_proxy_and_nodes_that_cannot_be_listed_are_pointed_out() {
    let found = Cluster::kubeadm(&text("ipvs", "true"))
        .with(|cluster| {
            cluster.pods.remove(0);
        })
        .assess();
    assert!(found.warnings.iter().any(|notice| {
        notice.reason == NoticeReason::NodesWithoutKubeProxy && notice.message.contains("node n1")
    }));
    let cluster = Cluster::kubeadm(&text("ipvs", "true"));
    let seen = Observation {
        discovery: discover(&cluster.sets, &cluster.pods),
        config_maps: cluster.maps,
        pods: cluster.pods,
        ..Observation::default()
    };
    let found = assess(&seen, &Policy::default());
    assert_eq!(found.reason, Reason::Applied);
    assert_eq!(found.warnings[0].reason, NoticeReason::NodesUnreadable);
}

/// The keys of `check -o json` are a contract: scripts read them.
#[test]
fn the_assessment_serialises_with_stable_keys() {
    let found = Cluster::kubeadm(&text("ipvs", "false")).assess();
    let value = serde_json::to_value(&found).expect("serialises");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys().cloned())
            .collect()
    };
    assert_eq!(
        keys(&value),
        [
            "configMaps",
            "message",
            "nextStep",
            "pods",
            "reason",
            "verdict",
            "warnings",
            "workloads"
        ]
    );
    assert_eq!(value["verdict"], "notSafe");
    assert_eq!(value["reason"], "StrictArpOff");
    let map = &value["configMaps"][0];
    assert_eq!(map["mode"], "ipvs");
    assert_eq!(map["strictARP"], false);
    assert_eq!(map["edit"], "patched");
    assert_eq!(map["changedAt"], "1970-01-01T00:16:40Z");
    assert_eq!(map["changedBy"], "kubeadm");
    let pod = &value["pods"][0];
    assert_eq!(
        keys(pod),
        [
            "configChangedAt",
            "createdAt",
            "freshness",
            "namespace",
            "node",
            "nodeReady",
            "pod",
            "ready",
            "startedAt",
            "trouble",
            "workload"
        ]
    );
    assert_eq!(pod["freshness"], "afterChange");
    assert_eq!(
        keys(&value["workloads"][0]),
        [
            "kind",
            "matchedBy",
            "name",
            "namespace",
            "pods",
            "reason",
            "skipped",
            "source"
        ]
    );
}
