//! What the conditions of a pool say.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{OnRemoval, Pool, PoolProblem, Severity};
use crate::condition::Condition;
use crate::ipam::cluster_addresses::Occupant;
use crate::ipam::range::Count;
use crate::ipam::reason::{RangesUsableReason, ReadyReason};

/// How many problems a message names.
const NAMED: usize = 4;

/// How much of a pool is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Usage {
    /// The addresses of its ranges, less the edges that it leaves out.
    pub total: Count,
    /// Those that Services have, together with those that were taken out of the ranges since and are not released yet.
    pub used: Count,
    /// Those that can still be handed out.
    pub free: Count,
}

impl Pool {
    /// How much of it is in use, if Services have the addresses `used` from it and the addresses `resting` wait for their
    /// reuse.
    pub fn usage(&self, used: &BTreeSet<IpAddr>, resting: &BTreeSet<IpAddr>) -> Usage {
        let unavailable = used
            .union(resting)
            .filter(|address| self.assignable.contains(**address))
            .count();
        Usage {
            total: self.declared.count(),
            used: Count::from(used.len()),
            free: self
                .assignable
                .count()
                .saturating_sub(Count::from(unavailable)),
        }
    }

    /// Its conditions, except for that about nodes.
    pub fn conditions(&self, usage: &Usage) -> [Condition; 2] {
        [self.ready(usage), self.ranges_usable()]
    }

    fn ready(&self, usage: &Usage) -> Condition {
        let whole: Vec<&PoolProblem> = self
            .problems
            .iter()
            .filter(|problem| problem.severity() == Severity::Pool)
            .collect();
        let reason = whole.iter().find_map(|problem| match problem {
            PoolProblem::Terminating => Some(ReadyReason::Deleting),
            PoolProblem::NoRanges | PoolProblem::InvalidRange { .. } => {
                Some(ReadyReason::InvalidRanges)
            }
            PoolProblem::UnknownOperator { .. } => Some(ReadyReason::InvalidSelector),
            PoolProblem::Conflict { .. } => Some(ReadyReason::PoolConflict),
            PoolProblem::Occupied { .. } => None,
        });
        match reason {
            Some(ReadyReason::Deleting) => Condition::new(
                ReadyReason::Deleting,
                format!("The pool is being deleted. {}", self.leaving(usage)),
            ),
            Some(reason) => Condition::new(
                reason,
                format!(
                    "Nothing is handed out of the pool: {}. Addresses in use stay with their Services.",
                    named(&whole)
                ),
            ),
            None if self.assignable.is_empty() => Condition::new(
                ReadyReason::NothingUsable,
                "No address of spec.ipRanges can be handed out: what is not left out as an edge belongs to somebody else. \
                 Add a range that is free.",
            ),
            None if usage.free == Count::ZERO => Condition::new(
                ReadyReason::Exhausted,
                format!(
                    "No address is free: {} of {} are in use, and the others rest or belong to somebody else. Services \
                     that ask for one stay pending until one is released; or add a range.",
                    usage.used, usage.total
                ),
            ),
            None => Condition::new(
                ReadyReason::Available,
                format!(
                    "{} of {} addresses are in use, {} are free.",
                    usage.used, usage.total, usage.free
                ),
            ),
        }
    }

    fn leaving(&self, usage: &Usage) -> String {
        match (usage.used == Count::ZERO, self.spec.on_removal) {
            (true, _) => "No Service has an address of it.".to_owned(),
            (false, OnRemoval::Drain) => format!(
                "It goes when the {} addresses that Services still have are released: delete these Services or give them \
                 another pool, or set spec.onRemoval to Release to take the addresses away now.",
                usage.used
            ),
            (false, OnRemoval::Release) => format!(
                "The {} addresses that Services still have are being taken away, as spec.onRemoval is Release.",
                usage.used
            ),
        }
    }

    fn ranges_usable(&self) -> Condition {
        let occupied: Vec<(&Occupant, &PoolProblem)> = self
            .problems
            .iter()
            .filter_map(|problem| match problem {
                PoolProblem::Occupied { occupant, .. } => Some((occupant, problem)),
                _ => None,
            })
            .collect();
        let Some((worst, _)) = occupied.iter().min_by_key(|(occupant, _)| *occupant) else {
            return Condition::new(
                RangesUsableReason::AllUsable,
                "Nobody else has any of the addresses.",
            );
        };
        let reason = match worst {
            Occupant::Node(_) => RangesUsableReason::OverlapsNode,
            Occupant::Gateway(_) => RangesUsableReason::OverlapsGateway,
            Occupant::ApiServer => RangesUsableReason::OverlapsApiServer,
            Occupant::Services => RangesUsableReason::OverlapsServices,
            Occupant::Pods(_) => RangesUsableReason::OverlapsPods,
            Occupant::SubnetEdge(_) => RangesUsableReason::OverlapsSubnetEdge,
            Occupant::ForeignService(_) => RangesUsableReason::OverlapsForeignService,
            Occupant::IpvsProbe => RangesUsableReason::OverlapsIpvsProbe,
            Occupant::NotUnicast(_) => RangesUsableReason::NotUnicast,
        };
        let problems: Vec<&PoolProblem> = occupied.iter().map(|(_, problem)| *problem).collect();
        Condition::new(reason, format!("{}.", named(&problems)))
    }
}

/// Some problems, one after the other.
fn named(problems: &[&PoolProblem]) -> String {
    let mut texts: Vec<String> = problems
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    if let Some(more) = problems.len().checked_sub(NAMED).filter(|more| *more > 0) {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}
