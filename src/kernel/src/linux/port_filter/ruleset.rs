//! The table, in the words of nft(8):
//!
//! ```text
//! table inet mooring {
//!     set addresses4 { type ipv4_addr; }                                  and addresses6
//!     set services4 { type ipv4_addr . inet_proto . inet_service; }       and services6
//!     chain closed {
//!         meta l4proto icmp icmp type echo-request drop                   unless echo requests are answered
//!         meta l4proto ipv6-icmp icmpv6 type echo-request drop            unless echo requests are answered
//!         meta l4proto icmp accept
//!         meta l4proto ipv6-icmp accept
//!         ct direction reply accept
//!         ip daddr . meta l4proto . th dport @services4 accept
//!         ip6 daddr . meta l4proto . th dport @services6 accept
//!         meta l4proto tcp reject with tcp reset
//!         reject with icmpx port-unreachable
//!     }
//!     chain input {
//!         type filter hook input priority -10; policy accept;
//!         ip daddr @addresses4 goto closed
//!         ip6 daddr @addresses6 goto closed
//!     }
//! }
//! ```
//!
//! What goes to other addresses costs a look-up.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use super::batch::Batch;
use super::rule::{Rule, text};
use crate::attributes::{nest, put};
use crate::linux::nft::numbers::{
    CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, DATA_VALUE, HOOK_HOOKNUM,
    HOOK_PRIORITY, LIST_ELEM, NF_ACCEPT, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM, NFT_MSG_NEWTABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE,
    SET_ELEM_KEY, SET_ELEM_LIST_ELEMENTS, SET_ELEM_LIST_SET, SET_ELEM_LIST_TABLE, SET_ID,
    SET_KEY_LEN, SET_KEY_TYPE, SET_NAME, SET_TABLE, TABLE_NAME,
};
use crate::{IpFamily, IpvsProtocol, PortFilter};

const NF_INET_LOCAL_IN: u32 = 1;

const TABLE: &str = "mooring";
const INPUT: &str = "input";
const CLOSED: &str = "closed";
/// Before the filters of iptables at 0 and the hooks of IPVS from 98 on.
const PRIORITY: i32 = -10;
/// The length of an attribute is a number of 16 bits, and the longest element takes 36 bytes.
const ELEMENTS_PER_MESSAGE: usize = 1000;
const TCP: u8 = 6;
const ICMP: u8 = 1;
const ECHO_REQUEST: u8 = 8;
const ICMPV6: u8 = 58;
const ECHO_REQUEST_V6: u8 = 128;

/// What becomes of packets to closed ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Reject,
    Drop,
}

/// What the keys of a set are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Addresses,
    Services,
}

/// A set of the table.
#[derive(Clone, Copy, Debug)]
struct Set {
    name: &'static str,
    /// Within the batch.
    number: u32,
    family: IpFamily,
    keys: Keys,
}

const SETS: [Set; 4] = [
    Set {
        name: "addresses4",
        number: 1,
        family: IpFamily::V4,
        keys: Keys::Addresses,
    },
    Set {
        name: "addresses6",
        number: 2,
        family: IpFamily::V6,
        keys: Keys::Addresses,
    },
    Set {
        name: "services4",
        number: 3,
        family: IpFamily::V4,
        keys: Keys::Services,
    },
    Set {
        name: "services6",
        number: 4,
        family: IpFamily::V6,
        keys: Keys::Services,
    },
];

/// Takes the table away. That it is not there is an error, which costs less than to create it first.
pub(super) fn removing() -> Batch {
    let mut batch = Batch::new();
    batch.push(NFT_MSG_DELTABLE, 0, &table());
    batch
}

/// Puts the table there in place of the one that may be there. Only what is there can be deleted, so it is created first.
pub(super) fn replacing(filter: &PortFilter, closed: Closed) -> Batch {
    let mut batch = Batch::new();
    batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, &table());
    batch.push(NFT_MSG_DELTABLE, 0, &table());
    batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, &table());
    for set in SETS {
        batch.push(NFT_MSG_NEWSET, NLM_F_CREATE, &set.message());
        for keys in set.keys(filter).chunks(ELEMENTS_PER_MESSAGE) {
            batch.push(NFT_MSG_NEWSETELEM, NLM_F_CREATE, &set.elements(keys));
        }
    }
    for name in [CLOSED, INPUT] {
        batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, &chain(name));
    }
    let rules = of_closed(filter.ping, closed)
        .map(|rule| (CLOSED, rule))
        .chain(of_input().map(|rule| (INPUT, rule)));
    for (chain, expressions) in rules {
        let message = rule(chain, &expressions);
        batch.push(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &message);
    }
    batch
}

fn of_input() -> impl Iterator<Item = Vec<u8>> {
    let addresses = SETS.iter().filter(|set| set.keys == Keys::Addresses);
    addresses.map(|set| {
        Rule::new()
            .for_address_in(set.family, set.name)
            .goto(CLOSED)
    })
}

fn of_closed(ping: bool, closed: Closed) -> impl Iterator<Item = Vec<u8>> {
    let icmp = || Rule::new().of_transport(ICMP);
    let icmpv6 = || Rule::new().of_transport(ICMPV6);
    let no_ping = [
        icmp().of_icmp_type(ECHO_REQUEST).drop(),
        icmpv6().of_icmp_type(ECHO_REQUEST_V6).drop(),
    ];
    let accepted = [
        icmp().accept(),
        icmpv6().accept(),
        Rule::new().of_an_answer().accept(),
    ];
    let services = SETS.iter().filter(|set| set.keys == Keys::Services);
    let services = services.map(|set| Rule::new().for_service_in(set.family, set.name).accept());
    let rest = match closed {
        Closed::Reject => vec![
            Rule::new().of_transport(TCP).reset(),
            Rule::new().unreachable(),
        ],
        Closed::Drop => vec![Rule::new().drop()],
    };
    let no_ping = no_ping.into_iter().filter(move |_| !ping);
    no_ping.chain(accepted).chain(services).chain(rest)
}

fn table() -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, TABLE_NAME, TABLE);
    message
}

fn chain(name: &str) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, CHAIN_TABLE, TABLE);
    text(&mut message, CHAIN_NAME, name);
    if name == INPUT {
        nest(&mut message, CHAIN_HOOK, |hook| {
            put(hook, HOOK_HOOKNUM, &NF_INET_LOCAL_IN.to_be_bytes());
            put(hook, HOOK_PRIORITY, &PRIORITY.to_be_bytes());
        });
        put(&mut message, CHAIN_POLICY, &NF_ACCEPT.to_be_bytes());
        text(&mut message, CHAIN_TYPE, "filter");
    }
    message
}

fn rule(chain: &str, expressions: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, RULE_TABLE, TABLE);
    text(&mut message, RULE_CHAIN, chain);
    nest(&mut message, RULE_EXPRESSIONS, |list| {
        list.extend(expressions);
    });
    message
}

// === impl Set ===

impl Set {
    fn message(&self) -> Vec<u8> {
        let (kind, length) = self.key();
        let mut message = Vec::new();
        text(&mut message, SET_TABLE, TABLE);
        text(&mut message, SET_NAME, self.name);
        put(&mut message, SET_KEY_TYPE, &kind.to_be_bytes());
        put(&mut message, SET_KEY_LEN, &length.to_be_bytes());
        put(&mut message, SET_ID, &self.number.to_be_bytes());
        message
    }

    /// The type of the keys, which means something to nft(8) alone (its include/datatype.h), and their length in bytes. The
    /// types of a concatenation stand beside each other with 6 bits each.
    fn key(&self) -> (u32, u32) {
        const INET_PROTO: u32 = 12;
        const INET_SERVICE: u32 = 13;
        let (address, length) = match self.family {
            IpFamily::V4 => (7, 4),
            IpFamily::V6 => (8, 16),
        };
        match self.keys {
            Keys::Addresses => (address, length),
            Keys::Services => (address << 12 | INET_PROTO << 6 | INET_SERVICE, length + 8),
        }
    }

    /// What of a filter is in it.
    fn keys(&self, filter: &PortFilter) -> Vec<Vec<u8>> {
        let of_family = filter
            .addresses
            .iter()
            .filter(|(ip, _)| ip.is_ipv4() == (self.family == IpFamily::V4));
        match self.keys {
            Keys::Addresses => of_family.map(|(ip, _)| octets(ip)).collect(),
            Keys::Services => of_family
                .flat_map(|(ip, ports)| ports.iter().filter_map(|port| service(ip, *port)))
                .collect(),
        }
    }

    fn elements(&self, keys: &[Vec<u8>]) -> Vec<u8> {
        let mut message = Vec::new();
        text(&mut message, SET_ELEM_LIST_TABLE, TABLE);
        text(&mut message, SET_ELEM_LIST_SET, self.name);
        nest(&mut message, SET_ELEM_LIST_ELEMENTS, |list| {
            for key in keys {
                nest(list, LIST_ELEM, |element| {
                    nest(element, SET_ELEM_KEY, |data| put(data, DATA_VALUE, key));
                });
            }
        });
        message
    }
}

fn octets(ip: &IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Address, transport and port, each padded to four bytes. No packet has a transport beyond 255.
fn service(ip: &IpAddr, (protocol, port): (IpvsProtocol, u16)) -> Option<Vec<u8>> {
    let protocol = u8::try_from(protocol.number()).ok()?;
    let [high, low] = port.to_be_bytes();
    let mut key = octets(ip);
    key.extend([protocol, 0, 0, 0, high, low, 0, 0]);
    Some(key)
}

#[cfg(test)]
mod tests;
