//! The table `inet mooring`, replaced as a whole.

mod batch;
mod rule;
mod ruleset;

use batch::Batch;
use ruleset::Closed;

use super::change::Verdict;
use crate::{Facility, Filtered, OsError, PortFilter, WriteError, Writing};

const WRITING: Writing = Writing::PortFilter;
const ENOENT: i32 = 2;
const EPROTONOSUPPORT: i32 = 93;
const EOPNOTSUPP: i32 = 95;

/// One attempt's outcome, where it is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// A table, an expression or all of nftables is not there: `ENOENT` for what has a name, `EOPNOTSUPP` for a family or a
    /// subsystem, `EPROTONOSUPPORT` for nfnetlink itself.
    Missing(OsError),
}

pub(super) fn set(wanted: &PortFilter) -> Result<Facility<Filtered>, WriteError> {
    if wanted.addresses.is_empty() {
        return remove();
    }
    let tries = [
        (Closed::Reject, Filtered::Refusing),
        (Closed::Drop, Filtered::Dropping),
    ];
    for (closed, filtered) in tries {
        if attempt(ruleset::replacing(wanted, closed))? == Outcome::Done {
            return Ok(Facility::Present(filtered));
        }
    }
    Ok(Facility::Absent)
}

fn remove() -> Result<Facility<Filtered>, WriteError> {
    Ok(match attempt(ruleset::removing())? {
        Outcome::Missing(error) if error.raw() != ENOENT => Facility::Absent,
        Outcome::Done | Outcome::Missing(_) => Facility::Present(Filtered::Nothing),
    })
}

fn attempt(batch: Batch) -> Result<Outcome, WriteError> {
    match batch.run(WRITING) {
        Ok(Verdict::Done) => Ok(Outcome::Done),
        Ok(Verdict::Refused(error)) if matches!(error.raw(), ENOENT | EOPNOTSUPP) => {
            Ok(Outcome::Missing(error))
        }
        Ok(Verdict::Refused(error)) => Err(WriteError::refused(WRITING, error)),
        Err(WriteError::Socket { error, .. }) if error.raw() == EPROTONOSUPPORT => {
            Ok(Outcome::Missing(error))
        }
        Err(error) => Err(error),
    }
}
