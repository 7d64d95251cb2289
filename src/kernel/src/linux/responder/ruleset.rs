//! The table, in the words of nft(8), for one link, which is `eth0` and has the index 3:
//!
//! ```text
//! table netdev mooring {
//!     set alive { type ether_type; flags dynamic,timeout; }
//!     set addresses4 { type iface_index . ipv4_addr; }                and addresses6
//!     set claimable4 { type iface_index . ipv4_addr; }
//!     chain pulse {
//!         type filter hook ingress device "lo" priority -500; policy accept;
//!         the frame of a pulse: update @alive { 0x88b5 timeout 200ms } drop
//!     }
//!     chain arp3 {                                                    the question is for one of its addresses
//!         where it comes from, or its sender, is nobody, a group or eth0: accept
//!         its sender has one of addresses4 or claimable4: accept
//!         its sender has 0.0.0.0: becomes the answer to where it comes from, fwd to "eth0"
//!         becomes the answer to its sender, fwd to "eth0"
//!         drop                                                        what could not become one wholly
//!     }
//!     chain ndp3 { ... }
//!     chain link3 {
//!         type filter hook ingress device "eth0" priority -500; policy accept;
//!         meta pkttype != other, an ARP request for one of addresses4, 0x88b5 in @alive: goto arp3
//!         meta pkttype != other, a solicitation for one of addresses6, 0x88b5 in @alive: goto ndp3
//!     }
//! }
//! ```
//!
//! The type of a frame is asked of its own header: one with a VLAN tag has another one there, wherever the kernel keeps the
//! tag (`nft_payload_eval` in net/netfilter/nft_payload.c).

use std::collections::BTreeSet;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use crate::linux::nft::numbers::{
    NFT_MSG_DELSETELEM, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM,
};
use crate::linux::table::{
    Batch, Checksum, Element, Field, Header, Hook, Rule, Set, base_chain, chain, octets, rule,
};
use crate::{Answering, MacAddress, NftFamily, Responder};

/// That of local experiments (IEEE 802): nobody else on the loopback sends such frames.
pub(super) const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];
/// What follows it. It is no secret: whoever may send frames can answer ARP himself.
pub(super) const MAGIC: [u8; 8] = *b"mooring\0";

const TABLE: &str = "mooring";
const PULSE: &str = "pulse";
const LOOPBACK: &str = "lo";
/// Of linux/netfilter.h.
const NF_NETDEV_INGRESS: u32 = 0;
/// Before whatever else has a chain there.
const PRIORITY: i32 = -500;
/// The length of an attribute is a number of 16 bits, and the longest element takes 36 bytes.
const ELEMENTS_PER_MESSAGE: usize = 1000;

/// Types for nft(8): `ifindex` in front of an address, with 6 bits each, and `ethertype`.
const LINK_AND_IPV4: (u32, u32) = (20 << 6 | 7, 8);
const LINK_AND_IPV6: (u32, u32) = (20 << 6 | 8, 20);
const ETHERTYPE: (u32, u32) = (10, 2);

const ALIVE: Set = set("alive", 1, ETHERTYPE, true);
const ADDRESSES4: Set = set("addresses4", 2, LINK_AND_IPV4, false);
const ADDRESSES6: Set = set("addresses6", 3, LINK_AND_IPV6, false);
const CLAIMABLE4: Set = set("claimable4", 4, LINK_AND_IPV4, false);

const ETHER_DESTINATION: Field = Field(Header::Link, 0, 6);
const ETHER_SOURCE: Field = Field(Header::Link, 6, 6);
const ETHER_KIND: Field = Field(Header::Link, 12, 2);

/// Of a packet of ARP (RFC 826).
mod arp {
    use super::{Field, Header};

    pub(super) const KIND: [u8; 2] = [0x08, 0x06];
    /// Hardware type, protocol type, their lengths, and the operation.
    pub(super) const FORM: Field = Field(Header::Network, 0, 8);
    pub(super) const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
    pub(super) const REPLY: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 2];
    /// MAC address and IP.
    pub(super) const SENDER: Field = Field(Header::Network, 8, 10);
    pub(super) const SENDER_MAC: Field = Field(Header::Network, 8, 6);
    pub(super) const SENDER_IP: Field = Field(Header::Network, 14, 4);
    /// Both.
    pub(super) const TARGET: Field = Field(Header::Network, 18, 10);
    pub(super) const TARGET_IP: Field = Field(Header::Network, 24, 4);
}

/// Of a packet of IPv6 (RFC 8200) with a message of NDP (RFC 4861).
mod ndp {
    use super::{Field, Header};

    pub(super) const KIND: [u8; 2] = [0x86, 0xdd];
    pub(super) const ICMPV6: u8 = 58;
    /// Version, traffic class and flow label.
    pub(super) const CLASS: Field = Field(Header::Network, 0, 4);
    pub(super) const NO_CLASS: [u8; 4] = [0x60, 0, 0, 0];
    /// Length of the message, its kind, and the hop limit.
    pub(super) const SHAPE: Field = Field(Header::Network, 4, 4);
    pub(super) const WITH_ONE_OPTION: [u8; 4] = [0, 32, ICMPV6, 255];
    pub(super) const SOURCE: Field = Field(Header::Network, 8, 16);
    pub(super) const DESTINATION: Field = Field(Header::Network, 24, 16);
    /// Type and code.
    pub(super) const MESSAGE: Field = Field(Header::Transport, 0, 2);
    pub(super) const SOLICITATION: [u8; 2] = [135, 0];
    pub(super) const ADVERTISEMENT: [u8; 2] = [136, 0];
    pub(super) const FLAGS: Field = Field(Header::Transport, 4, 4);
    /// Solicited, and it overrides what is known.
    pub(super) const SOLICITED: [u8; 4] = [0x60, 0, 0, 0];
    pub(super) const TARGET: Field = Field(Header::Transport, 8, 16);
    /// Type and length.
    pub(super) const OPTION_KIND: Field = Field(Header::Transport, 24, 2);
    pub(super) const SOURCE_LINK_LAYER: [u8; 2] = [1, 1];
    pub(super) const TARGET_LINK_LAYER: [u8; 2] = [2, 1];
    pub(super) const OPTION_MAC: Field = Field(Header::Transport, 26, 6);
    pub(super) const OPTION: Field = Field(Header::Transport, 24, 8);
}

/// Takes the table away.
pub(super) fn removing() -> Batch {
    Batch::removing(NftFamily::Netdev, TABLE)
}

/// Puts the table there in place of the one that may be there.
pub(super) fn replacing(wanted: &Responder) -> Batch {
    let mut batch = Batch::replacing(NftFamily::Netdev, TABLE);
    for set in [ALIVE, ADDRESSES4, ADDRESSES6, CLAIMABLE4] {
        batch.push(NFT_MSG_NEWSET, NLM_F_CREATE, &set.message());
        let new = elements(&set, wanted);
        append_elements(&mut batch, NFT_MSG_NEWSETELEM, &set, &new);
    }
    append_base(&mut batch, PULSE, LOOPBACK, &[pulse(wanted)]);
    for (index, link) in &wanted.links {
        let name = |kind: &str| format!("{kind}{index}");
        let (arp, ndp) = (name("arp"), name("ndp"));
        append(&mut batch, &arp, &arp_answers(*index, link.mac));
        append(&mut batch, &ndp, &ndp_answers(*index, link.mac));
        let device = link.name.to_string();
        append_base(&mut batch, &name("link"), &device, &questions(&arp, &ndp));
    }
    batch
}

/// Makes of the addresses of one those of another, whose rules are the same; none if they are, too.
pub(super) fn changing(former: &Responder, wanted: &Responder) -> Option<Batch> {
    let (gone, new) = (without(former, wanted), without(wanted, former));
    let mut batch = None;
    for set in [ADDRESSES4, ADDRESSES6, CLAIMABLE4] {
        for (kind, changed) in [(NFT_MSG_DELSETELEM, &gone), (NFT_MSG_NEWSETELEM, &new)] {
            let elements = elements(&set, changed);
            if !elements.is_empty() {
                let batch = batch.get_or_insert_with(|| Batch::of(NftFamily::Netdev));
                append_elements(batch, kind, &set, &elements);
            }
        }
    }
    batch
}

/// The addresses of one that another does not have.
fn without(one: &Responder, other: &Responder) -> Responder {
    let links = one.links.iter().map(|(index, link)| {
        let less = |of: fn(&Answering) -> &BTreeSet<IpAddr>| match other.links.get(index) {
            Some(other) => of(link).difference(of(other)).copied().collect(),
            None => of(link).clone(),
        };
        let left = Answering {
            addresses: less(|link| &link.addresses),
            claimable: less(|link| &link.claimable),
            name: link.name.clone(),
            mac: link.mac,
        };
        (*index, left)
    });
    Responder {
        links: links.collect(),
        lasts: one.lasts,
    }
}

fn append_elements(batch: &mut Batch, kind: u16, set: &Set, elements: &[Element]) {
    let flags = match kind {
        NFT_MSG_NEWSETELEM => NLM_F_CREATE,
        _ => 0,
    };
    for elements in elements.chunks(ELEMENTS_PER_MESSAGE) {
        batch.push(kind, flags, &set.elements(elements));
    }
}

fn append_base(batch: &mut Batch, name: &str, device: &str, rules: &[Vec<u8>]) {
    let hook = Hook {
        number: NF_NETDEV_INGRESS,
        priority: PRIORITY,
        device: Some(device),
    };
    let message = base_chain(TABLE, name, hook);
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, &message);
    append_rules(batch, name, rules);
}

fn append(batch: &mut Batch, name: &str, rules: &[Vec<u8>]) {
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, &chain(TABLE, name));
    append_rules(batch, name, rules);
}

fn append_rules(batch: &mut Batch, chain: &str, rules: &[Vec<u8>]) {
    for expressions in rules {
        let message = rule(TABLE, chain, expressions);
        batch.push(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &message);
    }
}

fn pulse(wanted: &Responder) -> Vec<u8> {
    Rule::new()
        .is(ETHER_KIND, &ETHER_TYPE)
        .is(Field(Header::Network, 0, MAGIC.len() as u32), &MAGIC)
        .renew(ALIVE.name, &ETHER_TYPE, wanted.lasts)
        .drop()
}

/// What most packets are not comes first.
fn questions(arp: &str, ndp: &str) -> [Vec<u8>; 2] {
    [
        Rule::new()
            .is(ETHER_KIND, &arp::KIND)
            .is(arp::FORM, &arp::REQUEST)
            .for_us()
            .with_link_in(arp::TARGET_IP, ADDRESSES4.name)
            .holds(ALIVE.name, &ETHER_TYPE)
            .goto(arp),
        Rule::new()
            .is(ETHER_KIND, &ndp::KIND)
            .is(ndp::SHAPE, &ndp::WITH_ONE_OPTION)
            // Whose header is as long as it has to be, or it would have none.
            .of_transport(ndp::ICMPV6)
            .is(ndp::MESSAGE, &ndp::SOLICITATION)
            .is(ndp::OPTION_KIND, &ndp::SOURCE_LINK_LAYER)
            .for_us()
            .with_link_in(ndp::TARGET, ADDRESSES6.name)
            .holds(ALIVE.name, &ETHER_TYPE)
            .goto(ndp),
    ]
}

fn arp_answers(link: u32, own: MacAddress) -> Vec<Vec<u8>> {
    // The registers of the sender, of the target's IP, of where a probe comes from, and of what is written.
    const SENDER: u32 = 0;
    const IP: u32 = 3;
    const ORIGIN: u32 = 4;
    const NEW: u32 = 6;
    let none = Checksum::None;
    let answer = |rule: Rule, asker| {
        rule.load(arp::SENDER, SENDER)
            .load(arp::TARGET_IP, IP)
            .load(ETHER_SOURCE, ORIGIN)
            .store(SENDER, arp::TARGET, none)
            .store(IP, arp::SENDER_IP, none)
            .write(NEW, &own.0, arp::SENDER_MAC, none)
            .write(NEW, &arp::REPLY, arp::FORM, none)
            .store(asker, ETHER_DESTINATION, none)
            .write(NEW, &own.0, ETHER_SOURCE, none)
            .forward(link)
    };
    let mut rules = Vec::new();
    rules.extend(not_by(ETHER_SOURCE, own));
    rules.extend(not_by(arp::SENDER_MAC, own));
    for held in [ADDRESSES4.name, CLAIMABLE4.name] {
        let claim = Rule::new().with_link_in(arp::SENDER_IP, held);
        rules.push(claim.accept());
    }
    let probe = Rule::new().is(arp::SENDER_IP, &[0; 4]);
    rules.push(answer(probe, ORIGIN));
    rules.push(answer(Rule::new(), SENDER));
    rules.push(Rule::new().drop());
    rules
}

fn ndp_answers(link: u32, own: MacAddress) -> Vec<Vec<u8>> {
    // The registers of the asker's MAC address and IP, of the target, and of what is written.
    const ASKER: u32 = 0;
    const SOURCE: u32 = 2;
    const TARGET: u32 = 6;
    const NEW: u32 = 10;
    let [a, b] = ndp::TARGET_LINK_LAYER;
    let [c, d, e, f, g, h] = own.0;
    let option = [a, b, c, d, e, f, g, h];
    let (none, message) = (Checksum::None, Checksum::Icmpv6);
    let mut rules = Vec::new();
    rules.extend(not_by(ETHER_SOURCE, own));
    rules.extend(not_by(ndp::OPTION_MAC, own));
    // A group, and nobody.
    let Field(header, offset, _) = ndp::SOURCE;
    rules.push(Rule::new().has_bits(header, offset, 0xff, 0xff).accept());
    rules.push(Rule::new().is(ndp::SOURCE, &[0; 16]).accept());
    let answer = Rule::new()
        .load(ndp::OPTION_MAC, ASKER)
        .load(ndp::SOURCE, SOURCE)
        .load(ndp::TARGET, TARGET)
        .store(SOURCE, ndp::DESTINATION, Checksum::Pseudo)
        .store(TARGET, ndp::SOURCE, Checksum::Pseudo)
        .write(NEW, &ndp::NO_CLASS, ndp::CLASS, none)
        .write(NEW, &ndp::ADVERTISEMENT, ndp::MESSAGE, message)
        .write(NEW, &ndp::SOLICITED, ndp::FLAGS, message)
        .write(NEW, &option, ndp::OPTION, message)
        .store(ASKER, ETHER_DESTINATION, none)
        .write(NEW, &own.0, ETHER_SOURCE, none)
        .forward(link);
    rules.push(answer);
    rules.push(Rule::new().drop());
    rules
}

/// A MAC address has to be that of somebody else: neither our own, nor a group's, nor nobody's.
fn not_by(mac: Field, own: MacAddress) -> [Vec<u8>; 3] {
    let Field(header, offset, _) = mac;
    [
        Rule::new().is(mac, &own.0).accept(),
        Rule::new().is(mac, &[0; 6]).accept(),
        Rule::new().has_bits(header, offset, 1, 1).accept(),
    ]
}

const fn set(name: &'static str, number: u32, keys: (u32, u32), runs_out: bool) -> Set {
    Set {
        table: TABLE,
        name,
        number,
        keys,
        data: None,
        runs_out,
    }
}

fn elements(set: &Set, wanted: &Responder) -> Vec<Element> {
    let of = |link: &Answering| match set.number {
        number if number == ADDRESSES4.number => keep(&link.addresses, IpAddr::is_ipv4),
        number if number == ADDRESSES6.number => keep(&link.addresses, IpAddr::is_ipv6),
        number if number == CLAIMABLE4.number => keep(&link.claimable, IpAddr::is_ipv4),
        _ => Vec::new(),
    };
    let elements = wanted.links.iter().flat_map(|(index, link)| {
        of(link).into_iter().map(|address| {
            let mut key = index.to_ne_bytes().to_vec();
            key.extend(address);
            Element::key(key)
        })
    });
    elements.collect()
}

fn keep<'a>(
    addresses: impl IntoIterator<Item = &'a IpAddr>,
    of_family: impl Fn(&IpAddr) -> bool,
) -> Vec<Vec<u8>> {
    let addresses = addresses.into_iter().filter(|ip| of_family(ip));
    let single = addresses.filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
    single.map(octets).collect()
}

#[cfg(test)]
mod tests;
