//! Carries writes out, several at a time.

use std::collections::HashSet;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use mooring_core::ipam::object_name;
use mooring_core::kube_proxy::snapshot::ObjectName;
use tokio::time::Instant;

use super::notice;
use super::write::{Failure, Seen, Write, Written, claim};
use super::{Addresses, Urgency};
use crate::cache::Effect;
use crate::cluster::ApiError;

/// Requests in flight.
const AT_ONCE: usize = 16;
/// What stands for all writes where the API server does not answer.
pub(super) const EVERYTHING: &str = "everything";

// === impl Addresses ===

impl Addresses {
    /// Carries out what is independent of each other, and returns the objects that were written. Once the API server does
    /// not answer, nothing more is sent.
    pub(super) async fn write(&mut self, writes: Vec<Write>) -> HashSet<String> {
        let mut done = HashSet::new();
        let mut queue = writes.into_iter();
        let mut flying = FuturesUnordered::new();
        loop {
            while flying.len() < AT_ONCE && !self.held.holds(EVERYTHING, Instant::now()) {
                let Some(write) = queue.next() else { break };
                let cluster = self.context.cluster.clone();
                flying.push(async move {
                    let result = write.carry_out(&cluster).await;
                    (write, result)
                });
            }
            let Some((write, result)) = flying.next().await else {
                return done;
            };
            self.publish_pulse();
            match result {
                Ok(written) => {
                    self.succeeded(&write, written);
                    done.insert(write.object());
                }
                Err(failure) => self.failed(&write, failure),
            }
        }
    }

    /// It failed a moment ago, or may not be done.
    pub(super) fn is_held(&self, write: &Write) -> bool {
        let now = Instant::now();
        let kind = write.operation().to_string();
        self.held.holds(&write.object(), now) || self.held.holds(&kind, now)
    }

    fn succeeded(&mut self, write: &Write, written: Written) {
        self.context.metrics.addresses.wrote(write.kind(), "ok");
        let kind = write.operation().to_string();
        self.held.succeed(&write.object());
        self.held.succeed(&kind);
        self.held.succeed(EVERYTHING);
        if self.forbidden.remove(&kind).is_some() {
            tracing::info!(operation = kind, "allowed now");
        }
        self.log(write);
        match written {
            Written::Now(change) => self.learn(*change, Urgency::InTime),
            Written::Gone { key, uid } => {
                let forgotten = match write {
                    Write::Finalizers { .. } => self.stores.pools.forget(&key, &uid),
                    _ => self.stores.addresses.forget(&key, &uid),
                };
                if forgotten == Effect::Objects {
                    self.stale = self.stale.max(Some(Urgency::InTime));
                }
            }
            Written::Kept => {
                let text = "its finalizers keep it";
                self.held.fail(&write.object(), text, Instant::now());
            }
        }
        if let Write::Publish(status, _) = write
            && !status.ingress.is_empty()
            && let Some(since) = self.waiting.remove(&status.service.to_string())
        {
            self.context.metrics.addresses.published(since.elapsed());
        }
    }

    fn failed(&mut self, write: &Write, failure: Failure) {
        let now = Instant::now();
        let metrics = &self.context.metrics;
        match failure {
            Failure::Overtaken(read) => {
                metrics.addresses.wrote(write.kind(), "overtaken");
                tracing::debug!(object = write.object(), "somebody else was first");
                self.stale = Some(Urgency::Now);
                if let Some(change) = read {
                    self.take_in(*change);
                }
                if self.is_as_seen(write) {
                    self.held.fail(&write.object(), "overtaken", now);
                }
            }
            Failure::Error(error) => {
                metrics.addresses.wrote(write.kind(), "failed");
                metrics.api_error(&error);
                self.fail(write, &error, now);
            }
        }
    }

    fn fail(&mut self, write: &Write, error: &ApiError, now: Instant) {
        let text = error.to_string();
        let what = match error {
            ApiError::Unreachable { .. } => EVERYTHING.to_owned(),
            ApiError::Forbidden { .. } => write.operation().to_string(),
            _ => write.object(),
        };
        if !self.held.fail(&what, &text, now) {
            tracing::debug!(%error, "write failed again");
            return;
        }
        tracing::warn!(%error, object = write.object(), "write failed");
        match error {
            ApiError::Forbidden { .. } => {
                let proxy = self.stores.service_proxy_uid();
                self.outbox.put(notice::forbidden(proxy, text.clone()));
                self.forbidden.insert(what, text);
            }
            ApiError::Refused { .. } | ApiError::NotFound { .. } => {
                for (service, uid) in write.services() {
                    let notice = notice::refused(service, uid, text.clone());
                    self.outbox.put(notice);
                }
            }
            ApiError::Conflict { .. } | ApiError::Unreachable { .. } => {}
        }
    }

    /// Even after it was read again, the object is what was decided on: trying again at once would not help.
    fn is_as_seen(&self, write: &Write) -> bool {
        let stores = &self.stores;
        match write {
            Write::Create(berthed) => {
                let name = object_name::of(berthed.claim.address);
                stores.addresses.get(&name).is_none()
            }
            Write::Update(berthed, seen) => {
                let name = object_name::of(berthed.claim.address);
                stores.addresses.get(&name).map(Seen::of).as_ref() == Some(seen)
            }
            Write::Delete { name, seen } => {
                stores.addresses.get(name).map(Seen::of).as_ref() == Some(seen)
            }
            Write::Publish(status, seen) => {
                let key = status.service.to_string();
                stores.services.get(&key).map(Seen::of).as_ref() == Some(seen)
            }
            Write::Finalizers { pool, seen, .. } | Write::PoolStatus { pool, seen, .. } => {
                stores.pools.get(pool).map(Seen::of).as_ref() == Some(seen)
            }
            Write::AntreaStatus { pool, seen, .. } => {
                stores.antrea_pools.get(pool).map(Seen::of).as_ref() == Some(seen)
            }
            // Not urgent.
            Write::Remarks { .. } | Write::Unrest { .. } => true,
        }
    }

    fn log(&self, write: &Write) {
        match write {
            Write::Create(berthed) => {
                let claim = &berthed.claim;
                tracing::info!(
                    ip = %claim.address, pool = %claim.pool, service = names(write), node = berthed.node,
                    "address allocated"
                );
            }
            Write::Update(berthed, _) => {
                let claim = &berthed.claim;
                match &claim.released {
                    Some(release) => tracing::info!(
                        ip = %claim.address, pool = %claim.pool, service = %release.by, "address released"
                    ),
                    None => tracing::debug!(
                        ip = %claim.address, service = names(write), node = berthed.node, "claim changed"
                    ),
                }
            }
            Write::Publish(status, _) => {
                let entries = status.ingress.iter();
                let addresses: Vec<&str> = entries.filter_map(|it| it.ip.as_deref()).collect();
                tracing::info!(service = %status.service, ip = addresses.join(","), "addresses published");
            }
            Write::Finalizers {
                pool, finalizers, ..
            } => {
                tracing::info!(
                    pool,
                    finalizers = finalizers.join(","),
                    "finalizers of pool set"
                );
            }
            Write::Delete { name, .. } => tracing::debug!(name, "address free again"),
            Write::Unrest { node, unrest } => {
                tracing::info!(node, deaths = unrest.deaths, "node has died");
            }
            Write::PoolStatus { .. } | Write::AntreaStatus { .. } | Write::Remarks { .. } => {}
        }
    }
}

/// The Services of a claim.
fn names(write: &Write) -> String {
    let names: Vec<String> = write
        .services()
        .into_iter()
        .map(|(service, _)| service.to_string())
        .collect();
    names.join(",")
}

// === impl Write ===

impl Write {
    /// The Services that it is about, with their uids.
    fn services(&self) -> Vec<(&ObjectName, &str)> {
        match self {
            Self::Create(berthed) | Self::Update(berthed, _) => berthed
                .claim
                .holders
                .iter()
                .map(|holder| (&holder.service, holder.uid.as_str()))
                .collect(),
            Self::Publish(status, _) => vec![(&status.service, &status.uid)],
            _ => Vec::new(),
        }
    }

    /// Whether the claims that a status needs are `written`.
    pub(super) fn has_what_it_needs(&self, written: &HashSet<String>) -> bool {
        let Self::Publish(status, _) = self else {
            return true;
        };
        status
            .needs
            .iter()
            .all(|address| written.contains(&claim(&object_name::of(*address))))
    }
}
