//! What addresses cost: one operator and ten thousand Services on twenty pools, on a real API server.
//!
//! `cargo bench -p testbed --bench addresses --profile dev` (what is measured is the program of the image, built for release)
//! prints each figure beside its goal, and fails if one is missed. `SERVICES=500` is a smaller one. All Services are there
//! when the operator starts, so that what is measured is the operator; with `LIVE=1` they come while it runs, and share the
//! machine's time with it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends at the first error"
)]

#[path = "../../tests/allocation/mod.rs"]
mod allocation;
#[path = "../../tests/cargo/mod.rs"]
mod cargo;
mod goals;
#[path = "../../tests/mooring/mod.rs"]
mod mooring;
mod writes;

use std::time::Duration;

use allocation::objects::{NAMESPACE, Pool, Wish, service};
use allocation::operator::{Operator, Replica};
use allocation::rules::{complaints, without_address};
use allocation::view::View;
use allocation::watching::Watching;
use allocation::{inside, safe_to_announce, server};
use futures::{StreamExt as _, stream};
use goals::Table;
use k8s_openapi::api::core::v1::Service;
use kube::api::PostParams;
use kube::{Api, Client};
use mooring_api::ExternalIPPool;
use testbed::Bed;
use tokio::time::Instant;
use writes::Writes;

const PROGRAM: &str = env!("CARGO_BIN_EXE_testbed");
const POOLS: u8 = 20;
/// Services that are added one at a time.
const LATE: usize = 20;
/// Longer than anything may take.
const LIMIT: Duration = Duration::from_secs(300);
const RESTART_GOAL: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(2);

fn main() {
    let services = std::env::var("SERVICES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    let program = mooring::program("mooring-operator");
    let bed = server(PROGRAM, "bench-addresses");
    let replica = Replica::new(&bed, &program, "bench", 8081);
    let table = inside(&bed, async |client| {
        let size = u32::try_from(services / usize::from(POOLS) + 2 * LATE).unwrap();
        let pools: Vec<Pool> = (0..POOLS).map(|index| Pool::new(index, size, 60)).collect();
        let mut bench = Bench {
            watching: Watching::start(&client, &pools).await,
            services: Api::namespaced(client.clone(), NAMESPACE),
            client,
            bed: &bed,
            replica: &replica,
            pools,
            table: Table::default(),
        };
        bench.run(services).await;
        bench.table
    });
    bed.down().unwrap();
    if !table.is_met() {
        std::process::exit(1);
    }
}

struct Bench<'a> {
    client: Client,
    services: Api<Service>,
    watching: Watching,
    bed: &'a Bed,
    replica: &'a Replica<'a>,
    pools: Vec<Pool>,
    table: Table,
}

impl Bench<'_> {
    async fn run(&mut self, services: usize) {
        let kinds: Api<ExternalIPPool> = Api::all(self.client.clone());
        for pool in &self.pools {
            let object = pool.object();
            kinds.create(&PostParams::default(), &object).await.unwrap();
        }
        let operator = if std::env::var_os("LIVE").is_some() {
            self.publish_while_they_come(services).await
        } else {
            self.publish_those_that_wait(services).await
        };
        operator.kill();
        let operator = self.restart_without_a_change().await;
        operator.kill();
        let operator = self.restart_with_one_that_waits(services).await;
        self.add_one_by_one(services + 1, &operator).await;
        println!("\n{}", self.table);
        self.expect_right().await;
    }

    async fn publish_those_that_wait(&mut self, services: usize) -> Operator {
        let created = self.create_all(services).await;
        println!("{services} Services created in {created:.1?}, without an operator");
        let operator = self.replica.start();
        self.all_published(1).await;
        let begin = Instant::now();
        self.all_published(services).await;
        let what = "all published, since the first was (s)";
        self.publication(what, begin.elapsed(), &operator).await;
        operator
    }

    async fn publish_while_they_come(&mut self, services: usize) -> Operator {
        let operator = self.replica.start();
        safe_to_announce(&self.client, self.replica).await;
        let begin = Instant::now();
        let created = self.create_all(services).await;
        self.all_published(services).await;
        let published = begin.elapsed();
        println!("{services} Services created in {created:.1?}, while the operator ran");
        let what = "all published, since the first was created (s)";
        self.publication(what, published, &operator).await;
        operator
    }

    async fn create_all(&self, services: usize) -> Duration {
        let begin = Instant::now();
        stream::iter(0..services)
            .for_each_concurrent(32, |index| create(&self.services, &self.pools, index))
            .await;
        begin.elapsed()
    }

    async fn all_published(&mut self, services: usize) {
        let open = |view: &View| {
            Vec::from_iter((view.published < services).then(|| view.published.to_string()))
        };
        if let Err(text) = self.watching.wait(LIMIT, open).await {
            self.fail(&text);
        }
    }

    async fn publication(&mut self, what: &str, took: Duration, operator: &Operator) {
        println!(
            "until then the operator used {:.1} s of a core",
            operator.cpu()
        );
        self.table.row(what, took.as_secs_f64(), 120.0);
        let begin = Instant::now();
        self.settled().await;
        println!(
            "all else was written {:.1?} later; by then it used {:.1} s of a core",
            begin.elapsed() - SILENCE,
            operator.cpu()
        );
        self.memory("after publication", operator);
    }

    /// For as long as a restart may take, nothing is written.
    async fn restart_without_a_change(&mut self) -> Operator {
        let versions = self.watching.now().versions();
        let before = Writes::so_far(self.bed);
        let operator = self.replica.start();
        // Time in which something must not happen.
        tokio::time::sleep(RESTART_GOAL).await;
        let writes = Writes::so_far(self.bed).since(&before);
        println!(
            "restart: writes: {writes}; the operator used {:.1} s of a core",
            operator.cpu()
        );
        let changed = self.watching.now().versions();
        let changed = changed
            .iter()
            .filter(|(name, version)| versions.get(*name) != Some(version));
        self.table
            .row("writes of a restart", f64::from(writes.total()), 0.5);
        self.table.row(
            "objects that a restart changed",
            f64::from(u32::try_from(changed.count()).unwrap()),
            0.5,
        );
        self.memory("after a restart", &operator);
        operator
    }

    /// A Service that came while the operator was away is published once all the others are known.
    async fn restart_with_one_that_waits(&mut self, index: usize) -> Operator {
        create(&self.services, &self.pools, index).await;
        let before = Writes::so_far(self.bed);
        let begin = Instant::now();
        let operator = self.replica.start();
        self.published(index).await;
        let settled = begin.elapsed();
        self.quiet().await;
        let writes = Writes::so_far(self.bed).since(&before);
        println!("restart with one new Service: writes: {writes}");
        self.table.row(
            "restart until a waiting Service is published (s)",
            settled.as_secs_f64(),
            RESTART_GOAL.as_secs_f64(),
        );
        operator
    }

    async fn add_one_by_one(&mut self, first: usize, operator: &Operator) {
        let mut times = Vec::new();
        let (cpu, loops) = (operator.cpu(), self.loops().await);
        for index in first..first + LATE {
            self.quiet().await;
            let begin = Instant::now();
            create(&self.services, &self.pools, index).await;
            self.published(index).await;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        self.quiet().await;
        let each = (operator.cpu() - cpu) / f64::from(u32::try_from(LATE).unwrap());
        println!("one more Service costs {:.0} ms of a core", each * 1000.0);
        for ((name, before), (_, after)) in loops.into_iter().zip(self.loops().await) {
            let [count, seconds] = [0, 1].map(|part| after[part] - before[part]);
            println!(
                "  {name}: {count} for {LATE} Services, {:.0} ms each",
                seconds * 1000.0 / count
            );
        }
        times.sort_by(f64::total_cmp);
        let median = times[LATE / 2];
        self.table
            .row("one more published, median (ms)", median, 200.0);
        self.table
            .row("one more published, longest (ms)", times[LATE - 1], 200.0);
        self.memory("in the end", operator);
    }

    /// How often the operator's loops turned, and how many seconds that took.
    async fn loops(&self) -> [(&'static str, [f64; 2]); 2] {
        let metric = async |name: &str| {
            let name = format!("mooring_operator_{name}");
            self.replica.metric(&name).await.unwrap()
        };
        [
            (
                "decisions about addresses",
                [
                    metric("decision_seconds_count").await,
                    metric("decision_seconds_sum").await,
                ],
            ),
            (
                "looks of the guard",
                [
                    metric("looks_total").await,
                    metric("look_seconds_total").await,
                ],
            ),
        ]
    }

    async fn expect_right(&mut self) {
        self.settled().await;
        self.watching.now().expect_clean();
        self.watching.expect_complete().await;
    }

    /// Pools are told of their use, and addresses of what is awaited, when nothing is more urgent.
    async fn settled(&mut self) {
        let open = |view: &View| {
            let silent = view.berths.iter().filter(|(_, berth)| !berth.announced);
            let silent = silent.map(|(address, _)| format!("{address} says nothing yet"));
            let silent: Vec<String> = silent.collect();
            // What takes longer to find out is looked at last.
            if silent.is_empty() {
                [complaints(view), without_address(view)].concat()
            } else {
                silent
            }
        };
        if let Err(text) = self.watching.wait(LIMIT, open).await {
            self.fail(&text);
        }
        self.quiet().await;
    }

    async fn published(&mut self, index: usize) {
        let name = name(index);
        let open = |view: &View| match view.services.get(&name) {
            Some(served) if !served.addresses.is_empty() => Vec::new(),
            other => vec![format!("{name}: {other:?}")],
        };
        if let Err(text) = self.watching.wait(LIMIT, open).await {
            self.fail(&text);
        }
    }

    async fn quiet(&mut self) {
        if let Err(text) = self.watching.silence(SILENCE, LIMIT).await {
            self.fail(&text);
        }
    }

    fn memory(&mut self, when: &str, operator: &Operator) {
        for (field, what) in [("VmRSS:", "memory"), ("VmHWM:", "most memory")] {
            let text = format!("{what} {when} (MiB)");
            self.table.row(&text, operator.memory(field), 120.0);
        }
    }

    fn fail(&self, text: &str) -> ! {
        panic!("{text}\n{}\n{}", self.table, self.replica.last_words())
    }
}

fn name(index: usize) -> String {
    format!("web-{index:05}")
}

async fn create(services: &Api<Service>, pools: &[Pool], index: usize) {
    let object = service(&name(index), &Wish::any_of(&pools[index % pools.len()]), 80);
    services
        .create(&PostParams::default(), &object)
        .await
        .unwrap();
}
