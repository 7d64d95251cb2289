//! Which Service gets which address: from a snapshot of the world to a plan.
//!
//! ```text
//! World ─ standing ─▶ who is ours ─ tenancy ─▶ what they have ─ acquisition ─▶ what they get ─ publication ─▶ Plan
//! ```
//!
//! - A Service keeps what it has. What it asks for and cannot have takes nothing away: the new address is claimed, then
//!   published, and only then the old one released.
//! - Pools are asked by priority and name, and give their lowest free address; Services are served by age. Requests for a
//!   certain address come first, so that nobody else is given it by chance.
//! - The claims are the memory. If they are lost, the statuses are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use super::claim::Holder;
use super::outcome::{Note, Outcome, State};
use super::plan::{Plan, World};
use super::range::Family;
use super::request::Request;
use super::service::Service;

mod acquisition;
mod completion;
mod foreign;
mod ledger;
mod publication;
mod standing;
mod tenancy;

pub use foreign::foreign;
use ledger::Ledger;
use standing::Standing;

/// The field manager that Mooring's operator writes statuses as.
pub const STATUS_WRITER: &str = "mooring-operator";

/// What has to be written so that every Service has the right addresses. Planning again once the plan is carried out gives
/// an empty plan; see [`plan`](super::plan) for how to carry it out.
pub fn plan(world: &World<'_>) -> Plan {
    let mut ledger = Ledger::open(world);
    let mut cases = standing::cases(world, &mut ledger);
    tenancy::settle(world, &mut ledger, &mut cases);
    for explicit in [true, false] {
        for (number, case) in cases.iter_mut().enumerate() {
            acquisition::acquire(world, &mut ledger, number, case, explicit);
        }
    }
    let mut plan = Plan::default();
    for (number, case) in cases.iter_mut().enumerate() {
        publication::publish(world, &mut ledger, number, case, &mut plan);
    }
    completion::complete(world, ledger, &mut plan);
    for case in cases {
        plan.outcomes
            .insert(case.service.id.clone(), case.outcome());
    }
    plan
}

/// One Service while it is planned for.
#[derive(Debug)]
struct Case<'w> {
    service: &'w Service,
    standing: Standing,
    /// The Service as a holder, if it is ours.
    current: Option<Rc<Holder>>,
    /// The addresses that claims say it has, with those that its status alone says.
    held: Vec<IpAddr>,
    /// What it is to have, by family.
    targets: BTreeMap<Family, IpAddr>,
    /// What it can keep if it gets nothing better, by family.
    fallback: BTreeMap<Family, IpAddr>,
    /// What it has and cannot keep, whatever it gets.
    lost: Vec<IpAddr>,
    /// Released addresses that it, or a Service of its name, had last.
    behind: Vec<IpAddr>,
    /// Of its targets, those that it gets by this plan.
    gained: Vec<IpAddr>,
    /// Families whose target is not what it asks for.
    wanting: Vec<Family>,
    withheld: bool,
    notes: Vec<Note>,
}

impl<'w> Case<'w> {
    fn request(&self) -> Option<&Rc<Request>> {
        match &self.standing {
            Standing::Ours(request) => Some(request),
            Standing::Former | Standing::Alien => None,
        }
    }

    fn families(&self) -> Vec<Family> {
        self.request()
            .map_or_else(Vec::new, |request| request.families.clone())
    }

    /// What it is to have, in the order of its families.
    fn addresses(&self) -> Vec<IpAddr> {
        self.families()
            .iter()
            .filter_map(|family| self.targets.get(family).copied())
            .collect()
    }

    fn outcome(self) -> Outcome {
        let addresses = self.addresses();
        let state = if self.request().is_none() {
            State::NotOurs
        } else if addresses.is_empty() {
            State::Pending
        } else if self.withheld {
            State::Withheld
        } else if self.wanting.is_empty() {
            State::Assigned
        } else {
            State::AssignedOtherwise
        };
        Outcome {
            state,
            addresses,
            wanting: self.wanting,
            notes: self.notes,
        }
    }
}

/// The addresses in a Service's status, those that can be read.
fn published(service: &Service) -> impl Iterator<Item = IpAddr> {
    service
        .ingress
        .iter()
        .filter_map(|entry| entry.ip.as_deref()?.parse().ok())
        .map(|address: IpAddr| address.to_canonical())
}

/// Whether a Service's status has the address.
pub fn is_published(service: &Service, address: IpAddr) -> bool {
    published(service).any(|published| published == address)
}
