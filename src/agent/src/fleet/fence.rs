//! The Leases of Fenced addresses, in the thread that decides what this node shall have.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use mooring_core::fencing::{Answer, Fencing, Permits, Request};
use mooring_core::ipam::pool::Ownership;
use mooring_core::liveness::Now;
use mooring_core::mooring::{Arrival, Wanted};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::Held;
use crate::moor::{self, Moor};

/// How long it has to last that nobody is heard: after a pause of this process everybody seems silent for a moment.
const LASTS: Duration = Duration::from_secs(1);

/// What stands between what this node shall have and what it may answer for.
pub(super) struct Fence {
    fencing: Fencing,
    leases: UnboundedSender<Request>,
    permits: Permits,
    /// What it cannot answer for, whatever it holds.
    hindered: BTreeSet<IpAddr>,
    /// Since when nobody is heard.
    alone: Option<Now>,
    isolated: bool,
}

// === impl Fence ===

impl Fence {
    pub(super) fn new(node: &str, leases: UnboundedSender<Request>) -> Self {
        Self {
            fencing: Fencing::new(node),
            leases,
            permits: Permits::default(),
            hindered: BTreeSet::new(),
            alone: None,
            isolated: false,
        }
    }

    /// All that this node shall have. What another node still has needs no Lease yet, and what it cannot answer for is left to
    /// others.
    pub(super) fn want(&mut self, wanted: &[Wanted], now: Now) {
        let fenced = wanted
            .iter()
            .filter(|wanted| wanted.ownership == Ownership::Fenced)
            .filter(|wanted| wanted.arrival != Arrival::Awaited)
            .map(|wanted| wanted.address);
        let able = fenced.filter(|address| !self.hindered.contains(address));
        self.fencing.want(&able.collect(), now);
    }

    /// Whoever answers has said by which permits it goes. Says whether [`Self::want`] has to be called again.
    pub(super) fn heeded(&mut self, held: &Held) -> bool {
        self.fencing.heeded(held.turn, &held.addresses);
        let changed = self.hindered != held.hindered;
        self.hindered.clone_from(&held.hindered);
        changed
    }

    pub(super) fn answered(&mut self, address: IpAddr, ticket: u64, answer: Answer, now: Now) {
        self.fencing.answered(address, ticket, answer, now);
    }

    /// Asks the API server what has to be asked now, and lets whoever answers know what it may. `now` was looked up just
    /// before: what is asked now counts from then.
    pub(super) fn go_on(&mut self, alone: bool, moor: &Moor, now: Now) {
        self.alone = alone.then(|| self.alone.unwrap_or(now));
        let isolated = self.alone.is_some_and(|since| since + LASTS <= now);
        if isolated != self.isolated {
            self.isolated = isolated;
            match isolated {
                true => warn!("hears no other node: leaves Fenced addresses to those who do"),
                false => info!("hears other nodes again"),
            }
            self.fencing.isolate(isolated, now);
        }
        for request in self.fencing.tick(now) {
            // The agent may be ending.
            let _ = self.leases.send(request);
        }
        let permits = self.fencing.permits(now);
        if permits != self.permits {
            moor.order(moor::Order::Permit(permits.clone()));
            self.permits = permits;
        }
    }

    /// When [`Self::go_on`] has to be called.
    pub(super) fn next(&self) -> Option<Now> {
        let alone = self.alone.filter(|_| !self.isolated);
        let alone = alone.map(|since| since + LASTS);
        self.fencing.next().into_iter().chain(alone).min()
    }
}
