//! What is counted, for Prometheus.

use std::sync::atomic::AtomicU64;

use mooring_core::guard::ClusterVerdict;
use mooring_core::guard::foreign::{Finding, ForeignVerdict};
use mooring_core::node::NodeView;
use mooring_core::remediation::run::Phase;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::addresses::AddressMetrics;
use crate::cluster::ApiError;

/// All metrics; clones count the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    leader: Gauge,
    looks: Counter,
    look_seconds: Counter<f64, AtomicU64>,
    api_errors: Family<ApiErrorLabels, Counter>,
    remediations: Family<RemediationLabels, Counter>,
    node_mode: Family<NodeModeLabels, Gauge>,
    node_effective: Family<NodeLabels, Gauge>,
    node_reporting: Family<NodeLabels, Gauge>,
    conditions: Family<ConditionLabels, Gauge>,
    foreign: Family<FindingLabels, Gauge>,
    peer_key_steps: Family<StepLabels, Counter>,
    peer_keys_usable: Family<SecretLabels, Gauge>,
    /// Of pools, Services and external IPs.
    pub addresses: AddressMetrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiErrorLabels {
    reason: &'static str,
    verb: &'static str,
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RemediationLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeModeLabels {
    node: String,
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    node: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
    status: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    seen: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    secret: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// Names them.
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("mooring_operator");
        registry.register(
            "leader",
            "1 on the replica that acts, 0 on the others",
            self.leader.clone(),
        );
        registry.register(
            "looks",
            "Times that the cluster was judged anew",
            self.looks.clone(),
        );
        registry.register(
            "look_seconds",
            "Time that judging took, without waiting for the API server",
            self.look_seconds.clone(),
        );
        registry.register(
            "api_errors",
            "Requests to the API server that failed, by reason",
            self.api_errors.clone(),
        );
        registry.register(
            "remediations",
            "Edits of kube-proxy's configuration that came to an end, by result",
            self.remediations.clone(),
        );
        registry.register(
            "node_mode",
            "What handles Service traffic on a node, by its agent's last report",
            self.node_mode.clone(),
        );
        registry.register(
            "node_effective",
            "1 if the node keeps quiet about addresses that it does not own, 0 if it answers for them; absent if unknown",
            self.node_effective.clone(),
        );
        registry.register(
            "node_reporting",
            "1 if the node's agent reports, 0 if not",
            self.node_reporting.clone(),
        );
        registry.register(
            "condition",
            "1 for the status and reason that each condition of the ServiceProxy has",
            self.conditions.clone(),
        );
        registry.register(
            "foreign_addresses",
            "External IPs that somebody else handed out, by what their witnesses saw on the wire",
            self.foreign.clone(),
        );
        registry.register(
            "peer_key_steps",
            "Changes of the keys by which agents know each other, by step: Make, Stamp, Add, Switch, Drop",
            self.peer_key_steps.clone(),
        );
        registry.register(
            "peer_keys_usable",
            "1 if the Secret with these keys can be used, 0 if not, so that no address is taken over; absent if unknown",
            self.peer_keys_usable.clone(),
        );
        self.addresses.register(&mut registry);
        registry
    }

    /// Leading or not. Who does not lead knows nothing of the nodes.
    pub(crate) fn lead(&self, leads: bool) {
        self.leader.set(leads.into());
        if !leads {
            self.forget();
            self.peer_keys_usable.clear();
            self.addresses.forget();
        }
    }

    /// Nothing is guarded.
    pub(crate) fn forget(&self) {
        self.node_mode.clear();
        self.node_effective.clear();
        self.node_reporting.clear();
        self.conditions.clear();
        self.foreign.clear();
    }

    /// The cluster was judged.
    pub(crate) fn looked(&self, took: std::time::Duration) {
        self.looks.inc();
        self.look_seconds.inc_by(took.as_secs_f64());
    }

    /// A request failed.
    pub(crate) fn api_error(&self, error: &ApiError) {
        let operation = error.operation();
        let labels = ApiErrorLabels {
            reason: error.label(),
            verb: operation.verb,
            resource: operation.resource,
        };
        self.api_errors.get_or_create(&labels).inc();
    }

    /// The keys of the agents were made, or changed.
    pub(crate) fn peer_keys(&self, step: &'static str) {
        self.peer_key_steps
            .get_or_create(&StepLabels { step })
            .inc();
        self.peer_keys_usable(true);
    }

    /// Whether there are keys that agents can use.
    pub(crate) fn peer_keys_usable(&self, usable: bool) {
        let secret = mooring_api::peer_keys::NAME;
        let labels = SecretLabels { secret };
        self.peer_keys_usable
            .get_or_create(&labels)
            .set(usable.into());
    }

    /// A remediation came to an end.
    pub(crate) fn remediation(&self, result: Phase) {
        let result = result.as_str();
        self.remediations
            .get_or_create(&RemediationLabels { result })
            .inc();
    }

    /// What is true of the nodes now.
    pub(crate) fn nodes(&self, nodes: &[NodeView]) {
        self.node_mode.clear();
        self.node_effective.clear();
        self.node_reporting.clear();
        for node in nodes {
            let labels = NodeLabels {
                node: node.name.clone(),
            };
            self.node_reporting
                .get_or_create(&labels)
                .set(node.reporting.into());
            let Some(report) = node.report.as_ref().filter(|_| node.reporting) else {
                continue;
            };
            let mode = report.mode.as_str();
            self.node_mode
                .get_or_create(&NodeModeLabels {
                    node: node.name.clone(),
                    mode,
                })
                .set(1);
            let quiet = mooring_core::guard::disquiet(report).is_empty();
            self.node_effective.get_or_create(&labels).set(quiet.into());
        }
    }

    /// What is true of the cluster now, and of the addresses of others, if that is known.
    pub(crate) fn verdict(&self, verdict: &ClusterVerdict, foreign: Option<&ForeignVerdict>) {
        self.conditions.clear();
        let seen = foreign.map(|foreign| &foreign.condition);
        for condition in verdict.conditions.iter().chain(seen) {
            let labels = ConditionLabels {
                condition: condition.kind.as_str(),
                status: condition.status.as_str(),
                reason: condition.reason,
            };
            self.conditions.get_or_create(&labels).set(1);
        }
        let Some(foreign) = foreign else { return };
        for finding in Finding::ALL {
            let addresses = foreign.addresses.iter();
            let count = addresses.filter(|one| one.finding == finding).count();
            let labels = FindingLabels {
                seen: finding.as_str(),
            };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.foreign.get_or_create(&labels).set(count);
        }
    }
}

/// In the text format that Prometheus reads.
pub(crate) fn text(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}
