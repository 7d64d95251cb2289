//! Nodes that take addresses over from each other on a simulated segment: whatever dies, freezes or is cut off, an address
//! has one holder in the end, and two only for as long as two sides of a partition take to meet.
//! `cargo test -p mooring-core --test succession_simulation -- --nocapture` prints the figures.
#![allow(
    clippy::print_stdout,
    reason = "figures are for whoever runs the test by hand"
)]

#[path = "liveness/sim.rs"]
mod sim;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mooring_core::ipam::pool::Ownership;
use mooring_core::liveness::{News as Seen, Now};
use mooring_core::peer::PeerId;
use mooring_core::placement::successors;
use mooring_core::succession::{Output, Post, Succession, Word};
use sim::{Rng, Sim, milliseconds};

const STEP: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);
/// How many random schedules are gone through.
const SCHEDULES: u64 = 10_000;

/// How long the wire is asked before an address is spoken for.
const ASKING: Duration = Duration::from_millis(60);
/// When it is asked again after somebody answered.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// After so long a pause others may have taken over: what was held is asked for anew.
const DOUBT: Duration = Duration::from_millis(140);

/// What somebody else has is asked for, too; if nobody answers for so long, nobody has it.
const ABANDONED: Duration = Duration::from_secs(2);

/// What an agent does about its addresses, without the wire's bytes.
struct Mind {
    succession: Succession,
    asking: BTreeMap<IpAddr, Now>,
    held: BTreeSet<IpAddr>,
    /// What was held until the node stood still, while it is asked for.
    doubted: BTreeSet<IpAddr>,
    /// Since when nobody answers for what somebody else should have.
    silent: BTreeMap<IpAddr, Now>,
}

struct Fleet {
    sim: Sim,
    minds: Vec<Option<Mind>>,
    posts: Vec<Post>,
    mail: Vec<(usize, usize, Word)>,
    /// Words said so far.
    words: usize,
    /// How much of what liveness said was taken in.
    heard: usize,
    /// Since when two that reach each other answer for one address.
    doubled: BTreeMap<IpAddr, Now>,
    /// The longest of these times.
    longest: Duration,
}

impl Fleet {
    fn new(count: usize, addresses: u8, seed: u64) -> Self {
        let sim = Sim::new(count, seed);
        let names: Vec<String> = (0..count).map(|index| format!("n{index}")).collect();
        let posts = (0..addresses).map(|number| {
            let address = IpAddr::from(Ipv4Addr::new(192, 0, 2, number));
            let names = names.iter().map(String::as_str);
            let mut chain = successors(address, names).into_iter().map(PeerId::of);
            Post {
                address,
                plan: 1,
                planned: chain.next().expect("a node"),
                heirs: chain.collect(),
                ownership: Ownership::Available,
            }
        });
        let mut fleet = Self {
            posts: posts.collect(),
            minds: (0..count).map(|_| None).collect(),
            sim,
            mail: Vec::new(),
            words: 0,
            heard: 0,
            doubled: BTreeMap::new(),
            longest: Duration::ZERO,
        };
        for node in 0..count {
            fleet.begin(node);
        }
        fleet.pass(4 * SECOND);
        fleet.check_one_holder(&format!("seed {seed}, at first"));
        fleet
    }

    fn begin(&mut self, node: usize) {
        let mut succession = Succession::new(self.sim.nodes[node].id);
        succession.set_posts(self.posts.clone());
        self.minds[node] = Some(Mind {
            succession,
            asking: BTreeMap::new(),
            held: BTreeSet::new(),
            doubted: BTreeSet::new(),
            silent: BTreeMap::new(),
        });
    }

    // --- what happens ---

    fn power_off(&mut self, node: usize) {
        self.sim.power_off(node);
        self.minds[node] = None;
    }

    /// Cuts the power of the one that holds the first address: which that is, and how long each address that it held was
    /// silent.
    fn cut_power(&mut self, seed: u64) -> (usize, Vec<Duration>) {
        let victim = self.holders(self.posts[0].address)[0];
        let mut lost: Vec<IpAddr> = self.posts.iter().map(|post| post.address).collect();
        lost.retain(|ip| self.holders(*ip) == [victim]);
        let mut times = Vec::new();
        let cut = self.sim.now;
        self.power_off(victim);
        while !lost.is_empty() {
            self.pass(STEP);
            let taken = self.sim.now - cut;
            assert!(taken < SECOND, "seed {seed}: {lost:?}");
            let before = lost.len();
            lost.retain(|ip| self.holders(*ip).is_empty());
            times.resize(times.len() + before - lost.len(), taken);
        }
        (victim, times)
    }

    fn kill_agent(&mut self, node: usize) {
        self.sim.kill_agent(node);
        self.minds[node] = None;
    }

    fn start(&mut self, node: usize) {
        if self.sim.start(node) {
            self.begin(node);
        }
    }

    // --- time ---

    fn pass(&mut self, duration: Duration) {
        let end = self.sim.now + duration;
        while self.sim.now < end {
            self.sim.pass(STEP);
            self.listen();
            self.deliver();
            for node in 0..self.minds.len() {
                self.think(node);
            }
            self.look();
        }
    }

    fn listen(&mut self) {
        let news = self.sim.told[self.heard..].to_vec();
        self.heard = self.sim.told.len();
        let now = self.sim.now;
        for told in news {
            let Some(mind) = &mut self.minds[told.observer] else {
                continue;
            };
            let output = match told.news {
                Seen::Judged {
                    peer,
                    former,
                    judgement,
                } => mind.succession.judged(peer, &former, &judgement, now),
                Seen::HeldUp { missed } => {
                    if missed >= DOUBT {
                        mind.doubted.append(&mut mind.held);
                        mind.asking.clear();
                        mind.succession.stood_still();
                    }
                    Output::default()
                }
                Seen::Restarted { peer } => mind.succession.restarted(peer),
                Seen::Hears { .. } | Seen::Lost { .. } => Output::default(),
            };
            self.post(told.observer, output);
        }
    }

    fn post(&mut self, from: usize, output: Output) {
        for (to, word) in output.tell {
            let to = self.sim.index_of(to);
            self.words += 1;
            self.mail.push((from, to, word));
        }
    }

    fn deliver(&mut self) {
        for (from, to, word) in std::mem::take(&mut self.mail) {
            if self.sim.is_held(to) {
                self.mail.push((from, to, word));
            } else if !self.sim.cut.contains(&(from, to))
                && !self.sim.blocked.contains(&(from, to))
                && let Some(mind) = &mut self.minds[to]
            {
                let output = match word {
                    Word::Has(claim) => mind.succession.receive(claim),
                    Word::Gone(node) => {
                        assert!(
                            self.sim.watches(to, from, node),
                            "{from} does not watch {node}"
                        );
                        mind.succession.told_gone(node, self.sim.now)
                    }
                };
                self.post(to, output);
            }
        }
    }

    /// Holds, asks and lets go.
    fn think(&mut self, node: usize) {
        if self.sim.is_held(node) {
            return;
        }
        let now = self.sim.now;
        let Some(mut mind) = self.minds[node].take() else {
            return;
        };
        let deeds: BTreeSet<IpAddr> = mind
            .succession
            .deeds()
            .map(|(address, _)| address)
            .collect();
        mind.held.retain(|address| deeds.contains(address));
        mind.asking.retain(|address, _| deeds.contains(address));
        mind.doubted.retain(|address| deeds.contains(address));
        for address in deeds {
            if mind.held.contains(&address) {
                continue;
            }
            let begun = *mind.asking.entry(address).or_insert(now);
            if begun > now {
                continue;
            }
            if (0..self.minds.len())
                .any(|other| other != node && self.answers(other, address, node))
            {
                mind.asking.insert(address, now + ASK_AGAIN);
                mind.doubted.remove(&address);
            } else if begun + ASKING <= now {
                mind.asking.remove(&address);
                mind.doubted.remove(&address);
                mind.held.insert(address);
            }
        }
        let yielded: Vec<IpAddr> = mind.succession.yielded().collect();
        mind.silent.retain(|address, _| yielded.contains(address));
        for address in yielded {
            let others = 0..self.minds.len();
            if others
                .into_iter()
                .any(|other| self.answers(other, address, node))
            {
                mind.silent.remove(&address);
            } else if *mind.silent.entry(address).or_insert(now) + ABANDONED <= now {
                mind.succession.unanswered(address);
            }
        }
        let (held, doubted) = (mind.held.clone(), mind.doubted.clone());
        mind.succession.set_held(held, doubted);
        let output = mind.succession.tell(now);
        self.minds[node] = Some(mind);
        self.post(node, output);
    }

    /// Whether a node answers for an address so that the other one hears it.
    fn answers(&self, node: usize, address: IpAddr, listener: usize) -> bool {
        let mind = self.minds[node].as_ref();
        mind.is_some_and(|mind| mind.held.contains(&address)) && !self.sim.is_silent(node, listener)
    }

    // --- what must hold ---

    fn holders(&self, address: IpAddr) -> Vec<usize> {
        let nodes = 0..self.minds.len();
        nodes
            .filter(|node| self.answers(*node, address, *node))
            .collect()
    }

    fn all_holders(&self) -> Vec<Vec<usize>> {
        let posts = self.posts.iter();
        posts.map(|post| self.holders(post.address)).collect()
    }

    fn look(&mut self) {
        for post in &self.posts {
            let holders = self.holders(post.address);
            let two = holders.iter().enumerate().any(|(at, one)| {
                // Whose datagrams a firewall keeps from each other cannot agree, and the wire alone does not say who is right.
                let blocked = |other| {
                    let blocked = &self.sim.blocked;
                    blocked.contains(&(*one, other)) || blocked.contains(&(other, *one))
                };
                let mut others = holders[at + 1..].iter();
                others.any(|other| !self.sim.is_silent(*one, *other) && !blocked(*other))
            });
            if two {
                let since = *self
                    .doubled
                    .entry(post.address)
                    .or_insert(self.sim.now - STEP);
                self.longest = self.longest.max(self.sim.now - since);
            } else {
                self.doubled.remove(&post.address);
            }
        }
    }

    fn check_one_holder(&self, what: &str) {
        for post in &self.posts {
            let holders = self.holders(post.address);
            assert_eq!(holders.len(), 1, "{what}: {} has {holders:?}", post.address);
        }
    }
}

#[test]
fn after_a_power_cut_every_address_is_back_in_a_third_of_a_second() {
    let mut times = Vec::new();
    for seed in 0..60 {
        let mut fleet = Fleet::new(3 + (seed % 3) as usize, 6, seed);
        let wait = Duration::from_millis(fleet.sim.rng.below(200));
        fleet.pass(wait);
        let (victim, taken) = fleet.cut_power(seed);
        times.extend(taken);
        // The node comes back, and nothing moves.
        let before = fleet.all_holders();
        fleet.start(victim);
        fleet.pass(4 * SECOND);
        assert_eq!(before, fleet.all_holders(), "seed {seed}");
        assert_eq!(fleet.longest, Duration::ZERO, "seed {seed}: two answered");
    }
    let (median, p99) = (milliseconds(&mut times, 50), milliseconds(&mut times, 99));
    println!(
        "power cut: {} addresses, silent for {median:.0} ms in the median, {p99:.0} ms p99",
        times.len()
    );
    assert!(median <= 300.0 && p99 <= 500.0, "{median} {p99}");
}

#[test]
fn heirs_that_do_not_watch_the_dead_node_are_told() {
    let mut times = Vec::new();
    for seed in 0..4 {
        let mut fleet = Fleet::new(24, 48, seed);
        let words = fleet.words;
        let (victim, taken) = fleet.cut_power(seed);
        times.extend(taken);
        let words = fleet.words - words;
        assert!(words <= 4 * 48, "seed {seed}: {words} words");
        fleet.start(victim);
        fleet.pass(6 * SECOND);
        fleet.check_one_holder(&format!("seed {seed}, in the end"));
        assert_eq!(fleet.longest, Duration::ZERO, "seed {seed}: two answered");
    }
    let (median, p99) = (milliseconds(&mut times, 50), milliseconds(&mut times, 99));
    println!("power cut, 24 nodes: silent for {median:.0} ms in the median, {p99:.0} ms p99");
    assert!(median <= 300.0 && p99 <= 500.0, "{median} {p99}");
}

#[test]
fn after_a_partition_one_side_lets_go_at_once() {
    let mut longest = Duration::ZERO;
    for seed in 0..40 {
        let count = 2 + (seed % 4) as usize;
        let mut fleet = Fleet::new(count, 6, seed);
        let side = 1 + fleet.sim.rng.below(count as u64 - 1) as usize;
        for one in 0..side {
            for other in side..count {
                fleet.sim.cut.insert((one, other));
                fleet.sim.cut.insert((other, one));
            }
        }
        fleet.pass(3 * SECOND);
        for post in &fleet.posts {
            let holders = fleet.holders(post.address);
            assert_eq!(
                holders.len(),
                2,
                "seed {seed}: each side serves its own: {holders:?}"
            );
        }
        assert_eq!(fleet.longest, Duration::ZERO, "seed {seed}");
        fleet.sim.cut.clear();
        fleet.pass(2 * SECOND);
        fleet.check_one_holder(&format!("seed {seed}, healed"));
        longest = longest.max(fleet.longest);
    }
    println!(
        "after a heal two answered for at most {} ms",
        longest.as_millis()
    );
    assert!(longest <= Duration::from_millis(500), "{longest:?}");
}

#[test]
fn where_all_stand_still_while_one_asks_for_what_it_had_no_two_answer() {
    for seed in 0..60 {
        let count = 2 + (seed % 4) as usize;
        let mut fleet = Fleet::new(count, 6, seed);
        let victim = fleet.holders(fleet.posts[0].address)[0];
        fleet.sim.hold(victim, 3 * SECOND);
        fleet.pass(3 * SECOND);
        let before = fleet.all_holders();
        let asked = Duration::from_millis(fleet.sim.rng.below(100));
        fleet.pass(asked);
        let pause = Duration::from_millis(150 + fleet.sim.rng.below(2_000));
        (0..count).for_each(|node| fleet.sim.hold(node, pause));
        fleet.pass(pause + 2 * SECOND);
        fleet.check_one_holder(&format!("seed {seed}, in the end"));
        assert_eq!(before, fleet.all_holders(), "seed {seed}");
        assert_eq!(fleet.longest, Duration::ZERO, "seed {seed}: two answered");
    }
}

fn random_schedule(seed: u64) -> Duration {
    let mut rng = Rng(seed ^ 0xf1ee7);
    let count = 2 + rng.below(4) as usize;
    let mut fleet = Fleet::new(count, 4, seed);
    fleet.sim.loss = [0.0, 0.0, 0.01][rng.below(3) as usize];
    for _ in 0..10 {
        let (a, b) = (
            rng.below(count as u64) as usize,
            rng.below(count as u64) as usize,
        );
        match rng.below(9) {
            0 => fleet.power_off(a),
            1 | 2 => fleet.start(a),
            3 => fleet.sim.hold(a, Duration::from_millis(rng.below(3000))),
            4 => fleet.kill_agent(a),
            5 if a != b => {
                fleet.sim.cut.insert((a, b));
                fleet.sim.cut.insert((b, a));
            }
            6 => fleet.sim.cut.clear(),
            7 if a != b => {
                fleet.sim.blocked.insert((a, b));
            }
            // All of them, as where they share a machine.
            8 => {
                let pause = Duration::from_millis(rng.below(2000));
                (0..count).for_each(|node| fleet.sim.hold(node, pause));
            }
            _ => {}
        }
        let wait = Duration::from_millis(rng.below(1000));
        fleet.pass(wait);
    }
    fleet.sim.cut.clear();
    fleet.sim.blocked.clear();
    fleet.sim.loss = 0.0;
    for node in 0..count {
        fleet.start(node);
    }
    fleet.pass(6 * SECOND);
    fleet.check_one_holder(&format!("seed {seed}, in the end"));
    fleet.longest
}

#[test]
fn whatever_happens_there_is_one_holder_in_the_end_and_two_only_for_a_moment() {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let longest = std::thread::scope(|scope| {
        let share = |thread| {
            let seeds = (thread..SCHEDULES).step_by(threads as usize);
            seeds.map(|seed| (random_schedule(seed), seed)).max()
        };
        let shares: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let longest = shares
            .into_iter()
            .map(|share| share.join().expect("no invariant broke"));
        longest.max().flatten()
    });
    let (longest, seed) = longest.expect("schedules");
    println!(
        "{SCHEDULES} schedules: two answered for at most {} ms, with seed {seed}",
        longest.as_millis()
    );
    assert!(
        longest <= Duration::from_millis(500),
        "seed {seed}: {longest:?}"
    );
}
