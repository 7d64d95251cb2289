//! The owner of every address: sticky, by rendezvous hash, and no node with much more than its share.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::candidate::Candidate;
use super::eligibility::{Berth, Verdict, eligible, unhindered};
use super::obstacle::{Force, Obstacle};
use super::rendezvous::{successor, successors};

/// Where an address belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// To this node.
    On {
        /// Its name.
        node: String,
        /// Why there.
        basis: Basis,
    },
    /// To no node.
    Nowhere(Nobody),
}

/// Why an address belongs to its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// It has it already, and nothing speaks against that.
    Kept,
    /// It has it already, and no other node is better.
    KeptDespite(Vec<Obstacle>),
    /// It is the first choice of the hash.
    FirstChoice,
    /// It is the first choice of the hash, and the pool is `revertive`.
    Reverted {
        /// The owner until now.
        from: String,
    },
    /// The nodes that the hash prefers have their share of addresses.
    Balanced {
        /// The first choice.
        preferred: String,
        /// How many addresses a node may have here.
        bound: usize,
    },
    /// All nodes that could take it are cordoned; that is better than nowhere.
    OnlyCordoned,
    /// The present owner had to give it up.
    MovedFrom {
        /// The owner until now.
        from: String,
        /// What spoke against it; empty if the node is gone.
        because: Vec<Obstacle>,
    },
}

/// No node can own the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nobody {
    /// Every node with what keeps it from that; empty if there is no node at all.
    pub nodes: Vec<(String, Vec<Obstacle>)>,
}

/// How many addresses a node may have if `addresses` are spread over `nodes`: a quarter more than the mean, rounded up.
pub fn bound(addresses: usize, nodes: usize) -> usize {
    addresses
        .saturating_mul(5)
        .div_ceil(nodes.saturating_mul(4).max(1))
}

/// Where all addresses of all pools belong. The order of the input does not matter.
///
/// - An owner keeps its address while it can. A node that comes back takes nothing away from others, unless the pool is
///   `revertive`.
/// - A new owner is the first of the [`successors`] whose load stays within the [`bound`] over the nodes that could take
///   the address. Addresses that stay where they are count, but are not moved to make room.
/// - An owner with obstacles that might be misjudged from afar ([`Force::YieldsToBetter`]) keeps the address until there is
///   a node without.
pub fn place(berths: &[Berth<'_>], nodes: &[Candidate]) -> BTreeMap<IpAddr, Placement> {
    let names: BTreeMap<&str, &Candidate> = nodes
        .iter()
        .map(|node| (node.name.as_str(), node))
        .collect();
    let mut berths: Vec<&Berth<'_>> = berths.iter().collect();
    berths.sort_by_key(|berth| berth.ip);
    berths.dedup_by_key(|berth| berth.ip);

    let mut loads = Loads::default();
    let mut placements = BTreeMap::new();
    let (mut open, mut revertive) = (Vec::new(), Vec::new());
    for berth in berths {
        let present = berth.present.and_then(|name| names.get(name));
        if let Some(node) = present
            && !berth.revertive
            && unhindered(berth, node)
        {
            loads.add(&node.name);
            placements.insert(berth.ip, on(&node.name, Basis::Kept));
            continue;
        }
        let verdicts = eligible(berth, nodes);
        match stay(berth, &verdicts) {
            Some(basis) => {
                let node = berth.present.unwrap_or_default();
                let kept = basis == Basis::Kept;
                loads.add(node);
                placements.insert(berth.ip, on(node, basis));
                if berth.revertive && kept {
                    revertive.push((berth, verdicts));
                }
            }
            None => open.push((berth, verdicts)),
        }
    }
    for (berth, verdicts) in open {
        placements.insert(berth.ip, choose(berth, &verdicts, &mut loads));
        if berth.revertive {
            revertive.push((berth, verdicts));
        }
    }
    revert_all(&revertive, &mut placements, &mut loads);
    placements
}

/// Moves addresses of `revertive` pools until none is left that has room at its first choice. What leaves a node makes room
/// for others there; each address moves at most once, and to where it stays.
fn revert_all(
    revertive: &[(&Berth<'_>, Vec<Verdict<'_>>)],
    placements: &mut BTreeMap<IpAddr, Placement>,
    loads: &mut Loads,
) {
    let mut away: Vec<(IpAddr, &str, Vec<&str>)> = revertive
        .iter()
        .filter_map(|(berth, verdicts)| {
            let free: Vec<&str> = verdicts
                .iter()
                .filter(|verdict| verdict.result.is_ok())
                .map(|verdict| verdict.node)
                .collect();
            let first = successor(berth.ip, free.iter().copied())?;
            Some((berth.ip, first, free))
        })
        .collect();
    loop {
        let before = away.len();
        away.retain(|(ip, first, free)| {
            let Some(Placement::On { node, basis }) = placements.get_mut(ip) else {
                return false;
            };
            if node == first {
                return false;
            }
            loads.remove(node);
            let room = loads.of(first) < loads.bound(free);
            loads.add(if room { first } else { node });
            if room {
                let from = std::mem::replace(node, (*first).to_owned());
                match basis {
                    Basis::Kept => *basis = Basis::Reverted { from },
                    // It is not there yet: it goes to its first choice at once.
                    Basis::MovedFrom { .. } => {}
                    _ => *basis = Basis::FirstChoice,
                }
            }
            !room
        });
        if away.len() == before {
            return;
        }
    }
}

fn on(node: &str, basis: Basis) -> Placement {
    Placement::On {
        node: node.to_owned(),
        basis,
    }
}

/// The nodes that can take the address; if there is none, those that are merely cordoned.
fn takers<'v>(verdicts: &'v [Verdict<'_>]) -> Vec<&'v str> {
    let those = |wanted: fn(&Verdict<'_>) -> bool| -> Vec<&str> {
        verdicts
            .iter()
            .filter(|verdict| wanted(verdict))
            .map(|verdict| verdict.node)
            .collect()
    };
    let free = those(|verdict| verdict.result.is_ok());
    if free.is_empty() {
        those(|verdict| verdict.force() == Some(Force::TakesNoMore))
    } else {
        free
    }
}

/// Why the present owner keeps the address; `None` if it does not.
fn stay(berth: &Berth<'_>, verdicts: &[Verdict<'_>]) -> Option<Basis> {
    let present = verdicts
        .iter()
        .find(|verdict| Some(verdict.node) == berth.present)?;
    let Err(obstacles) = &present.result else {
        return Some(Basis::Kept);
    };
    let stays = match present.force()? {
        Force::TakesNoMore => true,
        Force::YieldsToBetter => takers(verdicts).is_empty(),
        Force::Leaves => false,
    };
    stays.then(|| Basis::KeptDespite(obstacles.clone()))
}

/// A new owner.
fn choose(berth: &Berth<'_>, verdicts: &[Verdict<'_>], loads: &mut Loads) -> Placement {
    let takers = takers(verdicts);
    let bound = loads.bound(&takers);
    let order = successors(berth.ip, takers);
    let chosen = order.iter().find(|node| loads.of(node) < bound);
    let (Some(chosen), Some(preferred)) = (chosen, order.first()) else {
        return Placement::Nowhere(Nobody {
            nodes: verdicts
                .iter()
                .map(|verdict| {
                    let obstacles = verdict.result.clone().err().unwrap_or_default();
                    (verdict.node.to_owned(), obstacles)
                })
                .collect(),
        });
    };
    loads.add(chosen);
    let cordoned = verdicts
        .iter()
        .any(|verdict| verdict.node == *chosen && verdict.result.is_err());
    let basis = if let Some(from) = berth.present {
        Basis::MovedFrom {
            from: from.to_owned(),
            because: verdicts
                .iter()
                .find(|verdict| verdict.node == from)
                .and_then(|verdict| verdict.result.clone().err())
                .unwrap_or_default(),
        }
    } else if cordoned {
        Basis::OnlyCordoned
    } else if chosen == preferred {
        Basis::FirstChoice
    } else {
        Basis::Balanced {
            preferred: (*preferred).to_owned(),
            bound,
        }
    };
    on(chosen, basis)
}

/// How many addresses each node has.
#[derive(Debug, Default)]
struct Loads(BTreeMap<String, usize>);

impl Loads {
    fn of(&self, node: &str) -> usize {
        self.0.get(node).copied().unwrap_or(0)
    }

    fn add(&mut self, node: &str) {
        *self.0.entry(node.to_owned()).or_default() += 1;
    }

    fn remove(&mut self, node: &str) {
        if let Some(load) = self.0.get_mut(node) {
            *load = load.saturating_sub(1);
        }
    }

    /// The bound for one address more on these nodes. It leaves room on at least one of them, as it is above the mean.
    fn bound(&self, nodes: &[&str]) -> usize {
        let present: usize = nodes.iter().map(|node| self.of(node)).sum();
        bound(present + 1, nodes.len())
    }
}

// === impl Placement ===

impl Placement {
    /// The owner.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::On { node, .. } => Some(node),
            Self::Nowhere(_) => None,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On { node, basis } => write!(f, "{node}: {basis}"),
            Self::Nowhere(nobody) => nobody.fmt(f),
        }
    }
}

impl Basis {
    /// The name of the reason, for conditions, metrics and `-o json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Kept => "Kept",
            Self::KeptDespite(_) => "KeptDespite",
            Self::FirstChoice => "FirstChoice",
            Self::Reverted { .. } => "Reverted",
            Self::Balanced { .. } => "Balanced",
            Self::OnlyCordoned => "OnlyCordoned",
            Self::MovedFrom { .. } => "MovedFrom",
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("it has the address and can keep it"),
            Self::KeptDespite(obstacles) => write!(
                f,
                "it has the address, and no other node is better although {}",
                listed(obstacles)
            ),
            Self::FirstChoice => f.write_str("the first choice of the hash of node and address"),
            Self::Reverted { from } => write!(
                f,
                "the first choice of the hash can have it again; it comes back from {from}, as the pool is revertive"
            ),
            Self::Balanced { preferred, bound } => write!(
                f,
                "{preferred} is the first choice, but has its share: no node takes more than {bound} addresses now"
            ),
            Self::OnlyCordoned => {
                f.write_str("every node that can have the address is cordoned, this one is the first choice of them")
            }
            Self::MovedFrom { from, because } if because.is_empty() => {
                write!(f, "its owner {from} is gone from the cluster")
            }
            Self::MovedFrom { from, because } => {
                write!(f, "its owner {from} cannot keep it: {}", listed(because))
            }
        }
    }
}

impl fmt::Display for Nobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nodes.is_empty() {
            return f.write_str("no node can have the address, as there is none");
        }
        f.write_str("no node can have the address")?;
        for (number, (node, obstacles)) in self.nodes.iter().enumerate() {
            let separator = if number == 0 { ": " } else { "; " };
            write!(f, "{separator}{node}: {}", listed(obstacles))?;
        }
        Ok(())
    }
}

fn listed(obstacles: &[Obstacle]) -> String {
    let texts: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests;
