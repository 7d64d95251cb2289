//! What is new, for the log.

use mooring_core::handover;
use mooring_core::liveness::{self, Verdict};
use tracing::{debug, info, warn};

use super::{Bridge, Charged};

impl<T: FnMut(u64, Vec<Charged>)> Bridge<T> {
    /// What is new about addresses that are handed over.
    pub(super) fn log_handover(&self, news: &handover::News) {
        match *news {
            handover::News::LetsGo { address, to, ready } => {
                let to = self.name(to);
                match ready {
                    true => info!(ip = %address, to, "hands an address over"),
                    false => {
                        warn!(ip = %address, to, "lets go of an address, although the node that is to have it is not ready")
                    }
                }
            }
            handover::News::Receives { address, from } => {
                info!(ip = %address, from = self.name(from), "gets an address handed over");
            }
            handover::News::Unheard { address, from } => {
                info!(ip = %address, from = self.name(from), "asks the wire for an address, as its former node says nothing");
            }
        }
    }

    /// What is new about other nodes.
    pub(super) fn log_node(&self, news: &liveness::News) {
        match news {
            liveness::News::Judged {
                peer,
                former,
                judgement,
            } => {
                let (node, reason) = (self.name(*peer), judgement.reason.as_str());
                let (was, is) = (former.verdict.as_str(), judgement.verdict.as_str());
                match judgement.verdict {
                    Verdict::Dead | Verdict::AgentSilent => {
                        warn!(node, was, is, reason, "a node is gone");
                    }
                    Verdict::Alive if former.verdict >= Verdict::AgentSilent => {
                        info!(node, was, is, reason, "a node is back");
                    }
                    _ => debug!(node, was, is, reason, "a node is judged anew"),
                }
            }
            liveness::News::Restarted { peer } => {
                debug!(node = self.name(*peer), "its agent is another process");
            }
            liveness::News::HeldUp { missed } => {
                debug!(missed_ms = missed.as_millis(), "did not run in time");
            }
            liveness::News::Hears {
                anybody: true,
                after,
            } => {
                info!(
                    after_ms = after.as_millis(),
                    "hears others again after it stood still, and asks the wire what they have"
                );
            }
            liveness::News::Hears {
                anybody: false,
                after,
            } => {
                warn!(
                    after_ms = after.as_millis(),
                    "hears nobody since it stood still: goes on as if it were cut off"
                );
            }
            // They are counted.
            liveness::News::Lost { .. } => {}
        }
    }
}
