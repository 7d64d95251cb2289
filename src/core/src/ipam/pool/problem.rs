//! What is wrong with a pool.

use crate::ipam::cluster_addresses::Occupant;
use crate::ipam::pool::PoolId;
use crate::ipam::range::{AddressRange, RangeProblem};

/// What a [`PoolProblem`] stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is handed out of the pool.
    Pool,
    /// Some of its addresses are not handed out.
    Addresses,
}

/// What is wrong with a pool. None of these takes an address from a Service that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PoolProblem {
    /// There are no ranges.
    #[error("spec.ipRanges is empty: add a range, as in cidr: 10.0.0.0/24, or start and end")]
    NoRanges,
    /// A range cannot be read.
    #[error("spec.ipRanges[{index}] {problem}")]
    InvalidRange {
        /// Its place, counted from 0.
        index: usize,
        /// What is wrong with it.
        problem: RangeProblem,
    },
    /// A selector has an operator that Kubernetes does not know.
    #[error("{field} has the operator {operator}: use In, NotIn, Exists or DoesNotExist")]
    UnknownOperator {
        /// The selector.
        field: &'static str,
        /// What stands there.
        operator: crate::ipam::quoted::Quoted,
    },
    /// An older pool has some of the addresses.
    #[error(
        "{overlap} is in the older pool {other} as well: nothing is handed out of this pool until one of the two leaves \
         these addresses out"
    )]
    Conflict {
        /// The older pool.
        other: PoolId,
        /// The lowest range that both have.
        overlap: AddressRange,
    },
    /// Something else has some of the addresses.
    #[error("{overlap} is {occupant}: {}", occupant.consequence())]
    Occupied {
        /// What it is.
        occupant: Occupant,
        /// The lowest range in the pool that it has.
        overlap: AddressRange,
    },
    /// Being deleted.
    #[error("the pool is being deleted: nothing is handed out of it any more")]
    Terminating,
}

impl PoolProblem {
    /// What it stops.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NoRanges
            | Self::InvalidRange { .. }
            | Self::UnknownOperator { .. }
            | Self::Conflict { .. }
            | Self::Terminating => Severity::Pool,
            Self::Occupied { .. } => Severity::Addresses,
        }
    }
}
