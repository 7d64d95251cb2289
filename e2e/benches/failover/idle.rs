//! Nothing happens to any node: nothing may be taken over.

use std::fmt;
use std::time::Duration;

use crate::failover::Site;
use crate::mooring::{Mooring, NAMESPACE};

/// Prints the metrics of the agent of a node, in a shell there.
const METRICS: &str = "busybox wget -qO- http://127.0.0.1:10270/metrics";

/// What happened all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calm {
    span: Duration,
    questions: usize,
    /// Addresses that another node answered for as well, or in the end.
    pub(crate) changes: usize,
    silence: Duration,
    doubts: Doubts,
}

/// What all agents together thought of nodes that nothing happened to. None of it moves an address: before one is taken over,
/// the wire is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubts {
    suspected: u64,
    /// Their kernel answers and their agent does not.
    silent: u64,
    dead: u64,
    /// Addresses that were to be taken over, if nobody answered on the wire.
    take_overs: u64,
    /// How often an agent did not run for 30 ms when it should have: it stood still, or its node did.
    held_up: u64,
}

/// Watches all addresses for so long.
pub(crate) fn measure(site: &Site<'_>, mooring: &Mooring<'_>, span: Duration) -> Calm {
    let watcher = site.bed.watch("client", &site.addresses).unwrap();
    let before = Doubts::so_far(site);
    mooring.let_pass(span);
    let doubts = Doubts::so_far(site).since(before);
    let mut calm = Calm {
        span,
        questions: 0,
        changes: 0,
        silence: Duration::ZERO,
        doubts,
    };
    for story in watcher.end().unwrap() {
        calm.questions += story.asked;
        calm.changes += usize::from(story.macs().len() != 1);
        calm.silence = calm.silence.max(story.longest_silence());
        if story.macs().len() != 1 {
            println!("  {story}");
        }
    }
    if doubts.dead + doubts.silent > 0 {
        tell_of_nodes(mooring, span);
    }
    calm
}

/// What agents said of other nodes meanwhile, and why.
fn tell_of_nodes(mooring: &Mooring<'_>, span: Duration) {
    let since = format!("--since={}s", span.as_secs());
    for pod in mooring.agents() {
        let logs = ["-n", NAMESPACE, "logs", &pod.name, &since];
        let text = mooring.bed.kubectl(&logs).unwrap();
        let lines = text.lines().filter(|line| line.contains("a node is "));
        lines.for_each(|line| println!("  {}: {line}", pod.node));
    }
}

// === impl Doubts ===

impl Doubts {
    /// Since the agents began.
    fn so_far(site: &Site<'_>) -> Self {
        let nodes = site.bed.status().unwrap().nodes;
        let metrics: Vec<String> = nodes
            .iter()
            .map(|node| site.bed.run_on(&node.host.name, METRICS).unwrap())
            .collect();
        let count = |name: &str| -> u64 {
            let name = format!("mooring_agent_{name} ");
            let lines = metrics.iter().flat_map(|text| text.lines());
            let counts = lines.filter_map(|line| line.strip_prefix(&name));
            counts.map(|count| count.parse::<u64>().unwrap()).sum()
        };
        let verdict =
            |verdict: &str| count(&format!("peer_verdicts_total{{verdict=\"{verdict}\"}}"));
        Self {
            suspected: verdict("Suspected"),
            silent: verdict("AgentSilent"),
            dead: verdict("Dead"),
            take_overs: count("takeover_detection_seconds_count"),
            held_up: count("held_up_seconds_count"),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            suspected: self.suspected - before.suspected,
            silent: self.silent - before.silent,
            dead: self.dead - before.dead,
            take_overs: self.take_overs - before.take_overs,
            held_up: self.held_up - before.held_up,
        }
    }
}

impl fmt::Display for Calm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            span,
            questions,
            changes,
            silence,
            doubts,
        } = self;
        write!(
            f,
            "{} s in which nothing happens: {changes} addresses change hands, {questions} questions, silent on the wire for {} ms \
             at most; nodes thought to be {doubts}",
            span.as_secs(),
            silence.as_millis()
        )
    }
}

impl fmt::Display for Doubts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            suspected,
            silent,
            dead,
            take_overs,
            held_up,
        } = self;
        write!(
            f,
            "dead {dead} times, without agent {silent}, suspect {suspected}; {take_overs} addresses asked for on the wire to be \
             taken over; agents held up for 30 ms and more {held_up} times"
        )
    }
}
