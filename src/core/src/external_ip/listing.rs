//! Lists in messages, which stay short however large the cluster is.

use std::fmt::Display;

use crate::placement::Obstacle;

/// How many are named.
const NAMED: usize = 4;

/// The first few of them, and how many more there are.
pub(super) fn few<T: Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let mut items = items.into_iter();
    let mut texts: Vec<String> = items
        .by_ref()
        .take(NAMED)
        .map(|item| item.to_string())
        .collect();
    let more = items.count();
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join(separator)
}

/// A node with what keeps it away.
pub(super) fn obstructed(node: &str, obstacles: &[Obstacle]) -> String {
    let obstacles: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    format!("{node}: {}", obstacles.join(", "))
}
