//! Nodes with clocks of their own, and an API server behind a bad network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mooring_core::fencing::{Answer, Call, Fencing, Permits, REACTION, Record, Request, Seen};

use crate::rng::Rng;

pub(crate) type Time = Duration;

/// How the network and the clocks are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Of 1,000 questions and of 1,000 answers, so many are lost.
    pub(crate) loss: u64,
    /// Of 1,000, so many take up to a second, and so many up to eight.
    pub(crate) slow: (u64, u64),
    /// How far clocks are off, in millionths.
    pub(crate) drift: u64,
}

pub(crate) const FAIR: Weather = Weather {
    loss: 0,
    slow: (0, 0),
    drift: 10_000,
};

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node>,
    pub(crate) figures: Figures,
    weather: Weather,
    leases: BTreeMap<IpAddr, Seen>,
    versions: u64,
    server_down: bool,
    events: BinaryHeap<Reverse<(Time, u64, usize, Event)>>,
    count: u64,
}

pub(crate) struct Node {
    name: String,
    /// What of a million its clock makes of a second, and what it began with.
    rate: u64,
    offset: Time,
    fencing: Fencing,
    pub(crate) wanted: BTreeSet<IpAddr>,
    isolated: bool,
    pub(crate) alive: bool,
    frozen: bool,
    pub(crate) cut_off: bool,
    backlog: Vec<Event>,
    permits: Permits,
    /// Grows with each process: what was under way to an earlier one is lost.
    process: u64,
    /// What it answers for, and until when at the latest.
    answers: BTreeMap<IpAddr, Time>,
    tick: Option<Time>,
}

/// Something that comes to a node, or goes to the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick(u64),
    Asked(u64, Question),
    Answered(u64, IpAddr, u64, Reply),
    Permitted(u64, u64, Vec<(IpAddr, Time)>),
    Heeded(u64, u64, BTreeSet<IpAddr>),
}

/// A request, in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question(
    IpAddr,
    u64,
    Option<(Option<String>, Option<String>, u32, Time)>,
);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reply {
    Is(Option<(String, Option<String>, u32, Time)>),
    Conflict,
}

/// What happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) conflicts: u64,
    pub(crate) lost: u64,
    /// An address was answered for by a node that did not before.
    pub(crate) taken: u64,
    /// The shortest time between two that answered.
    pub(crate) closest: Option<Time>,
}

pub(crate) fn address(number: u8) -> IpAddr {
    IpAddr::from(Ipv4Addr::new(192, 0, 2, number))
}

impl World {
    pub(crate) fn new(seed: u64, count: usize, weather: Weather) -> Self {
        let mut rng = Rng(seed);
        let node = |at| {
            let name = format!("n{at}");
            Node {
                fencing: Fencing::new(name.as_str()),
                name,
                rate: 1_000_000 - weather.drift + rng.below(2 * weather.drift + 1),
                offset: Time::from_millis(rng.below(100_000_000)),
                wanted: BTreeSet::new(),
                isolated: false,
                alive: true,
                frozen: false,
                cut_off: false,
                backlog: Vec::new(),
                permits: Permits::default(),
                process: 0,
                answers: BTreeMap::new(),
                tick: None,
            }
        };
        let nodes = (0..count).map(node).collect();
        Self {
            now: Time::ZERO,
            rng,
            nodes,
            figures: Figures::default(),
            weather,
            leases: BTreeMap::new(),
            versions: 0,
            server_down: false,
            events: BinaryHeap::new(),
            count: 0,
        }
    }

    // --- what is done to it ---

    pub(crate) fn weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn want(&mut self, at: usize, wanted: BTreeSet<IpAddr>) {
        self.nodes[at].wanted = wanted;
        self.think(at);
    }

    pub(crate) fn isolate(&mut self, at: usize, isolated: bool) {
        self.nodes[at].isolated = isolated;
        self.think(at);
    }

    pub(crate) fn freeze(&mut self, at: usize) {
        self.nodes[at].frozen = true;
    }

    pub(crate) fn thaw(&mut self, at: usize) {
        self.nodes[at].frozen = false;
        let backlog = std::mem::take(&mut self.nodes[at].backlog);
        for event in backlog {
            self.at(Time::ZERO, at, event);
        }
    }

    pub(crate) fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.alive = false;
        node.answers.clear();
    }

    /// Another process on the same node, which knows nothing.
    pub(crate) fn restart(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.alive = true;
        node.frozen = false;
        node.backlog.clear();
        node.answers.clear();
        node.process += 1;
        node.fencing = Fencing::new(node.name.as_str());
        node.permits = Permits::default();
        node.tick = None;
        self.think(at);
    }

    pub(crate) fn serve(&mut self, serves: bool) {
        self.server_down = !serves;
    }

    /// An administrator deletes a Lease.
    pub(crate) fn delete(&mut self, address: IpAddr) {
        self.leases.remove(&address);
    }

    /// The address has a Lease that nobody holds.
    pub(crate) fn release(&mut self, address: IpAddr) {
        let record = Record {
            holder: None,
            duration: Time::ZERO,
            transitions: 0,
        };
        self.put(address, record);
    }

    pub(crate) fn pass(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(Reverse((when, ..))) = self.events.peek()
            && *when <= end
        {
            let Some(Reverse((when, _, at, event))) = self.events.pop() else {
                break;
            };
            self.now = when;
            self.happen(at, event);
        }
        self.now = end;
    }

    /// Goes on until that is so, or for so long; how long it took.
    pub(crate) fn until(&mut self, most: Time, is_so: impl Fn(&Self) -> bool) -> Option<Time> {
        let (begin, step) = (self.now, Time::from_millis(1));
        while !is_so(self) {
            if self.now >= begin + most {
                return None;
            }
            self.pass(step);
        }
        Some(self.now - begin)
    }

    // --- what is seen of it ---

    pub(crate) fn answers(&self, at: usize, address: IpAddr) -> bool {
        let node = &self.nodes[at];
        node.alive
            && node
                .answers
                .get(&address)
                .is_some_and(|end| self.now < *end)
    }

    pub(crate) fn holder(&self, address: IpAddr) -> Option<usize> {
        (0..self.nodes.len()).find(|at| self.answers(*at, address))
    }

    // --- how it goes on ---

    fn at(&mut self, delay: Time, at: usize, event: Event) {
        self.count += 1;
        self.events
            .push(Reverse((self.now + delay, self.count, at, event)));
    }

    fn delay(&mut self) -> Time {
        let (slow, slowest) = self.weather.slow;
        let chance = self.rng.below(1_000);
        let most = if chance < slowest {
            8_000_000
        } else if chance < slowest + slow {
            1_000_000
        } else {
            10_000
        };
        Time::from_micros(500 + self.rng.below(most))
    }

    /// Between two threads of a node: one may be busy.
    fn pause(&mut self) -> Time {
        let most = match self.rng.below(10) {
            0 => 300_000,
            _ => 5_000,
        };
        Time::from_micros(self.rng.below(most))
    }

    fn is_lost(&mut self, at: usize) -> bool {
        let lost = self.rng.below(1_000) < self.weather.loss;
        let lost = lost || self.nodes[at].cut_off || self.server_down;
        self.figures.lost += u64::from(lost);
        lost
    }

    fn happen(&mut self, at: usize, event: Event) {
        if let Event::Asked(process, question) = event {
            return self.serve_one(at, process, question);
        }
        let node = &mut self.nodes[at];
        if node.frozen {
            return node.backlog.push(event);
        }
        let (Event::Tick(process)
        | Event::Asked(process, _)
        | Event::Answered(process, ..)
        | Event::Permitted(process, ..)
        | Event::Heeded(process, ..)) = &event;
        if !node.alive || *process != node.process {
            return;
        }
        let local = node.local(self.now);
        match event {
            Event::Tick(_) => node.tick = None,
            Event::Asked(..) => {}
            Event::Answered(_, address, ticket, reply) => {
                node.fencing.answered(address, ticket, reply.into(), local);
            }
            Event::Permitted(process, turn, until) => return self.answer(at, process, turn, until),
            Event::Heeded(_, turn, held) => node.fencing.heeded(turn, &held),
        }
        self.think(at);
    }

    /// What the thread that decides does.
    fn think(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if !node.alive || node.frozen {
            return;
        }
        let (local, process) = (node.local(self.now), node.process);
        node.fencing.want(&node.wanted, local);
        node.fencing.isolate(node.isolated, local);
        let requests = node.fencing.tick(local);
        let permits = node.fencing.permits(local);
        let changed = (permits.turn, &permits.until) != (node.permits.turn, &node.permits.until);
        node.permits = permits.clone();
        let next = node.fencing.next().map(|next| node.real(next));
        if changed {
            let until = permits.until.into_iter().collect();
            let delay = self.pause();
            // What was said before comes before.
            let before = self.nodes[at].busy(&self.events, at);
            let delay = delay.max(before.saturating_sub(self.now));
            self.at(delay, at, Event::Permitted(process, permits.turn, until));
        }
        for request in requests {
            match request.call {
                Call::Look => self.figures.reads += 1,
                Call::Write { .. } => self.figures.writes += 1,
            }
            if !self.is_lost(at) {
                let delay = self.delay();
                self.at(delay, at, Event::Asked(process, request.into()));
            }
        }
        if let Some(next) = next {
            let next = next.max(self.now) + Time::from_micros(1 + self.rng.below(5_000));
            if self.nodes[at].tick.is_none_or(|tick| next < tick) {
                self.nodes[at].tick = Some(next);
                self.at(next - self.now, at, Event::Tick(process));
            }
        }
    }

    /// What the thread that answers does.
    fn answer(&mut self, at: usize, process: u64, turn: u64, until: Vec<(IpAddr, Time)>) {
        let node = &self.nodes[at];
        let local = node.local(self.now);
        let mut answers = BTreeMap::new();
        for (address, until) in until.into_iter().filter(|(_, until)| local < *until) {
            // It may be late to notice that it is over.
            answers.insert(address, node.real(until + REACTION));
        }
        for address in answers.keys() {
            let new = !self.answers(at, *address);
            for other in (0..self.nodes.len()).filter(|other| *other != at) {
                let node = &self.nodes[other];
                let Some(end) = node.answers.get(address) else {
                    continue;
                };
                assert!(
                    *end <= self.now,
                    "{} and {} answer for {address} at {:?}",
                    node.name,
                    self.nodes[at].name,
                    self.now
                );
                let apart = self.now - *end;
                if new {
                    let closest = self.figures.closest.unwrap_or(apart);
                    self.figures.closest = Some(closest.min(apart));
                }
            }
            self.figures.taken += u64::from(new);
        }
        let held = answers.keys().copied().collect();
        self.nodes[at].answers = answers;
        let delay = self.pause();
        self.at(delay, at, Event::Heeded(process, turn, held));
    }

    /// What the API server does.
    fn serve_one(&mut self, at: usize, process: u64, Question(address, ticket, write): Question) {
        if self.server_down {
            return;
        }
        let current = self.leases.get(&address);
        let reply = match write {
            None => Reply::of(current),
            Some((version, holder, transitions, duration)) => {
                if version.as_ref() == current.map(|seen| &seen.version) {
                    let record = Record {
                        holder,
                        duration,
                        transitions,
                    };
                    self.put(address, record);
                    Reply::of(self.leases.get(&address))
                } else {
                    self.figures.conflicts += 1;
                    Reply::Conflict
                }
            }
        };
        if !self.is_lost(at) {
            let delay = self.delay();
            self.at(delay, at, Event::Answered(process, address, ticket, reply));
        }
    }

    fn put(&mut self, address: IpAddr, record: Record) {
        self.versions += 1;
        let version = self.versions.to_string();
        self.leases.insert(address, Seen { version, record });
    }
}

impl Node {
    fn local(&self, real: Time) -> Time {
        let nanos = real.as_nanos() * u128::from(self.rate) / 1_000_000;
        self.offset + Time::from_nanos(u64::try_from(nanos).expect("a short time"))
    }

    fn real(&self, local: Time) -> Time {
        let nanos = local.saturating_sub(self.offset).as_nanos() * 1_000_000;
        Time::from_nanos(u64::try_from(nanos / u128::from(self.rate)).expect("a short time"))
    }

    /// When the last permits that are under way to the thread that answers come there.
    fn busy(&self, events: &BinaryHeap<Reverse<(Time, u64, usize, Event)>>, at: usize) -> Time {
        let under_way = events.iter().filter_map(|Reverse((when, _, to, event))| {
            matches!(event, Event::Permitted(..) if *to == at).then_some(*when)
        });
        under_way.max().unwrap_or_default()
    }
}

impl Reply {
    fn of(seen: Option<&Seen>) -> Self {
        Self::Is(seen.map(|seen| {
            let Record {
                holder,
                duration,
                transitions,
            } = seen.record.clone();
            (seen.version.clone(), holder, transitions, duration)
        }))
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Conflict => Self::Conflict,
            Reply::Is(seen) => {
                Self::Is(seen.map(|(version, holder, transitions, duration)| Seen {
                    version,
                    record: Record {
                        holder,
                        duration,
                        transitions,
                    },
                }))
            }
        }
    }
}

impl From<Request> for Question {
    fn from(request: Request) -> Self {
        let write = match request.call {
            Call::Look => None,
            Call::Write {
                version, record, ..
            } => Some((version, record.holder, record.transitions, record.duration)),
        };
        Self(request.address, request.ticket, write)
    }
}
