//! What is planned for an address.

use std::net::IpAddr;

use crate::ipam::pool::Ownership;
use crate::peer::{PeerId, Term};

/// What is planned for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The address.
    pub address: IpAddr,
    /// Grows whenever the planned node changes.
    pub plan: u32,
    /// The node that shall have it.
    pub planned: PeerId,
    /// Those that may have it instead, the first choice first.
    pub heirs: Vec<PeerId>,
    /// `ownership` of its pool. Who shall have a [`Ownership::Fenced`] address may not before it has
    /// its Lease: see [`crate::fencing`].
    pub ownership: Ownership,
}

// === impl Post ===

impl Post {
    /// The planned node and its heirs, in their order.
    pub fn chain(&self) -> impl Iterator<Item = PeerId> + '_ {
        let heirs = self.heirs.iter().copied();
        std::iter::once(self.planned).chain(heirs.filter(|heir| *heir != self.planned))
    }

    /// The place of a node in the order.
    pub(super) fn rank(&self, node: PeerId) -> Option<usize> {
        self.chain().position(|member| member == node)
    }

    /// The term of the planned node, as long as nobody has taken over.
    pub fn first_term(&self) -> Term {
        Term {
            plan: self.plan,
            takeovers: 0,
        }
    }
}
