//! Which node owns which address, in peace.
//!
//! ```text
//! Candidates ─┐
//!             ├─ eligible ─▶ every node: ok, or all obstacles ─┐
//! Berths ─────┘                                                ├─ place ─▶ Placement: owner and why, or why nobody
//!                                      present owners, loads ──┘
//! ```
//!
//! The operator plans with [`place`]. Agents that find the planned owner dead do not wait for it: they take the first
//! living one of [`successors`], which every one of them computes alike.

mod assignment;
mod candidate;
mod eligibility;
mod endpoints;
mod judges;
mod obstacle;
mod rendezvous;

pub use assignment::{Basis, Nobody, Placement, bound, place};
pub use candidate::{Candidate, CandidateUplink, EXCLUDE_LABEL, GRACE, is_unserved};
pub use eligibility::{Berth, Verdict, eligible};
pub use endpoints::{Endpoint, LocalService};
pub use obstacle::{Force, Obstacle};
pub use rendezvous::{score, successor, successors};
