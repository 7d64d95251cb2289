//! The fixed header of IPv6 (RFC 8200 section 3) around ICMPv6 (RFC 4443), without extension headers.

use std::net::Ipv6Addr;

use crate::bytes::take;
use crate::wire::Malformed;

/// The next header that is read and written here.
const ICMPV6: u8 = 58;

/// RFC 4861 section 7.1: a router would have lowered it, so a packet with this one comes from a neighbour.
const HOP_LIMIT: u8 = 255;

/// Where the checksum stands in a message of ICMPv6.
const CHECKSUM: std::ops::Range<usize> = 2..4;

/// A packet of ICMPv6, taken apart.
pub(super) struct Ipv6<'a> {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    hop_limit: u8,
    /// The message of ICMPv6, without the padding of the frame.
    pub(super) payload: &'a [u8],
}

/// Appends a packet with `message`, whose checksum is still zero, to `frame`.
pub(super) fn append(
    frame: &mut Vec<u8>,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    message: &mut [u8],
) {
    let length =
        u16::try_from(message.len()).expect("invariant: a message has one option at the most");
    let checksum = !sum(source, destination, message);
    message[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    // Version 6, no traffic class, no flow label.
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([ICMPV6, HOP_LIMIT]);
    frame.extend(source.octets());
    frame.extend(destination.octets());
    frame.extend_from_slice(message);
}

/// The sum that the checksum is made of, over the pseudo-header and the message (RFC 8200 section 8.1). With a right
/// checksum in the message it is 0xffff.
fn sum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = message
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let words = source
        .segments()
        .into_iter()
        .chain(destination.segments())
        .chain(words);
    // At most 16 + 32,768 words and a length: no overflow.
    let mut sum: u32 = words.map(u32::from).sum();
    sum += message.len() as u32 + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

// === impl Ipv6 ===

impl<'a> Ipv6<'a> {
    pub(super) fn read(packet: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = packet;
        let [version_and_class, _, _, _] = take(&mut rest)?;
        let version = version_and_class >> 4;
        if version != 6 {
            return Err(Malformed::NotIpv6(version));
        }
        let length = u16::from_be_bytes(take(&mut rest)?);
        let [next_header, hop_limit] = take(&mut rest)?;
        if next_header != ICMPV6 {
            return Err(Malformed::NotIcmpv6(next_header));
        }
        let source = Ipv6Addr::from(take::<16>(&mut rest)?);
        let destination = Ipv6Addr::from(take::<16>(&mut rest)?);
        let payload = rest.get(..usize::from(length)).ok_or(Malformed::TooShort)?;
        Ok(Self {
            source,
            destination,
            hop_limit,
            payload,
        })
    }

    /// Whether a neighbour sent it, and it arrived as it was sent.
    pub(super) fn check(&self) -> Result<(), Malformed> {
        if self.hop_limit != HOP_LIMIT {
            Err(Malformed::HopLimit(self.hop_limit))
        } else if sum(self.source, self.destination, self.payload) != 0xffff {
            Err(Malformed::Checksum)
        } else if self.source.is_multicast() {
            Err(Malformed::SourceMulticast(self.source))
        } else {
            Ok(())
        }
    }

    pub(super) fn too_short(&self) -> Malformed {
        Malformed::MessageTooShort(self.payload.len())
    }
}
