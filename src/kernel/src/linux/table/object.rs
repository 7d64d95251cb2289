//! Tables, chains, rules, sets and their elements.

use std::net::IpAddr;
use std::time::Duration;

use super::rule::text;
use crate::IpFamily;
use crate::attributes::{nest, put};
use crate::linux::nft::numbers::{
    CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, DATA_VALUE, HOOK_DEV,
    HOOK_HOOKNUM, HOOK_PRIORITY, LIST_ELEM, NF_ACCEPT, NFT_SET_EVAL, NFT_SET_MAP, NFT_SET_TIMEOUT,
    RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, SET_DATA_LEN, SET_DATA_TYPE, SET_ELEM_DATA,
    SET_ELEM_KEY, SET_ELEM_LIST_ELEMENTS, SET_ELEM_LIST_SET, SET_ELEM_LIST_TABLE, SET_ELEM_TIMEOUT,
    SET_FLAGS, SET_ID, SET_KEY_LEN, SET_KEY_TYPE, SET_NAME, SET_TABLE, TABLE_NAME,
};

/// Where a chain sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Hook<'a> {
    /// `NF_INET_*` or `NF_NETDEV_*`.
    pub(in crate::linux) number: u32,
    /// Lower ones come first.
    pub(in crate::linux) priority: i32,
    /// On which device, in the family `netdev`.
    pub(in crate::linux) device: Option<&'a str>,
}

// === impl Hook ===

impl Hook<'_> {
    /// Where packets come in, of whichever version of IP: `NF_INET_PRE_ROUTING` of linux/netfilter.h.
    pub(in crate::linux) const fn prerouting(priority: i32) -> Self {
        Self {
            number: 0,
            priority,
            device: None,
        }
    }
}

/// The type of an address as nft(8) numbers it (`TYPE_IPADDR` and `TYPE_IP6ADDR` of its include/datatype.h), and its length in
/// bytes.
pub(in crate::linux) const fn address(family: IpFamily) -> (u32, u32) {
    match family {
        IpFamily::V4 => (7, 4),
        IpFamily::V6 => (8, 16),
    }
}

/// A set, or a map, whose elements have data.
#[derive(Clone, Copy, Debug)]
pub(in crate::linux) struct Set {
    pub(in crate::linux) table: &'static str,
    pub(in crate::linux) name: &'static str,
    /// Within the batch.
    pub(in crate::linux) number: u32,
    /// The type of the keys, which means something to nft(8) alone (its include/datatype.h), and their length in bytes.
    pub(in crate::linux) keys: (u32, u32),
    /// The same, of the data.
    pub(in crate::linux) data: Option<(u32, u32)>,
    /// Whether elements may run out. Packets may add and renew such.
    pub(in crate::linux) runs_out: bool,
}

/// What is in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Element {
    pub(in crate::linux) key: Vec<u8>,
    /// In a map.
    pub(in crate::linux) data: Option<Vec<u8>>,
    /// When it goes by itself, if it does.
    pub(in crate::linux) lasts: Option<Duration>,
}

pub(in crate::linux) fn table(name: &str) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, TABLE_NAME, name);
    message
}

/// A chain that others lead to.
pub(in crate::linux) fn chain(table: &str, name: &str) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, CHAIN_TABLE, table);
    text(&mut message, CHAIN_NAME, name);
    message
}

/// A chain of the type `filter` that packets come to by themselves. What it says nothing about passes.
pub(in crate::linux) fn base_chain(table: &str, name: &str, hook: Hook<'_>) -> Vec<u8> {
    let mut message = chain(table, name);
    nest(&mut message, CHAIN_HOOK, |attribute| {
        put(attribute, HOOK_HOOKNUM, &hook.number.to_be_bytes());
        put(attribute, HOOK_PRIORITY, &hook.priority.to_be_bytes());
        if let Some(device) = hook.device {
            text(attribute, HOOK_DEV, device);
        }
    });
    put(&mut message, CHAIN_POLICY, &NF_ACCEPT.to_be_bytes());
    text(&mut message, CHAIN_TYPE, "filter");
    message
}

pub(in crate::linux) fn rule(table: &str, chain: &str, expressions: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    text(&mut message, RULE_TABLE, table);
    text(&mut message, RULE_CHAIN, chain);
    nest(&mut message, RULE_EXPRESSIONS, |list| {
        list.extend(expressions);
    });
    message
}

pub(in crate::linux) fn octets(ip: &IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

// === impl Set ===

impl Set {
    pub(in crate::linux) fn message(&self) -> Vec<u8> {
        let (kind, length) = self.keys;
        let mut message = Vec::new();
        text(&mut message, SET_TABLE, self.table);
        text(&mut message, SET_NAME, self.name);
        let map = if self.data.is_some() { NFT_SET_MAP } else { 0 };
        let timeout = if self.runs_out {
            NFT_SET_TIMEOUT | NFT_SET_EVAL
        } else {
            0
        };
        put(&mut message, SET_FLAGS, &(map | timeout).to_be_bytes());
        put(&mut message, SET_KEY_TYPE, &kind.to_be_bytes());
        put(&mut message, SET_KEY_LEN, &length.to_be_bytes());
        if let Some((kind, length)) = self.data {
            put(&mut message, SET_DATA_TYPE, &kind.to_be_bytes());
            put(&mut message, SET_DATA_LEN, &length.to_be_bytes());
        }
        put(&mut message, SET_ID, &self.number.to_be_bytes());
        message
    }

    pub(in crate::linux) fn elements(&self, elements: &[Element]) -> Vec<u8> {
        let mut message = Vec::new();
        text(&mut message, SET_ELEM_LIST_TABLE, self.table);
        text(&mut message, SET_ELEM_LIST_SET, self.name);
        nest(&mut message, SET_ELEM_LIST_ELEMENTS, |list| {
            for element in elements {
                nest(list, LIST_ELEM, |attribute| element.fill(attribute));
            }
        });
        message
    }
}

// === impl Element ===

impl Element {
    /// Of a set whose elements stay.
    pub(in crate::linux) fn key(key: Vec<u8>) -> Self {
        Self {
            key,
            data: None,
            lasts: None,
        }
    }

    fn fill(&self, element: &mut Vec<u8>) {
        nest(element, SET_ELEM_KEY, |key| put(key, DATA_VALUE, &self.key));
        if let Some(value) = &self.data {
            nest(element, SET_ELEM_DATA, |data| put(data, DATA_VALUE, value));
        }
        if let Some(lasts) = self.lasts {
            let milliseconds = lasts.as_millis() as u64;
            put(element, SET_ELEM_TIMEOUT, &milliseconds.to_be_bytes());
        }
    }
}
