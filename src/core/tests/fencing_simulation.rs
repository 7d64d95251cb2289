//! Nodes that hold Leases of an API server in bad weather: whatever is lost, late, frozen, cut off, or tells the time wrong,
//! never do two answer for one address.
//! `cargo test -p mooring-core --test fencing_simulation -- --nocapture` prints the figures.
#![allow(
    clippy::print_stdout,
    reason = "figures are for whoever runs the test by hand"
)]

#[path = "liveness/rng.rs"]
mod rng;
#[path = "fencing/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use mooring_core::fencing::{DURATION, HOLD, REACTION, RENEW};
use world::{FAIR, Figures, Time, Weather, World, address};

const SECOND: Time = Duration::from_secs(1);
/// How many random schedules are gone through.
const SCHEDULES: u64 = 10_000;
/// How many times each of the others.
const TIMES: u64 = 500;
/// How late an heir hears that a node is gone.
const NOTICE: Time = Duration::from_millis(400);

fn milliseconds(most: u64, world: &mut World) -> Time {
    Duration::from_millis(world.rng.below(most))
}

fn set(addresses: impl IntoIterator<Item = IpAddr>) -> BTreeSet<IpAddr> {
    addresses.into_iter().collect()
}

/// A world in which node 0 answers for the one address.
fn begun(seed: u64, count: usize) -> World {
    let mut world = World::new(seed, count, FAIR);
    world.release(address(0));
    world.want(0, set([address(0)]));
    let random = milliseconds(5_000, &mut world);
    world.pass(SECOND + random);
    assert!(world.answers(0, address(0)));
    world
}

fn heir_takes(world: &mut World) -> Option<Time> {
    world.until(60 * SECOND, |world| world.answers(1, address(0)))
}

/// The median and the longest.
fn print(what: &str, mut times: Vec<Time>) -> Time {
    times.sort();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{what}: median {median:.2?}, longest {longest:.2?} of {}",
        times.len()
    );
    longest
}

#[test]
fn no_two_nodes_ever_answer_for_one_address() {
    let mut all = Figures::default();
    let mut idle = 0;
    for seed in 0..SCHEDULES {
        let figures = schedule(seed);
        all.reads += figures.reads;
        all.writes += figures.writes;
        all.conflicts += figures.conflicts;
        all.lost += figures.lost;
        all.taken += figures.taken;
        idle += u64::from(figures.taken < 3);
        all.closest = [all.closest, figures.closest].into_iter().flatten().min();
    }
    println!("{SCHEDULES} schedules, {all:?}");
    // Else nothing was tested.
    assert!(idle < SCHEDULES / 10, "{idle} schedules with hardly a move");
    assert!(all.conflicts > SCHEDULES && all.lost > SCHEDULES);
}

/// A minute of what chance has in store, and then peace.
fn schedule(seed: u64) -> Figures {
    let mut world = World::new(seed, 3, FAIR);
    let weather = Weather {
        loss: world.rng.below(4) * 60,
        slow: (world.rng.below(200), world.rng.below(30)),
        drift: 10_000,
    };
    world.weather(weather);
    let addresses = [address(0), address(1)];
    for at in addresses {
        if world.rng.below(4) > 0 {
            world.release(at);
        }
    }
    for at in 0..3 {
        let wanted = set(addresses.into_iter().filter(|_| world.rng.below(3) == 0));
        world.want(at, wanted);
    }
    for _ in 0..25 {
        let pause = milliseconds(5_000, &mut world);
        world.pass(pause);
        let at = world.rng.below(3) as usize;
        match world.rng.below(12) {
            0 => world.freeze(at),
            1 | 2 => (0..3).for_each(|at| world.thaw(at)),
            3 => world.nodes[at].cut_off = true,
            4 | 5 => world.nodes.iter_mut().for_each(|node| node.cut_off = false),
            6 if world.nodes[at].alive => world.crash(at),
            6 => world.restart(at),
            7 => {
                let serves = world.rng.below(3) > 0;
                world.serve(serves);
            }
            8 => {
                let isolated = world.rng.below(2) == 0;
                world.isolate(at, isolated);
            }
            9 => {
                let which = world.rng.below(2) as usize;
                world.delete(addresses[which]);
            }
            _ => {
                let wanted = set(addresses.into_iter().filter(|_| world.rng.below(2) == 0));
                world.want(at, wanted);
            }
        }
    }
    world.weather(FAIR);
    world.serve(true);
    for at in 0..3 {
        world.thaw(at);
        world.nodes[at].cut_off = false;
        if !world.nodes[at].alive {
            world.restart(at);
        }
        world.isolate(at, false);
        world.want(at, set((at < 2).then_some(addresses[at % 2])));
    }
    world.pass(3 * DURATION);
    for (at, address) in addresses.into_iter().enumerate() {
        assert_eq!(world.holder(address), Some(at), "seed {seed}");
    }
    world.figures
}

#[test]
fn after_a_crash_the_heir_has_the_address_in_time() {
    let mut times = Vec::new();
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        world.crash(0);
        world.pass(NOTICE);
        world.want(1, set([address(0)]));
        let took = heir_takes(&mut world).expect("the heir takes it");
        times.push(NOTICE + took);
    }
    let longest = print("back after a crash", times);
    // Its clock may be slow, and its threads busy.
    assert!(longest < NOTICE + DURATION * 101 / 100 + SECOND / 2);
}

#[test]
fn who_cannot_reach_the_api_server_falls_silent_by_itself() {
    let (mut silent, mut back) = (Vec::new(), Vec::new());
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        world.nodes[0].cut_off = true;
        // It still reaches others, and so nobody misses it: the plan follows, at some time.
        let planned = milliseconds(5_000, &mut world);
        world.pass(planned);
        world.want(1, set([address(0)]));
        let quiet = world.until(60 * SECOND, |world| !world.answers(0, address(0)));
        silent.push(planned + quiet.expect("it falls silent"));
        let took = heir_takes(&mut world).expect("the other takes it");
        back.push(silent[silent.len() - 1] + took);
    }
    let longest = print("silent without the API server", silent);
    assert!(longest <= (HOLD + REACTION) * 102 / 100);
    print("another has it", back);
}

#[test]
fn who_is_frozen_meets_nobody_when_it_thaws() {
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        world.freeze(0);
        let pause = milliseconds(25_000, &mut world);
        world.want(1, set([address(0)]));
        world.pass(pause);
        let taken = world.answers(1, address(0));
        world.thaw(0);
        world.pass(20 * SECOND);
        // Both want it, and whoever has it keeps it.
        let holder = world.holder(address(0));
        assert!(holder.is_some(), "seed {seed}");
        assert!(!taken || holder == Some(1), "seed {seed}");
    }
}

#[test]
fn a_planned_move_does_not_wait_for_the_lease_to_run_out() {
    let mut times = Vec::new();
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        let early = world.rng.below(2) == 0;
        let pause = milliseconds(300, &mut world);
        for turn in 0..2 {
            match early == (turn == 0) {
                true => world.want(0, set([])),
                false => world.want(1, set([address(0)])),
            }
            if turn == 0 {
                world.pass(pause);
            }
        }
        world.until(SECOND, |world| !world.answers(0, address(0)));
        times.push(heir_takes(&mut world).expect("the new one takes it"));
    }
    let longest = print("without an answer in a planned move", times);
    assert!(longest < SECOND + SECOND / 10);
}

#[test]
fn a_short_absence_of_the_api_server_is_not_noticed() {
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        world.serve(false);
        for _ in 0..600 {
            world.pass(SECOND / 100);
            assert!(world.answers(0, address(0)), "seed {seed}");
        }
        world.serve(true);
        for _ in 0..500 {
            world.pass(SECOND / 100);
            assert!(world.answers(0, address(0)), "seed {seed}");
        }
    }
}

#[test]
fn who_hears_nobody_leaves_the_address_to_others_and_has_it_if_there_are_none() {
    let (mut left, mut kept) = (Vec::new(), Vec::new());
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        let others = seed % 2 == 0;
        world.isolate(0, true);
        if others {
            world.pass(NOTICE);
            world.want(1, set([address(0)]));
            left.push(NOTICE + heir_takes(&mut world).expect("the heir takes it"));
        } else {
            let silent = world.until(SECOND, |world| !world.answers(0, address(0)));
            assert!(silent.is_some());
            let again = world.until(60 * SECOND, |world| world.answers(0, address(0)));
            kept.push(again.expect("it takes it again"));
        }
    }
    assert!(print("an isolated node's address is with an heir", left) < 2 * SECOND);
    assert!(print("or with it again", kept) < 7 * SECOND);
}

#[test]
fn a_deleted_lease_is_made_anew_by_its_holder() {
    for seed in 0..TIMES {
        let mut world = begun(seed, 2);
        world.want(1, set([address(0)]));
        world.delete(address(0));
        for _ in 0..200 {
            world.pass(SECOND / 10);
            assert!(world.answers(0, address(0)), "seed {seed}");
        }
    }
}

#[test]
fn it_costs_a_write_every_time_it_is_renewed_and_no_more() {
    let mut world = begun(1, 2);
    world.want(1, set([address(0)]));
    world.pass(10 * SECOND);
    let before = world.figures;
    world.pass(100 * SECOND);
    let (writes, reads) = (
        world.figures.writes - before.writes,
        world.figures.reads - before.reads,
    );
    println!("in 100 s: {writes} writes of the holder, {reads} reads of one that waits");
    let most = Duration::from_secs(102).div_duration_f64(RENEW);
    assert!((writes as f64) < most && reads <= 102);
}
