//! A decision, and what was seen when it was made.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::OnceLock;

use mooring_core::condition::Condition;
use mooring_core::external_ip::{Decision, Snapshot, decide};

/// A decision that is carried out.
pub(super) struct Decided {
    snapshot: Snapshot,
    /// What to write.
    pub decision: Decision,
    announced: OnceLock<BTreeMap<IpAddr, Condition>>,
}

// === impl Decided ===

impl Decided {
    /// Decides.
    pub(super) fn on(snapshot: Snapshot) -> Self {
        Self {
            decision: decide(&snapshot),
            snapshot,
            announced: OnceLock::new(),
        }
    }

    /// What to say about addresses that no node has taken up; made when it is first asked for.
    pub(super) fn announced(&self) -> &BTreeMap<IpAddr, Condition> {
        self.announced
            .get_or_init(|| self.decision.announced(&self.snapshot))
    }
}
