//! What was read from the cluster, and what the caller allows.

use crate::kube_proxy::snapshot::{ConfigMap, Node, ObjectName, Pod};
use crate::kube_proxy::{Discovery, ProxyWorkload, Replacement};
use crate::proxy_mode::ProxyMode;

/// A snapshot of everything that can decide.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Where kube-proxy runs.
    pub discovery: Discovery,
    /// The ConfigMaps that it mounts, as far as they exist.
    pub config_maps: Vec<ConfigMap>,
    /// The pods of its workloads.
    pub pods: Vec<Pod>,
    /// All nodes; `None` if they may not be listed.
    pub nodes: Option<Vec<Node>>,
    /// What may serve in its place.
    pub replacements: Vec<Replacement>,
}

/// What the caller allows, and knows beyond the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Edit a ConfigMap although something keeps it in shape.
    pub force_managed: bool,
    /// Set strictARP although the configured mode does not look at it.
    pub force_mode: bool,
    /// The mode that nodes really run, where somebody asked them.
    pub live_mode: Option<ProxyMode>,
}

impl Observation {
    /// A ConfigMap by name.
    pub fn config_map(&self, id: &ObjectName) -> Option<&ConfigMap> {
        self.config_maps.iter().find(|map| map.metadata.id == *id)
    }

    /// The pods of a workload on Linux nodes, by node.
    pub fn pods_of(&self, workload: &ProxyWorkload) -> Vec<&Pod> {
        let mut pods: Vec<&Pod> = self
            .pods
            .iter()
            .filter(|pod| workload.owns(pod) && !self.is_windows(pod.node.as_deref()))
            .collect();
        pods.sort_by(|a, b| (&a.node, &a.metadata.id).cmp(&(&b.node, &b.metadata.id)));
        pods
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().flatten().find(|node| node.name == name)
    }

    fn is_windows(&self, node: Option<&str>) -> bool {
        node.and_then(|name| self.node(name))
            .is_some_and(|node| node.os == "windows")
    }
}
