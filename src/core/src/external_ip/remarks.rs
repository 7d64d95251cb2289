//! What the operator says about addresses in their statuses, and whether the requests of their Services are met.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::berths::Planned;
use crate::condition::Condition;
use crate::ipam::claim::Claim;
use crate::ipam::outcome::{NotMet, Outcome};
use crate::ipam::reason::RequestMetReason;
use crate::kube_proxy::snapshot::ObjectName;

/// The conditions of an address that are the operator's to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    /// The node that had the address when this was decided.
    pub taken_by: Option<String>,
    /// `Announced`: what is waited for, or that the node which had the address does not report. `None` while it is an agent's
    /// to say: that of the node which has the address, or of the one which shall have it and says why it has not.
    pub announced: Option<Condition>,
    /// `RequestMet`: whether the Services that have the address have what they ask for. `None` while it rests: the condition
    /// is not to be there.
    pub request_met: Option<Condition>,
}

/// The remarks about each of the addresses that are claimed.
pub(super) fn of(
    claims: &BTreeMap<IpAddr, Planned<'_>>,
    mut announced: BTreeMap<IpAddr, Condition>,
    outcomes: &BTreeMap<ObjectName, Outcome>,
) -> BTreeMap<IpAddr, Remarks> {
    let remarks = claims.iter().map(|(address, planned)| {
        let remarks = Remarks {
            taken_by: planned.known.and_then(|known| known.taken_by.clone()),
            announced: announced.remove(address),
            request_met: request_met(planned.claim, outcomes),
        };
        (*address, remarks)
    });
    remarks.collect()
}

/// The Services that have the address and not all that they ask for, by name, and why not.
pub fn not_met<'a>(
    claim: &'a Claim,
    outcomes: &BTreeMap<ObjectName, Outcome>,
) -> Vec<(&'a ObjectName, NotMet)> {
    let mut found: Vec<_> = claim
        .holders
        .iter()
        .filter_map(|holder| Some((&holder.service, outcomes.get(&holder.service)?.not_met()?)))
        .collect();
    found.sort_by_key(|(service, _)| *service);
    found
}

/// While all is well, the message is the same for every address, so that nothing is written when Services come to one or
/// leave it.
fn request_met(claim: &Claim, outcomes: &BTreeMap<ObjectName, Outcome>) -> Option<Condition> {
    if claim.holders.is_empty() {
        return None;
    }
    let found = not_met(claim, outcomes);
    let Some(((service, first), others)) = found.split_first() else {
        return Some(Condition::new(
            RequestMetReason::Met,
            "Every Service that has the address has all that it asks for.",
        ));
    };
    let see = format!("kubectl mooring explain {}", claim.address);
    let others = match others.len() {
        0 => String::new(),
        1 => format!(" The same goes for 1 more Service that has the address: {see}"),
        more => format!(" The same goes for {more} more Services that have the address: {see}"),
    };
    Some(Condition::new(
        first.reason,
        format!(
            "{service} has not all that it asks for: {}.{others}",
            first.message
        ),
    ))
}
