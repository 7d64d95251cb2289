//! What the agents of a cluster say to each other, and how each knows that it was said now and by one of them.
//!
//! ```text
//! Message ─ Keys::seal ─▶ datagram ─▶ the segment ─▶ datagram ─ Keys::open ─▶ Message ─ Acquaintance ─▶ new, old or strange
//! ```
//!
//! Datagrams go over the segment that carries the addresses, from node to node: what they tell is then true of that segment.

mod acquaintance;
mod datagram;
mod keys;
mod message;
pub mod rotation;

pub(crate) use acquaintance::{Acquaintance, Tokens, Worth};
pub use datagram::{LENGTH, Rejected};
pub use keys::{Key, KeyError, Keys};
pub use message::{Body, Header, Message, PeerId, Step, Term};
