//! What watches say, taken in.

use mooring_core::ipam::service::Service;
use tokio::time::Instant;

use super::Addresses;
use super::source::{Change, Watch};
use crate::cache::{Effect, Update};

/// How soon a change has to be decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// It says where addresses belong. Nodes take over from each other without asking.
    InTime,
    /// A Service may wait for it.
    Now,
}

// === impl Urgency ===

impl Urgency {
    /// What others changed. What was written here was decided already, and only has to be looked over in time.
    fn of(change: &Change) -> Self {
        match change {
            Change::Nodes(_) | Change::Reports(_) | Change::Agents(_) | Change::Slices(_) => {
                Self::InTime
            }
            _ => Self::Now,
        }
    }
}

// === impl Addresses ===

impl Addresses {
    pub(super) fn take_in(&mut self, change: Change) {
        let urgency = Urgency::of(&change);
        self.learn(change, urgency);
    }

    pub(super) fn learn(&mut self, change: Change, urgency: Urgency) {
        self.note_waiting(&change);
        self.tell_sightings(&change);
        let decides_watches = matches!(change, Change::Antrea(_));
        match self.stores.apply(change) {
            Effect::None => {}
            Effect::Trust => self.stale = Some(Urgency::Now),
            Effect::Objects => {
                self.stale = self.stale.max(Some(urgency));
                if decides_watches {
                    if self.stores.has_antrea() {
                        tracing::info!(
                            "antrea runs here and counts the use of its own pools, so their status is left to it"
                        );
                    }
                    self.rearrange();
                }
            }
        }
    }

    /// Tells who answers for addresses, where that turns.
    fn tell_sightings(&mut self, change: &Change) {
        let Change::Addresses(update) = change else {
            return;
        };
        for notice in self.sightings.follow(update) {
            self.outbox.put(notice);
        }
    }

    /// Remembers since when Services wait.
    fn note_waiting(&mut self, change: &Change) {
        let Change::Services(update) = change else {
            return;
        };
        let now = Instant::now();
        let mut note = |key: &String, service: &Service| {
            let waits = service.load_balancer && service.ingress.is_empty();
            if waits && !self.waiting.contains_key(key) {
                self.waiting.insert(key.clone(), now);
            }
        };
        match update {
            Update::Set(key, service) => note(key, &service.value),
            Update::All(services) => {
                for (key, service) in services {
                    note(key, &service.value);
                }
            }
            Update::Gone(key) => {
                self.waiting.remove(key);
            }
            Update::Failed(_) => {}
        }
    }

    /// Makes those watches run that are wanted now.
    pub(super) fn rearrange(&mut self) {
        self.wanted = self.stores.wanted();
        let wanted = &self.wanted;
        self.watches.retain(|source, _| wanted.contains(source));
        self.stores.retain(wanted);
        for source in wanted {
            if !self.watches.contains_key(source) {
                let watch = Watch::start(source, &self.context.cluster, &self.changes);
                self.watches.insert(source.clone(), watch);
            }
        }
    }
}
