//! How long clients are without an address whose node dies, freezes or loses its agent: with Mooring, and with MetalLB on the
//! same bed; and what a planned move costs them.
//!
//! `scripts/bench-failover` runs it, and tells its knobs. Six addresses are asked for every 10 ms each, over new connections
//! with a time-out of 100 ms that overlap. The outage of an address is the time between the starts of two attempts that
//! succeeded, one after the other; without any trouble it is 10 to 100 ms on two cores. Their one endpoint is a host that is no
//! node. The whole time, the wire is asked ten times a second who has each address.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends at the first error"
)]

#[path = "../../tests/cargo/mod.rs"]
mod cargo;
mod cases;
#[path = "../../tests/failover/mod.rs"]
mod failover;
mod figures;
#[path = "../addresses/goals.rs"]
mod goals;
mod idle;
mod knobs;
#[path = "../../tests/metallb/mod.rs"]
mod metallb;
#[path = "../../tests/moored/mod.rs"]
mod moored;
#[path = "../../tests/mooring/mod.rs"]
mod mooring;
mod moves;
#[path = "../../tests/plugin/mod.rs"]
mod plugin;
mod product;

use cases::Bench;
use failover::Site;
use figures::Figures;
use goals::Table;
use idle::Calm;
use knobs::{Knobs, Part};
use moves::Cost;
use product::Product;
use testbed::Bed;
use testbed::spec::StrictArp;

/// For how long nobody may answer for an address, in ms, when an agent is killed. Those who know its MAC address do not notice.
const STRANGERS: f64 = 300.0;

/// How long a gap of a client may be, in ms, where nothing is done to the node of its address: two cores carry three nodes.
const UNTOUCHED: f64 = 500.0;

const PROGRAM: &str = env!("CARGO_BIN_EXE_testbed");

fn main() {
    let knobs = Knobs::of_environment();
    let bed = Bed::fixture(PROGRAM, "bench-failover")
        .proxy(knobs.proxy)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let site = Site::set(&bed, knobs.proxy.as_str());
    let mut figures = Figures::new(&knobs);
    let (mut moves, mut calm) = (None, None);
    if knobs.parts.iter().any(|part| *part != Part::MetalLb) {
        (moves, calm) = of_mooring(&site, &knobs, &mut figures);
    }
    if knobs.parts.contains(&Part::MetalLb) {
        let product = Product::metallb(&site);
        let mut bench = Bench::new(&site, &product, &mut figures);
        bench.power_cuts(knobs.runs_of_peer);
    }
    drop(site);
    bed.down().unwrap();
    println!("\n{figures}");
    let mut table = goals(&figures);
    if let Some(cost) = moves {
        println!("{cost}");
        table.row(
            "requests that failed as addresses moved",
            cost.failed as f64,
            1.0,
        );
        table.row(
            "two answers at once as addresses moved",
            cost.overlaps as f64,
            1.0,
        );
    }
    if let Some(calm) = calm {
        println!("{calm}");
        let what = "addresses that change hands while nothing happens";
        table.row(what, calm.changes as f64, 1.0);
    }
    println!("\n{table}");
    if !table.is_met() {
        std::process::exit(1);
    }
}

fn of_mooring(
    site: &Site<'_>,
    knobs: &Knobs,
    figures: &mut Figures,
) -> (Option<Cost>, Option<Calm>) {
    let product = Product::mooring(site);
    let (mut cost, mut calm) = (None, None);
    let mut bench = Bench::new(site, &product, figures);
    for part in &knobs.parts {
        match part {
            Part::Power => bench.power_cuts(knobs.runs),
            Part::Freeze => bench.freezes(knobs.runs),
            Part::Agent => {
                bench.agents(knobs.runs, "Responder");
                bench.agents(knobs.runs, "Uplink");
                product.bind(site, "Auto");
            }
            Part::Move | Part::Idle | Part::MetalLb => {}
        }
    }
    if let Product::Mooring(mooring) = &product {
        if knobs.parts.contains(&Part::Move) {
            cost = Some(moves::measure(site, mooring, knobs.moves));
        }
        if knobs.parts.contains(&Part::Idle) {
            calm = Some(idle::measure(site, mooring, knobs.idle));
        }
    }
    product.remove(site);
    (cost, calm)
}

/// What was measured of Mooring, beside what it shall be less than (in ms, but for the ratio).
fn goals(figures: &Figures) -> Table {
    let mut table = Table::default();
    for case in [cases::POWER_CUT, cases::FREEZE] {
        if let Some(summary) = figures.summary("mooring", case) {
            table.row(&format!("{case}, median"), summary.median(), 300.0);
            table.row(&format!("{case}, p99"), summary.p99(), 500.0);
            let what = format!("{case}, longest gap of other addresses");
            table.row(&what, summary.longest_of_others(), UNTOUCHED);
        }
    }
    for case in [cases::BOOT, cases::THAW] {
        if let Some(summary) = figures.summary("mooring", case) {
            table.row(
                &format!("{case}, longest gap"),
                summary.longest(),
                UNTOUCHED,
            );
        }
    }
    for (case, goal) in [
        ("agent killed (Responder)", 300.0),
        // What a client without any trouble sees.
        ("agent killed (Uplink)", 150.0),
    ] {
        if let Some(summary) = figures.summary("mooring", case) {
            table.row(&format!("{case}, median"), summary.median(), goal);
            let what = format!("{case}, silent on the wire, median");
            table.row(&what, summary.median_silence(), STRANGERS);
        }
    }
    for (case, overlap) in figures.overlaps("mooring") {
        // Whoever answers once more, late, answers for no time.
        table.row(&format!("{case}, two answers at once"), overlap, 1.0);
    }
    if let Some(ratio) = figures.ratio(cases::POWER_CUT) {
        println!(
            "{}: MetalLB's median is {ratio:.1} times Mooring's",
            cases::POWER_CUT
        );
        table.row("Mooring's median in % of MetalLB's", 100.0 / ratio, 10.0);
    }
    table
}
