//! What is new in a run, for Events.

use crate::remediation::note::{Note, NoteTarget};

use super::phase::Phase;
use super::state::Run;

/// What the new run has and the persisted one has not.
pub(super) fn between(former: Option<&Run>, new: Option<&Run>) -> Vec<Note> {
    let Some(new) = new else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    let known = former.map_or(&[][..], |run| &run.reverts);
    for revert in new.reverts.iter().filter(|revert| !known.contains(revert)) {
        let edits = former.map_or(&[][..], |run| &run.edits);
        for edit in edits {
            notes.push(Note::warning(
                NoteTarget::ConfigMap(edit.location.config_map.clone()),
                "EditReverted",
                format!(
                    "{} took ipvs.strictARP: true in {} back at {}",
                    revert.by, edit.location, revert.time
                ),
            ));
        }
    }
    let batch = former.map_or(&[][..], |run| &run.batch);
    for target in new.batch.iter().filter(|target| !batch.contains(target)) {
        notes.push(Note::normal(
            NoteTarget::Node(target.node.clone()),
            "RestartingKubeProxy",
            "kube-proxy is being restarted on this node, so that it reads its configuration anew; Services are not interrupted, \
             as the kernel keeps what kube-proxy made",
        ));
    }
    let same = |run: &Run| (run.phase, run.why) == (new.phase, new.why);
    if former.is_some_and(same) {
        return notes;
    }
    phase(former, new, &mut notes);
    notes
}

fn phase(former: Option<&Run>, new: &Run, notes: &mut Vec<Note>) {
    let cluster = NoteTarget::ServiceProxy;
    let maps = || {
        new.edits
            .iter()
            .map(|edit| NoteTarget::ConfigMap(edit.location.config_map.clone()))
    };
    let message = new.message.clone();
    match new.phase {
        Phase::Detected | Phase::Verifying => {}
        Phase::Planned => notes.push(Note::normal(cluster, "SettingStrictARP", message)),
        Phase::Patched => {
            let was_planned = former.is_some_and(|run| run.phase == Phase::Planned);
            for edit in new.edits.iter().filter(|_| was_planned) {
                let before = edit.previous_value.as_deref().unwrap_or("not there");
                notes.push(Note::normal(
                    NoteTarget::ConfigMap(edit.location.config_map.clone()),
                    "StrictARPSet",
                    format!(
                        "set ipvs.strictARP: true in {} (it was {before}), so that nodes do not answer ARP for addresses that \
                         they do not own",
                        edit.location
                    ),
                ));
            }
        }
        Phase::Canary => notes.push(Note::normal(cluster, "CanaryStarted", message)),
        Phase::RollingOut => {
            let text = match &new.canary {
                Some(canary) => {
                    format!(
                        "kube-proxy is verified on node {}; the other nodes follow",
                        canary.node
                    )
                }
                None => message,
            };
            notes.push(Note::normal(cluster, "RollingOut", text));
        }
        Phase::Done => notes.push(Note::normal(cluster, "RemediationDone", message)),
        Phase::RollingBack | Phase::RolledBack => {
            let reason = if new.phase == Phase::RolledBack {
                "RolledBack"
            } else {
                "RollingBack"
            };
            for target in maps() {
                notes.push(Note::warning(target, reason, message.clone()));
            }
            notes.push(Note::warning(cluster, reason, message));
        }
        Phase::Paused | Phase::Refused => {
            let reason = new.why.map_or("Paused", super::phase::Why::as_str);
            for target in maps() {
                notes.push(Note::warning(target, reason, message.clone()));
            }
            notes.push(Note::warning(cluster, reason, message));
        }
    }
}
