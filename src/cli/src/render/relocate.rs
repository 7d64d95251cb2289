//! Moves and drains as text.

use super::in_format;
use crate::args::Format;
use crate::drain::{AddressLeft, Drained, Left};
use crate::relocate::{Moved, Outcome};

/// Nodes that are listed for people, for each address.
const NODES: usize = 4;

/// What became of a move, with a line end.
pub(crate) fn moved(moved: &Moved, format: Format) -> anyhow::Result<String> {
    if format != Format::Table {
        return in_format(moved, format);
    }
    Ok(match (moved.outcome, moved.milliseconds) {
        (Outcome::Moved, Some(took)) => {
            let from = moved.from.as_deref();
            let line = line(&moved.address, from, Some(&moved.to), &moved.services);
            format!("{line}  ({})\n", seconds(took))
        }
        _ => format!("{}\n", moved.message),
    })
}

/// That an address has left a node.
pub(crate) fn departure(left: &AddressLeft, node: &str) -> String {
    line(
        &left.address,
        Some(node),
        left.to.as_deref(),
        &left.services,
    )
}

/// What became of a drain: for people, what is not said of those that left.
pub(crate) fn drained(drained: &Drained, format: Format) -> anyhow::Result<String> {
    if format != Format::Table {
        return in_format(drained, format);
    }
    let mut text = String::new();
    let mut all = drained.addresses.iter().peekable();
    while let Some(left) = all.next() {
        let next = all.peek();
        // Of several that stay for the same reasons, these are named once, after the last of them.
        let same = |next: &&AddressLeft| next.outcome == left.outcome && next.nodes == left.nodes;
        push(&mut text, left, &drained.node, !next.is_some_and(same));
    }
    for line in &drained.incomplete {
        text.push_str(&format!("incomplete: {line}\n"));
    }
    text.push_str(&format!("{}\n", drained.message));
    Ok(text)
}

/// An address that is still there, and if asked for, why.
fn push(text: &mut String, left: &AddressLeft, node: &str, with_reasons: bool) {
    let services = left.services.join(",");
    match left.outcome {
        Left::Moved | Left::Gone => return,
        Left::Stays => text.push_str(&format!("{}  stays on {node}  {services}\n", left.address)),
        Left::Waits => {
            let line = departure(left, node);
            let said = left.message.iter().map(|said| format!(": {said}"));
            text.push_str(&format!("{line}  not yet{}\n", said.collect::<String>()));
        }
    }
    if !with_reasons {
        return;
    }
    for other in left.nodes.iter().take(NODES) {
        let obstacles = other.obstacles.iter();
        let obstacles: Vec<&str> = obstacles.map(|one| one.message.as_str()).collect();
        text.push_str(&format!("  {}: {}\n", other.node, obstacles.join("; ")));
    }
    if left.outcome == Left::Stays && left.nodes.is_empty() {
        text.push_str("  there is no other Linux node\n");
    }
    let more = left.nodes.len().saturating_sub(NODES);
    if more > 0 {
        text.push_str(&format!(
            "  and {more} more nodes: kubectl mooring explain {}\n",
            left.address
        ));
    }
}

fn line(address: &str, from: Option<&str>, to: Option<&str>, services: &[String]) -> String {
    let nobody = "nobody";
    let line = format!(
        "{address}  {} -> {}  {}",
        from.unwrap_or(nobody),
        to.unwrap_or(nobody),
        services.join(",")
    );
    line.trim_end().to_owned()
}

/// A short time.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
