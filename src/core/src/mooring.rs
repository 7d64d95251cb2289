//! What a node does about the addresses that are planned for it: which interface, which way of answering, when.
//!
//! ```text
//! Wanted, Node ─ berth ─▶ interface and shape ─┐
//! answers on the wire ─────────────────────────┼─▶ Moorings (a machine without a clock) ─▶ Orders
//! what the service proxy has programmed ───────┘          └─▶ Standing: what is said about each address
//!
//! Orders.bind and the addresses that stand on links ─ deeds ─▶ Put, Remove
//! Orders.bind and Wanted ─ open_ports ─▶ what stays open on each, where not all does
//! ```
//!
//! The shell hands in news together with the time, carries the [`Orders`] out in their order, and says what failed. All
//! orders but the questions and announcements are declarative: everything that shall be, every time, so that the first
//! call after a crash is the same as any other.

mod announcements;
mod berth;
mod deeds;
mod moorings;
mod orders;
mod ports;
mod progress;
mod standing;
mod wanted;
mod witness;

pub use announcements::{BURST, BURST_GAP};
pub use berth::{Berth, Hindrance, Method, Place, berth, segment};
pub use deeds::{Deed, LIFETIME, StandingAddress, deeds, is_ours};
pub use moorings::{Moorings, SURELY_MISSED};
pub use orders::{Orders, Sending, Words};
pub use ports::{Open, open_ports};
pub use standing::{Cause, Holding, Standing, State, Unforwarded};
pub use wanted::{
    Arrival, Node, Path, Programmed, ProxyState, SYNCED, Served, Target, Uplink, Wanted,
};
pub(crate) use witness::named;
pub use witness::{Bystander, Sighting, Watch, Witness, witness_of, witnesses_of};

/// The time, as the shell counts it: monotonic, from wherever it likes.
pub type Now = std::time::Duration;

/// The link on which kube-proxy keeps the addresses of Services in mode `ipvs`.
pub const IPVS_LINK: &str = "kube-ipvs0";
