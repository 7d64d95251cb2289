//! Where kube-proxy is when the ServiceProxy says it (`spec.kubeProxy`).
//!
//! What is said is taken at its word: the DaemonSet is kube-proxy though nothing else tells so, and the ConfigMap key is
//! what it reads. What is not said is found as ever.

use mooring_api::service_proxy::KubeProxyLocation;
use mooring_core::kube_proxy::discovery::{LABELS, WorkloadKind};
use mooring_core::kube_proxy::snapshot::{
    DaemonSet, ObjectName, Pod, ProjectedSource, VolumeSource,
};
use mooring_core::kube_proxy::{ConfigLocation, Discovery, Source, discover};

/// Finds kube-proxy at the place that is said.
pub(crate) fn discover_at(
    said: &KubeProxyLocation,
    daemon_sets: &[DaemonSet],
    pods: &[Pod],
) -> Discovery {
    let mut found = match &said.daemon_set {
        Some(name) => {
            let id = ObjectName::new(&said.namespace, name);
            let set = daemon_sets.iter().find(|set| set.metadata.id == id);
            let labelled: Vec<DaemonSet> = set.cloned().into_iter().map(as_kube_proxy).collect();
            discover(&labelled, &[])
        }
        None => {
            let mut found = discover(daemon_sets, pods);
            found.skipped.clear();
            found.workloads.retain(|workload| {
                workload.id.namespace == said.namespace
                    && match (&said.config_map, &workload.kind) {
                        (Some(map), WorkloadKind::DaemonSet { .. }) => daemon_sets
                            .iter()
                            .filter(|set| set.metadata.uid == workload.metadata.uid)
                            .any(|set| mounts(set, map)),
                        _ => true,
                    }
            });
            found
        }
    };
    if let (Some(map), Some(key)) = (&said.config_map, &said.key) {
        for workload in &mut found.workloads {
            let sub_path = match &workload.source {
                Source::ConfigMap(location) => location.sub_path,
                _ => false,
            };
            workload.source = Source::ConfigMap(ConfigLocation {
                config_map: ObjectName::new(&said.namespace, map),
                key: key.clone(),
                sub_path,
            });
        }
    }
    found
}

/// That nothing is at the place that is said, for people.
pub(crate) fn nothing_at(said: &KubeProxyLocation) -> String {
    let namespace = &said.namespace;
    let what = match (&said.daemon_set, &said.config_map) {
        (Some(set), _) => {
            format!("DaemonSet {namespace}/{set}, and no such DaemonSet runs kube-proxy")
        }
        (None, Some(map)) => {
            format!("ConfigMap {namespace}/{map}, and no kube-proxy in that namespace mounts it")
        }
        (None, None) => format!("namespace {namespace}, and no kube-proxy is there"),
    };
    format!(
        "spec.kubeProxy names {what}, so it is not known whether strictARP is set: correct spec.kubeProxy, or leave it out \
         to have kube-proxy found"
    )
}

/// Discovery goes by the label first, so a DaemonSet with it is taken for kube-proxy whatever its name.
fn as_kube_proxy(mut set: DaemonSet) -> DaemonSet {
    let (key, value) = LABELS[0];
    set.metadata.labels.insert(key.to_owned(), value.to_owned());
    set
}

fn mounts(set: &DaemonSet, map: &str) -> bool {
    set.template.volumes.iter().any(|volume| {
        match &volume.source {
        VolumeSource::ConfigMap(projection) => projection.name == map,
        VolumeSource::Projected(sources) => sources.iter().any(|source| {
            matches!(source, ProjectedSource::ConfigMap(projection) if projection.name == map)
        }),
        _ => false,
    }
    })
}

#[cfg(test)]
#[path = "location/tests.rs"]
mod tests;
