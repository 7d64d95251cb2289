//! Asking the wire who answers for addresses: what their holders cannot see themselves.
//!
//! Each address of Mooring's has one witness among the nodes that are on its segment and do not hold it; all agents choose the
//! same one without asking each other. It looks when something changed, and every minute.
//!
//! Of an address that somebody else handed out nobody says who holds it, and no node hears its own kernel's answer, nor that of
//! another program there: a raw socket does not hear what its own host sends (`dev_queue_xmit_nit` in net/core/dev.c shows it to
//! sockets for all protocols only). So it has two witnesses: each hears the other, and both hear everybody else.
//! [`crate::guard::foreign`] makes one finding of what the two saw.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::condition::Condition;
use crate::ipam::range::AddressRange;
use crate::ipam::reason::SingleResponderReason;
use crate::placement::{successor, successors};
use crate::wire::Mac;

use super::Now;
use super::orders::{Sending, Words};

/// How long after a change the wire is asked: a hand-over is not over at once.
const SETTLE: Duration = Duration::from_secs(1);
/// Between two looks at an address.
const PERIOD: Duration = Duration::from_secs(60);
/// The same, while what was seen is not as it should be.
const UNEASY: Duration = Duration::from_secs(5);
/// How often it is asked in one look, as a busy node may drop a question.
const ASKS: u32 = 3;
/// Between two questions.
const GAP: Duration = Duration::from_millis(200);
/// How long answers to the last one are waited for.
const LISTEN: Duration = Duration::from_millis(500);
/// How many looks a node begins in one second at most.
const BUDGET: u32 = 20;

/// A node as far as it matters for being a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bystander {
    /// Its name.
    pub node: String,
    /// The subnets of its uplinks.
    pub subnets: Vec<AddressRange>,
}

/// An address that a node is to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The interface to ask on.
    pub interface: String,
    /// The node that says it has the address; a new holder is looked at soon. `None` if somebody else handed the address out.
    pub holder: Option<String>,
}

/// What was seen of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The address.
    pub address: IpAddr,
    /// The node that was to have it; `None` if somebody else handed the address out.
    pub holder: Option<String>,
    /// Who answered.
    pub macs: BTreeSet<Mac>,
}

/// All addresses that a node watches.
#[derive(Debug, Default)]
pub struct Witness {
    watched: BTreeMap<IpAddr, Watched>,
    second: u64,
    begun: u32,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    /// When the next question is due, or the look is over.
    next: Now,
    look: Option<Look>,
    /// Who answered in the last look.
    last: BTreeSet<Mac>,
}

#[derive(Debug, Default)]
struct Look {
    asked: u32,
    macs: BTreeSet<Mac>,
}

/// The witness of an address: of the nodes on its segment the first by rendezvous hash that does not hold it. If the subnet
/// of no node has the address, every node can ask.
pub fn witness_of<'a>(address: IpAddr, holder: &str, nodes: &'a [Bystander]) -> Option<&'a str> {
    let on_segment = |node: &&Bystander| node.subnets.iter().any(|subnet| subnet.contains(address));
    let nobody = !nodes.iter().any(|node| on_segment(&node));
    let able = nodes
        .iter()
        .filter(|node| node.node != holder && (nobody || on_segment(node)));
    successor(address, able.map(|node| node.node.as_str()))
}

/// `n1 (52:54:00:77:00:0b)`, or `02:00:00:00:00:01 (no node's)`.
pub(crate) fn named(mac: Mac, node: Option<&str>) -> String {
    match node {
        Some(node) => format!("{node} ({mac})"),
        None => format!("{mac} (no node's)"),
    }
}

/// The two witnesses of an address that somebody else handed out: of the nodes on its segment the first two by rendezvous hash.
/// Only one, or none, if no more are there: then nobody can tell for certain who answers.
pub fn witnesses_of(address: IpAddr, nodes: &[Bystander]) -> Vec<&str> {
    let on_segment = |node: &&Bystander| node.subnets.iter().any(|subnet| subnet.contains(address));
    let able = nodes.iter().filter(on_segment);
    let mut chosen = successors(address, able.map(|node| node.node.as_str()));
    chosen.truncate(2);
    chosen
}

// === impl Witness ===

impl Witness {
    /// Everything that is to be watched, and no more.
    pub fn watch(&mut self, wanted: impl IntoIterator<Item = (IpAddr, Watch)>, now: Now) {
        let mut former = std::mem::take(&mut self.watched);
        for (address, watch) in wanted {
            let watched = match former.remove(&address) {
                Some(watched) if watched.watch == watch => watched,
                _ => Watched {
                    watch,
                    next: now + SETTLE,
                    look: None,
                    last: BTreeSet::new(),
                },
            };
            self.watched.insert(address, watched);
        }
    }

    /// Somebody answered, or spoke, for an address; tells whether [`Self::deadline`] may be earlier now. Whoever speaks for it
    /// without being asked, and did not answer the last time, may have just taken it: that is looked at soon.
    pub fn hear(&mut self, address: IpAddr, mac: Mac, now: Now) -> bool {
        let Some(watched) = self.watched.get_mut(&address) else {
            return false;
        };
        if let Some(look) = &mut watched.look {
            look.macs.insert(mac);
            return false;
        }
        let soon = now + SETTLE;
        let news = watched.next > soon && !watched.last.contains(&mac);
        if news {
            watched.next = soon;
        }
        news
    }

    /// A question about an address could not be asked: this look tells nothing.
    pub fn give_up(&mut self, address: IpAddr, now: Now) {
        if let Some(watched) = self.watched.get_mut(&address) {
            watched.look = None;
            watched.next = now + UNEASY;
        }
    }

    /// What is to be asked now, and what was seen. `is_right` says whether that is as it should be; what is not is looked
    /// at again soon.
    pub fn tick(
        &mut self,
        now: Now,
        is_right: impl Fn(&Sighting) -> bool,
    ) -> (Vec<Sending>, Vec<Sighting>) {
        if now.as_secs() != self.second {
            (self.second, self.begun) = (now.as_secs(), 0);
        }
        let (mut ask, mut seen) = (Vec::new(), Vec::new());
        for (address, watched) in &mut self.watched {
            if watched.next > now || (watched.look.is_none() && self.begun >= BUDGET) {
                continue;
            }
            self.begun += u32::from(watched.look.is_none());
            let look = watched.look.get_or_insert_default();
            if look.asked < ASKS {
                look.asked += 1;
                watched.next = now + if look.asked < ASKS { GAP } else { LISTEN };
                ask.push(Sending {
                    interface: watched.watch.interface.clone(),
                    address: *address,
                    words: Words::Ask,
                });
                continue;
            }
            let sighting = Sighting {
                address: *address,
                holder: watched.watch.holder.clone(),
                macs: std::mem::take(&mut look.macs),
            };
            watched.look = None;
            watched.last.clone_from(&sighting.macs);
            watched.next = now + if is_right(&sighting) { PERIOD } else { UNEASY };
            seen.push(sighting);
        }
        (ask, seen)
    }

    /// When [`Self::tick`] has to be called next.
    pub fn deadline(&self) -> Option<Now> {
        let refilled = Duration::from_secs(self.second + 1);
        let due = self.watched.values().map(|watched| {
            if watched.look.is_none() && self.begun >= BUDGET {
                watched.next.max(refilled)
            } else {
                watched.next
            }
        });
        due.min()
    }
}

// === impl Sighting ===

impl Sighting {
    /// Whether its holder answered, and nobody else. If none is known, whether not more than one did: it may be this node's own
    /// kernel that answers. `node_of` names the node that has a MAC address.
    pub fn is_right<'a>(&self, node_of: impl Fn(Mac) -> Option<&'a str>) -> bool {
        match &self.holder {
            Some(holder) => self.is_of(holder, node_of),
            None => self.macs.len() <= 1,
        }
    }

    fn is_of<'a>(&self, holder: &str, node_of: impl Fn(Mac) -> Option<&'a str>) -> bool {
        self.macs.len() == 1 && self.macs.iter().all(|mac| node_of(*mac) == Some(holder))
    }

    /// The condition `SingleResponder` of an address of Mooring's that `holder` has, as `witness` saw it.
    pub fn single<'a>(
        &self,
        witness: &str,
        holder: &str,
        node_of: impl Fn(Mac) -> Option<&'a str>,
    ) -> Condition {
        let address = self.address;
        let names: Vec<String> = self
            .macs
            .iter()
            .map(|mac| named(*mac, node_of(*mac)))
            .collect();
        let names = names.join(" and ");
        if self.is_of(holder, &node_of) {
            return Condition::new(
                SingleResponderReason::OneResponder,
                format!(
                    "Node {witness} asked on the wire for {address}, and {names} alone answered."
                ),
            );
        }
        let (reason, what) = match self.macs.len() {
            0 => (
                SingleResponderReason::NoResponder,
                format!(
                    "and nobody answered, though {holder} is to: nobody on this segment reaches the address. See what \
                     mooring-agent logs on {holder}, and whether both nodes are on one segment"
                ),
            ),
            1 => (
                SingleResponderReason::OtherResponder,
                format!(
                    "and {names} answered in the place of {holder}: clients go to the wrong host. Find out why it answers: \
                     kubectl mooring explain {address}"
                ),
            ),
            _ => (
                SingleResponderReason::SeveralResponders,
                format!(
                    "and {names} answered, though only {holder} is to: connections end at either, and break. A node of these \
                     may lack strictARP: kubectl mooring check"
                ),
            ),
        };
        Condition::new(
            reason,
            format!("Node {witness} asked on the wire for {address}, {what}."),
        )
    }
}

#[cfg(test)]
mod tests;
