//! One Lease.

use crate::liveness::Now;

use super::machine::{Answer, Call, Record, Seen};
use super::standing::Standing;
use super::{DEFER, DURATION, HOLD, LOOK, PATIENCE, RENEW, RETRY, UNKNOWN};

/// The Lease of one address, as a node sees it.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    wish: Wish,
    /// What was read or written last.
    known: Option<Known>,
    /// That is out of date, or may be.
    stale: bool,
    /// Something was written of which it is not known what became.
    doubtful: bool,
    /// Until when this node holds it.
    until: Now,
    under_way: Option<UnderWay>,
    next: Now,
    gap: Now,
    trouble: Option<String>,
}

/// Whether this node wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Yes.
    Have,
    /// Not any more, or not for now.
    LetGo {
        /// Whoever answers for the address has to go by the permits of that turn.
        turn: u64,
        /// It does, and is silent.
        silent: bool,
        /// It is wanted again afterwards.
        cedes: bool,
        /// When nothing more is done about it.
        until: Now,
    },
}

#[derive(Debug, Clone)]
struct Known {
    seen: Option<Seen>,
    /// When that was seen first.
    since: Now,
}

/// A call that was not answered yet.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    ticket: u64,
    sent: Now,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Look,
    /// To make one where there is none: see [`UNKNOWN`].
    Make,
    Take,
    Renew,
    Release,
}

/// Where it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) own: &'a str,
    pub(super) isolated: bool,
}

// === impl Lease ===

impl Lease {
    pub(super) fn new(now: Now) -> Self {
        Self {
            wish: Wish::Have,
            known: None,
            stale: true,
            doubtful: false,
            until: Now::ZERO,
            under_way: None,
            next: now,
            gap: LOOK.0,
            trouble: None,
        }
    }

    // --- what is known ---

    pub(super) fn want(&mut self, now: Now) {
        match &mut self.wish {
            Wish::Have => {}
            // It is released first.
            Wish::LetGo { cedes: true, .. } => {}
            Wish::LetGo { .. } => {
                self.wish = Wish::Have;
                self.hurry(now);
            }
        }
    }

    /// Says whether a permit may have been taken away.
    pub(super) fn unwant(&mut self, turn: u64, now: Now) -> bool {
        match &mut self.wish {
            Wish::Have => {
                self.let_go(turn, false, now);
                true
            }
            Wish::LetGo { cedes, .. } => {
                *cedes = false;
                false
            }
        }
    }

    /// The same, for now.
    pub(super) fn cede(&mut self, turn: u64, now: Now) -> bool {
        let has = self.wish == Wish::Have;
        if has {
            self.let_go(turn, true, now);
        }
        has
    }

    fn let_go(&mut self, turn: u64, cedes: bool, now: Now) {
        self.wish = Wish::LetGo {
            turn,
            silent: false,
            cedes,
            until: now + DURATION,
        };
    }

    pub(super) fn heeded(&mut self, heeded: u64, held: bool) {
        if let Wish::LetGo { turn, silent, .. } = &mut self.wish
            && *turn <= heeded
            && !held
            && !*silent
        {
            *silent = true;
            self.next = Now::ZERO;
        }
    }

    pub(super) fn answered(&mut self, own: &str, ticket: u64, answer: Answer, now: Now) {
        let Some(call) = self.under_way.filter(|call| call.ticket == ticket) else {
            return;
        };
        self.under_way = None;
        match answer {
            Answer::Is(seen) => {
                self.trouble = None;
                self.doubtful = false;
                self.see(seen, now);
                match call.what {
                    What::Take | What::Renew => {
                        self.until = call.sent + HOLD;
                        self.gap = LOOK.0;
                        self.next = match self.wish {
                            Wish::Have => call.sent + RENEW,
                            Wish::LetGo { .. } => now,
                        };
                    }
                    What::Make | What::Release => self.next = now,
                    What::Look => {
                        // Somebody has taken it from this node.
                        let other = |holder: &str| holder != own && holder != UNKNOWN;
                        if self.holder().is_some_and(other) {
                            self.until = Now::ZERO;
                        }
                        self.next = now;
                    }
                }
            }
            Answer::Conflict => {
                self.trouble = None;
                self.stale = true;
                self.next = now;
            }
            Answer::Lost(why) => self.lost(call.what, why, now),
        }
    }

    /// What is seen again counts from when it was seen first.
    fn see(&mut self, seen: Option<Seen>, now: Now) {
        self.stale = false;
        let version = |seen: &Option<Seen>| seen.as_ref().map(|seen| seen.version.clone());
        match &self.known {
            Some(known) if version(&known.seen) == version(&seen) => {}
            _ => self.known = Some(Known { seen, since: now }),
        }
    }

    fn lost(&mut self, what: What, why: String, now: Now) {
        self.trouble = Some(why);
        self.doubtful |= !matches!(what, What::Look | What::Make);
        // A renewal is tried in the same version first: each round trip counts.
        self.stale |= what != What::Renew;
        let pause = if now < self.until {
            RETRY
        } else {
            RETRY.max(self.gap)
        };
        self.gap = (self.gap * 2).min(LOOK.1);
        self.next = now + pause;
    }

    // --- what follows ---

    pub(super) fn tick(&mut self, place: Place<'_>, ticket: u64, now: Now) -> Option<Call> {
        if let Some(call) = self.under_way
            && call.sent + PATIENCE <= now
        {
            self.under_way = None;
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            self.lost(call.what, why, now);
        }
        if let Wish::LetGo {
            silent,
            cedes,
            until,
            ..
        } = self.wish
            && cedes
            && self.under_way.is_none()
            && (until <= now || (silent && !self.may_be_of(place.own)))
        {
            self.wish = Wish::Have;
            self.hurry(now);
        }
        if let Wish::LetGo { until, .. } = &mut self.wish
            && *until <= now
        {
            // Nothing can be done about it: it runs out.
            (self.known, self.doubtful, self.until) = (None, false, Now::ZERO);
        }
        if self.under_way.is_some() || now < self.next {
            return None;
        }
        let what = self.decide(place, now)?;
        let call = self.call(place.own, what);
        if what == What::Release {
            self.until = Now::ZERO;
        }
        self.under_way = Some(UnderWay {
            ticket,
            sent: now,
            what,
        });
        Some(call)
    }

    /// What to do now, or when to ask again.
    fn decide(&mut self, place: Place<'_>, now: Now) -> Option<What> {
        if let Wish::LetGo { silent, until, .. } = self.wish {
            if !silent || !self.may_be_of(place.own) {
                // [`Self::heeded`] comes sooner, or never.
                self.next = until.max(now);
                return None;
            }
            return Some(match self.stale {
                true => What::Look,
                false => What::Release,
            });
        }
        let Some(known) = self.known.as_ref().filter(|_| !self.stale) else {
            return Some(What::Look);
        };
        let holds = now < self.until;
        let Some(seen) = &known.seen else {
            return Some(if holds { What::Take } else { What::Make });
        };
        let patience = match seen.record.holder.as_deref() {
            Some(holder) if holder == place.own => return Some(What::Renew),
            // It is this node that may still count on the one that was deleted.
            Some(UNKNOWN) if holds => return Some(What::Take),
            // A holder of another release may have said something else.
            Some(_) => seen.record.duration.max(DURATION),
            None => Now::ZERO,
        };
        let defer = if place.isolated { DEFER } else { Now::ZERO };
        let free = known.since + patience + defer;
        if free <= now {
            return Some(What::Take);
        }
        self.next = free.min(now + self.gap);
        // When the time is over it is taken as it is known: the version tells whether it still is so.
        self.stale = self.next < free;
        self.gap = (self.gap * 2).min(LOOK.1);
        None
    }

    fn call(&self, own: &str, what: What) -> Call {
        if what == What::Look {
            return Call::Look;
        }
        let seen = self.known.as_ref().and_then(|known| known.seen.as_ref());
        let transitions = seen.map_or(0, |seen| seen.record.transitions);
        Call::Write {
            version: seen.map(|seen| seen.version.clone()),
            record: Record {
                holder: match what {
                    What::Release => None,
                    What::Make => Some(UNKNOWN.to_owned()),
                    _ => Some(own.to_owned()),
                },
                duration: DURATION,
                transitions: transitions + u32::from(what == What::Take && seen.is_some()),
            },
            new: what != What::Renew,
        }
    }

    pub(super) fn next(&self) -> Now {
        match self.under_way {
            Some(call) => call.sent + PATIENCE,
            None => self.next,
        }
    }

    pub(super) fn permit(&self) -> Option<Now> {
        (self.wish == Wish::Have && self.until > Now::ZERO).then_some(self.until)
    }

    /// Nothing is left to do about it.
    pub(super) fn is_over(&self, own: &str) -> bool {
        let Wish::LetGo { silent, cedes, .. } = self.wish else {
            return false;
        };
        let gives = self.under_way.is_some() || self.may_be_of(own);
        !cedes && !gives && (silent || self.until == Now::ZERO)
    }

    pub(super) fn standing(&self, own: &str, now: Now) -> Option<Standing> {
        match self.wish {
            Wish::LetGo { cedes: true, .. } => return Some(Standing::Isolated),
            Wish::LetGo { .. } => return None,
            Wish::Have if now < self.until => return Some(Standing::Held),
            Wish::Have => {}
        }
        if let Some(why) = &self.trouble {
            return Some(Standing::Unanswered { why: why.clone() });
        }
        let Some(known) = &self.known else {
            return Some(Standing::Unread);
        };
        Some(match self.holder() {
            _ if known.seen.is_none() => Standing::Absent,
            Some(UNKNOWN) => Standing::Absent,
            Some(holder) if holder != own => Standing::HeldBy {
                holder: holder.to_owned(),
            },
            _ => Standing::Free,
        })
    }

    fn holder(&self) -> Option<&str> {
        let seen = self.known.as_ref()?.seen.as_ref()?;
        seen.record.holder.as_deref()
    }

    /// Whether this node holds it in the API, or may.
    fn may_be_of(&self, own: &str) -> bool {
        self.doubtful || self.holder() == Some(own)
    }

    /// It may be free now.
    fn hurry(&mut self, now: Now) {
        self.gap = LOOK.0;
        self.next = self.next.min(now);
        self.stale |= self.holder().is_none();
    }
}
