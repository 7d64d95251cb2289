//! Who answers for addresses on the wire, as witnesses and holders say: what goes wrong is told as an Event, and that it is over.

use std::collections::BTreeMap;

use mooring_core::condition::{ConditionStatus, Reason as _};
use mooring_core::external_ip::{Known, Overlap, Said};
use mooring_core::ipam::reason::SingleResponderReason;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::NoteKind;

use super::copies::Versioned;
use super::notice;
use super::source::Address;
use crate::cache::Update;
use crate::event::Notice;

/// What a holder says of another one again within so many seconds is the same.
const SAME: i64 = 10;

/// What the condition `SingleResponder` of an ExternalIP says. Of ten thousand addresses that are right, no texts are kept.
#[derive(Debug, Clone)]
pub(super) enum Sighting {
    /// Nothing yet, or not any more.
    Nothing,
    /// Its node alone answers, since then.
    Right(Timestamp),
    /// Something else.
    Wrong(Box<Said>),
}

/// What was told of addresses that are not answered for as they shall be.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// By the name of the ExternalIP.
    wrong: BTreeMap<String, Wrong>,
    /// Until when two nodes had an address, by the same.
    overlaps: BTreeMap<String, Timestamp>,
    /// What was so before this process started was told then.
    begun: bool,
}

#[derive(Debug)]
struct Wrong {
    reason: SingleResponderReason,
    since: Timestamp,
}

// === impl Sighting ===

impl Sighting {
    pub(super) fn of(single: Option<Said>) -> Self {
        match single {
            Some(said) if said.status == ConditionStatus::True.as_str() => Self::Right(said.since),
            Some(said) if said.status == ConditionStatus::False.as_str() => {
                Self::Wrong(Box::new(said))
            }
            _ => Self::Nothing,
        }
    }
}

// === impl Sightings ===

impl Sightings {
    /// What to tell now. What was told before this process started is not known: what is wrong is told again.
    pub(super) fn follow(&mut self, update: &Update<Versioned<Address>>) -> Vec<Notice> {
        match update {
            Update::All(all) => {
                self.wrong.retain(|name, _| all.contains_key(name));
                self.overlaps.retain(|name, _| all.contains_key(name));
                let looks = all.iter().map(|(name, object)| self.look(name, object));
                let notices = looks.flatten().collect();
                self.begun = true;
                notices
            }
            Update::Set(name, object) => self.look(name, object),
            Update::Gone(name) => {
                self.wrong.remove(name);
                self.overlaps.remove(name);
                Vec::new()
            }
            Update::Failed(_) => Vec::new(),
        }
    }

    fn look(&mut self, name: &str, object: &Versioned<Address>) -> Vec<Notice> {
        let mut notices = self.compare(name, object);
        notices.extend(self.look_back(name, object));
        notices
    }

    /// Whether two nodes had an address at once.
    fn look_back(&mut self, name: &str, object: &Versioned<Address>) -> Vec<Notice> {
        let Some(overlap) = &object.value.last_overlap else {
            return Vec::new();
        };
        let before = self.overlaps.insert(name.to_owned(), overlap.until);
        let same = before
            .is_some_and(|before| overlap.until.unix_seconds() - before.unix_seconds() < SAME);
        if same || !self.begun {
            return Vec::new();
        }
        let message = told(&object.value, overlap);
        notice::answers(name, object, NoteKind::Warning, "AnsweredTwice", &message)
    }

    /// Whether what a witness sees has turned.
    fn compare(&mut self, name: &str, object: &Versioned<Address>) -> Vec<Notice> {
        let (reason, kind, message) = match &object.value.sighting {
            Sighting::Nothing => return Vec::new(),
            Sighting::Wrong(said) => {
                let Some(reason) = SingleResponderReason::named(&said.reason) else {
                    return Vec::new();
                };
                let told = self.wrong.get(name).map(|wrong| wrong.reason);
                if told == Some(reason) {
                    return Vec::new();
                }
                let since = said.since;
                let wrong = self.wrong.entry(name.to_owned());
                wrong.or_insert(Wrong { reason, since }).reason = reason;
                (reason, NoteKind::Warning, said.message.clone())
            }
            Sighting::Right(since) => {
                let Some(wrong) = self.wrong.remove(name) else {
                    return Vec::new();
                };
                let seconds = since.unix_seconds() - wrong.since.unix_seconds();
                let message = format!(
                    "{} is answered for by its node alone again. For {} s a witness saw something else on the wire, {} at \
                     last.",
                    object.value.claim.address,
                    seconds.max(0),
                    wrong.reason
                );
                let reason = SingleResponderReason::OneResponder;
                (reason, NoteKind::Normal, message)
            }
        };
        notice::answers(name, object, kind, reason.as_str(), &message)
    }
}

fn told(known: &Known, overlap: &Overlap) -> String {
    let holder = known.taken_by.as_deref().unwrap_or("another node");
    let (other, length, until) = (overlap.other(), overlap.length(), overlap.until);
    format!(
        "{holder} and {other} both answered for {}, for {length} at most, until {until}: neither could hear that the \
         other one had it, as while the network between them is split. Connections may have broken. {other} has let go of it, \
         and {holder} has it.",
        known.claim.address
    )
}

#[cfg(test)]
mod tests;
