//! What is written about external IPs, and why.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::announced::announced;
use super::berths::{self, Harbour, Planned};
use super::occupied;
use super::pool_state;
use super::remarks::{self, Remarks};
use super::snapshot::{Known, Snapshot};
use super::unrest;
use crate::condition::Condition;
use crate::ipam::allocate;
use crate::ipam::claim::Claim;
use crate::ipam::cluster_addresses::{ClusterAddresses, Occupant};
use crate::ipam::outcome::Outcome;
use crate::ipam::plan::{Plan, StatusWrite, World};
use crate::ipam::pool::{Pool, PoolId, Usage, check};
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};
use crate::placement::{
    Basis, LocalService, Obstacle, Placed, Placement, Unrest, Verdict, eligible, place,
};

/// Everything to write, in the order in which [`ipam::plan`](crate::ipam::plan) says, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// ExternalIPs to create. That they exist already means that somebody else was first.
    pub create: Vec<Berthed>,
    /// ExternalIPs whose spec changes: holders, release, the planned node, or its heirs.
    pub update: Vec<Berthed>,
    /// ExternalIPs to delete: their addresses have rested.
    pub delete: Vec<IpAddr>,
    /// Statuses of Services to write.
    pub statuses: Vec<StatusWrite>,
    /// What came out for each Service.
    pub outcomes: BTreeMap<ObjectName, Outcome>,
    /// The pools, in the order in which they are asked.
    pub pools: Vec<Pool>,
    /// What the status of each pool is to say, by pool. A pool that is gone has none.
    pub pool_states: BTreeMap<PoolId, PoolState>,
    /// Where each address that a Service has belongs, and why.
    pub placements: BTreeMap<IpAddr, Placement>,
    /// What is to be recorded of the deaths of nodes, by node.
    pub unrest: BTreeMap<String, Unrest>,
    /// When something changes by itself.
    pub wake: Option<Timestamp>,
}

/// A claim, and the node that it is planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Berthed {
    /// Who has the address.
    pub claim: Claim,
    /// `spec.node`.
    pub node: Option<String>,
    /// `spec.heirs`: who takes it over while that node is gone.
    pub heirs: Vec<String>,
    /// `spec.plan`: grows whenever the node changes, or gets the address back from one that took it over.
    pub plan: u32,
    /// `spec.cause`: why that was decided.
    pub cause: Option<String>,
}

/// What the status of a pool is to say. Antrea's kind has room for the usage only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    /// The addresses, counted.
    pub usage: Usage,
    /// Addresses that Services still have although they are not in the pool any more, or the pool is being deleted.
    pub draining: Vec<IpAddr>,
    /// `Ready`, `RangesUsable`, `NodesEligible`.
    pub conditions: Vec<Condition>,
    /// Services still have addresses of it: its finalizer stays, or is set.
    pub in_use: bool,
}

/// A node, and what keeps it from owning an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVerdict {
    /// The node's name.
    pub node: String,
    /// All obstacles, the weightiest first; none if it can have the address.
    pub obstacles: Vec<Obstacle>,
}

/// Decides about all external IPs.
pub fn decide(snapshot: &Snapshot) -> Decision {
    let cluster = occupied::of_cluster(snapshot);
    let (pools, mut plan) = plan(snapshot, cluster);
    let written = plan.create.iter().chain(&plan.update);
    let claims = berths::claims(snapshot, written, &plan.delete);
    let harbour = Harbour::new(snapshot, &pools);
    let placed = placed(&harbour, &claims);
    let pool_states = pool_state::states(&harbour, &pools, &plan, &claims);
    let (create, update) = changes(&claims, &placed);
    let returns = berths::next_return(snapshot, &harbour, &claims);
    drop(harbour);
    drop(claims);
    Decision {
        create,
        update,
        delete: std::mem::take(&mut plan.delete),
        statuses: plan.statuses,
        outcomes: plan.outcomes,
        pools,
        pool_states,
        placements: placed.placements,
        unrest: unrest::news(snapshot),
        wake: plan
            .wake
            .into_iter()
            .chain(berths::next_grace(snapshot))
            .chain(returns)
            .chain(unrest::next_rest(snapshot))
            .min(),
    }
}

/// The pools checked, and who gets what of them.
fn plan(snapshot: &Snapshot, mut cluster: ClusterAddresses) -> (Vec<Pool>, Plan) {
    let mut pools = check(&snapshot.pools, &cluster);
    let foreign = allocate::foreign(&world(snapshot, &pools));
    if !foreign.is_empty() {
        for (address, service) in foreign {
            cluster.add(Occupant::ForeignService(service.to_string()), address);
        }
        pools = check(&snapshot.pools, &cluster);
    }
    let plan = allocate::plan(&world(snapshot, &pools));
    (pools, plan)
}

fn world<'a>(snapshot: &'a Snapshot, pools: &'a [Pool]) -> World<'a> {
    World {
        pools,
        services: &snapshot.services,
        namespaces: &snapshot.namespaces,
        claims: snapshot
            .addresses
            .iter()
            .map(|known| &known.claim)
            .collect(),
        others: snapshot.others,
        gate: &snapshot.gate,
        now: snapshot.now,
    }
}

fn placed(harbour: &Harbour<'_>, claims: &BTreeMap<IpAddr, Planned<'_>>) -> Placed {
    let taken = || {
        claims
            .values()
            .filter(|planned| !planned.claim.holders.is_empty())
    };
    let local: Vec<Vec<LocalService>> = taken()
        .map(|planned| harbour.local(planned.claim))
        .collect();
    let berths: Vec<_> = taken()
        .zip(&local)
        .map(|(planned, local)| harbour.taken(planned, local))
        .collect();
    let mut placed = place(&berths, &harbour.candidates);
    for planned in taken() {
        stay_if_unreadable(harbour, planned, &mut placed);
    }
    placed
}

/// A `nodeSelector` that cannot be read selects no node, and takes no address away either.
fn stay_if_unreadable(harbour: &Harbour<'_>, planned: &Planned<'_>, placed: &mut Placed) {
    let claim = planned.claim;
    let (Some(present), Some(Placement::Nowhere(nobody))) =
        (planned.present(), placed.placements.get(&claim.address))
    else {
        return;
    };
    if !harbour.selects_unreadably(&claim.pool) {
        return;
    }
    let here = nobody.nodes.iter().find(|(node, _)| node == present);
    if let Some((node, obstacles)) = here {
        let stays = Placement::On {
            node: node.clone(),
            basis: Basis::KeptDespite(obstacles.clone()),
        };
        placed.placements.insert(claim.address, stays);
        placed.heirs.remove(&claim.address);
    }
}

/// The claims to create, and those to update. A released address has no planned node and no heirs.
fn changes(
    claims: &BTreeMap<IpAddr, Planned<'_>>,
    placed: &Placed,
) -> (Vec<Berthed>, Vec<Berthed>) {
    let (mut create, mut update) = (Vec::new(), Vec::new());
    for (address, planned) in claims {
        let placement = placed.placements.get(address);
        let node = placement.and_then(Placement::node);
        let before = planned.known.map_or(&[][..], |known| &known.heirs);
        let heirs = match (placement, placed.heirs.get(address)) {
            (None, _) => &[],
            (Some(_), Some(heirs)) => heirs.as_slice(),
            (Some(_), None) => before,
        };
        // Who took it over gives it back only under a new plan, also if that is for the same node as before.
        let back = node.is_some() && planned.known.and_then(Known::taken_from) == node;
        let moves = back || planned.known.and_then(|known| known.planned.as_deref()) != node;
        let plan = planned.known.map_or(0, |known| known.plan);
        let berthed = || Berthed {
            claim: planned.claim.clone(),
            node: node.map(str::to_owned),
            heirs: heirs.to_vec(),
            plan: plan.saturating_add(moves.into()),
            cause: match placement {
                Some(Placement::On { basis, .. }) if moves => Some(basis.cause().to_owned()),
                Some(_) => planned.known.and_then(|known| known.cause.clone()),
                None => None,
            },
        };
        match planned.known {
            None => create.push(berthed()),
            Some(_) if planned.changed || moves || heirs != before => update.push(berthed()),
            Some(_) => {}
        }
    }
    (create, update)
}

// === impl NodeVerdict ===

impl From<Verdict<'_>> for NodeVerdict {
    fn from(verdict: Verdict<'_>) -> Self {
        Self {
            node: verdict.node.to_owned(),
            obstacles: verdict.result.err().unwrap_or_default(),
        }
    }
}

// === impl Decision ===

impl Decision {
    /// Whether there is no ExternalIP and no status of a Service to write.
    pub fn is_settled(&self) -> bool {
        self.writes() == 0
    }

    /// How many ExternalIPs and statuses of Services there are to write.
    pub fn writes(&self) -> usize {
        self.create.len() + self.update.len() + self.delete.len() + self.statuses.len()
    }

    /// All claims, once the decision on `snapshot` is carried out.
    pub(super) fn claims<'a>(&'a self, snapshot: &'a Snapshot) -> BTreeMap<IpAddr, Planned<'a>> {
        let written = self.create.iter().chain(&self.update);
        let written = written.map(|berthed| &berthed.claim);
        berths::claims(snapshot, written, &self.delete)
    }

    /// The condition `Announced` of each address about which it is the operator's to say, once the decision on `snapshot` is
    /// carried out: what is waited for, or that the node which had the address is gone or does not report. Of an address that
    /// another node has, its agent speaks, and so does that of a node which [says](super::Known::is_explained) why it has
    /// not taken the address that it shall have. No Service waits for this, so it is not made with the decision.
    pub fn announced(&self, snapshot: &Snapshot) -> BTreeMap<IpAddr, Condition> {
        let claims = self.claims(snapshot);
        let harbour = Harbour::new(snapshot, &self.pools);
        announced(snapshot, &harbour, &claims, &self.placements)
    }

    /// What the operator says about each address in its status, once the decision on `snapshot` is carried out: whether the
    /// requests of its Services are met, and [who answers](Self::announced). No Service waits for this either.
    pub fn remarks(&self, snapshot: &Snapshot) -> BTreeMap<IpAddr, Remarks> {
        let claims = self.claims(snapshot);
        let harbour = Harbour::new(snapshot, &self.pools);
        let announced = announced(snapshot, &harbour, &claims, &self.placements);
        remarks::of(&claims, announced, &self.outcomes)
    }

    /// Every node with what keeps it from owning `address`, in the order of the names; `None` if no Service has the address
    /// once the decision is carried out.
    pub fn verdicts(&self, snapshot: &Snapshot, address: IpAddr) -> Option<Vec<NodeVerdict>> {
        let claims = self.claims(snapshot);
        let taken = |planned: &&Planned<'_>| !planned.claim.holders.is_empty();
        let planned = claims.get(&address).filter(taken)?;
        let harbour = Harbour::new(snapshot, &self.pools);
        let local = harbour.local(planned.claim);
        let verdicts = eligible(&harbour.taken(planned, &local), &harbour.candidates);
        Some(verdicts.into_iter().map(NodeVerdict::from).collect())
    }
}
