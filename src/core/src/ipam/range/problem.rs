//! What can be wrong with a range, and reading one.

use std::fmt;
use std::net::IpAddr;

use super::{AddressRange, Family, HostBits, RangeText};
use crate::ipam::quoted::Quoted;

/// A field of an entry of `ipRanges`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeField {
    /// `cidr`.
    Cidr,
    /// `start`.
    Start,
    /// `end`.
    End,
}

impl fmt::Display for RangeField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cidr => "cidr",
            Self::Start => "start",
            Self::End => "end",
        })
    }
}

/// What is wrong with a range. Prints with the field and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RangeProblem {
    /// Neither form.
    #[error("is empty: set cidr (as in 10.0.0.0/24), or start and end")]
    Empty,
    /// Both forms.
    #[error("has cidr together with start or end: keep one of the two forms")]
    BothForms,
    /// Half a form.
    #[error("has no {0}: start and end belong together, for a single address set both to it")]
    OneEnd(RangeField),
    /// Not an address at all.
    #[error("{field}: {text} is not an IP address: write one as in 10.0.0.1 or 2001:db8::1")]
    NotAnAddress {
        /// Where.
        field: RangeField,
        /// What stands there.
        text: Quoted,
    },
    /// An address with a zone, as in `fe80::1%eth0`.
    #[error(
        "{field}: {text} has a zone, which means something on one host only: leave out the % and what follows"
    )]
    Zone {
        /// Where.
        field: RangeField,
        /// What stands there.
        text: Quoted,
    },
    /// An IPv4 address in the clothes of IPv6.
    #[error(
        "{field}: {text} is an IPv4 address written as IPv6, which no host answers for: write {plain}"
    )]
    Mapped {
        /// Where.
        field: RangeField,
        /// What stands there.
        text: Quoted,
        /// What was meant.
        plain: String,
    },
    /// A CIDR without a length.
    #[error(
        "cidr: {text} has no prefix length: write {single} for this one address, or the length of the network"
    )]
    NoLength {
        /// What stands there.
        text: Quoted,
        /// The CIDR of the single address.
        single: String,
    },
    /// A length that is none.
    #[error("cidr: {text} has not a prefix length from 0 to {highest} behind the slash")]
    BadLength {
        /// What stands there.
        text: Quoted,
        /// The length of an address of the family.
        highest: u8,
    },
    /// Not the first address of its network.
    #[error(
        "cidr: {text} is not the first address of its network: write {network} for the whole network, or start and end"
    )]
    HostBits {
        /// What stands there.
        text: Quoted,
        /// The network that it lies in.
        network: String,
    },
    /// Two families.
    #[error("start {start} is {}, end {end} is {}: both have to be of one family, make two ranges", Family::of(*.start), Family::of(*.end))]
    MixedFamilies {
        /// The first address.
        start: IpAddr,
        /// The last address.
        end: IpAddr,
    },
    /// The wrong way round.
    #[error("start {start} is above end {end}: swap them")]
    Reversed {
        /// The first address as written.
        start: IpAddr,
        /// The last address as written.
        end: IpAddr,
    },
}

/// An address, alone or before the slash.
pub(super) fn address(field: RangeField, text: &str) -> Result<IpAddr, RangeProblem> {
    let quoted = || Quoted::new(text);
    if let Some((plain, _)) = text.split_once('%')
        && plain.parse::<IpAddr>().is_ok()
    {
        return Err(RangeProblem::Zone {
            field,
            text: quoted(),
        });
    }
    let address: IpAddr = text.parse().map_err(|_| RangeProblem::NotAnAddress {
        field,
        text: quoted(),
    })?;
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(RangeProblem::Mapped {
            field,
            text: quoted(),
            plain: address.to_canonical().to_string(),
        }),
        _ => Ok(address),
    }
}

pub(super) fn cidr(text: &str, host_bits: HostBits) -> Result<AddressRange, RangeProblem> {
    let quoted = || Quoted::new(text);
    let Some((before, behind)) = text.split_once('/') else {
        let single = address(RangeField::Cidr, text)?;
        return Err(RangeProblem::NoLength {
            text: quoted(),
            single: format!("{single}/{}", Family::of(single).bits()),
        });
    };
    let address = address(RangeField::Cidr, before)?;
    let bad_length = || RangeProblem::BadLength {
        text: quoted(),
        highest: Family::of(address).bits(),
    };
    let plain = behind.len() <= 3
        && behind.bytes().all(|letter| letter.is_ascii_digit())
        && (behind == "0" || !behind.starts_with('0'));
    let length: u8 = match behind.parse() {
        Ok(length) if plain => length,
        _ => return Err(bad_length()),
    };
    let network = AddressRange::network(address, length).ok_or_else(bad_length)?;
    if host_bits == HostBits::Refuse && network.first() != address {
        return Err(RangeProblem::HostBits {
            text: quoted(),
            network: network.to_string(),
        });
    }
    Ok(network)
}

pub(super) fn range(text: &RangeText, host_bits: HostBits) -> Result<AddressRange, RangeProblem> {
    let (start, end) = match (&text.cidr, &text.start, &text.end) {
        (Some(text), None, None) => return cidr(text, host_bits),
        (None, Some(start), Some(end)) => (
            address(RangeField::Start, start)?,
            address(RangeField::End, end)?,
        ),
        (None, None, None) => return Err(RangeProblem::Empty),
        (Some(_), _, _) => return Err(RangeProblem::BothForms),
        (None, Some(_), None) => return Err(RangeProblem::OneEnd(RangeField::End)),
        (None, None, Some(_)) => return Err(RangeProblem::OneEnd(RangeField::Start)),
    };
    if Family::of(start) != Family::of(end) {
        return Err(RangeProblem::MixedFamilies { start, end });
    }
    AddressRange::new(start, end).ok_or(RangeProblem::Reversed { start, end })
}
