//! Who leads: decided from the Lease as it was last read, and from when that was.

use std::time::Duration;

/// A point on this process's own monotonic clock, as time since its start. Clocks of other machines are never compared
/// with it: how old a renewal is counts from when it was first seen here.
pub(crate) type Moment = Duration;

/// The part of a Lease that decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    /// Who holds it; `None` if it was released.
    pub holder: Option<String>,
    /// How long the holder may be silent, by its own word.
    pub duration: Duration,
    /// Changes with every renewal; opaque.
    pub renewal: String,
}

/// What one replica has seen of the Lease.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    record: Option<Record>,
    since: Moment,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Write the Lease with this replica as its holder: it is free, or its holder was silent for too long.
    Acquire,
    /// Write the Lease again: this replica holds it.
    Renew,
    /// Leave it to its holder, at least until then.
    Follow {
        /// Who holds it.
        holder: String,
        /// When its silence will have been long enough.
        until: Moment,
    },
}

// === impl Watched ===

impl Watched {
    /// Takes in what was read at `now`; `None` if there is no Lease.
    pub(crate) fn see(&mut self, record: Option<Record>, now: Moment) {
        if self.record != record {
            self.record = record;
            self.since = now;
        }
    }

    /// What the replica `me` does at `now`.
    pub(crate) fn decide(&self, me: &str, now: Moment) -> Decision {
        let Some(record) = &self.record else {
            return Decision::Acquire;
        };
        match record.holder.as_deref() {
            None | Some("") => Decision::Acquire,
            Some(holder) if holder == me => Decision::Renew,
            Some(holder) => {
                let until = self.since.saturating_add(record.duration);
                if now >= until {
                    Decision::Acquire
                } else {
                    Decision::Follow {
                        holder: holder.to_owned(),
                        until,
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "election/tests.rs"]
mod tests;
