//! A decision, and what was seen when it was made.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::OnceLock;

use mooring_core::external_ip::{Decision, Remarks, Snapshot, decide};

/// A decision that is carried out.
pub(super) struct Decided {
    snapshot: Snapshot,
    /// What to write.
    pub decision: Decision,
    remarks: OnceLock<BTreeMap<IpAddr, Remarks>>,
}

// === impl Decided ===

impl Decided {
    /// Decides.
    pub(super) fn on(snapshot: Snapshot) -> Self {
        Self {
            decision: decide(&snapshot),
            snapshot,
            remarks: OnceLock::new(),
        }
    }

    /// What to say about addresses; made when it is first asked for.
    pub(super) fn remarks(&self) -> &BTreeMap<IpAddr, Remarks> {
        self.remarks
            .get_or_init(|| self.decision.remarks(&self.snapshot))
    }
}
