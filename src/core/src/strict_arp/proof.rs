//! The proof that an edit does what it should and nothing else.
//!
//! Two readers must agree, each on the text before and after the edit: the tree that follows kube-proxy's own rules, and
//! `serde-saphyr` (`serde_json` for JSON), which shares no code with what made the edit. Both must find the same
//! configuration with `ipvs.strictARP: true` and nothing else changed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::config::{self, Reading, StrictArp};
use super::scalar::Value;
use super::source::Source;
use super::splice::Edit;
use super::tree::{Id, Kind, Tree};
use super::{guard, window, yaml};

/// Texts above this size are proved by the part that holds the edit, if the rest provably stays out of it.
const WHOLE: usize = 64 * 1024;

/// Why the proof failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// More than a token or two lines would change.
    NotConfined,
    /// kube-proxy's rules see another change.
    Meaning,
    /// The second reader sees another change, or cannot read the text.
    SecondReader,
}

impl Failure {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::NotConfined => "it would change more than one token or line",
            Self::Meaning => "the result would not mean the same with only `ipvs.strictARP` set",
            Self::SecondReader => "a second YAML reader does not see the same change",
        }
    }
}

/// Applies an edit and proves the result.
pub(super) fn prove(reading: &Reading<'_>, edit: &Edit) -> Result<String, Failure> {
    let text = reading.source.text;
    let lines = edit.text.matches('\n').count();
    if text[edit.range.clone()].contains('\n') || lines > 2 {
        return Err(Failure::NotConfined);
    }
    let after = edit.apply(text);
    let source = Source::new(after.as_bytes()).map_err(|_| Failure::Meaning)?;
    if source.format != reading.source.format
        || source.first.start != reading.source.first.start
        || source.tail() != reading.source.tail()
    {
        return Err(Failure::Meaning);
    }
    let body = reading.source.body();
    if body.len() > WHOLE
        && let Some((before, after)) = window::around(reading, edit)
    {
        let tree = |text| yaml::read(text, 0..text.len()).map_err(|_| Failure::Meaning);
        if !only_strict_arp_differs(&tree(&before)?, &tree(&after)?) {
            return Err(Failure::Meaning);
        }
        second_reader(&before, &after, false)?;
    } else {
        let result = config::read(after.as_bytes()).map_err(|_| Failure::Meaning)?;
        if !matches!(result.strict_arp, StrictArp::Is(true, _))
            || result.mode != reading.mode
            || !only_strict_arp_differs(&reading.tree, &result.tree)
        {
            return Err(Failure::Meaning);
        }
        second_reader(body, result.source.body(), reading.tree.json)?;
    }
    Ok(after)
}

/// Compares one document, or a part of it that stands alone, before and after.
fn second_reader(before: &str, after: &str, is_json: bool) -> Result<(), Failure> {
    let plain = |text: &str| {
        if is_json {
            serde_json::from_str(text).map_err(|_| Failure::SecondReader)
        } else {
            let options = serde_saphyr::options! {
                budget: None,
                duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
                with_snippet: false,
            };
            let text = guard::without_tabs_behind_colons(text);
            serde_saphyr::from_str_with_options(&text, options).map_err(|_| Failure::SecondReader)
        }
    };
    let expected: Plain = plain(before)?;
    if expected.with_strict_arp() != Some(plain(after)?) {
        return Err(Failure::SecondReader);
    }
    Ok(())
}

// === by kube-proxy's rules ===

fn only_strict_arp_differs(before: &Tree<'_>, after: &Tree<'_>) -> bool {
    let rest = |tree: &Tree<'_>, map: Id, name: &str| -> Vec<(Id, Id)> {
        let own = tree.own(map, name);
        let entries = tree.map(map).unwrap_or_default();
        entries
            .iter()
            .filter(|entry| !own.contains(entry))
            .copied()
            .collect()
    };
    let same_rest = |one: Id, two: Id, name: &str| {
        let (one, two) = (rest(before, one, name), rest(after, two, name));
        one.len() == two.len()
            && one.iter().zip(&two).all(|(one, two)| {
                same(before, one.0, after, two.0) && same(before, one.1, after, two.1)
            })
    };
    let (new, old) = (
        after.own(after.root, "ipvs"),
        before.own(before.root, "ipvs"),
    );
    let ([(_, new)], [] | [_]) = (new.as_slice(), old.as_slice()) else {
        return false;
    };
    let old = old.first().map(|&(_, value)| value);
    let section = match old {
        None => rest(after, *new, "strictARP").is_empty(),
        Some(old) if before.value(old) == Some(Value::Null) => {
            rest(after, *new, "strictARP").is_empty()
        }
        Some(old) => {
            before.map(old).is_some()
                && before.nodes[old].anchor == after.nodes[*new].anchor
                && same_rest(old, *new, "strictARP")
        }
    };
    let own = after.own(*new, "strictARP");
    let effective = after.get(*new, "strictARP");
    same_rest(before.root, after.root, "ipvs")
        && before.nodes[before.root].anchor == after.nodes[after.root].anchor
        && section
        && own.len() == 1
        && effective.is_some_and(|entry| {
            !entry.merged
                && after.value(entry.value) == Some(Value::Bool(true))
                && !matches!(after.nodes[entry.value].kind, Kind::Alias(_))
        })
}

fn same(one: &Tree<'_>, a: Id, two: &Tree<'_>, b: Id) -> bool {
    let (left, right) = (&one.nodes[a], &two.nodes[b]);
    if left.anchor != right.anchor || left.tag != right.tag {
        return false;
    }
    match (&left.kind, &right.kind) {
        (Kind::Scalar(x, style), Kind::Scalar(y, other)) => x == y && style == other,
        (Kind::Map(x), Kind::Map(y)) => {
            x.len() == y.len()
                && x.iter()
                    .zip(y)
                    .all(|(x, y)| same(one, x.0, two, y.0) && same(one, x.1, two, y.1))
        }
        (Kind::Seq(x), Kind::Seq(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| same(one, x, two, y))
        }
        (Kind::Alias(x), Kind::Alias(y)) => one.nodes[*x].anchor == two.nodes[*y].anchor,
        _ => false,
    }
}

// === by the second reader ===

/// Any value, as the second reader sees it.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    Int(i128),
    Float(u64),
    Text(String),
    Seq(Vec<Plain>),
    /// Sorted by key, the last of equal keys kept.
    Map(Vec<(String, Plain)>),
}

impl Plain {
    /// The same with `ipvs.strictARP: true`, if that can be said of it.
    fn with_strict_arp(self) -> Option<Self> {
        let Self::Map(mut root) = self else {
            return None;
        };
        let section = match entry(&mut root, "ipvs") {
            Self::Map(section) => section,
            null @ Self::Null => {
                *null = Self::Map(vec![("strictARP".into(), Self::Bool(true))]);
                return Some(Self::Map(root));
            }
            _ => return None,
        };
        *entry(section, "strictARP") = Self::Bool(true);
        Some(Self::Map(root))
    }

    /// A text for a key; what is no text gets a mark that no known key has.
    fn into_key(self) -> String {
        match self {
            Self::Text(text) => text,
            other => format!("\0{other:?}"),
        }
    }
}

/// The value of a key in a sorted list, null if it was missing.
fn entry<'m>(map: &'m mut Vec<(String, Plain)>, key: &str) -> &'m mut Plain {
    let at = match map.binary_search_by(|(found, _)| found.as_str().cmp(key)) {
        Ok(at) => at,
        Err(at) => {
            map.insert(at, (key.to_owned(), Plain::Null));
            at
        }
    };
    &mut map[at].1
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Null)
    }

    fn visit_none<E>(self) -> Result<Plain, E> {
        Ok(Plain::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Plain, D::Error> {
        Plain::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Plain, E> {
        Ok(Plain::Int(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Plain, E> {
        Ok(Plain::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Float(value.to_bits()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Plain, E> {
        Ok(Plain::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain::Seq(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Plain, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Plain, Plain>()? {
            map.push((key.into_key(), value));
        }
        map.sort_by(|(one, _), (two, _)| one.cmp(two));
        // Sorting keeps the order of equal keys: the last one is the one that counts.
        map.reverse();
        map.dedup_by(|(one, _), (two, _)| one == two);
        map.reverse();
        Ok(Plain::Map(map))
    }
}
