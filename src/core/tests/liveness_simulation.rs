//! Nodes that watch each other on a simulated segment: how fast a death is noticed, what it costs, and that no living node
//! is taken for dead. `cargo test -p mooring-core --test liveness_simulation -- --nocapture` prints the figures.
#![allow(
    clippy::print_stdout,
    reason = "figures are for whoever runs the test by hand"
)]

#[path = "liveness/sim.rs"]
mod sim;

use std::time::Duration;

use mooring_core::liveness::{News, Now, Reason, Verdict};
use sim::{Rng, Sim, milliseconds};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// After so long everybody knows everybody.
const SETTLED: Duration = Duration::from_secs(3);

fn settled(count: usize, seed: u64) -> Sim {
    let mut sim = Sim::new(count, seed);
    sim.pass(SETTLED);
    check_all_alive(&sim, &format!("seed {seed}"));
    sim.told.clear();
    sim
}

/// Whoever watches a node thinks that it is alive.
fn check_all_alive(sim: &Sim, what: &str) {
    for observer in 0..sim.nodes.len() {
        for node in 0..sim.nodes.len() {
            let verdict = sim.verdict(observer, node);
            assert!(
                verdict.is_none_or(|verdict| verdict == Verdict::Alive),
                "{what}: n{observer} thinks n{node} is {verdict:?}"
            );
        }
    }
}

/// When each watcher judged the node so.
fn judged(sim: &Sim, node: usize, verdict: Verdict) -> Vec<(usize, Now)> {
    let mut found: Vec<(usize, Now)> = Vec::new();
    for told in &sim.told {
        if let News::Judged {
            peer, judgement, ..
        } = told.news
            && sim.index_of(peer) == node
            && judgement.verdict == verdict
            && !found.iter().any(|(observer, _)| *observer == told.observer)
        {
            found.push((told.observer, told.at));
        }
    }
    found
}

/// Nobody was taken for dead.
fn false_deaths(sim: &Sim) -> usize {
    let deaths = sim.told.iter().filter(|told| {
        matches!(told.news, News::Judged { judgement, .. } if judgement.verdict == Verdict::Dead)
    });
    deaths.count()
}

fn line(what: &str, mut times: Vec<Duration>) -> Duration {
    let [min, median, p99, max] = [0, 50, 99, 100].map(|percent| milliseconds(&mut times, percent));
    println!(
        "{what}: {} times, min {min:.0} ms, median {median:.0}, p99 {p99:.0}, max {max:.0}",
        times.len()
    );
    times[times.len() - 1]
}

// === deaths ===

#[test]
fn a_power_cut_is_noticed_by_every_watcher_in_time() {
    for count in [2, 3, 5, 12] {
        let mut times = Vec::new();
        for seed in 0..60 {
            let mut sim = settled(count, seed);
            let wait = Duration::from_millis(sim.rng.below(200));
            sim.pass(wait);
            let cut = sim.now;
            sim.power_off(0);
            sim.pass(SECOND);
            let found = judged(&sim, 0, Verdict::Dead);
            assert_eq!(found.len(), (count - 1).min(4), "seed {seed}");
            times.extend(found.iter().map(|(_, at)| *at - cut));
            assert_eq!(false_deaths(&sim), found.len(), "seed {seed}");
        }
        let most = line(&format!("power cut, {count} nodes"), times);
        // With nobody to ask, more is asked on the wire.
        let bound = if count == 2 { 350 * MS } else { 260 * MS };
        assert!(most <= bound, "{most:?}");
    }
}

#[test]
fn a_death_on_machines_with_stalls_is_noticed_in_time_too() {
    let mut times = Vec::new();
    for seed in 0..60 {
        let mut sim = Sim::new(3, seed);
        sim.stalls = 0.3;
        sim.pass(20 * SECOND);
        assert_eq!(false_deaths(&sim), 0, "seed {seed}");
        sim.told.clear();
        let cut = sim.now;
        sim.power_off(0);
        sim.pass(SECOND);
        let found = judged(&sim, 0, Verdict::Dead);
        assert_eq!(found.len(), 2, "seed {seed}");
        times.extend(found.iter().map(|(_, at)| *at - cut));
    }
    let most = line("power cut, stalls of 95 ms", times);
    assert!(most <= 500 * MS, "{most:?}");
}

#[test]
fn a_dead_agent_on_a_living_node_is_no_dead_node() {
    for seed in 0..20 {
        let mut sim = settled(3, seed);
        sim.kill_agent(0);
        sim.pass(5 * SECOND);
        assert_eq!(false_deaths(&sim), 0, "seed {seed}");
        let found = judged(&sim, 0, Verdict::AgentSilent);
        assert_eq!(found.len(), 2, "seed {seed}");
        // Then the node goes, too.
        let cut = sim.now;
        sim.power_off(0);
        sim.pass(SECOND);
        for (_, at) in judged(&sim, 0, Verdict::Dead) {
            assert!(at - cut <= 400 * MS, "seed {seed}: {:?}", at - cut);
        }
        assert_eq!(false_deaths(&sim), 2, "seed {seed}");
    }
}

#[test]
fn a_node_that_is_held_up_learns_of_it_and_accuses_nobody() {
    for seed in 0..20 {
        for held in [SECOND, 5 * SECOND, 60 * SECOND] {
            let mut sim = settled(3, seed);
            sim.hold(0, held);
            sim.pass(held + 10 * MS);
            let own: Vec<News> = sim
                .told
                .iter()
                .filter(|told| told.observer == 0)
                .map(|told| told.news)
                .collect();
            assert!(
                matches!(own[0], News::HeldUp { missed } if missed + 110 * MS >= held),
                "seed {seed}: {own:?}"
            );
            sim.pass(2 * SECOND);
            assert_eq!(judged(&sim, 0, Verdict::Dead).len(), 2, "seed {seed}");
            assert_eq!(false_deaths(&sim), 2, "seed {seed}: {:?}", sim.told);
            for observer in [1, 2] {
                assert_eq!(
                    sim.verdict(observer, 0),
                    Some(Verdict::Alive),
                    "seed {seed}"
                );
            }
        }
    }
}

#[test]
fn who_is_cut_off_from_everybody_says_so() {
    let mut sim = settled(3, 1);
    for other in [1, 2] {
        sim.cut.insert((0, other));
        sim.cut.insert((other, 0));
    }
    sim.pass(2 * SECOND);
    for told in &sim.told {
        if let News::Judged {
            peer, judgement, ..
        } = told.news
            && judgement.verdict == Verdict::Dead
        {
            let reason = match told.observer {
                0 => Reason::NobodyIsHeard,
                _ => Reason::SilentToAll,
            };
            assert_eq!(
                judgement.reason,
                reason,
                "{told:?} of n{}",
                sim.index_of(peer)
            );
        }
    }
    assert_eq!(false_deaths(&sim), 4);
    sim.cut.clear();
    sim.pass(SECOND);
    for (observer, node) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
        assert_eq!(sim.verdict(observer, node), Some(Verdict::Alive));
    }
}

// === no deaths ===

#[test]
fn a_firewall_between_two_nodes_kills_nobody() {
    for (ways, seed) in [(1, 1), (2, 2)] {
        let mut sim = settled(3, seed);
        sim.blocked.insert((0, 1));
        if ways == 2 {
            sim.blocked.insert((1, 0));
        }
        sim.pass(60 * SECOND);
        assert_eq!(false_deaths(&sim), 0);
        assert_eq!(sim.verdict(1, 0), Some(Verdict::Alive), "n2 hears n0");
        // With nobody left to ask, the kernel's answers remain.
        sim.power_off(2);
        sim.pass(5 * SECOND);
        assert_eq!(sim.verdict(1, 0), Some(Verdict::AgentSilent));
        assert_eq!(false_deaths(&sim), 2);
    }
}

#[test]
fn frames_lost_one_way_between_two_nodes_kill_nobody() {
    let mut sim = settled(4, 3);
    sim.cut.insert((0, 1));
    sim.pass(60 * SECOND);
    assert_eq!(false_deaths(&sim), 0);
}

#[test]
fn an_hour_of_idle_machines_with_stalls_of_95_ms_has_no_false_death() {
    let mut sim = settled(3, 4);
    sim.stalls = 0.2;
    sim.pass(3600 * SECOND);
    let suspicions = sim.told.iter().filter(|told| {
        matches!(told.news, News::Judged { judgement, .. } if judgement.verdict == Verdict::Suspected)
    });
    println!("{} suspicions in an hour", suspicions.count());
    assert_eq!(false_deaths(&sim), 0);
}

#[test]
fn a_third_of_all_frames_lost_kills_nobody() {
    let mut deaths = 0;
    for seed in 0..20 {
        let mut sim = settled(3, seed);
        sim.loss = 0.3;
        sim.doubled = 0.1;
        sim.pass(60 * SECOND);
        deaths += false_deaths(&sim);
        sim.told.clear();
        sim.power_off(0);
        sim.pass(5 * SECOND);
        assert_eq!(judged(&sim, 0, Verdict::Dead).len(), 2, "seed {seed}");
    }
    println!("{deaths} false deaths in 20 minutes, each from the first lost frame on");
    assert_eq!(deaths, 0);
}

// === cost ===

#[test]
fn a_thousand_nodes_send_no_more_than_a_few() {
    for count in [2, 5, 100, 1000] {
        let mut sim = Sim::new(count, 5);
        sim.pass(SETTLED);
        let before: u64 = sim.nodes.iter().map(|node| node.sent).sum();
        sim.pass(5 * SECOND);
        let sent: u64 = sim.nodes.iter().map(|node| node.sent).sum();
        let rate = (sent - before) as f64 / count as f64 / 5.0;
        println!("{count} nodes: {rate:.1} packets per node and second");
        assert!(rate <= 50.0, "{rate}");
        assert_eq!(false_deaths(&sim), 0);
    }
}

// === anything ===

/// A death is right if the node, or the way from it to the observer, is gone, or was until just now.
fn check_deaths(sim: &Sim, silent: &[Vec<Now>], seed: u64) {
    for told in &sim.told {
        if let News::Judged {
            peer, judgement, ..
        } = told.news
            && judgement.verdict == Verdict::Dead
        {
            let node = sim.index_of(peer);
            let until = silent[told.observer][node];
            assert!(
                until + 100 * MS >= told.at,
                "seed {seed}: {told:?}: n{node} was not silent for n{} since {until:?}",
                told.observer
            );
        }
    }
}

fn random_schedule(seed: u64) {
    let mut rng = Rng(seed ^ 0x5eed);
    let count = 2 + rng.below(5) as usize;
    let mut sim = Sim::new(count, seed);
    sim.loss = [0.0, 0.0, 0.01][rng.below(3) as usize];
    sim.doubled = [0.0, 0.05][rng.below(2) as usize];
    sim.delay = [200, 2_000, 10_000][rng.below(3) as usize];
    sim.pass(SETTLED);
    sim.told.clear();
    // Until when the one was cut off from the other.
    let mut silent = vec![vec![Now::ZERO; count]; count];
    for _ in 0..12 {
        let (a, b) = (
            rng.below(count as u64) as usize,
            rng.below(count as u64) as usize,
        );
        match rng.below(9) {
            0 => sim.power_off(a),
            1 => {
                sim.start(a);
            }
            2 => sim.hold(a, Duration::from_millis(rng.below(1500))),
            3 => sim.kill_agent(a),
            4 if sim.nodes[a].powered && !sim.has_agent(a) => sim.start_agent(a),
            5 if a != b => {
                sim.cut.insert((a, b));
            }
            6 if a != b => {
                sim.blocked.insert((a, b));
            }
            7 => sim.cut.clear(),
            8 => sim.blocked.clear(),
            _ => {}
        }
        for _ in 0..(1 + rng.below(10)) {
            for (observer, row) in silent.iter_mut().enumerate() {
                for (node, until) in row.iter_mut().enumerate() {
                    if sim.is_silent(node, observer) {
                        *until = sim.now + 100 * MS;
                    }
                }
            }
            sim.pass(100 * MS);
        }
        check_deaths(&sim, &silent, seed);
    }
    sim.cut.clear();
    sim.blocked.clear();
    sim.loss = 0.0;
    for node in 0..count {
        sim.start(node);
    }
    sim.pass(4 * SECOND);
    check_all_alive(&sim, &format!("seed {seed}, in the end"));
}

#[test]
fn whatever_happens_only_the_silent_are_judged_dead_and_all_is_well_in_the_end() {
    for seed in 0..1000 {
        random_schedule(seed);
    }
}
