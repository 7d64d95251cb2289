//! What happens to the network and to nodes that live on: nobody takes anything over where that is not called for, and where it
//! is, two answer for no longer than they have to.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod failover;
mod moored;
mod mooring;
mod plugin;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use failover::{Mark, Pace, Scene, Trial, on_a_bed};
use moored::{POOL, Tale, tell_all};
use mooring::NAMESPACE;
use serde_json::json;
use testbed::protocol::Request;
use testbed::watcher::Story;

/// Of a node that is dead, addresses are taken over in a third of a second; here nobody may take any for so long.
const CALM: Duration = Duration::from_secs(15);
/// For so long two may answer after what kept them apart is over.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Whoever answers late does so once.
const NEVER: Duration = Duration::ZERO;
/// How often one after the other stands still.
const PAUSES: usize = 30;
/// How long the segment is split: longer than a Fenced address needs to go to the other side.
const SPLIT: Duration = Duration::from_secs(25);
const AFTERWARDS: Duration = Duration::from_secs(5);
/// Until each address has its Lease: who finds none waits as long as the longest can last.
const FENCED: Duration = Duration::from_secs(60);

#[test]
fn who_lives_keeps_its_addresses_and_no_two_keep_one() {
    let program = env!("CARGO_BIN_EXE_testbed");
    on_a_bed(program, "impaired", |scene| tell_all("", &stories(), scene));
}

/// In this order: each begins where the one before it ended.
const fn stories<'a>() -> [Tale<Scene<'a>>; 9] {
    [
        ("a firewall blocks UDP between two nodes", firewall),
        ("what one node sends to another is lost", one_way),
        ("a third of what a node sends is lost", losses),
        ("a node stalls for 95 ms again and again", stalls),
        ("a node stands still for 1, 5 and 60 seconds", pauses),
        ("one node after the other stands still", many_pauses),
        (
            "all nodes stand still while one asks for what it had",
            pauses_of_all,
        ),
        ("the segment is split", split),
        ("the segment is split, and the pool is Fenced", split_fenced),
    ]
}

fn firewall(scene: &Scene<'_>) {
    scene.nobody_moves(|node, other| {
        let status = scene.site.bed.status().unwrap();
        let peer = status.hosts().find(|host| host.name == other).unwrap();
        let peer = peer.ipv4();
        let rules = format!(
            "nft 'add table inet wall; add chain inet wall in {{ type filter hook input priority -400; }}; \
             add chain inet wall out {{ type filter hook output priority -400; }}; \
             add rule inet wall in ip saddr {peer} udp dport 10271 drop; \
             add rule inet wall out ip daddr {peer} udp dport 10271 drop'"
        );
        scene.run(node, &rules);
        scene.mooring.let_pass(CALM);
        scene.run(node, "nft delete table inet wall");
    });
}

fn one_way(scene: &Scene<'_>) {
    scene.nobody_moves(|node, other| {
        scene.order(Request::Cut(vec![(node.to_owned(), other.to_owned())]));
        scene.mooring.let_pass(CALM);
        scene.order(Request::Heal);
    });
}

fn losses(scene: &Scene<'_>) {
    scene.nobody_moves(|node, _| {
        scene.run(node, "tc qdisc add dev eth0 root netem loss 30%");
        scene.mooring.let_pass(CALM);
        scene.run(node, "tc qdisc del dev eth0 root");
    });
}

fn stalls(scene: &Scene<'_>) {
    scene.nobody_moves(|node, _| {
        let begin = Instant::now();
        while begin.elapsed() < CALM {
            scene.stand_still(node, Duration::from_millis(95));
            scene.mooring.let_pass(Duration::from_millis(900));
        }
    });
}

/// Others take over from a node that stands still. When it goes on, it has nothing to say any more.
fn pauses(scene: &Scene<'_>) {
    for seconds in [1, 5, 60] {
        let (trial, node, addresses) = scene.begin();
        let before = trial.mark();
        scene.order(Request::Freeze(node.clone()));
        scene.mooring.let_pass(Duration::from_secs(seconds));
        let thawed = trial.mark();
        scene.order(Request::Thaw(node.clone()));
        scene.mooring.let_pass(AFTERWARDS);
        println!("  {node} stood still for {seconds} s");
        for seen in trial.end(&before) {
            scene.mooring.print(&seen.story);
            let late = scene.late_answers(&node, &seen.story, &thawed);
            if addresses.contains(&seen.address) {
                println!("  {}: {late} late answers", seen.address);
                assert!(late <= 1, "{}", seen.story);
            }
            assert_eq!(seen.story.longest_overlap(), NEVER, "{}", seen.story);
            scene.expect_one_at_last(&seen.story);
        }
        scene.mooring.wait_until_settled(scene.site);
    }
}

/// Each time the one with most addresses, which hears nothing for a moment when it goes on; in one of 30 times that was a second.
fn many_pauses(scene: &Scene<'_>) {
    let (trial, ..) = scene.begin();
    let before = trial.mark();
    let mut struck = BTreeMap::new();
    for _ in 0..PAUSES {
        let (node, _) = trial.busiest();
        scene.stand_still(&node, Duration::from_secs(3));
        scene.mooring.let_pass(Duration::from_secs(2));
        *struck.entry(node).or_insert(0) += 1;
    }
    println!("  stood still: {struck:?}");
    for seen in trial.end(&before) {
        println!(
            "  {}: {} had it one after the other, {} times one answered late",
            seen.address,
            seen.story.stints.len(),
            seen.story.overlaps().len()
        );
        assert_eq!(seen.story.longest_overlap(), NEVER, "{}", seen.story);
        scene.expect_one_at_last(&seen.story);
    }
    scene.mooring.wait_until_settled(scene.site);
}

/// Whoever could tell a node that others have taken over from it stands still when it asks them, as do nodes that share a machine.
/// Afterwards all of them ask at once, and what was taken over stays so.
fn pauses_of_all(scene: &Scene<'_>) {
    let status = scene.site.bed.status().unwrap();
    let all: Vec<String> = status
        .nodes
        .into_iter()
        .map(|node| node.host.name)
        .collect();
    for milliseconds in [10, 100, 250] {
        let (trial, node, _) = scene.begin();
        let before = trial.mark();
        scene.order(Request::Freeze(node.clone()));
        scene.mooring.let_pass(AFTERWARDS);
        let owners = trial.owners();
        scene.order(Request::Thaw(node.clone()));
        scene.mooring.let_pass(Duration::from_millis(milliseconds));
        for node in &all {
            scene.order(Request::Freeze(node.clone()));
        }
        scene.mooring.let_pass(Duration::from_millis(1_200));
        for node in &all {
            scene.order(Request::Thaw(node.clone()));
        }
        scene.mooring.let_pass(AFTERWARDS);
        println!("  {node} asked for {milliseconds} ms");
        assert!(!owners.contains_key(&node), "{owners:?}");
        for seen in trial.end(&before) {
            scene.mooring.print(&seen.story);
            assert_eq!(seen.story.overlaps(), [], "{}", seen.story);
            let owner = seen.owner.unwrap();
            assert!(owners[&owner].contains(&seen.address), "{}", seen.story);
        }
        scene.mooring.wait_until_settled(scene.site);
    }
}

/// Each side serves its own clients, and the host that sees both is answered twice. When they meet again, one lets go, and the
/// Services are told for how long it was so.
fn split(scene: &Scene<'_>) {
    let events = scene.mooring.all_events();
    let twice = events.iter().find(|event| event.contains("AnsweredTwice"));
    assert_eq!(twice, None, "whoever stood still answered nobody meanwhile");
    let (trial, node, addresses) = scene.begin();
    scene.cut_off(&node);
    scene.mooring.let_pass(SPLIT);
    let before = trial.mark();
    scene.order(Request::Heal);
    scene.mooring.let_pass(AFTERWARDS);
    for seen in trial.end(&before) {
        scene.mooring.print(&seen.story);
        let since = seen.story.since(before.watch);
        println!(
            "  {}: two answered for {} ms after they met",
            seen.address,
            since.longest_overlap().as_millis()
        );
        assert!(since.longest_overlap() <= AT_ONCE, "{since}");
        scene.expect_one_at_last(&seen.story);
    }
    for (service, address) in scene.site.services() {
        if addresses.contains(&address) {
            let told = scene
                .mooring
                .wait_for_event(&service, "AnsweredTwice", &node);
            println!("  {told}");
        }
    }
    scene.mooring.wait_until_settled(scene.site);
}

/// The side without the API server falls silent before the other one speaks, and nobody is ever answered twice. When nobody has the
/// addresses any more, their Leases go.
fn split_fenced(scene: &Scene<'_>) {
    let pool = format!("externalippool/{POOL}");
    let fenced = json!({"spec": {"ownership": "Fenced"}});
    scene.mooring.merge(&pool, &fenced);
    for address in &scene.site.addresses {
        scene
            .mooring
            .wait_at_most(FENCED, &format!("{address} has its Lease"), || {
                let said = scene.mooring.said_of(*address, "Announced")?;
                (said.status == "True" && said.message.contains("Fenced")).then_some(said)
            });
    }
    scene.mooring.wait_until_settled(scene.site);
    let said = scene.mooring.said_of(scene.site.addresses[0], "Announced");
    println!("  {}", said.unwrap().message);

    let (trial, node, addresses) = scene.begin();
    scene.cut_off(&node);
    scene.mooring.let_pass(SPLIT);
    scene.order(Request::Heal);
    let before = trial.mark();
    scene.mooring.let_pass(AFTERWARDS);
    for seen in trial.end(&before) {
        scene.mooring.print(&seen.story);
        assert_eq!(seen.story.overlaps(), [], "{}", seen.story);
        scene.expect_one_at_last(&seen.story);
        let moved = seen.owner.as_ref() != Some(&node);
        if addresses.contains(&seen.address) {
            println!(
                "  {}: silent for {:.1} s",
                seen.address,
                seen.story.longest_silence().as_secs_f64()
            );
            assert!(moved, "{}", seen.story);
        }
    }
    scene.mooring.wait_until_settled(scene.site);

    assert_eq!(fenced_leases(scene).len(), scene.site.addresses.len());
    scene.site.withdraw();
    let gone = "no Lease is left of addresses that nobody has";
    scene.mooring.wait_at_most(FENCED, gone, || {
        fenced_leases(scene).is_empty().then_some(())
    });
}

/// The names of the Leases of addresses.
fn fenced_leases(scene: &Scene<'_>) -> Vec<String> {
    let leases = scene.mooring.get(&["-n", NAMESPACE, "leases"]);
    let all = leases["items"].as_array().into_iter().flatten();
    let names = all.map(|lease| lease["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("fenced-")).collect()
}

// === impl Scene ===

impl Scene<'_> {
    /// Begins to look; which node has most addresses, and which these are.
    fn begin(&self) -> (Trial<'_>, String, Vec<std::net::IpAddr>) {
        let trial = Trial::begin(self.site, Pace::Attentive);
        self.mooring.let_pass(Duration::from_secs(2));
        let (node, addresses) = trial.busiest();
        (trial, node, addresses)
    }

    /// Has something done to the node with most addresses, and maybe to what is between it and another; everybody keeps what it
    /// has.
    #[track_caller]
    fn nobody_moves(&self, something: impl FnOnce(&str, &str)) {
        let (trial, node, _) = self.begin();
        let status = self.site.bed.status().unwrap();
        let mut nodes = status.nodes.into_iter().map(|node| node.host.name);
        let other = nodes.find(|other| *other != node).unwrap();
        let before = trial.mark();
        something(&node, &other);
        self.mooring.let_pass(AFTERWARDS);
        println!("  {node}, and {other}");
        for seen in trial.end(&before) {
            println!("  {}: {}", seen.address, seen.report);
            assert_eq!(seen.story.macs().len(), 1, "{}", seen.story);
        }
    }

    fn stand_still(&self, node: &str, time: Duration) {
        self.order(Request::Freeze(node.to_owned()));
        self.mooring.let_pass(time);
        self.order(Request::Thaw(node.to_owned()));
    }

    /// Nothing gets from the node to other nodes and the API server, nor back.
    fn cut_off(&self, node: &str) {
        let status = self.site.bed.status().unwrap();
        let nodes = status.nodes.into_iter().map(|node| node.host.name);
        let others = nodes.chain(["cp".to_owned()]);
        let pairs = others.filter(|other| other != node).flat_map(|other| {
            let there = (node.to_owned(), other.clone());
            [there, (other, node.to_owned())]
        });
        self.order(Request::Cut(pairs.collect()));
    }

    /// How often a node answered for an address after it went on, although it had to ask who has it.
    fn late_answers(&self, node: &str, story: &Story, thawed: &Mark) -> usize {
        let status = self.site.bed.status().unwrap();
        let host = status.hosts().find(|host| host.name == node).unwrap();
        let own = story.stints.iter().filter(|stint| stint.mac == host.mac());
        let late = own.filter(|stint| stint.last >= thawed.watch);
        late.map(|stint| stint.answers).sum()
    }

    #[track_caller]
    fn expect_one_at_last(&self, story: &Story) {
        let end = story.last_answer().unwrap();
        let settled = story.since(end.saturating_sub(Duration::from_secs(3)));
        assert_eq!(settled.macs().len(), 1, "{story}");
    }

    fn run(&self, node: &str, script: &str) {
        self.site.bed.run_on(node, script).unwrap();
    }

    #[track_caller]
    fn order(&self, request: Request) {
        self.site.bed.order(&request).unwrap();
    }
}
