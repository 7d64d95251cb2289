//! One tree for both formats: what the first document says, and where in the text it says it.

use std::borrow::Cow;
use std::ops::Range;

use super::scalar::{self, Tag, Value};

/// The index of a node in its tree.
pub(super) type Id = usize;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A block scalar (`|` or `>`).
    Block,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Text with its style.
    Scalar(Cow<'a, str>, Style),
    /// Keys and values in the order of the text, duplicates and merge keys included.
    Map(Vec<(Id, Id)>),
    /// A list.
    Seq(Vec<Id>),
    /// An alias and the node it stands for.
    Alias(Id),
}

/// A node of the document.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// What it is.
    pub(super) kind: Kind<'a>,
    /// Where its own text is: a scalar or alias wholly, a flow collection from its opening bracket,
    /// a block collection from its first key. The end of a collection is that of its last token.
    pub(super) span: Range<usize>,
    /// Whether it is written in brackets.
    pub(super) flow: bool,
    /// The name of its anchor.
    pub(super) anchor: Option<&'a str>,
    /// Its tag.
    pub(super) tag: Option<Tag>,
    /// How many aliases stand for it.
    pub(super) aliases: usize,
}

/// The first document.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// The whole text; the spans are offsets into it.
    pub(super) text: &'a str,
    /// All nodes.
    pub(super) nodes: Vec<Node<'a>>,
    /// The outermost node.
    pub(super) root: Id,
    /// Whether this was read as JSON.
    pub(super) json: bool,
}

/// Whether an entry is no merge (`<<` without quotes or tag), or merges what can be merged: a map, or a list of maps.
pub(super) fn merge_fits(nodes: &[Node<'_>], key: Id, value: Id) -> bool {
    let plain = matches!(&nodes[key].kind, Kind::Scalar(text, Style::Plain) if text == "<<");
    if nodes[key].tag.is_some() || !plain {
        return true;
    }
    let is_map = |id: Id| match nodes[id].kind {
        Kind::Map(_) => true,
        Kind::Alias(target) => matches!(nodes[target].kind, Kind::Map(_)),
        _ => false,
    };
    match &nodes[value].kind {
        Kind::Seq(items) => items.iter().all(|&item| is_map(item)),
        _ => is_map(value),
    }
}

/// An entry of a map as kube-proxy ends up with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// The node of the key.
    pub(super) key: Id,
    /// The node of the value, which may be an alias.
    pub(super) value: Id,
    /// Whether it came through a merge key.
    pub(super) merged: bool,
}

impl<'a> Tree<'a> {
    /// The node that an alias stands for, or the node itself.
    pub(super) fn target(&self, id: Id) -> Id {
        match self.nodes[id].kind {
            Kind::Alias(target) => target,
            _ => id,
        }
    }

    /// The line of a node, counted from 1.
    pub(super) fn line(&self, id: Id) -> usize {
        super::source::line_at(self.text, self.nodes[id].span.start)
    }

    /// The line of a node, if a condition holds; counting lines takes time.
    pub(super) fn line_if(&self, id: Id, condition: impl Fn(Id) -> bool) -> Option<usize> {
        condition(id).then(|| self.line(id))
    }

    /// What kube-proxy makes of a scalar; `None` for collections. Tags were checked when the tree was made.
    pub(super) fn value(&self, id: Id) -> Option<Value<'_>> {
        let node = &self.nodes[self.target(id)];
        match &node.kind {
            Kind::Scalar(text, style) => Some(
                scalar::resolve(text, *style, node.tag, self.json).unwrap_or(Value::Text(text)),
            ),
            _ => None,
        }
    }

    /// The text of a scalar key, if it is text.
    pub(super) fn key(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a key is a merge key.
    pub(super) fn is_merge(&self, key: Id) -> bool {
        let node = &self.nodes[key];
        !self.json
            && node.tag.is_none()
            && matches!(&node.kind, Kind::Scalar(text, Style::Plain) if text == "<<")
    }

    /// The entries of a map, if the node is one.
    pub(super) fn map(&self, id: Id) -> Option<&[(Id, Id)]> {
        match &self.nodes[self.target(id)].kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Hands out every entry of a map in the order in which kube-proxy applies them: in the order of the text, merge
    /// keys included where they stand (unlike the specification, by which they would come first).
    pub(super) fn apply(&self, id: Id, merged: bool, each: &mut impl FnMut(Entry)) {
        for &(key, value) in self.map(id).unwrap_or_default() {
            if !self.is_merge(key) {
                each(Entry { key, value, merged });
                continue;
            }
            match &self.nodes[value].kind {
                Kind::Seq(items) => {
                    for &item in items.iter().rev() {
                        self.apply(item, true, each);
                    }
                }
                _ => self.apply(value, true, each),
            }
        }
    }

    /// Whether a key has this name, which must be one that is never read as a number, a boolean or null.
    fn is_named(&self, key: Id, name: &str) -> bool {
        matches!(&self.nodes[key].kind, Kind::Scalar(text, _) if text == name)
    }

    /// The entry of this name that counts: the last one that is applied.
    pub(super) fn get(&self, id: Id, name: &str) -> Option<Entry> {
        let mut found = None;
        self.apply(id, false, &mut |entry| {
            if self.is_named(entry.key, name) {
                found = Some(entry);
            }
        });
        found
    }

    /// The entries of this name that stand in the map itself.
    pub(super) fn own(&self, id: Id, name: &str) -> Vec<(Id, Id)> {
        self.map(id)
            .unwrap_or_default()
            .iter()
            .filter(|(key, _)| self.is_named(*key, name))
            .copied()
            .collect()
    }
}
