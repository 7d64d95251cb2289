//! What is written next: a part of a decision that is small enough for the rest to be decided anew afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_core::external_ip::{Berthed, Decision};
use mooring_core::ipam::object_name;
use tokio::time::Instant;

use super::held::Held;
use super::stores::Stores;
use super::write::{Seen, Write};

/// So many writes are sent before the cluster is looked at again.
const MOST: usize = 800;

/// Writes in the order in which they have to be carried out: each part after the one before.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// Claims made and changed.
    pub claims: Vec<Write>,
    /// Statuses of Services; each only if the claims that it needs were written.
    pub statuses: Vec<Write>,
    /// Claims that go.
    pub deletes: Vec<Write>,
}

// === impl Batch ===

impl Batch {
    /// There is nothing to write, or all of it is held back.
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.statuses.is_empty() && self.deletes.is_empty()
    }

    fn len(&self) -> usize {
        self.claims.len() + self.statuses.len() + self.deletes.len()
    }

    /// The first part of what `decision` wants written. Services come one after the other, each with the claims that it
    /// needs, so that the oldest has its address published before the youngest has a claim.
    pub(super) fn next(decision: &Decision, stores: &Stores, held: &Held, now: Instant) -> Self {
        let mut batch = Self::default();
        let free = |write: &Write| {
            !held.holds(&write.object(), now) && !held.holds(&write.operation().to_string(), now)
        };
        let claims = claims(decision, stores);
        let mut taken = BTreeSet::new();
        for status in &decision.statuses {
            if batch.len() >= MOST {
                return batch;
            }
            let key = status.service.to_string();
            let Some(service) = stores.services.get(&key) else {
                continue;
            };
            let write = Write::Publish(status.clone(), Seen::of(service));
            let needed: Option<Vec<&Write>> =
                status.needs.iter().map(|need| claims.get(need)).collect();
            let Some(needed) = needed.filter(|needed| needed.iter().all(|claim| free(claim)))
            else {
                continue;
            };
            if service.uid != status.uid || !free(&write) {
                continue;
            }
            for (need, claim) in status.needs.iter().zip(needed) {
                if taken.insert(*need) {
                    batch.claims.push(claim.clone());
                }
            }
            batch.statuses.push(write);
        }
        for (address, claim) in &claims {
            if batch.len() >= MOST {
                return batch;
            }
            if !taken.contains(address) && free(claim) {
                batch.claims.push(claim.clone());
            }
        }
        let deletes = decision.delete.iter().filter_map(|address| {
            let name = object_name::of(*address);
            let seen = Seen::of(stores.addresses.get(&name)?);
            Some(Write::Delete { name, seen })
        });
        let room = MOST - batch.len();
        batch.deletes = deletes.filter(free).take(room).collect();
        batch
    }
}

/// The claims to make and to change, by address.
fn claims(decision: &Decision, stores: &Stores) -> BTreeMap<IpAddr, Write> {
    let create = |berthed: &Berthed| (berthed.claim.address, Write::Create(berthed.clone()));
    let update = |berthed: &Berthed| {
        let address = berthed.claim.address;
        let known = stores.addresses.get(&object_name::of(address))?;
        Some((address, Write::Update(berthed.clone(), Seen::of(known))))
    };
    let created = decision.create.iter().map(create);
    created
        .chain(decision.update.iter().filter_map(update))
        .collect()
}

#[cfg(test)]
#[path = "batch/tests.rs"]
mod tests;
