//! Why nobody may act on a frame.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;

use crate::bytes::TooShort;

use super::Mac;

/// Why a frame is not read: it is of another protocol, or a host has to drop it silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// It ends before what it has to hold, or says it holds.
    TooShort,
    /// It comes from a group, or from nobody.
    EthernetSource(Mac),
    /// It is of another type than the one that was asked for.
    EtherType(u16),
    /// ARP for other hardware than Ethernet, or for another protocol than IPv4.
    NotEthernetIpv4,
    /// ARP that neither asks nor replies.
    UnknownOperation(u16),
    /// The MAC that ARP says its sender has is that of a group (RFC 1812 section 3.3.2), or none.
    SenderMac(Mac),
    /// Not version 6 in what should be IPv6.
    NotIpv6(u8),
    /// The next header of IPv6 is not ICMPv6; a neighbour puts no extension header in between.
    NotIcmpv6(u8),
    /// ICMPv6 of another type than the two that are read here.
    OtherMessage(u8),
    /// ICMPv6 shorter than the 24 bytes of its fixed part.
    MessageTooShort(usize),
    /// A hop limit below 255: it has crossed a router and comes from no neighbour.
    HopLimit(u8),
    /// An ICMPv6 code other than 0.
    Code(u8),
    /// The checksum of ICMPv6 is wrong.
    Checksum,
    /// IPv6 from a group (RFC 4291 section 2.7).
    SourceMulticast(Ipv6Addr),
    /// The address that is asked for or advertised is that of a group.
    TargetMulticast(Ipv6Addr),
    /// An option of length 0.
    EmptyOption,
    /// An option that goes beyond the end of the message.
    CutOption,
    /// A link-layer address of a length that Ethernet has not, in units of eight bytes.
    LinkLayerLength(u8),
    /// A link-layer address that is that of a group, or none.
    LinkLayerAddress(Mac),
    /// A question of duplicate address detection that does not go to a solicited-node group.
    DadDestination(Ipv6Addr),
    /// A question of duplicate address detection that has a source link-layer address.
    DadLinkLayer,
    /// An advertisement that says it was asked for but goes to a group.
    SolicitedByGroup(Ipv6Addr),
}

// === impl Malformed ===

impl From<TooShort> for Malformed {
    fn from(TooShort: TooShort) -> Self {
        Self::TooShort
    }
}

impl Malformed {
    /// The name of the reason, as logs and metrics label it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "TooShort",
            Self::EthernetSource(_) => "EthernetSource",
            Self::EtherType(_) => "EtherType",
            Self::NotEthernetIpv4 => "NotEthernetIpv4",
            Self::UnknownOperation(_) => "UnknownOperation",
            Self::SenderMac(_) => "SenderMac",
            Self::NotIpv6(_) => "NotIpv6",
            Self::NotIcmpv6(_) => "NotIcmpv6",
            Self::OtherMessage(_) => "OtherMessage",
            Self::MessageTooShort(_) => "MessageTooShort",
            Self::HopLimit(_) => "HopLimit",
            Self::Code(_) => "Code",
            Self::Checksum => "Checksum",
            Self::SourceMulticast(_) => "SourceMulticast",
            Self::TargetMulticast(_) => "TargetMulticast",
            Self::EmptyOption => "EmptyOption",
            Self::CutOption => "CutOption",
            Self::LinkLayerLength(_) => "LinkLayerLength",
            Self::LinkLayerAddress(_) => "LinkLayerAddress",
            Self::DadDestination(_) => "DadDestination",
            Self::DadLinkLayer => "DadLinkLayer",
            Self::SolicitedByGroup(_) => "SolicitedByGroup",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("the frame is cut short"),
            Self::EthernetSource(mac) => write!(f, "no station sends from {mac}"),
            Self::EtherType(number) => write!(f, "frames of type {number:#06x} are not read"),
            Self::NotEthernetIpv4 => f.write_str("the ARP is not for IPv4 on Ethernet"),
            Self::UnknownOperation(number) => {
                write!(f, "ARP operation {number} is neither request nor reply")
            }
            Self::SenderMac(mac) => write!(f, "no sender of ARP has the MAC {mac}"),
            Self::NotIpv6(version) => write!(f, "the packet is of IP version {version}, not 6"),
            Self::NotIcmpv6(header) => write!(f, "next header {header} is not ICMPv6"),
            Self::OtherMessage(kind) => write!(
                f,
                "ICMPv6 type {kind} is neither a neighbour solicitation nor an advertisement"
            ),
            Self::MessageTooShort(length) => {
                write!(f, "a message of {length} bytes is shorter than 24")
            }
            Self::HopLimit(limit) => {
                write!(f, "hop limit {limit} is not 255: no neighbour sent this")
            }
            Self::Code(code) => write!(f, "ICMPv6 code {code} is not 0"),
            Self::Checksum => f.write_str("the checksum of ICMPv6 is wrong"),
            Self::SourceMulticast(source) => write!(f, "the source {source} is a group"),
            Self::TargetMulticast(target) => write!(f, "the target {target} is a group"),
            Self::EmptyOption => f.write_str("an option has length 0"),
            Self::CutOption => f.write_str("an option goes beyond the end of the message"),
            Self::LinkLayerLength(units) => write!(
                f,
                "a link-layer address of {units} times 8 bytes is not one of Ethernet"
            ),
            Self::LinkLayerAddress(mac) => write!(f, "no neighbour has the MAC {mac}"),
            Self::DadDestination(to) => write!(
                f,
                "duplicate address detection asks {to}, which is no solicited-node group"
            ),
            Self::DadLinkLayer => {
                f.write_str("duplicate address detection names a source link-layer address")
            }
            Self::SolicitedByGroup(to) => {
                write!(f, "the group {to} cannot have asked for an advertisement")
            }
        }
    }
}

impl Error for Malformed {}
