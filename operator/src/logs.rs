//! Logs as JSON on standard output, one object per line.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// What the Kubernetes client logs about every attempt is said once by us; a filter that names it brings it back.
const QUIET: &str = "kube_client=off,kube_runtime=off";

/// Starts logging with a filter such as `info` or `info,mooring_operator=debug`.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    let whole = match filter.contains("kube_") {
        true => filter.to_owned(),
        false => format!("{filter},{QUIET}"),
    };
    let filter = EnvFilter::builder()
        .parse(&whole)
        .with_context(|| format!("--log-level {filter:?} is no filter"))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
    Ok(())
}
