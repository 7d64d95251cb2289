//! Makes the keys by which agents know each other, and changes them in time.
//!
//! What to do is decided in [`mooring_core::peer::rotation`]. The Secret is only ever written with the version that was read,
//! so of two replicas one is refused. It is looked at now and then: a watch would have to be told of one object alone, and
//! nothing here is urgent but that there are keys at all.

use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use mooring_api::peer_keys::{self, Bytes, NAME};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::peer::rotation::{Step, Turn, turn};

use crate::cluster::{ApiError, Cluster, FIELD_MANAGER, Operation, bounded};
use crate::metrics::Metrics;

/// How often it is looked whether somebody asks for another key, or took them away.
const LOOK: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The keeper of the keys.
struct Keeper {
    cluster: Cluster,
    api: Api<Secret>,
    metrics: Metrics,
    /// What was warned of last, as long as it is so.
    warned: Option<String>,
}

/// Keeps the keys while this replica leads. It ends only if this host has no random numbers.
pub(crate) async fn run(cluster: Cluster, metrics: Metrics) -> anyhow::Result<()> {
    let api = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let mut keeper = Keeper {
        cluster,
        api,
        metrics,
        warned: None,
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let fresh = fresh()?;
        let wait = match keeper.look(fresh).await {
            Ok(wait) => {
                pause = FIRST_PAUSE;
                wait
            }
            Err(error) => {
                let wait = pause;
                pause = (pause * 2).min(LOOK);
                keeper.failed(&error);
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// 32 bytes that nobody can guess.
fn fresh() -> anyhow::Result<Bytes> {
    let mut bytes = Bytes::default();
    getrandom::fill(&mut bytes).context("the kernel gives no random bytes for a key")?;
    Ok(bytes)
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second())
}

// === impl Keeper ===

impl Keeper {
    /// Looks once, takes the step that is due, and says when to look again.
    async fn look(&mut self, fresh: Bytes) -> Result<Duration, ApiError> {
        let now = now();
        let Some(secret) = bounded(self.operation("get"), self.api.get_opt(NAME)).await? else {
            let secret = peer_keys::made(&self.cluster.namespace, fresh, now);
            let parameters = parameters();
            let request = self.api.create(&parameters, &secret);
            bounded(self.operation("create"), request).await?;
            self.metrics.peer_keys("Make");
            tracing::info!(secret = NAME, "keys of agents made");
            return Ok(LOOK);
        };
        let ring = match peer_keys::ring(&secret) {
            Ok(ring) => ring,
            Err(error) => {
                self.warn(error.to_string());
                self.metrics.peer_keys_usable(false);
                return Ok(LOOK);
            }
        };
        self.metrics.peer_keys_usable(true);
        self.warned = None;
        match turn(&ring, now) {
            Turn::Now(step) => {
                let secret = peer_keys::stepped(&secret, step, fresh, now);
                let parameters = parameters();
                let request = self.api.replace(NAME, &parameters, &secret);
                bounded(self.operation("update"), request).await?;
                self.took(step);
                Ok(LOOK)
            }
            Turn::Later(due) => {
                let left = due.unix_seconds().saturating_sub(now.unix_seconds());
                let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
                Ok(left.clamp(FIRST_PAUSE, LOOK))
            }
        }
    }

    fn took(&self, step: Step) {
        self.metrics.peer_keys(step.as_str());
        let secret = NAME;
        match step {
            Step::Stamp => tracing::info!(
                secret,
                "keys of agents: time of the last change unknown, taken to be now"
            ),
            Step::Add(cause) => tracing::info!(
                secret,
                reason = cause.as_str(),
                "keys of agents: next one made"
            ),
            Step::Switch => tracing::info!(secret, "keys of agents: next one in use"),
            Step::Drop => tracing::info!(secret, "keys of agents rotated, former one removed"),
        }
    }

    /// Somebody else may have been first: then the next look shows it.
    fn failed(&mut self, error: &ApiError) {
        if matches!(error, ApiError::Conflict { .. }) {
            tracing::debug!(%error, "somebody else was first");
            return;
        }
        self.metrics.api_error(error);
        self.warn(error.to_string());
    }

    /// Once for as long as it stays the same.
    fn warn(&mut self, text: String) {
        if self.warned.as_ref() != Some(&text) {
            tracing::warn!(secret = NAME, error = text, "keys of agents not kept");
            self.warned = Some(text);
        }
    }

    fn operation(&self, verb: &'static str) -> Operation {
        Operation::on(verb, "", "secrets", &self.cluster.namespace, NAME)
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}
