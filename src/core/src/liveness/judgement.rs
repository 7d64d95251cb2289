//! What is thought of a node, and why.

use std::fmt;

use super::Now;

/// What is thought of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing is known yet.
    Unknown,
    /// Its agent runs.
    Alive,
    /// It is being found out; nobody acts on it.
    Suspected,
    /// Its agent says nothing to anybody, and its kernel answers on the wire: what its agent alone did is not done any more.
    AgentSilent,
    /// Neither its agent nor its kernel gives a sign of life to anybody who can be asked.
    Dead,
}

/// Why that is thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It has not been heard since this agent started, which is not long ago.
    NotHeardYet,
    /// Its beats come.
    Heard,
    /// Its beats do not come here, and another watcher hears them: a firewall, or frames that are lost one way.
    HeardByWitness,
    /// Its beats do not come.
    BeatsMissing,
    /// Its kernel answers ARP or NDP for the node's address.
    KernelAnswers,
    /// Nothing comes from it to anybody, while others are heard.
    SilentToAll,
    /// Nothing comes from it, and nobody else is heard since: it may as well be this node that is cut off.
    NobodyIsHeard,
}

/// What is thought of a node, why, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Since when the verdict is this one.
    pub since: Now,
}

// === impl Judgement ===

impl Judgement {
    /// Its addresses have to go to others, as far as this node can tell.
    pub fn is_dead(&self) -> bool {
        self.verdict == Verdict::Dead
    }

    pub(super) fn unknown(now: Now) -> Self {
        Self {
            verdict: Verdict::Unknown,
            reason: Reason::NotHeardYet,
            since: now,
        }
    }

    /// The next one: of the same verdict, since then.
    pub(super) fn then(self, verdict: Verdict, reason: Reason, now: Now) -> Self {
        let since = if self.verdict == verdict {
            self.since
        } else {
            now
        };
        Self {
            verdict,
            reason,
            since,
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.verdict, self.reason)
    }
}

// === impl Verdict ===

impl Verdict {
    /// Its name, as logs, metrics and conditions show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Alive => "Alive",
            Self::Suspected => "Suspected",
            Self::AgentSilent => "AgentSilent",
            Self::Dead => "Dead",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Reason ===

impl Reason {
    /// Its name, as logs, metrics and conditions show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotHeardYet => "NotHeardYet",
            Self::Heard => "Heard",
            Self::HeardByWitness => "HeardByWitness",
            Self::BeatsMissing => "BeatsMissing",
            Self::KernelAnswers => "KernelAnswers",
            Self::SilentToAll => "SilentToAll",
            Self::NobodyIsHeard => "NobodyIsHeard",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
