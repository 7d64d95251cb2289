//! The parts of an assessment: what was found, ready to be shown.

use serde::{Serialize, Serializer};

use crate::kube_proxy::snapshot::Timestamp;
use crate::kube_proxy::{MatchedBy, SkipReason};
use crate::proxy_mode::{LiveMode, ProxyMode};
use crate::strict_arp::Verdict;

use super::freshness::Freshness;
use super::plan::Plan;
use super::reason::{NoticeReason, Reason, Safety};

/// What is, in one verdict with its reason and the findings behind it, and what to do. Serialises as the documented
/// output of `kubectl mooring check -o json` (without the plan).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// The verdict.
    pub verdict: Safety,
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// What to do next; `None` if nothing.
    pub next_step: Option<String>,
    /// The ConfigMap keys that kube-proxy reads.
    pub config_maps: Vec<ConfigMapFinding>,
    /// The workloads that run kube-proxy, and those left alone.
    pub workloads: Vec<WorkloadFinding>,
    /// Their pods.
    pub pods: Vec<PodFinding>,
    /// What the nodes do now, where agents report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeFinding>,
    /// What else the reader should know.
    pub warnings: Vec<Notice>,
    /// What `fix` will do.
    #[serde(skip)]
    pub plan: Plan,
}

/// A ConfigMap key that kube-proxy reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapFinding {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
    /// The configured mode; `None` if unset or not readable.
    #[serde(serialize_with = "mode_as_text")]
    pub mode: Option<ProxyMode>,
    /// The configured `ipvs.strictARP`; `None` if not readable.
    #[serde(rename = "strictARP")]
    pub strict_arp: Option<bool>,
    /// What keeps the object in shape.
    pub managed_by: Option<String>,
    /// When the key last changed.
    pub changed_at: Option<Timestamp>,
    /// Who changed it.
    pub changed_by: Option<String>,
    /// The verdict on the text.
    pub edit: Option<Verdict>,
    /// The reason for this key.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// The line of the text that decided.
    pub line: Option<usize>,
}

/// A workload that runs kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadFinding {
    /// `DaemonSet`, `static pod` or `pod`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it was found; `None` for one that is left alone.
    pub matched_by: Option<MatchedBy>,
    /// Where it has its settings from, in words.
    pub source: String,
    /// Pods on Linux nodes.
    pub pods: usize,
    /// The reason for this workload; `None` for one that is left alone.
    pub reason: Option<Reason>,
    /// Why it is left alone.
    pub skipped: Option<SkipReason>,
}

/// A pod of kube-proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFinding {
    /// The node.
    pub node: String,
    /// Namespace of the pod and its workload.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The workload it belongs to.
    pub workload: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When its kube-proxy was started.
    pub started_at: Option<Timestamp>,
    /// When the configuration that it mounts last changed.
    pub config_changed_at: Option<Timestamp>,
    /// Whether it started after that.
    pub freshness: Freshness,
    /// Ready.
    pub ready: bool,
    /// Its node is Ready (or unknown).
    pub node_ready: bool,
    /// Why kube-proxy does not run.
    pub trouble: Option<String>,
    #[serde(skip)]
    pub(super) uid: String,
}

/// What a node does now, as its agent reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFinding {
    /// The node.
    pub node: String,
    /// Its agent reports; without, nothing more is known.
    pub reporting: bool,
    /// What handles Service traffic there.
    pub mode: Option<LiveMode>,
    /// `ipvs.strictARP` as its kube-proxy was started.
    #[serde(rename = "strictARP")]
    pub strict_arp: Option<bool>,
    /// It answers ARP only for what it owns; `None` if that is not known.
    pub quiet: Option<bool>,
    /// The sysctls that are too low.
    pub trouble: Vec<String>,
}

/// Something the reader should know that does not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What it is about.
    pub reason: NoticeReason,
    /// The same for people.
    pub message: String,
}

fn mode_as_text<S: Serializer>(mode: &Option<ProxyMode>, serializer: S) -> Result<S::Ok, S::Error> {
    mode.map(ProxyMode::as_str).serialize(serializer)
}
