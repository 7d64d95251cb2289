//! ServiceProxy: what the cluster's administrator wants of kube-proxy.
//!
//! The doc comments of the fields are the text of `kubectl explain`: they speak to administrators.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod foreign;
mod gate;
mod remediation;
mod run;
mod status;
mod verdict;
mod wanted;

pub use foreign::{Finding, ForeignAddress, foreign_addresses};
pub use gate::gate;
pub use remediation::{
    EditedKey, Remediation, RemediationPhase, RemediationResult, ReplacedPod, Revert, Trigger,
};
pub use status::{
    Configuration, ConfigurationSource, LiveModeCount, NodeCounts, ServiceProxyStatus, Workload,
};
pub use verdict::{past_conditions, to_status};

/// The name of the one ServiceProxy of a cluster.
pub const CLUSTER: &str = "cluster";

/// What Mooring shall do about kube-proxy. Every field has a default, so `spec: {}` is complete.
#[derive(
    CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default,
)]
#[kube(
    group = "mooring.dev",
    version = "v1alpha1",
    kind = "ServiceProxy",
    plural = "serviceproxies",
    shortname = "svcproxy",
    category = "mooring",
    status = "ServiceProxyStatus",
    derive = "PartialEq",
    doc = "Guards how the nodes answer ARP for external IPs of Services. There is one per cluster, named `cluster`: its \
           spec says what Mooring may do about kube-proxy, its status tells what is true on the nodes, and its \
           conditions say what to do next.",
    validation = Rule::new("self.metadata.name == 'cluster'")
        .message("a cluster has one ServiceProxy, named cluster: set metadata.name to cluster"),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".status.mode",
        description = "The live mode; several, separated by commas, while nodes differ"
    ),
    printcolumn(
        name = "StrictARP",
        type_ = "boolean",
        json_path = ".status.configuration.strictARP",
        description = "ipvs.strictARP in kube-proxy's configuration; it means something in mode ipvs only"
    ),
    printcolumn(
        name = "Effective",
        type_ = "string",
        json_path = ".status.nodes.summary",
        description = "Nodes that do not answer ARP for addresses they do not own, of all nodes"
    ),
    printcolumn(
        name = "Safe",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"SafeToAnnounce\")].status",
        description = "Whether external IPs can be announced without a second node answering for them"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProxySpec {
    /// What to do about `ipvs.strictARP`, the setting of kube-proxy that keeps a node in mode ipvs from answering ARP for
    /// addresses that it holds on `kube-ipvs0` and does not own.
    #[serde(rename = "strictARP", default)]
    pub strict_arp: StrictArp,
    /// Where kube-proxy and its configuration are. Leave it out unless Mooring reports that it cannot find them, or that
    /// it found the wrong ones: it follows the running Pods to the ConfigMap key that they mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_proxy: Option<KubeProxyLocation>,
}

/// What to do about `ipvs.strictARP`.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct StrictArp {
    /// What happens when nodes in mode ipvs would answer for addresses that they do not own. `Enforce` (default) sets
    /// `ipvs.strictARP: true` in kube-proxy's ConfigMap, restarts kube-proxy as `rollout` says and verifies every node; it
    /// writes nothing where the mode ignores strictARP. `Warn` writes nothing: conditions and events say what is wrong and
    /// what to do. `Ignore` writes nothing, and lets addresses be announced whether that is safe or not.
    #[serde(default)]
    pub policy: Policy,
    /// How kube-proxy is restarted after an edit; it reads its configuration only when it starts.
    #[serde(default)]
    pub rollout: Rollout,
    /// What happens when an installer or a GitOps tool (Argo CD, Flux, Helm, EKS, k0s, ...) keeps kube-proxy's ConfigMap in
    /// shape. `Report` (default) writes nothing and names the setting to change there. `Edit` edits it all the same; should
    /// the tool take the edit back, Mooring stops after the second time and says so.
    #[serde(default)]
    pub managed: Managed,
    /// What happens to the sysctls `arp_ignore` and `arp_announce` of `net.ipv4.conf` themselves. `Observe` (default) only
    /// reads them. `Enforce` lets the agents raise them to 1 and 2 on nodes in mode ipvs, for clusters whose kube-proxy
    /// has no ConfigMap that could be edited; what was there before is put back when this object is deleted.
    #[serde(default)]
    pub sysctls: Sysctls,
    /// What happens to external IPs that a former mode ipvs left on `kube-ipvs0`, where nodes go on answering ARP for them
    /// beside the one that has them. `RemoveOurs` (default) lets the agents take those away that Mooring handed out, on nodes
    /// in mode iptables or nftables. `Report` only says so. Those of others are never touched.
    #[serde(default)]
    pub leftovers: Leftovers,
}

/// What happens when strictARP is needed and off.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Edit, roll out, verify.
    #[default]
    Enforce,
    /// Say so, and write nothing.
    Warn,
    /// Write nothing, and do not hold addresses back.
    Ignore,
}

/// What happens to a ConfigMap that something else keeps in shape.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Managed {
    /// Say what to change where.
    #[default]
    Report,
    /// Edit it.
    Edit,
}

/// How kube-proxy is restarted after an edit.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// The order. `Canary` (default) restarts kube-proxy on one node and verifies there that it came up in its mode, with
    /// strictARP and the right sysctls, before it touches the rest; if that fails, the edit is taken back. `Rolling`
    /// restarts all nodes without waiting for a first one to be verified. `Manual` makes the edit and leaves the restart
    /// to you.
    #[serde(default)]
    pub strategy: RolloutStrategy,
    /// On how many nodes kube-proxy may be down at once while it is restarted: a number from 1, or a percentage of the
    /// nodes from 1% to 100%, rounded up. Without it the workload's own update strategy decides. `Manual` does not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(
        "type(self) == int ? self >= 1 && self <= 2147483647 : self.matches('^([1-9][0-9]?|100)%$')"
    ).message("must be a number of nodes from 1 (such as 3), or a percentage from 1% to 100% (such as 10%)"))]
    pub max_unavailable: Option<IntOrString>,
}

/// The order in which nodes get a new kube-proxy.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RolloutStrategy {
    /// One node, verified, then the rest.
    #[default]
    Canary,
    /// All nodes at the workload's pace.
    Rolling,
    /// By hand.
    Manual,
}

/// What happens to the ARP sysctls.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sysctls {
    /// Read.
    #[default]
    Observe,
    /// Raise.
    Enforce,
}

/// What happens to external IPs that a former mode ipvs left behind.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Leftovers {
    /// Remove those that Mooring handed out.
    #[default]
    RemoveOurs,
    /// Say so.
    Report,
}

/// Where kube-proxy and its configuration are, said by hand. There is one namespace for both, as Pods can only mount
/// ConfigMaps of their own.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.daemonSet) || has(self.configMap)").message(
        "names nothing: set daemonSet or configMap, or leave spec.kubeProxy out to have kube-proxy found"
    ),
    validation = Rule::new("has(self.configMap) == has(self.key)").message(
        "configMap and key belong together: set both (as in configMap: kube-proxy, key: config.conf), or neither"
    )
)]
pub struct KubeProxyLocation {
    /// The namespace of kube-proxy's DaemonSet and of the ConfigMap that it mounts.
    #[serde(default = "kube_system")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// The DaemonSet that runs kube-proxy. Without it, the one whose Pods mount the ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub daemon_set: Option<String>,
    /// The ConfigMap with kube-proxy's configuration. Without it, the one that the DaemonSet's Pods mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub config_map: Option<String>,
    /// The key in that ConfigMap, such as `config.conf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

fn kube_system() -> String {
    "kube-system".to_owned()
}

#[cfg(test)]
mod tests;
