//! The operator: keeps kube-proxy's configuration such that nodes answer only for the external IPs that they own.
//!
//! ```text
//!            ┌ leader (Lease) ──── who acts
//! main ──────┼ guard (leader only): watches ─▶ World ─▶ mooring_core decides ─▶ status, actions, events
//!            ├ addresses (leader only): watches ─▶ Stores ─▶ mooring_core decides ─▶ ExternalIPs, statuses, events
//!            ├ peer_keys (leader only): the keys by which agents know each other ─▶ Secret
//!            └ health: /healthz, /readyz, /metrics
//! ```
//!
//! Every decision is taken in `mooring_core`; this is the shell around it. It writes the status of the ServiceProxy, the
//! one line in kube-proxy's ConfigMap, and Events; it deletes Pods of kube-proxy so that they start anew. It makes
//! ExternalIPs, and writes them into the statuses of Services. The one Secret that it reads is its own, with the keys of the
//! agents. It is no part of how nodes move addresses: nodes keep theirs, and take over, while it is away.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use crate::args::Arguments;
use crate::cluster::Cluster;
use crate::health::{Pulse, Pulses};
use crate::leader::{Candidate, Outage, Standing, Terms};
use crate::metrics::Metrics;

mod action;
mod addresses;
mod antrea;
mod args;
mod cache;
mod cluster;
mod event;
mod guard;
mod health;
mod leader;
mod location;
mod logs;
mod metrics;
mod peer_keys;
mod survey;
mod waits;
mod watches;
mod world;

/// How long the Lease may take to be released at the end; Kubernetes would wait 30 s, an administrator would not.
const FAREWELL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || -> anyhow::Result<()> {
        arguments.check().map_err(anyhow::Error::msg)?;
        logs::start(&arguments.log_level)?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?
            .block_on(operate(&arguments))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "operator ends");
            // Before logging is set up, and for whoever started it by hand.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("mooring-operator: {error:#}\n"),
            );
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal, or until a part of it breaks: then the process ends, and is started anew.
async fn operate(arguments: &Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let cluster = Cluster::connect(arguments).await?;
    let identity = arguments.identity.clone().unwrap_or_else(own_name);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        server = cluster.server,
        namespace = cluster.namespace,
        identity,
        "operator starts"
    );
    let (standing_sender, standing) = watch::channel(Standing::starting());
    let (guard_pulse, guard) = watch::channel(Pulse::starting());
    let (addresses_pulse, addresses) = watch::channel(Pulse::starting());
    let (outage_sender, mut outages) = mpsc::channel::<Outage>(8);
    let metrics = Metrics::default();
    let listener = health::bind(arguments.listen).await?;
    let mut server = tokio::spawn(health::serve(
        listener,
        standing.clone(),
        Pulses { guard, addresses },
        metrics.registry(),
    ));
    let terms = Terms {
        lease: arguments.lease_name.clone(),
        identity: identity.clone(),
        duration: arguments.lease_duration,
        renew: arguments.lease_renew,
        retry: arguments.lease_retry,
    };
    let (stop, stopped) = oneshot::channel();
    let candidate = Candidate::new(&cluster, terms, standing_sender, outage_sender);
    let mut candidate = tokio::spawn(candidate.run(stopped));
    let addresses = addresses::Context {
        cluster: cluster.clone(),
        identity: identity.clone(),
        metrics: metrics.clone(),
        standing: standing.clone(),
        pulse: addresses_pulse,
    };
    let guard = guard::Context {
        cluster,
        lease: arguments.lease_name.clone(),
        identity,
        metrics,
        standing,
        pulse: guard_pulse,
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "operator ends"),
        _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "operator ends"),
        ended = &mut candidate => bail!("the leader election has ended: {ended:?}"),
        ended = &mut server => bail!("the health server has ended: {ended:?}"),
        ended = act_while_leading(&guard, &addresses, &mut outages) => return ended,
    }
    // The loops are dropped by now: nothing is written any more but the Lease.
    let _ = stop.send(());
    if tokio::time::timeout(FAREWELL, candidate).await.is_err() {
        tracing::warn!("lease not released in time");
    }
    Ok(())
}

/// Acts whenever this replica leads, and stops at once when it does not. No loop waits for another.
async fn act_while_leading(
    guard: &guard::Context,
    addresses: &addresses::Context,
    outages: &mut mpsc::Receiver<Outage>,
) -> anyhow::Result<()> {
    let mut standing = guard.standing.clone();
    loop {
        guard.metrics.lead(false);
        let waited = standing.wait_for(Standing::leads).await;
        waited.context("the leader election has ended")?;
        guard.metrics.lead(true);
        tokio::select! {
            ended = guard::run(guard.clone(), outages) => return ended,
            ended = addresses::run(addresses.clone()) => return ended,
            ended = peer_keys::run(addresses.cluster.clone(), addresses.metrics.clone()) => return ended,
            lost = until_lost(standing.clone()) => lost?,
        }
    }
}

/// Returns when the time that the last standing gives is over, and no newer one has given more.
async fn until_lost(mut standing: watch::Receiver<Standing>) -> anyhow::Result<()> {
    loop {
        let Some(until) = standing.borrow_and_update().leads_until() else {
            return Ok(());
        };
        tokio::select! {
            changed = standing.changed() => changed.context("the leader election has ended")?,
            () = tokio::time::sleep_until(until) => return Ok(()),
        }
    }
}

/// Different on every host and in every process.
fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", host.trim(), std::process::id())
}
