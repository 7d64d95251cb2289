//! An edit of kube-proxy's configuration, with everything that an operator needs to go on with it.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An edit of kube-proxy's configuration, and what came of it.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// When it began.
    pub time: Time,
    /// Where it is. `Detected`: something has to be done. `Planned`: the edit is decided. `Patched`: it is made, and no
    /// kube-proxy runs with it yet. `Canary`: kube-proxy is being restarted on the first node. `RollingOut`: on the others.
    /// `Verifying`: every node is looked at once more. `RollingBack`: the former text is being put back. The others are as in
    /// `result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemediationPhase")]
    pub phase: Option<RemediationPhase>,
    /// Since when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub phase_since: Option<Time>,
    /// Why it stands still or goes back, in one word. Absent on the straight way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The edit, as a unified diff. Absent if none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// What `ipvs.strictARP` was before, as written. Absent if the key was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_value: Option<String>,
    /// What came of it. `Done`: edited, rolled out, and verified on every node. `RolledBack`: a kube-proxy did not come
    /// up with it, so the former text was put back. `Paused`: it waits for somebody. `Refused`: nothing was written. Absent
    /// while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RemediationResult")]
    pub result: Option<RemediationResult>,
    /// Why, and what to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The node on which kube-proxy is restarted first. Absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// The new kube-proxy on that node was verified; the others follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub canary_verified: bool,
    /// The edited keys, and how each edit is taken back. Absent if kube-proxy only had to be restarted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<EditedKey>,
    /// The Pods that are being replaced now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["node".into()]))]
    pub restarting: Vec<ReplacedPod>,
    /// Since when they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub restarting_since: Option<Time>,
    /// Since when a new Pod has trouble to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub trouble_since: Option<Time>,
    /// Nodes that were left out: they stopped being Ready on the way, or their kube-proxy did not run before and still does
    /// not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub left_out: Vec<String>,
    /// When every node that could be reached was verified first. After that nothing is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub verified_at: Option<Time>,
    /// When somebody took the edit back lately. Twice within 10 minutes is a fight, in which nothing is written any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Revert>,
    /// What it was decided on. One that ended is tried again when this changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Trigger")]
    pub trigger: Option<Trigger>,
}

/// Where a remediation is.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemediationPhase {
    /// Something has to be done.
    Detected,
    /// The edit is decided.
    Planned,
    /// The edit is made.
    Patched,
    /// The first node.
    Canary,
    /// The other nodes.
    RollingOut,
    /// A last look.
    Verifying,
    /// All is verified.
    Done,
    /// The former text is being put back.
    RollingBack,
    /// The former text was put back.
    RolledBack,
    /// It waits for somebody.
    Paused,
    /// Nothing was written.
    Refused,
}

/// What came of a remediation.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemediationResult {
    /// Edited, rolled out, and verified on every node.
    Done,
    /// A kube-proxy did not come up; the former text was put back.
    RolledBack,
    /// It waits for somebody.
    Paused,
    /// Nothing was written.
    Refused,
}

/// The edit of one key of a ConfigMap, and how it is taken back.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EditedKey {
    /// The namespace of the ConfigMap.
    pub namespace: String,
    /// The name of the ConfigMap.
    pub config_map: String,
    /// The key in its `data`.
    pub key: String,
    /// kube-proxy mounts it by `subPath`, so that only new Pods see a change.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sub_path: bool,
    /// Where in the text the edit is, in bytes from its start.
    pub offset: u64,
    /// What was there before.
    pub removed: String,
    /// What was put there.
    pub inserted: String,
    /// SHA-256 of the text before the edit. The edit is taken back only if that text comes out.
    #[serde(rename = "beforeSHA256")]
    pub before_sha256: String,
    /// SHA-256 of the text after the edit. If the text is another one, somebody else wrote as well, and it is left alone.
    #[serde(rename = "afterSHA256")]
    pub after_sha256: String,
    /// The edit, as a unified diff. Absent if there is no other: then it stands above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// What `ipvs.strictARP` was before, as written. Absent if the key was missing, or if there is no other edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_value: Option<String>,
    /// The `resourceVersion` of the ConfigMap that the edit was decided on.
    pub planned_on: String,
    /// When the edit was made. Absent until it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub patched_at: Option<Time>,
    /// When it was taken back. Absent unless it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub restored_at: Option<Time>,
}

/// A Pod of kube-proxy that is being replaced.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedPod {
    /// Its node.
    pub node: String,
    /// Its uid. A Pod with another one on that node is the new one.
    pub uid: String,
    /// It is replaced a second time, as the first new Pod had mounted the old text.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// It did not run before; if the new one does not either, that stops nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub was_down: bool,
}

/// An edit that somebody took back.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// When.
    pub time: Time,
    /// The field manager that did.
    pub manager: String,
}

/// What a remediation was decided on.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The `metadata.generation` of the ServiceProxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Its annotation `mooring.dev/retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// SHA-256 over the texts of the ConfigMap keys that kube-proxy reads.
    pub texts: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
