//! Nodes that die often: for a while they come last. Route flap damping (RFC 2439, section 4.2), for nodes in place of routes.
//!
//! ```text
//! signs of death ─ recorded: a penalty, which halves every hour ─▶ Unrest ─ above the threshold ─▶ comes last, until ...
//! ```
//!
//! All of it is integers, so that everybody who reads the same record says the same.

use std::fmt;
use std::str::FromStr;

use crate::kube_proxy::snapshot::Timestamp;

/// The annotation of a NodeProxyState that keeps what is remembered of the deaths of its node. It is written once for each
/// death.
pub const UNREST_ANNOTATION: &str = "mooring.dev/unrest";

/// What a death adds: the unit of all other figures.
const PENALTY: u32 = 1000;
/// In how many seconds a penalty halves; in between it falls evenly. Routes flap within seconds and have 15 minutes; a server
/// takes minutes to boot alone, so that one which dies once per boot has to add up.
const HALF_LIFE: i64 = 3600;
/// From this penalty on a node comes last. One death is an accident, and any reboot that nobody announced counts as one; the
/// second within an hour is not. A node that dies at least every 95 minutes stays above it.
const SUPPRESS: u32 = 1500;
/// At this penalty it counts as any other again. Lower than the penalty of a death, so that a node which has just been forgiven
/// comes last again with the next one.
const REUSE: u32 = 750;
/// No more than this: three half-lives after its last death, every node is forgiven.
const CEILING: u32 = 6000;
/// All signs of one death are seen within so many seconds: agents take its addresses over within one, Kubernetes notices
/// after 40 to 50, and a machine that boots faster than that tells by its boot ID.
const TOGETHER: i64 = 120;
/// A death that is first heard of so many seconds later is history: what it adds has halved three times.
const HISTORY: i64 = 3 * HALF_LIFE;

/// What is remembered of the deaths of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unrest {
    /// How many times it died without coming to rest in between.
    pub deaths: u32,
    /// The penalty right after the last death.
    penalty: u32,
    /// When that was.
    pub last: Timestamp,
}

/// That a node comes last for a while. Prints as a clause about the node, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Restless {
    /// How many times it died lately.
    pub deaths: u32,
    /// When it did last.
    pub last: Timestamp,
    /// When it counts as any other again.
    pub until: Timestamp,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of deaths is written as in: deaths=2 penalty=1870 last=1700000000")]
pub struct NoRecord;

impl Unrest {
    /// The record after these signs of death; `None` if it stays as it is, as all of them are known, or history.
    pub fn after(
        known: Option<Self>,
        signs: impl IntoIterator<Item = Timestamp>,
        now: Timestamp,
    ) -> Option<Self> {
        let mut signs: Vec<Timestamp> = signs.into_iter().map(|sign| sign.min(now)).collect();
        signs.sort_unstable();
        let history = now.plus_seconds(-HISTORY);
        let mut unrest = known;
        for sign in signs.into_iter().filter(|sign| *sign > history) {
            unrest = match unrest {
                Some(former) if sign < former.last.plus_seconds(TOGETHER) => Some(former),
                Some(former) => Some(former.and(sign)),
                None => Some(Self {
                    deaths: 1,
                    penalty: PENALTY,
                    last: sign,
                }),
            };
        }
        unrest.filter(|_| unrest != known)
    }

    fn and(self, death: Timestamp) -> Self {
        let left = self.penalty(death);
        Self {
            // With less than half of what makes it as any other, it had come to rest.
            deaths: if left < REUSE / 2 {
                1
            } else {
                self.deaths.saturating_add(1)
            },
            penalty: left.saturating_add(PENALTY).min(CEILING),
            last: death,
        }
    }

    /// What is left of its penalty.
    fn penalty(self, now: Timestamp) -> u32 {
        let age = (now.unix_seconds() - self.last.unix_seconds()).max(0);
        let halvings = u32::try_from(age / HALF_LIFE).unwrap_or(u32::MAX);
        let whole = i64::from(self.penalty.checked_shr(halvings).unwrap_or(0));
        let rest = whole - whole * (age % HALF_LIFE) / (2 * HALF_LIFE);
        u32::try_from(rest).unwrap_or(0)
    }

    /// That its node comes last, and until when; `None` if it does not.
    pub fn restless(self, now: Timestamp) -> Option<Restless> {
        let until = self.until().filter(|until| now < *until)?;
        Some(Restless {
            deaths: self.deaths,
            last: self.last,
            until,
        })
    }

    fn until(self) -> Option<Timestamp> {
        if self.penalty < SUPPRESS {
            return None;
        }
        let (mut seconds, mut whole, reuse) = (0, i64::from(self.penalty), i64::from(REUSE));
        while whole / 2 > reuse {
            whole /= 2;
            seconds += HALF_LIFE;
        }
        // Evenly from here to the half.
        seconds += ((whole - reuse) * 2 * HALF_LIFE).div_euclid(whole) + 1;
        Some(self.last.plus_seconds(seconds))
    }
}

impl fmt::Display for Unrest {
    /// As it is kept in the annotation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deaths={} penalty={} last={}",
            self.deaths,
            self.penalty,
            self.last.unix_seconds()
        )
    }
}

impl FromStr for Unrest {
    type Err = NoRecord;

    fn from_str(text: &str) -> Result<Self, NoRecord> {
        let mut words = text.split(' ');
        let mut number = |name: &str| {
            let value = words.next()?.strip_prefix(name)?.strip_prefix('=')?;
            value.parse::<u32>().ok()
        };
        let mut read = || {
            Some(Self {
                deaths: number("deaths")?,
                penalty: number("penalty")?.min(CEILING),
                last: Timestamp::from_unix_seconds(number("last")?.into()),
            })
        };
        let read = read();
        read.filter(|_| words.next().is_none()).ok_or(NoRecord)
    }
}

impl fmt::Display for Restless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it died {} times lately, the last time at {}, so that it comes last until {}",
            self.deaths, self.last, self.until
        )
    }
}

#[cfg(test)]
mod tests;
