//! What is true of an address on the wire.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use mooring_core::{node, peer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition;

/// What is true of the address on the wire. Written by the agent of the node that has it; `seen` by that of another node.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ExternalIPStatus {
    /// The node that answers for it. Absent while none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub node: Option<String>,
    /// The interface of that node that it answers on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub interface: Option<String>,
    /// The MAC address that it answers with, in lower case with colons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 59))]
    pub mac: Option<String>,
    /// How it answers. `Responder`: the agent answers, and the address is on no uplink. `Uplink`: the address is on the
    /// interface, and the kernel answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Method")]
    pub method: Option<Method>,
    /// Since when the node has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// How it came to the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_move: Option<Move>,
    /// How it came to this node and those before, the latest first. Written by the operator; up to ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub moves: Vec<Moved>,
    /// When another node had it at the same time, as while the network was split: of the last time, while this node has had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_overlap: Option<Overlap>,
    /// Under which plan the node has it, and how often it was taken over since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Who answered when another node asked on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Sighting>,
    /// Whether the address works, and what is in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::address_schema")]
    pub conditions: Vec<Condition>,
}

/// How the node of an address answers for it.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The agent does.
    Responder,
    /// The kernel does.
    Uplink,
}

/// How an address came to its node.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// When it began.
    pub time: Time,
    /// The node that had it before. Absent if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Why, in one word: `TakeOver` if the node that had it was gone, or the `spec.cause` of the plan.
    pub reason: String,
    /// How long nobody answered, or how long it took if somebody always did.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub duration_milliseconds: u32,
}

/// Two nodes had an address at once.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Overlap {
    /// Until when.
    pub time: Time,
    /// The other node, which let go of it then. Absent if it is gone from the cluster meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// For how long, at most: since the node that has it now began to answer.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub duration_milliseconds: u32,
}

/// A move of an address that is remembered.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The node that it came to.
    pub to: String,
    /// How.
    #[serde(flatten)]
    pub how: Move,
}

/// How often an address was moved: by plan, and by take-overs since. Of two nodes that both have it, as after a partition, the
/// one with the lower term lets go.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// The `spec.plan` under which the node has it.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub plan: u32,
    /// How often it was taken over since that plan was made. 0: it is where it was planned to be.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub takeovers: u32,
}

/// What one node saw on the wire when it asked for the address.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Sighting {
    /// The node that asked.
    pub witness: String,
    /// Since when this is what it sees. It looks every minute, and writes nothing while it sees the same.
    pub time: Time,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mac".into()]))]
    pub responders: Vec<Responder>,
}

/// Somebody who answered for an address.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct Responder {
    /// The MAC address in the answer, in lower case with colons.
    pub mac: String,
    /// The node that has this MAC address. Absent if none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

// === impl Term ===

impl From<peer::Term> for Term {
    fn from(term: peer::Term) -> Self {
        Self {
            plan: term.plan,
            takeovers: term.takeovers,
        }
    }
}

impl From<Term> for peer::Term {
    fn from(term: Term) -> Self {
        Self {
            plan: term.plan,
            takeovers: term.takeovers,
        }
    }
}

// === impl Responder ===

impl From<&node::Responder> for Responder {
    fn from(seen: &node::Responder) -> Self {
        Self {
            mac: seen.mac.to_string(),
            node: seen.node.clone(),
        }
    }
}

impl Responder {
    /// As the decisions see it; `None` if it has no MAC address of six bytes.
    pub(crate) fn decided(&self) -> Option<node::Responder> {
        Some(node::Responder {
            mac: self.mac.parse().ok()?,
            node: self.node.clone(),
        })
    }
}
