//! Addresses of pools with `ownership: Fenced`: a node answers for one only while it holds the address's Lease, so that no
//! two do at any moment, also where the network is split. Without the API server nobody holds a Lease for long.
//!
//! ```text
//! what this node shall have ───┐
//! what it answers for ─────────┼─▶ Fencing ─┬─▶ Requests: look at, take, renew, release a Lease
//! what the API server answers ─┘            └─▶ Permits: until when it may answer for what
//! ```
//!
//! # Why no two
//!
//! - A Lease is only ever written in the version that was read (or created where there was none), so each version has one
//!   successor, and who holds it is settled by the API server.
//! - The holder counts [`HOLD`] from before it *sent* the renewal, by its own clock. A renewal whose answer is lost or late
//!   is not counted, whatever became of it.
//! - Another node waits for [`DURATION`] since it first *saw* the present version, by its own clock, and takes the Lease
//!   only in that version. It saw it after it was sent.
//! - `HOLD` is so much shorter that it ends first where the one clock runs a hundredth too slow and the other a hundredth too
//!   fast, and [`REACTION`] is left to fall silent. No clock is compared with another one.
//! - Who lets go before its time is over is silent first, and then releases: see [`Fencing::heeded`].
//! - Where there is no Lease, one that was deleted may still count. So it is made as one that somebody holds, [unknown](UNKNOWN)
//!   who, and everybody waits for that one as for any other; but who still counts on the former one takes it at once.
//!
//! What it rests on: a clock that goes on while a machine sleeps or is frozen. A hypervisor that stops the clock of a virtual
//! machine together with it, or goes back to an older state, takes that away; no Lease helps there.
//!
//! # Why one Lease for each address
//!
//! One for each node, renewed for all its addresses, would cost less, but then who has an address stands in another object
//! than the one that is renewed: to take one address, two objects have to be compared and written, and deleting the wrong one
//! by hand makes two holders. With one for each, the version of one object guards holder, renewal and take-over.
//!
//! # What it costs
//!
//! A write every [`RENEW`] for each Fenced address that a node has, 0.4 per second, and a read per second and address for each
//! node that waits for one. Nobody watches Leases. 250 addresses are 100 writes per second in the whole cluster, about what
//! kubelets of 1,000 nodes do for their own Leases: Fenced is meant for tens of addresses, not for thousands.
//!
//! An API server that is away for 6 s is not noticed. After a crash the address is back when the heir has noticed, and has
//! waited for `DURATION`.

mod lease;
mod machine;
mod standing;

use std::net::IpAddr;
use std::time::Duration;

use crate::ipam::object_name;

pub use machine::{Answer, Call, Fencing, Permits, Record, Request, Seen};
pub use standing::Standing;

/// How long a holder may be silent, by its Lease, before another node takes it.
pub const DURATION: Duration = Duration::from_secs(10);
/// How long a renewal counts for the holder.
pub const HOLD: Duration = Duration::from_millis(9_400);
/// How long after the end of a permit the node may still answer: what its threads take to notice.
pub const REACTION: Duration = Duration::from_millis(300);
/// Who holds a Lease that nobody took yet. No node can have that name.
pub const UNKNOWN: &str = "(unknown)";
/// How often a holder renews.
pub const RENEW: Duration = Duration::from_millis(2_500);
/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Between a call that failed and the next.
const RETRY: Duration = Duration::from_millis(250);
/// Between two looks at a Lease that another node holds: at first, as it may be released any moment, and later.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a node that hears no other leaves a free Lease to those who may hear each other.
const DEFER: Duration = Duration::from_secs(5);

/// The name of the Lease of an address.
pub fn lease_name(address: IpAddr) -> String {
    format!("fenced-{}", object_name::of(address))
}

// A holder whose clock is 1 % slow is silent before another whose clock is 1 % fast takes over.
const _: () = {
    let silent = HOLD.as_micros() * 100 / 99 + REACTION.as_micros();
    assert!(silent < DURATION.as_micros() * 100 / 101);
};

#[cfg(test)]
mod tests;
