//! The table, in the words of nft(8):
//!
//! ```text
//! table inet mooring {
//!     set addresses4 { type ipv4_addr; }                                  and addresses6
//!     set services4 { type ipv4_addr . inet_proto . inet_service; }       and services6
//!     set silent4 { type ipv4_addr; }                                     and silent6: no echo requests
//!     chain closed {
//!         ip daddr @silent4 icmp type echo-request drop
//!         ip6 daddr @silent6 icmpv6 type echo-request drop
//!         meta l4proto icmp accept
//!         meta l4proto ipv6-icmp accept
//!         ct direction reply accept
//!         ip daddr . meta l4proto . th dport @services4 accept
//!         ip6 daddr . meta l4proto . th dport @services6 accept
//!         meta l4proto tcp reject with tcp reset
//!         reject with icmpx port-unreachable
//!     }
//!     chain prerouting {
//!         type filter hook prerouting priority -110; policy accept;
//!         ip daddr @addresses4 goto closed
//!         ip6 daddr @addresses6 goto closed
//!     }
//! }
//! ```
//!
//! What goes to other addresses costs a look-up. Those who send packets elsewhere do it later: kube-proxy's `nat-prerouting`
//! (pkg/proxy/nftables/proxier.go) and the `PREROUTING` of iptables' table `nat`, where it and the CNI plugin portmap have
//! theirs, at -100; IPVS behind `input`.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE};

use crate::linux::nft::numbers::{
    NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM,
};
use crate::linux::table::{
    Batch, Element, Hook, Rule, Set as NftSet, address, base_chain, chain, octets, rule,
};
use crate::{IpFamily, IpvsProtocol, NftFamily, PortFilter};

const TABLE: &str = "mooring";
const PREROUTING: &str = "prerouting";
const CLOSED: &str = "closed";
/// Behind `NF_IP_PRI_CONNTRACK` at -200, which tells answers from questions, and before `NF_IP_PRI_NAT_DST` at -100
/// (linux/netfilter_ipv4.h): what is sent elsewhere has its own destination still.
const HOOK: Hook<'_> = Hook::prerouting(-110);
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
    /// Those of the addresses that answer no echo requests.
    Silent,
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

const SETS: [Set; 6] = [
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
    Set {
        name: "silent4",
        number: 5,
        family: IpFamily::V4,
        keys: Keys::Silent,
    },
    Set {
        name: "silent6",
        number: 6,
        family: IpFamily::V6,
        keys: Keys::Silent,
    },
];

/// Takes the table away.
pub(super) fn removing() -> Batch {
    Batch::removing(NftFamily::Inet, TABLE)
}

/// Puts the table there in place of the one that may be there.
pub(super) fn replacing(filter: &PortFilter, closed: Closed) -> Batch {
    let mut batch = Batch::replacing(NftFamily::Inet, TABLE);
    for set in SETS {
        batch.push(NFT_MSG_NEWSET, NLM_F_CREATE, &set.object().message());
        for elements in set.elements(filter).chunks(ELEMENTS_PER_MESSAGE) {
            let message = set.object().elements(elements);
            batch.push(NFT_MSG_NEWSETELEM, NLM_F_CREATE, &message);
        }
    }
    let prerouting = base_chain(TABLE, PREROUTING, HOOK);
    for chain in [chain(TABLE, CLOSED), prerouting] {
        batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, &chain);
    }
    let rules = of_closed(closed)
        .map(|rule| (CLOSED, rule))
        .chain(of_prerouting().map(|rule| (PREROUTING, rule)));
    for (chain, expressions) in rules {
        let message = rule(TABLE, chain, &expressions);
        batch.push(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, &message);
    }
    batch
}

/// The sets of such keys, IPv4 first.
fn sets(keys: Keys) -> impl Iterator<Item = &'static Set> {
    SETS.iter().filter(move |set| set.keys == keys)
}

fn of_prerouting() -> impl Iterator<Item = Vec<u8>> {
    sets(Keys::Addresses).map(|set| set.addressed().goto(CLOSED))
}

fn of_closed(closed: Closed) -> impl Iterator<Item = Vec<u8>> {
    let no_ping = sets(Keys::Silent).map(|set| {
        let (icmp, echo_request) = match set.family {
            IpFamily::V4 => (ICMP, ECHO_REQUEST),
            IpFamily::V6 => (ICMPV6, ECHO_REQUEST_V6),
        };
        let to_it = set.addressed().of_transport(icmp);
        to_it.of_icmp_type(echo_request).drop()
    });
    let accepted = [
        Rule::new().of_transport(ICMP).accept(),
        Rule::new().of_transport(ICMPV6).accept(),
        Rule::new().of_an_answer().accept(),
    ];
    let services =
        sets(Keys::Services).map(|set| Rule::new().for_service_in(set.family, set.name).accept());
    let rest = match closed {
        Closed::Reject => vec![
            Rule::new().of_transport(TCP).reset(),
            Rule::new().unreachable(),
        ],
        Closed::Drop => vec![Rule::new().drop()],
    };
    no_ping.chain(accepted).chain(services).chain(rest)
}

// === impl Set ===

impl Set {
    /// What goes to its addresses, if it is one of addresses.
    fn addressed(&self) -> Rule {
        Rule::new().for_address_in(self.family, self.name)
    }

    fn object(&self) -> NftSet {
        NftSet {
            table: TABLE,
            name: self.name,
            number: self.number,
            keys: self.key(),
            data: None,
            runs_out: false,
        }
    }

    /// The type of the keys, which means something to nft(8) alone (its include/datatype.h), and their length in bytes. The
    /// types of a concatenation stand beside each other with 6 bits each.
    fn key(&self) -> (u32, u32) {
        const INET_PROTO: u32 = 12;
        const INET_SERVICE: u32 = 13;
        let (address, length) = address(self.family);
        match self.keys {
            Keys::Addresses | Keys::Silent => (address, length),
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
                .flat_map(|(ip, open)| open.ports.iter().filter_map(|port| service(ip, *port)))
                .collect(),
            Keys::Silent => of_family
                .filter(|(_, open)| !open.ping)
                .map(|(ip, _)| octets(ip))
                .collect(),
        }
    }

    fn elements(&self, filter: &PortFilter) -> Vec<Element> {
        self.keys(filter).into_iter().map(Element::key).collect()
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
