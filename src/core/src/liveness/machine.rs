//! The machine: messages, answers and the time in; messages, questions and news out.

mod hearing;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::peer::{Acquaintance, Body, Header, Message, PeerId, Tokens, Worth};

use self::hearing::Deafness;
use super::Now;
use super::judgement::{Judgement, Reason, Verdict};
use super::rhythm::PERIOD;
use super::ring;
use super::subject::{Asked, Inquiry, Subject};

/// How late this process may be woken before that is a time in which it did not run.
const HELD_UP: Duration = Duration::from_millis(30);

/// From one greeting to the next, to those whom this node may have to ask or who may have to ask it.
const GREETING_GAP: Duration = Duration::from_secs(10);

/// The same, to those that are not known yet.
const FIRST_GREETING_GAP: Duration = Duration::from_secs(1);

/// Strangers are greeted no more often: greetings answer whatever bears the right key, also what somebody sends again.
const STRANGER_GAP: Duration = Duration::from_millis(50);

/// What one node thinks of the others, and what it does to find out.
#[derive(Debug, Clone)]
pub struct Liveness {
    own: PeerId,
    session: u64,
    tokens: Tokens,
    peers: BTreeMap<PeerId, Peer>,
    /// All nodes of the cluster and this one, in ascending order.
    members: Vec<PeerId>,
    watchers: Vec<PeerId>,
    /// Whom this node may have to ask, or who may have to ask it, but for those that get its beats anyway.
    greeted: Vec<PeerId>,
    subjects: BTreeMap<PeerId, Watched>,
    next_beat: Now,
    /// When anything came from anybody.
    heard_anybody: Option<Now>,
    /// When this machine was to be called again.
    due: Option<Now>,
    deafness: Option<Deafness>,
}

/// Somebody whom messages were exchanged with. Never forgotten: its tokens must not begin anew.
#[derive(Debug, Clone)]
struct Peer {
    acquaintance: Acquaintance,
    greeted: Option<Now>,
}

/// A node that is watched, and its other watchers.
#[derive(Debug, Clone)]
struct Watched {
    subject: Subject,
    witnesses: Vec<PeerId>,
}

/// A node that hears nobody for so long is alone.
const ALONE: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// To be sent to the node in `header.to`.
    pub send: Vec<Message>,
    /// Nodes whose addresses are to be asked for on the wire. An answer goes to [`Liveness::answered`].
    pub probe: Vec<PeerId>,
    /// What is new.
    pub news: Vec<News>,
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Another verdict on a node, or the same for another reason.
    Judged {
        /// Which.
        peer: PeerId,
        /// What was thought before.
        former: Judgement,
        /// What is thought now.
        judgement: Judgement,
    },
    /// The agent of a node is another process than before.
    Restarted {
        /// Which.
        peer: PeerId,
    },
    /// This process did not run for so long: others may have taken it for dead.
    HeldUp {
        /// How long.
        missed: Duration,
    },
    /// After this node [stood still](Liveness::question_hearing).
    Hears {
        /// Somebody is heard who heard this node since; else it was waited for in vain.
        anybody: bool,
        /// How long it took.
        after: Duration,
    },
    /// Messages of other agents got lost on the way, as is known from now on.
    Lost {
        /// How many.
        messages: u64,
    },
}

/// Why nothing was made of a message that bears the right key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It was sent to another node.
    NotForMe,
    /// It says that this node sent it.
    FromMyself,
    /// Its sender is no node of this cluster, as far as is known.
    NotAMember,
    /// It was there before, or later ones have overtaken it.
    Repeated,
    /// Its sender has not shown that it runs now. It was greeted, unless it was just before.
    Stranger,
}

// === impl Liveness ===

impl Liveness {
    /// Of a node whose process has just started. `seed` has to be another one after each start.
    pub fn new(own: PeerId, seed: u64, now: Now) -> Self {
        let mut tokens = Tokens::new(seed);
        Self {
            own,
            session: tokens.next(),
            tokens,
            peers: BTreeMap::new(),
            members: Vec::new(),
            watchers: Vec::new(),
            greeted: Vec::new(),
            subjects: BTreeMap::new(),
            next_beat: now,
            heard_anybody: None,
            due: None,
            deafness: None,
        }
    }

    /// All nodes of the cluster, this one or not.
    pub fn set_members(&mut self, members: impl IntoIterator<Item = PeerId>, now: Now) {
        let mut members: Vec<PeerId> = members.into_iter().chain([self.own]).collect();
        members.sort_unstable();
        members.dedup();
        if members == self.members {
            return;
        }
        self.members = members;
        self.watchers = ring::watchers(self.own, &self.members);
        self.greeted = ring::neighbours(self.own, &self.members);
        self.greeted.retain(|id| !self.watchers.contains(id));
        let mut former = std::mem::take(&mut self.subjects);
        for id in ring::subjects(self.own, &self.members) {
            let mut witnesses = ring::watchers(id, &self.members);
            witnesses.retain(|witness| *witness != self.own);
            let known = former.remove(&id).map(|watched| watched.subject);
            let watched = Watched {
                subject: known.unwrap_or_else(|| Subject::new(now)),
                witnesses,
            };
            self.subjects.insert(id, watched);
        }
    }

    /// What is thought of a node; `None` if others watch it.
    pub fn judgement(&self, peer: PeerId) -> Option<Judgement> {
        Some(self.subjects.get(&peer)?.subject.judgement)
    }

    /// Whether nothing came from anybody for a second, although there are others, and something came before.
    pub fn hears_nobody(&self, now: Now) -> bool {
        let heard = self.heard_anybody.filter(|_| self.members.len() > 1);
        heard.is_some_and(|heard| heard + ALONE <= now)
    }

    /// For how long nothing came from a node that this one watches, if anything ever did.
    pub fn silence(&self, peer: PeerId, now: Now) -> Option<Duration> {
        self.subjects.get(&peer)?.subject.silence(now)
    }

    /// A message that bears the right key; and why nothing was made of it, if so. The output has to be seen to in any case.
    pub fn receive(&mut self, message: &Message, now: Now) -> (Output, Result<(), Refusal>) {
        let mut output = Output::default();
        self.wake(now, &mut output);
        let result = self.take_in(message, now, &mut output);
        self.due = Some(self.next());
        (output, result)
    }

    /// The kernel of a node answered ARP or NDP for the node's address.
    pub fn answered(&mut self, peer: PeerId, now: Now) -> Output {
        let mut output = Output::default();
        self.wake(now, &mut output);
        if let Some(watched) = self.subjects.get_mut(&peer) {
            self.heard_anybody = Some(now);
            watched.subject.answered(now);
            self.judge(peer, now, &mut output);
        }
        self.due = Some(self.next());
        output
    }

    /// The kernel of a node said that nobody listens there on the port of agents. It does not bear a key.
    pub fn refused(&mut self, peer: PeerId) {
        if let Some(watched) = self.subjects.get_mut(&peer) {
            watched.subject.refused();
        }
    }

    /// Whether it said so since its agent was heard last.
    pub fn is_refused(&self, peer: PeerId) -> bool {
        self.subjects
            .get(&peer)
            .is_some_and(|watched| watched.subject.is_refused())
    }

    /// The time has come, or nothing else has.
    pub fn tick(&mut self, now: Now) -> Output {
        let mut output = Output::default();
        self.wake(now, &mut output);
        if self.next_beat <= now {
            self.beat(now, &mut output);
        }
        let is_deaf = self.hearken(now, &mut output);
        let due: Vec<PeerId> = self
            .subjects
            .iter()
            .filter(|(_, watched)| !is_deaf && watched.subject.next() <= now)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            self.judge(peer, now, &mut output);
            self.inquire(peer, now, &mut output);
            self.judge(peer, now, &mut output);
        }
        self.due = Some(self.next());
        output
    }

    /// Whether the one watches the other, so that its word on it counts.
    pub fn watches(&self, watcher: PeerId, subject: PeerId) -> bool {
        ring::watchers(subject, &self.members).contains(&watcher)
    }

    /// When to call [`Self::tick`] again.
    pub fn next(&self) -> Now {
        if let Some(hearkens) = self.hearkens() {
            return hearkens.min(self.next_beat);
        }
        let subjects = self.subjects.values().map(|watched| watched.subject.next());
        subjects.fold(self.next_beat, Now::min)
    }

    // --- what happens ---

    /// Notices that this process did not run.
    fn wake(&mut self, now: Now, output: &mut Output) {
        let missed = self
            .due
            .map_or(Duration::ZERO, |due| now.saturating_sub(due));
        if missed < HELD_UP {
            return;
        }
        for watched in self.subjects.values_mut() {
            watched.subject.forgive(missed, now);
        }
        output.news.push(News::HeldUp { missed });
    }

    fn take_in(&mut self, message: &Message, now: Now, output: &mut Output) -> Result<(), Refusal> {
        let Message { header, body } = message;
        let from = header.from;
        if from == self.own {
            return Err(Refusal::FromMyself);
        }
        if header.to != self.own {
            return Err(Refusal::NotForMe);
        }
        if self.members.binary_search(&from).is_err() {
            return Err(Refusal::NotAMember);
        }
        let peer = peer(&mut self.peers, &mut self.tokens, from);
        let heard_me = peer.acquaintance.is_echoed_by(header);
        let (skipped, lost) = match peer.acquaintance.receive(header, &mut self.tokens) {
            Worth::New { skipped, lost } => (skipped, lost),
            Worth::Met { again } => {
                if again {
                    output.news.push(News::Restarted { peer: from });
                }
                if let Some(watched) = self.subjects.get_mut(&from) {
                    watched.subject.restarted();
                }
                // So that it meets this process, too, and either can be asked.
                output.send.push(self.message(from, Body::Greeting));
                (0, 0)
            }
            Worth::Repeated => return Err(Refusal::Repeated),
            Worth::Stranger => {
                if peer
                    .greeted
                    .is_none_or(|greeted| greeted + STRANGER_GAP <= now)
                {
                    peer.greeted = Some(now);
                    let mut greeting = self.message(from, Body::Greeting);
                    greeting.header.echo = header.token;
                    output.send.push(greeting);
                }
                return Err(Refusal::Stranger);
            }
        };
        self.heard_anybody = Some(now);
        if heard_me {
            self.hears(true, now, output);
        }
        if lost > 0 {
            output.news.push(News::Lost { messages: lost });
        }
        if let Some(watched) = self.subjects.get_mut(&from) {
            watched.subject.spoke(now, lost);
            if *body == Body::Beat {
                watched.subject.beat(now, skipped);
            }
            self.judge(from, now, output);
        }
        match body {
            Body::Beat | Body::Greeting | Body::Claim { .. } | Body::HandOver { .. } => {}
            Body::Gone { subject } => {
                if let Some(watched) = self.subjects.get_mut(subject)
                    && watched.witnesses.contains(&from)
                {
                    let inquiry = watched.subject.accused(from, now);
                    self.find_out(*subject, inquiry, output);
                    self.judge(*subject, now, output);
                }
            }
            Body::Ask { subject } => {
                let watched = self.subjects.get(subject);
                let heard = watched.and_then(|watched| watched.subject.silence(now));
                let subject = *subject;
                output
                    .send
                    .push(self.message(from, Body::Tell { subject, heard }));
            }
            Body::Tell { subject, heard } => {
                let watched = self.subjects.get_mut(subject);
                if let Some(watched) = watched {
                    let heard = heard.map(|ago| now.saturating_sub(ago));
                    watched.subject.told(from, heard);
                    self.judge(*subject, now, output);
                }
            }
        }
        Ok(())
    }

    fn beat(&mut self, now: Now, output: &mut Output) {
        // What was missed is not made up for.
        self.next_beat = (self.next_beat + PERIOD).max(now + PERIOD / 2);
        for at in 0..self.watchers.len() {
            let message = self.message(self.watchers[at], Body::Beat);
            output.send.push(message);
        }
        let due: Vec<PeerId> = self
            .greeted
            .iter()
            .filter(|id| {
                let peer = self.peers.get(id);
                let known = peer.is_some_and(|peer| peer.acquaintance.is_known());
                let gap = if known {
                    GREETING_GAP
                } else {
                    FIRST_GREETING_GAP
                };
                let greeted = peer.and_then(|peer| peer.greeted);
                greeted.is_none_or(|greeted| greeted + gap <= now)
            })
            .copied()
            .collect();
        for to in due {
            let greeting = self.message(to, Body::Greeting);
            output.send.push(greeting);
            peer(&mut self.peers, &mut self.tokens, to).greeted = Some(now);
        }
    }

    fn inquire(&mut self, peer: PeerId, now: Now, output: &mut Output) {
        if let Some(watched) = self.subjects.get_mut(&peer) {
            let inquiry = watched.subject.inquire(now);
            self.find_out(peer, inquiry, output);
        }
    }

    fn find_out(&mut self, peer: PeerId, inquiry: Inquiry, output: &mut Output) {
        let Some(watched) = self.subjects.get(&peer) else {
            return;
        };
        let asked = match inquiry.ask {
            Asked::Nobody => Vec::new(),
            Asked::All => watched.witnesses.clone(),
            Asked::One(witness) => vec![witness],
        };
        if inquiry.probe {
            output.probe.push(peer);
        }
        if inquiry.knock {
            output.send.push(self.message(peer, Body::Greeting));
        }
        for witness in asked {
            let message = self.message(witness, Body::Ask { subject: peer });
            output.send.push(message);
        }
    }

    fn judge(&mut self, peer: PeerId, now: Now, output: &mut Output) {
        let Some(watched) = self.subjects.get_mut(&peer) else {
            return;
        };
        let subject = &mut watched.subject;
        let former = subject.judgement;
        let since = subject.suspected_since().unwrap_or(now);
        let alone = self.heard_anybody.is_none_or(|heard| heard < since);
        let judgement = subject.judge(now, alone);
        if former.verdict == Verdict::Dead && judgement.reason == Reason::Heard {
            // While it was dead, this node's kernel asked for its address in vain, and asks again only each second: what is
            // sent there waits for that, unless it answers before.
            output.probe.push(peer);
        }
        if (former.verdict, former.reason) != (judgement.verdict, judgement.reason) {
            output.news.push(News::Judged {
                peer,
                former,
                judgement,
            });
        }
    }

    /// Something that is to be said to a node.
    pub fn message(&mut self, to: PeerId, body: Body) -> Message {
        let peer = peer(&mut self.peers, &mut self.tokens, to);
        let (sequence, token, echo) = peer.acquaintance.next();
        Message {
            header: Header {
                from: self.own,
                to,
                session: self.session,
                sequence,
                token,
                echo,
            },
            body,
        }
    }
}

fn peer<'a>(
    peers: &'a mut BTreeMap<PeerId, Peer>,
    tokens: &mut Tokens,
    id: PeerId,
) -> &'a mut Peer {
    peers.entry(id).or_insert_with(|| Peer {
        acquaintance: Acquaintance::new(tokens.next()),
        greeted: None,
    })
}

// === impl Refusal ===

impl Refusal {
    /// The name of the reason, as logs and metrics label it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotForMe => "NotForMe",
            Self::FromMyself => "FromMyself",
            Self::NotAMember => "NotAMember",
            Self::Repeated => "Repeated",
            Self::Stranger => "Stranger",
        }
    }
}

#[cfg(test)]
mod tests;
