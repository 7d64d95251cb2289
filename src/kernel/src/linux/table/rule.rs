//! Rules as nftables takes them (linux/netfilter/nf_tables.h): expressions that load a part of the packet into a register,
//! compare what is in it, and at the end say what becomes of the packet.

mod frame;

pub(in crate::linux) use frame::{Checksum, Field, Header};

use crate::IpFamily;
use crate::attributes::{nest, put};
use crate::linux::nft::numbers::{
    BITWISE_DREG, BITWISE_LEN, BITWISE_MASK, BITWISE_SREG, BITWISE_XOR, CMP_DATA, CMP_OP, CMP_SREG,
    CT_DREG, CT_KEY, DATA_VALUE, DATA_VERDICT, DUP_SREG_ADDR, EXPR_DATA, EXPR_NAME, IMMEDIATE_DATA,
    IMMEDIATE_DREG, LIST_ELEM, LOOKUP_DREG, LOOKUP_SET, LOOKUP_SREG, META_DREG, META_KEY,
    NF_ACCEPT, NF_DROP, NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CT_DIRECTION, NFT_CT_STATE, NFT_GOTO,
    NFT_META_L4PROTO, NFT_META_NFPROTO, NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER,
    NFT_REG_VERDICT, NFT_REG32_00, NFT_REJECT_ICMPX_PORT_UNREACH, NFT_REJECT_ICMPX_UNREACH,
    NFT_REJECT_TCP_RST, PAYLOAD_BASE, PAYLOAD_DREG, PAYLOAD_LEN, PAYLOAD_OFFSET, REJECT_ICMP_CODE,
    REJECT_TYPE, VERDICT_CHAIN, VERDICT_CODE,
};

const IP_CT_DIR_REPLY: u8 = 1;
/// What is longer than four bytes takes the next registers, too.
const FIRST: u32 = NFT_REG32_00;
/// What a map has for the packet, which may take four registers.
const FOUND: u32 = NFT_REG32_00 + 8;
/// `NF_CT_STATE_BIT(IP_CT_NEW)` of linux/netfilter/nf_conntrack_common.h.
const CT_STATE_NEW: u32 = 1 << 3;
const IPPROTO_TCP: u8 = 6;
/// Where the flags stand in the header of TCP (RFC 9293 section 3.1), and SYN among them.
const TCP_FLAGS: u32 = 13;
const TCP_SYN: u8 = 0x02;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;

/// Where in its header and how long the destination is.
const fn destination(family: IpFamily) -> (u32, u32) {
    match family {
        IpFamily::V4 => (16, 4),
        IpFamily::V6 => (24, 16),
    }
}

/// The conditions of a rule. What ends it makes its expressions of it.
#[derive(Debug, Default)]
pub(in crate::linux) struct Rule {
    expressions: Vec<u8>,
}

// === impl Rule ===

impl Rule {
    pub(in crate::linux) fn new() -> Self {
        Self::default()
    }

    /// To an address that is in this set.
    pub(in crate::linux) fn for_address_in(self, family: IpFamily, set: &str) -> Self {
        let (offset, length) = destination(family);
        self.of_family(family)
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length, FIRST)
            .lookup(FIRST, set)
    }

    /// To an address, transport and port that are in this set together.
    pub(in crate::linux) fn for_service_in(self, family: IpFamily, set: &str) -> Self {
        let (offset, length) = destination(family);
        let next = FIRST + length / 4;
        self.of_family(family)
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length, FIRST)
            .meta(NFT_META_L4PROTO, next)
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, next + 1)
            .lookup(FIRST, set)
    }

    /// Of a version of IP.
    fn of_family(self, family: IpFamily) -> Self {
        let number = match family {
            IpFamily::V4 => NFPROTO_IPV4,
            IpFamily::V6 => NFPROTO_IPV6,
        };
        self.meta(NFT_META_NFPROTO, FIRST).equal(FIRST, number)
    }

    /// Of a transport, by its number of IANA's.
    pub(in crate::linux) fn of_transport(self, number: u8) -> Self {
        self.meta(NFT_META_L4PROTO, FIRST).equal(FIRST, number)
    }

    /// Of a type of ICMP; of which version is another condition.
    pub(in crate::linux) fn of_icmp_type(self, number: u8) -> Self {
        self.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, FIRST)
            .equal(FIRST, number)
    }

    /// To an address that is in this map, in the table's family; what stands there is [found](FOUND).
    pub(in crate::linux) fn look_up_destination(self, family: IpFamily, map: &str) -> Self {
        let (offset, length) = destination(family);
        self.payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length, FIRST)
            .expression("lookup", |lookup| {
                text(lookup, LOOKUP_SET, map);
                put(lookup, LOOKUP_SREG, &FIRST.to_be_bytes());
                put(lookup, LOOKUP_DREG, &FOUND.to_be_bytes());
            })
    }

    /// Of TCP, in the middle of a connection.
    pub(in crate::linux) fn without_syn(self) -> Self {
        self.of_transport(IPPROTO_TCP)
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1, FIRST)
            .masked(&[TCP_SYN])
            .equal(FIRST, 0)
    }

    /// Of a connection that has not been seen before.
    pub(in crate::linux) fn of_a_new_connection(self) -> Self {
        self.expression("ct", |ct| {
            put(ct, CT_KEY, &NFT_CT_STATE.to_be_bytes());
            put(ct, CT_DREG, &FIRST.to_be_bytes());
        })
        .masked(&CT_STATE_NEW.to_ne_bytes())
        .compare(NFT_CMP_NEQ, FIRST, &0_u32.to_ne_bytes())
    }

    /// Sends a copy on by the node whose address was [found](FOUND).
    pub(in crate::linux) fn dup_to_found(self) -> Self {
        self.expression("dup", |dup| {
            put(dup, DUP_SREG_ADDR, &FOUND.to_be_bytes());
        })
    }

    /// In the direction of the answers to what began a connection. A packet of no connection is in none.
    pub(in crate::linux) fn of_an_answer(self) -> Self {
        self.expression("ct", |ct| {
            put(ct, CT_KEY, &NFT_CT_DIRECTION.to_be_bytes());
            put(ct, CT_DREG, &FIRST.to_be_bytes());
        })
        .equal(FIRST, IP_CT_DIR_REPLY)
    }

    pub(in crate::linux) fn accept(self) -> Vec<u8> {
        self.verdict(NF_ACCEPT, None)
    }

    pub(in crate::linux) fn drop(self) -> Vec<u8> {
        self.verdict(NF_DROP, None)
    }

    /// To another chain, and not back.
    pub(in crate::linux) fn goto(self, chain: &str) -> Vec<u8> {
        self.verdict(NFT_GOTO, Some(chain))
    }

    /// With a reset of TCP, which the packet has to be of.
    pub(in crate::linux) fn reset(self) -> Vec<u8> {
        let reject = self.expression("reject", |reject| {
            put(reject, REJECT_TYPE, &NFT_REJECT_TCP_RST.to_be_bytes());
        });
        reject.expressions
    }

    /// With port unreachable, by ICMP of the packet's version of IP.
    pub(in crate::linux) fn unreachable(self) -> Vec<u8> {
        let reject = self.expression("reject", |reject| {
            put(reject, REJECT_TYPE, &NFT_REJECT_ICMPX_UNREACH.to_be_bytes());
            put(reject, REJECT_ICMP_CODE, &[NFT_REJECT_ICMPX_PORT_UNREACH]);
        });
        reject.expressions
    }

    fn meta(self, key: u32, register: u32) -> Self {
        self.expression("meta", |meta| {
            put(meta, META_KEY, &key.to_be_bytes());
            put(meta, META_DREG, &register.to_be_bytes());
        })
    }

    fn payload(self, base: u32, offset: u32, length: u32, register: u32) -> Self {
        self.expression("payload", |payload| {
            put(payload, PAYLOAD_DREG, &register.to_be_bytes());
            put(payload, PAYLOAD_BASE, &base.to_be_bytes());
            put(payload, PAYLOAD_OFFSET, &offset.to_be_bytes());
            put(payload, PAYLOAD_LEN, &length.to_be_bytes());
        })
    }

    fn equal(self, register: u32, value: u8) -> Self {
        self.compare(NFT_CMP_EQ, register, &[value])
    }

    fn compare(self, how: u32, register: u32, value: &[u8]) -> Self {
        self.expression("cmp", |cmp| {
            put(cmp, CMP_SREG, &register.to_be_bytes());
            put(cmp, CMP_OP, &how.to_be_bytes());
            nest(cmp, CMP_DATA, |data| put(data, DATA_VALUE, value));
        })
    }

    /// Leaves of the first register what is in the mask.
    fn masked(self, mask: &[u8]) -> Self {
        let nothing = vec![0; mask.len()];
        self.expression("bitwise", |bitwise| {
            put(bitwise, BITWISE_SREG, &FIRST.to_be_bytes());
            put(bitwise, BITWISE_DREG, &FIRST.to_be_bytes());
            put(bitwise, BITWISE_LEN, &(mask.len() as u32).to_be_bytes());
            nest(bitwise, BITWISE_MASK, |data| put(data, DATA_VALUE, mask));
            nest(bitwise, BITWISE_XOR, |data| {
                put(data, DATA_VALUE, &nothing);
            });
        })
    }

    fn lookup(self, register: u32, set: &str) -> Self {
        self.expression("lookup", |lookup| {
            text(lookup, LOOKUP_SET, set);
            put(lookup, LOOKUP_SREG, &register.to_be_bytes());
        })
    }

    fn verdict(self, code: i32, chain: Option<&str>) -> Vec<u8> {
        let immediate = self.expression("immediate", |immediate| {
            put(immediate, IMMEDIATE_DREG, &NFT_REG_VERDICT.to_be_bytes());
            nest(immediate, IMMEDIATE_DATA, |data| {
                nest(data, DATA_VERDICT, |verdict| {
                    put(verdict, VERDICT_CODE, &code.to_be_bytes());
                    if let Some(chain) = chain {
                        text(verdict, VERDICT_CHAIN, chain);
                    }
                });
            });
        });
        immediate.expressions
    }

    fn expression(mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>)) -> Self {
        nest(&mut self.expressions, LIST_ELEM, |element| {
            text(element, EXPR_NAME, name);
            nest(element, EXPR_DATA, fill);
        });
        self
    }
}

/// Appends an attribute that is a text, with the zero that ends it.
pub(in crate::linux) fn text(message: &mut Vec<u8>, kind: u16, text: &str) {
    let bytes: Vec<u8> = text.bytes().chain([0]).collect();
    put(message, kind, &bytes);
}

#[cfg(test)]
mod tests;
