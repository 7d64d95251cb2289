//! Who answers for addresses on the wire, as witnesses saw it: what goes wrong is told as an Event, and that it is over.

use std::collections::BTreeMap;

use mooring_core::condition::{ConditionStatus, Reason as _};
use mooring_core::external_ip::Said;
use mooring_core::ipam::reason::SingleResponderReason;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::NoteKind;

use super::copies::Versioned;
use super::notice;
use super::source::Address;
use crate::cache::Update;
use crate::event::Notice;

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
                let looks = all.iter().map(|(name, object)| self.look(name, object));
                looks.flatten().collect()
            }
            Update::Set(name, object) => self.look(name, object),
            Update::Gone(name) => {
                self.wrong.remove(name);
                Vec::new()
            }
            Update::Failed(_) => Vec::new(),
        }
    }

    fn look(&mut self, name: &str, object: &Versioned<Address>) -> Vec<Notice> {
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

#[cfg(test)]
mod tests;
