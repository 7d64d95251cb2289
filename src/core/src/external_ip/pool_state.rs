//! What the statuses of pools are to say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::berths::{Harbour, Planned, samples};
use super::decision::PoolState;
use super::listing::{few, obstructed};
use crate::condition::Condition;
use crate::ipam::plan::{self, Plan};
use crate::ipam::pool::{Pool, PoolId, Usage};
use crate::ipam::range::Count;
use crate::ipam::reason::NodesEligibleReason;
use crate::placement::{Force, Obstacle, Verdict, eligible};

/// How many addresses are looked at to tell which nodes can have those of a pool.
const SAMPLES: usize = 16;

/// What the status of each pool is to say.
pub(super) fn states(
    harbour: &Harbour<'_>,
    pools: &[Pool],
    plan: &Plan,
    claims: &BTreeMap<IpAddr, Planned<'_>>,
) -> BTreeMap<PoolId, PoolState> {
    let mut draining: BTreeMap<&PoolId, Vec<IpAddr>> = BTreeMap::new();
    for (address, planned) in claims {
        let claim = planned.claim;
        let leaves = |pool: &Pool| {
            pool.is_terminating() || (pool.is_readable() && !pool.declared.contains(*address))
        };
        if !claim.holders.is_empty() && harbour.pool(&claim.pool).is_some_and(leaves) {
            draining.entry(&claim.pool).or_default().push(*address);
        }
    }
    pools
        .iter()
        .map(|pool| {
            let counted = plan.usage.get(&pool.id).copied().unwrap_or_default();
            let usage = usage(pool, counted);
            let mut conditions = pool.conditions(&usage).to_vec();
            conditions.push(nodes_eligible(harbour, pool));
            let state = PoolState {
                usage,
                draining: draining.remove(&pool.id).unwrap_or_default(),
                conditions,
                in_use: counted.used > 0,
            };
            (pool.id.clone(), state)
        })
        .collect()
}

fn usage(pool: &Pool, counted: plan::Usage) -> Usage {
    Usage {
        total: pool.declared.count(),
        used: Count::from(counted.used),
        free: counted.free,
    }
}

/// Whether a node can have addresses of the pool. A pool may reach over several subnets: then a node counts that can have
/// some of its addresses.
fn nodes_eligible(harbour: &Harbour<'_>, pool: &Pool) -> Condition {
    let selector = &pool.spec.node_selector;
    let selected: BTreeSet<&str> = harbour
        .candidates
        .iter()
        .filter(|node| selector.selects(&node.labels))
        .map(|node| node.name.as_str())
        .collect();
    if selected.is_empty() {
        return none_selected(harbour, pool);
    }
    let mut best: BTreeMap<&str, Vec<Obstacle>> = BTreeMap::new();
    for sample in samples(pool, &harbour.candidates, SAMPLES) {
        let berth = harbour.berth(sample, &pool.id, &[]);
        let verdicts = eligible(&berth, &harbour.candidates).into_iter();
        for verdict in verdicts.filter(|verdict| selected.contains(verdict.node)) {
            keep_better(&mut best, verdict);
        }
    }
    let can = |obstacles: &Vec<Obstacle>| {
        let hardest = obstacles.iter().map(Obstacle::force).max();
        hardest.is_none_or(|force| force <= Force::TakesNoMore)
    };
    let able = best.values().filter(|obstacles| can(obstacles)).count();
    let hindered = best.iter().filter(|(_, obstacles)| !obstacles.is_empty());
    let named = few(
        hindered.map(|(node, obstacles)| obstructed(node, obstacles)),
        "; ",
    );
    let all = selected.len();
    if able > 0 {
        let but = if named.is_empty() { "" } else { " " };
        return Condition::new(
            NodesEligibleReason::SomeEligible,
            format!("{able} of {all} selected nodes can have addresses of the pool.{but}{named}"),
        );
    }
    let silent = best.values().any(|obstacles| only_silent(obstacles));
    let reason = if silent {
        NodesEligibleReason::NodesNotReporting
    } else {
        NodesEligibleReason::NoneEligible
    };
    let what = if silent {
        "It is not known of any selected node that it can have addresses of the pool"
    } else {
        "None of the selected nodes can have addresses of the pool"
    };
    Condition::new(
        reason,
        format!("{what}, so that nobody would answer for them. {all} selected; {named}"),
    )
}

/// Whether all that is known against a node is that its agent does not report.
fn only_silent(obstacles: &[Obstacle]) -> bool {
    obstacles.iter().all(|obstacle| {
        *obstacle == Obstacle::AgentNotReporting || obstacle.force() <= Force::TakesNoMore
    })
}

/// Keeps the address with the least against the node.
fn keep_better<'a>(best: &mut BTreeMap<&'a str, Vec<Obstacle>>, verdict: Verdict<'a>) {
    let weight = |obstacles: &[Obstacle]| {
        let hardest = obstacles.iter().map(Obstacle::force).max();
        (hardest, obstacles.len())
    };
    let obstacles = verdict.result.err().unwrap_or_default();
    match best.get_mut(verdict.node) {
        Some(least) if weight(least) <= weight(&obstacles) => {}
        Some(least) => *least = obstacles,
        None => {
            best.insert(verdict.node, obstacles);
        }
    }
}

fn none_selected(harbour: &Harbour<'_>, pool: &Pool) -> Condition {
    let selector = &pool.spec.node_selector;
    let mismatches = harbour.candidates.iter().filter_map(|node| {
        let mismatch = selector.first_mismatch(&node.labels)?;
        Some(format!("{}: {mismatch}", node.name))
    });
    let nodes = few(mismatches, "; ");
    let message = if nodes.is_empty() {
        "The cluster has no Linux node, so nobody would answer for addresses of the pool. Add one."
            .to_owned()
    } else {
        format!(
            "spec.nodeSelector ({selector}) selects no node, so nobody would answer for addresses of the pool. Label a node \
             as it says, or change it. {nodes}"
        )
    };
    Condition::new(NodesEligibleReason::NoneSelected, message)
}
