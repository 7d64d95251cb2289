//! Pools against each other and against the cluster.

use std::net::IpAddr;

use super::{PoolId, PoolObject, PoolProblem, PoolSpec, Severity, Source, addresses};
use crate::ipam::cluster_addresses::ClusterAddresses;
use crate::ipam::quoted::Quoted;
use crate::ipam::range::{AddressRange, Addresses, Edges, HostBits};
use crate::ipam::selector::{LabelSelector, Operator};
use crate::kube_proxy::snapshot::Timestamp;

/// A pool, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name and kind.
    pub id: PoolId,
    /// Unique for the life of the cluster.
    pub uid: String,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// What its owner wants.
    pub spec: PoolSpec,
    /// All addresses that its ranges say, less the edges that it leaves out. A Service that has one of them from this pool
    /// keeps it, whatever the problems are.
    pub declared: Addresses,
    /// Those that can be handed out. None if a problem concerns the whole pool.
    pub assignable: Addresses,
    /// What is wrong with it, the worst first.
    pub problems: Vec<PoolProblem>,
}

impl Pool {
    /// Whether addresses are handed out of it at all.
    pub fn is_open(&self) -> bool {
        let worst = self.problems.first();
        worst.is_none_or(|problem| problem.severity() != Severity::Pool)
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.problems.contains(&PoolProblem::Terminating)
    }

    /// Whether all its ranges could be read. While one cannot, nobody knows which addresses are meant to be in the pool,
    /// and none that it gave may be taken back for not being in it.
    pub fn is_readable(&self) -> bool {
        !self.problems.iter().any(|problem| {
            matches!(
                problem,
                PoolProblem::NoRanges | PoolProblem::InvalidRange { .. }
            )
        })
    }

    /// Why `address` is not handed out of this pool.
    ///
    /// # Errors
    /// `Err(None)` if it is not in the pool, else the problem.
    pub fn gives(&self, address: IpAddr) -> Result<(), Option<&PoolProblem>> {
        if self.assignable.contains(address) {
            return Ok(());
        }
        if !self.declared.contains(address) {
            return Err(None);
        }
        let whole = self
            .problems
            .iter()
            .find(|problem| problem.severity() == Severity::Pool);
        Err(whole.or_else(|| {
            self.problems.iter().find(|problem| {
                matches!(problem, PoolProblem::Occupied { overlap, .. } if overlap.contains(address))
            })
        }))
    }
}

/// The first of the pools that has the address in its ranges, one that hands it out before others.
pub fn declaring(pools: &[Pool], address: IpAddr) -> Option<&Pool> {
    let declaring = || pools.iter().filter(|pool| pool.declared.contains(address));
    declaring()
        .find(|pool| pool.gives(address).is_ok())
        .or_else(|| declaring().next())
}

/// Checks all pools of the cluster. They come back in the order in which they are asked for addresses: by priority, then
/// by name, Mooring's own before Antrea's of the same name.
///
/// Of two pools that overlap the later one is closed. The order is the same for everybody: by creation, then uid, then
/// name. Closed or not, a pool keeps later ones away from its addresses, as Services may have them already; otherwise the
/// end of one conflict could be the start of another.
pub fn check(objects: &[PoolObject], cluster: &ClusterAddresses) -> Vec<Pool> {
    let mut by_age: Vec<&PoolObject> = objects.iter().collect();
    by_age.sort_by_key(|object| (object.created, &object.uid, &object.id));
    let mut pools: Vec<Pool> = Vec::with_capacity(by_age.len());
    for object in by_age {
        let pool = checked(object, cluster, &pools);
        pools.push(pool);
    }
    pools.sort_by(|a, b| (a.spec.priority, &a.id).cmp(&(b.spec.priority, &b.id)));
    pools
}

fn checked(object: &PoolObject, cluster: &ClusterAddresses, older: &[Pool]) -> Pool {
    let spec = &object.spec;
    let mut problems = Vec::new();
    if object.terminating {
        problems.push(PoolProblem::Terminating);
    }
    if spec.ranges.is_empty() {
        problems.push(PoolProblem::NoRanges);
    }
    let (host_bits, edges) = match (object.id.source, spec.avoid_edges) {
        (Source::Antrea, _) => (HostBits::Clear, Edges::Antrea),
        (Source::Mooring, true) => (HostBits::Refuse, Edges::Avoid),
        (Source::Mooring, false) => (HostBits::Refuse, Edges::Keep),
    };
    let mut ranges: Vec<AddressRange> = Vec::with_capacity(spec.ranges.len());
    for (index, text) in spec.ranges.iter().enumerate() {
        match AddressRange::parse(text, host_bits) {
            Ok(range) => ranges.extend(range.without(edges)),
            Err(problem) => problems.push(PoolProblem::InvalidRange { index, problem }),
        }
    }
    problems.extend(unknown_operators(spec));
    let declared = addresses(&ranges);
    problems.extend(older.iter().find_map(|older| {
        let overlap = declared
            .ranges()
            .find_map(|range| older.declared.overlap(&range))?;
        Some(PoolProblem::Conflict {
            other: older.id.clone(),
            overlap,
        })
    }));
    let mut assignable = declared.clone();
    for (occupant, range) in cluster.entries() {
        let overlaps = declared
            .ranges()
            .filter_map(|declared| declared.overlap(range));
        problems.extend(overlaps.map(|overlap| PoolProblem::Occupied {
            occupant: occupant.clone(),
            overlap,
        }));
        assignable.remove(range);
    }
    if problems
        .iter()
        .any(|problem| problem.severity() == Severity::Pool)
    {
        assignable = Addresses::default();
    }
    Pool {
        id: object.id.clone(),
        uid: object.uid.clone(),
        created: object.created,
        spec: spec.clone(),
        declared,
        assignable,
        problems,
    }
}

fn unknown_operators(spec: &PoolSpec) -> impl Iterator<Item = PoolProblem> {
    let unknown = |field, selector: &LabelSelector| {
        selector
            .match_expressions
            .iter()
            .find_map(|expression| match &expression.operator {
                Operator::Unknown(operator) => Some(PoolProblem::UnknownOperator {
                    field,
                    operator: Quoted::new(operator),
                }),
                _ => None,
            })
    };
    [
        ("spec.nodeSelector", Some(&spec.node_selector)),
        ("spec.namespaceSelector", spec.namespace_selector.as_ref()),
        ("spec.serviceSelector", spec.service_selector.as_ref()),
    ]
    .into_iter()
    .filter_map(move |(field, selector)| unknown(field, selector?))
}
