//! External IPs as a whole: from one look at the cluster to everything that is written about them.
//!
//! ```text
//! Snapshot ─▶ what belongs to the cluster ─▶ pools, checked ─▶ ipam: who gets what ─▶ placement: where it belongs ─▶ Decision
//! ```
//!
//! The operator carries a [`Decision`] out; `kubectl mooring explain` takes the same one and prints why. The agent of its
//! node takes an address up, and says in the ExternalIP's status that it did. `kubectl mooring move` and `drain` ask the same
//! decision what may be moved by hand (`relocation`), and what is left on a node that is to have nothing (`drain`).

mod announced;
mod berths;
mod decision;
mod drain;
mod farewell;
mod listing;
mod occupied;
mod pool_state;
mod relocation;
mod remarks;
mod snapshot;
mod unrest;

pub use decision::{Berthed, Decision, NodeVerdict, PoolState, decide};
pub use drain::{Departure, Evacuation, Fate, Lingering};
pub use farewell::Farewell;
pub use occupied::of_cluster;
pub use relocation::{Immovable, Relocation, Stage, stage};
pub use remarks::{Remarks, not_met};
pub use snapshot::{
    Announcement, ClusterNode, How, Known, MOVES, Move, Moved, Networks, Overlap, Said, Seen,
    Snapshot,
};
