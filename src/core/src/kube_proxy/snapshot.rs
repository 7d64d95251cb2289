//! The fields of Kubernetes objects that can change a decision about kube-proxy, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A point in time in whole seconds since 1970 (UTC), which is all that Kubernetes keeps in object metadata.
/// Prints as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From seconds since 1970-01-01T00:00:00Z.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }

    /// This many seconds later.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for Timestamp {
    /// Civil date from a day count, proleptic Gregorian, counted in eras of 400 years from 0000-03-01.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Namespace and name of an object; prints as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// From its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What every object carries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Namespace and name.
    pub id: ObjectName,
    /// Unique for the life of the cluster; a recreated object has another.
    pub uid: String,
    /// Changes with every write.
    pub resource_version: String,
    /// When it was created, by the API server's clock.
    pub created: Option<Timestamp>,
    /// Being deleted.
    pub terminating: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Owner references.
    pub owners: Vec<Owner>,
    /// Who set which fields; the only trace the API keeps of when something changed.
    pub field_managers: Vec<FieldManager>,
}

/// One owner reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// Kind of the owner.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldManager {
    /// The manager's name for itself, e.g. `kubeadm`, `kubectl-edit`, `eks`.
    pub name: String,
    /// Server-side apply, which takes its fields back at the next apply.
    pub applies: bool,
    /// When this manager last changed one of its fields.
    pub time: Option<Timestamp>,
    /// The keys under `data` (of a ConfigMap) that it set.
    pub data_keys: BTreeSet<String>,
}

/// A DaemonSet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DaemonSet {
    /// Metadata.
    pub metadata: Metadata,
    /// `spec.selector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    /// Labels of the pods it makes.
    pub template_labels: BTreeMap<String, String>,
    /// The pods it makes.
    pub template: PodSpec,
    /// How a changed template reaches the nodes.
    pub update: UpdateStrategy,
    /// `status.desiredNumberScheduled`: nodes that should run a pod of it.
    pub desired: i32,
}

/// `spec.updateStrategy` of a DaemonSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateStrategy {
    /// The controller replaces pods; at most so many (number or percentage) are down at once.
    RollingUpdate {
        /// `maxUnavailable`, as written.
        max_unavailable: String,
    },
    /// Pods keep the old template until somebody deletes them.
    OnDelete,
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        Self::RollingUpdate {
            max_unavailable: "1".to_owned(),
        }
    }
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Metadata.
    pub metadata: Metadata,
    /// The node it is bound to, or made for.
    pub node: Option<String>,
    /// What it runs.
    pub spec: PodSpec,
    /// `status.phase`.
    pub phase: String,
    /// The `Ready` condition.
    pub ready: bool,
    /// Its containers as they are now.
    pub containers: Vec<ContainerStatus>,
}

impl Pod {
    /// A static pod's shadow in the API: its spec comes from a file on the node and cannot be changed here.
    pub fn is_mirror(&self) -> bool {
        self.metadata
            .annotations
            .contains_key("kubernetes.io/config.mirror")
            || self
                .metadata
                .owners
                .iter()
                .any(|owner| owner.kind == "Node")
    }

    /// The status of a container.
    pub fn container(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }
}

/// The part of a container's status that tells whether it runs, since when, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerStatus {
    /// Name of the container.
    pub name: String,
    /// When the running process was started, by the node's clock.
    pub started: Option<Timestamp>,
    /// Why it does not run: reason (`CrashLoopBackOff`, `ImagePullBackOff`) and the kubelet's message.
    pub waiting: Option<(String, String)>,
    /// How the process ended last time: exit code and message or reason.
    pub last_exit: Option<(i32, String)>,
    /// Restarts so far.
    pub restarts: i32,
}

/// What a pod runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodSpec {
    /// `nodeSelector`.
    pub node_selector: BTreeMap<String, String>,
    /// Required node affinity: any of these terms, each with all of its requirements.
    pub affinity: Vec<Vec<Requirement>>,
    /// `spec.os.name`.
    pub os: Option<String>,
    /// Containers.
    pub containers: Vec<Container>,
    /// Init containers.
    pub init_containers: Vec<Container>,
    /// Volumes.
    pub volumes: Vec<Volume>,
}

/// One requirement of a node affinity term (`In`, `NotIn`, ...).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    /// The node label.
    pub key: String,
    /// The operator as written.
    pub operator: String,
    /// The values.
    pub values: Vec<String>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// `command`.
    pub command: Vec<String>,
    /// `args`.
    pub args: Vec<String>,
    /// `workingDir`.
    pub working_dir: Option<String>,
    /// Variables with a literal value; `None` for those taken from elsewhere.
    pub env: BTreeMap<String, Option<String>>,
    /// Volume mounts.
    pub mounts: Vec<Mount>,
}

/// A volume mount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mount {
    /// Name of the volume.
    pub volume: String,
    /// Where it is mounted.
    pub path: String,
    /// `subPath`: only this path of the volume is mounted, and never updated while the pod lives.
    pub sub_path: Option<String>,
    /// `subPathExpr` is used; it depends on variables.
    pub sub_path_expr: Option<String>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    /// What is in it.
    pub source: VolumeSource,
}

/// What is in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// Keys of a ConfigMap as files.
    ConfigMap(KeyProjection),
    /// Files from several sources.
    Projected(Vec<ProjectedSource>),
    /// A path on the node.
    HostPath(String),
    /// Empty at the pod's start: whatever the config is, another container puts it there.
    EmptyDir,
    /// Keys of a Secret as files.
    Secret(String),
    /// Anything else, by its field name (`csi`, `nfs`, ...).
    Other(String),
}

/// One source of a projected volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectedSource {
    /// Keys of a ConfigMap as files.
    ConfigMap(KeyProjection),
    /// Anything else, by its field name (`serviceAccountToken`, `downwardAPI`, ...).
    Other(String),
}

/// Keys of an object as files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyProjection {
    /// Name of the object.
    pub name: String,
    /// Which keys, and as which files; empty: all keys under their own names.
    pub items: Vec<KeyFile>,
}

/// One key as one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyFile {
    /// The key.
    pub key: String,
    /// The path of the file in the volume.
    pub path: String,
}

/// A ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: Metadata,
    /// Text by key.
    pub data: BTreeMap<String, String>,
    /// Keys that hold bytes (`binaryData`).
    pub binary_keys: BTreeSet<String>,
    /// The API server refuses every change of its data.
    pub immutable: bool,
}

impl ConfigMap {
    /// When the text under `key` last changed, and who changed it: the newest entry among the managers of that key.
    /// A manager's time moves when it changes any of its fields, so this is never too early. `None` where
    /// `managedFields` was stripped.
    pub fn changed(&self, key: &str) -> Option<(Timestamp, &str)> {
        self.metadata
            .field_managers
            .iter()
            .filter(|manager| manager.data_keys.contains(key))
            .filter_map(|manager| Some((manager.time?, manager.name.as_str())))
            .max_by_key(|(time, _)| *time)
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `status.nodeInfo.operatingSystem`.
    pub os: String,
    /// `status.nodeInfo.osImage`.
    pub os_image: String,
    /// `status.nodeInfo.kubeletVersion`; distributions leave their mark in it.
    pub kubelet_version: String,
    /// The `Ready` condition.
    pub ready: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_371_068, "2026-11-22T18:11:08Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_unix_seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn a_config_map_changed_when_a_manager_of_that_very_key_last_wrote() {
        let manager = |name: &str, time, keys: &[&str]| FieldManager {
            name: name.to_owned(),
            applies: false,
            time: Some(Timestamp::from_unix_seconds(time)),
            data_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let mut map = ConfigMap::default();
        assert_eq!(map.changed("config.conf"), None);
        map.metadata.field_managers = vec![
            manager("kubeadm", 10, &["config.conf", "kubeconfig.conf"]),
            manager("kubectl-edit", 20, &["config.conf"]),
            manager("labeller", 99, &[]),
        ];
        assert_eq!(
            map.changed("config.conf"),
            Some((Timestamp::from_unix_seconds(20), "kubectl-edit"))
        );
        assert_eq!(
            map.changed("kubeconfig.conf"),
            Some((Timestamp::from_unix_seconds(10), "kubeadm"))
        );
    }
}
