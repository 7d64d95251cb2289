//! One agent among the others: who is alive, and what of theirs falls to this node.
//!
//! ```text
//! datagrams, answers on the wire, the time ─▶ liveness ─ who is gone, who is back ─▶ succession ─▶ deeds
//!                                                │                          new plans ─▶ handover ─▶ deeds
//!                                                └────────── words to others ◀──────────────┘
//! ```
//!
//! The machines know nothing of each other; this hands on what the one has to say to the other, and makes messages of
//! words.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::handover::{self, Handover, Passage};
use crate::liveness::{self, Judgement, Liveness, Now, Refusal, Verdict};
use crate::mooring::SURELY_MISSED;
use crate::peer::{Body, Message, PeerId};
use crate::succession::{self, Claim, Deed, Post, Succession, Word};

/// After so long a pause others may have taken over what this node had: longer than the shortest time in which they do.
pub const DOUBT: Duration = Duration::from_millis(140);

/// A node among others.
#[derive(Debug, Clone)]
pub struct Fleet {
    own: PeerId,
    liveness: Liveness,
    succession: Succession,
    handover: Handover,
}

/// What is to be done, and what is new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// To be sent to the node in `header.to`.
    pub send: Vec<Message>,
    /// Nodes whose addresses are to be asked for on the wire. An answer goes to [`Fleet::answered`].
    pub probe: Vec<PeerId>,
    /// What is new.
    pub news: Vec<News>,
    /// [`Fleet::deeds`] may have others than before.
    pub moved: bool,
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// About the nodes.
    Node(liveness::News),
    /// About addresses.
    Address(succession::News),
    /// About addresses that go from one living node to another.
    HandOver(handover::News),
}

// === impl Fleet ===

impl Fleet {
    /// Of a process that has just started. `seed` has to be another one after each start.
    pub fn new(own: PeerId, seed: u64, now: Now) -> Self {
        Self {
            own,
            liveness: Liveness::new(own, seed, now),
            succession: Succession::new(own),
            handover: Handover::default(),
        }
    }

    // --- what is known ---

    /// All nodes of the cluster, this one or not.
    pub fn set_members(&mut self, members: impl IntoIterator<Item = PeerId>, now: Now) {
        self.liveness.set_members(members, now);
    }

    /// All addresses, as they are planned.
    pub fn set_posts(&mut self, posts: impl IntoIterator<Item = Post>, now: Now) -> Output {
        let told = self.succession.set_posts(posts);
        let (own, succession) = (self.own, &self.succession);
        for replanned in &told.replanned {
            let lives = |node| !succession.is_gone(node);
            self.handover.replan(replanned, own, lives, now);
        }
        self.handover.retain(|address| succession.plan(address));
        let mut output = self.told(told);
        output.add(self.hand_over(now));
        output
    }

    /// What an earlier process of this node had taken over. Call it after [`Self::set_posts`].
    pub fn restore(&mut self, claims: impl IntoIterator<Item = Claim>) -> Output {
        self.succession.restore(claims);
        Output {
            moved: true,
            ..Output::default()
        }
    }

    /// What this node really answers for, and what it asks the wire for once more: see [`Succession::set_held`].
    pub fn set_held(
        &mut self,
        held: BTreeSet<IpAddr>,
        doubted: BTreeSet<IpAddr>,
        now: Now,
    ) -> Output {
        self.handover.set_held(held.clone());
        self.succession.set_held(held, doubted);
        self.hand_over(now)
    }

    /// What this node could answer for at once, of what is [awaited](Passage::Awaited).
    pub fn set_ready(&mut self, ready: BTreeSet<IpAddr>, now: Now) -> Output {
        self.handover.set_ready(ready, now);
        self.hand_over(now)
    }

    // --- what happens ---

    /// A message that bears the right key; and why nothing was made of it, if so. The output has to be seen to in any case.
    pub fn receive(&mut self, message: &Message, now: Now) -> (Output, Result<(), Refusal>) {
        let (seen, result) = self.liveness.receive(message, now);
        let mut output = self.seen(seen, now);
        if result.is_ok() {
            let from = message.header.from;
            let told = match message.body {
                Body::Claim { address, term } => {
                    let claim = Claim {
                        address,
                        holder: from,
                        term,
                    };
                    self.handover.claimed(&claim);
                    self.succession.receive(claim)
                }
                Body::HandOver {
                    address,
                    plan,
                    step,
                } => {
                    let mine = self.succession.claim(address);
                    let word = (address, plan, step);
                    let told = self.handover.receive(from, word, mine, now);
                    output.add(self.handed(told));
                    output.add(self.hand_over(now));
                    return (output, result);
                }
                Body::Gone { subject } if self.liveness.watches(from, subject) => {
                    self.handover.gone(subject);
                    self.succession.told_gone(subject, now)
                }
                _ => return (output, result),
            };
            output.add(self.told(told));
        }
        (output, result)
    }

    /// The kernel of a node answered ARP or NDP for the node's address.
    pub fn answered(&mut self, peer: PeerId, now: Now) -> Output {
        let seen = self.liveness.answered(peer, now);
        self.seen(seen, now)
    }

    /// The kernel of a node said that nobody listens there on the port of agents.
    pub fn refused(&mut self, peer: PeerId) {
        self.liveness.refused(peer);
    }

    /// Whether it said so since its agent was heard last.
    pub fn is_refused(&self, peer: PeerId) -> bool {
        self.liveness.is_refused(peer)
    }

    /// The time has come, or nothing else has.
    pub fn tick(&mut self, now: Now) -> Output {
        let seen = self.liveness.tick(now);
        let mut output = self.seen(seen, now);
        if self.succession.deadline().is_some_and(|due| due <= now) {
            let told = self.succession.tell(now);
            output.add(self.told(told));
        }
        output.add(self.hand_over(now));
        output
    }

    /// When to call [`Self::tick`] again.
    pub fn next(&self) -> Now {
        let others = [self.succession.deadline(), self.handover.next()];
        let others = others.into_iter().flatten();
        others.fold(self.liveness.next(), Now::min)
    }

    // --- what follows ---

    /// The addresses that this node shall answer for, or get ready to, and why.
    pub fn deeds(&self) -> impl Iterator<Item = (IpAddr, Deed)> + '_ {
        let giving = self.handover.giving();
        let giving = giving.map(|(claim, to)| (claim.address, Deed::GoesOn { to }));
        self.succession.deeds().chain(giving)
    }

    /// Under which term this node has an address, if it shall.
    pub fn claim(&self, address: IpAddr) -> Option<Claim> {
        let claim = self.succession.claim(address);
        claim.or_else(|| self.handover.claim(address))
    }

    /// How an address that this node shall have comes to it; `None` if no other node hands it over.
    pub fn passage(&self, address: IpAddr) -> Option<Passage> {
        self.handover.passage(address)
    }

    /// Who hands this node an address over, or did.
    pub fn former(&self, address: IpAddr) -> Option<PeerId> {
        self.handover.former(address)
    }

    /// What this node has taken over, to be written down.
    pub fn taken_over(&self) -> impl Iterator<Item = Claim> + '_ {
        self.succession.taken_over()
    }

    /// What is thought of a node; `None` if others watch it.
    pub fn judgement(&self, peer: PeerId) -> Option<Judgement> {
        self.liveness.judgement(peer)
    }

    /// Whether nothing came from anybody for a second, although there are others, and something came before.
    pub fn hears_nobody(&self, now: Now) -> bool {
        self.liveness.hears_nobody(now)
    }

    /// Whether this node stood still and has heard nobody since who heard it: see [`Liveness::question_hearing`].
    pub fn is_deaf(&self) -> bool {
        self.liveness.is_deaf()
    }

    /// For how long nothing came from a node that this one watches, if anything ever did.
    pub fn silence(&self, peer: PeerId, now: Now) -> Option<Duration> {
        self.liveness.silence(peer, now)
    }

    // --- from one to the other ---

    fn seen(&mut self, seen: liveness::Output, now: Now) -> Output {
        let mut output = Output {
            send: seen.send,
            probe: seen.probe,
            ..Output::default()
        };
        for news in seen.news {
            output.news.push(News::Node(news));
            let told = match news {
                liveness::News::Judged {
                    peer,
                    former,
                    judgement,
                } => {
                    if matches!(judgement.verdict, Verdict::Dead | Verdict::AgentSilent) {
                        self.handover.gone(peer);
                    }
                    self.succession.judged(peer, &former, &judgement, now)
                }
                liveness::News::Restarted { peer } => self.succession.restarted(peer),
                liveness::News::HeldUp { missed } if missed >= SURELY_MISSED => {
                    self.succession.stood_still();
                    self.handover.stood_still();
                    output.send.extend(self.liveness.question_hearing(now).send);
                    output.moved = true;
                    continue;
                }
                liveness::News::Hears { .. } => {
                    output.moved = true;
                    continue;
                }
                liveness::News::HeldUp { .. } | liveness::News::Lost { .. } => continue,
            };
            output.add(self.told(told));
        }
        output
    }

    fn told(&mut self, told: succession::Output) -> Output {
        let messages = told.tell.into_iter().map(|(to, word)| {
            let body = match word {
                Word::Has(Claim { address, term, .. }) => Body::Claim { address, term },
                Word::Gone(subject) => Body::Gone { subject },
            };
            self.liveness.message(to, body)
        });
        Output {
            send: messages.collect(),
            probe: Vec::new(),
            news: told.news.into_iter().map(News::Address).collect(),
            moved: true,
        }
    }

    /// Goes on with what is handed over.
    fn hand_over(&mut self, now: Now) -> Output {
        let told = self.handover.tick(now);
        self.handed(told)
    }

    fn handed(&mut self, told: handover::Output) -> Output {
        let messages = told.say.into_iter();
        Output {
            send: messages
                .map(|(to, body)| self.liveness.message(to, body))
                .collect(),
            probe: Vec::new(),
            moved: !told.news.is_empty(),
            news: told.news.into_iter().map(News::HandOver).collect(),
        }
    }
}

// === impl Output ===

impl Output {
    fn add(&mut self, more: Self) {
        self.send.extend(more.send);
        self.probe.extend(more.probe);
        self.news.extend(more.news);
        self.moved |= more.moved;
    }
}

#[cfg(test)]
mod tests;
