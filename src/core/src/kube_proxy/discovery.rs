//! Which workloads are kube-proxy, and where each has its settings from.

use std::fmt;

use serde::Serialize;

use super::command_line::{CommandLine, Flags, image_name};
use super::location::{ConfigLocation, LocationProblem, locate};
use super::snapshot::{Container, DaemonSet, Metadata, ObjectName, Pod, PodSpec, UpdateStrategy};

/// Everything that runs kube-proxy, and what looked like it and was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// Workloads on Linux nodes.
    pub workloads: Vec<ProxyWorkload>,
    /// Workloads that are not touched, with the reason.
    pub skipped: Vec<Skipped>,
}

/// One workload that runs kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyWorkload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Its name; of static pods without the node's name at the end.
    pub id: ObjectName,
    /// How it was found.
    pub matched_by: MatchedBy,
    /// The container that runs kube-proxy.
    pub container: String,
    /// Where its settings come from.
    pub source: Source,
    /// Flags that kube-proxy ignores because they stand next to `--config`.
    pub ignored_flags: Vec<String>,
    /// The DaemonSet's own metadata (of static pods: the first pod's).
    pub metadata: Metadata,
}

/// The kinds of workloads that kube-proxy runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A DaemonSet.
    DaemonSet {
        /// How a changed template reaches the nodes.
        update: UpdateStrategy,
        /// Nodes that should run it.
        desired: i32,
    },
    /// Pods from files on the nodes.
    StaticPod,
    /// Pods that nothing recreates.
    BarePod,
}

/// Where a kube-proxy has its settings from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A key of a ConfigMap.
    ConfigMap(ConfigLocation),
    /// Its flags alone.
    Flags(Flags),
    /// A file that cannot be read through the API.
    Elsewhere(LocationProblem),
    /// The container's command line could not be found: an entry point or a script in the image.
    Hidden,
}

/// How a workload was recognised as kube-proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum MatchedBy {
    /// Label `k8s-app=kube-proxy`.
    K8sAppLabel,
    /// Label `app=kube-proxy`.
    AppLabel,
    /// Label `component=kube-proxy`.
    ComponentLabel,
    /// Its name contains `kube-proxy`.
    Name,
    /// One of its containers runs the program kube-proxy.
    Program,
}

/// The labels that installers put on kube-proxy, in the order of trust.
pub const LABELS: [(&str, &str); 3] = [
    ("k8s-app", "kube-proxy"),
    ("app", "kube-proxy"),
    ("component", "kube-proxy"),
];

/// A workload that is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub id: ObjectName,
    /// Why.
    pub reason: SkipReason,
    /// The ConfigMap it reads, where that is known.
    pub config: Option<ConfigLocation>,
}

/// Why a workload that looks like kube-proxy is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum SkipReason {
    /// It runs on Windows nodes, where strictARP means nothing; Mooring never restarts kube-proxy there.
    Windows,
    /// It has the label or the name, but none of its containers is kube-proxy.
    NotKubeProxy,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for ProxyWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.id)
    }
}

impl WorkloadKind {
    /// The kind's name as a person would write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DaemonSet { .. } => "DaemonSet",
            Self::StaticPod => "static pod",
            Self::BarePod => "pod",
        }
    }
}

// === discover ===

/// Finds kube-proxy among the DaemonSets of a cluster and among pods that no DaemonSet owns.
pub fn discover(daemon_sets: &[DaemonSet], pods: &[Pod]) -> Discovery {
    let mut found = Discovery::default();
    for set in daemon_sets {
        let labels = [&set.metadata.labels, &set.template_labels];
        let Some(matched_by) = recognise(&set.metadata, &labels, &set.template) else {
            continue;
        };
        let kind = WorkloadKind::DaemonSet {
            update: set.update.clone(),
            desired: set.desired,
        };
        found.add(kind, &set.metadata, matched_by, &set.template);
    }
    for pod in pods {
        if !pod.is_mirror() && !pod.metadata.owners.is_empty() {
            continue;
        }
        let labels = [&pod.metadata.labels];
        let Some(matched_by) = recognise(&pod.metadata, &labels, &pod.spec) else {
            continue;
        };
        let kind = if pod.is_mirror() {
            WorkloadKind::StaticPod
        } else {
            WorkloadKind::BarePod
        };
        let mut metadata = pod.metadata.clone();
        if pod.is_mirror() {
            metadata.id = base_id(pod);
        }
        found.add(kind, &metadata, matched_by, &pod.spec);
    }
    found
}

impl Discovery {
    /// Adds a workload; the static pods of many nodes that say the same are one.
    fn add(
        &mut self,
        kind: WorkloadKind,
        metadata: &Metadata,
        matched_by: MatchedBy,
        pod: &PodSpec,
    ) {
        let Some(container) = container_of_kube_proxy(pod) else {
            self.skip(Skipped {
                id: metadata.id.clone(),
                reason: SkipReason::NotKubeProxy,
                config: None,
            });
            return;
        };
        let line = CommandLine::of(container);
        let source = source(line.as_ref(), container, pod, &metadata.id.namespace);
        if runs_on_windows(pod) {
            // Windows pods often copy the mounted file before use: any mounted ConfigMap is worth naming.
            let config = match source {
                Source::ConfigMap(location) => Some(location),
                _ => None,
            };
            self.skip(Skipped {
                id: metadata.id.clone(),
                reason: SkipReason::Windows,
                config,
            });
            return;
        }
        let workload = ProxyWorkload {
            kind,
            id: metadata.id.clone(),
            matched_by,
            container: container.name.clone(),
            source,
            ignored_flags: line.map(|line| line.ignored()).unwrap_or_default(),
            metadata: metadata.clone(),
        };
        let same = |known: &ProxyWorkload| {
            known.kind == workload.kind
                && known.id == workload.id
                && known.source == workload.source
        };
        if !self.workloads.iter().any(same) {
            self.workloads.push(workload);
        }
    }

    fn skip(&mut self, skipped: Skipped) {
        if !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    /// The ConfigMap keys in use, each once.
    pub fn locations(&self) -> Vec<&ConfigLocation> {
        let mut locations: Vec<&ConfigLocation> = Vec::new();
        for workload in &self.workloads {
            if let Source::ConfigMap(location) = &workload.source
                && !locations.iter().any(|known| {
                    known.config_map == location.config_map && known.key == location.key
                })
            {
                locations.push(location);
            }
        }
        locations
    }
}

// === impl ProxyWorkload ===

impl ProxyWorkload {
    /// The pod is one of this workload's.
    pub fn owns(&self, pod: &Pod) -> bool {
        match self.kind {
            WorkloadKind::DaemonSet { .. } => pod
                .metadata
                .owners
                .iter()
                .any(|owner| owner.kind == "DaemonSet" && owner.uid == self.metadata.uid),
            WorkloadKind::StaticPod => {
                pod.is_mirror() && base_id(pod) == self.id && self.is_source_of(pod)
            }
            WorkloadKind::BarePod => pod.metadata.id == self.id && !pod.is_mirror(),
        }
    }

    /// The pod, made from an older template perhaps, has its settings from the same place with the same flags.
    pub fn is_source_of(&self, pod: &Pod) -> bool {
        let namespace = &pod.metadata.id.namespace;
        container_of_kube_proxy(&pod.spec).is_some_and(|container| {
            let line = CommandLine::of(container);
            source(line.as_ref(), container, &pod.spec, namespace) == self.source
        })
    }
}

/// The name of a static pod's file: the kubelet appends the node's name.
fn base_id(pod: &Pod) -> ObjectName {
    let mut id = pod.metadata.id.clone();
    if let Some(node) = &pod.node
        && let Some(base) = id.name.strip_suffix(&format!("-{node}"))
    {
        id.name = base.to_owned();
    }
    id
}

fn source(
    line: Option<&CommandLine>,
    container: &Container,
    pod: &PodSpec,
    namespace: &str,
) -> Source {
    let Some(line) = line else {
        return Source::Hidden;
    };
    match &line.config {
        None => Source::Flags(line.flags()),
        Some(path) => match locate(path, container, pod, namespace) {
            Ok(location) => Source::ConfigMap(location),
            Err(problem) => Source::Elsewhere(problem),
        },
    }
}

fn recognise(
    metadata: &Metadata,
    labels: &[&std::collections::BTreeMap<String, String>],
    pod: &PodSpec,
) -> Option<MatchedBy> {
    let labelled = |(key, value): (&str, &str)| {
        labels
            .iter()
            .any(|labels| labels.get(key).is_some_and(|found| found == value))
    };
    let by_label = LABELS
        .into_iter()
        .zip([
            MatchedBy::K8sAppLabel,
            MatchedBy::AppLabel,
            MatchedBy::ComponentLabel,
        ])
        .find_map(|(label, matched_by)| labelled(label).then_some(matched_by));
    let runs_it = || {
        pod.containers
            .iter()
            .any(|container| CommandLine::of(container).is_some())
    };
    by_label.or_else(|| {
        if metadata.id.name.contains("kube-proxy") {
            Some(MatchedBy::Name)
        } else {
            runs_it().then_some(MatchedBy::Program)
        }
    })
}

/// The container that runs kube-proxy: by its command line, else by its image, else by its name.
fn container_of_kube_proxy(pod: &PodSpec) -> Option<&Container> {
    let by = |test: &dyn Fn(&&Container) -> bool| pod.containers.iter().find(test);
    by(&|container| CommandLine::of(container).is_some())
        .or_else(|| {
            by(&|container| {
                image_name(&container.image).starts_with("kube-proxy")
                    && !image_name(&container.image).contains("exporter")
            })
        })
        .or_else(|| by(&|container| container.name == "kube-proxy"))
}

/// The pod can only run on Windows nodes.
fn runs_on_windows(pod: &PodSpec) -> bool {
    const OS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];
    let selected = OS.iter().any(|key| {
        pod.node_selector
            .get(*key)
            .is_some_and(|os| os == "windows")
    });
    let by_affinity = !pod.affinity.is_empty()
        && pod.affinity.iter().all(|term| {
            term.iter().any(|requirement| {
                let only = |os: &str| requirement.values.iter().all(|value| value == os);
                OS.contains(&requirement.key.as_str())
                    && !requirement.values.is_empty()
                    && match requirement.operator.as_str() {
                        "In" => only("windows"),
                        "NotIn" => requirement.values.iter().any(|value| value == "linux"),
                        _ => false,
                    }
            })
        });
    pod.os.as_deref() == Some("windows") || selected || by_affinity
}

#[cfg(test)]
#[path = "discovery/tests.rs"]
mod tests;
