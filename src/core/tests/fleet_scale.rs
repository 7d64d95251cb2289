//! What one agent costs in a cluster of 1,000 nodes with 10,000 addresses.
//! `cargo test -p mooring-core --test fleet_scale -- --nocapture` prints the figures; with `--release` those of an agent as
//! it is shipped.
#![allow(
    clippy::print_stdout,
    reason = "figures are for whoever runs the test by hand"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use mooring_core::fleet::{Fleet, Output};
use mooring_core::ipam::pool::Ownership;
use mooring_core::liveness::{Liveness, Now, neighbours};
use mooring_core::peer::{Message, PeerId};
use mooring_core::placement::{HEIRS, successors};
use mooring_core::succession::Post;

const NODES: usize = 1_000;
const ADDRESSES: u32 = 10_000;
const STEP: Duration = Duration::from_millis(5);

/// One agent, and the few others that have to do with it: they alone are on.
struct Neighbourhood {
    now: Now,
    agent: Fleet,
    own: PeerId,
    others: Vec<(PeerId, Liveness)>,
    /// What the agent took of the processor.
    busy: Duration,
    sent: usize,
}

impl Neighbourhood {
    fn new() -> Self {
        let now = Duration::from_secs(1_000);
        let names: Vec<String> = (0..NODES).map(|number| format!("node-{number}")).collect();
        let mut members: Vec<PeerId> = names.iter().map(|name| PeerId::of(name)).collect();
        members.sort_unstable();
        let own = members[NODES / 2];
        let mut agent = Fleet::new(own, 1, now);
        agent.set_members(members.iter().copied(), now);
        let posts = (0..ADDRESSES).map(|number| {
            let address = IpAddr::from(Ipv4Addr::from_bits(0x0a00_0000 + number));
            let at = number as usize % NODES;
            let near = (0..12).map(|step| names[(at + 83 * step) % NODES].as_str());
            let mut chain = successors(address, near).into_iter().map(PeerId::of);
            Post {
                address,
                plan: 1,
                planned: chain.next().expect("a node"),
                heirs: chain.take(HEIRS).collect(),
                ownership: Ownership::Available,
            }
        });
        agent.set_posts(posts, now);
        let others = neighbours(own, &members).into_iter().map(|id| {
            let mut other = Liveness::new(id, id.0, now);
            other.set_members(members.iter().copied(), now);
            (id, other)
        });
        Self {
            now,
            agent,
            own,
            others: others.collect(),
            busy: Duration::ZERO,
            sent: 0,
        }
    }

    fn agent(&mut self, work: impl FnOnce(&mut Fleet, Now) -> Output) -> Output {
        let begin = Instant::now();
        let output = work(&mut self.agent, self.now);
        if output.moved {
            self.agent.deeds().count();
        }
        self.busy += begin.elapsed();
        self.sent += output.send.len();
        output
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let now = self.now;
            let mut mail: Vec<Message> = Vec::new();
            if self.agent.next() <= now {
                mail.extend(self.agent(Fleet::tick).send);
            }
            for (_, other) in &mut self.others {
                if other.next() <= now {
                    mail.extend(other.tick(now).send);
                }
            }
            while let Some(message) = mail.pop() {
                let to = message.header.to;
                if to == self.own {
                    mail.extend(self.agent(|agent, now| agent.receive(&message, now).0).send);
                } else if let Some((_, other)) = self.others.iter_mut().find(|(id, _)| *id == to) {
                    mail.extend(other.receive(&message, now).0.send);
                }
            }
            self.now += STEP;
        }
    }
}

#[test]
fn an_agent_among_a_thousand_with_ten_thousand_addresses_has_little_to_do() {
    let mut all = Neighbourhood::new();
    all.pass(Duration::from_secs(5));
    (all.busy, all.sent) = (Duration::ZERO, 0);
    all.pass(Duration::from_secs(10));
    let busy = all.busy.as_secs_f64() * 100.0;
    let packets = all.sent as f64 / 10.0;
    println!(
        "{NODES} nodes, {ADDRESSES} addresses: {packets:.0} packets/s, {busy:.2} ms of the processor per second in peace"
    );
    assert!(packets <= 50.0, "{packets}");
    // One that this node watches loses its power.
    let mine = all.agent.deeds().count();
    let members = all.others.iter().map(|(id, _)| *id);
    let watched: Vec<PeerId> = members
        .filter(|id| all.agent.judgement(*id).is_some())
        .collect();
    let lost = watched[0];
    all.others.retain(|(id, _)| *id != lost);
    let (cut, before) = (all.now, all.busy);
    while !all
        .agent
        .judgement(lost)
        .is_some_and(|known| known.is_dead())
    {
        all.pass(STEP);
        assert!(all.now - cut < Duration::from_secs(1), "it is not noticed");
    }
    println!(
        "a power cut is noticed after {} ms; it took {:.2} ms of the processor; {} addresses more than {mine}",
        (all.now - cut).as_millis(),
        (all.busy - before).as_secs_f64() * 1e3,
        all.agent.deeds().count() - mine,
    );
}
