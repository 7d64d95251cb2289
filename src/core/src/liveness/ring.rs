//! Who watches whom.

use crate::peer::PeerId;

/// How many nodes watch each node, if there are as many: what a node sends does not grow with their number.
pub const WATCHERS: usize = 4;

/// Those who watch a node: the next [`WATCHERS`] on the ring of all nodes in the order of their ids, which has nothing to
/// do with the order of their names. So each watches as many as watch it, and a node that comes or goes changes little.
///
/// The members come in ascending order; the node need not be one of them.
pub fn watchers(node: PeerId, members: &[PeerId]) -> Vec<PeerId> {
    after(node, members).take(WATCHERS).collect()
}

/// Those whom a node watches.
pub(super) fn subjects(node: PeerId, members: &[PeerId]) -> Vec<PeerId> {
    before(node, members).take(WATCHERS).collect()
}

/// Those with whom a node may share a subject, in ascending order: whom it may have to ask, or who may have to ask it.
pub fn neighbours(node: PeerId, members: &[PeerId]) -> Vec<PeerId> {
    let ahead = after(node, members).take(WATCHERS);
    let mut found: Vec<PeerId> = ahead.chain(before(node, members).take(WATCHERS)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// All others, from the next one on.
fn after(node: PeerId, members: &[PeerId]) -> impl Iterator<Item = PeerId> {
    let (lower, higher) = members.split_at(members.partition_point(|member| *member <= node));
    let round = higher.iter().chain(lower);
    round.copied().filter(move |member| *member != node)
}

/// All others, from the one before it backwards.
fn before(node: PeerId, members: &[PeerId]) -> impl Iterator<Item = PeerId> {
    let (lower, higher) = members.split_at(members.partition_point(|member| *member < node));
    let round = lower.iter().rev().chain(higher.iter().rev());
    round.copied().filter(move |member| *member != node)
}

#[cfg(test)]
mod tests;
