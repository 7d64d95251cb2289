//! A segment with nodes on it, under a simulated clock: what gets lost, late or doubled, who is cut off, held up or dead.
//! The same seed gives the same course.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use mooring_core::liveness::{Liveness, News, Now, Output, Verdict};
use mooring_core::peer::{Message, PeerId};

#[path = "rng.rs"]
mod rng;

pub(crate) use rng::Rng;

/// The most that waits for a node that is held up.
const QUEUE: usize = 1000;

/// What so many percent of the times do not exceed, in milliseconds. Sorts them.
pub(crate) fn milliseconds(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

/// A node.
pub(crate) struct Node {
    pub(crate) id: PeerId,
    /// Its agent, while it has power and its agent runs.
    agent: Option<Liveness>,
    /// The timer that counts: one that was set for later, or by an earlier agent, does not.
    timer: u64,
    /// When it goes off.
    timer_at: Now,
    pub(crate) powered: bool,
    /// It does not run until then.
    pub(crate) held_until: Now,
    waiting: usize,
    /// Its clock shows that much more.
    clock: Duration,
    pub(crate) sent: u64,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Timer(u64),
    Datagram(Message),
    /// "Who has your address?"
    Question {
        from: usize,
    },
    Answer {
        from: usize,
    },
}

#[derive(Debug, Clone, Copy)]
struct Event {
    at: Now,
    order: u64,
    node: usize,
    what: What,
    /// It waited while the node was held up.
    waited: bool,
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Event {}

/// A verdict of one node on another, as it changed.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "not every test looks at all of it")]
pub(crate) struct Told {
    pub(crate) at: Now,
    pub(crate) observer: usize,
    pub(crate) news: News,
}

/// The segment.
pub(crate) struct Sim {
    pub(crate) now: Now,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node>,
    index: BTreeMap<PeerId, usize>,
    queue: BinaryHeap<Reverse<Event>>,
    order: u64,
    /// Nothing passes from the one to the other.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// No datagrams pass.
    pub(crate) blocked: BTreeSet<(usize, usize)>,
    /// The share of frames that gets lost, and that comes twice.
    pub(crate) loss: f64,
    pub(crate) doubled: f64,
    /// The most that a frame takes, in microseconds.
    pub(crate) delay: u64,
    /// How often a node is held up for 95 ms, per second and node.
    pub(crate) stalls: f64,
    next_stall: Vec<Now>,
    pub(crate) told: Vec<Told>,
}

#[allow(dead_code, reason = "not every test needs all of it")]
impl Sim {
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let mut rng = Rng(seed);
        let nodes: Vec<Node> = (0..count)
            .map(|index| Node {
                id: PeerId::of(&format!("n{index}")),
                agent: None,
                timer: 0,
                timer_at: Now::MAX,
                powered: true,
                held_until: Now::ZERO,
                waiting: 0,
                clock: Duration::from_millis(rng.below(1_000_000_000)),
                sent: 0,
            })
            .collect();
        let index = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| (node.id, index));
        let mut sim = Self {
            now: Duration::from_secs(1),
            index: index.collect(),
            queue: BinaryHeap::new(),
            order: 0,
            cut: BTreeSet::new(),
            blocked: BTreeSet::new(),
            loss: 0.0,
            doubled: 0.0,
            delay: 400,
            stalls: 0.0,
            next_stall: vec![Now::MAX; count],
            told: Vec::new(),
            nodes,
            rng,
        };
        for node in 0..count {
            sim.start_agent(node);
        }
        sim
    }

    // --- what happens to nodes ---

    pub(crate) fn start_agent(&mut self, node: usize) {
        let ids: Vec<PeerId> = self.nodes.iter().map(|node| node.id).collect();
        let seed = self.rng.next();
        let subject = &mut self.nodes[node];
        let clock = self.now + subject.clock;
        let mut agent = Liveness::new(subject.id, seed, clock);
        agent.set_members(ids, clock);
        subject.agent = Some(agent);
        let late = Duration::from_micros(self.rng.below(100_000));
        self.set_timer(node, self.now + late);
    }

    pub(crate) fn kill_agent(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.agent = None;
        node.timer += 1;
    }

    pub(crate) fn has_agent(&self, node: usize) -> bool {
        self.nodes[node].powered && self.nodes[node].agent.is_some()
    }

    pub(crate) fn power_off(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.agent = None;
        node.timer += 1;
        node.powered = false;
        node.held_until = Now::ZERO;
    }

    /// Sees to it that the node runs, with an agent; false if it had one.
    pub(crate) fn start(&mut self, node: usize) -> bool {
        self.nodes[node].powered = true;
        let begins = !self.has_agent(node);
        if begins {
            self.start_agent(node);
        }
        begins
    }

    pub(crate) fn hold(&mut self, node: usize, duration: Duration) {
        let node = &mut self.nodes[node];
        node.held_until = node.held_until.max(self.now + duration);
    }

    pub(crate) fn is_held(&self, node: usize) -> bool {
        self.nodes[node].held_until > self.now
    }

    /// Nothing gets from the one to the other and back now.
    pub(crate) fn is_silent(&self, node: usize, observer: usize) -> bool {
        let cut = self.cut.contains(&(node, observer)) || self.cut.contains(&(observer, node));
        let runs = |node: usize| self.nodes[node].powered && !self.is_held(node);
        cut || !runs(node) || !runs(observer)
    }

    pub(crate) fn verdict(&self, observer: usize, node: usize) -> Option<Verdict> {
        let agent = self.nodes[observer].agent.as_ref()?;
        Some(agent.judgement(self.nodes[node].id)?.verdict)
    }

    /// Whether the one watches the other, as the listener sees it.
    pub(crate) fn watches(&self, listener: usize, watcher: usize, subject: PeerId) -> bool {
        let agent = self.nodes[listener].agent.as_ref();
        agent.is_some_and(|agent| agent.watches(self.nodes[watcher].id, subject))
    }

    pub(crate) fn index_of(&self, peer: PeerId) -> usize {
        self.index[&peer]
    }

    // --- time ---

    /// Runs for so long.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.plan_stalls();
        while let Some(Reverse(event)) = self.queue.peek().copied() {
            if event.at > end {
                break;
            }
            self.queue.pop();
            self.now = event.at;
            self.stall();
            self.happen(event);
        }
        self.now = end;
    }

    fn plan_stalls(&mut self) {
        for node in 0..self.nodes.len() {
            if self.stalls > 0.0 && self.next_stall[node] == Now::MAX {
                self.next_stall[node] = self.now + self.until_stall();
            }
        }
    }

    fn until_stall(&mut self) -> Duration {
        let mean = 1e6 / self.stalls;
        Duration::from_micros(self.rng.below((2.0 * mean) as u64).max(100_000))
    }

    fn stall(&mut self) {
        if self.stalls <= 0.0 {
            return;
        }
        for node in 0..self.nodes.len() {
            if self.next_stall[node] <= self.now {
                self.hold(node, Duration::from_millis(95));
                self.next_stall[node] = self.now + self.until_stall();
            }
        }
    }

    fn happen(&mut self, mut event: Event) {
        let node = &mut self.nodes[event.node];
        if !node.powered {
            return;
        }
        if node.held_until > self.now {
            // Ticks are timers: they do not get lost.
            let timer = matches!(event.what, What::Timer(_));
            if !timer && !event.waited {
                node.waiting += 1;
            }
            if !timer && node.waiting > QUEUE {
                node.waiting -= 1;
                return;
            }
            event.waited |= !timer;
            event.at = node.held_until;
            self.queue.push(Reverse(event));
            return;
        }
        if event.waited {
            node.waiting -= 1;
        }
        let clock = self.now + node.clock;
        match event.what {
            What::Timer(timer) => {
                if node.timer == timer
                    && let Some(agent) = &mut node.agent
                {
                    node.timer_at = Now::MAX;
                    let output = agent.tick(clock);
                    self.carry_out(event.node, output);
                }
            }
            What::Datagram(message) => {
                if let Some(agent) = &mut node.agent {
                    let (output, _) = agent.receive(&message, clock);
                    self.carry_out(event.node, output);
                }
            }
            What::Question { from } => {
                if self.passes(event.node, from) {
                    let what = What::Answer { from: event.node };
                    self.send(from, what);
                }
            }
            What::Answer { from } => {
                let peer = self.nodes[from].id;
                let agent = self.nodes[event.node].agent.as_mut();
                if let Some(agent) = agent {
                    let output = agent.answered(peer, clock);
                    self.carry_out(event.node, output);
                }
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        for message in output.send {
            self.nodes[node].sent += 1;
            let to = self.index[&message.header.to];
            let copies = 1 + usize::from(self.rng.happens(self.doubled));
            for _ in 0..copies {
                if self.passes(node, to) && !self.blocked.contains(&(node, to)) {
                    self.send(to, What::Datagram(message));
                }
            }
        }
        for peer in output.probe {
            self.nodes[node].sent += 1;
            let to = self.index[&peer];
            if self.passes(node, to) {
                self.send(to, What::Question { from: node });
            }
        }
        let observer = node;
        let at = self.now;
        self.told.extend(
            output
                .news
                .into_iter()
                .map(|news| Told { at, observer, news }),
        );
        let subject = &self.nodes[node];
        let next = subject.agent.as_ref().expect("an agent").next();
        let next = next.saturating_sub(subject.clock).max(self.now);
        // Timers are late by a little.
        let next = next + Duration::from_micros(self.rng.below(500));
        if next < self.nodes[node].timer_at {
            self.set_timer(node, next);
        }
    }

    fn set_timer(&mut self, node: usize, at: Now) {
        let subject = &mut self.nodes[node];
        subject.timer += 1;
        subject.timer_at = at;
        let what = What::Timer(subject.timer);
        self.push(at, node, what);
    }

    fn send(&mut self, node: usize, what: What) {
        let delay = Duration::from_micros(50 + self.rng.below(self.delay));
        self.push(self.now + delay, node, what);
    }

    fn push(&mut self, at: Now, node: usize, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Event {
            at,
            order: self.order,
            node,
            what,
            waited: false,
        }));
    }

    fn passes(&mut self, from: usize, to: usize) -> bool {
        let loss = self.loss;
        !self.cut.contains(&(from, to)) && !self.rng.happens(loss)
    }
}
