use std::collections::BTreeMap;

use super::numbers::{
    NFT_PAYLOAD_NETWORK_HEADER as NETWORK, NFT_PAYLOAD_TRANSPORT_HEADER as TRANSPORT,
};
use crate::IpFamily;

/// Which part of a packet a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The address that it goes to, whole.
    Destination,
    /// The number of the transport.
    Protocol,
    /// The port that it goes to.
    DestinationPort,
    /// Something that no Service is told by.
    Other,
}

/// What the registers hold while a rule is read: by their first word, the number of words and the part.
#[derive(Debug, Default)]
pub(super) struct Registers(BTreeMap<u32, (u32, Part)>);

// === impl Part ===

impl Part {
    /// What a load takes from the header of the network (base 1) or of the transport (base 2).
    pub(super) fn of_payload(family: IpFamily, base: u32, offset: u32, length: u32) -> Self {
        match (family, base, offset, length) {
            (IpFamily::V4, NETWORK, 16, 4) | (IpFamily::V6, NETWORK, 24, 16) => Self::Destination,
            // Older versions of iptables look here and not at what the kernel found to be the transport.
            (IpFamily::V4, NETWORK, 9, 1) | (IpFamily::V6, NETWORK, 6, 1) => Self::Protocol,
            (_, TRANSPORT, 2, 2) => Self::DestinationPort,
            _ => Self::Other,
        }
    }
}

// === impl Registers ===

impl Registers {
    /// Has `length` bytes from `register` on hold `part`; what was in them is gone.
    pub(super) fn load(&mut self, register: u32, length: u32, part: Part) {
        let first = word(register);
        let words = length.div_ceil(4).max(1);
        self.0.retain(|other, (others, _)| {
            other.saturating_add(*others) <= first || first.saturating_add(words) <= *other
        });
        self.0.insert(first, (words, part));
    }

    /// What stands in `register`.
    pub(super) fn holds(&self, register: u32) -> Part {
        let held = self.0.get(&word(register));
        held.map_or(Part::Other, |(_, part)| *part)
    }
}

/// The first word of a register: the four of 16 bytes have the numbers 1 to 4, and the words that they are made of have
/// numbers from 8 on (`enum nft_registers`).
fn word(register: u32) -> u32 {
    match register {
        1..=4 => (register - 1) * 4,
        other => other.saturating_sub(8),
    }
}

#[cfg(test)]
mod tests;
