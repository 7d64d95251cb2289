//! Addresses as numbers: ranges as they are written in pools, and sets of them.
//!
//! Nothing here grows with the number of addresses, only with the number of ranges: a whole /64 costs two numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod count;
mod problem;
mod set;

pub use count::Count;
pub use problem::{RangeField, RangeProblem};
pub use set::{AddressSet, Addresses};

/// The family of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// As in `ipFamilies` of a Service.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The length of an address in bits.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The highest address as a number.
    pub fn highest(self) -> u128 {
        match self {
            Self::V4 => u128::from(u32::MAX),
            Self::V6 => u128::MAX,
        }
    }

    /// The address with this number; a number beyond the family becomes its highest address.
    pub fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An address as a number, in the order of its family.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// An entry of `ipRanges` as it is written: either `cidr`, or `start` and `end`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RangeText {
    /// As in `10.0.0.0/24`.
    pub cidr: Option<String>,
    /// The first address.
    pub start: Option<String>,
    /// The last address.
    pub end: Option<String>,
}

impl RangeText {
    /// Of a CIDR.
    pub fn cidr(cidr: impl Into<String>) -> Self {
        Self {
            cidr: Some(cidr.into()),
            ..Self::default()
        }
    }

    /// Of the first and the last address.
    pub fn between(start: impl Into<String>, end: impl Into<String>) -> Self {
        Self {
            cidr: None,
            start: Some(start.into()),
            end: Some(end.into()),
        }
    }
}

/// What to do with a CIDR that is not written by its first address, as in `10.0.0.7/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostBits {
    /// Refuse it: it may be a typo of the address, or of the length.
    Refuse,
    /// Take the network that it lies in, as Antrea does.
    Clear,
}

/// Which addresses at the ends of a CIDR are left out. A range of start and end has no edges: it is meant as it is
/// written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edges {
    /// None are left out.
    Keep,
    /// What the `avoidEdges` of a pool means: the network and the broadcast address of an IPv4 CIDR up to /30, and the
    /// subnet-router anycast address (the first, RFC 4291 section 2.6.1) of an IPv6 CIDR up to /126. A /31 and a /127 have
    /// neither (RFC 3021, RFC 6164).
    Avoid,
    /// What Antrea leaves out of its pools: the first address, and the last one of IPv4, whatever the length.
    Antrea,
}

/// One range: all addresses from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    family: Family,
    first: u128,
    last: u128,
    /// The length of the CIDR that it was written as.
    length: Option<u8>,
}

impl AddressRange {
    /// From the first to the last address; `None` if they are of different families, or in the wrong order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let family = Family::of(first);
        let ordered = family == Family::of(last) && first <= last;
        ordered.then(|| Self {
            family,
            first: number(first),
            last: number(last),
            length: None,
        })
    }

    /// A single address.
    pub fn single(address: IpAddr) -> Self {
        Self {
            family: Family::of(address),
            first: number(address),
            last: number(address),
            length: None,
        }
    }

    /// The network of `length` bits that `address` lies in; `None` if an address has not so many bits.
    pub fn network(address: IpAddr, length: u8) -> Option<Self> {
        let family = Family::of(address);
        let host_bits = u32::from(family.bits().checked_sub(length)?);
        let hosts = 1_u128
            .checked_shl(host_bits)
            .map_or(u128::MAX, |size| size - 1);
        let first = number(address) & !hosts;
        Some(Self {
            family,
            first,
            last: first | hosts,
            length: Some(length),
        })
    }

    /// A CIDR by itself, as in the configuration of a cluster.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_cidr(text: &str, host_bits: HostBits) -> Result<Self, RangeProblem> {
        problem::cidr(text, host_bits)
    }

    /// An entry of `ipRanges`.
    ///
    /// # Errors
    /// What is wrong with it, and in which field.
    pub fn parse(text: &RangeText, host_bits: HostBits) -> Result<Self, RangeProblem> {
        problem::range(text, host_bits)
    }

    /// The family of its addresses.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.family.address(self.first)
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.family.address(self.last)
    }

    /// The length of the prefix, if it was written as a CIDR.
    pub fn prefix_length(&self) -> Option<u8> {
        self.length
    }

    /// The addresses without the edges; `None` if nothing is left.
    pub fn without(&self, edges: Edges) -> Option<Self> {
        let Some(length) = self.length else {
            return Some(*self);
        };
        let has_edges = length.saturating_add(1) < self.family.bits();
        let (first, last) = match (edges, self.family) {
            (Edges::Keep, _) => (false, false),
            (Edges::Avoid, Family::V4) => (has_edges, has_edges),
            (Edges::Avoid, Family::V6) => (has_edges, false),
            (Edges::Antrea, Family::V4) => (true, true),
            (Edges::Antrea, Family::V6) => (true, false),
        };
        if !first && !last {
            return Some(*self);
        }
        let first = self.first.checked_add(u128::from(first))?;
        let last = self.last.checked_sub(u128::from(last))?;
        (first <= last).then_some(Self {
            first,
            last,
            length: None,
            ..*self
        })
    }

    /// Whether it has `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.family == Family::of(address) && (self.first..=self.last).contains(&number(address))
    }

    /// What it has in common with `other`.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        if self.family != other.family {
            return None;
        }
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        if first > last {
            return None;
        }
        let whole = |range: &Self| (range.first, range.last) == (first, last);
        Some(Self {
            family: self.family,
            first,
            last,
            length: [self, other]
                .into_iter()
                .filter(|range| whole(range))
                .find_map(|range| range.length),
        })
    }
}

impl fmt::Display for AddressRange {
    /// As a CIDR if it was written so, else as `first-last`, or as one address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first(), self.last());
        match self.length {
            Some(length) => f.pad(&format!("{first}/{length}")),
            None if first == last => f.pad(&first.to_string()),
            None => f.pad(&format!("{first}-{last}")),
        }
    }
}

#[cfg(test)]
mod tests;
