//! Everything the guard knows of the cluster, and which watches it needs for that.
//!
//! What has to be watched follows from what was seen: the DaemonSets tell which labels kube-proxy's Pods have, and which
//! ConfigMaps they mount.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_api::ServiceProxy;
use mooring_api::service_proxy::CLUSTER;
use mooring_core::kube_proxy::Discovery;
use mooring_core::kube_proxy::discovery::{LABELS, WorkloadKind};
use mooring_core::kube_proxy::snapshot::{ConfigMap, DaemonSet, Node, ObjectName, Pod};
use mooring_core::node::NodeReport;

use crate::cache::{Doubt, Effect, Store, Update};
use crate::survey;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// The one ServiceProxy.
    ServiceProxy,
    /// What the agents report.
    Reports,
    /// The agents' own Pods.
    Agents,
    /// All nodes.
    Nodes,
    /// All DaemonSets.
    DaemonSets,
    /// The Pods with these labels.
    Pods {
        /// `None`: everywhere.
        namespace: Option<String>,
        /// As in `k8s-app=kube-proxy`.
        labels: String,
    },
    /// The Pods of `kube-system` that no controller made, as far as they run kube-proxy; looked at where nothing else was
    /// found.
    StaticPods,
    /// One ConfigMap.
    ConfigMap(ObjectName),
    /// The addresses that Services have.
    Services,
    /// The addresses that Mooring handed out. Nothing waits for them: they only tell whose an address is.
    Claims,
}

/// What a watch learned.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Of the ServiceProxy.
    ServiceProxy(Update<Box<ServiceProxy>>),
    /// Of a NodeProxyState.
    Reports(Update<NodeReport>),
    /// Of an agent's Pod.
    Agents(Update<Agent>),
    /// Of a node.
    Nodes(Update<Node>),
    /// Of a DaemonSet.
    DaemonSets(Update<DaemonSet>),
    /// Of a Pod, by one of its sources.
    Pods(Source, Update<Pod>),
    /// Of a ConfigMap.
    ConfigMap(ObjectName, Update<ConfigMap>),
    /// Of a Service that has addresses.
    Services(Update<Ingress>),
    /// Of an ExternalIP: that it is there. Its name is the address.
    Claims(Update<()>),
}

/// The addresses of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ingress {
    /// Which object it is.
    pub uid: String,
    /// The addresses that the nodes answer for.
    pub addresses: BTreeSet<IpAddr>,
}

/// The Pod of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Its node.
    pub node: String,
    /// It looked at its node within the last seconds, and could write what it saw.
    pub ready: bool,
}

/// Something that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// It could not be read; else it only takes its time.
    pub failed: bool,
    /// What, and why.
    pub text: String,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(crate) struct World {
    service_proxy: Store<Box<ServiceProxy>>,
    pub(crate) reports: Store<NodeReport>,
    pub(crate) agents: Store<Agent>,
    pub(crate) nodes: Store<Node>,
    pub(crate) daemon_sets: Store<DaemonSet>,
    pub(crate) pods: BTreeMap<Source, Store<Pod>>,
    pub(crate) config_maps: BTreeMap<ObjectName, Store<ConfigMap>>,
    pub(crate) services: Store<Ingress>,
    pub(crate) claims: Store<()>,
}

// === impl World ===

impl World {
    /// Takes in what a watch learned.
    pub(crate) fn apply(&mut self, change: Change) -> Effect {
        match change {
            Change::ServiceProxy(update) => self.service_proxy.apply(update),
            Change::Reports(update) => self.reports.apply(update),
            Change::Agents(update) => self.agents.apply(update),
            Change::Nodes(update) => self.nodes.apply(update),
            Change::DaemonSets(update) => self.daemon_sets.apply(update),
            Change::Services(update) => self.services.apply(update),
            // Whether they can be read makes no difference to what is trusted.
            Change::Claims(update) => match self.claims.apply(update) {
                Effect::None => Effect::None,
                Effect::Trust | Effect::Objects => Effect::Objects,
            },
            Change::Pods(source, update) => self.pods.entry(source).or_default().apply(update),
            Change::ConfigMap(id, update) => self.config_maps.entry(id).or_default().apply(update),
        }
    }

    /// The ServiceProxy, if there is one.
    pub(crate) fn service_proxy(&self) -> Option<&ServiceProxy> {
        self.service_proxy.get(CLUSTER).map(Box::as_ref)
    }

    /// What has to be watched, by what is known so far.
    pub(crate) fn wanted(&self) -> BTreeSet<Source> {
        let mut wanted: BTreeSet<Source> = [
            Source::ServiceProxy,
            Source::Reports,
            Source::Agents,
            Source::Nodes,
            Source::DaemonSets,
            Source::Services,
            Source::Claims,
        ]
        .into();
        wanted.extend(LABELS.map(|(key, value)| Source::Pods {
            namespace: None,
            labels: format!("{key}={value}"),
        }));
        if self.daemon_sets.doubt() == Some(Doubt::NotYet) {
            return wanted;
        }
        let discovery = survey::discovery(self);
        let labelled_known = self
            .pods
            .values()
            .all(|pods| pods.doubt() != Some(Doubt::NotYet));
        let looked = self.pods.contains_key(&Source::StaticPods);
        let by_label = discovery
            .workloads
            .iter()
            .any(|workload| !matches!(workload.kind, WorkloadKind::BarePod) || !looked);
        if (!by_label && labelled_known && !self.pods.is_empty())
            || self.relies_on_static(&discovery)
        {
            wanted.insert(Source::StaticPods);
        }
        wanted.extend(self.pods_of(&discovery));
        wanted.extend(
            discovery
                .locations()
                .into_iter()
                .map(|location| Source::ConfigMap(location.config_map.clone())),
        );
        wanted.extend(
            self.daemon_sets
                .values()
                .filter(|set| set.metadata.id.name == "cilium")
                .map(|set| Source::ConfigMap(cilium_config(set))),
        );
        wanted
    }

    /// A workload that only the watch for Pods without labels shows keeps that watch.
    fn relies_on_static(&self, discovery: &Discovery) -> bool {
        let Some(pods) = self.pods.get(&Source::StaticPods) else {
            return false;
        };
        discovery
            .workloads
            .iter()
            .any(|workload| pods.values().any(|pod| workload.owns(pod)))
    }

    /// DaemonSets that were found by name or by program have Pods with other labels.
    fn pods_of(&self, discovery: &Discovery) -> Vec<Source> {
        let sets = discovery.workloads.iter().filter_map(|workload| {
            self.daemon_sets
                .values()
                .find(|set| set.metadata.uid == workload.metadata.uid)
        });
        sets.filter(|set| {
            !LABELS.iter().any(|(key, value)| {
                set.template_labels
                    .get(*key)
                    .is_some_and(|found| found == value)
            })
        })
        .map(|set| {
            let pairs = set.selector.iter();
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
            Source::Pods {
                namespace: Some(set.metadata.id.namespace.clone()),
                labels: pairs.join(","),
            }
        })
        .collect()
    }

    /// Forgets what is not watched any more.
    pub(crate) fn retain(&mut self, wanted: &BTreeSet<Source>) {
        self.pods.retain(|source, _| wanted.contains(source));
        self.config_maps
            .retain(|id, _| wanted.contains(&Source::ConfigMap(id.clone())));
    }

    /// What is not known, or not for certain; empty if everything is.
    pub(crate) fn doubts(&self, wanted: &BTreeSet<Source>) -> Vec<Missing> {
        let doubts = wanted.iter().filter_map(|source| {
            let doubt = match source {
                Source::ServiceProxy => self.service_proxy.doubt(),
                Source::Reports => self.reports.doubt(),
                Source::Agents => self.agents.doubt(),
                Source::Nodes => self.nodes.doubt(),
                Source::DaemonSets => self.daemon_sets.doubt(),
                Source::Services => self.services.doubt(),
                Source::Claims => None,
                Source::Pods { .. } | Source::StaticPods => doubt(self.pods.get(source)),
                Source::ConfigMap(id) => {
                    let store = self.config_maps.get(id);
                    doubt(store).filter(|doubt| !may_be_missing(*doubt, id))
                }
            };
            doubt.map(|doubt| Missing {
                failed: doubt != Doubt::NotYet,
                text: describe(source, doubt),
            })
        });
        doubts.collect()
    }

    /// ConfigMaps that kube-proxy mounts and that may not be read, with the API server's words.
    pub(crate) fn unreadable(&self) -> Vec<(&ObjectName, &str)> {
        self.config_maps
            .iter()
            .filter_map(|(id, store)| match store.doubt() {
                Some(Doubt::Trouble(trouble)) if trouble.code == Some(403) => {
                    Some((id, trouble.message.as_str()))
                }
                _ => None,
            })
            .collect()
    }
}

/// Where Cilium says whether it replaces kube-proxy.
pub(crate) fn cilium_config(set: &DaemonSet) -> ObjectName {
    ObjectName::new(&set.metadata.id.namespace, "cilium-config")
}

fn doubt<V: PartialEq>(store: Option<&Store<V>>) -> Option<Doubt<'_>> {
    match store {
        Some(store) => store.doubt(),
        None => Some(Doubt::NotYet),
    }
}

/// A ConfigMap that may not be read is no reason to wait: that is said in a condition, or, of Cilium's, does not matter.
fn may_be_missing(doubt: Doubt<'_>, id: &ObjectName) -> bool {
    let forbidden = matches!(doubt, Doubt::Trouble(trouble) if trouble.code == Some(403));
    forbidden || (id.name == "cilium-config" && doubt != Doubt::NotYet)
}

fn describe(source: &Source, doubt: Doubt<'_>) -> String {
    let what = match source {
        Source::ServiceProxy => "ServiceProxies".to_owned(),
        Source::Reports => "NodeProxyStates".to_owned(),
        Source::Agents => "the agents' Pods".to_owned(),
        Source::Nodes => "Nodes".to_owned(),
        Source::DaemonSets => "DaemonSets".to_owned(),
        Source::Services => "Services".to_owned(),
        Source::Claims => "ExternalIPs".to_owned(),
        Source::Pods { labels, .. } => format!("Pods with {labels}"),
        Source::StaticPods => "Pods in kube-system".to_owned(),
        Source::ConfigMap(id) => format!("ConfigMap {id}"),
    };
    match doubt {
        Doubt::NotYet => format!("{what}: not listed yet"),
        Doubt::Trouble(trouble) => match (source, trouble.code) {
            (Source::ServiceProxy | Source::Reports, Some(404)) => format!(
                "{what}: the CustomResourceDefinition is not there; apply Mooring's CRDs (manifests/crds)"
            ),
            _ => format!("{what}: {}", trouble.message),
        },
    }
}

#[cfg(test)]
#[path = "world/tests.rs"]
mod tests;
