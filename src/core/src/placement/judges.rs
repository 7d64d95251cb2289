//! The nodes that can own an address, found once for all addresses of which the same is true.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::assignment::{Basis, Nobody};
use super::candidate::Candidate;
use super::eligibility::{Berth, Verdict, eligible};
use super::obstacle::{Force, Obstacle};
use crate::ipam::range::AddressRange;
use crate::ipam::selector::LabelSelector;

/// What decides, beside the nodes themselves: the pool, and the subnets that the address is in.
#[derive(PartialEq, Eq, Hash)]
struct Case<'a> {
    pool: &'a str,
    selector: &'a LabelSelector,
    interfaces: &'a [String],
    in_subnet: bool,
    moves_on_cordon: bool,
    around: Vec<&'a AddressRange>,
}

/// Judges nodes, and remembers what came out.
pub(super) struct Judges<'a> {
    nodes: &'a [Candidate],
    subnets: BTreeSet<&'a AddressRange>,
    known: HashMap<Case<'a>, Rc<Judged<'a>>>,
}

/// Every node with what keeps it from an address. Nodes go by their numbers in the order of their names.
pub(super) struct Judged<'a> {
    verdicts: Vec<Verdict<'a>>,
    /// Those that nothing keeps from it.
    pub(super) free: Rc<[usize]>,
    /// Those that can take it: the free ones, or if there is none, those that died often, or else those that are merely cordoned.
    pub(super) takers: Rc<[usize]>,
}

impl<'a> Judges<'a> {
    pub(super) fn new(nodes: &'a [Candidate]) -> Self {
        let uplinks = nodes.iter().flat_map(|node| &node.uplinks);
        Self {
            nodes,
            subnets: uplinks.flat_map(|uplink| &uplink.subnets).collect(),
            known: HashMap::new(),
        }
    }

    /// Whether the same is true of other addresses of the pool. Endpoints and rules are an address's own.
    pub(super) fn is_common(berth: &Berth<'_>) -> bool {
        berth.local.is_empty() && berth.programmed.is_none()
    }

    pub(super) fn judge(&mut self, berth: &'a Berth<'a>) -> Rc<Judged<'a>> {
        let nodes = self.nodes;
        if !Self::is_common(berth) {
            return Rc::new(Judged::new(eligible(berth, nodes)));
        }
        let around = self.subnets.iter().copied();
        let case = Case {
            pool: berth.pool,
            selector: berth.selector,
            interfaces: berth.interfaces,
            in_subnet: berth.in_subnet,
            moves_on_cordon: berth.moves_on_cordon,
            around: around.filter(|subnet| subnet.contains(berth.ip)).collect(),
        };
        let judged = self.known.entry(case);
        Rc::clone(judged.or_insert_with(|| Rc::new(Judged::new(eligible(berth, nodes)))))
    }
}

impl<'a> Judged<'a> {
    fn new(verdicts: Vec<Verdict<'a>>) -> Self {
        let those = |wanted: fn(&Verdict<'_>) -> bool| -> Rc<[usize]> {
            let numbered = verdicts.iter().enumerate();
            numbered
                .filter(|(_, verdict)| wanted(verdict))
                .map(|(number, _)| number)
                .collect()
        };
        let free = those(|verdict| verdict.result.is_ok());
        let mut takers = Rc::clone(&free);
        if takers.is_empty() {
            takers = those(|verdict| verdict.force() == Some(Force::ComesLast));
        }
        if takers.is_empty() {
            takers = those(|verdict| verdict.force() == Some(Force::TakesNoMore));
        }
        Self {
            verdicts,
            free,
            takers,
        }
    }

    /// What keeps a node from it.
    pub(super) fn obstacles(&self, node: usize) -> &[Obstacle] {
        let verdict = self.verdicts.get(node);
        let result = verdict.map(|verdict| &verdict.result);
        result.map_or(&[][..], |result| match result {
            Ok(()) => &[],
            Err(obstacles) => obstacles,
        })
    }

    /// Why the present owner keeps the address; `None` if it does not.
    pub(super) fn stay(&self, present: usize) -> Option<Basis> {
        let verdict = self.verdicts.get(present)?;
        let Err(obstacles) = &verdict.result else {
            return Some(Basis::Kept);
        };
        let stays = match verdict.force()? {
            Force::ComesLast | Force::TakesNoMore => true,
            Force::YieldsToBetter => self.takers.is_empty(),
            Force::Leaves => false,
        };
        stays.then(|| Basis::KeptDespite(obstacles.clone()))
    }

    /// That nobody can have it, and why.
    pub(super) fn nobody(&self) -> Nobody {
        Nobody {
            nodes: self
                .verdicts
                .iter()
                .map(|verdict| {
                    let obstacles = verdict.result.clone().err().unwrap_or_default();
                    (verdict.node.to_owned(), obstacles)
                })
                .collect(),
        }
    }
}
