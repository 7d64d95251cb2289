//! The API server: what the agent follows there, the one object that it keeps, and what it says about addresses.

mod address;
mod addresses;
mod follow;
pub(crate) mod leases;
mod node_links;
mod pool;
mod retry;
mod set;
mod state;
mod trouble;

use std::time::Duration;

use anyhow::{Context, Result};
use kube::{Client, Config};

pub(crate) use address::Address;
pub(crate) use addresses::{Berths, LetGo, Written};
pub(crate) use follow::{Follower, Heard, Source};
#[cfg(test)]
pub(crate) use node_links::Link;
pub(crate) use node_links::NodeLinks;
pub(crate) use pool::Pool;
pub(crate) use retry::Attempts;
pub(crate) use state::{Keeper, Kept};
pub(crate) use trouble::Trouble;

/// How long a watch lasts before it is started anew. A connection that died without a word is noticed after this.
const WATCH: Duration = Duration::from_secs(30);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one request may take that is no watch.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name under which agents own what they write.
const FIELD_MANAGER: &str = "mooring-agent";

/// A client for the API server, by the rules of kubectl.
pub(crate) async fn client() -> Result<Client> {
    let mut config = Config::infer().await.context(
        "no way to the API server: outside a cluster set KUBECONFIG, inside one the Pod needs its service account",
    )?;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(WATCH + Duration::from_secs(10));
    config.reset_reader_on_write = true;
    // Failures are counted and told of here; nothing may be retried behind our back.
    config.default_retry = false;
    Client::try_from(config).context("the way to the API server cannot be used")
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(|error| Trouble::from(&error)),
        Err(_) => Err(Trouble::Unreachable(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        ))),
    }
}
