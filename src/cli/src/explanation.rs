//! Why a Service has the address that it has, or none; why an address is where it is.
//!
//! ```text
//! Look: Snapshot, Decision (core::external_ip), live conditions ─▶ Explanation: reasons by step, nodes, what would change it
//! ```
//!
//! Nothing is decided here: the reasons are those of the decision that the operator takes on the same objects. What the
//! cluster has not caught up with is named, not guessed.

use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::external_ip::{Decision, Known, Snapshot};
use mooring_core::guard::foreign::ForeignAddress;
use mooring_core::ipam::claim::Claim;
use mooring_core::ipam::service::Service;
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::placement;
use mooring_core::remediation::Safety;
use serde::{Serialize, Serializer};

mod address;
mod berth;
mod live;
mod occupant;
mod remedy;
mod service;
mod wish;

pub(crate) use address::address;
pub(crate) use remedy::Remedy;
pub(crate) use service::service;

/// The cluster, the decision about it, and what only the live objects say.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// What was decided on.
    pub snapshot: Snapshot,
    /// What came out.
    pub decision: Decision,
    /// Who carries decisions out.
    pub operator: Operator,
    /// All that decides about nodes was read. Else nothing is said about where addresses belong: it would be a guess.
    pub nodes_seen: bool,
    /// Who answers for the addresses of others.
    pub foreign: Vec<ForeignAddress>,
    /// What could not be read, and what follows; one sentence each.
    pub gaps: Vec<String>,
}

/// The operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operator {
    /// A Pod of it is ready.
    Runs,
    /// None is.
    Stopped,
    /// Its Pods cannot be seen.
    Unseen,
}

/// The documented output of `explain -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// `Service` or `Address`.
    pub kind: Kind,
    /// `namespace/name`, or the address.
    pub subject: String,
    /// In one word.
    pub state: State,
    /// In one sentence.
    pub summary: String,
    /// The cluster is as it was decided to be: there is nothing for the operator to do here.
    pub settled: bool,
    /// All that led to this, in the order in which it was decided.
    pub reasons: Vec<Reason>,
    /// The addresses that it is about.
    pub addresses: Vec<Address>,
    /// What would change it; empty where nothing needs to.
    pub remedies: Vec<Remedy>,
    /// What could not be read, and what that means for the rest.
    pub incomplete: Vec<String>,
}

/// What is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Kind {
    /// A Service.
    Service,
    /// An address.
    Address,
}

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum State {
    /// Of a Service: Mooring has nothing to do with it.
    NotOurs,
    /// Of a Service: it has no address.
    Pending,
    /// Of a Service: its address is held back.
    Withheld,
    /// Of a Service: it has what it asks for.
    Assigned,
    /// Of a Service: it has an address, and asks for another one that it cannot have.
    AssignedOtherwise,
    /// Of an address: Services have it.
    InUse,
    /// Of an address: it was released a moment ago.
    Resting,
    /// Of an address: it can be handed out.
    Free,
    /// Of an address: it is in a pool, and not handed out.
    Blocked,
    /// Of an address: somebody else has it.
    Foreign,
    /// Of an address: it is in no pool, and nobody is known to have it.
    InNoPool,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// What it is about.
    pub step: Step,
    /// Its name.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// The steps of a decision, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Step {
    /// Whether it is Mooring's.
    Standing,
    /// What it asks for.
    Request,
    /// Which address it gets.
    Allocation,
    /// Whether its status says so.
    Publication,
    /// Which node it belongs to.
    Placement,
    /// Whether that node answers for it.
    Announcement,
    /// What the cluster has not caught up with.
    Progress,
}

/// An address, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Address {
    /// The address.
    pub address: IpAddr,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// The Services that have it.
    pub services: Vec<String>,
    /// The Services' statuses say it.
    pub published: bool,
    /// When somebody else can get it, if it rests.
    #[serde(serialize_with = "text")]
    pub rests_until: Option<Timestamp>,
    /// The node that it belongs to.
    pub node: Option<String>,
    /// The node that answers for it now.
    pub answered_by: Option<String>,
    /// Every node: the owner, those that would follow it, and those that cannot have the address.
    pub nodes: Vec<NodeStanding>,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PoolName {
    /// Its name.
    pub name: String,
    /// Its API group.
    pub group: &'static str,
}

/// What a node is to an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeStanding {
    /// Its name.
    pub node: String,
    /// What it is.
    pub role: Role,
    /// Of a successor: its place in the order, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// What keeps the address away from it.
    pub obstacles: Vec<Obstacle>,
}

/// What a node is to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Role {
    /// The address belongs to it.
    Owner,
    /// It could have the address.
    Successor,
    /// It cannot.
    Unable,
}

/// What keeps an address away from a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Obstacle {
    /// Its name.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

fn text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

// === impl Look ===

impl Look {
    /// A Service as it is.
    pub(crate) fn find(&self, id: &ObjectName) -> Option<&Arc<Service>> {
        self.snapshot
            .services
            .iter()
            .find(|service| service.id == *id)
    }

    /// An ExternalIP as it is.
    pub(crate) fn known(&self, address: IpAddr) -> Option<&Known> {
        self.snapshot
            .addresses
            .iter()
            .find(|known| known.claim.address == address)
            .map(AsRef::as_ref)
    }

    /// The claim to an address as it is decided to be.
    fn claim(&self, address: IpAddr) -> Option<&Claim> {
        let decided = self.decision.create.iter().chain(&self.decision.update);
        decided
            .map(|berthed| &berthed.claim)
            .find(|claim| claim.address == address)
            .or_else(|| {
                let gone = self.decision.delete.contains(&address);
                self.known(address)
                    .filter(|_| !gone)
                    .map(|known| &known.claim)
            })
    }
}

// === impl Explanation ===

impl Explanation {
    /// As a verdict: whether all is well.
    pub(crate) fn safety(&self) -> Safety {
        let homeless = self.addresses.iter().any(|address| address.node.is_none());
        match self.state {
            State::Pending | State::Blocked => Safety::NotSafe,
            State::Assigned | State::InUse if homeless => Safety::NotSafe,
            State::Assigned | State::InUse | State::Free => Safety::Safe,
            State::NotOurs
            | State::Withheld
            | State::AssignedOtherwise
            | State::Resting
            | State::Foreign
            | State::InNoPool => Safety::Unknown,
        }
    }
}

// === impl Obstacle ===

impl From<&placement::Obstacle> for Obstacle {
    fn from(obstacle: &placement::Obstacle) -> Self {
        Self {
            reason: obstacle.as_str(),
            message: obstacle.to_string(),
        }
    }
}

// === impl Reason ===

impl Reason {
    fn new(step: Step, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            step,
            reason,
            message: message.into(),
        }
    }
}

/// Whether a Service's status says an address.
fn is_published(service: &Service, address: IpAddr) -> bool {
    service
        .ingress
        .iter()
        .filter_map(|entry| entry.ip.as_deref()?.parse::<IpAddr>().ok())
        .any(|published| published.to_canonical() == address)
}

/// What a Service's status says.
fn ingress(service: &Service) -> String {
    let entries: Vec<&str> = service
        .ingress
        .iter()
        .filter_map(|entry| entry.ip.as_deref().or(entry.hostname.as_deref()))
        .collect();
    entries.join(", ")
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
