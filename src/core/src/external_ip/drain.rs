//! What a drained node still has, and what becomes of it.
//!
//! ```text
//! Snapshot ─ Decision ─▶ lingering: what it has, and where each goes, or why it stays
//! ExternalIPs, again and again ─▶ Evacuation ─▶ Departures, in the order in which they are seen
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::berths::Harbour;
use super::decision::{Decision, NodeVerdict};
use super::snapshot::{Known, Snapshot};
use crate::kube_proxy::snapshot::ObjectName;
use crate::placement::{Placement, eligible};

/// An address that a node has, or shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lingering {
    /// The address.
    pub address: IpAddr,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an address that a drained node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes to this node.
    Goes(String),
    /// No node can have it, not even the drained one. What keeps it away from each.
    Nowhere(Vec<NodeVerdict>),
    /// No Service has it any more.
    Released,
    /// It stays, as no other node can have it. What keeps it away from each of them.
    Stays(Vec<NodeVerdict>),
}

/// An address that a drained node has no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The address.
    pub address: IpAddr,
    /// The Services that have it.
    pub services: Vec<ObjectName>,
    /// The node that has it now, or shall have it. `None`: none does, as it was released, or no node can have it.
    pub to: Option<String>,
}

/// The addresses of a drained node, while they leave.
#[derive(Debug, Clone)]
pub struct Evacuation {
    node: String,
    open: BTreeMap<IpAddr, Open>,
}

/// An address that has not arrived elsewhere.
#[derive(Debug, Clone, Default)]
struct Open {
    services: Vec<ObjectName>,
    /// Somebody has answered for it, so that somebody shall answer for it in the end.
    answered: bool,
}

impl Decision {
    /// Every address that `node` has or shall have, in their order, and what becomes of it once the decision is carried out.
    pub fn lingering(&self, snapshot: &Snapshot, node: &str) -> Vec<Lingering> {
        let claims = self.claims(snapshot);
        let harbour = Harbour::new(snapshot, &self.pools);
        let lingers = |known: &Known| lingers(known, node);
        let here = claims
            .iter()
            .filter(|(_, planned)| planned.known.is_some_and(lingers));
        let lingering = here.map(|(address, planned)| {
            let fate = match self.placements.get(address) {
                None => Fate::Released,
                Some(Placement::Nowhere(nobody)) => Fate::Nowhere(
                    nobody
                        .nodes
                        .iter()
                        .map(|(node, obstacles)| NodeVerdict {
                            node: node.clone(),
                            obstacles: obstacles.clone(),
                        })
                        .collect(),
                ),
                Some(Placement::On { node: to, .. }) if to != node => Fate::Goes(to.clone()),
                Some(Placement::On { .. }) => {
                    let local = harbour.local(planned.claim);
                    let verdicts = eligible(&harbour.taken(planned, &local), &harbour.candidates);
                    let others = verdicts.into_iter().filter(|verdict| verdict.node != node);
                    Fate::Stays(others.map(NodeVerdict::from).collect())
                }
            };
            Lingering {
                address: *address,
                fate,
            }
        });
        lingering.collect()
    }
}

/// Whether the node has the address, or shall have it.
fn lingers(known: &Known, node: &str) -> bool {
    known.taken_by.as_deref() == Some(node) || known.planned.as_deref() == Some(node)
}

// === impl Evacuation ===

impl Evacuation {
    /// Of this node.
    pub fn of(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            open: BTreeMap::new(),
        }
    }

    /// Takes in all ExternalIPs as they are now. An address that somebody answered for has left only once another node has it,
    /// and one that came to the node in the meantime has to leave as well.
    pub fn observe<'k>(&mut self, all: impl IntoIterator<Item = &'k Known>) -> Vec<Departure> {
        let mut before = std::mem::take(&mut self.open);
        let mut departures = Vec::new();
        for known in all {
            let address = known.claim.address;
            let seen = before.remove(&address);
            let here = lingers(known, &self.node);
            if !here && seen.is_none() {
                continue;
            }
            let holders = known.claim.holders.iter();
            let open = Open {
                services: holders.map(|holder| holder.service.clone()).collect(),
                answered: known.taken_by.is_some() || seen.is_some_and(|seen| seen.answered),
            };
            let awaited = open.answered && known.planned.is_some() && known.taken_by.is_none();
            if here || awaited {
                self.open.insert(address, open);
                continue;
            }
            departures.push(Departure {
                address,
                services: open.services,
                to: known.taken_by.as_ref().or(known.planned.as_ref()).cloned(),
            });
        }
        // Their objects are gone.
        departures.extend(before.into_iter().map(|(address, open)| Departure {
            address,
            services: open.services,
            to: None,
        }));
        departures.sort_by_key(|departure| departure.address);
        departures
    }

    /// The addresses that have not arrived elsewhere, in their order, each with its Services.
    pub fn open(&self) -> impl Iterator<Item = (IpAddr, &[ObjectName])> {
        let open = self.open.iter();
        open.map(|(address, open)| (*address, open.services.as_slice()))
    }
}
