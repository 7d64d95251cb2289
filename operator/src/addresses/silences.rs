//! Nodes that were said not to report, so that it is said once.
//!
//! The kubelet of a node may be gone while the agent there still runs: then nobody but the agent knows better, and it says so
//! at once. Were it contradicted again, the two would go on for ever.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use mooring_core::external_ip::{Known, Remarks};
use mooring_core::ipam::object_name;
use mooring_core::ipam::reason::AnnouncedReason;

use super::write;

/// The node of each address of which that was said. It is not known what was said before this process started: then it is said
/// once more.
#[derive(Debug, Default)]
pub(super) struct Silences {
    said: BTreeMap<IpAddr, String>,
}

// === impl Silences ===

impl Silences {
    /// Remembers what was said, by the objects that were written, and forgets what is not decided any more.
    pub(super) fn note(&mut self, decided: &BTreeMap<IpAddr, Remarks>, done: &HashSet<String>) {
        self.said
            .retain(|address, holder| decided.get(address).and_then(silent) == Some(holder));
        for (address, remarks) in decided {
            if let Some(holder) = silent(remarks)
                && done.contains(&write::conditions(&object_name::of(*address)))
            {
                self.said.insert(*address, holder.to_owned());
            }
        }
    }

    /// Whether the agent of the node has spoken since.
    pub(super) fn is_answered(&self, known: &Known, remarks: &Remarks) -> bool {
        let said = self.said.get(&known.claim.address).map(String::as_str);
        said.is_some()
            && said == silent(remarks)
            && known
                .announced()
                .is_some_and(|stands| !stands.is_operators())
    }
}

/// The node that does not report.
fn silent(remarks: &Remarks) -> Option<&str> {
    let announced = remarks.announced.as_ref()?;
    announced
        .is(AnnouncedReason::NodeNotReporting)
        .then_some(remarks.taken_by.as_deref())?
}
