//! The owner of every address: sticky, by rendezvous hash, and no node with much more than its share.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use super::candidate::Candidate;
use super::eligibility::{Berth, unhindered};
use super::heirs::{Top, Tops};
use super::judges::{Judged, Judges};
use super::obstacle::{Force, Obstacle};
use super::rendezvous::Scores;
use crate::kube_proxy::snapshot::Timestamp;

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
    /// It took it over from its planned owner, and nothing speaks against that it keeps it.
    TakenOver {
        /// The planned owner.
        from: String,
    },
    /// It has it already. The pool is `revertive` and the first choice of the hash can have it, but has just lost it.
    NotYetReverted {
        /// The first choice.
        to: String,
        /// When it gets it back.
        until: Timestamp,
    },
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
    /// All nodes that could take it died often lately; that is better than nowhere.
    OnlyRestless,
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

/// Where all addresses belong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placed {
    /// The owner of each.
    pub placements: BTreeMap<IpAddr, Placement>,
    /// The heirs of those whose heirs are others than before.
    pub heirs: BTreeMap<IpAddr, Vec<String>>,
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
/// - Who took an address over from a node that was gone is its owner.
/// - An address of a `revertive` pool does not go [back](super::HeldBack) at once to a node that it has just left.
/// - An owner that is drained, or has obstacles that might be misjudged from afar
///   ([`Force::YieldsToBetter`]), keeps the address until there is a node without.
/// - A node that died often lately takes a new address only where no other can have it.
/// - The [heirs](super::HEIRS) of an address are the first of its [`successors`](super::successors) that nothing keeps from it, without the owner.
pub fn place<'a>(berths: &'a [Berth<'a>], nodes: &'a [Candidate]) -> Placed {
    let mut berths: Vec<&'a Berth<'a>> = berths.iter().collect();
    berths.sort_by_key(|berth| berth.ip);
    berths.dedup_by_key(|berth| berth.ip);

    let mut fleet = Fleet::new(nodes);
    let mut placements = BTreeMap::new();
    let (mut open, mut revertive) = (Vec::new(), Vec::new());
    for berth in berths.iter().copied() {
        let present = berth.present.and_then(|name| fleet.number(name));
        if let Some(node) = present
            && !berth.revertive
            && !Judges::is_common(berth)
            && unhindered(berth, fleet.nodes[node])
        {
            placements.insert(berth.ip, fleet.moor(node, kept(berth)));
            continue;
        }
        let judged = fleet.judges.judge(berth);
        let stays = present.and_then(|node| Some((node, judged.stay(node)?)));
        let Some((node, basis)) = stays else {
            open.push((berth, judged));
            continue;
        };
        let basis = match basis {
            Basis::Kept => {
                if berth.revertive {
                    revertive.push((berth, judged));
                }
                kept(berth)
            }
            basis => basis,
        };
        placements.insert(berth.ip, fleet.moor(node, basis));
    }
    let mut tops = Tops::new();
    for (berth, judged) in open {
        placements.insert(berth.ip, fleet.choose(berth, &judged, &mut tops));
        if berth.revertive {
            revertive.push((berth, judged));
        }
    }
    fleet.revert_all(&revertive, &mut placements);
    let heirs = berths.into_iter().filter_map(|berth| {
        let heirs = match placements.get(&berth.ip).and_then(Placement::node) {
            Some(owner) => fleet.heirs(berth, owner, &tops)?,
            None if berth.heirs.is_empty() => return None,
            None => Vec::new(),
        };
        Some((berth.ip, heirs))
    });
    let heirs = heirs.collect();
    Placed { placements, heirs }
}

/// Why the present owner keeps an address that nothing keeps it from.
fn kept(berth: &Berth<'_>) -> Basis {
    match berth.taken_from {
        Some(from) => Basis::TakenOver {
            from: from.to_owned(),
        },
        None => Basis::Kept,
    }
}

/// The nodes by name, and how many addresses each one has.
pub(super) struct Fleet<'n> {
    pub(super) nodes: Vec<&'n Candidate>,
    numbers: HashMap<&'n str, usize>,
    loads: Vec<usize>,
    pub(super) judges: Judges<'n>,
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

    pub(super) fn number(&self, name: &str) -> Option<usize> {
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

    /// A new owner: the first of the [`successors`](super::successors) that has room. All takers are hashed for that, so that
    /// the heirs come out as well.
    fn choose(&mut self, berth: &Berth<'_>, judged: &Judged<'_>, tops: &mut Tops) -> Placement {
        let bound = self.bound(&judged.takers);
        let mut scores = Scores::of(berth.ip);
        let mut top = Top::default();
        let (mut preferred, mut chosen) = (None, None);
        for node in judged.takers.iter().copied() {
            let score = scores.score(&self.nodes[node].name);
            top.add(score, node);
            // Of equal scores the lower name is first, which is the lower number.
            let score = Some((score, Reverse(node)));
            preferred = preferred.max(score);
            if self.loads[node] < bound {
                chosen = chosen.max(score);
            }
        }
        if !judged.free.is_empty() {
            tops.insert(berth.ip, top.nodes());
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
            let restless = |obstacle: &Obstacle| obstacle.force() == Force::ComesLast;
            if judged.obstacles(chosen).iter().all(restless) {
                Basis::OnlyRestless
            } else {
                Basis::OnlyCordoned
            }
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
        let mut away: Vec<(IpAddr, usize, &Judged<'_>)> = Vec::new();
        for (berth, judged) in revertive {
            let mut scores = Scores::of(berth.ip);
            let first = judged
                .free
                .iter()
                .copied()
                .max_by_key(|node| (scores.score(&self.nodes[*node].name), Reverse(*node)));
            let Some(first) = first else { continue };
            match berth.held_back {
                Some(held) if held.node == self.nodes[first].name => {
                    if let Some(Placement::On { basis, .. }) = placements.get_mut(&berth.ip)
                        && *basis == Basis::Kept
                    {
                        *basis = Basis::NotYetReverted {
                            to: held.node.to_owned(),
                            until: held.until,
                        };
                    }
                }
                _ => away.push((berth.ip, first, judged.as_ref())),
            }
        }
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
                        Basis::Kept | Basis::TakenOver { .. } => *basis = Basis::Reverted { from },
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
            Self::TakenOver { .. } => "TakenOver",
            Self::NotYetReverted { .. } => "NotYetReverted",
            Self::KeptDespite(_) => "KeptDespite",
            Self::FirstChoice => "FirstChoice",
            Self::Reverted { .. } => "Reverted",
            Self::Balanced { .. } => "Balanced",
            Self::OnlyRestless => "OnlyRestless",
            Self::OnlyCordoned => "OnlyCordoned",
            Self::MovedFrom { .. } => "MovedFrom",
        }
    }

    /// Why the address comes to the node, in one word: what spoke most against the owner until now, if that had to give it up.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::MovedFrom { because, .. } => because.first().map_or("NodeGone", Obstacle::as_str),
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("it has the address and can keep it"),
            Self::TakenOver { from } => write!(
                f,
                "it took the address over while {from} was gone, and can keep it"
            ),
            Self::NotYetReverted { to, until } => write!(
                f,
                "it has the address; {to}, the first choice of the hash, gets it back at {until} if it is well then, as the pool is \
                 revertive. A node that has just failed may be called ready for some time"
            ),
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
            Self::OnlyRestless => f.write_str(
                "every node that can have the address died often lately, this one is the first choice of them",
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
