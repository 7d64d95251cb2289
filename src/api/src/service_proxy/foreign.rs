//! The external IPs that somebody else than Mooring handed out, and who answers for them.
#![expect(
    unreachable_pub,
    reason = "KubeSchema makes a private copy of each struct, as public as the struct"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use mooring_core::guard::foreign;
use mooring_core::kube_proxy::snapshot::ObjectName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServiceProxyStatus;
use crate::external_ip::Responder;
use crate::metadata::{time, timestamp};

/// Of how many who answer for one address the schema has room.
const MOST_RESPONDERS: usize = 64;

/// An external IP that somebody else than Mooring handed out, and who answers for it on the wire.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ForeignAddress {
    /// The address.
    #[schemars(length(min = 1, max = 45))]
    pub address: String,
    /// A Service that has it, as in `default/web`; of several the first by name.
    #[schemars(length(min = 1, max = 127))]
    pub service: String,
    /// The nodes that ask for it. A node does not hear itself, so there are two; fewer if not more have it on their segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub witnesses: Vec<String>,
    /// What they found out. `OneResponder`: one host answers. `SeveralResponders`: connections end at any of several hosts, and
    /// break. `NoResponder`: nobody answers. `NotWitnessed`: they have not both looked yet, or contradict each other.
    /// `OutOfSight`: fewer than two nodes have it on their segment, so that nobody can tell.
    pub seen: Finding,
    /// Who answered, as both heard it together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mac".into()]))]
    pub responders: Vec<Responder>,
    /// Since when several hosts answer. It stays until it is seen that one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disputed_since: Option<Time>,
}

/// What the witnesses of an address found out.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// One host answers.
    OneResponder,
    /// Several do.
    SeveralResponders,
    /// Nobody does.
    NoResponder,
    /// They have not both looked yet, or contradict each other.
    NotWitnessed,
    /// There are no two of them.
    OutOfSight,
}

// === impl ForeignAddress ===

impl From<&foreign::ForeignAddress> for ForeignAddress {
    fn from(found: &foreign::ForeignAddress) -> Self {
        let responders = found.responders.iter().take(MOST_RESPONDERS);
        Self {
            address: found.address.to_string(),
            service: found.service.to_string(),
            witnesses: found.witnesses.clone(),
            seen: match found.finding {
                foreign::Finding::OneResponder => Finding::OneResponder,
                foreign::Finding::SeveralResponders => Finding::SeveralResponders,
                foreign::Finding::NoResponder => Finding::NoResponder,
                foreign::Finding::NotWitnessed => Finding::NotWitnessed,
                foreign::Finding::OutOfSight => Finding::OutOfSight,
            },
            responders: responders.map(Responder::from).collect(),
            disputed_since: found.disputed.map(time),
        }
    }
}

/// The addresses of a persisted status, as the decisions see them. What cannot be read is left out.
pub fn foreign_addresses(status: &ServiceProxyStatus) -> Vec<foreign::ForeignAddress> {
    status
        .foreign_addresses
        .iter()
        .filter_map(decided)
        .collect()
}

fn decided(written: &ForeignAddress) -> Option<foreign::ForeignAddress> {
    let (namespace, name) = written.service.split_once('/')?;
    let responders = written.responders.iter().map(Responder::decided);
    Some(foreign::ForeignAddress {
        address: written.address.parse().ok()?,
        service: ObjectName::new(namespace, name),
        witnesses: written.witnesses.clone(),
        finding: match written.seen {
            Finding::OneResponder => foreign::Finding::OneResponder,
            Finding::SeveralResponders => foreign::Finding::SeveralResponders,
            Finding::NoResponder => foreign::Finding::NoResponder,
            Finding::NotWitnessed => foreign::Finding::NotWitnessed,
            Finding::OutOfSight => foreign::Finding::OutOfSight,
        },
        responders: responders.collect::<Option<_>>()?,
        disputed: written.disputed_since.as_ref().map(timestamp),
    })
}
