//! What is said about addresses that no node has taken up.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::berths::{Harbour, Planned};
use super::listing::{few, obstructed};
use super::snapshot::Snapshot;
use crate::condition::Condition;
use crate::ipam::allocate::is_published;
use crate::ipam::claim::{Claim, Release};
use crate::ipam::plan::Gate;
use crate::ipam::pool::REUSE_AFTER;
use crate::ipam::reason::AnnouncedReason;
use crate::ipam::service::Service;
use crate::kube_proxy::snapshot::Timestamp;
use crate::placement::{Basis, Nobody, Placement};

/// The condition `Announced` of each address that no node has taken up.
pub(super) fn announced(
    snapshot: &Snapshot,
    harbour: &Harbour<'_>,
    claims: &BTreeMap<IpAddr, Planned<'_>>,
    placements: &BTreeMap<IpAddr, Placement>,
) -> BTreeMap<IpAddr, Condition> {
    let closed = match &snapshot.gate {
        Gate::Open => None,
        Gate::Closed { message } => Some((message, by_uid(snapshot))),
    };
    let untaken = claims
        .iter()
        .filter(|(_, planned)| planned.known.is_none_or(|known| known.taken_by.is_none()));
    untaken
        .filter_map(|(address, planned)| {
            let claim = planned.claim;
            if let Some(release) = &claim.released {
                let pool = harbour.pool(&claim.pool);
                let rest = pool.map_or(REUSE_AFTER, |pool| pool.spec.reuse_after);
                let until = release.at.plus_seconds(i64::from(rest));
                return Some((*address, released(claim, release, until)));
            }
            let placement = placements.get(address)?;
            let condition = match (&closed, placement) {
                (Some((message, services)), _) if !has_published(claim, services) => {
                    withheld(claim, message)
                }
                (_, Placement::Nowhere(nobody)) => nowhere(claim, nobody),
                (_, Placement::On { node, basis }) => awaited(claim, node, basis),
            };
            Some((*address, condition))
        })
        .collect()
}

fn by_uid(snapshot: &Snapshot) -> HashMap<&str, &Service> {
    let services = snapshot.services.iter();
    services
        .map(|service| (service.uid.as_str(), service.as_ref()))
        .collect()
}

/// Whether a Service has the address in its status already. What is published stays, whatever the gate says.
fn has_published(claim: &Claim, services: &HashMap<&str, &Service>) -> bool {
    claim.holders.iter().any(|holder| {
        let service = services.get(holder.uid.as_str());
        service.is_some_and(|service| is_published(service, claim.address))
    })
}

/// The Services that have the address.
fn holders(claim: &Claim) -> String {
    few(claim.holders.iter().map(|holder| &holder.service), ", ")
}

fn withheld(claim: &Claim, message: &str) -> Condition {
    Condition::new(
        AnnouncedReason::WaitingForSafety,
        format!(
            "{} is held back from the status of {}: published now, it might be answered for by several nodes. It is \
             published as soon as the condition SafeToAnnounce of ServiceProxy cluster is True. {message}",
            claim.address,
            holders(claim)
        ),
    )
}

fn nowhere(claim: &Claim, nobody: &Nobody) -> Condition {
    let message = if nobody.nodes.is_empty() {
        "the cluster has no Linux node. Add one".to_owned()
    } else {
        let nodes = nobody.nodes.iter();
        few(
            nodes.map(|(node, obstacles)| obstructed(node, obstacles)),
            "; ",
        )
    };
    Condition::new(
        AnnouncedReason::NoEligibleNode,
        format!(
            "No node can have {}, so that nobody can reach {} there: {message}. kubectl mooring explain {} tells about \
             every node.",
            claim.address,
            holders(claim),
            claim.address
        ),
    )
}

fn awaited(claim: &Claim, node: &str, basis: &Basis) -> Condition {
    // Why it was planned there is forgotten once it is, and a message must not change for that.
    let why = match basis {
        Basis::KeptDespite(_) => format!(" ({basis})"),
        _ => String::new(),
    };
    Condition::new(
        AnnouncedReason::WaitingForNode,
        format!(
            "{} belongs to node {node}{why}, which has not taken it yet, so that nobody can reach {} there. If this \
             lasts, see whether mooring-agent runs on {node}, and what it logs.",
            claim.address,
            holders(claim)
        ),
    )
}

fn released(claim: &Claim, release: &Release, until: Timestamp) -> Condition {
    Condition::new(
        AnnouncedReason::Released,
        format!(
            "No Service has {} since {} released it. It rests until {until}, so that clients of the former Service do not end \
             at another one; a Service named {} gets it back at once.",
            claim.address, release.by, release.by
        ),
    )
}
