//! The part of a large document that an edit can touch.
//!
//! A block map is read entry by entry, each starting on a line of its own at the column of the map. What a parser knows
//! when it reaches such a line depends only on the text before it: the open maps with their columns, and the anchors. So
//! if the entries before an edit are the same bytes, and the edited entry still ends where the next line at that column
//! begins, then all other entries mean what they meant. They can be left out of the proof, on both sides alike. Documents
//! with anchors, aliases or tags are proved whole.

use std::ops::Range;

use super::config::Reading;
use super::splice::Edit;
use super::tree::{Id, Kind, Tree};

/// Sections below this size are kept whole.
const SECTION: usize = 16 * 1024;

/// The parts before and after the edit that stand alone, if the document allows it.
pub(super) fn around(reading: &Reading<'_>, edit: &Edit) -> Option<(String, String)> {
    let tree = &reading.tree;
    let plain = tree.nodes.iter().all(|node| {
        node.anchor.is_none() && node.tag.is_none() && !matches!(node.kind, Kind::Alias(_))
    });
    if tree.json || !plain {
        return None;
    }
    let entries = entry_ranges(tree, tree.root, reading.source.first.end)?;
    let holds =
        |range: &Range<usize>| range.start <= edit.range.start && edit.range.end <= range.end;
    let (at, range) = entries.iter().enumerate().find(|(_, range)| holds(range))?;
    let (key, value) = tree.map(tree.root)?[at];
    let mut kept = vec![range.clone()];
    if range.len() > SECTION && tree.key(key) == Some("ipvs") && tree.map(value).is_some() {
        let children = entry_ranges(tree, value, range.end)?;
        let header = range.start..children.first()?.start;
        let edited = children
            .iter()
            .find(|child| holds(child) && !holds(&header));
        let sibling = children
            .iter()
            .filter(|child| Some(*child) != edited)
            .min_by_key(|child| child.len());
        kept = vec![header];
        let mut siblings: Vec<_> = edited.into_iter().chain(sibling).cloned().collect();
        siblings.sort_by_key(|range| range.start);
        kept.extend(siblings);
    }
    let text = tree.text;
    let before: String = kept.iter().map(|range| &text[range.clone()]).collect();
    let mut after = String::with_capacity(before.len() + edit.text.len());
    let mut done = false;
    for range in kept {
        if !done && holds(&range) {
            after.push_str(&text[range.start..edit.range.start]);
            after.push_str(&edit.text);
            after.push_str(&text[edit.range.end..range.end]);
            done = true;
        } else {
            after.push_str(&text[range]);
        }
    }
    // What follows must start on a line of its own.
    (done && (after.ends_with('\n') || text[..reading.source.first.end].len() == text.len()))
        .then_some((before, after))
}

/// The lines of each entry of a block map, if each starts on a line of its own at the same column.
fn entry_ranges(tree: &Tree<'_>, map: Id, end: usize) -> Option<Vec<Range<usize>>> {
    if tree.nodes[map].flow {
        return None;
    }
    let mut starts = Vec::new();
    let mut column = None;
    for &(key, _) in tree.map(map)? {
        let start = tree.nodes[key].span.start;
        let line = super::source::line_start(tree.text, start);
        let blank = tree.text[line..start].bytes().all(|byte| byte == b' ');
        if !blank || *column.get_or_insert(start - line) != start - line {
            return None;
        }
        starts.push(line);
    }
    let ends = starts.iter().skip(1).copied().chain([end]);
    Some(
        starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(start, end)| start..end)
            .collect(),
    )
}
