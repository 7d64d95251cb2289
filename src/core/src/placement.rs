//! Which node owns which address, in peace.
//!
//! ```text
//! Candidates ─┐
//!             ├─ eligible ─▶ every node: ok, or all obstacles ─┐
//! Berths ─────┘                                                ├─ place ─▶ Placement: owner and why, or why nobody
//!                                      present owners, loads ──┘
//! ```
//!
//! The operator plans with [`place`], and names the heirs of each address: the first of its [`successors`]. Agents that find
//! the planned owner dead do not wait for the operator: the first living heir takes the address over.

mod assignment;
mod candidate;
mod eligibility;
mod endpoints;
mod exit;
mod heirs;
mod judges;
mod life;
mod obstacle;
mod rendezvous;
mod unrest;

pub use assignment::{Basis, Nobody, Placed, Placement, bound, place};
pub use candidate::{
    Candidate, CandidateUplink, DRAIN_ANNOTATION, EXCLUDE_LABEL, GRACE, is_unserved,
};
pub use eligibility::{Berth, HeldBack, Verdict, eligible};
pub use endpoints::{Endpoint, LocalService};
pub use exit::Exit;
pub use heirs::HEIRS;
pub use life::Life;
pub use obstacle::{Force, Obstacle};
pub use rendezvous::{score, successor, successors};
pub use unrest::{NoRecord, Restless, UNREST_ANNOTATION, Unrest};
