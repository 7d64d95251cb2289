//! What is written when no Service waits: the statuses and finalizers of pools, and what is said about addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_api::external_ip::remarks_status;
use mooring_api::{antrea_pool, external_ip_pool};
use mooring_core::external_ip::{Decision, Known, Remarks};
use mooring_core::ipam::object_name;
use mooring_core::ipam::pool::PoolId;
use mooring_core::kube_proxy::snapshot::Timestamp;
use serde_json::json;

use super::notice;
use super::silences::Silences;
use super::source::OwnPool;
use super::stores::Stores;
use super::write::{IN_USE, Seen, Write};
use crate::event::Notice;

/// A write, and what to tell once it is done.
#[derive(Debug)]
pub(super) struct Chore {
    /// The write.
    pub write: Write,
    /// What to tell.
    pub tell: Vec<Notice>,
}

impl From<Write> for Chore {
    fn from(write: Write) -> Self {
        Self {
            write,
            tell: Vec::new(),
        }
    }
}

/// The finalizers of pools that are to be set before addresses of them are handed out.
pub(super) fn grips(decision: &Decision, stores: &Stores) -> Vec<Write> {
    finalizers(decision, stores, true)
}

/// What to write about pools.
pub(super) fn pools(decision: &Decision, stores: &Stores, now: &Time) -> Vec<Chore> {
    let mut chores: Vec<Chore> = own_statuses(decision, stores, now);
    if !stores.has_antrea() {
        chores.extend(
            antrea_statuses(decision, stores)
                .into_iter()
                .map(Chore::from),
        );
    }
    let released = finalizers(decision, stores, false);
    chores.extend(released.into_iter().map(Chore::from));
    chores
}

fn finalizers(decision: &Decision, stores: &Stores, on: bool) -> Vec<Write> {
    let pools = stores.pools.iter().filter_map(|(name, pool)| {
        let state = decision.pool_states.get(&pool.value.object.id)?;
        let there = holds(&pool.value);
        // No finalizer can be added to what is being deleted already.
        if state.in_use != on || there == on || (on && pool.value.object.terminating) {
            return None;
        }
        let mut finalizers = pool.value.finalizers.clone();
        finalizers.retain(|name| name != IN_USE);
        if on {
            finalizers.push(IN_USE.to_owned());
        }
        Some(Write::Finalizers {
            pool: name.to_owned(),
            seen: Seen::of(pool),
            finalizers,
        })
    });
    pools.collect()
}

fn holds(pool: &OwnPool) -> bool {
    pool.finalizers.iter().any(|name| name == IN_USE)
}

fn own_statuses(decision: &Decision, stores: &Stores, now: &Time) -> Vec<Chore> {
    let pools = stores.pools.iter().filter_map(|(name, pool)| {
        let state = decision.pool_states.get(&pool.value.object.id)?;
        let former = pool.value.status.as_ref();
        let status = external_ip_pool::to_status(
            &state.usage,
            &state.draining,
            &state.conditions,
            former,
            pool.value.generation,
            now,
        );
        if former == Some(&status) {
            return None;
        }
        let write = Write::PoolStatus {
            pool: name.to_owned(),
            seen: Seen::of(pool),
            status,
        };
        let tell = notice::turns(name, &pool.uid, former, &state.conditions);
        Some(Chore { write, tell })
    });
    pools.collect()
}

fn antrea_statuses(decision: &Decision, stores: &Stores) -> Vec<Write> {
    let pools = stores.antrea_pools.iter().filter_map(|(name, pool)| {
        let state = decision.pool_states.get(&PoolId::antrea(name))?;
        let status = antrea_pool::status(&state.usage);
        if pool.value.usage == status["usage"] {
            return None;
        }
        Some(Write::AntreaStatus {
            pool: name.to_owned(),
            version: pool.value.version.clone(),
            seen: Seen::of(pool),
            status,
        })
    });
    pools.collect()
}

/// What to say about addresses, where they do not say it yet; at most so many. Nodes that were said not to report and
/// [answered](Silences::is_answered) are left alone.
pub(super) fn remarks(
    remarks: &BTreeMap<IpAddr, Remarks>,
    stores: &Stores,
    silences: &Silences,
    now: Timestamp,
    free: impl Fn(&Write) -> bool,
    most: usize,
) -> Vec<Write> {
    let writes = remarks.iter().filter_map(|(address, remarks)| {
        let name = object_name::of(*address);
        let object = stores.addresses.get(&name)?;
        let known: &Known = &object.value;
        let left;
        let remarks = if silences.is_answered(known, remarks) {
            left = Remarks {
                announced: None,
                ..remarks.clone()
            };
            &left
        } else {
            remarks
        };
        if known.says(remarks) {
            return None;
        }
        let mut body = remarks_status(known, remarks, now)?;
        // Applied with force, so that it must not meet what a node has said in the meantime.
        body["metadata"]["uid"] = json!(object.uid);
        body["metadata"]["resourceVersion"] = json!(object.version);
        Some(Write::Remarks { name, body })
    });
    writes.filter(free).take(most).collect()
}

#[cfg(test)]
#[path = "chores/tests.rs"]
mod tests;
