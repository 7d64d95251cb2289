//! What the kernel answers in place of this thread: a question that it answers never wakes the process, nor waits for it.
//!
//! It answers for no longer than [`LASTS`] after the thread has last said that it runs, so that a thread that is dead or
//! held up, or a node that was frozen, does not go on to answer for what others may have taken over. What the kernel does not
//! answer comes to the sockets, and is answered there: all of it while the kernel cannot, or is not told yet.

use std::thread;
use std::time::Duration;

use mooring_core::mooring::Now;
use mooring_kernel::{Answering, Facility, Host, Responder, WriteError};
use tracing::{info, warn};

/// For how long the kernel answers by itself: longer than a thread may be held up without noticing
/// ([`DOUBT`](mooring_core::fleet::DOUBT) after it should have run), as long as it takes to be renewed four times.
pub(super) const LASTS: Duration = Duration::from_millis(200);
/// How often it is told to go on: some of the times may be late.
pub(super) const RENEWAL: Duration = Duration::from_millis(50);

/// Between two times that it is told of more addresses: each time it is told of all of them.
const GAP: Duration = Duration::from_millis(100);
/// Until it is tried again after it failed.
const RETRY: Duration = Duration::from_secs(1);

/// The kernel, as far as it answers.
#[derive(Debug, Default)]
pub(super) struct Deputy {
    /// What it was told to answer; `None` if that is not known.
    told: Option<Responder>,
    /// What it has not been told yet waits until then.
    waits: Option<Now>,
    /// When the next set of addresses may follow the last one.
    next: Now,
    /// When it is to be told to go on.
    renewal: Now,
    /// Why it does not answer, so that it is logged once.
    trouble: Option<String>,
    /// That it answers was logged.
    boasted: bool,
}

// === impl Deputy ===

impl Deputy {
    /// Has it answer for nothing but what is in `wanted`, at once. It is not told of what else is in it.
    pub(super) fn reduce(&mut self, host: &mut dyn Host, wanted: &Responder, now: Now) {
        if self.is_within(wanted) {
            return;
        }
        // The rules stay, as that takes no time.
        let told = self.told.iter().flat_map(|told| &told.links);
        let links = told.map(|(index, told)| (*index, common(told, wanted.links.get(index))));
        let less = Responder {
            links: links.collect(),
            lasts: LASTS,
        };
        if let Err(error) = self.set(host, &less, now) {
            self.complain(error.to_string());
        }
    }

    /// Has it answer for nothing, at once.
    pub(super) fn close(&mut self, host: &mut dyn Host, now: Now) {
        self.reduce(host, &silence(), now);
    }

    /// Leaves nothing of it behind.
    pub(super) fn dismiss(&mut self, host: &mut dyn Host, now: Now) {
        self.close(host, now);
        self.next = now;
        self.follow(host, &silence(), now);
    }

    /// Has it answer for exactly this: without delay for nothing else, and for more in a moment.
    pub(super) fn follow(&mut self, host: &mut dyn Host, wanted: &Responder, now: Now) {
        self.waits = None;
        if self.told.as_ref() == Some(wanted) {
            return;
        }
        if now < self.next && self.is_within(wanted) {
            self.waits = Some(self.next);
            return;
        }
        let why = match self.set(host, wanted, now) {
            Ok(Facility::Present(())) => return,
            Ok(Facility::Absent) if wanted.links.is_empty() => return,
            Ok(Facility::Absent) => {
                "the kernel's nf_tables cannot change frames, or not send them back".to_owned()
            }
            Err(error) => error.to_string(),
        };
        self.next = now + RETRY;
        self.waits = Some(self.next);
        self.complain(why);
    }

    /// When there is something to follow.
    pub(super) fn waits(&self) -> Option<Now> {
        self.waits
    }

    /// Has it go on, if it is time for that. Only whoever knows that this thread was not held up may say so.
    pub(super) fn renew(&mut self, host: &mut dyn Host, now: Now) {
        if !self.answers() || now < self.renewal {
            return;
        }
        self.renewal = now + RENEWAL;
        match host.renew_responder() {
            Ok(()) => self.boast(),
            Err(error) => self.complain(error.to_string()),
        }
    }

    /// If it cannot be told, it is silent from now on, and knows of nothing: nobody may say anything else as long as it is not.
    fn set(
        &mut self,
        host: &mut dyn Host,
        wanted: &Responder,
        now: Now,
    ) -> Result<Facility<()>, WriteError> {
        let answered = self.answers();
        self.told = None;
        (self.renewal, self.next) = (now, now + GAP);
        let set = host.set_responder(wanted);
        match &set {
            Ok(Facility::Present(())) => self.told = Some(wanted.clone()),
            Ok(Facility::Absent) if wanted.links.is_empty() => self.told = Some(wanted.clone()),
            _ if answered && host.set_responder(&silence()).is_err() => thread::sleep(LASTS),
            _ => {}
        }
        set
    }

    fn answers(&self) -> bool {
        let mut told = self.told.iter().flat_map(|told| told.links.values());
        told.any(|link| !link.addresses.is_empty())
    }

    /// Whether all that it answers is in `wanted`, and the same.
    fn is_within(&self, wanted: &Responder) -> bool {
        let told = self.told.iter().flat_map(|told| &told.links);
        told.into_iter().all(|(index, told)| {
            let same = |wanted: &Answering| {
                (&wanted.name, wanted.mac) == (&told.name, told.mac)
                    && told.addresses.is_subset(&wanted.addresses)
                    && wanted.claimable.is_subset(&told.claimable)
            };
            told.addresses.is_empty() || wanted.links.get(index).is_some_and(same)
        })
    }

    fn boast(&mut self) {
        if !self.boasted || self.trouble.is_some() {
            info!("the kernel answers for addresses in place of this process");
            (self.boasted, self.trouble) = (true, None);
        }
    }

    fn complain(&mut self, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            warn!(
                reason = why,
                "answers for addresses from this process, later than the kernel would"
            );
            self.trouble = Some(why);
        }
    }
}

/// Nothing.
pub(super) fn silence() -> Responder {
    Responder {
        lasts: LASTS,
        ..Responder::default()
    }
}

/// What was told of a link, as far as it is wanted.
fn common(told: &Answering, wanted: Option<&Answering>) -> Answering {
    let same = |wanted: &&Answering| (&wanted.name, wanted.mac) == (&told.name, told.mac);
    let (addresses, claimable) = match wanted.filter(same) {
        Some(wanted) => (
            &told.addresses & &wanted.addresses,
            wanted.claimable.clone(),
        ),
        None => Default::default(),
    };
    Answering {
        name: told.name.clone(),
        mac: told.mac,
        addresses,
        claimable,
    }
}

#[cfg(test)]
mod tests;
