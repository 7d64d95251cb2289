//! Reads everything that an assessment needs.

use std::collections::BTreeSet;

use futures::future::join3;
use mooring_core::kube_proxy::discovery::{LABELS, WorkloadKind};
use mooring_core::kube_proxy::snapshot::{ConfigMap, DaemonSet, ObjectName, Pod};
use mooring_core::kube_proxy::{Discovery, Replacement, discover};
use mooring_core::remediation::Observation;

use crate::cluster::{Cluster, ClusterError};

/// Where pods without a telling label are looked for when nothing else was found.
const SYSTEM: &str = "kube-system";

/// Reads the cluster, or one namespace of it.
pub(crate) async fn observe(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<Observation, ClusterError> {
    let nodes = async {
        match cluster.nodes().await {
            Ok(nodes) => Ok(Some(nodes)),
            Err(ClusterError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    // Of several refusals the same one is shown each time, not the one that comes first.
    let (sets, pods, nodes) = join3(
        cluster.daemon_sets(namespace),
        labelled_pods(cluster, namespace),
        nodes,
    )
    .await;
    let (sets, mut pods, nodes) = (sets?, pods?, nodes?);
    let mut discovery = discover(&sets, &pods);
    if discovery.workloads.is_empty() {
        let found = cluster.pods(Some(namespace.unwrap_or(SYSTEM)), "").await?;
        add(&mut pods, found);
        discovery = discover(&sets, &pods);
    }
    pods_of_daemon_sets(cluster, &discovery, &sets, &mut pods).await?;

    let mut config_maps = Vec::new();
    for location in discovery.locations() {
        let known = |map: &ConfigMap| map.metadata.id == location.config_map;
        if !config_maps.iter().any(known) {
            config_maps.extend(cluster.config_map(&location.config_map).await?);
        }
    }
    let replacements = Replacement::of(&sets, &cilium_config(cluster, &sets).await);
    Ok(Observation {
        discovery,
        config_maps,
        pods,
        nodes,
        replacements,
    })
}

async fn labelled_pods(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<Vec<Pod>, ClusterError> {
    let mut pods = Vec::new();
    for (key, value) in LABELS {
        let found = cluster.pods(namespace, &format!("{key}={value}")).await?;
        add(&mut pods, found);
    }
    Ok(pods)
}

/// DaemonSets found by name or by program have pods with other labels.
async fn pods_of_daemon_sets(
    cluster: &Cluster,
    discovery: &Discovery,
    sets: &[DaemonSet],
    pods: &mut Vec<Pod>,
) -> Result<(), ClusterError> {
    let own = discovery
        .workloads
        .iter()
        .filter(|workload| matches!(workload.kind, WorkloadKind::DaemonSet { .. }))
        .filter_map(|workload| sets.iter().find(|set| set.metadata.id == workload.id));
    for set in own {
        let labelled = |(key, value): &(&str, &str)| {
            set.template_labels
                .get(*key)
                .is_some_and(|found| found == value)
        };
        if !LABELS.iter().any(labelled) {
            let namespace = Some(set.metadata.id.namespace.as_str());
            let found = cluster.pods(namespace, &selector(set)).await?;
            add(pods, found);
        }
    }
    Ok(())
}

/// Cilium says in a ConfigMap whether it replaces kube-proxy; one that may not be read says nothing.
async fn cilium_config(cluster: &Cluster, sets: &[DaemonSet]) -> Vec<ConfigMap> {
    let mut found = Vec::new();
    for set in sets.iter().filter(|set| set.metadata.id.name == "cilium") {
        let id = ObjectName::new(&set.metadata.id.namespace, "cilium-config");
        found.extend(cluster.config_map(&id).await.ok().flatten());
    }
    found
}

/// A DaemonSet's label selector.
pub(crate) fn selector(set: &DaemonSet) -> String {
    let pairs: Vec<String> = set
        .selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn add(pods: &mut Vec<Pod>, found: Vec<Pod>) {
    let known: BTreeSet<String> = pods.iter().map(|pod| pod.metadata.uid.clone()).collect();
    pods.extend(
        found
            .into_iter()
            .filter(|pod| !known.contains(&pod.metadata.uid)),
    );
}
