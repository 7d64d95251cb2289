//! Expressions about the bytes of a frame: what they are, and what they become.

use std::time::Duration;

use super::{FIRST, Rule, text};
use crate::attributes::{nest, put};
use crate::linux::nft::numbers::{
    BITWISE_DREG, BITWISE_LEN, BITWISE_MASK, BITWISE_SREG, BITWISE_XOR, CMP_DATA, CMP_OP, CMP_SREG,
    DATA_VALUE, DYNSET_OP, DYNSET_SET_NAME, DYNSET_SREG_KEY, DYNSET_TIMEOUT, FWD_SREG_DEV,
    IMMEDIATE_DATA, IMMEDIATE_DREG, NFT_CMP_EQ, NFT_CMP_NEQ, NFT_DYNSET_OP_UPDATE, NFT_META_IIF,
    NFT_META_PKTTYPE, NFT_PAYLOAD_CSUM_INET, NFT_PAYLOAD_CSUM_NONE, NFT_PAYLOAD_L4CSUM_PSEUDOHDR,
    NFT_PAYLOAD_LL_HEADER, NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER, PAYLOAD_BASE,
    PAYLOAD_CSUM_FLAGS, PAYLOAD_CSUM_OFFSET, PAYLOAD_CSUM_TYPE, PAYLOAD_LEN, PAYLOAD_OFFSET,
    PAYLOAD_SREG,
};

/// Of linux/if_packet.h.
const PACKET_OTHERHOST: u8 = 3;
/// Where ICMPv6 has its checksum.
const ICMPV6_CHECKSUM: u32 = 2;

/// What an offset counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Header {
    Link,
    Network,
    Transport,
}

/// A part of a frame: from where, the offset there, and how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Field(
    pub(in crate::linux) Header,
    pub(in crate::linux) u32,
    pub(in crate::linux) u32,
);

/// Which checksum has to follow when bytes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Checksum {
    None,
    /// That of ICMPv6, whose message they are part of.
    Icmpv6,
    /// That of the transport, whose pseudo-header they are part of.
    Pseudo,
}

// === impl Header ===

impl Header {
    fn number(self) -> u32 {
        match self {
            Self::Link => NFT_PAYLOAD_LL_HEADER,
            Self::Network => NFT_PAYLOAD_NETWORK_HEADER,
            Self::Transport => NFT_PAYLOAD_TRANSPORT_HEADER,
        }
    }
}

// === impl Rule ===

impl Rule {
    /// A part of the frame is this.
    pub(in crate::linux) fn is(self, field: Field, bytes: &[u8]) -> Self {
        self.load(field, 0).compared(NFT_CMP_EQ, bytes)
    }

    /// A byte of the frame, of which only the bits of `mask` are looked at, is this.
    pub(in crate::linux) fn has_bits(
        self,
        header: Header,
        offset: u32,
        mask: u8,
        bits: u8,
    ) -> Self {
        self.load(Field(header, offset, 1), 0)
            .expression("bitwise", |bitwise| {
                put(bitwise, BITWISE_SREG, &FIRST.to_be_bytes());
                put(bitwise, BITWISE_DREG, &FIRST.to_be_bytes());
                put(bitwise, BITWISE_LEN, &1_u32.to_be_bytes());
                nest(bitwise, BITWISE_MASK, |data| put(data, DATA_VALUE, &[mask]));
                nest(bitwise, BITWISE_XOR, |data| put(data, DATA_VALUE, &[0]));
            })
            .compared(NFT_CMP_EQ, &[bits])
    }

    /// It is not for another host.
    pub(in crate::linux) fn for_us(self) -> Self {
        self.meta(NFT_META_PKTTYPE, FIRST)
            .compared(NFT_CMP_NEQ, &[PACKET_OTHERHOST])
    }

    /// The index of the link that it came by, and a part of the frame, are in this set together.
    pub(in crate::linux) fn with_link_in(self, field: Field, set: &str) -> Self {
        self.meta(NFT_META_IIF, FIRST)
            .load(field, 1)
            .lookup(FIRST, set)
    }

    /// This is in a set.
    pub(in crate::linux) fn holds(self, set: &str, key: &[u8]) -> Self {
        self.immediate(0, key).lookup(FIRST, set)
    }

    /// Takes a part of the frame into registers, from the one with this number on.
    pub(in crate::linux) fn load(self, field: Field, register: u32) -> Self {
        let Field(header, offset, length) = field;
        self.payload(header.number(), offset, length, FIRST + register)
    }

    /// Puts what is in registers into the frame.
    pub(in crate::linux) fn store(self, register: u32, field: Field, checksum: Checksum) -> Self {
        let Field(header, offset, length) = field;
        let (kind, flags) = match checksum {
            Checksum::None => (NFT_PAYLOAD_CSUM_NONE, 0),
            Checksum::Icmpv6 => (NFT_PAYLOAD_CSUM_INET, 0),
            Checksum::Pseudo => (NFT_PAYLOAD_CSUM_NONE, NFT_PAYLOAD_L4CSUM_PSEUDOHDR),
        };
        self.expression("payload", |payload| {
            put(payload, PAYLOAD_SREG, &(FIRST + register).to_be_bytes());
            put(payload, PAYLOAD_BASE, &header.number().to_be_bytes());
            put(payload, PAYLOAD_OFFSET, &offset.to_be_bytes());
            put(payload, PAYLOAD_LEN, &length.to_be_bytes());
            put(payload, PAYLOAD_CSUM_TYPE, &kind.to_be_bytes());
            put(payload, PAYLOAD_CSUM_OFFSET, &ICMPV6_CHECKSUM.to_be_bytes());
            put(payload, PAYLOAD_CSUM_FLAGS, &u32::to_be_bytes(flags));
        })
    }

    /// Puts these bytes into the frame, by way of a register.
    pub(in crate::linux) fn write(
        self,
        register: u32,
        bytes: &[u8],
        field: Field,
        checksum: Checksum,
    ) -> Self {
        self.immediate(register, bytes)
            .store(register, field, checksum)
    }

    /// Has this be in a set for so long, from now on.
    pub(in crate::linux) fn renew(self, set: &str, key: &[u8], lasts: Duration) -> Self {
        let milliseconds = lasts.as_millis() as u64;
        self.immediate(0, key).expression("dynset", |dynset| {
            text(dynset, DYNSET_SET_NAME, set);
            put(dynset, DYNSET_OP, &NFT_DYNSET_OP_UPDATE.to_be_bytes());
            put(dynset, DYNSET_SREG_KEY, &FIRST.to_be_bytes());
            put(dynset, DYNSET_TIMEOUT, &milliseconds.to_be_bytes());
        })
    }

    /// Sends it out by the link with this index; nothing on this host sees it any more.
    pub(in crate::linux) fn forward(self, link: u32) -> Vec<u8> {
        let rule = self.immediate(0, &link.to_ne_bytes());
        let rule = rule.expression("fwd", |fwd| {
            put(fwd, FWD_SREG_DEV, &FIRST.to_be_bytes());
        });
        rule.expressions
    }

    fn compared(self, how: u32, bytes: &[u8]) -> Self {
        self.expression("cmp", |cmp| {
            put(cmp, CMP_SREG, &FIRST.to_be_bytes());
            put(cmp, CMP_OP, &how.to_be_bytes());
            nest(cmp, CMP_DATA, |data| put(data, DATA_VALUE, bytes));
        })
    }

    fn immediate(self, register: u32, bytes: &[u8]) -> Self {
        self.expression("immediate", |immediate| {
            put(immediate, IMMEDIATE_DREG, &(FIRST + register).to_be_bytes());
            nest(immediate, IMMEDIATE_DATA, |data| {
                put(data, DATA_VALUE, bytes)
            });
        })
    }
}
