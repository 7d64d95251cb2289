//! The world that addresses are planned for, and the plan.
//!
//! # How to carry a plan out
//!
//! 1. Create and update claims; updates with the `resourceVersion` of the claim that was planned with. A write that fails,
//!    because somebody else was first, voids the status writes that [need](StatusWrite::needs) the address, and nothing else.
//! 2. Write the statuses, with the `resourceVersion` of the Service that was planned with.
//! 3. Delete claims, with theirs.
//! 4. Look again and plan again, at the latest at [`Plan::wake`], until the plan is empty.
//!
//! It may stop anywhere. An address is released only in a plan that no longer sees it in the Service's status.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::claim::Claim;
use super::outcome::Outcome;
use super::pool::{Pool, PoolId};
use super::range::Count;
use super::request::Others;
use super::service::{Ingress, Service};
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};

/// Everything that decides about addresses.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// All pools as [`check`](super::pool::check) returns them: in the order in which they are asked.
    pub pools: &'a [Pool],
    /// All Services of type LoadBalancer, and those that a claim names.
    pub services: &'a [Arc<Service>],
    /// The labels of namespaces; one that is missing has none.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// All claims.
    pub claims: Vec<&'a Claim>,
    /// What else serves external IPs.
    pub others: Others,
    /// Whether addresses may be published.
    pub gate: &'a Gate,
    /// The time.
    pub now: Timestamp,
}

/// Whether addresses may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    Open,
    /// Not yet: other nodes would answer for them as well. What is published stays.
    Closed {
        /// What has to happen first: the message of `SafeToAnnounce`.
        message: String,
    },
}

/// What to write, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Claims to create, by address.
    pub create: Vec<Claim>,
    /// Claims to replace, by address: new holders, changed ones, or released.
    pub update: Vec<Claim>,
    /// Claims to delete: their addresses have rested.
    pub delete: Vec<IpAddr>,
    /// Statuses to write.
    pub statuses: Vec<StatusWrite>,
    /// What came out for each Service.
    pub outcomes: BTreeMap<ObjectName, Outcome>,
    /// How much of each pool is in use once the plan is carried out. A pool that is gone and still has addresses in use is
    /// in here, too.
    pub usage: BTreeMap<PoolId, Usage>,
    /// When something changes by itself.
    pub wake: Option<Timestamp>,
}

/// A Service's new `status.loadBalancer.ingress`, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusWrite {
    /// The Service.
    pub service: ObjectName,
    /// Its uid.
    pub uid: String,
    /// The entries, `ipMode: VIP` where it is ours.
    pub ingress: Vec<Ingress>,
    /// Addresses whose claims are created or updated by the same plan: the status is written only if that succeeded.
    pub needs: Vec<IpAddr>,
}

/// How much of a pool is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Addresses that Services have. A shared one counts once.
    pub used: usize,
    /// Released ones that rest.
    pub resting: usize,
    /// Those that can be handed out now.
    pub free: Count,
}

impl Plan {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.create.is_empty()
            && self.update.is_empty()
            && self.delete.is_empty()
            && self.statuses.is_empty()
    }
}
