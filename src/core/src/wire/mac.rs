//! Addresses of Ethernet, and the groups of IPv6 that they follow from.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// An Ethernet (MAC-48) address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Why a text is no MAC address. Prints with the text and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MacError {
    /// Not six parts with colons between them.
    NotSixParts {
        /// The whole text.
        text: String,
        /// How many parts it has.
        found: usize,
    },
    /// A part is not two hexadecimal digits.
    NotHexadecimal {
        /// The whole text.
        text: String,
        /// The first such part.
        part: String,
    },
}

/// The group that every holder of `address` listens to, `ff02::1:ffXX:XXXX` with its last 24 bits (RFC 4291 section
/// 2.7.1).
pub fn solicited_node_group(address: Ipv6Addr) -> Ipv6Addr {
    let [.., x, y, z] = address.octets();
    let low = u16::from_be_bytes([y, z]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(x), low)
}

// === impl Mac ===

impl Mac {
    /// Everybody on the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Nobody: what stands in ARP where an address is not known yet.
    pub(super) const ZERO: Self = Self([0; 6]);

    /// Whether it names a group of stations: the lowest bit of its first byte is set. Broadcast is such a group.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Where a neighbour solicitation for `address` goes: the MAC of its [`solicited_node_group`].
    pub fn solicited_node(address: Ipv6Addr) -> Self {
        Self::of_group(solicited_node_group(address))
    }

    /// The MAC of an IPv6 group: `33:33` and its last four bytes (RFC 2464 section 7).
    pub(super) fn of_group(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }

    /// Whether a single station can have it: no group, and not all zeros.
    pub(super) fn is_station(self) -> bool {
        !self.is_multicast() && self != Self::ZERO
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        // `pad`, so that a width works in tables.
        f.pad(&format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}"))
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let found = text.split(':').count();
        let mut bytes = [0; 6];
        if found != bytes.len() {
            return Err(MacError::NotSixParts {
                text: text.to_owned(),
                found,
            });
        }
        for (byte, part) in bytes.iter_mut().zip(text.split(':')) {
            // `from_str_radix` alone would take "+f" as well.
            let plain = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = match u8::from_str_radix(part, 16) {
                Ok(byte) if plain => byte,
                _ => {
                    return Err(MacError::NotHexadecimal {
                        text: text.to_owned(),
                        part: part.to_owned(),
                    });
                }
            };
        }
        Ok(Self(bytes))
    }
}

// === impl MacError ===

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSixParts { text, found } => write!(
                f,
                "{text:?} is no MAC address: it has {found} parts between colons and not six"
            )?,
            Self::NotHexadecimal { text, part } => write!(
                f,
                "{text:?} is no MAC address: {part:?} is not two hexadecimal digits"
            )?,
        }
        f.write_str("; write one as in 52:54:00:77:00:0b")
    }
}

impl Error for MacError {}

#[cfg(test)]
mod tests;
