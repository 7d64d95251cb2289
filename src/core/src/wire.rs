//! ARP and NDP as bytes: Ethernet frames in, a decision or a frame out.
//!
//! ```text
//! frame ─▶ Ethernet ─┬─ arp::parse ─▶ ArpPacket ─┐            ┌─▶ Question, with the frame to send back
//!                    └─ ndp::parse ─▶ NdpPacket ─┴─▶ hear ────┼─▶ Claim: somebody else says it has our address
//!                                                     │       └─▶ Foreign
//!                                                     └ speaker ─▶ who says it has which address
//! ```
//!
//! A frame starts with the 14 bytes of the Ethernet header, as a packet socket hands it over: the kernel has taken a VLAN
//! tag out already, so one that still has a tag is of another segment and is refused. What follows the packet is padding
//! (Ethernet wants 60 bytes) and is passed over; frames that are built here have none, since the driver pads.
//!
//! Everything that a host would have to drop is refused with a [`Malformed`], so that nobody acts on it. Nothing here
//! knows which addresses are held, how often to announce, or how fast to answer.

pub mod answer;
pub mod arp;
mod ethernet;
#[cfg(test)]
mod fixture;
mod mac;
mod malformed;
pub mod ndp;

pub use mac::{Mac, MacError, solicited_node_group};
pub use malformed::Malformed;
