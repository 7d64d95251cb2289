//! The header of an Ethernet frame (IEEE 802.3, in the form of RFC 894).

use crate::bytes::take;

use super::{Mac, Malformed};

/// What follows is ARP (RFC 826; ETH_P_ARP in linux/if_ether.h).
pub(super) const ARP: u16 = 0x0806;

/// What follows is IPv6 (RFC 2464 section 3; ETH_P_IPV6 in linux/if_ether.h).
pub(super) const IPV6: u16 = 0x86dd;

/// A frame, taken apart.
pub(super) struct Ethernet<'a> {
    pub(super) destination: Mac,
    /// A single station.
    pub(super) source: Mac,
    pub(super) ether_type: u16,
    /// The packet and the padding behind it.
    pub(super) payload: &'a [u8],
}

// === impl Ethernet ===

impl<'a> Ethernet<'a> {
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, Malformed> {
        let mut payload = frame;
        let destination = Mac(take(&mut payload)?);
        let source = Mac(take(&mut payload)?);
        let ether_type = u16::from_be_bytes(take(&mut payload)?);
        if !source.is_station() {
            return Err(Malformed::EthernetSource(source));
        }
        Ok(Self {
            destination,
            source,
            ether_type,
            payload,
        })
    }

    /// The packet, if it is of that type.
    pub(super) fn payload_of(&self, ether_type: u16) -> Result<&'a [u8], Malformed> {
        if self.ether_type == ether_type {
            Ok(self.payload)
        } else {
            Err(Malformed::EtherType(self.ether_type))
        }
    }
}

/// The bytes of a header.
pub(super) fn header(destination: Mac, source: Mac, ether_type: u16) -> [u8; 14] {
    let [a, b, c, d, e, f] = destination.0;
    let [g, h, i, j, k, l] = source.0;
    let [m, n] = ether_type.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
}
