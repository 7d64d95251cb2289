//! A small model of a cluster: an API server with one ConfigMap and one DaemonSet, its controller, kubelets, agents.

use std::collections::{BTreeMap, BTreeSet};

use mooring_core::kube_proxy::discover;
use mooring_core::kube_proxy::snapshot::{
    ConfigMap, Container, ContainerStatus, DaemonSet, FieldManager, KeyProjection, Metadata, Mount,
    Node, ObjectName, Owner, Pod, PodSpec, Timestamp, UpdateStrategy, Volume, VolumeSource,
};
use mooring_core::node::{NodeReport, NodeView, RunningKubeProxy, Uplink};
use mooring_core::proxy_mode::LiveMode;
use mooring_core::remediation::run::FIELD_MANAGER;
use mooring_core::remediation::{Observation, Patch, PodRef};

pub(crate) const KEY: &str = "config.conf";
/// How often an agent looks.
const AGENT_PERIOD: i64 = 5;

pub(crate) fn text(strict_arp: &str) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  strictARP: {strict_arp}\n"
    )
}

/// What an operator reads in one look.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) seen: Observation,
    pub(crate) nodes: Vec<NodeView>,
}

#[derive(Debug, Clone)]
struct SimNode {
    alive: bool,
    agent: bool,
    quiet: bool,
    image: bool,
    report: Option<NodeReport>,
}

#[derive(Debug, Clone)]
struct SimPod {
    uid: String,
    created: i64,
    /// When it is gone.
    ends: Option<i64>,
    started: Option<i64>,
    /// `strictARP` as its process read it.
    strict_arp: bool,
}

/// A deletion that had an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) time: i64,
    pub(crate) node: String,
    pub(crate) uid: String,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) text: String,
    pub(crate) max_unavailable: String,
    version: u64,
    manager: (String, i64),
    nodes: BTreeMap<String, SimNode>,
    pods: BTreeMap<String, SimPod>,
    next_uid: u32,
    /// The copy of the text that kubelets give to new Pods, if it is not the newest.
    pub(crate) old_copy: Option<String>,
    pub(crate) writes: Vec<String>,
    pub(crate) deletions: Vec<Deletion>,
}

impl World {
    pub(crate) fn of(nodes: usize, agents: bool) -> Self {
        let names: Vec<String> = (1..=nodes).map(|index| format!("n{index}")).collect();
        let mut world = Self {
            now: 10_000,
            text: text("false"),
            max_unavailable: "1".to_owned(),
            version: 7,
            manager: ("kubeadm".to_owned(), 100),
            nodes: names
                .iter()
                .map(|name| {
                    let node = SimNode {
                        alive: true,
                        agent: agents,
                        quiet: false,
                        image: true,
                        report: None,
                    };
                    (name.clone(), node)
                })
                .collect(),
            pods: BTreeMap::new(),
            next_uid: 0,
            old_copy: None,
            writes: Vec::new(),
            deletions: Vec::new(),
        };
        for name in names {
            let uid = world.uid();
            let pod = SimPod {
                uid,
                created: 200,
                ends: None,
                started: Some(201),
                strict_arp: false,
            };
            world.pods.insert(name, pod);
        }
        world.agents_look(true);
        world
    }

    fn uid(&mut self) -> String {
        self.next_uid += 1;
        format!("uid-{}", self.next_uid)
    }

    fn node(&mut self, name: &str) -> &mut SimNode {
        self.nodes.get_mut(name).expect("a node")
    }

    pub(crate) fn set_alive(&mut self, name: &str, alive: bool) {
        self.node(name).alive = alive;
    }

    pub(crate) fn remove_images(&mut self) {
        self.nodes.values_mut().for_each(|node| node.image = false);
    }

    pub(crate) fn remove_image(&mut self, name: &str) {
        self.node(name).image = false;
    }

    pub(crate) fn imageless(&self) -> usize {
        self.nodes.values().filter(|node| !node.image).count()
    }

    pub(crate) fn set_agent(&mut self, name: &str, agent: bool) {
        self.node(name).agent = agent;
    }

    // --- the API server ---

    pub(crate) fn edit(&mut self, who: &str, text: String) {
        self.text = text;
        self.version += 1;
        self.manager = (who.to_owned(), self.now);
    }

    /// Whether the API server takes the patch.
    pub(crate) fn patch(&mut self, patch: &Patch) -> bool {
        if patch.resource_version != self.version.to_string() || patch.before != self.text {
            return false;
        }
        self.edit(FIELD_MANAGER, patch.after.clone());
        self.writes.push(patch.after.clone());
        true
    }

    pub(crate) fn delete(&mut self, pod: &PodRef) -> bool {
        let (now, alive) = (self.now, self.nodes[&pod.node].alive);
        let Some(found) = self.pods.get_mut(&pod.node) else {
            return false;
        };
        if found.uid != pod.uid || found.ends.is_some() {
            return false;
        }
        // A dead kubelet never confirms.
        found.ends = Some(if alive { now + 2 } else { i64::MAX });
        self.deletions.push(Deletion {
            time: now,
            node: pod.node.clone(),
            uid: pod.uid.clone(),
        });
        true
    }

    // --- time ---

    pub(crate) fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        let gone = |pod: &SimPod| pod.ends.is_some_and(|ends| ends <= now);
        self.pods.retain(|_, pod| !gone(pod));
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in names {
            if !self.pods.contains_key(&name) && self.nodes[&name].alive {
                let strict_arp = self.old_copy.as_ref().unwrap_or(&self.text);
                let strict_arp = strict_arp.contains("strictARP: true");
                let uid = self.uid();
                let pod = SimPod {
                    uid,
                    created: now,
                    ends: None,
                    started: None,
                    strict_arp,
                };
                self.pods.insert(name.clone(), pod);
            }
            let node = self.nodes.get_mut(&name).expect("a node");
            let Some(pod) = self.pods.get_mut(&name) else {
                continue;
            };
            if node.alive && node.image && pod.started.is_none() && now >= pod.created + 2 {
                pod.started = Some(now);
                node.quiet |= pod.strict_arp;
            }
        }
        self.agents_look(now % AGENT_PERIOD == 0);
    }

    fn agents_look(&mut self, due: bool) {
        for (name, node) in &mut self.nodes {
            if !(due && node.alive && node.agent) {
                continue;
            }
            let running = self.pods.get(name).filter(|pod| pod.started.is_some());
            node.report = Some(NodeReport {
                mode: LiveMode::Ipvs,
                kube_proxy: running.map(|pod| RunningKubeProxy {
                    version: Some("v1.35.4".to_owned()),
                    strict_arp: Some(pod.strict_arp),
                    started: pod.started.map(Timestamp::from_unix_seconds),
                    healthy: Some(true),
                }),
                uplinks: vec![Uplink {
                    name: "eth0".to_owned(),
                    mac: "02:00:00:00:00:01".to_owned(),
                    subnets: Vec::new(),
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    arp_ignore: i32::from(node.quiet),
                    arp_announce: if node.quiet { 2 } else { 0 },
                }],
                ..NodeReport::default()
            });
        }
    }

    // --- what is asked of it ---

    fn is_ready(&self, name: &str) -> bool {
        let pod = self.pods.get(name);
        self.nodes[name].alive && pod.is_some_and(|pod| pod.started.is_some() && pod.ends.is_none())
    }

    pub(crate) fn down(&self) -> BTreeSet<String> {
        let alive = self.nodes.iter().filter(|(_, node)| node.alive);
        alive
            .map(|(name, _)| name.clone())
            .filter(|name| !self.is_ready(name))
            .collect()
    }

    /// The nodes whose running kube-proxy has strictARP.
    pub(crate) fn strict(&self) -> BTreeSet<String> {
        let pods = self.pods.iter();
        pods.filter(|(name, pod)| pod.strict_arp && self.is_ready(name))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.nodes.keys().cloned().collect()
    }

    pub(crate) fn deletions_of(&self, node: &str) -> usize {
        self.deletions.iter().filter(|one| one.node == node).count()
    }

    pub(crate) fn look(&self) -> Look {
        let set = self.daemon_set();
        let pods: Vec<Pod> = self
            .pods
            .iter()
            .map(|(node, pod)| self.pod(&set, node, pod))
            .collect();
        let nodes = self.nodes.iter().map(|(name, node)| Node {
            name: name.clone(),
            os: "linux".to_owned(),
            ready: node.alive,
            ..Node::default()
        });
        let views = self.nodes.iter().map(|(name, node)| NodeView {
            name: name.clone(),
            ready: node.alive,
            reporting: node.alive && node.agent && node.report.is_some(),
            report: node.report.clone(),
        });
        Look {
            seen: Observation {
                discovery: discover(std::slice::from_ref(&set), &pods),
                config_maps: vec![self.config_map()],
                pods,
                nodes: Some(nodes.collect()),
                replacements: Vec::new(),
            },
            nodes: views.collect(),
        }
    }

    fn config_map(&self) -> ConfigMap {
        let mut metadata = metadata("kube-proxy");
        metadata.resource_version = self.version.to_string();
        metadata.created = Some(Timestamp::from_unix_seconds(50));
        metadata.field_managers = vec![FieldManager {
            name: self.manager.0.clone(),
            applies: false,
            time: Some(Timestamp::from_unix_seconds(self.manager.1)),
            data_keys: [KEY.to_owned()].into(),
        }];
        ConfigMap {
            metadata,
            data: [(KEY.to_owned(), self.text.clone())].into(),
            ..ConfigMap::default()
        }
    }

    fn daemon_set(&self) -> DaemonSet {
        DaemonSet {
            metadata: metadata("kube-proxy"),
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
                        name: "kube-proxy".to_owned(),
                        items: Vec::new(),
                    }),
                }],
                ..PodSpec::default()
            },
            update: UpdateStrategy::RollingUpdate {
                max_unavailable: self.max_unavailable.clone(),
            },
            desired: 3,
            ..DaemonSet::default()
        }
    }

    fn pod(&self, set: &DaemonSet, node: &str, pod: &SimPod) -> Pod {
        let mut metadata = metadata(&format!("kube-proxy-{}", pod.uid));
        metadata.uid.clone_from(&pod.uid);
        metadata.created = Some(Timestamp::from_unix_seconds(pod.created));
        metadata.terminating = pod.ends.is_some();
        metadata.owners = vec![Owner {
            kind: "DaemonSet".to_owned(),
            name: set.metadata.id.name.clone(),
            uid: set.metadata.uid.clone(),
        }];
        let pulling =
            !self.nodes[node].image && pod.started.is_none() && self.now > pod.created + 1;
        Pod {
            metadata,
            node: Some(node.to_owned()),
            spec: set.template.clone(),
            phase: "Running".to_owned(),
            ready: self.is_ready(node),
            containers: vec![ContainerStatus {
                name: "kube-proxy".to_owned(),
                started: pod.started.map(Timestamp::from_unix_seconds),
                waiting: pulling.then(|| {
                    let message = "container image is not present".to_owned();
                    ("ErrImageNeverPull".to_owned(), message)
                }),
                ..ContainerStatus::default()
            }],
        }
    }
}

fn metadata(name: &str) -> Metadata {
    Metadata {
        id: ObjectName::new("kube-system", name),
        uid: format!("{name}-uid"),
        resource_version: "1".to_owned(),
        ..Metadata::default()
    }
}
