//! Metrics, in the OpenMetrics format.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mooring_core::mooring::{Method, Sighting, Standing};
use mooring_core::node::{ArpSetting, NodeReport};
use mooring_core::proxy_mode::LiveMode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::api::Trouble;
use crate::enforce::Outcome;
use crate::fleet::Toll;
use crate::moor::{Moored, Tally};

type Labels<const N: usize> = [(&'static str, String); N];

/// What the threads count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Of the one that answers.
    pub frames: Arc<Tally>,
    /// Of the one that talks to other agents.
    pub datagrams: Arc<Toll>,
}

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    live_mode: Family<Labels<1>, Gauge>,
    condition: Family<Labels<3>, Gauge>,
    arp: Family<Labels<2>, Gauge>,
    observations: Counter,
    observation_seconds: Gauge<f64, AtomicU64>,
    state_writes: Family<Labels<1>, Counter>,
    sysctl_writes: Family<Labels<1>, Counter>,
    api_errors: Family<Labels<1>, Counter>,
    api_unreachable: Gauge<f64, AtomicU64>,
    addresses: Family<Labels<1>, Gauge>,
    addresses_waiting: Gauge,
    address_writes: Family<Labels<1>, Counter>,
    responders: Family<Labels<1>, Gauge>,
    double_answers: Counter,
    takeover: Histogram,
    planned_move: Histogram,
}

// === impl Metrics ===

impl Metrics {
    /// With what the threads count.
    pub(crate) fn new(counts: &Counts) -> Self {
        let mut registry = Registry::with_prefix("mooring_agent");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let times = || Histogram::new(exponential_buckets(0.05, 1.5, 15));
        registry.register("build", "The agent itself", version);
        let mut new = Self {
            live_mode: Family::default(),
            condition: Family::default(),
            arp: Family::default(),
            observations: Counter::default(),
            observation_seconds: Gauge::default(),
            state_writes: Family::default(),
            sysctl_writes: Family::default(),
            api_errors: Family::default(),
            api_unreachable: Gauge::default(),
            addresses: Family::default(),
            addresses_waiting: Gauge::default(),
            address_writes: Family::default(),
            responders: Family::default(),
            double_answers: Counter::default(),
            takeover: times(),
            planned_move: times(),
            registry: Registry::default(),
        };
        registry.register(
            "live_mode",
            "1 for what handles Service traffic on this node, 0 for everything else",
            new.live_mode.clone(),
        );
        registry.register(
            "condition",
            "1 for each condition of this node, with its status and reason",
            new.condition.clone(),
        );
        registry.register(
            "arp_effective",
            "The effective arp_ignore and arp_announce of each uplink",
            new.arp.clone(),
        );
        registry.register(
            "observations",
            "Looks at the node",
            new.observations.clone(),
        );
        registry.register_with_unit(
            "last_observation",
            "How long the last look at the node took",
            Unit::Seconds,
            new.observation_seconds.clone(),
        );
        registry.register(
            "state_writes",
            "Writes of the NodeProxyState, by result",
            new.state_writes.clone(),
        );
        registry.register(
            "sysctl_writes",
            "Writes of ARP sysctls, by result",
            new.sysctl_writes.clone(),
        );
        registry.register(
            "api_errors",
            "Answers of the API server that were none, by kind",
            new.api_errors.clone(),
        );
        registry.register_with_unit(
            "api_unreachable",
            "For how long the API server could not be reached; 0 while it can",
            Unit::Seconds,
            new.api_unreachable.clone(),
        );
        new.register_addresses(&mut registry);
        counts.frames.register(&mut registry);
        counts.datagrams.register(&mut registry);
        new.registry = registry;
        new
    }

    fn register_addresses(&self, registry: &mut Registry) {
        registry.register(
            "addresses",
            "External IPs that this node answers for, by how",
            self.addresses.clone(),
        );
        registry.register(
            "addresses_waiting",
            "External IPs that this node is to answer for and does not yet",
            self.addresses_waiting.clone(),
        );
        registry.register(
            "address_writes",
            "Writes of the status of ExternalIPs, by result",
            self.address_writes.clone(),
        );
        registry.register(
            "responders",
            "How many MAC addresses answered when this node asked for an external IP: 1 is right; 0 also if somebody else handed \
             it out and this node answers for it, as it does not hear itself",
            self.responders.clone(),
        );
        registry.register(
            "double_answers",
            "How often several MAC addresses answered when this node asked for an external IP",
            self.double_answers.clone(),
        );
        registry.register_with_unit(
            "takeover",
            "From the last sign of life of a node until this one answered for an external IP of its",
            Unit::Seconds,
            self.takeover.clone(),
        );
        registry.register_with_unit(
            "planned_move",
            "From when this node was to have an external IP until it answered for it, where nothing was taken over",
            Unit::Seconds,
            self.planned_move.clone(),
        );
    }

    /// An address came to this node: what that took, and for how long the node had been silent by then that it was taken from.
    pub(crate) fn came(&self, took: Duration, missed: Option<Duration>) {
        match missed {
            Some(missed) => self.takeover.observe((missed + took).as_secs_f64()),
            None => self.planned_move.observe(took.as_secs_f64()),
        }
    }

    /// How it stands with the addresses of this node.
    pub(crate) fn moored(&self, moored: &Moored) {
        let held = |method| {
            let holdings = moored.standings.iter().filter_map(Standing::holding);
            holdings
                .filter(|holding| holding.berth.method == method)
                .count()
        };
        let mut all = 0;
        for method in [Method::Responder, Method::Uplink] {
            let count = i64::try_from(held(method)).unwrap_or(i64::MAX);
            all += count;
            let label = [("method", method.to_string())];
            self.addresses.get_or_create(&label).set(count);
        }
        let wanted = i64::try_from(moored.standings.len()).unwrap_or(i64::MAX);
        self.addresses_waiting.set(wanted - all);
    }

    /// What was seen of an address that this node watches.
    pub(crate) fn seen(&self, sighting: &Sighting) {
        let label = [("ip", sighting.address.to_string())];
        let count = i64::try_from(sighting.macs.len()).unwrap_or(i64::MAX);
        self.responders.get_or_create(&label).set(count);
        if count > 1 {
            self.double_answers.inc();
        }
    }

    /// An address is not watched any more.
    pub(crate) fn unseen(&self, address: IpAddr) {
        self.responders.remove(&[("ip", address.to_string())]);
    }

    /// The status of an ExternalIP was written, or not.
    pub(crate) fn address_written<T>(&self, result: &Result<T, Trouble>) {
        let label = result.as_ref().map_or_else(Trouble::label, |_| "ok");
        count(&self.address_writes, "result", label);
    }

    /// A look at the node, and what it came to.
    pub(crate) fn observed(&self, report: &NodeReport, took: Duration) {
        self.observations.inc();
        self.observation_seconds.set(took.as_secs_f64());
        for mode in LiveMode::ALL {
            let label = [("mode", mode.to_string())];
            let live = i64::from(mode == report.mode);
            self.live_mode.get_or_create(&label).set(live);
        }
        self.condition.clear();
        for condition in &report.conditions {
            let labels = [
                ("type", condition.kind.to_string()),
                ("status", condition.status.to_string()),
                ("reason", condition.reason.to_owned()),
            ];
            self.condition.get_or_create(&labels).set(1);
        }
        self.arp.clear();
        for uplink in &report.uplinks {
            for setting in ArpSetting::BOTH {
                let value = match setting {
                    ArpSetting::Ignore => uplink.arp_ignore,
                    ArpSetting::Announce => uplink.arp_announce,
                };
                let labels = [
                    ("interface", uplink.name.clone()),
                    ("sysctl", setting.to_string()),
                ];
                self.arp.get_or_create(&labels).set(value.into());
            }
        }
    }

    /// The NodeProxyState was written, or not.
    pub(crate) fn state_written<T>(&self, result: &Result<T, Trouble>) {
        let label = result.as_ref().map_or_else(Trouble::label, |_| "ok");
        count(&self.state_writes, "result", label);
    }

    /// A sysctl was written, or not.
    pub(crate) fn sysctl_written(&self, outcome: &Outcome) {
        let label = match outcome {
            Outcome::Written => "ok",
            Outcome::Moved => "moved",
            Outcome::Failed(_) => "failed",
        };
        count(&self.sysctl_writes, "result", label);
    }

    /// The API server did not give what was asked for.
    pub(crate) fn api_error(&self, trouble: &Trouble) {
        count(&self.api_errors, "kind", trouble.label());
    }

    /// All of it, as text.
    pub(crate) fn text(&self, api_unreachable: Duration) -> String {
        self.api_unreachable.set(api_unreachable.as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: a String takes any text");
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn count(family: &Family<Labels<1>, Counter>, name: &'static str, value: &str) {
    family.get_or_create(&[(name, value.to_owned())]).inc();
}

#[cfg(test)]
mod tests {
    use mooring_core::node::Uplink;

    use super::*;

    #[test]
    fn the_text_names_the_mode_the_uplinks_and_the_outage() {
        let metrics = Metrics::new(&Counts::default());
        let uplink = |name: &str, arp_ignore| Uplink {
            name: name.to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            subnets: vec![],
            addresses: vec![],
            gateways: vec![],
            arp_ignore,
            arp_announce: 2,
        };
        let mut report = NodeReport {
            mode: LiveMode::Ipvs,
            uplinks: vec![uplink("eth0", 0), uplink("eth1", 1)],
            ..NodeReport::default()
        };
        metrics.observed(&report, Duration::from_millis(3));
        report.uplinks.pop();
        metrics.observed(&report, Duration::from_millis(3));
        metrics.state_written(&Ok(()));
        metrics.state_written::<()>(&Err(Trouble::NotFound));
        let text = metrics.text(Duration::from_millis(1500));
        for line in [
            r#"mooring_agent_live_mode{mode="ipvs"} 1"#,
            r#"mooring_agent_live_mode{mode="iptables"} 0"#,
            r#"mooring_agent_arp_effective{interface="eth0",sysctl="arp_ignore"} 0"#,
            "mooring_agent_observations_total 2",
            r#"mooring_agent_state_writes_total{result="ok"} 1"#,
            r#"mooring_agent_state_writes_total{result="not_found"} 1"#,
            "mooring_agent_api_unreachable_seconds 1.5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(!text.contains("eth1"), "an uplink that is gone\n{text}");
    }
}
