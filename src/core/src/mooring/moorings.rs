//! The machine behind every address of a node: ask the wire, wait for the service proxy, hold.
//!
//! ```text
//!            asked, nobody answered          the proxy forwards it
//!  Asking ───────────────────────▶ Silent ─────────────────────────▶ Holding
//!    ▲  │ somebody answered          │ too long ago, or somebody        │ not carried out
//!    │  ▼                            ▼ speaks                           ▼
//!    └─ Elsewhere ◀──────────────────┴──────── (any but Holding)      Failed ─▶ Asking
//!
//!  Awaiting (another node hands it over) ─ that one let go ─▶ Silent
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::fencing::Permits;
use crate::proxy_mode::LiveMode;
use crate::wire::answer::Spoken;

use super::Now;
use super::announcements::Purse;
use super::berth::berth;
use super::orders::{Orders, Sending, Words};
use super::progress::{Mooring, Progress};
use super::standing::Standing;
use super::wanted::{Node, ProxyState, Target, Wanted};

/// How long after a failure it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// After such a pause others have taken over what this node had, if they live: longer than that takes them.
pub const SURELY_MISSED: Duration = Duration::from_millis(500);

/// All addresses that a node shall answer for, and how far it is with each.
#[derive(Debug, Default)]
pub struct Moorings {
    node: Node,
    proxy: ProxyState,
    berthed: BTreeMap<IpAddr, Mooring>,
    purse: Purse,
    exposed: Option<String>,
    /// What nodes whose agents have ended are asked for beside what they had: see [`AgentGone`](super::Arrival::AgentGone).
    vouchers: BTreeSet<IpAddr>,
    /// Of Fenced addresses.
    permits: Permits,
}

// === impl Moorings ===

impl Moorings {
    /// A node that nothing is wanted of yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that the node shall answer for, and no more. What it held and need not any more is let go at once.
    pub fn want(&mut self, wanted: impl IntoIterator<Item = Wanted>, now: Now) {
        let mut former = std::mem::take(&mut self.berthed);
        for wanted in wanted {
            let mooring = match former.remove(&wanted.address) {
                Some(mooring) => mooring.wanted_so(wanted, now),
                None => Mooring::new(wanted, now),
            };
            self.berthed.insert(mooring.wanted.address, mooring);
        }
        self.replan(now);
    }

    /// What the node is like now. While it is not known what handles Services, as when a kube-proxy is replaced, or nothing
    /// does, what its predecessor has programmed goes on, and so does the way in which addresses are answered for.
    pub fn look(&mut self, mut node: Node, now: Now) {
        if matches!(node.mode, LiveMode::Unknown | LiveMode::None) {
            node.mode = match self.node.mode {
                LiveMode::Unknown => node.mode,
                known => known,
            };
        }
        if self.node != node {
            self.node = node;
            self.replan(now);
        }
    }

    /// What handles Services; while that is not known, what did when it was.
    pub fn mode(&self) -> LiveMode {
        self.node.mode
    }

    /// How its service proxy serves now what is [awaited](Self::awaiting).
    pub fn program(&mut self, proxy: ProxyState) {
        self.proxy = proxy;
    }

    /// What the service proxy does not forward any more, of [what is held](Self::serving).
    pub fn miss(&mut self, missing: &BTreeSet<Target>, now: Now) {
        for mooring in self.berthed.values_mut() {
            mooring.miss(missing, now);
        }
    }

    /// Until when which Fenced addresses may be answered for.
    pub fn permit(&mut self, permits: Permits) {
        self.permits = permits;
    }

    /// What is held and may not be any more, as the time of its permit is over: it may not be answered for, not even before
    /// [`Self::tick`] says so.
    pub fn lapsed(&self, now: Now) -> BTreeSet<IpAddr> {
        let over = self
            .permits
            .until
            .iter()
            .filter(|(_, until)| **until <= now);
        let held = |address: &IpAddr| self.berthed.get(address).is_some_and(Mooring::is_held);
        let held = over.map(|(address, _)| *address).filter(held);
        held.filter(|address| self.berthed[address].wanted.is_fenced())
            .collect()
    }

    /// These addresses of ours stand on uplinks already, from an agent before this one: the node has never stopped answering
    /// for them, so that nobody has to be asked.
    pub fn adopt<'a>(&mut self, standing: impl IntoIterator<Item = (IpAddr, &'a str)>, now: Now) {
        for (address, interface) in standing {
            let Some(mooring) = self.berthed.get_mut(&address) else {
                continue;
            };
            let here = matches!(&mooring.berth, Ok(berth) if berth.interface == interface);
            let here = here && mooring.may(&self.permits, now);
            if here && !mooring.is_held() {
                mooring.hold(now);
            }
        }
    }

    /// Somebody else answered or spoke for an address; tells whether that is of interest.
    pub fn hear(&mut self, spoken: Spoken, now: Now) -> bool {
        let address = spoken.address;
        if let Some(mooring) = self.berthed.get_mut(&address) {
            return mooring.hear(spoken.mac, now);
        }
        if !spoken.answers || !self.vouchers.contains(&address) {
            return false;
        }
        let all = self.berthed.values_mut();
        let vouched = all.filter(|mooring| mooring.voucher() == Some(address));
        vouched.fold(false, |sooner, mooring| sooner | mooring.vouch(now))
    }

    /// This process did not run for that time, so long that others may have taken over what it answers for: it answers for
    /// nothing until the wire was asked once more, and what was silent before may not be any more. What the kernel answers for it
    /// may have gone on to answer for, so that nobody took it; unless that was so long that the whole node will have stood
    /// still.
    pub fn doubt(&mut self, missed: Duration, now: Now) {
        let certain = missed >= SURELY_MISSED;
        for mooring in self.berthed.values_mut() {
            mooring.doubt(certain, now);
        }
    }

    /// What was held until the node stood still, while it is asked for.
    pub fn doubted(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let doubted = self.berthed.values().filter(|of| of.is_doubted());
        doubted.map(|mooring| mooring.wanted.address)
    }

    /// Everybody has to hear once more that this node has an address, if it does: another one let go of it.
    pub fn announce_again(&mut self, address: IpAddr, now: Now) {
        if let Some(mooring) = self.berthed.get_mut(&address)
            && let Progress::Holding { schedule, .. } = &mut mooring.progress
        {
            schedule.again(now);
        }
    }

    /// An order about an address could not be carried out.
    pub fn fail(&mut self, address: IpAddr, why: String, now: Now) {
        if let Some(mooring) = self.berthed.get_mut(&address) {
            mooring.progress = Progress::Failed {
                why,
                next: now + TRY_AGAIN,
            };
        }
    }

    /// The health check ports of what is waited for.
    pub fn health_ports(&self) -> BTreeSet<u16> {
        let services = self
            .waiting()
            .flat_map(|waiting| waiting.wanted.services.iter());
        services.filter_map(|of| of.health_port).collect()
    }

    /// What could be answered for at once, of what another node still [has](super::Arrival::Awaited).
    pub fn ready(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let awaiting = self
            .waiting()
            .filter(|mooring| mooring.progress == Progress::Awaiting);
        let ready = awaiting.filter(|mooring| mooring.is_ready(&self.proxy));
        ready.map(|mooring| mooring.wanted.address)
    }

    fn waiting(&self) -> impl Iterator<Item = &Mooring> {
        let able = self
            .berthed
            .values()
            .filter(|mooring| mooring.berth.is_ok());
        able.filter(|mooring| !mooring.is_held())
    }

    /// Why the ports of addresses on uplinks cannot be closed; `None` if they are.
    pub fn expose(&mut self, why: Option<String>) {
        self.exposed = why;
    }

    /// What is waited for of the service proxy: everything of every address that is not held yet.
    pub fn awaiting(&self) -> BTreeSet<Target> {
        self.waiting()
            .flat_map(|mooring| mooring.wanted.targets())
            .collect()
    }

    /// What the service proxy has to go on to forward: everything of every address that is held.
    pub fn serving(&self) -> BTreeSet<Target> {
        let held = self.berthed.values().filter(|mooring| mooring.is_held());
        held.flat_map(|mooring| mooring.wanted.targets()).collect()
    }

    /// What can stand on an uplink while no agent runs, so that the kernel answers: everything that is held, except where a
    /// local address would keep its traffic from being forwarded, or the kernel would not answer.
    pub fn stand_ins(&self) -> BTreeMap<IpAddr, String> {
        let held = self.berthed.values().filter_map(|mooring| {
            let berth = mooring.berth.as_ref().ok()?;
            // Nobody would renew its Lease.
            let may = !mooring.wanted.is_fenced()
                && super::berth::may_stand_in(berth, &self.node, mooring.wanted.address);
            (mooring.is_held() && may).then(|| (mooring.wanted.address, berth.interface.clone()))
        });
        held.collect()
    }

    /// Goes on as far as it can, and says what has to be done now.
    pub fn tick(&mut self, now: Now) -> Orders {
        let mut orders = Orders::default();
        let mut last = BTreeSet::new();
        self.vouchers.clear();
        for mooring in self.berthed.values_mut() {
            mooring.lapse(&self.permits, now);
            let before = orders.send.len();
            mooring.go_on(&self.proxy, &self.permits, now, &mut orders.send);
            if let Some(voucher) = mooring.voucher() {
                self.vouchers.insert(voucher);
                let asked = orders.send[before..].iter();
                last.extend(asked.map(|asked| (asked.interface.clone(), voucher)));
            }
            let address = mooring.wanted.address;
            let onward = mooring.former.map(|former| (address, former));
            orders.onward.extend(onward);
            if let (Ok(berth), Progress::Holding { .. }) = (&mooring.berth, &mooring.progress) {
                mooring.order(berth, &mut orders);
            }
        }
        orders
            .send
            .extend(last.into_iter().map(|(interface, address)| Sending {
                interface,
                address,
                words: Words::Ask,
            }));
        self.announce(now, &mut orders.send);
        orders
    }

    /// When [`Self::tick`] has to be called next if nothing happens.
    pub fn deadline(&self) -> Option<Now> {
        let all = self.berthed.values();
        all.filter_map(|mooring| mooring.deadline(&self.purse, &self.permits))
            .min()
    }

    /// How it stands with each address.
    pub fn standings(&self, now: Now) -> impl Iterator<Item = Standing> + '_ {
        let all = self.berthed.values();
        let permits = &self.permits;
        let (node, exposed) = (&self.node, self.exposed.as_deref());
        all.map(move |mooring| mooring.standing(node, &self.proxy, permits, exposed, now))
    }

    /// Announces what is due, as far as the budget goes.
    fn announce(&mut self, now: Now, send: &mut Vec<Sending>) {
        let all = self.berthed.values_mut();
        let mut due: Vec<_> = all.filter_map(|mooring| mooring.due(now)).collect();
        due.sort_by_key(|(schedule, _)| schedule.rank());
        for (schedule, sending) in due {
            if self.purse.spend(schedule, now) {
                schedule.made(sending.address, now);
                send.push(sending);
            }
        }
    }

    fn replan(&mut self, now: Now) {
        for mooring in self.berthed.values_mut() {
            let new = berth(&mooring.wanted, &self.node);
            let uplink = new.as_ref().ok().and_then(|berth| {
                let uplinks = &self.node.uplinks;
                uplinks.iter().find(|up| up.name == berth.interface)
            });
            let (mac, path) = (uplink.map(|uplink| uplink.mac), uplink.map(|up| up.path));
            mooring.moved(new, mac, path, now);
        }
    }
}

#[cfg(test)]
mod tests;
