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

use crate::fencing::{self, Permits};
use crate::ipam::pool::{Ownership, Ports};
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

use super::Now;
use super::announcements::{Purse, Schedule};
use super::berth::{Berth, Hindrance, Method, Place, berth};
use super::orders::{Orders, Sending, Words};
use super::standing::{Holding, Standing, State};
use super::wanted::{Arrival, Lack, Node, Path, Programmed, ProxyState, Target, Wanted};

/// How often the wire is asked before an address is taken.
const ASKS: u32 = 3;
/// Between two questions.
const ASK_GAP: Duration = Duration::from_millis(100);
/// How long answers to the last question are waited for. A node whose cores are all busy was seen to answer 100 ms late.
const LISTEN: Duration = Duration::from_millis(200);
/// Both, where there is no time to lose: see [`Arrival::TakenOver`].
const HASTE: Duration = Duration::from_millis(15);
/// After such a pause others have taken over what this node had, if they live: longer than that takes them.
pub const SURELY_MISSED: Duration = Duration::from_millis(500);
/// How long it counts that nobody answered, while the service proxy is waited for.
const SILENCE_LASTS: Duration = Duration::from_secs(10);
/// How long after an answer the wire is asked again. The former holder may only be about to hear that it is over.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The same, once the other one has answered for [`STUBBORN`].
const ASK_AGAIN_LATER: Duration = Duration::from_secs(5);
/// See [`ASK_AGAIN_LATER`].
const STUBBORN: Duration = Duration::from_secs(10);
/// How long after a failure it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// A foreign claim is answered at most so often (`DEFEND_INTERVAL`, RFC 5227 section 1.1): two hosts that both defend would
/// go on for ever.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// How long after the last foreign claim there is still said to be a conflict.
const CONFLICT_LASTS: Duration = Duration::from_secs(60);

/// All addresses that a node shall answer for, and how far it is with each.
#[derive(Debug, Default)]
pub struct Moorings {
    node: Node,
    proxy: ProxyState,
    berthed: BTreeMap<IpAddr, Mooring>,
    purse: Purse,
    exposed: Option<String>,
    /// Of Fenced addresses.
    permits: Permits,
}

/// One address.
#[derive(Debug)]
struct Mooring {
    wanted: Wanted,
    berth: Result<Berth, Hindrance>,
    /// The MAC address of the interface.
    mac: Option<Mac>,
    /// How the interface's frames get to the segment.
    path: Option<Path>,
    /// Since when it is wanted.
    begun: Now,
    /// Whence it was handed over since then; see [`Wanted::former`].
    former: Option<IpAddr>,
    progress: Progress,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// The wire is being asked who has it.
    Asking { asked: u32, next: Now, haste: bool },
    /// Another node has it, and lets go as soon as this one is ready.
    Awaiting,
    /// Nobody has it.
    Silent { at: Now },
    /// Somebody else has it.
    Elsewhere { mac: Mac, first: Now, next: Now },
    /// An order could not be carried out.
    Failed { why: String, next: Now },
    /// The node answers for it.
    Holding {
        since: Now,
        schedule: Schedule,
        claim: Option<Claim>,
    },
}

/// Somebody else says that it has an address that the node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claim {
    mac: Mac,
    last: Now,
    defended: Now,
}

impl Progress {
    fn begin(now: Now, arrival: Arrival) -> Self {
        match arrival {
            Arrival::Awaited => Self::Awaiting,
            Arrival::Released => Self::Silent { at: now },
            Arrival::Planned | Arrival::TakenOver => Self::Asking {
                asked: 0,
                next: now,
                haste: arrival == Arrival::TakenOver,
            },
        }
    }
}

/// How long to listen after a question, of which that many were asked.
fn pause(asked: u32, haste: bool) -> Duration {
    match haste {
        true => HASTE,
        false if asked < ASKS => ASK_GAP,
        false => LISTEN,
    }
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
                None => Mooring {
                    progress: Progress::begin(now, wanted.arrival),
                    former: wanted.former,
                    wanted,
                    berth: Err(Hindrance::NoUplink),
                    mac: None,
                    path: None,
                    begun: now,
                },
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

    /// How its service proxy serves now what is [awaited](Self::awaiting).
    pub fn program(&mut self, proxy: ProxyState) {
        self.proxy = proxy;
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
        held.filter(|address| self.berthed[address].wanted.ownership == Ownership::Fenced)
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
            if here && !matches!(mooring.progress, Progress::Holding { .. }) {
                mooring.hold(now);
            }
        }
    }

    /// Somebody else, `mac`, answered or spoke for an address; tells whether that is of interest.
    pub fn hear(&mut self, address: IpAddr, mac: Mac, now: Now) -> bool {
        let Some(mooring) = self.berthed.get_mut(&address) else {
            return false;
        };
        match &mut mooring.progress {
            Progress::Holding {
                schedule, claim, ..
            } => {
                let defended = claim.map(|claim| claim.defended);
                let due = defended.is_none_or(|defended| now >= defended + DEFEND_INTERVAL);
                if due {
                    schedule.once(now);
                }
                *claim = Some(Claim {
                    mac,
                    last: now,
                    defended: if due { now } else { defended.unwrap_or(now) },
                });
            }
            // That is who hands it over.
            Progress::Awaiting => return false,
            progress => {
                let first = match progress {
                    Progress::Elsewhere { first, .. } => *first,
                    _ => now,
                };
                let patience = if now.saturating_sub(first) < STUBBORN {
                    ASK_AGAIN
                } else {
                    ASK_AGAIN_LATER
                };
                *progress = Progress::Elsewhere {
                    mac,
                    first,
                    next: now + patience,
                };
            }
        }
        true
    }

    /// This process did not run for that time, so long that others may have taken over what it answers for: it answers for
    /// nothing until the wire was asked once more. What the kernel answers for it may have gone on to answer for, so that nobody
    /// took it; unless that was so long that the whole node will have stood still.
    pub fn doubt(&mut self, missed: Duration, now: Now) {
        let certain = missed >= SURELY_MISSED;
        // If nobody has it, nobody serves it meanwhile; if it was long, somebody has, who may be slow to say so.
        let arrival = match certain {
            true => Arrival::Planned,
            false => Arrival::TakenOver,
        };
        for mooring in self.berthed.values_mut() {
            let answers = matches!(&mooring.berth, Ok(berth) if berth.method == Method::Responder);
            let holds = matches!(mooring.progress, Progress::Holding { .. });
            if holds && (answers || certain) {
                mooring.begun = now;
                mooring.progress = Progress::begin(now, arrival);
            }
        }
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
        let services = self.waiting().flat_map(|waiting| &waiting.wanted.services);
        services.filter_map(|of| of.health_port).collect()
    }

    /// What could be answered for at once, of what another node still [has](Arrival::Awaited).
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
        able.filter(|mooring| !matches!(mooring.progress, Progress::Holding { .. }))
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

    /// What can stand on an uplink while no agent runs, so that the kernel answers: everything that is held, except where a
    /// local address would keep its traffic from being forwarded, or the kernel would not answer.
    pub fn stand_ins(&self) -> BTreeMap<IpAddr, String> {
        let held = self.berthed.values().filter_map(|mooring| {
            let berth = mooring.berth.as_ref().ok()?;
            let held = matches!(mooring.progress, Progress::Holding { .. });
            // Nobody would renew its Lease.
            let may = mooring.wanted.ownership != Ownership::Fenced
                && super::berth::may_stand_in(berth, &self.node, mooring.wanted.address);
            (held && may).then(|| (mooring.wanted.address, berth.interface.clone()))
        });
        held.collect()
    }

    /// Goes on as far as it can, and says what has to be done now.
    pub fn tick(&mut self, now: Now) -> Orders {
        let mut orders = Orders::default();
        for mooring in self.berthed.values_mut() {
            mooring.lapse(&self.permits, now);
            mooring.go_on(&self.proxy, &self.permits, now, &mut orders.send);
            let address = mooring.wanted.address;
            let onward = mooring.former.map(|former| (address, former));
            orders.onward.extend(onward);
            if let (Ok(berth), Progress::Holding { .. }) = (&mooring.berth, &mooring.progress) {
                mooring.order(berth, &mut orders);
            }
        }
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
        all.map(move |mooring| mooring.standing(&self.proxy, permits, self.exposed.as_deref(), now))
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

// === impl Mooring ===

impl Mooring {
    /// What is held is held on; else it begins anew if it comes in another way.
    fn wanted_so(mut self, wanted: Wanted, now: Now) -> Self {
        let holds = matches!(self.progress, Progress::Holding { .. });
        if wanted.arrival != self.wanted.arrival && !holds {
            let waited = self.progress == Progress::Awaiting;
            if waited || matches!(wanted.arrival, Arrival::Awaited | Arrival::Released) {
                self.begun = now;
                self.progress = Progress::begin(now, wanted.arrival);
            }
        }
        self.former = wanted.former.or(self.former);
        self.wanted = wanted;
        self
    }

    fn hold(&mut self, now: Now) {
        self.progress = Progress::Holding {
            since: now,
            schedule: Schedule::begin(now),
            claim: None,
        };
    }

    /// Takes a new berth. Another interface is another segment, where nobody was asked yet; the same one under another name,
    /// with another MAC address or by another path is not, but everybody has to hear of it.
    fn moved(
        &mut self,
        new: Result<Berth, Hindrance>,
        mac: Option<Mac>,
        path: Option<Path>,
        now: Now,
    ) {
        if self.berth == new && self.mac == mac && self.path == path {
            return;
        }
        let same_link = match (&self.berth, &new) {
            (Ok(old), Ok(new)) => {
                old.interface == new.interface || (self.mac.is_some() && self.mac == mac)
            }
            _ => false,
        };
        (self.berth, self.mac, self.path) = (new, mac, path);
        match &mut self.progress {
            Progress::Holding { schedule, .. } if same_link => schedule.again(now),
            progress if !same_link => *progress = Progress::begin(now, self.wanted.arrival),
            _ => {}
        }
    }

    fn go_on(&mut self, proxy: &ProxyState, permits: &Permits, now: Now, send: &mut Vec<Sending>) {
        let Ok(berth) = &self.berth else { return };
        match &mut self.progress {
            Progress::Asking { asked, next, haste } if *next <= now => {
                if *asked < ASKS {
                    *asked += 1;
                    *next = now + pause(*asked, *haste);
                    send.push(Sending {
                        interface: berth.interface.clone(),
                        address: self.wanted.address,
                        words: Words::Ask,
                    });
                } else {
                    self.progress = Progress::Silent { at: now };
                }
            }
            Progress::Elsewhere { next, .. } | Progress::Failed { next, .. } if *next <= now => {
                self.ask_again(now, send);
            }
            _ => {}
        }
        if let Progress::Silent { at } = self.progress
            && self.is_ready(proxy)
            && self.may(permits, now)
        {
            if now <= at + SILENCE_LASTS {
                self.hold(now);
            } else {
                self.progress = Progress::begin(now, Arrival::Planned);
                self.go_on(proxy, permits, now, send);
            }
        }
    }

    /// Asks anew. Who answered stays known until the wire was silent.
    fn ask_again(&mut self, now: Now, send: &mut Vec<Sending>) {
        let Ok(berth) = &self.berth else { return };
        send.push(Sending {
            interface: berth.interface.clone(),
            address: self.wanted.address,
            words: Words::Ask,
        });
        self.progress = Progress::Asking {
            asked: 1,
            next: now + ASK_GAP,
            haste: false,
        };
    }

    fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Holding { .. })
    }

    /// Whether its Lease lets the node answer, if it needs one.
    fn may(&self, permits: &Permits, now: Now) -> bool {
        let until = permits.until.get(&self.wanted.address);
        self.wanted.ownership != Ownership::Fenced || until.is_some_and(|until| now < *until)
    }

    /// Lets go of what may not be held any more.
    fn lapse(&mut self, permits: &Permits, now: Now) {
        if self.is_held() && !self.may(permits, now) {
            self.begun = now;
            self.progress = Progress::begin(now, Arrival::Planned);
        }
    }

    fn is_ready(&self, proxy: &ProxyState) -> bool {
        match &proxy.programmed {
            Programmed::NotRead | Programmed::Failed(_) => false,
            Programmed::Hidden(_) | Programmed::Targets(_) => self.wanted.lack(proxy).is_none(),
        }
    }

    fn order(&self, berth: &Berth, orders: &mut Orders) {
        let address = self.wanted.address;
        match berth.method {
            Method::Responder => {
                let answered = orders.answer.entry(berth.interface.clone()).or_default();
                answered.insert(address);
            }
            Method::Uplink => {
                orders.bind.insert(address, berth.interface.clone());
            }
        }
        if berth.place == Place::IpvsLink {
            orders.ensure.insert(address);
        }
    }

    /// An announcement that is due, and its schedule.
    fn due(&mut self, now: Now) -> Option<(&mut Schedule, Sending)> {
        let (Ok(berth), Progress::Holding { schedule, .. }) = (&self.berth, &mut self.progress)
        else {
            return None;
        };
        if schedule.next > now {
            return None;
        }
        let sending = Sending {
            interface: berth.interface.clone(),
            address: self.wanted.address,
            words: Words::Announce,
        };
        Some((schedule, sending))
    }

    fn deadline(&self, purse: &Purse, permits: &Permits) -> Option<Now> {
        self.berth.as_ref().ok()?;
        match &self.progress {
            Progress::Asking { next, .. }
            | Progress::Elsewhere { next, .. }
            | Progress::Failed { next, .. } => Some(*next),
            Progress::Awaiting | Progress::Silent { .. } => None,
            Progress::Holding { schedule, .. } => {
                let fenced = self.wanted.ownership == Ownership::Fenced;
                let until = permits.until.get(&self.wanted.address).filter(|_| fenced);
                let due = purse.payable(schedule);
                Some(until.map_or(due, |until| due.min(*until)))
            }
        }
    }

    fn standing(
        &self,
        proxy: &ProxyState,
        permits: &Permits,
        exposed: Option<&str>,
        now: Now,
    ) -> Standing {
        let fenced = self.wanted.ownership == Ownership::Fenced;
        let state = match (&self.berth, &self.progress) {
            (Err(hindrance), _) => State::Hindered(hindrance.clone()),
            (Ok(_), Progress::Elsewhere { mac, .. }) => State::Elsewhere { mac: *mac },
            (Ok(_), Progress::Failed { why, .. }) => State::Failed { why: why.clone() },
            (Ok(berth), Progress::Holding { since, claim, .. }) => State::Holding(Holding {
                berth: berth.clone(),
                mac: self.mac,
                since: *since,
                took: since.saturating_sub(self.begun),
                claimed_by: claim
                    .filter(|claim| now < claim.last + CONFLICT_LASTS)
                    .map(|claim| claim.mac),
                fenced,
                exposed: exposed
                    .filter(|_| {
                        berth.method == Method::Uplink && self.wanted.ports == Ports::ServiceOnly
                    })
                    .map(str::to_owned),
            }),
            (Ok(_), Progress::Asking { .. } | Progress::Awaiting) => State::Asking,
            (Ok(_), Progress::Silent { .. }) if self.is_ready(proxy) && !self.may(permits, now) => {
                let why = permits.why_not.get(&self.wanted.address);
                let why = why.cloned().unwrap_or(fencing::Standing::Unread);
                State::NoLease { why }
            }
            (Ok(_), Progress::Silent { .. }) => match &proxy.programmed {
                Programmed::Failed(why) => State::ProxyUnread { why: why.clone() },
                Programmed::NotRead => State::Asking,
                Programmed::Hidden(_) | Programmed::Targets(_) => self.unserved(proxy),
            },
        };
        Standing {
            address: self.wanted.address,
            state,
        }
    }

    fn unserved(&self, proxy: &ProxyState) -> State {
        match self.wanted.lack(proxy) {
            Some(Lack::Forwarding(service, port)) => State::NotProgrammed {
                service: service.clone(),
                port,
            },
            Some(Lack::Health(service, port)) => State::NotHealthy {
                service: service.clone(),
                port,
            },
            None => State::Asking,
        }
    }
}

#[cfg(test)]
mod tests;
