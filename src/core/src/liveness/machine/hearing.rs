//! Whether what others say gets here. After a node stood still, what it hears is old for a while, and what it does not hear is
//! only late: frames that came meanwhile are taken in their turn, and a kernel with all its timers due has much to do.

use std::time::Duration;

use crate::liveness::Now;
use crate::liveness::rhythm::PERIOD;
use crate::peer::{Body, Message};

use super::{Liveness, News, Output};

/// A node that hears nobody for so long is cut off. One with all its cores busy was seen to hear nothing for 1.3 s.
const DEAF: Duration = Duration::from_secs(3);

/// Nothing is known to get here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deafness {
    since: Now,
    until: Now,
    /// When the others are asked for a word again.
    ask: Now,
}

impl Liveness {
    /// This node stood still. It is [deaf](Self::is_deaf) until a word comes from somebody who has heard it since, and judges
    /// nobody meanwhile; when none comes, it is cut off, and goes on as such. If nobody lived before, nobody is missed.
    pub fn question_hearing(&mut self, now: Now) -> Output {
        let mut output = Output::default();
        let mut subjects = self.subjects.values();
        if !subjects.any(|watched| watched.subject.lives()) {
            return output;
        }
        for peer in self.peers.values_mut() {
            peer.acquaintance.renew(&mut self.tokens);
        }
        self.deafness = Some(Deafness {
            since: self.deafness.map_or(now, |former| former.since),
            until: now + DEAF,
            ask: now,
        });
        self.hearken(now, &mut output);
        self.due = Some(self.next());
        output
    }

    /// Whether this node cannot tell the silence of others from its own deafness.
    pub fn is_deaf(&self) -> bool {
        self.deafness.is_some()
    }

    /// When that changes, or others are asked again.
    pub(super) fn hearkens(&self) -> Option<Now> {
        self.deafness
            .map(|deafness| deafness.ask.min(deafness.until))
    }

    /// Asks for a word, where it is time to; tells whether it is deaf.
    pub(super) fn hearken(&mut self, now: Now, output: &mut Output) -> bool {
        let Some(deafness) = &mut self.deafness else {
            return false;
        };
        if deafness.until <= now {
            self.hears(false, now, output);
            return false;
        }
        if deafness.ask <= now {
            deafness.ask = now + PERIOD;
            let subject = self.own;
            let others: Vec<_> = self.subjects.keys().copied().collect();
            let ask = |peer| self.message(peer, Body::Ask { subject });
            let asked: Vec<Message> = others.into_iter().map(ask).collect();
            output.send.extend(asked);
        }
        true
    }

    /// Others are heard again, or it is `anybody` that is not.
    pub(super) fn hears(&mut self, anybody: bool, now: Now, output: &mut Output) {
        let Some(deafness) = self.deafness.take() else {
            return;
        };
        let after = now.saturating_sub(deafness.since);
        for watched in self.subjects.values_mut() {
            watched.subject.forgive(after, now);
        }
        output.news.push(News::Hears { anybody, after });
    }
}
