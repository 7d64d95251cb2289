//! What is counted of pools, Services and writes.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mooring_core::external_ip::Decision;
use mooring_core::ipam::outcome::State;
use mooring_core::ipam::pool::Source;
use mooring_core::ipam::range::Count;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

const STATES: [State; 5] = [
    State::NotOurs,
    State::Pending,
    State::Withheld,
    State::Assigned,
    State::AssignedOtherwise,
];

/// Clones count the same.
#[derive(Debug, Clone)]
pub(crate) struct AddressMetrics {
    pool_addresses: Family<PoolLabels, Gauge<f64, AtomicU64>>,
    services: Family<StateLabels, Gauge>,
    decision_seconds: Histogram,
    writes: Family<WriteLabels, Counter>,
    publication_seconds: Histogram,
    events: Family<ResultLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: String,
    group: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

// === impl AddressMetrics ===

impl Default for AddressMetrics {
    fn default() -> Self {
        Self {
            pool_addresses: Family::default(),
            services: Family::default(),
            decision_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 12)),
            writes: Family::default(),
            publication_seconds: Histogram::new(exponential_buckets(0.0125, 2.0, 15)),
            events: Family::default(),
        }
    }
}

impl AddressMetrics {
    /// Names them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "pool_addresses",
            "Addresses of each pool by state: used, free, and total, which is less than it seems where a pool leaves edges \
             out",
            self.pool_addresses.clone(),
        );
        registry.register(
            "services",
            "Services of type LoadBalancer by what came out for them",
            self.services.clone(),
        );
        registry.register(
            "decision_seconds",
            "Time that a decision about all external IPs took",
            self.decision_seconds.clone(),
        );
        registry.register(
            "writes",
            "Writes about external IPs, by kind and result",
            self.writes.clone(),
        );
        registry.register(
            "publication_seconds",
            "Time from when a Service without address was seen until its address was in its status",
            self.publication_seconds.clone(),
        );
        registry.register(
            "events",
            "Events about pools and Services by result: written, failed, or dropped because too many waited",
            self.events.clone(),
        );
    }

    /// Who does not lead knows nothing.
    pub(crate) fn forget(&self) {
        self.pool_addresses.clear();
        self.services.clear();
    }

    pub(super) fn decided(&self, decision: &Decision, took: Duration) {
        self.decision_seconds.observe(took.as_secs_f64());
        self.pool_addresses.clear();
        for (pool, state) in &decision.pool_states {
            let counts = [
                ("total", state.usage.total),
                ("used", state.usage.used),
                ("free", state.usage.free),
            ];
            for (name, count) in counts {
                let labels = PoolLabels {
                    pool: pool.name.clone(),
                    group: match pool.source {
                        Source::Mooring => "mooring.dev",
                        Source::Antrea => "crd.antrea.io",
                    },
                    state: name,
                };
                self.pool_addresses.get_or_create(&labels).set(float(count));
            }
        }
        for state in STATES {
            let outcomes = decision.outcomes.values();
            let number = outcomes.filter(|outcome| outcome.state == state).count();
            let labels = StateLabels {
                state: state.as_str(),
            };
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.services.get_or_create(&labels).set(number);
        }
    }

    pub(super) fn wrote(&self, kind: &'static str, result: &'static str) {
        self.writes
            .get_or_create(&WriteLabels { kind, result })
            .inc();
    }

    pub(super) fn published(&self, after: Duration) {
        self.publication_seconds.observe(after.as_secs_f64());
    }

    /// An Event was written, dropped, or could not be written.
    pub(crate) fn event(&self, result: &'static str) {
        self.events.get_or_create(&ResultLabels { result }).inc();
    }
}

/// A whole prefix of IPv6 is more than an integer holds.
fn float(count: Count) -> f64 {
    count.to_string().parse().unwrap_or(f64::INFINITY)
}
