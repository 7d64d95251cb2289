use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_api::ExternalIP;
use mooring_api::external_ip::{ExternalIPStatus, NoClaim, Said, claim, holders_part, said_status};
use mooring_core::ipam::pool::PoolId;
use mooring_core::mooring::Served;
use tracing::warn;

/// An ExternalIP, as far as agents need it: every agent has all of them in memory, as any node may have to take any over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Its name.
    pub name: String,
    /// Unique for the life of the cluster.
    pub uid: String,
    /// A version of the object that says the same as this; the object may have a later one.
    pub resource_version: String,
    /// The address.
    pub address: IpAddr,
    /// The pool that it is from.
    pub pool: PoolId,
    /// The node that shall have it, if one is planned.
    pub planned: Option<String>,
    /// Those that take it over while that one is gone, the first choice first.
    pub heirs: Vec<String>,
    /// Grows with each change of the planned node.
    pub plan: u32,
    /// Why that was decided.
    pub cause: Option<String>,
    /// The Services that have it; none while it rests.
    pub services: Arc<[Served]>,
    /// What agents of holders wrote. The conditions and the last move are left out, unless this node has the address or
    /// shall have it.
    pub status: ExternalIPStatus,
}

/// Makes addresses of ExternalIPs.
#[derive(Debug)]
pub(super) struct Reader {
    node: String,
    /// The names of the objects that are no claims, each of which is told of once.
    told: BTreeSet<String>,
}

// === impl Address ===

impl Address {
    /// Of an object, for the agent of `node`.
    ///
    /// # Errors
    /// If it is the claim to no address.
    pub(crate) fn of(object: ExternalIP, node: &str) -> Result<Self, NoClaim> {
        let claim = claim(&object)?;
        let mut status = object.status.as_ref().map(holders_part).unwrap_or_default();
        let planned = object.spec.node;
        let ours = |of: &Option<String>| of.as_deref() == Some(node);
        if !ours(&planned) && !ours(&status.node) {
            status.last_move = None;
            status.conditions = Vec::new();
        }
        status.conditions.shrink_to_fit();
        Ok(Self {
            name: object.metadata.name.unwrap_or_default(),
            uid: object.metadata.uid.unwrap_or_default(),
            resource_version: object.metadata.resource_version.unwrap_or_default(),
            address: claim.address,
            pool: claim.pool,
            planned,
            heirs: object.spec.heirs,
            plan: object.spec.plan,
            cause: object.spec.cause,
            services: claim
                .holders
                .into_iter()
                .map(|holder| Served {
                    service: holder.service,
                    ports: holder.ports,
                    health_port: holder.health_port,
                    service_proxy: holder.service_proxy,
                })
                .collect(),
            status,
        })
    }

    /// Whether the status says so already. Only of an address that this node has or shall have: of others it is not known.
    pub(crate) fn says(&self, said: &Said) -> bool {
        // Only a condition whose status is another one takes the time, and makes the difference anyway.
        let now = Time(jiff::Timestamp::UNIX_EPOCH);
        said_status(said, &self.status, &now) == self.status
    }
}

impl PartialEq for Address {
    /// Whether it says the same, whatever the version: what a witness saw, or what is said about the address of another
    /// node, makes a new version of the object and is no news.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            uid,
            resource_version: _,
            address,
            pool,
            planned,
            heirs,
            plan,
            cause,
            services,
            status,
        } = self;
        *name == other.name
            && *uid == other.uid
            && *address == other.address
            && *pool == other.pool
            && *planned == other.planned
            && *heirs == other.heirs
            && *plan == other.plan
            && *cause == other.cause
            && *services == other.services
            && *status == other.status
    }
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            told: BTreeSet::new(),
        }
    }

    /// `None` if the object is the claim to no address.
    pub(super) fn read(&mut self, object: ExternalIP) -> Option<Arc<Address>> {
        let name = object.metadata.name.clone().unwrap_or_default();
        match Address::of(object, &self.node) {
            Ok(address) => {
                self.told.remove(&name);
                Some(Arc::new(address))
            }
            Err(reason) => {
                if self.told.insert(name) {
                    warn!(%reason, "an ExternalIP is left out");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
