//! `/healthz`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// A look that is older says nothing about now.
const FRESH: Duration = Duration::from_secs(15);
/// An agent that has not come round for so long hangs: one round takes seconds at the worst.
const ALIVE: Duration = Duration::from_secs(60);

/// How the agent stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// When it last came round.
    pub turn: Instant,
    /// When it last looked at the node.
    pub looked: Option<Instant>,
    /// Since when the API server cannot be reached, and why.
    pub unreachable: Option<(Instant, String)>,
    /// Since when what it saw is not in the API, and why.
    pub unsaved: Option<(Instant, String)>,
}

#[derive(Clone)]
struct Shared {
    standing: watch::Receiver<Standing>,
    metrics: Arc<Metrics>,
}

// === impl Standing ===

impl Standing {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            turn: now,
            looked: None,
            unreachable: None,
            unsaved: Some((
                now.checked_sub(FRESH).unwrap_or(now),
                "the agent has just started".to_owned(),
            )),
        }
    }

    /// Why the process should be started anew, if it should.
    fn dead(&self) -> Option<String> {
        let age = self.turn.elapsed();
        (age > ALIVE).then(|| format!("the agent has not come round for {} s", age.as_secs()))
    }

    /// Why what the API says about this node is not about now, if it is not.
    fn stale(&self) -> Option<String> {
        if let Some((since, reason)) = &self.unreachable {
            let age = since.elapsed().as_secs();
            return Some(format!("for {age} s: {reason}"));
        }
        match self.looked {
            None => return Some("the node has not been looked at yet".to_owned()),
            Some(looked) if looked.elapsed() > FRESH => {
                let age = looked.elapsed().as_secs();
                return Some(format!("the last look at the node is {age} s old"));
            }
            Some(_) => {}
        }
        let (since, reason) = self.unsaved.as_ref()?;
        let age = since.elapsed();
        (age >= FRESH)
            .then(|| format!("what was seen on the node is not in its NodeProxyState: {reason}"))
    }
}

/// Takes the port.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address} for probes and metrics: choose a port that is free on every node with \
             --health-address"
        )
    })
}

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    standing: watch::Receiver<Standing>,
    metrics: Arc<Metrics>,
) -> Result<()> {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state(Shared { standing, metrics });
    axum::serve(listener, routes)
        .await
        .context("serving probes and metrics")
}

async fn healthz(State(shared): State<Shared>) -> impl IntoResponse {
    answer(shared.standing.borrow().dead())
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    answer(shared.standing.borrow().stale())
}

fn answer(problem: Option<String>) -> (StatusCode, String) {
    match problem {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem + "\n"),
    }
}

async fn exposition(State(shared): State<Shared>) -> impl IntoResponse {
    let since = {
        let standing = shared.standing.borrow();
        standing.unreachable.as_ref().map(|(since, _)| *since)
    };
    let unreachable = since.map_or(Duration::ZERO, |since| since.elapsed());
    (
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        shared.metrics.text(unreachable),
    )
}

#[cfg(test)]
mod tests;
