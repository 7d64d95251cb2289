//! Is it safe to announce external IPs, and if not, what is to be done? Five conditions of the ServiceProxy. The sixth,
//! [`foreign`]'s, says what is seen on the wire.
//!
//! ```text
//! Assessment (what is configured) ─┐
//! NodeViews  (what is live)        ├─ judge ─▶ ClusterVerdict: five conditions, modes, counts, notes
//! Run        (what is being done) ─┘
//! ```
//!
//! Each message says what is, why it matters and what to do next. What is not known is Unknown, never True.
//!
//! Who reports is alive, whatever the node's Ready condition says: after an outage of the API server the node controller takes
//! all nodes for lost until their kubelets have written again, which can take a minute.
//!
//! A node that neither is Ready nor reports counts as unknown, but holds nothing back: as a rule it is off and answers nothing, and a
//! cluster must not stop announcing because a node died. A Ready node without a reporting agent does hold back: it answers,
//! and nobody knows for what.

mod configured;
mod confirm;
mod effective;
pub mod foreign;
mod mode;
mod notes;
mod rolled_out;
mod safe;
mod verdict;

pub use confirm::confirm;
pub use effective::{Disquiet, disquiet};
pub use verdict::{
    ClusterVerdict, ConfigurationFound, Counts, ExternalAddress, GuardInput, PastCondition, judge,
};
