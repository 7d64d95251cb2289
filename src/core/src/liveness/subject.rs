//! A node that is watched, and what speaks for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::peer::PeerId;

use super::Now;
use super::judgement::{Judgement, Reason, Verdict};
use super::rhythm::{PERIOD, PROBE_GAP, Rhythm};

/// How long a node that was never heard may take: its agent, or this one, is just starting.
const NOT_HEARD: Duration = Duration::from_secs(2);

/// From one question on the wire to the next for a node that is dead: it may come back without an agent, and where two sides of a
/// partition meet, one has to fall silent within half a second.
const DEAD_PROBE_GAP: Duration = Duration::from_millis(400);

/// For how long an agent may still be silent once its kernel answers, which does so before any thread runs when the whole
/// machine was held up.
const WAKING: Duration = Duration::from_millis(40);

/// A node that is watched.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) judgement: Judgement,
    rhythm: Rhythm,
    /// When something came from its agent last; before that, since when it is watched.
    heard: Now,
    ever_heard: bool,
    /// Since it was heard its kernel has said that nobody listens on the port of agents.
    refused: bool,
    suspicion: Option<Suspicion>,
}

/// It is being found out.
#[derive(Debug, Clone)]
struct Suspicion {
    since: Now,
    /// When those who answered heard it last, by this node's time, if ever.
    told: BTreeMap<PeerId, Option<Now>>,
    /// When its kernel answered first.
    answered: Option<Now>,
    /// Questions on the wire since it last did.
    unanswered: u32,
    probed: Now,
    asked: Now,
}

/// Who is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Asked {
    #[default]
    Nobody,
    /// All other watchers.
    All,
    /// The one that heard it last.
    One(PeerId),
}

/// What has to be sent to find out more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Inquiry {
    /// To the other watchers.
    pub(super) ask: Asked,
    /// On the wire.
    pub(super) probe: bool,
    /// To its agent: if there is none, its kernel says so.
    pub(super) knock: bool,
}

// === impl Subject ===

impl Subject {
    pub(super) fn new(now: Now) -> Self {
        Self {
            judgement: Judgement::unknown(now),
            rhythm: Rhythm::default(),
            heard: now,
            ever_heard: false,
            refused: false,
            suspicion: None,
        }
    }

    // --- evidence ---

    /// A beat came; so many messages right before it have not come yet.
    pub(super) fn beat(&mut self, now: Now, skipped: u64) {
        self.rhythm.beat(now, skipped);
    }

    /// Something came from its agent, and so many messages before it never will.
    pub(super) fn spoke(&mut self, now: Now, lost: u64) {
        self.rhythm.came(lost);
        self.heard = now;
        self.ever_heard = true;
        self.refused = false;
        self.suspicion = None;
    }

    /// Its agent is another process now.
    pub(super) fn restarted(&mut self) {
        self.rhythm.restart();
    }

    /// Its kernel answered on the wire.
    pub(super) fn answered(&mut self, now: Now) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.answered.get_or_insert(now);
            suspicion.unanswered = 0;
        }
    }

    /// Its kernel said that nobody listens there on the port of agents.
    pub(super) fn refused(&mut self) {
        self.refused = true;
    }

    /// Whether it said so since the agent was heard last.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Another watcher heard it at that time last, or never.
    pub(super) fn told(&mut self, witness: PeerId, heard: Option<Now>) {
        if let Some(suspicion) = &mut self.suspicion {
            let known = suspicion.told.entry(witness).or_insert(heard);
            *known = heard.max(*known);
        }
    }

    /// This node was held up for so long, until now.
    pub(super) fn forgive(&mut self, missed: Duration, now: Now) {
        self.heard = (self.heard + missed).min(now);
        self.rhythm.forgive(missed);
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.since = (suspicion.since + missed).min(now);
            suspicion.probed = (suspicion.probed + missed).min(now);
            suspicion.asked = (suspicion.asked + missed).min(now);
            let answered = suspicion.answered.iter_mut();
            answered.for_each(|answered| *answered = (*answered + missed).min(now));
        }
    }

    /// It was alive when it was judged last: something may come from it.
    pub(super) fn lives(&self) -> bool {
        self.ever_heard && self.judgement.verdict != Verdict::Dead
    }

    /// How long ago its agent was heard, if it ever was.
    pub(super) fn silence(&self, now: Now) -> Option<Duration> {
        self.ever_heard.then(|| now.saturating_sub(self.heard))
    }

    /// Since when it is being found out.
    pub(super) fn suspected_since(&self) -> Option<Now> {
        self.suspicion.as_ref().map(|suspicion| suspicion.since)
    }

    // --- time ---

    fn patience(&self) -> Duration {
        if self.ever_heard {
            self.rhythm.patience()
        } else {
            NOT_HEARD
        }
    }

    /// Finds out more, where it is time to.
    pub(super) fn inquire(&mut self, now: Now) -> Inquiry {
        let Some(suspicion) = &mut self.suspicion else {
            return match now < self.heard + self.patience() {
                true => Inquiry::default(),
                false => self.suspect(now),
            };
        };
        let Pace {
            ask,
            ask_gap,
            probe_gap,
        } = suspicion.pace(self.judgement);
        let mut inquiry = Inquiry::default();
        if suspicion.asked + ask_gap <= now {
            inquiry.ask = ask;
            suspicion.asked = now;
        }
        if suspicion.probed + probe_gap <= now {
            inquiry.probe = true;
            inquiry.knock = self.judgement.verdict == Verdict::Suspected;
            suspicion.probed = now;
            suspicion.unanswered = suspicion.unanswered.saturating_add(1);
        }
        inquiry
    }

    /// Another watcher says that it is gone: that one does not hear it, and it is found out at once what this one thinks. Its
    /// beats may have been late here, so that this one would wait for longer.
    pub(super) fn accused(&mut self, witness: PeerId, now: Now) -> Inquiry {
        let inquiry = match self.suspicion {
            None if now < self.heard + PERIOD => return Inquiry::default(),
            None => self.suspect(now),
            Some(_) => Inquiry::default(),
        };
        self.told(witness, None);
        inquiry
    }

    fn suspect(&mut self, now: Now) -> Inquiry {
        self.suspicion = Some(Suspicion {
            since: now,
            told: BTreeMap::new(),
            answered: None,
            unanswered: 1,
            probed: now,
            asked: now,
        });
        Inquiry {
            ask: Asked::All,
            probe: true,
            knock: true,
        }
    }

    /// When to look again.
    pub(super) fn next(&self) -> Now {
        let Some(suspicion) = &self.suspicion else {
            return self.heard + self.patience();
        };
        let pace = suspicion.pace(self.judgement);
        (suspicion.probed + pace.probe_gap).min(suspicion.asked + pace.ask_gap)
    }

    /// What is thought of it now. `alone`: since it is being found out nobody else was heard.
    pub(super) fn judge(&mut self, now: Now, alone: bool) -> Judgement {
        let (verdict, reason) = self.verdict(now, alone);
        self.judgement = self.judgement.then(verdict, reason, now);
        self.judgement
    }

    fn verdict(&self, now: Now, alone: bool) -> (Verdict, Reason) {
        let patience = self.patience();
        let Some(suspicion) = &self.suspicion else {
            return match self.ever_heard {
                true => (Verdict::Alive, Reason::Heard),
                false => (Verdict::Unknown, Reason::NotHeardYet),
            };
        };
        // A later beat than the last one that came here, and not long ago: witnesses are asked every period.
        let speaks =
            |heard: &Now| *heard > self.heard + PERIOD / 2 && *heard + patience + PERIOD > now;
        if suspicion.told.values().flatten().any(speaks) {
            return (Verdict::Alive, Reason::HeardByWitness);
        }
        // The last question had its time, too.
        let asked = match suspicion.probed + PROBE_GAP <= now {
            true => suspicion.unanswered,
            false => suspicion.unanswered.saturating_sub(1),
        };
        // Without a witness who does not hear it either, more has to be asked: what gets lost may be on this side.
        let needed = match suspicion.told.is_empty() {
            true => 2 * self.rhythm.probes(),
            false => self.rhythm.probes(),
        };
        let dead = self.judgement.verdict == Verdict::Dead && suspicion.unanswered > 0;
        if dead || asked >= needed {
            return match alone {
                true => (Verdict::Dead, Reason::NobodyIsHeard),
                false => (Verdict::Dead, Reason::SilentToAll),
            };
        }
        let gone = self.refused || self.judgement.verdict >= Verdict::AgentSilent;
        let had_time = |since: Now| gone || since + WAKING <= now;
        match suspicion.answered {
            Some(since) if had_time(since) => (Verdict::AgentSilent, Reason::KernelAnswers),
            Some(_) => (Verdict::Suspected, Reason::KernelAnswers),
            None => (Verdict::Suspected, Reason::BeatsMissing),
        }
    }
}

/// How often whom to ask.
struct Pace {
    ask: Asked,
    ask_gap: Duration,
    probe_gap: Duration,
}

// === impl Suspicion ===

impl Suspicion {
    fn pace(&self, judgement: Judgement) -> Pace {
        let steady = match self.unanswered {
            0 => PERIOD,
            _ => PROBE_GAP,
        };
        match (judgement.verdict, judgement.reason) {
            (Verdict::Dead, _) => Pace {
                ask: Asked::Nobody,
                ask_gap: DEAD_PROBE_GAP,
                probe_gap: DEAD_PROBE_GAP,
            },
            (_, Reason::HeardByWitness) => Pace {
                ask: self.best_witness().map_or(Asked::All, Asked::One),
                ask_gap: PERIOD,
                probe_gap: PERIOD,
            },
            (Verdict::AgentSilent, _) => Pace {
                ask: Asked::All,
                ask_gap: 5 * PERIOD,
                probe_gap: steady,
            },
            _ => Pace {
                ask: Asked::All,
                ask_gap: 2 * PROBE_GAP,
                probe_gap: PROBE_GAP,
            },
        }
    }

    /// The one that heard it last.
    fn best_witness(&self) -> Option<PeerId> {
        let told = self.told.iter();
        told.max_by_key(|(_, heard)| **heard)
            .map(|(witness, _)| *witness)
    }
}
