//! Where an address belongs: the node that has it, those that would follow, and what keeps it away from the others.

use std::net::IpAddr;

use mooring_core::external_ip::{How, Known, Moved, Overlap, Seen};
use mooring_core::ipam::pool::{PoolId, REUSE_AFTER, Source};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::mooring::Method;
use mooring_core::placement::{self, Placement, successors};

use super::{Address, Look, NodeStanding, Obstacle, PoolName, Reason, Role, Step, is_published};

/// How many moves are told of; the status has more.
const MOVES: usize = 3;

/// All that is known about an address.
pub(super) fn address(look: &Look, address: IpAddr) -> Address {
    let claim = look.claim(address);
    let holders = claim
        .map(|claim| claim.holders.as_slice())
        .unwrap_or_default();
    let published = holders.iter().any(|holder| {
        look.find(&holder.service)
            .is_some_and(|service| is_published(service, address))
    });
    Address {
        address,
        pool: claim.map(|claim| pool_name(&claim.pool)),
        services: holders
            .iter()
            .map(|holder| holder.service.to_string())
            .collect(),
        published,
        rests_until: rests_until(look, address),
        node: owner(look, address).map(str::to_owned),
        answered_by: look.known(address).and_then(|known| known.taken_by.clone()),
        nodes: nodes(look, address),
    }
}

/// The node that the address belongs to; if that cannot be worked out, the planned one.
fn owner(look: &Look, address: IpAddr) -> Option<&str> {
    if look.nodes_seen {
        look.decision
            .placements
            .get(&address)
            .and_then(Placement::node)
    } else {
        look.known(address)?.planned.as_deref()
    }
}

/// When somebody else can get a released address.
pub(super) fn rests_until(look: &Look, address: IpAddr) -> Option<Timestamp> {
    let claim = look.claim(address)?;
    let released = claim.released.as_ref()?;
    let pool = look
        .snapshot
        .pools
        .iter()
        .find(|pool| pool.id == claim.pool);
    let seconds = pool.map_or(REUSE_AFTER, |pool| pool.spec.reuse_after);
    Some(released.at.plus_seconds(i64::from(seconds)))
}

/// Every node: the owner first, then the others in the order in which they would follow, then those that cannot.
fn nodes(look: &Look, address: IpAddr) -> Vec<NodeStanding> {
    let verdicts = verdicts(look, address);
    let owner = owner(look, address);
    let able = verdicts
        .iter()
        .filter(|(node, obstacles)| obstacles.is_empty() && Some(node.as_str()) != owner)
        .map(|(node, _)| node.as_str());
    let order = successors(address, able);
    let mut standings: Vec<NodeStanding> = verdicts
        .iter()
        .map(|(node, obstacles)| {
            let place = order.iter().position(|successor| successor == node);
            let role = if Some(node.as_str()) == owner {
                Role::Owner
            } else if place.is_some() {
                Role::Successor
            } else {
                Role::Unable
            };
            NodeStanding {
                node: node.clone(),
                role,
                rank: place.map(|place| place + 1),
                obstacles: obstacles.iter().map(Obstacle::from).collect(),
            }
        })
        .collect();
    standings.sort_by(|a, b| (a.role, a.rank, &a.node).cmp(&(b.role, b.rank, &b.node)));
    standings
}

/// Every node with what keeps the address away from it; none if no Service has the address.
pub(super) fn verdicts(look: &Look, address: IpAddr) -> Vec<(String, Vec<placement::Obstacle>)> {
    let verdicts = look
        .nodes_seen
        .then(|| look.decision.verdicts(&look.snapshot, address));
    verdicts
        .flatten()
        .unwrap_or_default()
        .into_iter()
        .map(|verdict| (verdict.node, verdict.obstacles))
        .collect()
}

/// Why the address belongs where it does, and whether that node answers for it.
pub(super) fn reasons(look: &Look, address: IpAddr) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match look.decision.placements.get(&address) {
        _ if !look.nodes_seen => reasons.push(Reason::new(
            Step::Placement,
            "NotSeen",
            match owner(look, address) {
                Some(node) => format!(
                    "the operator planned {address} for node {node}; why there cannot be said, as not all about the nodes can \
                     be read"
                ),
                None => format!("where {address} belongs cannot be said, as not all about the nodes can be read"),
            },
        )),
        Some(Placement::On { node, basis }) => reasons.push(Reason::new(
            Step::Placement,
            basis.as_str(),
            format!("{address} belongs to node {node}: {basis}"),
        )),
        Some(Placement::Nowhere(nobody)) => reasons.push(Reason::new(
            Step::Placement,
            "NoEligibleNode",
            if nobody.nodes.is_empty() {
                format!("no node can have {address}, as there is none")
            } else {
                format!("no node can have {address}; what keeps it away from each is said below")
            },
        )),
        None => {}
    }
    reasons.extend(announcement(look, address));
    reasons
}

/// Whether a node answers, and how. The decision speaks as the operator does; what is left to agents stands in the status.
fn announcement(look: &Look, address: IpAddr) -> Vec<Reason> {
    let step = |reason, message| Reason::new(Step::Announcement, reason, message);
    let known = look.known(address);
    let taken_by = known.and_then(|known| known.taken_by.as_deref());
    let stands = known.and_then(|known| known.announced.as_ref());
    let said = stands.map(|stands| &stands.said);
    let decided = look
        .nodes_seen
        .then(|| look.decision.announced(&look.snapshot).remove(&address))
        .flatten();
    let explained = known.is_some_and(Known::is_explained);
    let mut reasons = Vec::new();
    match (decided, taken_by, said) {
        (Some(decided), Some(_), _) => reasons.push(step(decided.reason, decided.message)),
        (Some(decided), None, _) => {
            let message = format!("nobody answers for {address} yet: {}", decided.message);
            reasons.push(step(decided.reason, message));
        }
        (None, Some(node), Some(said)) => {
            let reason = if said.status == "True" {
                "Announced"
            } else {
                "NotAnnounced"
            };
            let message = format!(
                "node {node} has {address}: {} ({})",
                said.message, said.reason
            );
            reasons.push(step(reason, message));
            let how = stands.and_then(|stands| stands.how.as_ref());
            reasons.extend(how.map(|how| step("Answers", answers(node, address, how))));
        }
        (None, None, Some(said)) if explained => {
            let message = format!(
                "nobody answers for {address} yet: {} ({})",
                said.message, said.reason
            );
            reasons.push(step("NotAnnounced", message));
        }
        (None, ..) => {}
    }
    let moves = known.map(Known::history).unwrap_or_default();
    reasons.extend(moves.iter().take(MOVES).map(moved));
    let overlap = known.and_then(|known| known.last_overlap.as_ref());
    reasons.extend(overlap.map(|overlap| beside(address, overlap)));
    let seen = stands.and_then(|stands| stands.seen.as_ref());
    reasons.extend(
        seen.filter(|_| taken_by.is_some())
            .map(|seen| witnessed(address, seen)),
    );
    reasons
}

fn answers(node: &str, address: IpAddr, how: &How) -> String {
    let mac = how
        .mac
        .as_ref()
        .map_or_else(String::new, |mac| format!(" with {mac}"));
    let since = how
        .since
        .map_or_else(String::new, |since| format!(" since {since}"));
    let method = match how.method {
        Method::Responder => "mooring-agent does (Responder)",
        Method::Uplink => "the kernel does (Uplink)",
    };
    format!(
        "{node} answers for {address} on {}{mac}{since}: {method}",
        how.interface
    )
}

/// How the address came to a node.
fn moved(moved: &Moved) -> Reason {
    let Moved { to, how } = moved;
    let from = how
        .from
        .as_ref()
        .map_or_else(String::new, |from| format!(" from {from}"));
    Reason::new(
        Step::Announcement,
        "Moved",
        format!(
            "at {} it came to {to}{from} within {} ms ({})",
            how.at, how.milliseconds, how.reason
        ),
    )
}

/// Who had the address as well.
fn beside(address: IpAddr, overlap: &Overlap) -> Reason {
    let (other, length, until) = (overlap.other(), overlap.length(), overlap.until);
    Reason::new(
        Step::Announcement,
        "AnsweredTwice",
        format!(
            "until {until} {other} answered for {address}, too, for {length} at most: neither node could hear the other one"
        ),
    )
}

/// What another node saw on the wire.
fn witnessed(address: IpAddr, seen: &Seen) -> Reason {
    let reason = match seen.single.status.as_str() {
        "True" => "SingleResponder",
        "False" => "NotSingleResponder",
        _ => "NotWitnessed",
    };
    let since = seen
        .since
        .map_or_else(String::new, |since| format!("; so since {since}"));
    Reason::new(
        Step::Announcement,
        reason,
        format!(
            "who answers for {address} on the wire: {} ({}){since}",
            seen.single.message, seen.single.reason
        ),
    )
}

pub(super) fn pool_name(pool: &PoolId) -> PoolName {
    PoolName {
        name: pool.name.clone(),
        group: match pool.source {
            Source::Mooring => "mooring.dev",
            Source::Antrea => "crd.antrea.io",
        },
    }
}
