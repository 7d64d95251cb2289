//! The API server: what the agent follows there, and the one object that it keeps.

mod follow;
mod retry;
mod state;
mod trouble;

use std::time::Duration;

use anyhow::{Context, Result};
use kube::{Client, Config};

pub(crate) use follow::{Follower, Heard, Source};
pub(crate) use retry::Attempts;
pub(crate) use state::{Keeper, Kept};
pub(crate) use trouble::Trouble;

/// How long a watch lasts before it is started anew. A connection that died without a word is noticed after this.
const WATCH: Duration = Duration::from_secs(120);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

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
