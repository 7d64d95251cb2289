//! A remediation under way, or the last one: all that is kept of it between two looks at the cluster.

use crate::kube_proxy::ConfigLocation;
use crate::kube_proxy::snapshot::Timestamp;

use super::phase::{Phase, Why};
use super::undo::Undo;

/// A remediation. It is persisted before anything is done that follows from it, and holds intentions, not memories: what
/// was really done is told from the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began.
    pub started: Timestamp,
    /// Where it is.
    pub phase: Phase,
    /// Since when, by the operator's clock.
    pub since: Timestamp,
    /// Why it stands still, or goes back; `None` on the straight way.
    pub why: Option<Why>,
    /// For people: what is, why it matters, what to do.
    pub message: String,
    /// The edits, one per key of a ConfigMap; none if kube-proxy only has to be restarted.
    pub edits: Vec<Edit>,
    /// The node that goes first.
    pub canary: Option<Canary>,
    /// The Pods that are being replaced now.
    pub batch: Vec<Target>,
    /// Since when.
    pub batch_since: Option<Timestamp>,
    /// Since when a new Pod has trouble to start.
    pub trouble_since: Option<Timestamp>,
    /// Nodes that went away while theirs was being replaced, or whose kube-proxy was down before and stays so.
    pub lost: Vec<String>,
    /// When every reachable node was verified first. A failure after that takes nothing back.
    pub verified: Option<Timestamp>,
    /// Edits that somebody took back lately.
    pub reverts: Vec<Revert>,
    /// What a run that ended is retried for, once it changes.
    pub trigger: Trigger,
}

/// The edit of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The ConfigMap and the key.
    pub location: ConfigLocation,
    /// How to take it back.
    pub undo: Undo,
    /// The edit as a unified diff.
    pub diff: String,
    /// `ipvs.strictARP` as it was written before; `None` if the key was missing.
    pub previous_value: Option<String>,
    /// The `resourceVersion` that it was planned on. A look at the object that shows this version again is an old one.
    pub planned_on: String,
    /// When it was made, by the API server's clock; `None` until it was seen to be made.
    pub patched: Option<Timestamp>,
    /// When the former text was put back, by the API server's clock.
    pub restored: Option<Timestamp>,
}

/// An edit that this operator wrote and the API server took. It is remembered by the operator alone: where somebody takes
/// an edit back before it was looked at, nothing in the object tells that it was ever made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The ConfigMap and the key.
    pub location: ConfigLocation,
    /// The `resourceVersion` that it was planned on.
    pub planned_on: String,
    /// When, by the API server's clock.
    pub time: Timestamp,
}

/// A Pod that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its node.
    pub node: String,
    /// Its uid. A Pod with another one on that node is the new one.
    pub uid: String,
    /// It is replaced a second time, as the first new Pod had mounted the old text.
    pub again: bool,
    /// It was Ready: if the new one does not come up, that is our doing.
    pub was_ready: bool,
}

/// The node that goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Its name.
    pub node: String,
    /// Its new kube-proxy was verified; the others may follow.
    pub verified: bool,
}

/// An edit that somebody took back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revert {
    /// When, by the API server's clock.
    pub time: Timestamp,
    /// The field manager that did.
    pub by: String,
}

/// What a run was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trigger {
    /// `metadata.generation` of the ServiceProxy.
    pub generation: Option<i64>,
    /// Its annotation [`super::RETRY`].
    pub retry: Option<String>,
    /// SHA-256 over the texts of the ConfigMap keys, in lower-case hexadecimal digits.
    pub texts: String,
}

impl Run {
    /// A run that begins now.
    pub(super) fn begin(now: Timestamp, trigger: Trigger) -> Self {
        Self {
            started: now,
            phase: Phase::Detected,
            since: now,
            why: None,
            message: String::new(),
            edits: Vec::new(),
            canary: None,
            batch: Vec::new(),
            batch_since: None,
            trouble_since: None,
            lost: Vec::new(),
            verified: None,
            reverts: Vec::new(),
            trigger,
        }
    }

    /// The next phase.
    pub(super) fn enter(&mut self, phase: Phase, now: Timestamp, message: impl Into<String>) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
        self.why = None;
        self.message = message.into();
    }

    /// A phase that is entered for a reason.
    pub(super) fn stop(
        &mut self,
        phase: Phase,
        why: Why,
        now: Timestamp,
        message: impl Into<String>,
    ) {
        self.enter(phase, now, message);
        self.why = Some(why);
    }

    /// No Pods are being replaced.
    pub(super) fn end_batch(&mut self) {
        self.batch.clear();
        self.batch_since = None;
        self.trouble_since = None;
    }

    /// A first node was verified.
    pub(super) fn has_canary(&self) -> bool {
        self.canary.as_ref().is_some_and(|canary| canary.verified)
    }

    /// The edit of a key.
    pub(super) fn edit(&self, location: &ConfigLocation) -> Option<&Edit> {
        self.edits.iter().find(|edit| {
            edit.location.config_map == location.config_map && edit.location.key == location.key
        })
    }
}
