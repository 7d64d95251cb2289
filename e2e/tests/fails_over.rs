//! A node loses its power, and another serves its addresses at once: the agents see to that alone, with the API server and
//! without it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod failover;
mod moored;
mod mooring;
mod plugin;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use failover::{Mark, Pace, Scene, Seen, Trial, on_a_bed};
use moored::{Holder, Tale, tell_all};
use testbed::protocol::Request;

/// On a quiet machine it is a third of a second; the machine of a test is not quiet.
const SOON: Duration = Duration::from_secs(2);
/// Requests per second to each of so many addresses: nodes of a bed have one processor each.
const RATE: u32 = 200;
const CLIENTS: usize = 2;
/// What is looked at after the first answer, too.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// For an outage that is longer than it may be: how long.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn another_node_serves_the_addresses_of_one_that_dies() {
    let program = env!("CARGO_BIN_EXE_testbed");
    on_a_bed(program, "fails-over", |scene| {
        tell_all("", &stories(), scene)
    });
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 3] {
    [
        ("a node is shut down under load", shutdown),
        ("a node loses its power", power_cut),
        (
            "a node loses its power while the API server is down",
            without_api_server,
        ),
    ]
}

/// No request fails, and at no moment two nodes answer.
fn shutdown(scene: &Scene<'_>) {
    let Scene { mooring, site } = scene;
    let node = mooring.wait_until_held(site.addresses[0]).node;
    let addresses = site.addresses.iter().copied();
    let addresses: Vec<IpAddr> = addresses
        .filter(|address| mooring.wait_until_held(*address).node == node)
        .collect();
    let watcher = site.bed.watch("client", &addresses).unwrap();
    let clients = addresses.iter().take(CLIENTS);
    let clients: Vec<_> = clients
        .map(|address| (*address, mooring.ask_steadily(*address, RATE)))
        .collect();
    mooring.let_pass(AFTERWARDS);
    mooring.shut_down(&node, &addresses);
    mooring.let_pass(AFTERWARDS);
    for (address, client) in clients {
        mooring.expect_none_failed(address, &client.end());
    }
    for story in watcher.end().unwrap() {
        mooring.print(&story);
        assert_eq!(story.overlaps(), [], "{story}");
    }
    scene.boot(&node);
}

fn power_cut(scene: &Scene<'_>) {
    let cut = scene.cut_power();
    scene.expect_status(&cut);
    scene.boot(&cut.node);
}

fn without_api_server(scene: &Scene<'_>) {
    let process = "kube-apiserver".to_owned();
    scene.order(Request::Stop(process.clone()));
    let cut = scene.cut_power();
    scene.order(Request::Start(process));
    scene.expect_status(&cut);
    scene.boot(&cut.node);
}

/// A node that is off, and who answers for the addresses that it had.
struct Cut {
    node: String,
    heirs: Vec<(IpAddr, String)>,
}

// === impl Scene ===

impl Scene<'_> {
    /// Cuts the power of the node with most addresses: another serves them soon, and one alone answers for each.
    #[track_caller]
    fn cut_power(&self) -> Cut {
        let trial = Trial::begin(self.site, Pace::Measuring);
        let owners = trial.owners();
        let most = owners.iter().max_by_key(|(_, addresses)| addresses.len());
        let (node, addresses) = most.unwrap();
        let before = trial.mark();
        self.order(Request::Kill(node.clone()));
        let mark = trial.mark();
        trial.is_served_since(&mark, addresses, LIMIT);
        self.mooring.let_pass(AFTERWARDS);
        let seen = trial.end(&before);
        println!("  {node} had {addresses:?}");
        for seen in &seen {
            println!("  {}: {}", seen.address, seen.report);
            self.mooring.print(&seen.story);
        }
        let heirs = seen.iter().filter_map(|seen| {
            let heir = if addresses.contains(&seen.address) {
                expect_taken(seen, &mark)
            } else {
                assert_eq!(seen.story.macs().len(), 1, "no reason to move");
                return None;
            };
            Some((seen.address, heir))
        });
        Cut {
            heirs: heirs.collect(),
            node: node.clone(),
        }
    }

    /// The status of each address names the node that answers for it.
    #[track_caller]
    fn expect_status(&self, cut: &Cut) {
        let begin = Instant::now();
        for (address, heir) in &cut.heirs {
            let holds = |holder: &Holder| holder.node == *heir;
            self.mooring.wait_until_held_by(*address, holds);
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("  the status names them {seconds:.1} s later");
    }

    /// Boots a node. It takes nothing back, and nobody answers together with another.
    #[track_caller]
    fn boot(&self, node: &str) {
        let trial = Trial::begin(self.site, Pace::Attentive);
        let begin = trial.mark();
        self.order(Request::Boot(node.to_owned()));
        self.mooring.wait_until_settled(self.site);
        for seen in trial.end(&begin) {
            println!("  {}: {}", seen.address, seen.report);
            self.mooring.print(&seen.story);
            assert_eq!(seen.story.macs().len(), 1, "{}", seen.address);
        }
    }

    #[track_caller]
    fn order(&self, request: Request) {
        self.site.bed.order(&request).unwrap();
    }
}

/// An address whose owner is off since the mark is served again by one other node, soon; which that is.
#[track_caller]
fn expect_taken(seen: &Seen, mark: &Mark) -> String {
    let address = seen.address;
    let outage = seen.outage;
    println!("  {address}: not served for {} ms", outage.as_millis());
    assert!(seen.is_over && outage <= SOON, "{address}: {outage:?}");
    // What was on its way when the power was cut may have come a moment later.
    let since = seen.story.since(mark.watch + Duration::from_millis(100));
    assert_eq!(since.macs().len(), 1, "{address}: {since}");
    assert_eq!(seen.story.overlaps(), [], "{address}");
    seen.owner.clone().unwrap()
}
