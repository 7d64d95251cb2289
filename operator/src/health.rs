//! `/healthz`, `/readyz` and `/metrics`.
//!
//! Healthy means that the loops turn: a replica that hangs is restarted. Ready means that this replica does its part, or
//! stands by to; when not, the answer says why, and restarting would not help.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::leader::{Contact, Role, Standing};
use crate::metrics;

/// A loop that has not turned for so long hangs: its slowest turn waits for a few requests of ten seconds.
const HANGS: Duration = Duration::from_secs(90);

/// What a loop says about itself while it leads.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    /// When its loop turned last.
    pub at: Instant,
    /// What it waits for; empty if it has all it needs.
    pub waits_for: Vec<String>,
}

/// The loops of the leader.
#[derive(Clone)]
pub(crate) struct Pulses {
    /// That of the guard.
    pub guard: watch::Receiver<Pulse>,
    /// That of external IPs.
    pub addresses: watch::Receiver<Pulse>,
}

#[derive(Clone)]
struct Shown {
    standing: watch::Receiver<Standing>,
    pulses: Pulses,
    registry: Arc<Registry>,
}

/// Binds the address, so that a wrong one is known at once.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (--listen)"))
}

/// Serves for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    standing: watch::Receiver<Standing>,
    pulses: Pulses,
    registry: Registry,
) -> std::io::Result<()> {
    let shown = Shown {
        standing,
        pulses,
        registry: Arc::new(registry),
    };
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(shown);
    axum::serve(listener, router).await
}

async fn healthz(State(shown): State<Shown>) -> impl IntoResponse {
    let standing = shown.standing.borrow().clone();
    answer(healthy(&standing, &shown.pulses.now(), Instant::now()))
}

async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    let standing = shown.standing.borrow().clone();
    answer(ready(&standing, &shown.pulses.now(), Instant::now()))
}

async fn show_metrics(State(shown): State<Shown>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics::text(&shown.registry) {
        Ok(text) => ([(header::CONTENT_TYPE, TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn answer(result: Result<String, String>) -> (StatusCode, String) {
    match result {
        Ok(text) => (StatusCode::OK, text + "\n"),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text + "\n"),
    }
}

/// One loop by its name, and what it says.
type Beat = (&'static str, Pulse);

fn healthy(standing: &Standing, beats: &[Beat], now: Instant) -> Result<String, String> {
    let hangs = |at: Instant| now.saturating_duration_since(at) > HANGS;
    if hangs(standing.at) {
        return Err("the leader election hangs".to_owned());
    }
    let leads = matches!(standing.role, Role::Leading { .. });
    match beats.iter().find(|(_, pulse)| leads && hangs(pulse.at)) {
        Some((name, _)) => Err(format!("{name} hangs")),
        None => Ok("ok".to_owned()),
    }
}

fn ready(standing: &Standing, beats: &[Beat], now: Instant) -> Result<String, String> {
    if let Contact::Lost(lost) = &standing.contact {
        let seconds = now.saturating_duration_since(lost.since).as_secs();
        let what = match lost.unanswered {
            true => "the API server is out of reach",
            false => "the Lease cannot be read or written",
        };
        return Err(format!("{what}, for {seconds} s now: {}", lost.error));
    }
    match &standing.role {
        Role::Starting => Err("the Lease has not been read yet".to_owned()),
        Role::Following { holder } => Ok(format!("standing by for {holder}")),
        Role::Leading { .. } => {
            let mut waits: Vec<&str> = Vec::new();
            for text in beats.iter().flat_map(|(_, pulse)| &pulse.waits_for) {
                if !waits.contains(&text.as_str()) {
                    waits.push(text);
                }
            }
            if waits.is_empty() {
                return Ok("leading".to_owned());
            }
            Err(format!("waiting for: {}", waits.join("; ")))
        }
    }
}

// === impl Pulse ===

impl Pulse {
    /// Before a loop has turned.
    pub(crate) fn starting() -> Self {
        Self {
            at: Instant::now(),
            waits_for: Vec::new(),
        }
    }
}

// === impl Pulses ===

impl Pulses {
    fn now(&self) -> [Beat; 2] {
        [
            ("the guard", self.guard.borrow().clone()),
            ("the loop for external IPs", self.addresses.borrow().clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leader::Lost;

    fn standing(role: Role, contact: Contact) -> Standing {
        Standing {
            role,
            contact,
            at: Instant::now(),
        }
    }

    fn pulse(waits_for: &[&str]) -> [Beat; 2] {
        let pulse = Pulse {
            at: Instant::now(),
            waits_for: waits_for.iter().map(|text| (*text).to_owned()).collect(),
        };
        [("the guard", Pulse::starting()), ("the other loop", pulse)]
    }

    fn leading() -> Role {
        Role::Leading {
            until: Instant::now() + Duration::from_secs(10),
        }
    }

    #[test]
    fn a_standby_is_ready_and_says_for_whom() {
        let role = Role::Following {
            holder: "other".to_owned(),
        };
        let standing = standing(role, Contact::Reached);
        let ready = ready(&standing, &pulse(&["Nodes"]), Instant::now());
        assert_eq!(ready, Ok("standing by for other".to_owned()));
    }

    #[test]
    fn a_leader_that_waits_is_not_ready_and_says_for_what() {
        let standing = standing(leading(), Contact::Reached);
        let now = Instant::now();
        let waiting = ready(&standing, &pulse(&["Nodes: not listed yet"]), now).unwrap_err();
        assert!(waiting.contains("Nodes: not listed yet"), "{waiting}");
        assert!(ready(&standing, &pulse(&[]), now).is_ok());
    }

    #[test]
    fn an_api_server_out_of_reach_is_said_with_its_time_and_error() {
        let since = Instant::now();
        let lost = Contact::Lost(Lost {
            since,
            unanswered: true,
            error: "connection refused".to_owned(),
        });
        let standing = standing(leading(), lost);
        let now = since + Duration::from_secs(61);
        let text = ready(&standing, &pulse(&[]), now).unwrap_err();
        assert!(
            text.contains("61 s") && text.contains("connection refused"),
            "{text}"
        );
    }

    #[test]
    fn only_a_leader_needs_a_guard_that_turns() {
        let late = Instant::now() + HANGS + Duration::from_secs(1);
        let mut hung = standing(leading(), Contact::Reached);
        hung.at = late;
        let hangs = healthy(&hung, &pulse(&[]), late).unwrap_err();
        assert_eq!(hangs, "the guard hangs");
        hung.role = Role::Starting;
        assert!(healthy(&hung, &pulse(&[]), late).is_ok());
        assert!(
            healthy(
                &standing(Role::Starting, Contact::Reached),
                &pulse(&[]),
                late
            )
            .is_err()
        );
    }
}
