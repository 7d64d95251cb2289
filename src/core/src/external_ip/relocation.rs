//! Moving one address by hand: whether it may, what is written, and whether it has arrived.

use std::fmt;
use std::net::IpAddr;

use super::decision::{Decision, NodeVerdict};
use super::snapshot::{Known, Snapshot};
use crate::ipam::pool::PoolId;
use crate::placement::{Force, HEIRS, Obstacle, successor};

/// What is to be done for an address to be on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relocation {
    /// Nothing: it belongs there, and the node has it.
    There,
    /// Nothing but to wait: it belongs there, and is on its way.
    UnderWay,
    /// These fields of its spec are to be written.
    Write {
        /// `spec.node`.
        node: String,
        /// `spec.heirs`: the former node first, if it can have the address.
        heirs: Vec<String>,
        /// `spec.plan`.
        plan: u32,
    },
}

/// Why an address cannot be moved to a node. Prints as a sentence, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Immovable {
    /// Nobody has the address.
    NoSuchAddress,
    /// No Service has it any more: it is to be on no node.
    Released,
    /// There is no such Linux node.
    NoSuchNode,
    /// These things keep it away from there; the operator would move it to another node again, or not leave it there long.
    Obstructed(Vec<Obstacle>),
    /// Its pool is `revertive`, so that it would go back to its first choice.
    Revertive {
        /// The pool.
        pool: PoolId,
        /// The first choice.
        first: String,
    },
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The node has it, and says that it answers for it.
    Arrived,
    /// The node has not taken it, or does not answer for it yet.
    UnderWay,
    /// By now it is planned for another node, or for none.
    Overruled,
}

/// How far the move of an address to `node` has come.
pub fn stage(known: &Known, node: &str) -> Stage {
    if known.planned.as_deref() != Some(node) {
        return Stage::Overruled;
    }
    let taken = known.taken_by.as_deref() == Some(node);
    let announced = known.announced().is_some_and(|said| said.status == "True");
    if taken && announced && !known.is_outdated() {
        Stage::Arrived
    } else {
        Stage::UnderWay
    }
}

impl Decision {
    /// What is to be done for `address` to be on node `to`, judged as the operator judges owners, so that it leaves the address
    /// there.
    ///
    /// # Errors
    /// If it is not to be there.
    pub fn relocation(
        &self,
        snapshot: &Snapshot,
        address: IpAddr,
        to: &str,
    ) -> Result<Relocation, Immovable> {
        let mut all = snapshot.addresses.iter();
        let known = all
            .find(|known| known.claim.address == address)
            .ok_or(Immovable::NoSuchAddress)?;
        let verdicts = self
            .verdicts(snapshot, address)
            .filter(|_| !known.claim.holders.is_empty())
            .ok_or(Immovable::Released)?;
        let obstacles = obstacles(&verdicts, to).ok_or(Immovable::NoSuchNode)?;
        if known.planned.as_deref() == Some(to) && known.present() == Some(to) {
            let there = known.taken_by.as_deref() == Some(to) && !known.is_outdated();
            return Ok(match there {
                true => Relocation::There,
                false => Relocation::UnderWay,
            });
        }
        // Whoever moves it there by hand may know why the node died, and it stays there.
        if obstacles
            .iter()
            .any(|obstacle| obstacle.force() > Force::ComesLast)
        {
            return Err(Immovable::Obstructed(obstacles.to_vec()));
        }
        let able = verdicts
            .iter()
            .filter(|verdict| verdict.obstacles.is_empty())
            .map(|verdict| verdict.node.as_str());
        let pool = self.pools.iter().find(|pool| pool.id == known.claim.pool);
        if let Some(pool) = pool.filter(|pool| pool.spec.revertive)
            && let Some(first) = successor(address, able).filter(|first| *first != to)
        {
            return Err(Immovable::Revertive {
                pool: pool.id.clone(),
                first: first.to_owned(),
            });
        }
        Ok(Relocation::Write {
            node: to.to_owned(),
            heirs: heirs(known, &verdicts, to),
            plan: known.plan.saturating_add(1),
        })
    }
}

/// The former node knows the address best, and has the rules for it: it comes first.
fn heirs(known: &Known, verdicts: &[NodeVerdict], to: &str) -> Vec<String> {
    let able = |node: &&str| obstacles(verdicts, node).is_some_and(<[_]>::is_empty);
    let former = known.present().filter(|node| *node != to).filter(able);
    let others = known.heirs.iter().map(String::as_str);
    let others = others.filter(|node| *node != to && Some(*node) != former);
    let heirs = former.into_iter().chain(others);
    heirs.take(HEIRS).map(str::to_owned).collect()
}

fn obstacles<'v>(verdicts: &'v [NodeVerdict], node: &str) -> Option<&'v [Obstacle]> {
    let verdict = verdicts.iter().find(|verdict| verdict.node == node)?;
    Some(&verdict.obstacles)
}

// === impl Immovable ===

impl Immovable {
    /// The name of the reason, for `-o json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoSuchAddress => "NoSuchAddress",
            Self::Released => "Released",
            Self::NoSuchNode => "NoSuchNode",
            Self::Obstructed(_) => "Obstructed",
            Self::Revertive { .. } => "Revertive",
        }
    }
}

impl fmt::Display for Immovable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchAddress => f.write_str("no Service has it, and no ExternalIP"),
            Self::Released => f.write_str(
                "no Service has it any more, so that it rests and belongs to no node until a Service gets it",
            ),
            Self::NoSuchNode => f.write_str("there is no such Linux node"),
            Self::Obstructed(obstacles) => {
                let obstacles: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
                f.write_str(&obstacles.join("; "))
            }
            Self::Revertive { pool, first } => write!(
                f,
                "pool {pool} has spec.revertive: true, so that the operator would move the address back to its first choice, {first}, \
                 at once: set spec.revertive to false first"
            ),
        }
    }
}
