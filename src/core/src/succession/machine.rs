//! The machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::liveness::{Judgement, Now, Reason, Verdict};
use crate::peer::{PeerId, Term};

use super::output::{Claim, Deed, News, Output, Replanned, Word};
use super::post::Post;

/// How often a claim is told to a node that comes back, and how long after each other: one may get lost.
const TELLS: u32 = 5;
const TELL_GAP: Duration = Duration::from_millis(100);

/// How often the heirs of a node that is gone are told so by those who watch it, and for how long one of them believes it.
const GONE_GAP: Duration = Duration::from_secs(1);
const GONE_LASTS: Duration = Duration::from_millis(3_500);

/// All addresses, seen from one node.
#[derive(Debug, Clone)]
pub struct Succession {
    own: PeerId,
    posts: BTreeMap<IpAddr, Manned>,
    /// Nodes that are gone, and who says so.
    gone: BTreeMap<PeerId, Source>,
    /// What this node really answers for.
    held: BTreeSet<IpAddr>,
    /// What it answered for until it stood still, and asks the wire for now.
    doubted: BTreeSet<IpAddr>,
    tellings: BTreeMap<PeerId, Telling>,
}

/// An address, and who has it.
#[derive(Debug, Clone)]
struct Manned {
    post: Post,
    /// What is known of who has it, if not the planned node.
    taken: Option<Claim>,
}

/// Who says that a node is gone.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// This node, which watches it, and tells the heirs again then.
    Seen { tell: Now },
    /// Those who do, until then.
    Told { until: Now },
}

/// What has to be told to a node that came back.
#[derive(Debug, Clone, Copy)]
struct Telling {
    left: u32,
    next: Now,
}

// === impl Succession ===

impl Succession {
    /// Of a node that knows nothing yet.
    pub fn new(own: PeerId) -> Self {
        Self {
            own,
            posts: BTreeMap::new(),
            gone: BTreeMap::new(),
            held: BTreeSet::new(),
            doubted: BTreeSet::new(),
            tellings: BTreeMap::new(),
        }
    }

    // --- what is known ---

    /// All addresses, as they are planned. What was taken over under an older plan is over, also where the plan is the same
    /// node again.
    pub fn set_posts(&mut self, posts: impl IntoIterator<Item = Post>) -> Output {
        let mut former = std::mem::take(&mut self.posts);
        let mut replanned = Vec::new();
        for post in posts {
            let former = former.remove(&post.address);
            let taken = former.as_ref().and_then(|manned| manned.taken);
            let taken = taken.filter(|taken| taken.term.plan >= post.plan);
            let (plan, to) = (post.plan, post.planned);
            let claim = former.map(|manned| manned.claim());
            if let Some(former) = claim.filter(|claim| claim.holder != to && claim.term.plan < plan)
            {
                replanned.push(Replanned { former, plan, to });
            }
            self.posts.insert(post.address, Manned { post, taken });
        }
        Output {
            replanned,
            ..self.decide()
        }
    }

    /// What an earlier process of this node had taken over, from where it was written down. Call it after the first
    /// [`Self::set_posts`].
    pub fn restore(&mut self, claims: impl IntoIterator<Item = Claim>) {
        for claim in claims {
            if claim.holder == self.own
                && let Some(manned) = self.posts.get_mut(&claim.address)
                && claim.term > manned.term()
                && manned.post.rank(self.own).is_some()
            {
                manned.taken = Some(claim);
            }
        }
    }

    /// What this node really answers for; and what it did until it [stood still](Self::stood_still), as long as it asks the wire
    /// who does now.
    pub fn set_held(&mut self, held: BTreeSet<IpAddr>, doubted: BTreeSet<IpAddr>) {
        self.held = held;
        self.doubted = doubted;
    }

    /// This node stood still for so long that it answers for nothing until the wire was asked. Others may have taken over
    /// meanwhile, so that what the plan gives it is no reason to speak, and would be taken for two who answered. What it had taken
    /// over itself it goes on to claim: where all nodes stood still, the former holder finds the wire as silent.
    pub fn stood_still(&mut self) {
        self.doubted.append(&mut self.held);
    }

    /// A node that this one watches is judged otherwise than before.
    pub fn judged(
        &mut self,
        node: PeerId,
        former: &Judgement,
        judgement: &Judgement,
        now: Now,
    ) -> Output {
        // Two that did not hear each other may both have come to hold an address, although others saw both of them.
        let meets = judgement.reason == Reason::Heard
            && matches!(former.reason, Reason::NotHeardYet | Reason::HeardByWitness);
        match judgement.verdict {
            Verdict::AgentSilent if former.verdict == Verdict::Dead => self.speaks_again(node, now),
            Verdict::Dead | Verdict::AgentSilent => self.gone(node, now),
            Verdict::Alive if self.gone.contains_key(&node) => self.back(node, now),
            Verdict::Alive if meets => self.begin_telling(node, now),
            Verdict::Alive | Verdict::Unknown | Verdict::Suspected => Output::default(),
        }
    }

    /// A node that this one watches is gone: it is dead, or its agent is. Whether it still answers for an address shows on the
    /// wire.
    pub fn gone(&mut self, node: PeerId, now: Now) -> Output {
        if node == self.own || matches!(self.gone.get(&node), Some(Source::Seen { .. })) {
            return Output::default();
        }
        let tell = now + GONE_GAP;
        let mut output = self.lose(node, Source::Seen { tell });
        output.tell.extend(self.warnings(node));
        output
    }

    /// The kernel of a node that was dead answers on the wire, which is how a partition ends: from now on datagrams get there. Its
    /// own may take a second more, until its kernel asks for this node's address again. If it has an agent, that one may
    /// believe to have what was taken over from it.
    fn speaks_again(&mut self, node: PeerId, now: Now) -> Output {
        let mut output = self.gone(node, now);
        output.add(self.begin_telling(node, now));
        output
    }

    /// Tells a node, several times from now on, what this one has of what that one may believe to have.
    fn begin_telling(&mut self, node: PeerId, now: Now) -> Output {
        self.tellings.insert(node, Telling::begin(now));
        self.tell(now)
    }

    /// Another node, which watches that one, says that it is gone.
    pub fn told_gone(&mut self, node: PeerId, now: Now) -> Output {
        let until = now + GONE_LASTS;
        match self.gone.get_mut(&node) {
            None if node != self.own => self.lose(node, Source::Told { until }),
            Some(Source::Told { until: known }) => {
                *known = until;
                Output::default()
            }
            _ => Output::default(),
        }
    }

    /// A node is back. It may believe to have what was taken over from it, and may be right, if it was only this node that
    /// could not see it.
    pub fn back(&mut self, node: PeerId, now: Now) -> Output {
        if !self.gone.contains_key(&node) {
            return Output::default();
        }
        let mut output = self.regain(node, now);
        output.add(self.tell(now));
        output
    }

    /// The agent of a node is another process, which may not know what the former one had.
    pub fn restarted(&mut self, node: PeerId) -> Output {
        for manned in self.posts.values_mut() {
            manned.taken = manned.taken.filter(|taken| taken.holder != node);
        }
        self.decide()
    }

    /// Nobody has answered for an address for seconds: whoever was said to have it has not. Of use for those in
    /// [`Self::yielded`].
    pub fn unanswered(&mut self, address: IpAddr) -> Output {
        if let Some(manned) = self.posts.get_mut(&address) {
            manned.taken = manned.taken.filter(|taken| taken.holder == self.own);
        }
        self.decide()
    }

    /// A node says what it has.
    pub fn receive(&mut self, claim: Claim) -> Output {
        let mut output = Output::default();
        let own = self.own;
        let Some(manned) = self.posts.get_mut(&claim.address) else {
            return output;
        };
        // Under a later plan, which has not come here yet, others may have it.
        let may_have_it =
            manned.post.rank(claim.holder).is_some() || claim.term.plan > manned.post.plan;
        if claim.holder == own || !may_have_it {
            return output;
        }
        let address = claim.address;
        let mine = manned.holder() == own;
        if manned.is_better(&claim) {
            let former = manned.claim();
            manned.taken = Some(claim);
            if mine {
                let held = self.held.contains(&address);
                if held && claim.term.plan == manned.post.plan {
                    // So that the other one knows that both had it. Where the plan has changed, it was given away.
                    output.tell.push((claim.holder, Word::Has(former)));
                }
                output.news.push(News::Yields {
                    address,
                    to: claim.holder,
                    both_held: held,
                });
            }
        } else if mine && self.held.contains(&address) {
            output.tell.push((claim.holder, Word::Has(manned.claim())));
            output.news.push(News::Prevails {
                address,
                over: claim.holder,
            });
        } else if mine && self.doubted.contains(&address) {
            output.tell.push((claim.holder, Word::Has(manned.claim())));
        }
        output
    }

    // --- what follows ---

    /// The addresses that this node shall have, and why.
    pub fn deeds(&self) -> impl Iterator<Item = (IpAddr, Deed)> + '_ {
        let mine = self
            .posts
            .values()
            .filter(|manned| manned.holder() == self.own);
        mine.map(|manned| {
            let deed = match manned.taken {
                Some(_) if manned.post.planned != self.own => Deed::TookOver {
                    from: manned.post.planned,
                },
                _ => Deed::Planned,
            };
            (manned.post.address, deed)
        })
    }

    /// The addresses that the plan gives this node, and that somebody else has: the wire has to be asked for them now and
    /// then, as claims may be out of date.
    pub fn yielded(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let yielded = self
            .posts
            .values()
            .filter(|manned| manned.post.planned == self.own && manned.holder() != self.own);
        yielded.map(|manned| manned.post.address)
    }

    /// What this node has taken over, to be written down.
    pub fn taken_over(&self) -> impl Iterator<Item = Claim> + '_ {
        let taken = self.posts.values().filter_map(|manned| manned.taken);
        taken.filter(|claim| claim.holder == self.own)
    }

    /// Under which term this node has an address, if it shall.
    pub fn claim(&self, address: IpAddr) -> Option<Claim> {
        let claim = self.posts.get(&address)?.claim();
        (claim.holder == self.own).then_some(claim)
    }

    /// The number of the plan of an address.
    pub fn plan(&self, address: IpAddr) -> Option<u32> {
        Some(self.posts.get(&address)?.post.plan)
    }

    /// Whether a node is gone, as far as this one knows.
    pub fn is_gone(&self, node: PeerId) -> bool {
        self.gone.contains_key(&node)
    }

    /// Who has an address, as far as this node knows.
    pub fn holder(&self, address: IpAddr) -> Option<PeerId> {
        Some(self.posts.get(&address)?.holder())
    }

    /// What has to be told now, and what is not believed any more. Call it when [`Self::deadline`] has come.
    pub fn tell(&mut self, now: Now) -> Output {
        let mut output = Output::default();
        let over = self
            .gone
            .iter()
            .filter(|(_, source)| matches!(source, Source::Told { until } if *until <= now));
        let over: Vec<PeerId> = over.map(|(node, _)| *node).collect();
        for node in over {
            output.add(self.regain(node, now));
        }
        let mut due = Vec::new();
        for (node, source) in &mut self.gone {
            if let Source::Seen { tell } = source
                && *tell <= now
            {
                *tell = now + GONE_GAP;
                due.push(*node);
            }
        }
        for node in due {
            output.tell.extend(self.warnings(node));
        }
        let due = self
            .tellings
            .iter_mut()
            .filter(|(_, telling)| telling.next <= now);
        for (node, telling) in due {
            telling.next = now + TELL_GAP;
            telling.left -= u32::from(self.doubted.is_empty());
            let claimed = |(address, doubted): (&IpAddr, bool)| {
                let manned = self.posts.get(address)?;
                let told = !doubted || manned.term().takeovers > 0;
                let of_both = manned.holder() == self.own && manned.post.rank(*node).is_some();
                (told && of_both).then(|| manned.claim())
            };
            let held = self.held.iter().map(|address| (address, false));
            let doubted = self.doubted.iter().map(|address| (address, true));
            let claims = held.chain(doubted).filter_map(claimed);
            output
                .tell
                .extend(claims.map(|claim| (*node, Word::Has(claim))));
        }
        self.tellings.retain(|_, telling| telling.left > 0);
        output
    }

    /// When [`Self::tell`] has to be called.
    pub fn deadline(&self) -> Option<Now> {
        let gone = self.gone.values().map(|source| match source {
            Source::Seen { tell } => *tell,
            Source::Told { until } => *until,
        });
        let tellings = self.tellings.values().map(|telling| telling.next);
        gone.chain(tellings).min()
    }

    /// Those to whom something of a node that is gone falls, told so.
    fn warnings(&self, gone: PeerId) -> Vec<(PeerId, Word)> {
        let lost = self.posts.values().filter(|manned| manned.holder() == gone);
        let heirs = lost.filter_map(|manned| manned.heir(&self.gone));
        let heirs: BTreeSet<PeerId> = heirs.filter(|heir| *heir != self.own).collect();
        heirs
            .into_iter()
            .map(|heir| (heir, Word::Gone(gone)))
            .collect()
    }

    fn lose(&mut self, node: PeerId, source: Source) -> Output {
        self.tellings.remove(&node);
        self.gone.insert(node, source);
        self.decide()
    }

    fn regain(&mut self, node: PeerId, now: Now) -> Output {
        self.gone.remove(&node);
        for manned in self.posts.values_mut() {
            let address = &manned.post.address;
            let held = self.held.contains(address) || self.doubted.contains(address);
            // What could not be taken, as somebody went on answering for it, was not taken.
            manned.taken = manned
                .taken
                .filter(|taken| taken.holder != self.own || held);
        }
        self.tellings.insert(node, Telling::begin(now));
        self.decide()
    }

    /// Takes over what falls to this node.
    fn decide(&mut self) -> Output {
        let mut output = Output::default();
        for manned in self.posts.values_mut() {
            let holder = manned.holder();
            if !self.gone.contains_key(&holder) || manned.heir(&self.gone) != Some(self.own) {
                continue;
            }
            let term = manned.term().next();
            let address = manned.post.address;
            manned.taken = Some(Claim {
                address,
                holder: self.own,
                term,
            });
            output.news.push(News::TakesOver {
                address,
                from: holder,
                term,
            });
        }
        output
    }
}

// === impl Telling ===

impl Telling {
    fn begin(now: Now) -> Self {
        Self {
            left: TELLS,
            next: now,
        }
    }
}

// === impl Manned ===

impl Manned {
    fn holder(&self) -> PeerId {
        self.taken.map_or(self.post.planned, |taken| taken.holder)
    }

    fn term(&self) -> Term {
        self.taken
            .map_or(self.post.first_term(), |taken| taken.term)
    }

    fn claim(&self) -> Claim {
        Claim {
            address: self.post.address,
            holder: self.holder(),
            term: self.term(),
        }
    }

    /// The first in the order that is not gone.
    fn heir(&self, gone: &BTreeMap<PeerId, Source>) -> Option<PeerId> {
        self.post.chain().find(|node| !gone.contains_key(node))
    }

    /// Whether that claim goes before what is known.
    fn is_better(&self, claim: &Claim) -> bool {
        let rank = |node| self.post.rank(node).unwrap_or(usize::MAX);
        let key = |claim: &Claim| {
            (
                claim.term,
                std::cmp::Reverse((rank(claim.holder), claim.holder)),
            )
        };
        key(claim) > key(&self.claim())
    }
}

#[cfg(test)]
mod tests;
