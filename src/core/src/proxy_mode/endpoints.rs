//! What kube-proxy's endpoints answer, read into values.
//!
//! A broken or foreign server may answer on these ports: nothing here panics, whatever comes.

use serde_json::Value;

use super::{ProxyMode, UnknownMode};
use crate::kube_proxy::snapshot::Timestamp;

/// What `/configz` tells of the configuration that the process was started with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveConfig {
    /// `mode`; `None` if it is empty.
    pub mode: Option<ProxyMode>,
    /// `ipvs.strictARP`.
    pub strict_arp: Option<bool>,
    /// `metricsBindAddress`.
    pub metrics_bind_address: Option<String>,
    /// `healthzBindAddress`.
    pub healthz_bind_address: Option<String>,
}

/// Why `/configz` tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigzError {
    /// It is no JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It has no configuration of kube-proxy: another program answers.
    #[error("it has no kubeproxy.config.k8s.io, so another program answers")]
    NotKubeProxy,
    /// The mode is none of kube-proxy's.
    #[error(transparent)]
    Mode(#[from] UnknownMode),
}

/// What `/metrics` tells of the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Its version, such as `v1.35.4`.
    pub version: Option<String>,
    /// When it started.
    pub started: Option<Timestamp>,
}

/// What `/healthz` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The rules are up to date.
    UpToDate,
    /// They are not; since when, as far as it tells.
    Stale {
        /// `lastUpdated`, as it stands there.
        last_updated: Option<String>,
    },
    /// They are up to date, and load balancers are told to leave the node alone, as it is about to be deleted.
    NodeLeaving,
    /// The answer is not one of kube-proxy's health server.
    Foreign(u16),
}

// === /proxyMode ===

/// Reads the body of `/proxyMode`.
pub fn proxy_mode(body: &str) -> Result<ProxyMode, UnknownMode> {
    let word = body.trim();
    word.parse().map_err(|_| UnknownMode(shortened(word)))
}

/// The start of a text that may be long.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

// === /configz ===

/// Reads the body of `/configz`. Up to 1.35 the names are those of Go's fields (`IPVS.StrictARP`), from 1.36 those of the
/// configuration file (`ipvs.strictARP`): they are read without regard to case.
pub fn configz(body: &str) -> Result<LiveConfig, ConfigzError> {
    let root: Value =
        serde_json::from_str(body).map_err(|error| ConfigzError::NotJson(error.to_string()))?;
    let config = field(&root, "kubeproxy.config.k8s.io")
        .filter(|config| config.is_object())
        .ok_or(ConfigzError::NotKubeProxy)?;
    let text = |name| {
        field(config, name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    Ok(LiveConfig {
        mode: text("mode").map(proxy_mode).transpose()?,
        strict_arp: field(config, "ipvs")
            .and_then(|ipvs| field(ipvs, "strictARP"))
            .and_then(Value::as_bool),
        metrics_bind_address: text("metricsBindAddress").map(str::to_owned),
        healthz_bind_address: text("healthzBindAddress").map(str::to_owned),
    })
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value
        .as_object()?
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

// === /metrics ===

/// Reads the version and the start of the process from the text of `/metrics`.
pub fn metrics(body: &str) -> Process {
    let mut process = Process::default();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("kubernetes_build_info{") {
            process.version = process.version.or_else(|| label(rest, "git_version"));
        } else if let Some(rest) = line.strip_prefix("process_start_time_seconds ") {
            let seconds = rest
                .split_whitespace()
                .next()
                .and_then(|value| value.parse::<f64>().ok());
            // The year 9999, the last that the API can say.
            let whole = seconds.filter(|seconds| (0.0..253_402_300_800.0).contains(seconds));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "in range, and whole seconds are wanted"
            )]
            let started = whole.map(|seconds| Timestamp::from_unix_seconds(seconds as i64));
            process.started = process.started.or(started);
        }
    }
    process
}

/// The value of a label in `name="value",...}`, if it is a plain one.
fn label(labels: &str, name: &str) -> Option<String> {
    let mut rest = labels;
    loop {
        let (key, tail) = rest.split_once("=\"")?;
        let (value, tail) = tail.split_once('"')?;
        if key.trim_start_matches([',', ' ']) == name {
            return (!value.is_empty() && !value.contains('\\')).then(|| value.to_owned());
        }
        rest = tail;
    }
}

// === /healthz ===

/// Reads the answer of `/healthz` on the health port.
///
/// A kube-proxy that keeps up names the present as `lastUpdated` (pkg/proxy/healthcheck/proxy_health.go), so an answer of
/// 503 with both times alike only says that the node is about to go.
pub fn healthz(status: u16, body: &str) -> Health {
    let body: Option<Value> = serde_json::from_str(body).ok();
    let text = |name| {
        body.as_ref()
            .and_then(|body| field(body, name))
            .and_then(Value::as_str)
    };
    match status {
        200 => Health::UpToDate,
        503 => {
            let eligible = body
                .as_ref()
                .and_then(|body| field(body, "nodeEligible"))
                .and_then(Value::as_bool);
            let (updated, now) = (text("lastUpdated"), text("currentTime"));
            let fresh = updated.is_some() && updated.map(to_second) == now.map(to_second);
            if eligible == Some(false) && fresh {
                Health::NodeLeaving
            } else {
                Health::Stale {
                    last_updated: updated.map(|time| to_second(time).to_owned()),
                }
            }
        }
        other => Health::Foreign(other),
    }
}

/// Go prints a time as `2026-11-22 18:11:08.123456 +0000 UTC m=+1.5`: the part up to the whole second.
fn to_second(time: &str) -> &str {
    time.split(['.', '+']).next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests;
