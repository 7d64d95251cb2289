//! Which nodes died lately, from all that was seen.

use std::collections::{BTreeMap, HashMap};

use super::snapshot::{ClusterNode, Move, Snapshot};
use crate::kube_proxy::snapshot::Timestamp;
use crate::placement::Unrest;

/// What is remembered of each node's deaths.
pub(super) struct Memory<'a> {
    take_overs: HashMap<&'a str, Vec<Timestamp>>,
    now: Timestamp,
}

impl<'a> Memory<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let mut take_overs: HashMap<&str, Vec<Timestamp>> = HashMap::new();
        for known in &snapshot.addresses {
            if let Some(last) = &known.last_move
                && last.reason == Move::TAKE_OVER
                && let Some(from) = &last.from
            {
                take_overs.entry(from).or_default().push(last.at);
            }
        }
        for times in take_overs.values_mut() {
            times.sort_unstable();
            times.dedup();
        }
        Self {
            take_overs,
            now: snapshot.now,
        }
    }

    /// The record that is to be written of a node; `None` if that which there is says all.
    pub(super) fn news(&self, node: &ClusterNode) -> Option<Unrest> {
        let take_overs = self.take_overs.get(node.view.name.as_str());
        let take_overs = take_overs.filter(|_| !node.life.farewell);
        let signs = take_overs.into_iter().flatten().copied();
        Unrest::after(recorded(node), signs.chain(node.life.signs()), self.now)
    }

    /// What is known of its deaths.
    pub(super) fn unrest(&self, node: &ClusterNode) -> Option<Unrest> {
        self.news(node).or(recorded(node))
    }
}

/// What is to be recorded, by node. A node of which no agent ever spoke has nothing to record it in, and no addresses either.
pub(super) fn news(snapshot: &Snapshot) -> BTreeMap<String, Unrest> {
    let memory = Memory::of(snapshot);
    let spoke = snapshot
        .nodes
        .iter()
        .filter(|node| node.view.report.is_some());
    spoke
        .filter_map(|node| Some((node.view.name.clone(), memory.news(node)?)))
        .collect()
}

/// When the next node does not come last any more.
pub(super) fn next_rest(snapshot: &Snapshot) -> Option<Timestamp> {
    let memory = Memory::of(snapshot);
    let restless = snapshot.nodes.iter().filter_map(|node| {
        let restless = memory.unrest(node)?.restless(snapshot.now)?;
        Some(restless.until)
    });
    restless.min()
}

fn recorded(node: &ClusterNode) -> Option<Unrest> {
    node.view.report.as_ref()?.unrest
}
