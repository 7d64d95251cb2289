//! Rendezvous hashing: everybody who knows an address and the names of the nodes names the same order of nodes.

use std::cmp::Reverse;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

/// How much a node is meant for an address: the first eight bytes of SHA-256 over `NODE#IP`, big end first, the address
/// in its canonical text form. The highest score is the first choice.
///
/// Agents of different versions run side by side during an upgrade and have to agree, so this never changes.
pub fn score(node: &str, ip: IpAddr) -> u64 {
    Scores::of(ip).score(node)
}

/// The scores of nodes for one address.
pub(super) struct Scores {
    /// `#IP`.
    suffix: String,
    text: Vec<u8>,
}

impl Scores {
    pub(super) fn of(ip: IpAddr) -> Self {
        Self {
            suffix: format!("#{}", ip.to_canonical()),
            text: Vec::with_capacity(128),
        }
    }

    /// The [`score`] of a node.
    pub(super) fn score(&mut self, node: &str) -> u64 {
        self.text.clear();
        self.text.extend_from_slice(node.as_bytes());
        self.text.extend_from_slice(self.suffix.as_bytes());
        let digest = Sha256::digest(&self.text);
        digest
            .iter()
            .take(8)
            .fold(0, |score, byte| score << 8 | u64::from(*byte))
    }
}

/// The nodes in the order in which they succeed each other as the owner of an address, whatever order they come in. Of
/// equal scores the lower name is first.
///
/// Every agent computes this by itself when the planned owner is gone; nobody has to be asked.
pub fn successors<'a>(ip: IpAddr, nodes: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scores = Scores::of(ip);
    let mut scored: Vec<(Reverse<u64>, &str)> = nodes
        .into_iter()
        .map(|node| (Reverse(scores.score(node)), node))
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().map(|(_, node)| node).collect()
}

/// The first of the [`successors`].
pub fn successor<'a>(ip: IpAddr, nodes: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    successors(ip, nodes).into_iter().next()
}

#[cfg(test)]
mod tests;
