//! What a Service was told last, so that it is told once.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use mooring_core::external_ip::Farewell;
use mooring_core::ipam::outcome::{Headline, Outcome, State};

/// What was told, by the uid of the Service.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: HashMap<String, Last>,
    /// Why nodes part with their addresses, by their names.
    farewells: BTreeMap<String, &'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    state: State,
    /// Of what makes one headline differ from another.
    digest: u64,
}

/// What gives rise to telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It was looked at.
    Look,
    /// Its addresses were just published.
    Publication,
}

// === impl Told ===

impl Told {
    /// What to tell a Service now, if that is news to it. What it was told before this process started is not known: it is
    /// told again what needs attention, and nothing of an address that it simply has.
    pub(super) fn news(
        &mut self,
        uid: &str,
        outcome: &Outcome,
        occasion: Occasion,
    ) -> Option<Headline> {
        let last = self.last.get(uid).copied();
        let published = occasion == Occasion::Publication;
        let worth = match outcome.state {
            State::NotOurs => last.is_some_and(|last| last.state != State::NotOurs),
            // That it is decided is not enough.
            State::Assigned => published || last.is_some_and(|last| last.state != State::Assigned),
            State::Pending | State::Withheld | State::AssignedOtherwise => true,
        };
        // How an address came about is history by the next look; what is in the way is not.
        let headline = (outcome.state != State::Assigned).then(|| outcome.headline());
        let now = Last {
            state: outcome.state,
            digest: digest(outcome, headline.as_ref()),
        };
        if last == Some(now) {
            return None;
        }
        self.last.insert(uid.to_owned(), now);
        worth.then(|| headline.unwrap_or_else(|| outcome.headline()))
    }

    /// Which nodes part with their addresses for a reason that is news. `parts` says whether a node may still have to: it is
    /// told anew when it has to again.
    pub(super) fn farewells<'f>(
        &mut self,
        farewells: &'f BTreeMap<&str, Farewell>,
        parts: impl Fn(&str) -> bool,
    ) -> Vec<(&'f str, &'f Farewell)> {
        self.farewells.retain(|node, _| parts(node));
        let mut news = Vec::new();
        for (node, farewell) in farewells {
            let reason = farewell.reason.as_str();
            if self.farewells.insert((*node).to_owned(), reason) != Some(reason) {
                news.push((*node, farewell));
            }
        }
        news
    }

    /// Forgets Services that are gone.
    pub(super) fn retain(&mut self, lives: impl Fn(&str) -> bool) {
        self.last.retain(|uid, _| lives(uid));
    }
}

fn digest(outcome: &Outcome, headline: Option<&Headline>) -> u64 {
    let mut hasher = DefaultHasher::new();
    outcome.addresses.hash(&mut hasher);
    headline.map(|headline| &headline.message).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "told/tests.rs"]
mod tests;
