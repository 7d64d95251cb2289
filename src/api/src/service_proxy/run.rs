//! A remediation between its decisions and its wire form, both ways.

use mooring_core::kube_proxy::ConfigLocation;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::remediation::run::{self, Canary, Edit, Phase, Run, Target, Undo};

use super::remediation::{
    EditedKey, Remediation, RemediationPhase, RemediationResult, ReplacedPod, Revert, Trigger,
};
use crate::metadata::time;
use crate::timestamp;

impl From<&Run> for Remediation {
    fn from(run: &Run) -> Self {
        let diffs: Vec<&str> = run.edits.iter().map(|edit| edit.diff.as_str()).collect();
        Self {
            time: time(run.started),
            phase: Some(run.phase.into()),
            phase_since: Some(time(run.since)),
            reason: run.why.map(|why| why.as_str().to_owned()),
            diff: (!diffs.is_empty()).then(|| diffs.concat()),
            previous_value: run
                .edits
                .first()
                .and_then(|edit| edit.previous_value.clone()),
            result: result(run.phase),
            message: run.message.clone(),
            canary: run.canary.as_ref().map(|canary| canary.node.clone()),
            canary_verified: run.canary.as_ref().is_some_and(|canary| canary.verified),
            edits: edited_keys(&run.edits),
            restarting: run.batch.iter().map(ReplacedPod::from).collect(),
            restarting_since: run.batch_since.map(time),
            trouble_since: run.trouble_since.map(time),
            left_out: run.lost.clone(),
            verified_at: run.verified.map(time),
            reverts: run
                .reverts
                .iter()
                .map(|revert| Revert {
                    time: time(revert.time),
                    manager: revert.by.clone(),
                })
                .collect(),
            trigger: Some(Trigger {
                generation: run.trigger.generation,
                retry: run.trigger.retry.clone(),
                texts: run.trigger.texts.clone(),
            }),
        }
    }
}

impl Remediation {
    /// The run to go on with; `None` if this tells of none, as what an earlier version wrote.
    pub fn run(&self) -> Option<Run> {
        let trigger = self.trigger.clone().unwrap_or_default();
        Some(Run {
            started: timestamp(&self.time),
            phase: self.phase?.into(),
            since: timestamp(self.phase_since.as_ref().unwrap_or(&self.time)),
            why: self.reason.as_deref().and_then(|why| why.parse().ok()),
            message: self.message.clone(),
            edits: self.edits.iter().map(|key| self.edit(key)).collect(),
            canary: self.canary.clone().map(|node| Canary {
                node,
                verified: self.canary_verified,
            }),
            batch: self
                .restarting
                .iter()
                .map(|pod| Target {
                    node: pod.node.clone(),
                    uid: pod.uid.clone(),
                    again: pod.again,
                    was_ready: !pod.was_down,
                })
                .collect(),
            batch_since: self.restarting_since.as_ref().map(timestamp),
            trouble_since: self.trouble_since.as_ref().map(timestamp),
            lost: self.left_out.clone(),
            verified: self.verified_at.as_ref().map(timestamp),
            reverts: self
                .reverts
                .iter()
                .map(|revert| run::Revert {
                    time: timestamp(&revert.time),
                    by: revert.manager.clone(),
                })
                .collect(),
            trigger: run::Trigger {
                generation: trigger.generation,
                retry: trigger.retry,
                texts: trigger.texts,
            },
        })
    }
}

impl From<&Edit> for EditedKey {
    fn from(edit: &Edit) -> Self {
        let ObjectName { namespace, name } = edit.location.config_map.clone();
        Self {
            namespace,
            config_map: name,
            key: edit.location.key.clone(),
            sub_path: edit.location.sub_path,
            offset: u64::try_from(edit.undo.offset).unwrap_or(u64::MAX),
            removed: edit.undo.removed.clone(),
            inserted: edit.undo.inserted.clone(),
            before_sha256: edit.undo.before_sha256.clone(),
            after_sha256: edit.undo.after_sha256.clone(),
            diff: Some(edit.diff.clone()),
            previous_value: edit.previous_value.clone(),
            planned_on: edit.planned_on.clone(),
            patched_at: edit.patched.map(time),
            restored_at: edit.restored.map(time),
        }
    }
}

/// The edits; of a single one, the remediation itself has the diff and the former value.
fn edited_keys(edits: &[Edit]) -> Vec<EditedKey> {
    let mut keys: Vec<EditedKey> = edits.iter().map(EditedKey::from).collect();
    if let [only] = keys.as_mut_slice() {
        only.diff = None;
        only.previous_value = None;
    }
    keys
}

impl Remediation {
    fn edit(&self, key: &EditedKey) -> Edit {
        let (diff, previous_value) = match &key.diff {
            Some(diff) => (diff.clone(), key.previous_value.clone()),
            None => (
                self.diff.clone().unwrap_or_default(),
                self.previous_value.clone(),
            ),
        };
        Edit {
            location: ConfigLocation {
                config_map: ObjectName::new(&key.namespace, &key.config_map),
                key: key.key.clone(),
                sub_path: key.sub_path,
            },
            undo: Undo {
                offset: usize::try_from(key.offset).unwrap_or(usize::MAX),
                removed: key.removed.clone(),
                inserted: key.inserted.clone(),
                before_sha256: key.before_sha256.clone(),
                after_sha256: key.after_sha256.clone(),
            },
            diff,
            previous_value,
            planned_on: key.planned_on.clone(),
            patched: key.patched_at.as_ref().map(timestamp),
            restored: key.restored_at.as_ref().map(timestamp),
        }
    }
}

impl From<&Target> for ReplacedPod {
    fn from(target: &Target) -> Self {
        Self {
            node: target.node.clone(),
            uid: target.uid.clone(),
            again: target.again,
            was_down: !target.was_ready,
        }
    }
}

impl From<Phase> for RemediationPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Detected => Self::Detected,
            Phase::Planned => Self::Planned,
            Phase::Patched => Self::Patched,
            Phase::Canary => Self::Canary,
            Phase::RollingOut => Self::RollingOut,
            Phase::Verifying => Self::Verifying,
            Phase::Done => Self::Done,
            Phase::RollingBack => Self::RollingBack,
            Phase::RolledBack => Self::RolledBack,
            Phase::Paused => Self::Paused,
            Phase::Refused => Self::Refused,
        }
    }
}

impl From<RemediationPhase> for Phase {
    fn from(phase: RemediationPhase) -> Self {
        match phase {
            RemediationPhase::Detected => Self::Detected,
            RemediationPhase::Planned => Self::Planned,
            RemediationPhase::Patched => Self::Patched,
            RemediationPhase::Canary => Self::Canary,
            RemediationPhase::RollingOut => Self::RollingOut,
            RemediationPhase::Verifying => Self::Verifying,
            RemediationPhase::Done => Self::Done,
            RemediationPhase::RollingBack => Self::RollingBack,
            RemediationPhase::RolledBack => Self::RolledBack,
            RemediationPhase::Paused => Self::Paused,
            RemediationPhase::Refused => Self::Refused,
        }
    }
}

fn result(phase: Phase) -> Option<RemediationResult> {
    Some(match phase {
        Phase::Done => RemediationResult::Done,
        Phase::RolledBack => RemediationResult::RolledBack,
        Phase::Paused => RemediationResult::Paused,
        Phase::Refused => RemediationResult::Refused,
        _ => return None,
    })
}
#[cfg(test)]
#[path = "run/tests.rs"]
mod tests;
