//! Which nodes have to part with their addresses, and why: what is told about them once.

use std::collections::BTreeMap;
use std::fmt;

use super::decision::Decision;
use crate::placement::{Basis, Obstacle, Placement};

/// What a node parts with. Prints as a sentence about the node, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// Why.
    pub reason: Obstacle,
    /// How many addresses go to other nodes.
    pub leaving: usize,
    /// How many stay, as no other node can have them.
    pub staying: usize,
}

impl Decision {
    /// The nodes that are to part with addresses by this decision, by name. Once it is carried out, only those are left that
    /// keep some.
    pub fn farewells(&self) -> BTreeMap<&str, Farewell> {
        let mut farewells: BTreeMap<&str, Farewell> = BTreeMap::new();
        for placement in self.placements.values() {
            let Placement::On { node, basis } = placement else {
                continue;
            };
            let (node, obstacles, leaves) = match basis {
                Basis::MovedFrom { from, because } => (from, because, true),
                Basis::KeptDespite(obstacles) => (node, obstacles, false),
                _ => continue,
            };
            let Some(reason) = obstacles.iter().find(|obstacle| obstacle.is_farewell()) else {
                continue;
            };
            let farewell = farewells.entry(node).or_insert_with(|| Farewell {
                reason: reason.clone(),
                leaving: 0,
                staying: 0,
            });
            farewell.leaving += usize::from(leaves);
            farewell.staying += usize::from(!leaves);
        }
        farewells
    }
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaving {
            0 => f.write_str("no address goes to another node")?,
            1 => f.write_str("1 address goes to another node")?,
            many => write!(f, "{many} addresses go to other nodes")?,
        }
        match self.staying {
            0 => {}
            1 => f.write_str(", and 1 stays, as no other node can have it")?,
            many => write!(f, ", and {many} stay, as no other node can have them")?,
        }
        write!(f, ": {}", self.reason)
    }
}
