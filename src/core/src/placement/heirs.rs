//! Those that take an address over while its owner is gone, named in advance so that every agent knows them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::assignment::Fleet;
use super::candidate::Candidate;
use super::eligibility::{Berth, hindrances, unhindered};
use super::judges::Judges;
use super::obstacle::{Force, Obstacle};
use super::rendezvous::Scores;

/// How many heirs an address has, if there are as many nodes.
pub const HEIRS: usize = 4;

/// The first of the [`successors`](super::successors) of some addresses: one more than there are heirs, as the owner may be
/// among them.
pub(super) type Tops = HashMap<IpAddr, Vec<usize>>;

/// The first nodes by their scores, the best first. Of equal scores the lower number is first.
#[derive(Default)]
pub(super) struct Top {
    best: Vec<(u64, usize)>,
}

/// What a known heir is still worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It can have the address, if need be once it is restarted: agents know best which of them is there.
    Good,
    /// It died often lately. It comes last, and stays while there are not enough others.
    Restless,
    /// The operator believes that it cannot, as it does not see it. It stays if there is nobody better.
    Doubtful,
    /// It is drained, or about to go. It stays if there is nobody else.
    Drained,
    /// It is not to have it.
    Nothing,
}

// === impl Top ===

impl Top {
    /// The numbers have to come in their order.
    pub(super) fn add(&mut self, score: u64, node: usize) {
        let place = self.best.partition_point(|(better, _)| *better >= score);
        if place <= HEIRS {
            self.best.truncate(HEIRS);
            self.best.insert(place, (score, node));
        }
    }

    pub(super) fn nodes(self) -> Vec<usize> {
        self.best.into_iter().map(|(_, node)| node).collect()
    }
}

// === impl Fleet ===

impl<'n> Fleet<'n> {
    /// The heirs of an address of `owner`; `None` if they stay who they are.
    ///
    /// As long as all of them can have it, and there are as many as there can be, they stay: no node is hashed then. While the
    /// operator sees too few nodes, as when they cannot report, it takes away none of those that it named before: agents take
    /// over by what they see themselves. Those that died often lately come after all of these, and
    /// drained nodes last, and only while no other node can have the address: agents
    /// take the first of the heirs that lives.
    pub(super) fn heirs(
        &mut self,
        berth: &'n Berth<'n>,
        owner: &str,
        tops: &Tops,
    ) -> Option<Vec<String>> {
        let owner = self.number(owner)?;
        let known = berth.heirs.iter().filter_map(|name| self.number(name));
        let known: Vec<usize> = known.filter(|node| *node != owner).collect();
        let worths = self.worths(berth, &known);
        let all_good =
            known.len() == berth.heirs.len() && worths.iter().all(|worth| *worth == Worth::Good);
        // Who has endpoints of an address's own is looked for only if there may be more.
        if all_good && known.len() == HEIRS {
            return None;
        }
        let free = self.free(berth);
        let others = free.len() - usize::from(free.binary_search(&owner).is_ok());
        let restless = match others {
            HEIRS.. => Vec::new(),
            _ => self.restless(berth, owner),
        };
        let alone = others == 0 && restless.is_empty();
        let mut drained = match alone {
            true => self.drained(berth, owner),
            false => Vec::new(),
        };
        if all_good
            && restless.is_empty()
            && drained.is_empty()
            && (others.min(HEIRS)..=HEIRS).contains(&known.len())
        {
            return None;
        }
        let mut heirs = match tops.get(&berth.ip) {
            Some(first) => first.clone(),
            None => {
                let mut scores = Scores::of(berth.ip);
                let mut top = Top::default();
                for node in free.iter().copied() {
                    top.add(scores.score(&self.nodes[node].name), node);
                }
                top.nodes()
            }
        };
        heirs.retain(|node| *node != owner);
        for (node, worth) in known.into_iter().zip(worths) {
            match worth {
                Worth::Good | Worth::Doubtful if !heirs.contains(&node) => heirs.push(node),
                Worth::Drained if alone && !drained.contains(&node) => drained.push(node),
                _ => {}
            }
        }
        for node in restless.into_iter().chain(drained) {
            if !heirs.contains(&node) {
                heirs.push(node);
            }
        }
        let heirs = heirs.into_iter().take(HEIRS);
        let heirs: Vec<String> = heirs.map(|node| self.nodes[node].name.clone()).collect();
        (heirs != berth.heirs).then_some(heirs)
    }

    fn worths(&mut self, berth: &'n Berth<'n>, nodes: &[usize]) -> Vec<Worth> {
        let nodes = nodes.iter().copied();
        if Judges::is_common(berth) {
            let judged = self.judges.judge(berth);
            return nodes.map(|node| worth(judged.obstacles(node))).collect();
        }
        let of_one = |node: usize| worth(&hindrances(berth, self.nodes[node]));
        nodes.map(of_one).collect()
    }

    /// The nodes of which only the deaths speak against an address, the best first.
    fn restless(&mut self, berth: &'n Berth<'n>, owner: usize) -> Vec<usize> {
        if !self.nodes.iter().any(|node| node.restless.is_some()) {
            return Vec::new();
        }
        let judged = self.judges.judge(berth);
        let mut scores = Scores::of(berth.ip);
        let mut top = Top::default();
        for (number, node) in self.nodes.iter().enumerate() {
            if number != owner && matches!(judged.obstacles(number), [Obstacle::DiesOften(_)]) {
                top.add(scores.score(&node.name), number);
            }
        }
        top.nodes()
    }

    /// The nodes that nothing but a drain keeps from an address, the best first.
    fn drained(&mut self, berth: &'n Berth<'n>, owner: usize) -> Vec<usize> {
        let leaves = |node: &&Candidate| node.draining || (berth.moves_on_cordon && node.cordoned);
        if !self.nodes.iter().any(leaves) {
            return Vec::new();
        }
        let judged = self.judges.judge(berth);
        let mut scores = Scores::of(berth.ip);
        let mut top = Top::default();
        for (number, node) in self.nodes.iter().enumerate() {
            let obstacles = judged.obstacles(number);
            let only = |obstacle: &Obstacle| {
                matches!(obstacle, Obstacle::Draining | Obstacle::CordonMoves { .. })
            };
            if number != owner && !obstacles.is_empty() && obstacles.iter().all(only) {
                top.add(scores.score(&node.name), number);
            }
        }
        top.nodes()
    }

    /// The nodes that nothing keeps from an address, in the order of their numbers. With policy `Local` they are among those
    /// with endpoints, so that not all have to be judged for each address.
    fn free(&mut self, berth: &'n Berth<'n>) -> Rc<[usize]> {
        let Some(service) = berth.local.first() else {
            return Rc::clone(&self.judges.judge(berth).free);
        };
        let with_endpoints = service.nodes.iter().filter_map(|name| self.number(name));
        let mut free: Vec<usize> = with_endpoints
            .filter(|node| unhindered(berth, self.nodes[*node]))
            .collect();
        free.sort_unstable();
        // Where no node can serve all Services on the address, those that can serve the most are eligible.
        let shared = berth.local.len() > 1 || berth.any_cluster;
        if free.is_empty() && shared {
            return Rc::clone(&self.judges.judge(berth).free);
        }
        free.into()
    }
}

fn worth(obstacles: &[Obstacle]) -> Worth {
    let mut worth = Worth::Good;
    for obstacle in obstacles {
        match obstacle.force() {
            Force::ComesLast => worth = worth.max(Worth::Restless),
            Force::TakesNoMore if obstacle.is_restart() => {}
            Force::YieldsToBetter if obstacle.is_farewell() => worth = Worth::Drained,
            Force::YieldsToBetter => worth = worth.max(Worth::Doubtful),
            Force::TakesNoMore | Force::Leaves => return Worth::Nothing,
        }
    }
    worth
}
