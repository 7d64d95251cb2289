//! Sets of addresses.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::{AddressRange, Count, Family, number};

/// A set of addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddressSet {
    family: Family,
    /// First and last addresses: sorted, disjoint, and with a gap between any two.
    spans: Vec<(u128, u128)>,
}

impl AddressSet {
    /// No address of `family`.
    pub fn empty(family: Family) -> Self {
        Self {
            family,
            spans: Vec::new(),
        }
    }

    /// The family of its addresses.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        self.spans
            .iter()
            .map(|&(first, last)| Count::between(first, last))
            .fold(Count::ZERO, |sum, span| sum + span)
    }

    /// The addresses as ranges, the lowest first.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        self.spans.iter().map(|&(first, last)| AddressRange {
            family: self.family,
            first,
            last,
            length: None,
        })
    }

    /// Whether it has `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family && self.span_of(number(address)).is_some()
    }

    /// Adds a range. One of another family is not added.
    pub fn insert(&mut self, range: &AddressRange) {
        if range.family != self.family {
            return;
        }
        let (mut first, mut last) = (range.first, range.last);
        let start = self
            .spans
            .partition_point(|span| span.1 < first && first - span.1 > 1);
        let end = self
            .spans
            .partition_point(|span| span.0 <= last || span.0 - last == 1);
        if let Some(touched) = self.spans.get(start..end)
            && let (Some(lowest), Some(highest)) = (touched.first(), touched.last())
        {
            first = first.min(lowest.0);
            last = last.max(highest.1);
        }
        self.spans.splice(start..end, [(first, last)]);
    }

    /// Takes a range away.
    pub fn remove(&mut self, range: &AddressRange) {
        if range.family != self.family {
            return;
        }
        let start = self.spans.partition_point(|span| span.1 < range.first);
        let end = self.spans.partition_point(|span| span.0 <= range.last);
        if start >= end {
            return;
        }
        let (lowest, highest) = (self.spans[start].0, self.spans[end - 1].1);
        let mut kept = Vec::with_capacity(2);
        if lowest < range.first {
            kept.push((lowest, range.first - 1));
        }
        if highest > range.last {
            kept.push((range.last + 1, highest));
        }
        self.spans.splice(start..end, kept);
    }

    /// The lowest range that it has in common with `range`.
    pub fn overlap(&self, range: &AddressRange) -> Option<AddressRange> {
        if range.family != self.family {
            return None;
        }
        let at = self.spans.partition_point(|span| span.1 < range.first);
        let &(first, last) = self.spans.get(at)?;
        let span = AddressRange {
            family: self.family,
            first,
            last,
            length: None,
        };
        span.overlap(range)
    }

    /// The lowest address that is not in `taken`. It costs as many steps as addresses are taken below it.
    pub fn lowest_free(&self, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        self.spans
            .iter()
            .find_map(|&(first, last)| self.lowest_free_in(first, last, taken))
    }

    fn lowest_free_in(&self, first: u128, last: u128, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let mut candidate = first;
        let (low, high) = (self.family.address(first), self.family.address(last));
        for used in taken.range(low..=high).map(|address| number(*address)) {
            if used > candidate {
                break;
            }
            candidate = used.checked_add(1)?;
        }
        (candidate <= last).then(|| self.family.address(candidate))
    }

    fn span_of(&self, number: u128) -> Option<(u128, u128)> {
        let at = self.spans.partition_point(|span| span.1 < number);
        let span = *self.spans.get(at)?;
        (span.0 <= number).then_some(span)
    }
}

/// A set of addresses of both families.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Addresses {
    v4: AddressSet,
    v6: AddressSet,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            v4: AddressSet::empty(Family::V4),
            v6: AddressSet::empty(Family::V6),
        }
    }
}

impl Addresses {
    /// Those of one family.
    pub fn of(&self, family: Family) -> &AddressSet {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn of_mut(&mut self, family: Family) -> &mut AddressSet {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        self.v4.count() + self.v6.count()
    }

    /// The addresses as ranges, IPv4 first.
    pub fn ranges(&self) -> impl Iterator<Item = AddressRange> {
        self.v4.ranges().chain(self.v6.ranges())
    }

    /// Whether it has `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.of(Family::of(address)).contains(address)
    }

    /// Adds a range.
    pub fn insert(&mut self, range: &AddressRange) {
        self.of_mut(range.family()).insert(range);
    }

    /// Takes a range away.
    pub fn remove(&mut self, range: &AddressRange) {
        self.of_mut(range.family()).remove(range);
    }

    /// The lowest range that it has in common with `range`.
    pub fn overlap(&self, range: &AddressRange) -> Option<AddressRange> {
        self.of(range.family()).overlap(range)
    }

    /// The lowest address of `family` that is not in `taken`.
    pub fn lowest_free(&self, family: Family, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        self.of(family).lowest_free(taken)
    }
}

impl<'a> FromIterator<&'a AddressRange> for Addresses {
    fn from_iter<I: IntoIterator<Item = &'a AddressRange>>(ranges: I) -> Self {
        let mut all = Self::default();
        for range in ranges {
            all.insert(range);
        }
        all
    }
}

impl fmt::Display for Addresses {
    /// As in `10.0.0.1-10.0.0.9, fd00::1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.ranges().map(|range| range.to_string()).collect();
        f.pad(&ranges.join(", "))
    }
}
