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

    /// Whether a node may have to part with its addresses.
    pub(super) fn parts(&self, node: &str) -> bool {
        let mut nodes = self.snapshot.nodes.iter();
        nodes.any(|it| it.view.name == node && (it.draining || it.cordoned || it.exit.is_some()))
    }

    /// What to say about addresses; made when it is first asked for.
    pub(super) fn remarks(&self) -> &BTreeMap<IpAddr, Remarks> {
        self.remarks
            .get_or_init(|| self.decision.remarks(&self.snapshot))
    }
}
