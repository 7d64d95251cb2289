//! When the keys of a cluster are changed, so that one that got out is of no use for ever.
//!
//! ```text
//! current ── Add ──▶ current, next ── Switch ──▶ current, previous ── Drop ──▶ current
//! ```
//!
//! Every agent believes all keys that are there and writes with `current`. Each step waits for [`STEP`] after the one before,
//! by when every agent that can reach the API server has read the keys: one that has not yet taken the last step and one that
//! has understand each other, and nobody is two steps behind.

use crate::kube_proxy::snapshot::Timestamp;

/// For how many seconds at least a step waits after the one before.
pub const STEP: u32 = 60 * 60;

/// After how many seconds without a step the key is changed.
pub const LIFETIME: u32 = 30 * 24 * 60 * 60;

/// The keys that there are, beside the one that is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ring {
    /// One that will be written with.
    pub next: bool,
    /// One that was written with.
    pub previous: bool,
    /// When the last step was taken; `None` if that is not said, or cannot be read.
    pub stepped: Option<Timestamp>,
    /// Somebody asks for another key.
    pub requested: bool,
}

/// Why there is to be another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The one that there is is old.
    Age,
    /// Somebody asks for it.
    Request,
}

/// What is done to the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// It is written down that the last step was now: nobody knows when it was, and too late does no harm.
    Stamp,
    /// Another key is made: `next`.
    Add(Cause),
    /// `next` becomes `current`, and that `previous`.
    Switch,
    /// `previous` goes.
    Drop,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A step.
    Now(Step),
    /// Nothing before then.
    Later(Timestamp),
}

/// What to do about the keys.
pub fn turn(ring: &Ring, now: Timestamp) -> Turn {
    let after = |seconds: u32| now.plus_seconds(i64::from(seconds));
    // A clock that was wrong must not keep the keys for ever.
    let Some(stepped) = ring.stepped.filter(|stepped| *stepped <= after(STEP)) else {
        return Turn::Now(Step::Stamp);
    };
    let step = if ring.previous {
        Step::Drop
    } else if ring.next {
        Step::Switch
    } else if ring.requested {
        Step::Add(Cause::Request)
    } else {
        Step::Add(Cause::Age)
    };
    let wait = match step {
        Step::Add(Cause::Age) => LIFETIME,
        _ => STEP,
    };
    let due = stepped.plus_seconds(i64::from(wait));
    if due <= now {
        Turn::Now(step)
    } else {
        Turn::Later(due)
    }
}

// === impl Step ===

impl Step {
    /// The name, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stamp => "Stamp",
            Self::Add(_) => "Add",
            Self::Switch => "Switch",
            Self::Drop => "Drop",
        }
    }
}

// === impl Cause ===

impl Cause {
    /// The name, for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "Age",
            Self::Request => "Request",
        }
    }
}

#[cfg(test)]
mod tests;
