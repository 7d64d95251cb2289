//! What is new in the conditions, for Events.

use crate::condition::{Condition, ConditionStatus, ConditionType, SafeToAnnounceReason};
use crate::remediation::note::{Note, NoteTarget};
use crate::remediation::run::Enforcement;

use super::effective::{Nodes, Quietness, SHOWN};
use super::verdict::GuardInput;

/// What the new conditions have and the persisted ones have not. How a restart goes on is told by the run's own notes.
pub(super) fn between(
    input: &GuardInput<'_>,
    conditions: &[Condition; 5],
    nodes: &Nodes<'_>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for new in conditions {
        let former = input.former.iter().find(|old| old.kind == new.kind);
        let same = former.is_some_and(|old| old.status == new.status && old.reason == new.reason);
        if same || !is_told(input, new, former.is_some()) {
            continue;
        }
        let note = match new.status {
            ConditionStatus::False => Note::warning,
            _ => Note::normal,
        };
        notes.push(note(NoteTarget::ServiceProxy, new.reason, &new.message));
        let was_false = former.is_some_and(|old| old.status == ConditionStatus::False);
        if new.kind == ConditionType::Effective
            && new.status == ConditionStatus::False
            && !was_false
        {
            notes.extend(of_nodes(new, nodes));
        }
    }
    notes
}

fn is_told(input: &GuardInput<'_>, new: &Condition, known: bool) -> bool {
    let told = match new.kind {
        ConditionType::ModeDetected | ConditionType::Effective | ConditionType::SafeToAnnounce => {
            true
        }
        // With Enforce the run tells it, with what is done.
        ConditionType::StrictArpConfigured => input.wanted.enforcement != Enforcement::Enforce,
        _ => false,
    };
    // A cluster that was always right is worth one line.
    let worth = known
        || new.status == ConditionStatus::False
        || new.is(SafeToAnnounceReason::AllNodesQuiet)
        || new.is(SafeToAnnounceReason::NotNeeded);
    told && worth
}

fn of_nodes(new: &Condition, nodes: &Nodes<'_>) -> Vec<Note> {
    let loud = nodes.each.iter().filter_map(|(node, state)| match state {
        Quietness::Loud(found) | Quietness::LeftBehind(found) => Some((node, found)),
        _ => None,
    });
    loud.take(SHOWN)
        .map(|(node, found)| {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            Note::warning(
                NoteTarget::Node(node.name.clone()),
                new.reason,
                format!(
                    "{}: this node answers or asks ARP in the name of external IPs that it does not own; see the ServiceProxy \
                     (kubectl describe serviceproxy cluster)",
                    found.join(", ")
                ),
            )
        })
        .collect()
}
