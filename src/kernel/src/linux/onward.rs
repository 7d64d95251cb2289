//! The tables `ip mooring` and `ip6 mooring`, replaced as a whole. The first, in the words of nft(8):
//!
//! ```text
//! table ip mooring {
//!     map former { type ipv4_addr : ipv4_addr; flags timeout; }
//!     chain prerouting {
//!         type filter hook prerouting priority -150; policy accept;
//!         meta l4proto tcp  tcp flags & syn == 0  ct state & new != 0  dup to ip daddr map @former  drop
//!     }
//! }
//! ```
//!
//! `dup` (net/ipv4/netfilter/nf_dup_ipv4.c) routes a copy by its gateway, untracked, and takes one from its time to live, so
//! that two nodes that took each other for the former one would not send a packet to and fro for ever.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use super::nft::numbers::{NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM};
use super::table::{Batch, Element, Hook, Outcome, Rule, Set, address, base_chain, octets, rule};
use crate::{Facility, IpFamily, NftFamily, Onward, WriteError, Writing};

const WRITING: Writing = Writing::Onward;
const TABLE: &str = "mooring";
const CHAIN: &str = "prerouting";
const MAP: &str = "former";
/// Behind `NF_IP_PRI_CONNTRACK` at -200, and before whatever makes something of the packet (linux/netfilter_ipv4.h).
const HOOK: Hook<'_> = Hook::prerouting(-150);
/// The length of an attribute is a number of 16 bits, and the longest element takes 64 bytes.
const ELEMENTS_PER_MESSAGE: usize = 800;

pub(super) fn set(wanted: &Onward) -> Result<Facility<()>, WriteError> {
    let mut there = Facility::Absent;
    for family in [IpFamily::V4, IpFamily::V6] {
        let elements = elements(wanted, family);
        let set = match elements.is_empty() {
            true => Batch::removing(of(family), TABLE)
                .run(WRITING)?
                .of_removal(),
            false if replace(family, &elements).run(WRITING)? == Outcome::Done => {
                Facility::Present(())
            }
            false => return Ok(Facility::Absent),
        };
        if set == Facility::Present(()) {
            there = set;
        }
    }
    Ok(there)
}

fn replace(family: IpFamily, elements: &[Element]) -> Batch {
    let mut batch = Batch::replacing(of(family), TABLE);
    let map = map(family);
    batch.push(NFT_MSG_NEWSET, NLM_F_CREATE, &map.message());
    for elements in elements.chunks(ELEMENTS_PER_MESSAGE) {
        batch.push(NFT_MSG_NEWSETELEM, NLM_F_CREATE, &map.elements(elements));
    }
    let chain = base_chain(TABLE, CHAIN, HOOK);
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, &chain);
    let late = Rule::new()
        .look_up_destination(family, MAP)
        .without_syn()
        .of_a_new_connection()
        .dup_to_found()
        .drop();
    let message = rule(TABLE, CHAIN, &late);
    batch.push(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &message);
    batch
}

fn map(family: IpFamily) -> Set {
    Set {
        table: TABLE,
        name: MAP,
        number: 1,
        keys: address(family),
        data: Some(address(family)),
        runs_out: true,
    }
}

fn elements(wanted: &Onward, family: IpFamily) -> Vec<Element> {
    let is = |ip: &IpAddr| ip.is_ipv4() == (family == IpFamily::V4);
    let all = wanted.to.iter();
    all.filter(|(address, node)| is(address) && is(node))
        .map(|(address, node)| Element {
            key: octets(address),
            data: Some(octets(node)),
            lasts: Some(wanted.lasts),
        })
        .collect()
}

fn of(family: IpFamily) -> NftFamily {
    match family {
        IpFamily::V4 => NftFamily::Ip,
        IpFamily::V6 => NftFamily::Ip6,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_goes_to_a_node_of_the_other_family_stands_for_nothing() {
        let ip = |ip: &str| ip.parse().unwrap();
        let wanted = Onward {
            to: [("10.9.0.100", "fd00::2"), ("fd00::100", "fd00::2")]
                .map(|(address, node)| (ip(address), ip(node)))
                .into(),
            lasts: Duration::from_secs(1),
        };
        assert_eq!(elements(&wanted, IpFamily::V4), []);
        assert_eq!(elements(&wanted, IpFamily::V6).len(), 1);
    }

    #[test]
    fn no_attribute_is_longer_than_its_length_can_say() {
        let element = Element {
            key: vec![0; 16],
            data: Some(vec![0; 16]),
            lasts: Some(Duration::from_secs(1)),
        };
        let longest = map(IpFamily::V6).elements(&vec![element; ELEMENTS_PER_MESSAGE]);
        assert!(longest.len() < usize::from(u16::MAX), "{}", longest.len());
    }
}
