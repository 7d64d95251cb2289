//! One address of a node, and how far the node is with it.

mod told;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::fencing::Permits;
use crate::ipam::service::ServicePort;
use crate::wire::Mac;

use super::Now;
use super::announcements::{Purse, Schedule};
use super::berth::{Berth, Hindrance, Method, Place};
use super::orders::{Orders, Sending, Words};
use super::wanted::{Arrival, Lack, Path, Programmed, ProxyState, Served, Target, Wanted};

/// How often the wire is asked before an address is taken.
const ASKS: u32 = 3;
/// Between two questions.
const ASK_GAP: Duration = Duration::from_millis(100);
/// How long answers to the last question are waited for. A node whose cores are all busy was seen to answer 100 ms late.
const LISTEN: Duration = Duration::from_millis(200);
/// Both, where there is no time to lose, as nothing of the former holder's answers any more, or it has answered for something
/// else: see [`Arrival::TakenOver`] and [`Arrival::AgentGone`].
const HASTE: Duration = Duration::from_millis(15);
/// How long it counts that nobody answered, while the service proxy is waited for.
const SILENCE_LASTS: Duration = Duration::from_secs(10);
/// How long after an answer the wire is asked again. The former holder may only be about to hear that it is over.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The same at first, where that is about to end: see [`Arrival::AgentGone`].
const ASK_AGAIN_AT_ONCE: Duration = Duration::from_millis(30);
/// The same, once the other one has answered for [`STUBBORN`].
const ASK_AGAIN_LATER: Duration = Duration::from_secs(1);
/// See [`ASK_AGAIN_LATER`].
const STUBBORN: Duration = Duration::from_secs(10);
/// A foreign claim is answered at most so often (`DEFEND_INTERVAL`, RFC 5227 section 1.1): two hosts that both defend would
/// go on for ever.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// How long after the last foreign claim there is still said to be a conflict.
const CONFLICT_LASTS: Duration = Duration::from_secs(60);

/// One address.
#[derive(Debug)]
pub(super) struct Mooring {
    pub(super) wanted: Wanted,
    pub(super) berth: Result<Berth, Hindrance>,
    /// The MAC address of the interface.
    pub(super) mac: Option<Mac>,
    /// How the interface's frames get to the segment.
    pub(super) path: Option<Path>,
    /// Since when it is wanted.
    pub(super) begun: Now,
    /// Whence it was handed over since then; see [`Wanted::former`].
    pub(super) former: Option<IpAddr>,
    /// Since when somebody else answers for it, each time it is asked for.
    pub(super) contested: Option<Now>,
    /// It was held until the node stood still, unless it is another's; see [`Self::is_doubted`].
    doubted: bool,
    pub(super) progress: Progress,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// The wire is being asked who has it.
    Asking { asked: u32, next: Now, haste: bool },
    /// The wire cannot be asked; see [`Arrival::Deaf`].
    Deaf,
    /// Another node has it, and lets go as soon as this one is ready.
    Awaiting,
    /// Nobody has it.
    Silent { at: Now },
    /// Somebody else has it.
    Elsewhere { mac: Mac, next: Now },
    /// An order could not be carried out.
    Failed { why: String, next: Now },
    /// The node answers for it.
    Holding {
        since: Now,
        schedule: Schedule,
        claim: Option<Claim>,
        forsaken: Option<Forsaken>,
    },
}

/// The service proxy does not forward an address any more that the node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forsaken {
    since: Now,
    missing: BTreeSet<Target>,
}

/// Somebody else says that it has an address that the node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) mac: Mac,
    last: Now,
    defended: Now,
}

impl Progress {
    fn begin(now: Now, arrival: Arrival) -> Self {
        match arrival {
            Arrival::Awaited => Self::Awaiting,
            Arrival::Released => Self::Silent { at: now },
            Arrival::Planned | Arrival::TakenOver | Arrival::AgentGone => Self::Asking {
                asked: 0,
                next: now,
                haste: arrival == Arrival::TakenOver,
            },
            Arrival::Deaf => Self::Deaf,
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

// === impl Mooring ===

impl Mooring {
    pub(super) fn new(wanted: Wanted, now: Now) -> Self {
        Self {
            progress: Progress::begin(now, wanted.arrival),
            former: wanted.former,
            contested: None,
            doubted: false,
            wanted,
            berth: Err(Hindrance::NoUplink),
            mac: None,
            path: None,
            begun: now,
        }
    }

    /// What is held is held on; else it begins anew if it comes in another way.
    pub(super) fn wanted_so(mut self, wanted: Wanted, now: Now) -> Self {
        if wanted.arrival != self.wanted.arrival && !self.is_held() {
            let waited = self.progress == Progress::Awaiting;
            match wanted.arrival {
                Arrival::Planned | Arrival::TakenOver | Arrival::AgentGone
                    if self.progress == Progress::Deaf =>
                {
                    self.begin(Arrival::Planned, now);
                }
                Arrival::Planned if !waited => {}
                arrival => self.begin(arrival, now),
            }
        }
        self.former = wanted.former.or(self.former);
        self.wanted = wanted;
        self
    }

    /// Somebody else, `mac`, answered or spoke for it; tells whether that is of interest.
    pub(super) fn hear(&mut self, mac: Mac, now: Now) -> bool {
        match &mut self.progress {
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
            // That is who hands it over; and what a deaf node hears may be old.
            Progress::Awaiting | Progress::Deaf => return false,
            progress => {
                self.doubted = false;
                let answers_for = now.saturating_sub(*self.contested.get_or_insert(now));
                let patience = match self.wanted.arrival {
                    _ if answers_for >= STUBBORN => ASK_AGAIN_LATER,
                    // Soon at first only: on an uplink the kernel goes on answering.
                    Arrival::AgentGone => answers_for.clamp(ASK_AGAIN_AT_ONCE, ASK_AGAIN),
                    _ => ASK_AGAIN,
                };
                *progress = Progress::Elsewhere {
                    mac,
                    next: now + patience,
                };
            }
        }
        true
    }

    /// What the node that had it is asked for beside it, while the wire is asked; see [`Arrival::AgentGone`].
    pub(super) fn voucher(&self) -> Option<IpAddr> {
        let asking = matches!(self.progress, Progress::Asking { .. });
        let former = self.former;
        former.filter(|_| asking && self.wanted.arrival == Arrival::AgentGone)
    }

    /// That node has answered for it; tells whether an answer for this address is waited for less long now.
    pub(super) fn vouch(&mut self, now: Now) -> bool {
        let Progress::Asking { next, .. } = &mut self.progress else {
            return false;
        };
        let soon = now + HASTE;
        let sooner = soon < *next;
        *next = soon.min(*next);
        sooner
    }

    /// Begins anew.
    pub(super) fn begin(&mut self, arrival: Arrival, now: Now) {
        self.begun = now;
        self.contested = None;
        self.progress = Progress::begin(now, arrival);
    }

    /// Asks anew, as others may have taken over meanwhile; for `certain` have, if they live.
    pub(super) fn doubt(&mut self, certain: bool, now: Now) {
        let answers = matches!(&self.berth, Ok(berth) if berth.method == Method::Responder);
        let unsure = match &self.progress {
            Progress::Holding { .. } => answers || certain,
            Progress::Asking { .. } | Progress::Silent { .. } => true,
            Progress::Awaiting
            | Progress::Deaf
            | Progress::Elsewhere { .. }
            | Progress::Failed { .. } => false,
        };
        if !unsure {
            return;
        }
        let arrival = match self.wanted.arrival {
            // If it was long, somebody has it, who may be slow to say so.
            _ if certain => Arrival::Planned,
            slow @ (Arrival::Planned | Arrival::AgentGone) if !self.is_held() => slow,
            // If nobody has it, nobody serves it meanwhile.
            _ => Arrival::TakenOver,
        };
        self.doubted = self.is_held() || self.is_doubted();
        self.begin(arrival, now);
    }

    /// Whether it was held until the node stood still, and the wire is being asked who has it now.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted && matches!(self.progress, Progress::Asking { .. } | Progress::Deaf)
    }

    /// What the service proxy does not forward any more, of everything that the node holds.
    pub(super) fn miss(&mut self, missing: &BTreeSet<Target>, now: Now) {
        let missing = self.wanted.targets().filter(|of| missing.contains(of));
        let missing: BTreeSet<Target> = missing.collect();
        // Of several Services that share the address, one may be without endpoints.
        let lacks = self.lack_without(&missing).is_some();
        if let Progress::Holding { forsaken, .. } = &mut self.progress {
            let since = forsaken.take().map_or(now, |former| former.since);
            *forsaken = lacks.then_some(Forsaken { since, missing });
        }
    }

    /// What is lacking where everything is forwarded but that.
    fn lack_without(&self, missing: &BTreeSet<Target>) -> Option<(&Served, ServicePort)> {
        let there = self.wanted.targets().filter(|of| !missing.contains(of));
        let proxy = ProxyState {
            programmed: Programmed::Targets(there.collect()),
            ..ProxyState::default()
        };
        match self.wanted.lack(&proxy)? {
            Lack::Forwarding(served, port) => Some((served, port)),
            Lack::Health(..) => None,
        }
    }

    pub(super) fn hold(&mut self, now: Now) {
        self.doubted = false;
        self.progress = Progress::Holding {
            since: now,
            schedule: Schedule::begin(now),
            claim: None,
            forsaken: None,
        };
    }

    /// Takes a new berth. Another interface is another segment, where nobody was asked yet; the same one under another name,
    /// with another MAC address or by another path is not, but everybody has to hear of it.
    pub(super) fn moved(
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

    pub(super) fn go_on(
        &mut self,
        proxy: &ProxyState,
        permits: &Permits,
        now: Now,
        send: &mut Vec<Sending>,
    ) {
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
                    self.contested = None;
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
            next: now + pause(1, false),
            haste: false,
        };
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Holding { .. })
    }

    /// Whether its Lease lets the node answer, if it needs one.
    pub(super) fn may(&self, permits: &Permits, now: Now) -> bool {
        let until = permits.until.get(&self.wanted.address);
        !self.wanted.is_fenced() || until.is_some_and(|until| now < *until)
    }

    /// Lets go of what may not be held any more.
    pub(super) fn lapse(&mut self, permits: &Permits, now: Now) {
        if self.is_held() && !self.may(permits, now) {
            self.begin(Arrival::Planned, now);
        }
    }

    pub(super) fn is_ready(&self, proxy: &ProxyState) -> bool {
        match &proxy.programmed {
            Programmed::NotRead | Programmed::Failed(_) => false,
            Programmed::Hidden(_) | Programmed::Targets(_) => self.wanted.lack(proxy).is_none(),
        }
    }

    pub(super) fn order(&self, berth: &Berth, orders: &mut Orders) {
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
    pub(super) fn due(&mut self, now: Now) -> Option<(&mut Schedule, Sending)> {
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

    pub(super) fn deadline(&self, purse: &Purse, permits: &Permits) -> Option<Now> {
        self.berth.as_ref().ok()?;
        match &self.progress {
            Progress::Asking { next, .. }
            | Progress::Elsewhere { next, .. }
            | Progress::Failed { next, .. } => Some(*next),
            Progress::Awaiting | Progress::Deaf | Progress::Silent { .. } => None,
            Progress::Holding { schedule, .. } => {
                let until = permits.until.get(&self.wanted.address);
                let until = until.filter(|_| self.wanted.is_fenced());
                let due = purse.payable(schedule);
                Some(until.map_or(due, |until| due.min(*until)))
            }
        }
    }
}
