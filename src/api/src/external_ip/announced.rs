//! An ExternalIP as the decisions see it, and the one condition that the operator writes into its status.

use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource as _;
use mooring_core::condition::Condition as Decided;
use mooring_core::external_ip::{Known, Said};
use mooring_core::ipam::object_name;
use mooring_core::kube_proxy::snapshot::Timestamp;
use serde_json::{Value, json};

use super::{ExternalIP, NoClaim, claim};
use crate::condition::{ConditionType, condition};
use crate::metadata::{time, timestamp};

/// An ExternalIP as the decisions see it.
///
/// # Errors
/// If it is the claim to no address.
pub fn known(object: &ExternalIP) -> Result<Known, NoClaim> {
    let status = object.status.as_ref();
    let conditions = status.map_or(&[][..], |status| &status.conditions);
    Ok(Known {
        claim: claim(object)?,
        planned: object.spec.node.clone(),
        taken_by: status.and_then(|status| status.node.clone()),
        announced: conditions
            .iter()
            .find(|condition| condition.type_ == ConditionType::Announced.as_str())
            .map(said),
    })
}

fn said(condition: &Condition) -> Said {
    Said {
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: timestamp(&condition.last_transition_time),
    }
}

/// What to apply to the status of an address that no node has taken up, server-side and with force: the condition
/// `Announced`, and nothing else. What agents wrote there stays theirs. `said` is the condition as it stands: as long as the
/// status is the same, the time of its last transition is, too.
///
/// It need not be written if the object [says](Known::says) it already.
pub fn announced_status(
    address: IpAddr,
    decided: &Decided,
    said: Option<&Said>,
    now: Timestamp,
) -> Value {
    let since = said
        .filter(|said| said.status == decided.status.as_str())
        .map_or(now, |said| said.since);
    let condition: Condition = condition(decided.clone(), None, time(since));
    json!({
        "apiVersion": ExternalIP::api_version(&()),
        "kind": ExternalIP::kind(&()),
        "metadata": {"name": object_name::of(address)},
        "status": {"conditions": [condition]},
    })
}

#[cfg(test)]
mod tests;
