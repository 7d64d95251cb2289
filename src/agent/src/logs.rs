//! Logs: JSON lines on standard error, for whatever collects them.

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// From now on, what `filter` lets through is logged.
pub(crate) fn start(filter: &str) -> Result<()> {
    // The client logs each failed attempt on its own, without a word on what it was for.
    let directives = format!("kube_client::client=off,{filter}");
    let filter = EnvFilter::try_new(directives).with_context(|| {
        format!("--log-level {filter:?} is not understood: use error, warn, info, debug or trace")
    })?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}
