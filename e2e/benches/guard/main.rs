//! What the guard costs: the operator beside a thousand nodes whose states change once a minute each, on a real API
//! server, and the agent on one node where nothing happens.
//!
//! `cargo bench -p testbed --bench guard --profile dev` (what is measured are the programs of the images, built for release)
//! prints memory (VmRSS, and its anonymous part) and CPU time over wall time, each
//! beside its goal, and fails if one is missed. `SECONDS=300` measures longer.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends at the first error"
)]

#[path = "../../tests/cargo/mod.rs"]
mod cargo;
mod crowd;
mod meter;
#[path = "../../tests/mooring/mod.rs"]
mod mooring;

use std::process::Stdio;
use std::time::{Duration, Instant};

use meter::Usage;
use mooring::Mooring;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

const PROGRAM: &str = env!("CARGO_BIN_EXE_testbed");
const NODES: usize = 1000;

fn main() {
    // The load runs as a process of its own, inside the bed.
    if std::env::args().any(|argument| argument == crowd::ARGUMENT) {
        return crowd::run(NODES);
    }
    let seconds = std::env::var("SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(120);
    let span = Duration::from_secs(seconds);
    let goals = [
        operator(span).row("operator, 1000 nodes changing once a minute", 60.0, 5.0),
        agent(span).row("agent, idle", 15.0, 1.0),
    ];
    println!(
        "\n{:<45} {:>10} {:>10} {:>6} {:>8} {:>6}",
        "", "RSS MiB", "anon MiB", "goal", "core %", "goal"
    );
    for (line, _) in &goals {
        println!("{line}");
    }
    if goals.iter().any(|(_, met)| !met) {
        std::process::exit(1);
    }
}

/// The operator as a process beside a control plane without nodes; the thousand nodes are objects.
fn operator(span: Duration) -> Usage {
    let bed = Bed::fixture(PROGRAM, "bench-guard")
        .nodes(0)
        .light()
        .start()
        .unwrap();
    for manifest in mooring_api::manifests().unwrap() {
        bed.kubectl_with(&["apply", "-f", "-"], &manifest.text)
            .unwrap();
    }
    bed.kubectl(&["create", "namespace", "mooring-system"])
        .unwrap();
    let mut load = bed
        .command("cp", std::env::current_exe().unwrap())
        .arg(crowd::ARGUMENT)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    crowd::wait_until_there(load.stdout.take().unwrap());
    println!("{NODES} nodes made in {} s", begin.elapsed().as_secs());

    let mut command = bed.command("cp", mooring::program("mooring-operator"));
    let mut operator = command
        .env("POD_NAME", "bench")
        .env("POD_NAMESPACE", "mooring-system")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mooring = Mooring::find(&bed);
    mooring.wait_for("the operator has a status for all nodes", || {
        (mooring.status()["nodes"]["total"] == NODES).then_some(())
    });
    println!(
        "operator knows them all {} s after its start",
        begin.elapsed().as_secs()
    );
    let usage = meter::measure(meter::child_of(operator.id()), span, |path| {
        std::fs::read_to_string(path).unwrap()
    });
    for child in [&mut operator, &mut load] {
        let _ = child.kill();
        let _ = child.wait();
    }
    bed.down().unwrap();
    usage
}

/// The agent as its DaemonSet runs it, on a node of its own kernel.
fn agent(span: Duration) -> Usage {
    let bed = Bed::fixture(PROGRAM, "bench-agent")
        .nodes(1)
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let mooring = Mooring::install(&bed);
    mooring.wait_until_safe();
    let node = bed.status().unwrap().nodes[0].host.name.clone();
    let pid = bed.run_on(&node, "busybox pidof mooring-agent").unwrap();
    let pid = pid.trim().parse().unwrap();
    let usage = meter::measure(pid, span, |path| {
        bed.run_on(&node, &format!("cat {}", path.display()))
            .unwrap()
    });
    bed.down().unwrap();
    usage
}
