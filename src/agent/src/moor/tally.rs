//! What the thread counts, as metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::urgency::Urgency;

/// Frames, counted since the process began, and what the kernel granted the threads that handle them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Questions that this process answered; the kernel counts none.
    pub answers: Counter,
    /// Announcements.
    pub announcements: Counter,
    /// Questions that this node asked.
    pub questions: Counter,
    /// Claims of others on addresses of this node.
    pub claims: Counter,
    /// Frames that nobody may act on.
    pub malformed: Counter,
    /// Frames that could not be sent.
    pub unsent: Counter,
    /// Priorities, and the memory.
    pub urgency: Urgency,
}

// === impl Tally ===

impl Tally {
    /// Has them in the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let rows = [
            (
                "answers",
                "ARP requests and Neighbor Solicitations for external IPs that the agent answered itself: the kernel answers most in its place where it can",
                &self.answers,
            ),
            (
                "announcements",
                "External IPs announced, by gratuitous ARP or unsolicited Neighbor Advertisements",
                &self.announcements,
            ),
            (
                "questions",
                "Questions on the wire who has an external IP",
                &self.questions,
            ),
            (
                "foreign_claims",
                "Packets of others that say they have an external IP of this node",
                &self.claims,
            ),
            (
                "malformed_frames",
                "ARP and NDP packets that nobody may act on",
                &self.malformed,
            ),
            (
                "unsent_frames",
                "ARP and NDP packets that could not be sent",
                &self.unsent,
            ),
        ];
        for (name, help, counter) in rows {
            registry.register(name, help, counter.clone());
        }
        self.urgency.register(registry);
    }
}
