//! Between a pool in the API and the pool that is decided about.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, Time};
use mooring_core::condition::Condition as Decided;
use mooring_core::ipam::pool::{self, PoolId, PoolObject, PoolSpec, Usage};
use mooring_core::ipam::range::RangeText;

use super::{
    Bind, ExternalIPPool, ExternalIPPoolStatus, IPRange, OnCordon, OnRemoval, Ownership, Ping,
    PoolUsage, Ports,
};
use crate::condition::{condition, set_condition};
use crate::metadata::timestamp;
use crate::selector::selector;

/// How many draining addresses are named.
const NAMED: usize = 64;

/// A pool as the decisions see it.
pub fn object(pool: &ExternalIPPool) -> PoolObject {
    let metadata = &pool.metadata;
    let spec = &pool.spec;
    let optional = |object: &Option<LabelSelector>| object.as_ref().map(selector);
    PoolObject {
        id: PoolId::mooring(metadata.name.clone().unwrap_or_default()),
        uid: metadata.uid.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map(timestamp),
        terminating: metadata.deletion_timestamp.is_some(),
        spec: PoolSpec {
            ranges: spec.ip_ranges.iter().map(range).collect(),
            node_selector: optional(&spec.node_selector).unwrap_or_default(),
            auto_assign: spec.auto_assign,
            priority: spec.priority,
            namespaces: spec.namespaces.clone(),
            namespace_selector: optional(&spec.namespace_selector),
            service_selector: optional(&spec.service_selector),
            interfaces: spec.interfaces.clone(),
            avoid_edges: spec.avoid_edges,
            bind: match spec.bind {
                Bind::Auto => pool::Bind::Auto,
                Bind::Responder => pool::Bind::Responder,
                Bind::Uplink => pool::Bind::Uplink,
            },
            ports: match spec.ports {
                Ports::ServiceOnly => pool::Ports::ServiceOnly,
                Ports::All => pool::Ports::All,
            },
            ping: match spec.ping {
                Ping::Allow => pool::Ping::Allow,
                Ping::Deny => pool::Ping::Deny,
            },
            ownership: match spec.ownership {
                Ownership::Available => pool::Ownership::Available,
                Ownership::Fenced => pool::Ownership::Fenced,
            },
            revertive: spec.revertive,
            on_cordon: match spec.on_cordon {
                OnCordon::Stay => pool::OnCordon::Stay,
                OnCordon::Move => pool::OnCordon::Move,
            },
            reuse_after: spec.reuse_after_seconds,
            on_removal: match spec.on_removal {
                OnRemoval::Drain => pool::OnRemoval::Drain,
                OnRemoval::Release => pool::OnRemoval::Release,
            },
        },
    }
}

fn range(range: &IPRange) -> RangeText {
    RangeText {
        cidr: range.cidr.clone(),
        start: range.start.clone(),
        end: range.end.clone(),
    }
}

/// The status to write. Conditions whose status is still that of the `former` status keep the time of their last transition,
/// so that nothing new gives an equal status. `draining` are addresses in use that are not in the pool any more.
pub fn to_status(
    usage: &Usage,
    draining: &[std::net::IpAddr],
    conditions: &[Decided],
    former: Option<&ExternalIPPoolStatus>,
    generation: Option<i64>,
    now: &Time,
) -> ExternalIPPoolStatus {
    let mut kept = former
        .map(|former| former.conditions.clone())
        .unwrap_or_default();
    kept.retain(|old| conditions.iter().any(|new| new.kind.as_str() == old.type_));
    for decided in conditions {
        set_condition(
            &mut kept,
            condition(decided.clone(), generation, now.clone()),
        );
    }
    ExternalIPPoolStatus {
        observed_generation: generation,
        usage: Some(PoolUsage {
            total: usage.total.into(),
            used: usage.used.into(),
            free: usage.free.into(),
        }),
        draining: draining
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect(),
        conditions: kept,
    }
}
