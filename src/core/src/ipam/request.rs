//! What a Service asks for, from its spec and its annotations.
//!
//! ```text
//! Service ─▶ ours? ─ no ─▶ NotOurs
//!              └ yes ─▶ Request: pools, addresses, share, families, and the problems that hold new allocations back
//! ```
//!
//! Users come from Antrea and from MetalLB, so the annotations of both are understood beside Mooring's own. Several of them
//! may say the same; where they differ, nobody knows what is meant, and that is a problem, not a choice.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::pool::{Pool, Source};
use super::range::Family;
use super::service::{FamilyPolicy, Service};

pub mod annotation;
mod problem;
mod read;

pub use problem::{NotOurs, Origin, RequestProblem};

/// The `spec.loadBalancerClass` of Services that are Mooring's.
pub const CLASS: &str = "mooring.dev/mooring";

/// What a Service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How it says that Mooring is asked.
    pub claim: Claim,
    /// The pools to take addresses from, the first choice first. Empty: those with `autoAssign`, in their order.
    pub pools: Vec<PoolChoice>,
    /// The addresses to take, at most one of each family, in their canonical form.
    pub addresses: Vec<IpAddr>,
    /// With whom it shares its addresses; `None`: with nobody.
    pub share: Option<Share>,
    /// The families, the primary one first: one, or both.
    pub families: Vec<Family>,
    /// Whether both families are needed.
    pub family_policy: FamilyPolicy,
    /// What is wrong with it. While there is something, the Service keeps what it has and gets nothing new.
    pub problems: Vec<RequestProblem>,
}

impl Request {
    /// The address that is asked for in `family`.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses
            .iter()
            .copied()
            .find(|address| Family::of(*address) == family)
    }
}

/// How a Service says that Mooring is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// By class, by an annotation of Mooring's, or by Antrea's `external-ip-pool`.
    Asked,
    /// By an annotation of MetalLB's that names a pool: ours if there is such a pool here.
    IfPoolExists,
    /// It does not: ours if a pool has `autoAssign`, and nobody else has written its status.
    Unasked,
}

/// A pool by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolChoice {
    /// The name, which may be one that no pool has.
    pub name: String,
    /// Whose kind comes first, if both have a pool of that name: that of the annotation which names it.
    pub first: Source,
}

impl PoolChoice {
    /// The pool that is meant.
    pub fn find<'a>(&self, pools: &'a [Pool]) -> Option<&'a Pool> {
        let mut named = pools.iter().filter(|pool| pool.id.name == self.name);
        let any = named.clone().next();
        named.find(|pool| pool.id.source == self.first).or(any)
    }
}

impl fmt::Display for PoolChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// With whom a Service shares its addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// With Services that have the same key.
    Key(String),
    /// With any Service that says so, too: Antrea's form.
    Anybody,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {}", super::quoted::Quoted::new(key)),
            Self::Anybody => f.write_str("anybody who shares, too"),
        }
    }
}

/// What else serves external IPs in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Others {
    /// Antrea's ServiceExternalIP is switched on: it serves the Services that have its annotation.
    pub antrea_serves: bool,
}

/// What `service` asks for.
///
/// # Errors
/// Why Mooring has nothing to do with it.
pub fn request(service: &Service, others: Others) -> Result<Request, NotOurs> {
    let claim = claim(service, others)?;
    let mut problems = Vec::new();
    let pools = read::pools(service, &mut problems);
    let addresses = read::addresses(service, &mut problems);
    let share = read::share(service, &mut problems);
    let families = families(service, &addresses);
    for address in &addresses {
        let family = Family::of(*address);
        if !families.contains(&family) {
            problems.push(RequestProblem::WrongFamily {
                address: *address,
                family,
            });
        }
    }
    Ok(Request {
        claim,
        pools,
        addresses,
        share,
        families,
        family_policy: service.family_policy,
        problems,
    })
}

fn claim(service: &Service, others: Others) -> Result<Claim, NotOurs> {
    let has = |name: &str| {
        service
            .annotations
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
    };
    if !service.load_balancer {
        return Err(NotOurs::NotLoadBalancer);
    }
    if service.terminating {
        return Err(NotOurs::Terminating);
    }
    if others.antrea_serves && has(annotation::ANTREA_POOL) {
        return Err(NotOurs::AntreaServes);
    }
    match service.class.as_deref() {
        Some(CLASS) => return Ok(Claim::Asked),
        Some(other) => return Err(NotOurs::OtherClass(super::quoted::Quoted::new(other))),
        None => {}
    }
    let asked = [
        annotation::POOL,
        annotation::IPS,
        annotation::SHARE,
        annotation::ANTREA_POOL,
    ];
    if asked.into_iter().any(has) {
        return Ok(Claim::Asked);
    }
    if annotation::METALLB_POOL.into_iter().any(has) {
        return Ok(Claim::IfPoolExists);
    }
    Ok(Claim::Unasked)
}

/// The API server fills in `ipFamilies`. Should it be empty all the same, the asked addresses tell, and IPv4 if there are
/// none.
fn families(service: &Service, addresses: &[IpAddr]) -> Vec<Family> {
    let mut seen = BTreeSet::new();
    let mut families: Vec<Family> = service
        .families
        .iter()
        .copied()
        .filter(|family| seen.insert(*family))
        .collect();
    if families.is_empty() {
        families = addresses
            .iter()
            .map(|address| Family::of(*address))
            .filter(|family| seen.insert(*family))
            .collect();
    }
    if families.is_empty() {
        families.push(Family::V4);
    }
    families
}

#[cfg(test)]
mod tests;
