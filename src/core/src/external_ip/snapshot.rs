//! One look at everything that decides about external IPs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::remarks::Remarks;
use crate::condition::{Condition, ConditionStatus, Reason as _};
use crate::ipam::claim::Claim;
use crate::ipam::plan::Gate;
use crate::ipam::pool::PoolObject;
use crate::ipam::reason::{AnnouncedReason, Speaker};
use crate::ipam::request::Others;
use crate::ipam::service::Service;
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};
use crate::mooring::Method;
use crate::node::NodeView;
use crate::peer::Term;
use crate::placement::{Endpoint, Exit, Life};

/// How many moves of an address are remembered.
pub const MOVES: usize = 10;

/// Everything that decides about external IPs. Large parts are shared with whoever keeps them up to date.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// All pools, of both kinds.
    pub pools: Vec<PoolObject>,
    /// All Services of type LoadBalancer, those that an ExternalIP names, and those whose status has an address.
    pub services: Vec<Arc<Service>>,
    /// The labels of namespaces; one that is missing has none.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// All ExternalIPs.
    pub addresses: Vec<Arc<Known>>,
    /// All Linux nodes.
    pub nodes: Vec<ClusterNode>,
    /// The endpoints of Services, by Service. Only those with `externalTrafficPolicy: Local` matter.
    pub endpoints: BTreeMap<ObjectName, Vec<Endpoint>>,
    /// What the cluster uses itself.
    pub networks: Networks,
    /// What else serves external IPs.
    pub others: Others,
    /// Whether addresses may be published.
    pub gate: Gate,
    /// The time.
    pub now: Timestamp,
}

/// An ExternalIP as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who has the address.
    pub claim: Claim,
    /// `spec.node`: where it is planned to be.
    pub planned: Option<String>,
    /// `spec.heirs`: who takes it over while that node is gone.
    pub heirs: Vec<String>,
    /// `spec.plan`: how often that was decided anew.
    pub plan: u32,
    /// `spec.cause`: why it was planned there.
    pub cause: Option<String>,
    /// `status.node`: who answers for it.
    pub taken_by: Option<String>,
    /// `status.term`: since which plan, and since how many take-overs under it.
    pub term: Option<Term>,
    /// `status.lastMove`: how it came there.
    pub last_move: Option<Move>,
    /// `status.lastOverlap`: which other node had it at the same time.
    pub last_overlap: Option<Overlap>,
    /// `status.moves`: how it came to the nodes that had it, the latest first.
    pub moves: Vec<Moved>,
    /// The condition `Announced` in its status, and more about the same.
    pub announced: Option<Announcement>,
    /// The condition `RequestMet` in its status.
    pub request_met: Option<Said>,
}

/// How an address came to the node that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// The node that had it before, if one did.
    pub from: Option<String>,
    /// Why, in one word: a [`cause`](Known::cause), or [`TAKE_OVER`](Self::TAKE_OVER).
    pub reason: String,
    /// For how many milliseconds nobody answered, or how many it took if somebody always did.
    pub milliseconds: u32,
}

/// Two nodes had an address at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Until when.
    pub until: Timestamp,
    /// The other node, unless it is gone.
    pub node: Option<String>,
    /// For how many milliseconds, at most.
    pub milliseconds: u32,
}

/// A move that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The node that the address came to.
    pub to: String,
    /// How.
    pub how: Move,
}

/// What a status says about who answers for an address. How, and what a witness saw, decides nothing: it is there to be
/// shown, and left out where nobody looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The condition `Announced`.
    pub said: Said,
    /// How the node that has the address answers for it.
    pub how: Option<How>,
    /// What another node saw on the wire.
    pub seen: Option<Seen>,
}

/// How a node answers for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct How {
    /// `status.interface`.
    pub interface: String,
    /// `status.mac`.
    pub mac: Option<String>,
    /// `status.method`.
    pub method: Method,
    /// `status.since`.
    pub since: Option<Timestamp>,
}

/// What a witness saw of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The condition `SingleResponder`, which names the witness and those who answered.
    pub single: Said,
    /// `status.seen.time`: since when it sees the same.
    pub since: Option<Timestamp>,
}

/// A condition as it stands in a status. The texts may be those of another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `status`.
    pub status: String,
    /// `reason`.
    pub reason: String,
    /// `message`.
    pub message: String,
    /// Since when the status is what it is.
    pub since: Timestamp,
}

impl From<Said> for Announcement {
    fn from(said: Said) -> Self {
        Self {
            said,
            how: None,
            seen: None,
        }
    }
}

// === impl Move ===

impl Move {
    /// The reason of a move that nobody planned: the node that had the address was gone.
    pub const TAKE_OVER: &str = "TakeOver";
    /// The reason of a planned move, where the plan does not say why it was made.
    pub const PLANNED: &str = "Planned";
}

// === impl Overlap ===

impl Overlap {
    /// The other node, in words.
    pub fn other(&self) -> &str {
        self.node.as_deref().unwrap_or("a node that is gone")
    }

    /// For how long, as `25.3 s`.
    pub fn length(&self) -> String {
        format!("{:.1} s", f64::from(self.milliseconds) / 1_000.0)
    }
}

// === impl Said ===

impl Said {
    /// Whether it says what was decided now, whatever the times.
    pub fn is(&self, decided: &Condition) -> bool {
        self.status == decided.status.as_str()
            && self.reason == decided.reason
            && self.message == decided.message
    }

    /// As `Announced`: the agent of a node says why the node does not answer for the address.
    fn is_excuse(&self) -> bool {
        AnnouncedReason::named(&self.reason).is_some_and(|reason| {
            reason.speaker() == Speaker::Agent && reason.status() == ConditionStatus::False
        })
    }

    /// As `Announced`: only the operator says so.
    pub fn is_operators(&self) -> bool {
        let reason = AnnouncedReason::named(&self.reason);
        reason.is_some_and(|reason| reason.speaker() == Speaker::Operator)
    }

    /// The node that it is about, if that can be told: what an agent says of its node begins with it.
    fn node(&self) -> Option<&str> {
        let (node, _) = self.message.strip_prefix("Node ")?.split_once(' ')?;
        Some(node)
    }
}

// === impl Known ===

impl Known {
    /// The node that has the address, or else is to have it. One that was to give it away under a later plan than that under
    /// which it has it does not count any more.
    pub(super) fn present(&self) -> Option<&str> {
        let outdated = self.is_outdated();
        let (taken_by, planned) = (self.taken_by.as_deref(), self.planned.as_deref());
        if outdated {
            planned.or(taken_by)
        } else {
            taken_by.or(planned)
        }
    }

    /// Whether the node that has the address has it under a former plan.
    pub(super) fn is_outdated(&self) -> bool {
        self.term.is_some_and(|term| term.plan < self.plan)
    }

    /// The planned node, if another one took the address over from it under the present plan.
    pub(super) fn taken_from(&self) -> Option<&str> {
        let term = self.term.filter(|term| term.takeovers > 0)?;
        let planned = self.planned.as_deref()?;
        let taken_by = self.taken_by.as_deref()?;
        (term.plan == self.plan && taken_by != planned).then_some(planned)
    }

    /// Whether the agent of the planned node says why the node has not taken the address: it knows better than the operator,
    /// which only sees that. What the agent of another node said before the plan changed does not count; where it cannot be
    /// told which node is meant, it is taken for the right one, as two that contradict each other for ever would be worse.
    pub fn is_explained(&self) -> bool {
        let (Some(planned), Some(announced), None) =
            (&self.planned, &self.announced, &self.taken_by)
        else {
            return false;
        };
        let said = &announced.said;
        said.is_excuse() && said.node().is_none_or(|node| node == planned)
    }

    /// Whether its status says already what the operator has to say.
    pub fn says(&self, remarks: &Remarks) -> bool {
        let same = |said: Option<&Said>, decided: &Option<Condition>| match (said, decided) {
            (Some(said), Some(decided)) => said.is(decided),
            (None, None) => true,
            _ => false,
        };
        (remarks.announced.is_none() || same(self.announced(), &remarks.announced))
            && same(self.request_met.as_ref(), &remarks.request_met)
            && self
                .moves
                .iter()
                .map(|moved| (&moved.to, &moved.how))
                .eq(self.to_remember())
    }

    /// The moves that are to be remembered, the latest first: those that are already, and how the address came to the node
    /// that has it now.
    pub fn history(&self) -> Vec<Moved> {
        let moves = self.to_remember().map(|(to, how)| Moved {
            to: to.clone(),
            how: how.clone(),
        });
        moves.collect()
    }

    /// The same, where they stand: each address is asked for them with each decision.
    fn to_remember(&self) -> impl Iterator<Item = (&String, &Move)> {
        let latest = self.taken_by.as_ref().zip(self.last_move.as_ref());
        let is_latest = move |to: &String, how: &Move| {
            latest.is_some_and(|latest| *to == *latest.0 && how.at == latest.1.at)
        };
        let former = self.moves.iter().map(|moved| (&moved.to, &moved.how));
        let former = former.filter(move |(to, how)| !is_latest(to, how));
        latest.into_iter().chain(former).take(MOVES)
    }

    /// The condition `Announced` in its status.
    pub fn announced(&self) -> Option<&Said> {
        self.announced.as_ref().map(|announced| &announced.said)
    }

    /// Whether the remarks are about the address as it is: nobody took it, let go of it or said why not in the meantime.
    pub fn suits(&self, remarks: &Remarks) -> bool {
        let in_time = match &remarks.announced {
            Some(decided) => !decided.is(AnnouncedReason::WaitingForNode) || !self.is_explained(),
            None => self.taken_by.is_some() || self.is_explained() || self.announced.is_none(),
        };
        in_time && self.taken_by == remarks.taken_by
    }
}

/// A node, with what only its Node object tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its state, and its agent's report.
    pub view: NodeView,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// It has the annotation [`DRAIN_ANNOTATION`](crate::placement::DRAIN_ANNOTATION).
    pub draining: bool,
    /// It is about to go.
    pub exit: Option<Exit>,
    /// Whether it lives.
    pub life: Life,
    /// Since when its agent does not report; `None` if it does, or nobody knows since when.
    pub silent_since: Option<Timestamp>,
    /// Since when its kube-proxy does not work; `None` if it does, or nobody knows since when.
    pub unserved_since: Option<Timestamp>,
    /// The addresses in `status.addresses`.
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`, as written.
    pub pod_cidrs: Vec<String>,
}

/// What the cluster uses itself, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// The ranges of cluster IPs, from ServiceCIDRs.
    pub service_cidrs: Vec<String>,
    /// The addresses of the API server, from the endpoints of Service `default/kubernetes`.
    pub api_servers: Vec<IpAddr>,
}
