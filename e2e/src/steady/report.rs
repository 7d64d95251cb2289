//! From attempts to what clients noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it started, since the client did.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// The name of the Pod that answered, or why none did.
    pub outcome: Result<String, Cause>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Cause {
    /// No connection in time.
    #[error("no connection in time")]
    NoConnection,
    /// A connection, and no whole answer in time.
    #[error("no answer in time")]
    NoAnswer,
    /// The connection was refused.
    #[error("connection refused")]
    Refused,
    /// The connection was reset.
    #[error("connection reset")]
    Reset,
    /// Nobody has the address, as far as the client's kernel knows.
    #[error("unreachable")]
    Unreachable,
    /// The answer is not that of the bed's web server; its first line.
    #[error("bad answer {0:?}")]
    BadAnswer(String),
    /// Anything else, in the system's words.
    #[error("{0}")]
    Other(String),
}

/// What a client noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they started.
    pub attempts: Vec<Attempt>,
}

/// The time between the starts of two attempts that succeeded, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The start of the earlier one.
    pub from: Duration,
    /// The start of the later one.
    pub to: Duration,
}

// === impl Report ===

impl Report {
    /// Of attempts in any order.
    pub fn of(mut attempts: Vec<Attempt>) -> Self {
        attempts.sort_by_key(|attempt| attempt.at);
        Self { attempts }
    }

    /// How many were made.
    pub fn requests(&self) -> usize {
        self.attempts.len()
    }

    /// Those that failed: when they started, and why.
    pub fn failures(&self) -> Vec<(Duration, &Cause)> {
        let attempts = self.attempts.iter();
        attempts
            .filter_map(|attempt| Some((attempt.at, attempt.outcome.as_ref().err()?)))
            .collect()
    }

    /// The longest gap between the starts of two successes; `None` with fewer than two.
    pub fn longest_gap(&self) -> Option<Gap> {
        let successes: Vec<Duration> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome.is_ok())
            .map(|attempt| attempt.at)
            .collect();
        let gaps = successes.windows(2).map(|pair| Gap {
            from: pair[0],
            to: pair[1],
        });
        gaps.max_by_key(Gap::length)
    }

    /// The longest that a successful attempt took.
    pub fn slowest(&self) -> Duration {
        let attempts = self.attempts.iter();
        attempts
            .filter(|attempt| attempt.outcome.is_ok())
            .map(|attempt| attempt.took)
            .max()
            .unwrap_or_default()
    }

    /// Who answered how often.
    pub fn pods(&self) -> BTreeMap<&str, usize> {
        let mut pods = BTreeMap::new();
        for attempt in &self.attempts {
            if let Ok(pod) = &attempt.outcome {
                *pods.entry(pod.as_str()).or_default() += 1;
            }
        }
        pods
    }

    /// The attempts that started from `from` on, and before `to`.
    #[must_use]
    pub fn between(&self, from: Duration, to: Duration) -> Self {
        let attempts = self.attempts.iter();
        Self {
            attempts: attempts
                .filter(|attempt| (from..to).contains(&attempt.at))
                .cloned()
                .collect(),
        }
    }
}

impl Gap {
    /// How long it is.
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = self.failures();
        let slowest = self.slowest().as_millis();
        write!(f, "{} requests, {} failed", self.requests(), failures.len())?;
        if let Some(gap) = self.longest_gap() {
            let (length, from) = (gap.length().as_millis(), gap.from.as_secs_f64());
            write!(
                f,
                ", longest gap {length} ms at {from:.2} s, slowest answer {slowest} ms"
            )?;
        }
        let mut causes: BTreeMap<&Cause, Vec<Duration>> = BTreeMap::new();
        for (at, cause) in failures {
            causes.entry(cause).or_default().push(at);
        }
        for (cause, times) in causes {
            let (first, last) = (times[0], times[times.len() - 1]);
            write!(
                f,
                "\n  {cause}: {} from {:.2} s to {:.2} s",
                times.len(),
                first.as_secs_f64(),
                last.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
