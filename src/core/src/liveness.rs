//! Which nodes are alive, as far as this one can tell: heartbeats, witnesses and probes of the wire.
//!
//! ```text
//!                        Message ─┐
//! a neighbour answered ARP or NDP ┼─▶ Liveness (a machine without a clock) ─▶ Output: messages, probes, news
//!                        the time ┘
//! ```
//!
//! Every node beats to a few others, its [`watchers`], which everybody computes alike from the names of the nodes; so what
//! a node sends does not grow with their number. A watcher that misses a node asks the other watchers whether they hear it
//! and asks on the wire whether its kernel still answers, and judges only when both are silent: a node that a firewall
//! hides, or whose agent alone is gone, is not dead.
//!
//! How long a silence has to last adapts to what was seen: to the lateness of that node's beats, and to how many of them
//! get lost. A watcher that was itself held up forgives everybody as much time as it missed; one that stood still for long judges
//! nobody until it knows that it hears: until somebody answers what it has said since.
//!
//! Nothing here decides about addresses.

mod judgement;
mod machine;
mod rhythm;
mod ring;
mod subject;

pub use judgement::{Judgement, Reason, Verdict};
pub use machine::{Liveness, News, Output, Refusal};
pub use rhythm::{PERIOD, PROBE_GAP};
pub use ring::{WATCHERS, neighbours, watchers};

/// The time, as the shell counts it: monotonic, and it goes on while the machine sleeps (`CLOCK_BOOTTIME`).
pub type Now = std::time::Duration;
