//! Planned moves between two nodes that live: the former holder answers until the new one is ready to, so that there is no
//! moment without an answer, and none with two.
//!
//! ```text
//!  former holder                          new one
//!    │ goes on                              │ gets ready: its interface, its service proxy
//!    │ ─────────────── Offer ─────────────▶ │ again and again
//!    │ ◀──────────── Wait, Accept ───────── │ not yet; now
//!    │ falls silent                         │
//!    │ ────────────── Release ────────────▶ │ answers and announces; the wire need not be asked
//! ```
//!
//! Each may come to know of the plan first. Whatever is lost is said again. If one of them is gone, or says nothing, it is a
//! planned move as any other: the former holder lets go, and the new one asks the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::liveness::Now;
use crate::peer::{Body, PeerId, Step};
use crate::succession::{Claim, Replanned};

/// Between two words about one address to a node that says nothing.
const GAP: Duration = Duration::from_millis(200);
/// How long the new node waits for a word of the former holder. That one may hear of the plan later.
const AWAIT: Duration = Duration::from_millis(700);
/// How long the former holder goes on without a word of the new node.
const UNHEARD: Duration = Duration::from_secs(3);
/// How long it goes on for a node that is not ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it remembers that it has let go: its word may have been lost.
const REMEMBER: Duration = Duration::from_secs(5);
/// How many words are said at once; others have to wait for [`TURN`].
const AT_ONCE: usize = 64;
const TURN: Duration = Duration::from_millis(20);

/// All moves of addresses from and to one node.
#[derive(Debug, Clone, Default)]
pub struct Handover {
    giving: BTreeMap<IpAddr, Giving>,
    given: BTreeMap<IpAddr, Given>,
    taking: BTreeMap<IpAddr, Taking>,
    /// What this node really answers for.
    held: BTreeSet<IpAddr>,
    /// What it could answer for at once.
    ready: BTreeSet<IpAddr>,
}

/// An address that another node is to have.
#[derive(Debug, Clone, Copy)]
struct Giving {
    to: PeerId,
    plan: u32,
    /// Under which this node goes on meanwhile.
    claim: Claim,
    /// The other is ready, or was waited for long enough.
    ends: bool,
    heard: Now,
    until: Now,
    next: Now,
}

/// An address that another node was told to have.
#[derive(Debug, Clone, Copy)]
struct Given {
    to: PeerId,
    plan: u32,
    until: Now,
}

/// An address that another node has, and this one is to have.
#[derive(Debug, Clone, Copy)]
struct Taking {
    from: PeerId,
    plan: u32,
    /// That one has let go.
    released: bool,
    until: Now,
    next: Now,
}

/// How an address that this node is to have comes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Passage {
    /// Another node still answers for it, and waits until this one is ready.
    Awaited,
    /// That node has let go.
    Released,
}

/// What is to be said, and what is new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// To whom, and what.
    pub say: Vec<(PeerId, Body)>,
    /// What is new.
    pub news: Vec<News>,
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// This node lets go of an address, for another one that is ready or was waited for long enough.
    LetsGo {
        /// Which.
        address: IpAddr,
        /// For whom.
        to: PeerId,
        /// That one is ready.
        ready: bool,
    },
    /// Another node has let go of an address for this one.
    Receives {
        /// Which.
        address: IpAddr,
        /// Who.
        from: PeerId,
    },
    /// The former holder of an address, which this node is to have, says nothing.
    Unheard {
        /// Which.
        address: IpAddr,
        /// Who.
        from: PeerId,
    },
}

// === impl Handover ===

impl Handover {
    // --- what is known ---

    /// The plan of an address is another one. `own` is this node; `lives` says which nodes are not gone.
    pub fn replan(
        &mut self,
        moved: &Replanned,
        own: PeerId,
        lives: impl Fn(PeerId) -> bool,
        now: Now,
    ) {
        let address = moved.former.address;
        let before = self.giving.remove(&address).map(|giving| giving.claim);
        self.given.remove(&address);
        self.taking.remove(&address);
        let (plan, to) = (moved.plan, moved.to);
        let held = self.held.contains(&address);
        let claim = before.unwrap_or(moved.former);
        if to != own && claim.holder == own && held && lives(to) {
            let giving = Giving {
                to,
                plan,
                claim,
                ends: false,
                heard: now,
                until: now + PATIENCE,
                next: now,
            };
            self.giving.insert(address, giving);
        } else if to == own && claim.holder != own && !held && lives(claim.holder) {
            self.await_word(address, claim.holder, plan, now);
        }
    }

    /// Ends what is about another plan than that of the address now, which `plan` tells; `None`: it has none.
    pub fn retain(&mut self, plan: impl Fn(IpAddr) -> Option<u32>) {
        self.giving
            .retain(|address, of| plan(*address) == Some(of.plan));
        self.given
            .retain(|address, of| plan(*address) == Some(of.plan));
        self.taking
            .retain(|address, of| plan(*address) == Some(of.plan));
    }

    /// What this node really answers for.
    pub fn set_held(&mut self, held: BTreeSet<IpAddr>) {
        self.taking.retain(|address, _| !held.contains(address));
        self.held = held;
    }

    /// What this node could answer for at once, of what is [awaited](Passage::Awaited).
    pub fn set_ready(&mut self, ready: BTreeSet<IpAddr>, now: Now) {
        for (address, taking) in &mut self.taking {
            if ready.contains(address) && !self.ready.contains(address) {
                taking.next = now;
            }
        }
        self.ready = ready;
    }

    /// A node is gone: there is nobody to give to, or to take from.
    pub fn gone(&mut self, node: PeerId) {
        self.giving.retain(|_, giving| giving.to != node);
        self.taking
            .retain(|_, taking| taking.from != node || taking.released);
    }

    /// This node stood still for so long that others may have taken over what it was to have, also after it was let go.
    pub fn stood_still(&mut self) {
        self.taking.clear();
    }

    /// A node says that it has an address under that plan.
    pub fn claimed(&mut self, claim: &Claim) {
        self.giving.retain(|address, giving| {
            *address != claim.address || giving.to != claim.holder || giving.plan > claim.term.plan
        });
    }

    // --- what happens ---

    /// A node says something about an address. `mine` is the claim of this node to it, if the plan gives it to this node.
    pub fn receive(
        &mut self,
        from: PeerId,
        (address, plan, step): (IpAddr, u32, Step),
        mine: Option<Claim>,
        now: Now,
    ) -> Output {
        let mut output = Output::default();
        match step {
            Step::Offer => {
                let Some(mine) = mine.filter(|mine| mine.term.plan == plan) else {
                    return output;
                };
                if self.held.contains(&address) {
                    let term = mine.term;
                    output.say.push((from, Body::Claim { address, term }));
                } else if !self
                    .taking
                    .get(&address)
                    .is_some_and(|taking| taking.released)
                {
                    self.await_word(address, from, plan, now);
                }
            }
            Step::Wait | Step::Accept => {
                if let Some(giving) = self.giving.get_mut(&address)
                    && (giving.to, giving.plan) == (from, plan)
                {
                    giving.heard = now;
                    if step == Step::Accept && !giving.ends {
                        giving.ends = true;
                        output.news.push(News::LetsGo {
                            address,
                            to: from,
                            ready: true,
                        });
                    }
                } else if let Some(given) = self.given.get(&address)
                    && (given.to, given.plan) == (from, plan)
                {
                    output.say.push((from, word(address, plan, Step::Release)));
                }
            }
            Step::Release => {
                if let Some(taking) = self.taking.get_mut(&address)
                    && (taking.from, taking.plan, taking.released) == (from, plan, false)
                {
                    taking.released = true;
                    output.news.push(News::Receives { address, from });
                }
            }
        }
        output
    }

    /// What has to be said now, and what was waited for long enough. Call it after anything else, and when [`Self::next`]
    /// has come.
    pub fn tick(&mut self, now: Now) -> Output {
        let mut output = Output::default();
        let mut room = AT_ONCE;
        for (address, giving) in &mut self.giving {
            if !giving.ends && (giving.until <= now || giving.heard + UNHEARD <= now) {
                giving.ends = true;
                let (address, to) = (*address, giving.to);
                output.news.push(News::LetsGo {
                    address,
                    to,
                    ready: false,
                });
            }
            if !giving.ends && is_due(&mut giving.next, &mut room, now) {
                output
                    .say
                    .push((giving.to, word(*address, giving.plan, Step::Offer)));
            }
        }
        let held = &self.held;
        let silent = |address: &IpAddr, giving: &mut Giving| giving.ends && !held.contains(address);
        for (address, Giving { to, plan, .. }) in self.giving.extract_if(.., silent) {
            output.say.push((to, word(address, plan, Step::Release)));
            let until = now + REMEMBER;
            self.given.insert(address, Given { to, plan, until });
        }
        self.given.retain(|_, given| now < given.until);
        let late = |_: &IpAddr, taking: &mut Taking| !taking.released && taking.until <= now;
        for (address, Taking { from, .. }) in self.taking.extract_if(.., late) {
            output.news.push(News::Unheard { address, from });
        }
        for (address, taking) in self.taking.iter_mut().filter(|(_, of)| !of.released) {
            if is_due(&mut taking.next, &mut room, now) {
                let step = match self.ready.contains(address) {
                    true => Step::Accept,
                    false => Step::Wait,
                };
                output
                    .say
                    .push((taking.from, word(*address, taking.plan, step)));
            }
        }
        output
    }

    /// When [`Self::tick`] has to be called.
    pub fn next(&self) -> Option<Now> {
        let giving = self.giving.values().filter(|giving| !giving.ends);
        let giving = giving.map(|giving| giving.next.min(giving.until).min(giving.heard + UNHEARD));
        let given = self.given.values().map(|given| given.until);
        let taking = self.taking.values().filter(|taking| !taking.released);
        let taking = taking.map(|taking| taking.next.min(taking.until));
        giving.chain(given).chain(taking).min()
    }

    // --- what follows ---

    /// What this node goes on to answer for until another one is ready.
    pub fn giving(&self) -> impl Iterator<Item = (Claim, PeerId)> + '_ {
        let going_on = self.giving.values().filter(|giving| !giving.ends);
        going_on.map(|giving| (giving.claim, giving.to))
    }

    /// The claim under which this node goes on.
    pub fn claim(&self, address: IpAddr) -> Option<Claim> {
        let giving = self.giving.get(&address)?;
        (!giving.ends).then_some(giving.claim)
    }

    /// How an address comes to this node; `None` if nobody hands it over.
    pub fn passage(&self, address: IpAddr) -> Option<Passage> {
        Some(match self.taking.get(&address)?.released {
            true => Passage::Released,
            false => Passage::Awaited,
        })
    }

    /// Who hands this node an address over, or did.
    pub fn former(&self, address: IpAddr) -> Option<PeerId> {
        Some(self.taking.get(&address)?.from)
    }

    fn await_word(&mut self, address: IpAddr, from: PeerId, plan: u32, now: Now) {
        let taking = Taking {
            from,
            plan,
            released: false,
            until: now + AWAIT,
            next: now,
        };
        self.taking.insert(address, taking);
    }
}

fn word(address: IpAddr, plan: u32, step: Step) -> Body {
    Body::HandOver {
        address,
        plan,
        step,
    }
}

/// Whether something is to be said now, which it then is not for a while.
fn is_due(next: &mut Now, room: &mut usize, now: Now) -> bool {
    if *next > now {
        return false;
    }
    let may = *room > 0;
    *room -= usize::from(may);
    *next = now + if may { GAP } else { TURN };
    may
}

#[cfg(test)]
mod tests;
