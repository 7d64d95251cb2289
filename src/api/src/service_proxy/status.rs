//! What is true of kube-proxy on the nodes, summed up.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::foreign::ForeignAddress;
use super::remediation::Remediation;
use crate::condition;
use crate::node_proxy_state::LiveMode;

/// What is true of kube-proxy on the nodes. Written by Mooring's operator.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ServiceProxyStatus {
    /// The `metadata.generation` that this status is about. If it is older than the object's, Mooring has not seen the
    /// latest change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The live mode of the nodes; several, separated by commas, while they differ. `liveModes` has the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// How many nodes run in each mode, as their kube-proxies and kernels say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mode".into()]))]
    pub live_modes: Vec<LiveModeCount>,
    /// What kube-proxy's configuration says. A running kube-proxy may still have been started with an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
    /// The nodes, counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// The last time that Mooring edited kube-proxy's configuration, or would have and did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_remediation: Option<Remediation>,
    /// The external IPs that somebody else than Mooring handed out, such as MetalLB or Antrea, and who answers for them on the
    /// wire; of more than 1,000 the first ones. An address with `ipMode: Proxy` is not among them: no node is to answer for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into()]))]
    pub foreign_addresses: Vec<ForeignAddress>,
    /// How many more of them there are. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_addresses_left_out: Option<u32>,
    /// Whether the cluster is as it should be, in five steps, and what is seen on the wire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::cluster_schema")]
    pub conditions: Vec<Condition>,
}

/// Nodes in one live mode.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LiveModeCount {
    /// The mode.
    pub mode: LiveMode,
    /// The number of nodes that run in it.
    pub nodes: u32,
}

/// What kube-proxy's configuration says, and where it was found.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// The workload that runs kube-proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// The ConfigMap key that kube-proxy reads. Absent if its configuration is somewhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ConfigurationSource>,
    /// The configured mode, as written there. Absent if unset: then kube-proxy takes iptables up to version 1.39, and
    /// nftables from 1.40.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The configured `ipvs.strictARP`, as kube-proxy reads it: false if the key is missing. Absent if the configuration
    /// could not be read.
    #[serde(rename = "strictARP", default, skip_serializing_if = "Option::is_none")]
    pub strict_arp: Option<bool>,
}

/// A workload that runs kube-proxy.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its kind: `DaemonSet`, or `Pod` for the static Pods of some installers.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A key of a ConfigMap.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationSource {
    /// The namespace of the ConfigMap.
    pub namespace: String,
    /// The name of the ConfigMap.
    pub config_map: String,
    /// The key in its `data`.
    pub key: String,
}

/// Nodes, counted by whether they keep quiet about addresses that they do not own.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// All Linux nodes.
    pub total: u32,
    /// Nodes that do not answer ARP for addresses that they do not own.
    pub effective: u32,
    /// Nodes that do. The condition `Effective` names them, with the sysctl and its value.
    pub not_effective: u32,
    /// Nodes about which nothing is known, such as those without an agent.
    pub unknown: u32,
    /// `effective` of `total`, as in `2/3`.
    pub summary: String,
}

impl NodeCounts {
    /// The total and the summary follow from the parts.
    pub fn new(effective: u32, not_effective: u32, unknown: u32) -> Self {
        let total = effective
            .saturating_add(not_effective)
            .saturating_add(unknown);
        Self {
            total,
            effective,
            not_effective,
            unknown,
            summary: format!("{effective}/{total}"),
        }
    }
}
