//! What is told about a drain.

use std::net::IpAddr;

use mooring_core::external_ip::{Departure, Fate, Known, NodeVerdict};
use mooring_core::kube_proxy::snapshot::ObjectName;
use serde::Serialize;

use crate::explanation::Obstacle;
use crate::render;

/// What became of a drain, and the documented output of `-o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Drained {
    /// The node.
    pub node: String,
    /// Since when it is drained; `None` if it is not.
    pub since: Option<String>,
    /// In one word.
    pub outcome: Outcome,
    /// For people.
    pub message: String,
    /// The addresses that it had, those that left first.
    pub addresses: Vec<AddressLeft>,
    /// How long it was waited.
    pub milliseconds: Option<u64>,
    /// What could not be read, and what that means for the rest.
    pub incomplete: Vec<String>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Outcome {
    /// The node has no address any more.
    Empty,
    /// The node has addresses that no other node can have.
    SomeStay,
    /// Addresses that can leave have not left in time, or it cannot be told whether they can.
    NotInTime,
    /// The node is drained, and nothing was waited for.
    Requested,
    /// The node can have addresses again.
    Undone,
    /// The node was not drained.
    NotDrained,
}

/// An address of a drained node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressLeft {
    /// The address.
    pub address: String,
    /// The Services that have it.
    pub services: Vec<String>,
    /// Whether it left.
    pub outcome: Left,
    /// The node that has it now, or shall have it.
    pub to: Option<String>,
    /// Of one that is still there and shall not be: what is known about that.
    pub message: Option<String>,
    /// Of one that stays: what keeps it away from every other node.
    pub nodes: Vec<NodeObstacles>,
}

/// What keeps an address away from a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NodeObstacles {
    /// The node.
    pub node: String,
    /// All of it.
    pub obstacles: Vec<Obstacle>,
}

/// Whether an address left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Left {
    /// Another node has it.
    Moved,
    /// No node has it, as it was released, or no node can have it.
    Gone,
    /// No other node can have it.
    Stays,
    /// It has not arrived elsewhere.
    Waits,
}

fn stays(count: usize) -> String {
    match count {
        1 => "1 stays until another node can have it".to_owned(),
        count => format!("{count} stay until another node can have them"),
    }
}

fn names(services: &[ObjectName]) -> Vec<String> {
    services.iter().map(ToString::to_string).collect()
}

// === impl Drained ===

impl Drained {
    pub(super) fn brief(
        node: &str,
        since: Option<String>,
        outcome: Outcome,
        message: String,
    ) -> Self {
        Self {
            node: node.to_owned(),
            since,
            outcome,
            message,
            addresses: Vec::new(),
            milliseconds: None,
            incomplete: Vec::new(),
        }
    }

    /// With all addresses known, after so long.
    pub(super) fn end(mut self, outcome: Outcome, milliseconds: u64) -> Self {
        let count = |wanted: fn(Left) -> bool| {
            let addresses = self.addresses.iter();
            addresses.filter(|one| wanted(one.outcome)).count()
        };
        let left = count(|outcome| matches!(outcome, Left::Moved | Left::Gone));
        let stay = count(|outcome| outcome == Left::Stays);
        let wait = count(|outcome| outcome == Left::Waits);
        let node = &self.node;
        let seconds = render::seconds(milliseconds);
        let none = format!("it takes none until kubectl mooring drain {node} --undo");
        self.message = match outcome {
            Outcome::Empty if left == 0 => format!("{node} has no addresses, and {none}"),
            Outcome::Empty => {
                format!("{node} has no addresses any more, and {none}: {left} left it in {seconds}")
            }
            Outcome::SomeStay => format!("{left} left {node} in {seconds}; {}", stays(stay)),
            _ => {
                let wait = match wait {
                    1 => "1 has not arrived elsewhere".to_owned(),
                    wait => format!("{wait} have not arrived elsewhere"),
                };
                let stay = match stay {
                    0 => String::new(),
                    stay => format!("; {}", stays(stay)),
                };
                format!(
                    "{left} left {node} in {seconds}; {wait}{stay}. {node} stays drained: to wait on, run this once more; kubectl \
                     mooring explain IP says more about each"
                )
            }
        };
        self.outcome = outcome;
        self.milliseconds = Some(milliseconds);
        self
    }
}

// === impl AddressLeft ===

impl From<&Departure> for AddressLeft {
    fn from(departure: &Departure) -> Self {
        Self {
            address: departure.address.to_string(),
            services: names(&departure.services),
            outcome: match departure.to {
                Some(_) => Left::Moved,
                None => Left::Gone,
            },
            to: departure.to.clone(),
            message: None,
            nodes: Vec::new(),
        }
    }
}

impl AddressLeft {
    /// One that has not arrived elsewhere.
    pub(super) fn open(
        address: IpAddr,
        services: &[ObjectName],
        fate: Option<&Fate>,
        known: Option<&Known>,
    ) -> Self {
        let (outcome, to) = match fate {
            Some(Fate::Stays(_)) => (Left::Stays, None),
            Some(Fate::Goes(to)) => (Left::Waits, Some(to.clone())),
            // It has left the node, and nobody has it yet.
            None => (Left::Waits, known.and_then(|known| known.planned.clone())),
            Some(Fate::Nowhere(_) | Fate::Released) => (Left::Waits, None),
        };
        let nodes = match fate {
            Some(Fate::Stays(nodes) | Fate::Nowhere(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        // What the drained node says of itself is no reason.
        let said = known.and_then(Known::announced);
        let said = said
            .filter(|said| said.status != "True")
            .map(|said| format!("{} ({})", said.message, said.reason));
        Self {
            address: address.to_string(),
            services: names(services),
            outcome,
            to,
            message: said.filter(|_| outcome == Left::Waits),
            nodes: nodes.iter().map(NodeObstacles::from).collect(),
        }
    }
}

// === impl NodeObstacles ===

impl From<&NodeVerdict> for NodeObstacles {
    fn from(verdict: &NodeVerdict) -> Self {
        Self {
            node: verdict.node.clone(),
            obstacles: verdict.obstacles.iter().map(Obstacle::from).collect(),
        }
    }
}

// === impl Outcome ===

impl Outcome {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Empty | Self::Requested | Self::Undone | Self::NotDrained => 0,
            Self::SomeStay => 1,
            Self::NotInTime => 2,
        }
    }
}
