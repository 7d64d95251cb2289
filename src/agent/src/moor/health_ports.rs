//! What a node's service proxy says on the health check ports of Services (`spec.healthCheckNodePort`).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt as _;
use futures::stream;
use mooring_core::proxy_mode::Answer;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::endpoints::get;

/// How long one answer may take. Whoever forwards, but does not answer, is believed to serve.
const PATIENCE: Duration = Duration::from_millis(300);
/// How many are asked at once.
const AT_ONCE: usize = 32;
/// "No ready endpoint of this Service is here."
const UNAVAILABLE: u16 = 503;

/// Asks the node it runs on.
pub(super) struct HealthPorts {
    runtime: Runtime,
}

// === impl HealthPorts ===

impl HealthPorts {
    pub(super) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.context("no way to ask health check ports")?,
        })
    }

    /// Those of the ports on which it says that the Service cannot be reached here. Where it listens is for its
    /// `nodePortAddresses` to say: on all of the node's `addresses`, or on the first.
    pub(super) fn unhealthy(&self, ports: &BTreeSet<u16>, addresses: &[IpAddr]) -> BTreeSet<u16> {
        if ports.is_empty() {
            return BTreeSet::new();
        }
        let answers = stream::iter(ports.iter().copied())
            .map(|port| async move { is_unhealthy(port, addresses).await.then_some(port) })
            .buffer_unordered(AT_ONCE)
            .filter_map(async |port| port)
            .collect();
        self.runtime.block_on(answers)
    }
}

/// Whether the first that answers on that port says so.
async fn is_unhealthy(port: u16, addresses: &[IpAddr]) -> bool {
    for address in addresses {
        let at = SocketAddr::from((*address, port)).to_string();
        match timeout(PATIENCE, get(&at, "/healthz")).await {
            Ok(Answer::Http { status, .. }) => return status == UNAVAILABLE,
            Ok(Answer::Refused | Answer::Failed(_)) | Err(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
