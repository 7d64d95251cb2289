//! Nothing happens to any node: nothing may be taken over.

use std::time::Duration;

use crate::failover::Site;
use crate::mooring::Mooring;

/// Prints the metrics of the agent of a node, in a shell there.
const METRICS: &str = "busybox wget -qO- http://127.0.0.1:10270/metrics";

/// What happened all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calm {
    span: Duration,
    questions: usize,
    /// Addresses that another node answered for as well, or in the end.
    pub(crate) changes: usize,
    /// How often an agent thought that a node was dead, or that its agent was.
    pub(crate) verdicts: u64,
    suspicions: u64,
    silence: Duration,
}

/// Watches all addresses for so long.
pub(crate) fn measure(site: &Site<'_>, mooring: &Mooring<'_>, span: Duration) -> Calm {
    let watcher = site.bed.watch("client", &site.addresses).unwrap();
    let [wrong, suspicions] = verdicts(site);
    mooring.let_pass(span);
    let [wrong_then, suspicions_then] = verdicts(site);
    let mut calm = Calm {
        span,
        questions: 0,
        changes: 0,
        verdicts: wrong_then - wrong,
        suspicions: suspicions_then - suspicions,
        silence: Duration::ZERO,
    };
    for story in watcher.end().unwrap() {
        calm.questions += story.asked;
        calm.changes += usize::from(story.macs().len() != 1);
        calm.silence = calm.silence.max(story.longest_silence());
        if story.macs().len() != 1 {
            println!("  {story}");
        }
    }
    calm
}

/// How often all agents together came to the wrong verdicts, and how often to a suspicion.
fn verdicts(site: &Site<'_>) -> [u64; 2] {
    let nodes = site.bed.status().unwrap().nodes;
    let metrics: Vec<String> = nodes
        .iter()
        .map(|node| site.bed.run_on(&node.host.name, METRICS).unwrap())
        .collect();
    let count = |verdict: &str| {
        let name = format!("mooring_agent_peer_verdicts_total{{verdict=\"{verdict}\"}} ");
        let lines = metrics.iter().flat_map(|text| text.lines());
        let counts = lines.filter_map(|line| line.strip_prefix(&name));
        counts
            .map(|count| count.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    [count("Dead") + count("AgentSilent"), count("Suspected")]
}

impl std::fmt::Display for Calm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            span,
            questions,
            changes,
            verdicts,
            suspicions,
            silence,
        } = self;
        write!(
            f,
            "{} s in which nothing happens: {changes} addresses change hands, {verdicts} wrong verdicts, {suspicions} suspicions, \
             {questions} questions, silent on the wire for {} ms at most",
            span.as_secs(),
            silence.as_millis()
        )
    }
}
