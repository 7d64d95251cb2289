//! What the agent's own answers cost: beside the kernel's and those of the least program on the same machine, and in memory.
//!
//! `cargo bench -p testbed --bench responder --profile dev` (what is measured are the programs of the images, built for release)
//! prints each figure beside its goal, and fails if one is missed. It measures twice: in a node of the test bed, with
//! kube-proxy in mode ipvs, where every question goes through the node's virtual NIC; and in a network namespace of this
//! machine's kernel, at the end of a veth pair, which is quicker than any cable. `PARTS=node` or `PARTS=cable` is one of both;
//! `PROGRAMS=DIR` measures the programs in a folder, as those of an earlier version.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends at the first error"
)]

#[path = "../../tests/allocation/mod.rs"]
mod allocation;
#[path = "../../tests/cargo/mod.rs"]
mod cargo;
mod cluster;
mod floor;
#[path = "../addresses/goals.rs"]
mod goals;
#[path = "../../tests/mooring/mod.rs"]
mod mooring;
mod programmed;
mod site;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use allocation::inside;
use allocation::operator::{Operator, Replica};
use cluster::Cluster;
use goals::Table;
use site::{Place, Site};
use testbed::Bed;
use testbed::asker::{Asker, Delays, Flood};
use testbed::spec::{Proxy, StrictArp};

const PROGRAM: &str = env!("CARGO_BIN_EXE_testbed");
/// How many addresses are asked for.
const ADDRESSES: usize = 1_000;
/// Questions one by one, in each round.
const QUESTIONS: usize = 1_500;
/// One question each.
const PERIOD: Duration = Duration::from_millis(4);
/// Questions a second, of a flood.
const RATE: u32 = 20_000;
const SPAN: Duration = Duration::from_secs(5);
/// How long it may take until all are answered. In a node of the test bed kube-proxy was seen to program four Services a second.
const LIMIT: Duration = Duration::from_secs(600);
/// How many Services are created one after the other, and waited for.
const SERVICES: usize = 10;

fn main() {
    // What looks at a node's kernel runs there.
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(programmed::ARGUMENT) => return programmed::run(arguments),
        Some(floor::ARGUMENT) => return floor::run(),
        _ => {}
    }
    let parts = std::env::var("PARTS").unwrap_or_default();
    let mut table = Table::default();
    if parts != "cable" {
        in_a_node(&mut table);
    }
    if parts != "node" {
        on_a_cable(&mut table);
    }
    println!("\n{table}");
    if !table.is_met() {
        std::process::exit(1);
    }
}

fn program(name: &str) -> PathBuf {
    match std::env::var_os("PROGRAMS") {
        Some(folder) => Path::new(&folder).join(name),
        None => mooring::program(name),
    }
}

/// With kube-proxy, on a kernel of its own.
fn in_a_node(table: &mut Table) {
    let bed = Bed::fixture(PROGRAM, "bench-node")
        .nodes(1)
        .light()
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    println!("In a node of the test bed, mode ipvs:");
    let site = Site::new(&bed, Place::Node);
    let mut bench = Bench::new(&bed, site, table);
    bench.kernel();
    bench.site.start_agent(&program("mooring-agent"));
    inside(&bed, async |client| {
        let mut cluster = Cluster::new(client, &bench.replica).await;
        bench.first_answers(&cluster).await;
        bench.memory(&mut cluster, "node, ", SERVICES, None).await;
        bench.moor(&mut cluster, ADDRESSES).await;
        bench
            .memory(&mut cluster, "node, ", ADDRESSES, Some(20.0))
            .await;
        bench.agent(&cluster.addresses());
    });
    bench.site.kill_agent();
    bench.floor();
    bench.kernel();
    bench.compare("node");
    drop(bench);
    bed.down().unwrap();
}

/// Without a service proxy that anybody waits for.
fn on_a_cable(table: &mut Table) {
    let bed = Bed::fixture(PROGRAM, "bench-cable")
        .nodes(0)
        .light()
        .start()
        .unwrap();
    println!("\nAt the end of a veth pair, on this machine's kernel:");
    let site = Site::new(&bed, Place::Namespace);
    let mut bench = Bench::new(&bed, site, table);
    bench.kernel();
    bench.site.start_agent(&program("mooring-agent"));
    inside(&bed, async |client| {
        let mut cluster = Cluster::new(client, &bench.replica).await;
        bench.moor(&mut cluster, 1).await;
        bench.memory(&mut cluster, "", 1, Some(15.0)).await;
        bench.moor(&mut cluster, ADDRESSES).await;
        bench.memory(&mut cluster, "", ADDRESSES, Some(20.0)).await;
        bench.agent(&cluster.addresses());
        bench.moor(&mut cluster, 5 * ADDRESSES).await;
        bench
            .memory(&mut cluster, "", 5 * ADDRESSES, Some(40.0))
            .await;
        let all = bench.delays(&cluster.addresses());
        println!("  agent with {} addresses: {}", 5 * ADDRESSES, told(&all));
    });
    bench.site.kill_agent();
    bench.floor();
    bench.kernel();
    bench.compare("cable");
    drop(bench);
    bed.down().unwrap();
}

struct Bench<'a> {
    site: Site<'a>,
    /// Ends with the bench.
    _operator: Operator,
    replica: Replica<'a>,
    asker: Asker,
    table: &'a mut Table,
    by_kernel: Vec<(Delays, Flood)>,
    by_agent: Vec<(Delays, Flood)>,
    by_floor: Vec<(Delays, Flood)>,
}

// === impl Bench ===

impl<'a> Bench<'a> {
    fn new(bed: &'a Bed, site: Site<'a>, table: &'a mut Table) -> Self {
        cluster::populate(bed, &site);
        let program = program("mooring-operator");
        let replica = Replica::new(bed, &program, "bench", 8081);
        let netns = bed.see(Path::new("/run/netns/client"));
        Self {
            site,
            _operator: replica.start(),
            replica,
            asker: Asker::open(&netns, "eth0").unwrap(),
            table,
            by_kernel: Vec::new(),
            by_agent: Vec::new(),
            by_floor: Vec::new(),
        }
    }

    /// Asks for addresses that the kernel answers for.
    fn kernel(&mut self) {
        let first = u32::from(Ipv4Addr::new(10, 99, 128, 0));
        let count = u32::try_from(ADDRESSES).unwrap();
        let addresses: Vec<Ipv4Addr> = (first..first + count).map(Ipv4Addr::from).collect();
        self.site.put_on_uplink(&addresses);
        let addresses: Vec<IpAddr> = addresses.into_iter().map(IpAddr::from).collect();
        self.wait_until_answered(&addresses);
        let measured = self.measure("kernel", &addresses);
        self.by_kernel.push(measured);
        self.site.clear_uplink();
    }

    /// Asks for addresses that the agent answers for.
    fn agent(&mut self, addresses: &[IpAddr]) {
        let before = self.site.cpu();
        let measured = self.measure("agent", addresses);
        println!(
            "  agent: {:.2} s of a core meanwhile",
            self.site.cpu() - before
        );
        self.by_agent.push(measured);
    }

    /// Asks for addresses that the least of all programs answers for.
    fn floor(&mut self) {
        let first = u32::from(floor::FIRST);
        let count = u32::try_from(ADDRESSES).unwrap();
        let addresses = (first..first + count).map(|number| Ipv4Addr::from(number).into());
        let addresses: Vec<IpAddr> = addresses.collect();
        self.site.start_floor();
        self.wait_until_answered(&addresses);
        let measured = self.measure("least program", &addresses);
        self.by_floor.push(measured);
        self.site.kill_floor();
    }

    fn measure(&self, who: &str, addresses: &[IpAddr]) -> (Delays, Flood) {
        let delays = self.delays(addresses);
        println!("  {who}: {}", told(&delays));
        let flood = self.asker.flood(addresses, RATE, SPAN).unwrap();
        println!(
            "  {who}: {} of {} questions answered, at {:.0} a second",
            flood.answered,
            flood.sent,
            flood.rate()
        );
        (delays, flood)
    }

    fn delays(&self, addresses: &[IpAddr]) -> Delays {
        let asker = &self.asker;
        asker.one_by_one(addresses, QUESTIONS, PERIOD).unwrap()
    }

    fn compare(&mut self, place: &str) {
        let delays = |of: &[(Delays, Flood)]| {
            let all: Vec<Delays> = of.iter().map(|(delays, _)| delays.clone()).collect();
            Delays::of(&all)
        };
        let (kernel, agent) = (delays(&self.by_kernel), delays(&self.by_agent));
        println!("  kernel, both times: {}", told(&kernel));
        let floor = delays(&self.by_floor);
        let of = |delays: &Delays| delays.median().as_secs_f64();
        println!(
            "  medians: the least program takes {:.2} of the kernel's time, the agent {:.2} of the least program's",
            of(&floor) / of(&kernel),
            of(&agent) / of(&floor)
        );
        let ratio = of(&agent) / of(&kernel);
        let what = format!("{place}, median delay, agent : kernel");
        self.table.row(&what, ratio, 1.5);
        let lost = |of: &[(Delays, Flood)]| {
            let lost: usize = of.iter().map(|(_, flood)| flood.lost()).sum();
            lost as f64 / of.len() as f64
        };
        let (kernel, agent) = (lost(&self.by_kernel), lost(&self.by_agent));
        let what = format!("{place}, lost at {RATE}/s, agent (kernel: {kernel:.0})");
        // A node's virtual NIC may lose some by itself.
        self.table.row(&what, agent, (1.5 * kernel).max(0.5));
    }

    /// Creates Services, one after the other.
    async fn first_answers(&mut self, cluster: &Cluster) {
        let (mut late, mut all) = (Vec::new(), Vec::new());
        for index in 0..SERVICES {
            let target = cluster::fixed(index);
            let look = self.site.look_for(target);
            let asked = self.asker_of(target);
            let created = cluster.create_at(target).await;
            let programmed = look.join().unwrap();
            let answered = asked.join().unwrap();
            late.push(millis(programmed.at, answered));
            all.push(millis(created, answered));
            println!(
                "  Service created; {:.0} ms: programmed by kube-proxy (looked for every {:.1} ms); {:.0} ms: answered",
                millis(created, programmed.at),
                programmed.period.as_secs_f64() * 1000.0,
                millis(created, answered),
            );
        }
        for times in [&mut late, &mut all] {
            times.sort_by(f64::total_cmp);
        }
        println!(
            "  first answer, median: {:.0} ms after creation",
            all[SERVICES / 2]
        );
        self.table.row(
            "first answer after kube-proxy, median (ms)",
            late[SERVICES / 2],
            100.0,
        );
    }

    /// Asks for an address on a thread of its own, until somebody answers.
    fn asker_of(&self, target: IpAddr) -> std::thread::JoinHandle<Instant> {
        let asker = self.site.asker();
        std::thread::spawn(move || {
            let limit = Duration::from_secs(60);
            asker.first_answer(target, limit).unwrap().unwrap()
        })
    }

    /// Has so many addresses in all, which are all answered for.
    async fn moor(&mut self, cluster: &mut Cluster, number: usize) {
        let begin = Instant::now();
        let so_far = |what: &str| {
            println!(
                "  {number} addresses: {what} after {:.1} s",
                begin.elapsed().as_secs_f64()
            );
        };
        cluster.grow_to(number).await;
        so_far("created");
        cluster.published(number).await;
        so_far("published");
        self.wait_until_answered(&cluster.addresses());
        so_far("answered");
    }

    /// Once all is said.
    async fn memory(
        &mut self,
        cluster: &mut Cluster,
        place: &str,
        number: usize,
        goal: Option<f64>,
    ) {
        cluster.settled(number).await;
        let [resident, anonymous] = self.site.memory();
        println!(
            "  agent with {number} addresses: {resident:.1} MiB, {anonymous:.1} of them its own; {:.1} s of a core so far",
            self.site.cpu()
        );
        if let Some(goal) = goal {
            let what = format!("{place}memory with {number} addresses (MiB)");
            self.table.row(&what, resident, goal);
        }
    }

    fn wait_until_answered(&self, addresses: &[IpAddr]) {
        let begin = Instant::now();
        let mut silent = addresses.to_vec();
        while !silent.is_empty() {
            silent.retain(|address| {
                let answer = self.asker.first_answer(*address, Duration::from_millis(10));
                answer.unwrap().is_none()
            });
            assert!(
                begin.elapsed() < LIMIT,
                "nobody answers for {} addresses, as for {}\n{}\n{}",
                silent.len(),
                silent[0],
                self.replica.last_words(),
                self.site.last_words()
            );
        }
    }
}

/// From one moment to another, which may be before it.
fn millis(from: Instant, to: Instant) -> f64 {
    let after = to.saturating_duration_since(from).as_secs_f64();
    let before = from.saturating_duration_since(to).as_secs_f64();
    (after - before) * 1000.0
}

fn told(delays: &Delays) -> String {
    let micros = |delay: Duration| delay.as_secs_f64() * 1e6;
    format!(
        "median {:.0} us, 99 % within {:.0} us, {} not answered",
        micros(delays.median()),
        micros(delays.percentile(99)),
        delays.missing()
    )
}
