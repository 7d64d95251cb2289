//! The owner of every address: sticky, by rendezvous hash, and no node with much more than its share.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use super::candidate::Candidate;
use super::eligibility::{Berth, unhindered};
use super::judges::{Judged, Judges};
use super::obstacle::Obstacle;
use super::rendezvous::Scores;

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
/// - A new owner is the first of the [`successors`](super::successors) whose load stays within the [`bound`] over the nodes that could take
///   the address. Addresses that stay where they are count, but are not moved to make room.
/// - An owner with obstacles that might be misjudged from afar ([`Force::YieldsToBetter`](super::Force::YieldsToBetter)) keeps the address until there is
///   a node without.
pub fn place<'a>(berths: &'a [Berth<'a>], nodes: &'a [Candidate]) -> BTreeMap<IpAddr, Placement> {
    let mut berths: Vec<&'a Berth<'a>> = berths.iter().collect();
    berths.sort_by_key(|berth| berth.ip);
    berths.dedup_by_key(|berth| berth.ip);

    let mut fleet = Fleet::new(nodes);
    let mut placements = BTreeMap::new();
    let (mut open, mut revertive) = (Vec::new(), Vec::new());
    for berth in berths {
        let present = berth.present.and_then(|name| fleet.number(name));
        if let Some(node) = present
            && !berth.revertive
            && !Judges::is_common(berth)
            && unhindered(berth, fleet.nodes[node])
        {
            placements.insert(berth.ip, fleet.moor(node, Basis::Kept));
            continue;
        }
        let judged = fleet.judges.judge(berth);
        let stays = present.and_then(|node| Some((node, judged.stay(node)?)));
        let Some((node, basis)) = stays else {
            open.push((berth, judged));
            continue;
        };
        if berth.revertive && basis == Basis::Kept {
            revertive.push((berth, judged));
        }
        placements.insert(berth.ip, fleet.moor(node, basis));
    }
    for (berth, judged) in open {
        placements.insert(berth.ip, fleet.choose(berth, &judged));
        if berth.revertive {
            revertive.push((berth, judged));
        }
    }
    fleet.revert_all(&revertive, &mut placements);
    placements
}

/// The nodes by name, and how many addresses each one has.
struct Fleet<'n> {
    nodes: Vec<&'n Candidate>,
    numbers: HashMap<&'n str, usize>,
    loads: Vec<usize>,
    judges: Judges<'n>,
}

impl<'n> Fleet<'n> {
    fn new(all: &'n [Candidate]) -> Self {
        let mut nodes: Vec<&Candidate> = all.iter().collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            numbers: nodes
                .iter()
                .enumerate()
                .map(|(number, node)| (node.name.as_str(), number))
                .collect(),
            loads: vec![0; nodes.len()],
            judges: Judges::new(all),
            nodes,
        }
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    fn moor(&mut self, node: usize, basis: Basis) -> Placement {
        self.loads[node] += 1;
        Placement::On {
            node: self.nodes[node].name.clone(),
            basis,
        }
    }

    /// The bound for one address more on these nodes. It leaves room on at least one of them, as it is above the mean.
    fn bound(&self, nodes: &[usize]) -> usize {
        let present: usize = nodes.iter().map(|node| self.loads[*node]).sum();
        bound(present + 1, nodes.len())
    }

    /// A new owner: the first of the [`successors`](super::successors) that has room.
    fn choose(&mut self, berth: &Berth<'_>, judged: &Judged<'_>) -> Placement {
        let bound = self.bound(&judged.takers);
        let mut scores = Scores::of(berth.ip);
        let (mut preferred, mut chosen) = (None, None);
        for node in judged.takers.iter().copied() {
            // Of equal scores the lower name is first, which is the lower number.
            let score = Some((scores.score(&self.nodes[node].name), Reverse(node)));
            preferred = preferred.max(score);
            if self.loads[node] < bound {
                chosen = chosen.max(score);
            }
        }
        let (Some((_, Reverse(chosen))), Some((_, Reverse(preferred)))) = (chosen, preferred)
        else {
            return Placement::Nowhere(judged.nobody());
        };
        let basis = if let Some(from) = berth.present {
            Basis::MovedFrom {
                from: from.to_owned(),
                because: self
                    .number(from)
                    .map(|node| judged.obstacles(node).to_vec())
                    .unwrap_or_default(),
            }
        } else if !judged.obstacles(chosen).is_empty() {
            Basis::OnlyCordoned
        } else if chosen == preferred {
            Basis::FirstChoice
        } else {
            Basis::Balanced {
                preferred: self.nodes[preferred].name.clone(),
                bound,
            }
        };
        self.moor(chosen, basis)
    }

    /// Moves addresses of `revertive` pools until none is left that has room at its first choice. What leaves a node makes
    /// room for others there; each address moves at most once, and to where it stays.
    fn revert_all(
        &mut self,
        revertive: &[(&Berth<'_>, Rc<Judged<'_>>)],
        placements: &mut BTreeMap<IpAddr, Placement>,
    ) {
        let mut away: Vec<(IpAddr, usize, &Judged<'_>)> = revertive
            .iter()
            .filter_map(|(berth, judged)| {
                let mut scores = Scores::of(berth.ip);
                let first =
                    judged.free.iter().copied().max_by_key(|node| {
                        (scores.score(&self.nodes[*node].name), Reverse(*node))
                    })?;
                Some((berth.ip, first, judged.as_ref()))
            })
            .collect();
        loop {
            let before = away.len();
            away.retain(|(ip, first, judged)| {
                let Some(Placement::On { node, basis }) = placements.get_mut(ip) else {
                    return false;
                };
                let Some(here) = self.number(node).filter(|here| here != first) else {
                    return false;
                };
                self.loads[here] -= 1;
                let room = self.loads[*first] < self.bound(&judged.free);
                self.loads[if room { *first } else { here }] += 1;
                if room {
                    let to = self.nodes[*first].name.clone();
                    let from = std::mem::replace(node, to);
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
