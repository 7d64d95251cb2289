//! What the thread counts, as metrics.

use mooring_core::fencing::Answer;
use mooring_core::liveness::{News, Refusal, Verdict};
use mooring_core::peer::Rejected;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

type Label = [(&'static str, &'static str); 1];

/// Datagrams and verdicts, counted since the process began.
#[derive(Debug)]
pub(crate) struct Toll {
    /// Datagrams to other agents.
    pub sent: Counter,
    /// Those that could not be sent.
    pub unsent: Counter,
    /// Datagrams of other agents that were believed.
    pub heard: Counter,
    /// Those that never came.
    lost: Counter,
    refused: Family<Label, Counter>,
    leases: Family<Label, Counter>,
    verdicts: Family<Label, Counter>,
    /// The nodes that this one watches, by what is thought of them.
    pub watched: Family<Label, Gauge>,
    /// For how long nothing had come from a node when something of its was taken over.
    pub detection: Histogram,
    /// Addresses that this node let go of because another one had taken them over.
    pub yielded: Counter,
    /// For how long this process did not run when it should have.
    pub held_up: Histogram,
}

// === impl Toll ===

impl Default for Toll {
    fn default() -> Self {
        let times = || Histogram::new(exponential_buckets(0.05, 1.5, 12));
        Self {
            sent: Counter::default(),
            unsent: Counter::default(),
            heard: Counter::default(),
            lost: Counter::default(),
            refused: Family::default(),
            leases: Family::default(),
            verdicts: Family::default(),
            watched: Family::default(),
            detection: times(),
            yielded: Counter::default(),
            held_up: times(),
        }
    }
}

impl Toll {
    /// A datagram that is none of ours, or none that counts.
    pub(crate) fn rejected(&self, why: Rejected) {
        self.refused
            .get_or_create(&[("reason", why.as_str())])
            .inc();
    }

    /// A message of another agent that nothing is made of.
    pub(crate) fn refused(&self, why: Refusal) {
        self.refused
            .get_or_create(&[("reason", why.as_str())])
            .inc();
    }

    /// What the API server answered about the Lease of a Fenced address.
    pub(crate) fn lease(&self, answer: &Answer) {
        let result = match answer {
            Answer::Is(_) => "ok",
            Answer::Conflict => "conflict",
            Answer::Lost(_) => "lost",
        };
        self.leases.get_or_create(&[("result", result)]).inc();
    }

    /// What is new about nodes.
    pub(crate) fn news(&self, news: &News) {
        match news {
            News::Judged { judgement, .. } => {
                let label = [("verdict", judgement.verdict.as_str())];
                self.verdicts.get_or_create(&label).inc();
            }
            News::HeldUp { missed } => self.held_up.observe(missed.as_secs_f64()),
            News::Lost { messages } => _ = self.lost.inc_by(*messages),
            News::Restarted { .. } | News::Hears { .. } => {}
        }
    }

    /// How many nodes are thought to be what.
    pub(crate) fn watched(&self, verdicts: impl Iterator<Item = Verdict>) {
        let mut counts = [
            Verdict::Unknown,
            Verdict::Alive,
            Verdict::Suspected,
            Verdict::AgentSilent,
            Verdict::Dead,
        ]
        .map(|verdict| (verdict, 0));
        for verdict in verdicts {
            if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == verdict) {
                *count += 1;
            }
        }
        for (verdict, count) in counts {
            self.watched
                .get_or_create(&[("verdict", verdict.as_str())])
                .set(count);
        }
    }

    /// Has them in the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "peer_datagrams_sent",
                "Datagrams to other agents",
                &self.sent,
            ),
            (
                "peer_datagrams_unsent",
                "Datagrams to other agents that could not be sent",
                &self.unsent,
            ),
            (
                "peer_datagrams_heard",
                "Datagrams of other agents that were believed",
                &self.heard,
            ),
            (
                "peer_datagrams_lost",
                "Datagrams of other agents that got lost on the way, as the later ones tell",
                &self.lost,
            ),
            (
                "addresses_yielded",
                "External IPs that this node let go of because another node has taken them over",
                &self.yielded,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "peer_datagrams_refused",
            "Datagrams that nothing was made of, by reason",
            self.refused.clone(),
        );
        registry.register(
            "lease_requests",
            "Requests about the Leases of Fenced addresses, by what the API server answered",
            self.leases.clone(),
        );
        registry.register(
            "peer_verdicts",
            "Changes of what is thought of other nodes",
            self.verdicts.clone(),
        );
        registry.register(
            "watched_nodes",
            "The nodes that this one watches, by what is thought of them",
            self.watched.clone(),
        );
        registry.register_with_unit(
            "takeover_detection",
            "For how long nothing had come from a node when something of its was taken over",
            Unit::Seconds,
            self.detection.clone(),
        );
        registry.register_with_unit(
            "held_up",
            "For how long the thread that talks to other agents did not run when it should have",
            Unit::Seconds,
            self.held_up.clone(),
        );
    }
}
