//! An ExternalIP as the decisions see it, and the conditions that the operator writes into its status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource as _;
use mooring_core::condition::Condition as Decided;
use mooring_core::external_ip::{
    Announcement, How, Known, Move, Moved, Overlap, Remarks, Said, Seen,
};
use mooring_core::ipam::object_name;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::mooring;
use serde_json::{Value, json};

use super::{ExternalIP, ExternalIPStatus, Method, NoClaim, claim};
use crate::condition::{ConditionType, condition};
use crate::metadata::{time, timestamp};

/// An ExternalIP as the decisions see it.
///
/// # Errors
/// If it is the claim to no address.
pub fn known(object: &ExternalIP) -> Result<Known, NoClaim> {
    let status = object.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    let find = |kind: ConditionType| {
        let mut conditions = conditions.iter();
        let found = conditions.find(|condition| condition.type_ == kind.as_str());
        found.map(said)
    };
    Ok(Known {
        claim: claim(object)?,
        planned: object.spec.node.clone(),
        heirs: object.spec.heirs.clone(),
        plan: object.spec.plan,
        cause: object.spec.cause.clone(),
        taken_by: status.and_then(|status| status.node.clone()),
        term: status.and_then(|status| status.term).map(Into::into),
        last_move: status.and_then(|status| status.last_move.as_ref().map(how_moved)),
        last_overlap: status.and_then(|status| status.last_overlap.as_ref().map(overlap)),
        moves: status.map_or_else(Vec::new, |status| status.moves.iter().map(moved).collect()),
        announced: find(ConditionType::Announced).map(|said| Announcement {
            said,
            how: status.and_then(how),
            seen: find(ConditionType::SingleResponder).map(|single| Seen {
                single,
                since: status.and_then(|status| Some(timestamp(&status.seen.as_ref()?.time))),
            }),
        }),
        request_met: find(ConditionType::RequestMet),
    })
}

fn overlap(overlap: &super::Overlap) -> Overlap {
    Overlap {
        until: timestamp(&overlap.time),
        node: overlap.node.clone(),
        milliseconds: overlap.duration_milliseconds,
    }
}

fn how(status: &ExternalIPStatus) -> Option<How> {
    Some(How {
        interface: status.interface.clone()?,
        mac: status.mac.clone(),
        method: match status.method? {
            Method::Responder => mooring::Method::Responder,
            Method::Uplink => mooring::Method::Uplink,
        },
        since: status.since.as_ref().map(timestamp),
    })
}

fn how_moved(written: &super::Move) -> Move {
    Move {
        at: timestamp(&written.time),
        from: written.from.clone(),
        reason: written.reason.clone(),
        milliseconds: written.duration_milliseconds,
    }
}

fn moved(written: &super::Moved) -> Moved {
    Moved {
        to: written.to.clone(),
        how: how_moved(&written.how),
    }
}

fn written(moved: Moved) -> super::Moved {
    let Moved { to, how } = moved;
    super::Moved {
        to,
        how: super::Move {
            time: time(how.at),
            from: how.from,
            reason: how.reason,
            duration_milliseconds: how.milliseconds,
        },
    }
}

fn said(condition: &Condition) -> Said {
    Said {
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: timestamp(&condition.last_transition_time),
    }
}

/// What to apply to the status of an address, server-side and with force: all conditions that are the operator's, and the
/// moves that are remembered, as the API server takes away what an operator applied before and leaves out now. `known` is the
/// object as it is: as long as the status of a condition is the same, the time of its last transition is, too.
///
/// While `Announced` is an agent's to say it is left out, and stays as it is if the agent applied it with all of its fields:
/// then the agent owns each of them, and the operator gives up its share of what has not changed. If what stands there is
/// the operator's own, it is applied as it stands, until the agent says otherwise. `None` if the remarks do not
/// [suit](Known::suits) the address any more.
///
/// It need not be written if the object [says](Known::says) it already.
pub fn remarks_status(known: &Known, remarks: &Remarks, now: Timestamp) -> Option<Value> {
    if !known.suits(remarks) {
        return None;
    }
    let decided = |decided: &Option<Decided>, said: Option<&Said>| -> Option<Condition> {
        let decided = decided.as_ref()?;
        let since = said
            .filter(|said| said.status == decided.status.as_str())
            .map_or(now, |said| said.since);
        Some(condition(decided.clone(), None, time(since)))
    };
    let standing = || {
        let said = known.announced();
        said.filter(|said| said.is_operators())
            .map(|said| stands(ConditionType::Announced, said))
    };
    let conditions = [
        decided(&remarks.request_met, known.request_met.as_ref()),
        decided(&remarks.announced, known.announced()).or_else(standing),
    ];
    let conditions: Vec<Condition> = conditions.into_iter().flatten().collect();
    let mut status = json!({"conditions": conditions});
    let moves: Vec<super::Moved> = known.history().into_iter().map(written).collect();
    if !moves.is_empty() {
        status["moves"] = json!(moves);
    }
    Some(json!({
        "apiVersion": ExternalIP::api_version(&()),
        "kind": ExternalIP::kind(&()),
        "metadata": {"name": object_name::of(known.claim.address)},
        "status": status,
    }))
}

/// A condition as it stands there.
fn stands(kind: ConditionType, said: &Said) -> Condition {
    Condition {
        type_: kind.as_str().to_owned(),
        status: said.status.clone(),
        reason: said.reason.clone(),
        message: said.message.clone(),
        observed_generation: None,
        last_transition_time: time(said.since),
    }
}

#[cfg(test)]
mod tests;
