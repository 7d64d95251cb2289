//! What a loop of the leader waits for before it can decide.

use crate::world::Missing;

/// What is waited for, said in the log once, and once that it is over.
#[derive(Debug)]
pub(crate) struct Waits {
    /// What waits.
    whose: &'static str,
    texts: Vec<String>,
    said: bool,
}

// === impl Waits ===

impl Waits {
    /// At the start, before anything was looked at.
    pub(crate) fn at_start(whose: &'static str) -> Self {
        Self {
            whose,
            texts: vec![format!("the first look at {whose}")],
            said: false,
        }
    }

    /// Takes in what is missing now. What only takes its time is not worth a line in the log.
    pub(crate) fn set(&mut self, missing: Vec<Missing>) {
        let failed: Vec<&str> = missing
            .iter()
            .filter(|missing| missing.failed)
            .map(|missing| missing.text.as_str())
            .collect();
        if !failed.is_empty() && !self.said {
            self.said = true;
            tracing::warn!(who = self.whose, waits_for = failed.join("; "), "waits");
        }
        if missing.is_empty() && self.said {
            self.said = false;
            tracing::info!(who = self.whose, "waits no more");
        }
        self.texts = missing.into_iter().map(|missing| missing.text).collect();
    }

    /// Nothing is missing.
    pub(crate) fn is_over(&self) -> bool {
        self.texts.is_empty()
    }

    /// What is missing.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }
}
