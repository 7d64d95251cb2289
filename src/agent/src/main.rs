//! The agent of one node: it tells the truth about how Services are handled there, keeps the ARP sysctls where it may, and
//! answers for the external IPs that belong to its node.
//!
//! ```text
//! API server ─ api::follow ─▶ view ─┐
//! kube-proxy ─ endpoints ───────────┼─▶ core::node::report ─▶ agent ─ api::state ─▶ NodeProxyState
//! kernel ─ kernel, sysctl_files ────┘          ├─▶ core::node::sysctls::plan ─ enforce ─▶ /proc/sys
//!                                              └─▶ duty ┬▶ moor: raw sockets, addresses on uplinks
//!                                                       ├▶ fleet: heartbeats, who takes what over
//!                                                       └─ api::Berths ─▶ ExternalIP
//! ```
//!
//! Everything that changes has one owner, `agent`, to whom all news comes through channels; what is on the wire and on the
//! links has another one, the thread of `moor`, and what is known of the other agents a third one, that of `fleet`; these two
//! wait for nobody. Nothing is concluded in this crate: that is
//! `mooring-core`'s.

mod agent;
mod api;
mod args;
mod duty;
mod endpoints;
mod enforce;
mod fleet;
mod health;
mod kernel;
mod logs;
mod mailbox;
mod memory;
mod metrics;
mod moor;
mod observe;
mod sysctl_files;
mod urgency;
mod view;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

use agent::Agent;
use args::Args;
use health::Standing;
use metrics::{Counts, Metrics};

/// How long it may take to leave things in order once the process is told to end.
const FAREWELL: Duration = Duration::from_millis(1_800);

fn main() -> ExitCode {
    let args = Args::parse();
    match logs::start(&args.log_level).and_then(|()| in_runtime(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(args: &Args) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // One reading of the kernel at a time, and a question of a name.
        .max_blocking_threads(2)
        .thread_stack_size(512 << 10)
        .build()
        .context("no runtime")?;
    let result = runtime.block_on(run(args));
    runtime.shutdown_background();
    result
}

async fn run(args: &Args) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    info!(
        node = args.node_name,
        version = env!("CARGO_PKG_VERSION"),
        "the agent starts"
    );
    let counts = Counts::default();
    counts.frames.urgency.lock_memory();
    let metrics = Arc::new(Metrics::new(&counts));
    let (standing, told) = watch::channel(Standing::new());
    let listener = health::bind(args.health_address).await?;
    let client = api::client().await?;
    let mut agent = Agent::start(args, client, Arc::clone(&metrics), &counts, standing)?;
    tokio::select! {
        result = agent.run() => return result,
        result = health::serve(listener, told, metrics) => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("the agent ends");
    match tokio::time::timeout(FAREWELL, agent.end(args)).await {
        Ok(result) => result,
        Err(_) => {
            error!("the sysctls that were raised could not be put back in time");
            Ok(())
        }
    }
}
