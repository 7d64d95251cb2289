//! The entries of a table of legacy iptables, one after the other (linux/netfilter_ipv4/ip_tables.h,
//! linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h), in the byte order of the machine:
//!
//! ```text
//! ipt_entry: [ ipt_ip: addresses, interfaces, protocol ][ where the target is, where the next entry is ][ counters ]
//!            [ match ... ][ target ]
//! ```
//!
//! The chains of users come one after the other, each begun by an entry whose target, "ERROR", has its name. A jump says where the
//! first entry behind that is.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::linux::conditions::{Condition, Conditions, is_of_service};
use crate::linux::link::until_zero;
use crate::linux::nft::compat;
use crate::{IpFamily, IpvsProtocol, ServiceTarget};

const KUBE_SERVICES: &[u8] = b"KUBE-SERVICES";
/// What a match and a target begin with: the size of both, the name, the revision.
const EXTENSION: usize = 2 + 29 + 1;

/// Where things are in an entry.
struct Layout {
    /// How long an address is; the source is first, then the destination, then the mask of each.
    address: usize,
    /// Where the masks of the names of the interfaces begin, which are behind the names.
    interface_masks: usize,
    protocol: usize,
    flags: usize,
    /// The flags that change nothing about which packets the rule is for.
    idle_flags: u8,
    inversions: usize,
    /// Two numbers of 2 bytes.
    offsets: usize,
    /// How long the entry is without matches and target.
    whole: usize,
}

/// `ipt_entry`. Of its flags, `IPT_F_GOTO`.
const V4: Layout = Layout {
    address: 4,
    interface_masks: 48,
    protocol: 80,
    flags: 82,
    idle_flags: 2,
    inversions: 83,
    offsets: 88,
    whole: 112,
};

/// `ip6t_entry`. Of its flags, `IP6T_F_PROTO` and `IP6T_F_GOTO`.
const V6: Layout = Layout {
    address: 16,
    interface_masks: 96,
    protocol: 128,
    flags: 131,
    idle_flags: 1 | 4,
    inversions: 132,
    offsets: 140,
    whole: 168,
};

/// One entry.
struct Entry<'a> {
    layout: &'a Layout,
    /// Without matches and target.
    head: &'a [u8],
    matches: &'a [u8],
    target: Extension<'a>,
    /// Where the next one is.
    next: usize,
}

/// A match or a target.
struct Extension<'a> {
    name: &'a [u8],
    data: &'a [u8],
}

/// What the rules of kube-proxy's chain KUBE-SERVICES take to Services, in order. Those with other conditions are passed over.
pub(super) fn targets(entries: &[u8], family: IpFamily) -> Result<Vec<ServiceTarget>, String> {
    let layout = match family {
        IpFamily::V4 => &V4,
        IpFamily::V6 => &V6,
    };
    let mut chains = BTreeMap::new();
    let mut at = 0;
    while at < entries.len() {
        let entry = Entry::read(entries, at, layout)?;
        at = entry.next;
        if let Some(name) = entry.begins() {
            chains.insert(at, name);
        }
    }
    let begin = chains.iter().find(|(_, name)| **name == KUBE_SERVICES);
    let Some((begin, _)) = begin else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut at = *begin;
    while at < entries.len() {
        let entry = Entry::read(entries, at, layout)?;
        if entry.begins().is_some() {
            break;
        }
        at = entry.next;
        let chain = entry.jumps().and_then(|to| chains.get(&to));
        if chain.is_some_and(|chain| is_of_service(chain)) {
            found.extend(entry.conditions()?.target());
        }
    }
    Ok(found)
}

// === impl Entry ===

impl<'a> Entry<'a> {
    fn read(entries: &'a [u8], at: usize, layout: &'a Layout) -> Result<Self, String> {
        let all = &entries[at..];
        let short = || format!("the entry at {at} is cut off");
        let head = all.get(..layout.whole).ok_or_else(short)?;
        let target = usize::from(number(head, layout.offsets));
        let length = usize::from(number(head, layout.offsets + 2));
        let matches = all.get(layout.whole..target).ok_or_else(short)?;
        let target = all.get(target..length).ok_or_else(short)?;
        Ok(Self {
            layout,
            head,
            matches,
            target: Extension::read(target)?,
            next: at + length,
        })
    }

    /// The chain that it begins, if it does.
    fn begins(&self) -> Option<&'a [u8]> {
        (self.target.name == b"ERROR").then(|| until_zero(self.target.data))
    }

    /// Where it goes on, if it does not end here (`xt_standard_target`; what is below zero is a verdict).
    fn jumps(&self) -> Option<usize> {
        let verdict = self.target.data.first_chunk::<4>()?;
        let verdict = i32::from_ne_bytes(*verdict);
        usize::try_from(verdict)
            .ok()
            .filter(|_| self.target.name.is_empty())
    }

    fn conditions(&self) -> Result<Conditions, String> {
        let Layout {
            address,
            interface_masks,
            protocol,
            flags,
            idle_flags,
            inversions,
            ..
        } = *self.layout;
        let part = |from: usize, length: usize| &self.head[from..from + length];
        let all_are = |bytes: &[u8], byte: u8| bytes.iter().all(|other| *other == byte);
        let mut conditions = Conditions::default();
        let plain = all_are(part(2 * address, address), 0)
            && all_are(part(interface_masks, 2 * 16), 0)
            && self.head[flags] & !idle_flags == 0
            && self.head[inversions] == 0;
        if !plain {
            conditions.add(Condition::NotUnderstood);
        }
        let mask = part(3 * address, address);
        conditions.add(match destination(part(address, address)) {
            Some(ip) if all_are(mask, 0xff) => Condition::Destination(ip),
            _ if all_are(mask, 0) => Condition::Always,
            _ => Condition::NotUnderstood,
        });
        conditions.add(match number(self.head, protocol) {
            0 => Condition::Always,
            protocol => Condition::Protocol(IpvsProtocol::from(protocol)),
        });
        let mut matches = self.matches;
        while !matches.is_empty() {
            let size = matches.first_chunk::<2>().map_or(0, |size| number(size, 0));
            let (one, others) = matches
                .split_at_checked(usize::from(size))
                .ok_or("a match is cut off")?;
            let extension = Extension::read(one)?;
            conditions.add(compat::named(extension.name, extension.data));
            matches = others;
        }
        Ok(conditions)
    }
}

// === impl Extension ===

impl<'a> Extension<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (head, data) = bytes
            .split_at_checked(EXTENSION)
            .ok_or("a match or a target is cut off")?;
        Ok(Self {
            name: until_zero(&head[2..EXTENSION - 1]),
            data,
        })
    }
}

fn destination(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

/// Two bytes, which have to be there.
fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests;
