//! What can be set from outside.

use std::env::var;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use testbed::spec::Proxy;

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Power,
    Freeze,
    Agent,
    Move,
    Idle,
    MetalLb,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) proxy: Proxy,
    /// Of each of Mooring's cases.
    pub(crate) runs: usize,
    pub(crate) runs_of_peer: usize,
    /// How often addresses are moved as planned.
    pub(crate) moves: usize,
    /// For how long nothing happens.
    pub(crate) idle: Duration,
    pub(crate) parts: Vec<Part>,
    /// Gets a line of JSON for each address of each run, as soon as it is known.
    pub(crate) json: PathBuf,
}

impl Knobs {
    pub(crate) fn of_environment() -> Self {
        let proxy = match var("MODE").as_deref() {
            Err(_) | Ok("ipvs") => Proxy::Ipvs,
            Ok("iptables") => Proxy::Iptables,
            Ok("nftables") => Proxy::Nftables,
            Ok(other) => panic!("MODE={other}: ipvs, iptables or nftables"),
        };
        let parts =
            var("PARTS").unwrap_or_else(|_| "power freeze agent move idle metallb".to_owned());
        let part = |name: &str| match name {
            "power" => Part::Power,
            "freeze" => Part::Freeze,
            "agent" => Part::Agent,
            "move" => Part::Move,
            "idle" => Part::Idle,
            "metallb" => Part::MetalLb,
            other => panic!("PARTS has {other}: power, freeze, agent, move, idle or metallb"),
        };
        let json = var("JSON").unwrap_or_else(|_| "bench-failover.jsonl".to_owned());
        Self {
            proxy,
            runs: number("RUNS", 30),
            runs_of_peer: number("RUNS_PEER", 5),
            moves: number("MOVES", 100),
            idle: Duration::from_secs(number("IDLE", 600)),
            parts: parts.split_whitespace().map(part).collect(),
            // Not that of the package, where cargo runs it.
            json: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")).join(json),
        }
    }
}

fn number<T: FromStr>(name: &str, default: T) -> T {
    match var(name) {
        Err(_) => default,
        Ok(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => panic!("{name}={text}: a number"),
        },
    }
}
