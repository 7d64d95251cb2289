//! Planned moves under load, and agents that are replaced: nobody may notice them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use testbed::protocol::Request;
use testbed::steady::{Options, Report, SteadyClient};

use crate::cargo;
use crate::failover::Site;
use crate::mooring::Mooring;

/// Requests per second to each of the addresses that move.
const RATE: u32 = 200;
/// How many of the addresses move: nodes of a bed have one processor each.
const MOVERS: usize = 2;
/// So that no more is asked than can be remembered.
const RUNS_AT_ONCE: usize = 20;
/// Longer than that takes.
const LIMIT: Duration = Duration::from_secs(600);
/// After a move, before the next: those under way when it happened are seen to their end.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// Where nobody answers for longer, what was seen on the wire is printed.
const NOTABLE: Duration = Duration::from_millis(250);

/// What all moves together cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) moves: usize,
    pub(crate) requests: usize,
    pub(crate) failed: usize,
    pub(crate) longest_gap: Duration,
    pub(crate) silence: Duration,
    pub(crate) overlaps: usize,
}

/// Moves addresses from node to node, each that often. Of twenty times it is by hand seventeen times, as the node that has one
/// is drained once, and once all agents are replaced; in the end the node that has one is shut down.
pub(crate) fn measure(site: &Site<'_>, mooring: &Mooring<'_>, runs: usize) -> Cost {
    let mut cost = Cost::default();
    let mut left = runs;
    while left > 0 {
        let some = left.min(RUNS_AT_ONCE);
        left -= some;
        measure_some(site, mooring, some, &mut cost);
        println!("  {cost}");
    }
    cost
}

fn measure_some(site: &Site<'_>, mooring: &Mooring<'_>, runs: usize, cost: &mut Cost) {
    let movers = &site.addresses[..MOVERS];
    let watcher = site.bed.watch("client", movers).unwrap();
    let begin = |address: &IpAddr| {
        let target = SocketAddr::new(*address, 80);
        let options = Options::per_second(RATE, LIMIT);
        site.bed.ask_steadily("client", target, options).unwrap()
    };
    let clients: Vec<SteadyClient> = movers.iter().map(begin).collect();
    mooring.let_pass(AFTERWARDS);
    let mark = watcher.now();
    let mut off = None;
    for run in 1..=runs {
        cost.moves += match run {
            last if last == runs => {
                let node = mooring.wait_until_held(movers[0]).node;
                let its = |address: &&IpAddr| mooring.wait_until_held(**address).node == node;
                let addresses: Vec<IpAddr> = site.addresses.iter().filter(its).copied().collect();
                mooring.shut_down(&node, &addresses);
                off = Some(node);
                addresses
                    .iter()
                    .filter(|address| movers.contains(*address))
                    .count()
            }
            last if last + 1 == runs => {
                mooring.restart_agents();
                MOVERS
            }
            tenth if tenth % 10 == 0 => {
                drain(site, mooring, movers[0]);
                1
            }
            _ => {
                movers
                    .iter()
                    .for_each(|address| move_on(site, mooring, *address));
                MOVERS
            }
        };
        mooring.let_pass(AFTERWARDS);
    }
    for client in clients {
        let report: Report = client.end();
        cost.requests += report.requests();
        cost.failed += report.failures().len();
        let gap = report.longest_gap();
        cost.longest_gap = cost
            .longest_gap
            .max(gap.map(|gap| gap.length()).unwrap_or_default());
        if !report.failures().is_empty() {
            println!("{report}");
        }
    }
    for story in watcher.end().unwrap() {
        let story = story.since(mark);
        if story.longest_silence() > NOTABLE {
            mooring.print(&story);
        }
        cost.silence = cost.silence.max(story.longest_silence());
        cost.overlaps += story.overlaps().len();
    }
    if let Some(node) = off {
        site.bed.order(&Request::Boot(node)).unwrap();
        mooring.wait_until_settled(site);
    }
}

/// Has the next node have an address.
fn move_on(site: &Site<'_>, mooring: &Mooring<'_>, address: IpAddr) {
    let from = mooring.wait_until_held(address).node;
    let status = site.bed.status().unwrap();
    let nodes: Vec<String> = status
        .nodes
        .into_iter()
        .map(|node| node.host.name)
        .collect();
    let at = nodes.iter().position(|node| *node == from).unwrap();
    let to = nodes[(at + 1) % nodes.len()].clone();
    plugin(site, &["move", &address.to_string(), "--to", &to]);
    mooring.wait_until_held_by(address, |holder| holder.node == to);
}

/// Drains the node that has an address, and lets it have addresses again.
fn drain(site: &Site<'_>, mooring: &Mooring<'_>, address: IpAddr) {
    let from = mooring.wait_until_held(address).node;
    plugin(site, &["drain", &from]);
    mooring.wait_until_held_by(address, |holder| holder.node != from);
    plugin(site, &["drain", &from, "--undo"]);
}

fn plugin(site: &Site<'_>, words: &[&str]) {
    let program = cargo::programs().join("kubectl-mooring");
    let output = site
        .bed
        .command("cp", program)
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            moves,
            requests,
            failed,
            longest_gap,
            silence,
            overlaps,
        } = self;
        let [gap, silence] = [longest_gap, silence].map(Duration::as_millis);
        write!(
            f,
            "{moves} planned moves: {failed} of {requests} requests failed, {gap} ms at most between two that succeeded; \
             silent on the wire for {silence} ms at most, two answered {overlaps} times"
        )
    }
}
