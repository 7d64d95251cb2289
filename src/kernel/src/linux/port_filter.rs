//! The table `inet mooring`, replaced as a whole.

mod ruleset;

use ruleset::Closed;

use super::table::Outcome;
use crate::{Facility, Filtered, PortFilter, WriteError, Writing};

const WRITING: Writing = Writing::PortFilter;

pub(super) fn set(wanted: &PortFilter) -> Result<Facility<Filtered>, WriteError> {
    if wanted.addresses.is_empty() {
        return remove();
    }
    let tries = [
        (Closed::Reject, Filtered::Refusing),
        (Closed::Drop, Filtered::Dropping),
    ];
    for (closed, filtered) in tries {
        if ruleset::replacing(wanted, closed).run(WRITING)? == Outcome::Done {
            return Ok(Facility::Present(filtered));
        }
    }
    Ok(Facility::Absent)
}

fn remove() -> Result<Facility<Filtered>, WriteError> {
    let removed = ruleset::removing().run(WRITING)?.of_removal();
    Ok(match removed {
        Facility::Present(()) => Facility::Present(Filtered::Nothing),
        Facility::Absent => Facility::Absent,
    })
}
