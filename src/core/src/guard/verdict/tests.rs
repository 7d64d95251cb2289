use std::net::IpAddr;

use super::*;
use crate::condition::{
    EffectiveReason as Effective, ModeDetectedReason as Mode, RolledOutReason as RolledOut,
    SafeToAnnounceReason as Safe, StrictArpConfiguredReason as Configured,
};
use crate::kube_proxy::discover;
use crate::kube_proxy::snapshot::{
    ConfigMap, Container, ContainerStatus, DaemonSet, FieldManager, KeyProjection, Metadata, Mount,
    Node, Owner, Pod, PodSpec, Timestamp, Volume, VolumeSource,
};
use crate::node::{NodeReport, RunningKubeProxy, Uplink};
use crate::remediation::note::{NoteKind, NoteTarget};
use crate::remediation::run::{Enforcement, assess_for};

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

fn metadata(name: &str) -> Metadata {
    Metadata {
        id: ObjectName::new("kube-system", name),
        uid: name.to_owned(),
        resource_version: "7".to_owned(),
        created: Some(at(10)),
        ..Metadata::default()
    }
}

/// Three nodes in mode ipvs with strictARP, all of them right and reporting.
struct Cluster {
    text: String,
    pods: Vec<Pod>,
    nodes: Vec<NodeView>,
    wanted: Wanted,
    addresses: Vec<ExternalAddress>,
    former: Vec<PastCondition>,
}

fn report(mode: LiveMode, arp_ignore: i32, arp_announce: i32) -> NodeReport {
    NodeReport {
        mode,
        kube_proxy: Some(RunningKubeProxy {
            version: None,
            strict_arp: Some(true),
            started: Some(at(1_012)),
            healthy: Some(true),
        }),
        uplinks: vec![Uplink {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            subnets: Vec::new(),
            addresses: Vec::new(),
            gateways: Vec::new(),
            arp_ignore,
            arp_announce,
        }],
        ..NodeReport::default()
    }
}

fn daemon_set() -> DaemonSet {
    DaemonSet {
        metadata: metadata("kube-proxy"),
        template_labels: [("k8s-app".to_owned(), "kube-proxy".to_owned())].into(),
        template: PodSpec {
            containers: vec![Container {
                name: "kube-proxy".to_owned(),
                command: vec![
                    "kube-proxy".to_owned(),
                    "--config=/c/config.conf".to_owned(),
                ],
                mounts: vec![Mount {
                    volume: "config".to_owned(),
                    path: "/c".to_owned(),
                    ..Mount::default()
                }],
                ..Container::default()
            }],
            volumes: vec![Volume {
                name: "config".to_owned(),
                source: VolumeSource::ConfigMap(KeyProjection {
                    name: "kube-proxy".to_owned(),
                    items: Vec::new(),
                }),
            }],
            ..PodSpec::default()
        },
        desired: 3,
        ..DaemonSet::default()
    }
}

fn pod(node: &str) -> Pod {
    let set = daemon_set();
    let mut metadata = metadata(&format!("kube-proxy-{node}"));
    metadata.created = Some(at(1_010));
    metadata.owners = vec![Owner {
        kind: "DaemonSet".to_owned(),
        name: "kube-proxy".to_owned(),
        uid: "kube-proxy".to_owned(),
    }];
    Pod {
        metadata,
        node: Some(node.to_owned()),
        spec: set.template,
        phase: "Running".to_owned(),
        ready: true,
        containers: vec![ContainerStatus {
            name: "kube-proxy".to_owned(),
            started: Some(at(1_012)),
            ..ContainerStatus::default()
        }],
    }
}

impl Cluster {
    fn right() -> Self {
        let names = ["n1", "n2", "n3"];
        Self {
            text: text("ipvs", "true"),
            pods: names.iter().map(|name| pod(name)).collect(),
            nodes: names
                .iter()
                .map(|name| NodeView {
                    name: (*name).to_owned(),
                    ready: true,
                    reporting: true,
                    report: Some(report(LiveMode::Ipvs, 1, 2)),
                })
                .collect(),
            wanted: Wanted::default(),
            addresses: Vec::new(),
            former: Vec::new(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn in_mode(mode: LiveMode, configured: &str) -> Self {
        Self::right().with(|cluster| {
            cluster.text = text(configured, "false");
            for node in &mut cluster.nodes {
                node.report = Some(report(mode, 0, 0));
            }
        })
    }

    fn judge(&self) -> ClusterVerdict {
        let mut map = ConfigMap {
            metadata: metadata("kube-proxy"),
            data: [("config.conf".to_owned(), self.text.clone())].into(),
            ..ConfigMap::default()
        };
        map.metadata.field_managers = vec![FieldManager {
            name: "kubeadm".to_owned(),
            time: Some(at(1_000)),
            data_keys: ["config.conf".to_owned()].into(),
            ..FieldManager::default()
        }];
        let sets = if self.pods.is_empty() {
            Vec::new()
        } else {
            vec![daemon_set()]
        };
        let seen = Observation {
            discovery: discover(&sets, &self.pods),
            config_maps: vec![map],
            pods: self.pods.clone(),
            nodes: Some(
                self.nodes
                    .iter()
                    .map(|node| Node {
                        name: node.name.clone(),
                        os: "linux".to_owned(),
                        ready: node.ready,
                        ..Node::default()
                    })
                    .collect(),
            ),
            replacements: Vec::new(),
        };
        judge(&GuardInput {
            wanted: &self.wanted,
            seen: &seen,
            assessment: &assess_for(&seen, &self.nodes, &self.wanted),
            nodes: &self.nodes,
            run: None,
            external_ips: &self.addresses,
            former: &self.former,
        })
    }
}

fn text(mode: &str, strict_arp: &str) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: {mode}\nipvs:\n  strictARP: {strict_arp}\n"
    )
}

type Five = (Mode, Configured, RolledOut, Effective, Safe);

#[test]
fn each_cluster_has_its_five_reasons() {
    let cases: Vec<(&str, Cluster, Five)> = vec![
        (
            "AntreaProxy in place of kube-proxy",
            Cluster::in_mode(LiveMode::AntreaProxyAll, "iptables")
                .with(|cluster| cluster.pods.clear()),
            (
                Mode::Detected,
                Configured::Replaced,
                RolledOut::NotNeeded,
                Effective::NotNeeded,
                Safe::NotNeeded,
            ),
        ),
        (
            "all right",
            Cluster::right(),
            (
                Mode::Detected,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::Quiet,
                Safe::AllNodesQuiet,
            ),
        ),
        (
            "strictARP off and loud",
            Cluster::in_mode(LiveMode::Ipvs, "ipvs"),
            (
                Mode::Detected,
                Configured::StrictArpOff,
                RolledOut::RestartPending,
                Effective::ArpIgnoreTooLow,
                Safe::NodesNotQuiet,
            ),
        ),
        (
            "strictARP off and quiet by hand",
            Cluster::right().with(|cluster| {
                cluster.text = text("ipvs", "false");
                for node in &mut cluster.nodes {
                    let proxy = node.report.as_mut().and_then(|one| one.kube_proxy.as_mut());
                    proxy.expect("a kube-proxy").strict_arp = Some(false);
                }
            }),
            (
                Mode::Detected,
                Configured::StrictArpOff,
                RolledOut::AllStarted,
                Effective::Quiet,
                Safe::NotConfigured,
            ),
        ),
        (
            "a sysctl set back",
            Cluster::right().with(|cluster| {
                cluster.nodes[1].report = Some(report(LiveMode::Ipvs, 1, 0));
            }),
            (
                Mode::Detected,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::ArpAnnounceTooLow,
                Safe::NodesNotQuiet,
            ),
        ),
        (
            "iptables",
            Cluster::in_mode(LiveMode::Iptables, "iptables"),
            (
                Mode::Detected,
                Configured::NotNeeded,
                RolledOut::NotNeeded,
                Effective::NotNeeded,
                Safe::NotNeeded,
            ),
        ),
        (
            "iptables with what ipvs left",
            Cluster::in_mode(LiveMode::Iptables, "iptables").with(|cluster| {
                let report = cluster.nodes[0].report.as_mut().expect("a report");
                report.leftovers = vec![IpAddr::from([192, 0, 2, 1])];
            }),
            (
                Mode::Detected,
                Configured::NotNeeded,
                RolledOut::NotNeeded,
                Effective::AddressesLeftBehind,
                Safe::NodesNotQuiet,
            ),
        ),
        (
            "one node differs",
            Cluster::right().with(|cluster| {
                cluster.nodes[2].report = Some(report(LiveMode::Nftables, 0, 0));
            }),
            (
                Mode::MixedModes,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::Quiet,
                Safe::AllNodesQuiet,
            ),
        ),
        (
            "one node tells nothing",
            Cluster::right().with(|cluster| {
                cluster.nodes[2].report = Some(report(LiveMode::Unknown, 0, 0));
            }),
            (
                Mode::NoEvidence,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::SysctlsUnreadable,
                Safe::ModeUnknown,
            ),
        ),
        (
            "a silent agent",
            Cluster::right().with(|cluster| cluster.nodes[2].reporting = false),
            (
                Mode::NodesNotReporting,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::NodesNotReporting,
                Safe::NodesNotReporting,
            ),
        ),
        (
            "a dead node",
            Cluster::right().with(|cluster| cluster.nodes[2].ready = false),
            (
                Mode::Detected,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::Quiet,
                Safe::AllNodesQuiet,
            ),
        ),
        (
            "a Pod that does not run",
            Cluster::right().with(|cluster| {
                cluster.pods[1].ready = false;
                cluster.pods[1].containers[0].waiting =
                    Some(("ImagePullBackOff".to_owned(), String::new()));
            }),
            (
                Mode::Detected,
                Configured::StrictArpOn,
                RolledOut::PodsNotReady,
                Effective::Quiet,
                Safe::AllNodesQuiet,
            ),
        ),
        (
            "times say old, the process says new",
            Cluster::right().with(|cluster| {
                for pod in &mut cluster.pods {
                    pod.metadata.created = Some(at(900));
                    pod.containers[0].started = Some(at(1_012));
                }
            }),
            (
                Mode::Detected,
                Configured::StrictArpOn,
                RolledOut::AllStarted,
                Effective::Quiet,
                Safe::AllNodesQuiet,
            ),
        ),
        (
            "no kube-proxy",
            Cluster::in_mode(LiveMode::None, "ipvs").with(|cluster| cluster.pods.clear()),
            (
                Mode::Detected,
                Configured::NoKubeProxy,
                RolledOut::NoPods,
                Effective::NotNeeded,
                Safe::NotNeeded,
            ),
        ),
        (
            "policy Ignore",
            Cluster::in_mode(LiveMode::Ipvs, "ipvs")
                .with(|cluster| cluster.wanted.enforcement = Enforcement::Ignore),
            (
                Mode::Detected,
                Configured::StrictArpOff,
                RolledOut::RestartPending,
                Effective::ArpIgnoreTooLow,
                Safe::PolicyIgnores,
            ),
        ),
    ];
    for (what, cluster, five) in cases {
        let verdict = cluster.judge();
        let found: Vec<&str> = verdict.conditions.iter().map(|one| one.reason).collect();
        let wanted = [
            five.0.to_string(),
            five.1.to_string(),
            five.2.to_string(),
            five.3.to_string(),
            five.4.to_string(),
        ];
        assert_eq!(found, wanted, "{what}: {:#?}", verdict.conditions);
        for (condition, kind) in verdict.conditions.iter().zip(ConditionType::OF_GUARD) {
            assert_eq!(condition.kind, kind, "{what}");
            assert!(!condition.message.is_empty(), "{what}: {kind}");
        }
    }
}

#[test]
fn effective_names_node_interface_sysctl_and_value_of_the_first_few() {
    let one = Cluster::right().with(|cluster| {
        cluster.nodes[1].report = Some(report(LiveMode::Ipvs, 0, 2));
    });
    let message = one.judge().conditions[3].message.clone();
    assert!(
        message.contains("node n2: eth0 arp_ignore is 0 instead of 1"),
        "{message}"
    );
    assert!(
        message.contains("something set the sysctl back"),
        "{message}"
    );
    let all = Cluster::in_mode(LiveMode::Ipvs, "ipvs").judge();
    assert!(
        all.conditions[3].message.contains("and 1 more"),
        "{}",
        all.conditions[3].message
    );
}

#[test]
fn the_addresses_in_danger_are_named_with_their_services() {
    let address = |last: u8, service: &str| ExternalAddress {
        address: IpAddr::from([192, 0, 2, last]),
        service: ObjectName::new("shop", service),
    };
    let cluster = Cluster::in_mode(LiveMode::Ipvs, "ipvs").with(|cluster| {
        cluster.addresses = vec![address(9, "web"), address(8, "mail"), address(9, "web")];
        cluster.addresses.push(ExternalAddress {
            address: IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
            service: ObjectName::new("shop", "six"),
        });
    });
    let message = cluster.judge().conditions[4].message.clone();
    assert!(
        message.contains("2 addresses are in danger: 192.0.2.8 of Service shop/mail, 192.0.2.9 of Service shop/web"),
        "{message}"
    );
    assert!(
        !message.contains("shop/six"),
        "IPv6 is not in danger: {message}"
    );
}

#[test]
fn nodes_are_counted_by_what_is_known_of_them() {
    let cluster = Cluster::right().with(|cluster| {
        cluster.nodes[0].report = Some(report(LiveMode::Ipvs, 0, 2));
        cluster.nodes[1].ready = false;
        cluster.nodes[1].reporting = false;
        // Taken for lost by the node controller, and yet it reports.
        cluster.nodes[2].ready = false;
    });
    let verdict = cluster.judge();
    assert_eq!(
        verdict.nodes,
        Counts {
            effective: 1,
            not_effective: 1,
            unknown: 1
        }
    );
    assert_eq!(verdict.live_modes, [(LiveMode::Ipvs, 2)]);
    assert_eq!(verdict.mode.as_deref(), Some("ipvs"));
    let found = verdict.configuration.expect("a configuration");
    assert_eq!(found.strict_arp, Some(true));
    assert_eq!(
        found.workload.map(|(kind, _)| kind),
        Some("DaemonSet".to_owned())
    );
}

#[test]
fn values_of_arp_ignore_that_still_answer_are_not_quiet() {
    for (value, quiet) in [
        (0, false),
        (1, true),
        (2, true),
        (3, false),
        (5, false),
        (8, true),
    ] {
        let found = super::super::disquiet(&report(LiveMode::Ipvs, value, 2));
        assert_eq!(found.is_empty(), quiet, "arp_ignore {value}");
    }
}

#[test]
fn a_change_is_noted_once_and_a_restarted_operator_repeats_nothing() {
    let loud = Cluster::right().with(|cluster| {
        cluster.nodes[1].report = Some(report(LiveMode::Ipvs, 0, 2));
    });
    let past = |verdict: &ClusterVerdict| -> Vec<PastCondition> {
        let conditions = verdict.conditions.iter();
        conditions
            .map(|one| PastCondition {
                kind: one.kind,
                status: one.status,
                reason: one.reason.to_owned(),
            })
            .collect()
    };
    let former = past(&Cluster::right().judge());
    let first = loud.with(|cluster| cluster.former = former);
    let verdict = first.judge();
    let told: Vec<(&NoteTarget, &str)> = verdict
        .notes
        .iter()
        .map(|note| (&note.target, note.reason))
        .collect();
    assert_eq!(
        told,
        [
            (&NoteTarget::ServiceProxy, "ArpIgnoreTooLow"),
            (&NoteTarget::Node("n2".to_owned()), "ArpIgnoreTooLow"),
            (&NoteTarget::ServiceProxy, "NodesNotQuiet"),
        ]
    );
    assert!(
        verdict
            .notes
            .iter()
            .all(|note| note.kind == NoteKind::Warning)
    );
    let again = first.with(|cluster| cluster.former = past(&verdict));
    assert!(again.judge().notes.is_empty());
}
