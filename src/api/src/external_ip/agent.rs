//! What agents write into the status of an ExternalIP: who answers for the address, and what a witness saw.
//!
//! All agents apply it server-side under one field manager. What a node applies takes the place of what another node applied
//! before, as a whole: an address has one status, that of the node that came last.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff;
use kube::Resource as _;
use mooring_core::condition::{Condition as Decided, Reason as _};
use mooring_core::ipam::reason::{AnnouncedReason, SingleResponderReason};
use mooring_core::peer::Term;
use serde_json::{Value, json};

use super::{ExternalIP, ExternalIPStatus, Method, Move, Overlap, Responder, Sighting};
use crate::condition::{ConditionType, condition, set_condition};

/// The conditions that are the agent's of the node that has the address, or shall have it.
const OF_HOLDER: [ConditionType; 2] = [ConditionType::Announced, ConditionType::Conflict];

/// What the agent of one node says about an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// How the node has it; `None` if it shall have it and has not.
    pub held: Option<Held>,
    /// `Announced` and `Conflict`, as far as something is known; others are not its to say, and left out.
    pub conditions: Vec<Decided>,
}

/// How a node has an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The node.
    pub node: String,
    /// The interface that it answers on.
    pub interface: String,
    /// The MAC address that it answers with, in lower case with colons; `None` if the interface has none.
    pub mac: Option<String>,
    /// How it answers.
    pub method: Method,
    /// Since when. Fractions of a second are left out.
    pub since: Time,
    /// How it came to the node, if that is known.
    pub last_move: Option<Move>,
    /// Who had it at the same time, if somebody did.
    pub last_overlap: Option<Overlap>,
    /// Under which plan the node has it, and how often it was taken over since; `None` if that is not known.
    pub term: Option<Term>,
}

/// The part of a status that agents of holders write.
pub fn holders_part(status: &ExternalIPStatus) -> ExternalIPStatus {
    ExternalIPStatus {
        seen: None,
        moves: Vec::new(),
        conditions: of(&OF_HOLDER, &status.conditions),
        ..status.clone()
    }
}

/// The part of a status that witnesses write.
pub fn witness_part(status: &ExternalIPStatus) -> ExternalIPStatus {
    ExternalIPStatus {
        seen: status.seen.clone(),
        conditions: of(&[ConditionType::SingleResponder], &status.conditions),
        ..ExternalIPStatus::default()
    }
}

/// The part of the status that an agent of a holder makes of what it says. As long as the status of a condition is what it
/// was in the `former` status, the time of its last transition is, too: what says nothing new gives an equal part, and need
/// not be written.
///
/// An `Announced` that stands there stays if nothing is said about it. The operator applied it before, and may still own
/// some of its fields: if it were left out, the API server would leave those, and refuse what is then half a condition. One
/// that says the address is held back stays as well while the node does not have it: that is why the node waits.
pub fn said_status(said: &Said, former: &ExternalIPStatus, now: &Time) -> ExternalIPStatus {
    let held = said.held.as_ref();
    let mut conditions = of(&OF_HOLDER, &former.conditions);
    conditions.retain(|old| {
        is(ConditionType::Announced, old) || said.conditions.iter().any(|new| is(new.kind, old))
    });
    let withheld = conditions.iter().any(|old| {
        is(ConditionType::Announced, old)
            && old.reason == AnnouncedReason::WaitingForSafety.as_str()
    });
    for decided in &said.conditions {
        let moot = decided.kind == ConditionType::Announced && held.is_none() && withheld;
        if OF_HOLDER.contains(&decided.kind) && !moot {
            let new = condition(decided.clone(), None, whole_seconds(now));
            set_condition(&mut conditions, new);
        }
    }
    ExternalIPStatus {
        node: held.map(|held| held.node.clone()),
        interface: held.map(|held| held.interface.clone()),
        mac: held.and_then(|held| held.mac.clone()),
        method: held.map(|held| held.method),
        since: held.map(|held| whole_seconds(&held.since)),
        last_move: held.and_then(|held| {
            let last = held.last_move.clone()?;
            let time = whole_seconds(&last.time);
            Some(Move { time, ..last })
        }),
        last_overlap: held.and_then(|held| {
            let last = held.last_overlap.clone()?;
            let time = whole_seconds(&last.time);
            Some(Overlap { time, ..last })
        }),
        term: held.and_then(|held| held.term).map(Into::into),
        moves: Vec::new(),
        seen: None,
        conditions: of(&OF_HOLDER, &conditions),
    }
}

/// The part of the status that is left when `node` lets go of an address: that it did. Whoever has to do with the address
/// next, a node or the operator, says more.
pub fn let_go_status(
    node: &str,
    address: std::net::IpAddr,
    former: &ExternalIPStatus,
    now: &Time,
) -> ExternalIPStatus {
    let message = format!(
        "Node {node} has let go of {address}, so that nobody can reach it until a node takes it. If this lasts, see what the \
         operator says: kubectl mooring explain {address}."
    );
    let said = Said {
        held: None,
        conditions: vec![Decided::new(AnnouncedReason::WaitingForNode, message)],
    };
    said_status(&said, former, now)
}

/// The part of the status that a witness makes of what it saw: `seen`, and the condition `SingleResponder`. Its field manager
/// is not that of holders, so that neither takes away what the other wrote. As long as the same witness sees the same, the
/// time is that of the `former` status, and an equal [part](witness_part) need not be written.
pub fn sighting_status(
    sighting: Sighting,
    single: Decided,
    former: &ExternalIPStatus,
    now: &Time,
) -> ExternalIPStatus {
    let mut conditions = of(&[ConditionType::SingleResponder], &former.conditions);
    if single.kind == ConditionType::SingleResponder {
        set_condition(&mut conditions, condition(single, None, whole_seconds(now)));
    }
    let mut sighting = Sighting {
        time: whole_seconds(&sighting.time),
        ..sighting
    };
    let by_mac = |responders: &mut Vec<Responder>| responders.sort_by(|a, b| a.mac.cmp(&b.mac));
    by_mac(&mut sighting.responders);
    if let Some(before) = &former.seen {
        let mut responders = before.responders.clone();
        by_mac(&mut responders);
        if before.witness == sighting.witness && responders == sighting.responders {
            sighting = before.clone();
        }
    }
    ExternalIPStatus {
        seen: Some(sighting),
        conditions,
        ..ExternalIPStatus::default()
    }
}

/// The part of the status that witnesses write, once no node has the address any more: what was seen of it is over, and nobody
/// looks until a node has it again. `None` if a node has it, or if that is said already.
pub fn unseen_status(
    address: std::net::IpAddr,
    former: &ExternalIPStatus,
    now: &Time,
) -> Option<ExternalIPStatus> {
    let mut conditions = of(&[ConditionType::SingleResponder], &former.conditions);
    let unseen = SingleResponderReason::NotWitnessed;
    let told = conditions.iter().all(|old| old.reason == unseen.as_str());
    if former.node.is_some() || (told && former.seen.is_none()) {
        return None;
    }
    let message = format!(
        "No node has {address}, so nobody asks on the wire who answers for it; a node does once one has it."
    );
    let decided = Decided::new(unseen, message);
    set_condition(
        &mut conditions,
        condition(decided, None, whole_seconds(now)),
    );
    Some(ExternalIPStatus {
        conditions,
        ..ExternalIPStatus::default()
    })
}

/// What to apply, server-side and with force, to the status of the ExternalIP of this name.
///
/// With its `uid` nothing is applied if there is no such object any more: the answer is 409 then. The API server does not
/// compare it with that of an object that was made anew, as it takes nothing but the status from a status; what is said is
/// about the same address all the same. With its resource version (any of them) nothing is applied if somebody else wrote
/// meanwhile: 409 as well.
pub fn applied(
    name: &str,
    uid: &str,
    resource_version: Option<&str>,
    status: &ExternalIPStatus,
) -> Value {
    let mut metadata = json!({"name": name, "uid": uid});
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = version.into();
    }
    json!({
        "apiVersion": ExternalIP::api_version(&()),
        "kind": ExternalIP::kind(&()),
        "metadata": metadata,
        "status": status,
    })
}

/// Those of some types, in the order of the types: two lists of the same conditions are equal.
fn of(types: &[ConditionType], conditions: &[Condition]) -> Vec<Condition> {
    types
        .iter()
        .filter_map(|kind| conditions.iter().find(|condition| is(*kind, condition)))
        .cloned()
        .collect()
}

fn is(kind: ConditionType, condition: &Condition) -> bool {
    condition.type_ == kind.as_str()
}

/// As the API keeps times.
fn whole_seconds(time: &Time) -> Time {
    Time(jiff::Timestamp::from_second(time.0.as_second()).unwrap_or(time.0))
}

#[cfg(test)]
mod tests;
