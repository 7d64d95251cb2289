//! What the operator says about addresses: those that no node has taken up, and those whose node has fallen silent.

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
use crate::placement::{Basis, Nobody, Placement, eligible};

/// The condition `Announced` of each address about which it is the operator's to say.
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
    let silences = silences(snapshot);
    claims
        .iter()
        .filter_map(|(address, planned)| {
            let claim = planned.claim;
            let placement = placements.get(address);
            if let Some(holder) = planned.known.and_then(|known| known.taken_by.as_deref()) {
                let silence = match silences.get(holder) {
                    Some(silence) => (*silence)?,
                    None => Silence::Gone,
                };
                let others = || others(harbour, planned, holder);
                let condition = silent(claim, holder, silence, placement, others);
                return Some((*address, condition));
            }
            if let Some(release) = &claim.released {
                let pool = harbour.pool(&claim.pool);
                let rest = pool.map_or(REUSE_AFTER, |pool| pool.spec.reuse_after);
                let until = release.at.plus_seconds(i64::from(rest));
                return Some((*address, released(claim, release, until)));
            }
            let condition = match (&closed, placement?) {
                (Some((message, services)), _) if !has_published(claim, services) => {
                    withheld(claim, message)
                }
                (_, Placement::Nowhere(nobody)) => nowhere(claim, nobody),
                (_, Placement::On { node, .. }) if is_explained(planned, node) => return None,
                (_, Placement::On { node, basis }) => awaited(claim, node, basis),
            };
            Some((*address, condition))
        })
        .collect()
}

/// Whether the agent of the node, which is the planned one already, says why the node has not taken the address.
fn is_explained(planned: &Planned<'_>, node: &str) -> bool {
    planned
        .known
        .is_some_and(|known| known.planned.as_deref() == Some(node) && known.is_explained())
}

/// Why a node that has an address does not tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// There is no such node any more.
    Gone,
    /// Neither its kubelet nor its agent reports.
    NotReady,
}

/// Every node, with its silence if it is silent. An agent alone that does not report may be starting again, and its node
/// answers all the same.
fn silences(snapshot: &Snapshot) -> HashMap<&str, Option<Silence>> {
    let views = snapshot.nodes.iter().map(|node| &node.view);
    views
        .map(|view| {
            let silent = !view.ready && !view.reporting;
            (view.name.as_str(), silent.then_some(Silence::NotReady))
        })
        .collect()
}

/// What keeps the address away from every node but its holder.
fn others(harbour: &Harbour<'_>, planned: &Planned<'_>, holder: &str) -> Vec<String> {
    let local = harbour.local(planned.claim);
    eligible(&harbour.taken(planned, &local), &harbour.candidates)
        .into_iter()
        .filter(|verdict| verdict.node != holder)
        .map(|verdict| {
            let obstacles = verdict.result.err().unwrap_or_default();
            obstructed(verdict.node, &obstacles)
        })
        .collect()
}

fn silent(
    claim: &Claim,
    holder: &str,
    silence: Silence,
    placement: Option<&Placement>,
    others: impl FnOnce() -> Vec<String>,
) -> Condition {
    let address = claim.address;
    let why = match silence {
        Silence::Gone => "its Node object is gone",
        Silence::NotReady => "it is NotReady, and neither is mooring-agent there",
    };
    let next = match (placement, placement.and_then(Placement::node)) {
        (None, _) => "No Service has it any more, so no other node takes it.".to_owned(),
        (_, Some(node)) if node != holder => format!(
            "It belongs to node {node} now, which takes it as soon as nobody answers for it on the wire."
        ),
        _ => {
            let others = others();
            let message = if others.is_empty() {
                "the cluster has no other Linux node. Add one".to_owned()
            } else {
                few(others, "; ")
            };
            format!(
                "It moves to another node as soon as one can have it, and none can: {message}. kubectl mooring explain \
                 {address} tells about every node."
            )
        }
    };
    Condition::new(
        AnnouncedReason::NodeNotReporting,
        format!(
            "Node {holder} had {address} and does not report ({why}), so that nobody knows whether it still answers. {next}"
        ),
    )
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
