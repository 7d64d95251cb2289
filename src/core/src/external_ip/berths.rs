//! What each address needs of the node that it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::snapshot::{ClusterNode, Known, Snapshot};
use super::unrest::Memory;
use crate::ipam::claim::Claim;
use crate::ipam::pool::{OnCordon, Pool, PoolId, PoolProblem, PoolSpec};
use crate::ipam::range::{Addresses, Family};
use crate::ipam::service::TrafficPolicy;
use crate::kube_proxy::snapshot::Timestamp;
use crate::placement::{Berth, Candidate, GRACE, HeldBack, LocalService};

/// For how many seconds an address of a `revertive` pool does not go back to the node that it left. Kubernetes calls a node
/// that died ready for 40 s, and one that has just come back may die again.
const NOT_BACK: u32 = 60;

/// A claim once the plan is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned<'a> {
    pub(super) claim: &'a Claim,
    /// The object as it is; `None` if it is to be created.
    pub(super) known: Option<&'a Known>,
    /// The plan changes it.
    pub(super) changed: bool,
}

/// All claims, by address, once some are written and others deleted.
pub(super) fn claims<'a>(
    snapshot: &'a Snapshot,
    written: impl IntoIterator<Item = &'a Claim>,
    deleted: &[IpAddr],
) -> BTreeMap<IpAddr, Planned<'a>> {
    let mut claims: BTreeMap<IpAddr, Planned<'a>> = snapshot
        .addresses
        .iter()
        .map(|known| {
            let planned = Planned {
                claim: &known.claim,
                known: Some(known),
                changed: false,
            };
            (known.claim.address, planned)
        })
        .collect();
    for claim in written {
        let known = claims.get(&claim.address).and_then(|former| former.known);
        let planned = Planned {
            claim,
            known,
            changed: true,
        };
        claims.insert(claim.address, planned);
    }
    for address in deleted {
        claims.remove(address);
    }
    claims
}

impl<'a> Planned<'a> {
    /// The [present](Known::present) owner.
    pub(super) fn present(&self) -> Option<&'a str> {
        self.known?.present()
    }

    /// The node that the address left a moment ago, and until when it does not go back there.
    fn held_back(&self, now: Timestamp) -> Option<HeldBack<'a>> {
        let last = self.known?.last_move.as_ref()?;
        let until = last.at.plus_seconds(i64::from(NOT_BACK));
        let node = last.from.as_deref().filter(|_| now < until)?;
        Some(HeldBack { node, until })
    }
}

/// What stays the same for all addresses while their places are looked for.
#[derive(Debug)]
pub(super) struct Harbour<'a> {
    snapshot: &'a Snapshot,
    pools: BTreeMap<&'a PoolId, &'a Pool>,
    /// The spec of a pool that is gone.
    gone: PoolSpec,
    /// The nodes that can own addresses.
    pub(super) candidates: Vec<Candidate>,
    /// All that the uplinks of nodes are in.
    pub(super) subnets: Addresses,
}

impl<'a> Harbour<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, pools: &'a [Pool]) -> Self {
        let memory = Memory::of(snapshot);
        let nodes = snapshot.nodes.iter();
        let candidates: Vec<Candidate> = nodes
            .map(|node| candidate(node, &memory, snapshot.now))
            .collect();
        let subnets = candidates
            .iter()
            .flat_map(|node| &node.uplinks)
            .flat_map(|uplink| &uplink.subnets)
            .collect();
        Self {
            snapshot,
            pools: pools.iter().map(|pool| (&pool.id, pool)).collect(),
            gone: PoolSpec::default(),
            candidates,
            subnets,
        }
    }

    /// The pool of that name; `None` if it is gone.
    pub(super) fn pool(&self, id: &PoolId) -> Option<&'a Pool> {
        self.pools.get(id).copied()
    }

    /// Where the Services on the address with policy `Local` can be served.
    pub(super) fn local(&self, claim: &Claim) -> Vec<LocalService> {
        let family = Family::of(claim.address);
        claim
            .holders
            .iter()
            .filter(|holder| holder.traffic_policy == TrafficPolicy::Local)
            .map(|holder| {
                let endpoints = self.snapshot.endpoints.get(&holder.service);
                LocalService::of(
                    holder.service.to_string(),
                    family,
                    endpoints.into_iter().flatten(),
                )
            })
            .collect()
    }

    /// What an address of the pool needs of its node.
    pub(super) fn berth<'b>(
        &'b self,
        address: IpAddr,
        pool: &'b PoolId,
        local: &'b [LocalService],
    ) -> Berth<'b> {
        let spec = self.pool(pool).map_or(&self.gone, |pool| &pool.spec);
        Berth {
            ip: address,
            pool: &pool.name,
            selector: &spec.node_selector,
            interfaces: &spec.interfaces,
            in_subnet: self.subnets.contains(address),
            local,
            any_cluster: local.is_empty(),
            programmed: None,
            present: None,
            taken_from: None,
            revertive: spec.revertive,
            moves_on_cordon: spec.on_cordon == OnCordon::Move,
            held_back: None,
            heirs: &[],
        }
    }

    /// What an address that Services have needs of its node.
    pub(super) fn taken<'b>(
        &'b self,
        planned: &Planned<'b>,
        local: &'b [LocalService],
    ) -> Berth<'b> {
        let claim = planned.claim;
        Berth {
            any_cluster: local.len() < claim.holders.len(),
            present: planned.present(),
            taken_from: planned.known.and_then(Known::taken_from),
            held_back: planned.held_back(self.snapshot.now),
            heirs: planned.known.map_or(&[], |known| &known.heirs),
            ..self.berth(claim.address, &claim.pool, local)
        }
    }

    /// Whether nobody can tell which nodes the pool selects.
    pub(super) fn selects_unreadably(&self, pool: &PoolId) -> bool {
        let problems = self.pool(pool).map_or(&[][..], |pool| &pool.problems);
        problems.iter().any(|problem| {
            matches!(problem, PoolProblem::UnknownOperator { field, .. } if *field == "spec.nodeSelector")
        })
    }
}

fn candidate(node: &ClusterNode, memory: &Memory<'_>, now: Timestamp) -> Candidate {
    let briefly = |since: Option<Timestamp>| since.is_some_and(|since| now < grace_ends(since));
    Candidate {
        draining: node.draining,
        exit: node.exit,
        restless: memory.unrest(node).and_then(|unrest| unrest.restless(now)),
        // An agent that never reported is not being restarted.
        briefly_silent: node.view.report.is_some() && briefly(node.silent_since),
        briefly_unserved: briefly(node.unserved_since),
        ..Candidate::of(&node.view, node.labels.clone(), node.cordoned)
    }
}

fn grace_ends(since: Timestamp) -> Timestamp {
    since.plus_seconds(i64::from(GRACE))
}

/// When the next grace of a node is over, so that its addresses may have to move.
pub(super) fn next_grace(snapshot: &Snapshot) -> Option<Timestamp> {
    let nodes = snapshot.nodes.iter();
    let since = nodes
        .flat_map(|node| [node.silent_since, node.unserved_since])
        .flatten();
    since
        .map(grace_ends)
        .filter(|end| *end > snapshot.now)
        .min()
}

/// When an address of a `revertive` pool may next go back to the node that it left.
pub(super) fn next_return(
    snapshot: &Snapshot,
    harbour: &Harbour<'_>,
    claims: &BTreeMap<IpAddr, Planned<'_>>,
) -> Option<Timestamp> {
    let back = |planned: &Planned<'_>| Some(planned.held_back(snapshot.now)?.until);
    let revertive = claims.values().filter(|planned| {
        let pool = harbour.pool(&planned.claim.pool);
        !planned.claim.holders.is_empty() && pool.is_some_and(|pool| pool.spec.revertive)
    });
    revertive.filter_map(back).min()
}

/// Addresses of the pool that stand for all of it: one for each set of subnets that some of it is in, at most `limit`.
pub(super) fn samples(pool: &Pool, nodes: &[Candidate], limit: usize) -> Vec<IpAddr> {
    let subnets: BTreeSet<_> = nodes
        .iter()
        .flat_map(|node| &node.uplinks)
        .flat_map(|uplink| &uplink.subnets)
        .collect();
    let mut samples = BTreeMap::new();
    for range in pool.declared.ranges() {
        let inside = subnets.iter().filter_map(|subnet| range.overlap(subnet));
        let firsts = inside.map(|overlap| overlap.first());
        for address in [range.first()].into_iter().chain(firsts) {
            let around: Vec<usize> = subnets
                .iter()
                .enumerate()
                .filter(|(_, subnet)| subnet.contains(address))
                .map(|(number, _)| number)
                .collect();
            samples.entry(around).or_insert(address);
        }
        if samples.len() >= limit {
            break;
        }
    }
    // Without ranges, nodes are judged by all but their subnets.
    if samples.is_empty() {
        samples.insert(Vec::new(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }
    samples.into_values().take(limit).collect()
}
