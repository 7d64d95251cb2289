//! The table `netdev mooring`, and the frames that renew it. It is replaced as a whole, which takes until no processor uses the
//! former one any more, 10 ms or so; where only addresses change, their elements are.

mod pulse;
mod ruleset;

use std::sync::Arc;

use netlink_sys::Socket;
use pulse::Pulse;

use super::link;
use super::table::{Batch, Outcome};
use crate::{Answering, Facility, Link, Responder, WriteError, Writing};

const WRITING: Writing = Writing::Responder;

/// What is kept from one time to the next. It stays with the network namespace where it was told first.
#[derive(Clone, Debug, Default)]
pub(super) struct Teller {
    pulse: Option<Arc<Pulse>>,
    socket: Option<Arc<Socket>>,
    /// What was told last, if it is there.
    former: Option<Arc<Responder>>,
}

// === impl Teller ===

impl Teller {
    pub(super) fn set(&mut self, wanted: &Responder) -> Result<Facility<()>, WriteError> {
        let former = self.former.take();
        let changed = match former {
            Some(former) if have_same_rules(&former, wanted) => self.change(&former, wanted)?,
            _ => false,
        };
        if !changed {
            let set = match wanted.links.is_empty() {
                true => self.remove()?,
                false => self.replace(wanted)?,
            };
            if set == Facility::Absent || wanted.links.is_empty() {
                return Ok(set);
            }
        }
        if self.pulse.is_none() {
            self.pulse = Some(Arc::new(Pulse::open()?));
        }
        self.former = Some(Arc::new(wanted.clone()));
        Ok(Facility::Present(()))
    }

    pub(super) fn renew(&self) -> Result<(), WriteError> {
        self.pulse.as_ref().map_or(Ok(()), |pulse| pulse.beat())
    }

    /// Not if the former one is not there any more.
    fn change(&mut self, former: &Responder, wanted: &Responder) -> Result<bool, WriteError> {
        let Some(batch) = ruleset::changing(former, wanted) else {
            return Ok(true);
        };
        Ok(self.run(batch)? == Outcome::Done)
    }

    fn replace(&mut self, wanted: &Responder) -> Result<Facility<()>, WriteError> {
        // Linux 6.16 and later take a chain on a device that is not there; before, its answer is that of an expression that
        // is not there.
        if lacks_link(wanted) {
            return Err(WriteError::NoLink { writing: WRITING });
        }
        match self.run(ruleset::replacing(wanted))? {
            Outcome::Done => Ok(Facility::Present(())),
            Outcome::Missing(_) if lacks_link(wanted) => {
                Err(WriteError::NoLink { writing: WRITING })
            }
            Outcome::Missing(_) => Ok(Facility::Absent),
        }
    }

    fn remove(&mut self) -> Result<Facility<()>, WriteError> {
        Ok(self.run(ruleset::removing())?.of_removal())
    }

    fn run(&mut self, batch: Batch) -> Result<Outcome, WriteError> {
        batch.run_over(&mut self.socket, WRITING)
    }
}

fn have_same_rules(former: &Responder, wanted: &Responder) -> bool {
    let of = |responder: &Responder| -> Vec<_> {
        let links = responder.links.iter();
        links
            .map(|(index, link)| (*index, link.name.clone(), link.mac))
            .collect()
    };
    former.lasts == wanted.lasts && of(former) == of(wanted)
}

fn lacks_link(wanted: &Responder) -> bool {
    let links = link::read().unwrap_or_default();
    let is_there = |(index, answering): (&u32, &Answering)| {
        let of = |link: &Link| link.index == *index && link.name == answering.name;
        links.iter().any(of)
    };
    !wanted.links.iter().all(is_there)
}
