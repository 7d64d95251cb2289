//! The bed itself: power, partitions, two side by side, and that nothing of it is ever left.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::Bed;
use testbed::plan::Host;
use testbed::protocol::{Power, Request};
use testbed::spec::Name;

const PROGRAM: &str = env!("CARGO_BIN_EXE_testbed");

fn light(story: &str, nodes: u8) -> Bed {
    Bed::fixture(PROGRAM, story)
        .nodes(nodes)
        .light()
        .start()
        .unwrap()
}

fn v4(index: u8) -> IpAddr {
    Host::node(index).ipv4().into()
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// Waits for a condition; its text is what the failure says.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "not within a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes, sockets and files of this machine that mention the bed.
fn traces(name: &Name) -> Vec<String> {
    let needle = format!("\"name\":\"{name}\"");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(&needle) {
            found.push(format!(
                "process {}: {words}",
                entry.file_name().to_string_lossy()
            ));
        }
    }
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    found.extend(
        sockets
            .lines()
            .filter(|line| line.contains(&format!("testbed/{name}")))
            .map(str::to_owned),
    );
    found
}

/// The pids of all processes in the bed's pid namespace or below, as this machine counts.
fn members(supervisor_namespace: &Path) -> BTreeSet<String> {
    let wanted = fs::read_link(supervisor_namespace).unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            fs::read_link(entry.path().join("ns/mnt")).is_ok_and(|found| found == wanted)
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// What a bed could leave on the machine's own file systems and network.
fn surroundings() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for folder in ["/run", "/run/netns", "/tmp", "/dev/shm"] {
        let entries = fs::read_dir(folder)
            .map(|list| list.flatten().collect::<Vec<_>>())
            .unwrap_or_default();
        all.extend(
            entries
                .iter()
                .map(|entry| entry.path().display().to_string()),
        );
    }
    all.extend(
        fs::read_dir("/sys/class/net")
            .unwrap()
            .flatten()
            .map(|link| format!("link {:?}", link.file_name())),
    );
    // Test binaries that run side by side make scratch files of their own.
    all.retain(|path| !path.starts_with("/tmp/") || path.contains("testbed"));
    all
}

#[test]
fn nodes_lose_power_freeze_and_come_back() {
    let bed = light("power", 2);
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&["n2"]));

    bed.order(&Request::Kill("n2".into())).unwrap();
    assert_eq!(bed.status().unwrap().nodes[1].power, Power::Off);
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&[]));
    let error = bed.exec("n2", "true", Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.to_string(), "n2 is off");

    bed.order(&Request::Boot("n2".into())).unwrap();
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&["n2"]));

    bed.order(&Request::Freeze("n2".into())).unwrap();
    assert_eq!(bed.status().unwrap().nodes[1].power, Power::Frozen);
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&[]));
    bed.order(&Request::Thaw("n2".into())).unwrap();
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&["n2"]));

    // IPv6 answers as well, and what a node runs comes back whole.
    assert_eq!(
        bed.answering(Host::node(0).ipv6().into()).unwrap(),
        names(&["n1"])
    );
    let ran = bed
        .exec(
            "n1",
            "printf 'a b'; echo oh >&2; exit 7",
            Duration::from_secs(20),
        )
        .unwrap();
    assert_eq!(
        (ran.status, ran.stdout, ran.stderr),
        (7, b"a b".to_vec(), b"oh\n".to_vec())
    );

    // A partition holds for the pairs it names, and no others.
    let cut = |a: &str, b: &str| Request::Cut(vec![(a.into(), b.into()), (b.into(), a.into())]);
    bed.order(&cut("client", "n1")).unwrap();
    assert_eq!(bed.answering(v4(0)).unwrap(), names(&[]));
    assert_eq!(bed.answering(v4(1)).unwrap(), names(&["n2"]));
    bed.order(&Request::Heal).unwrap();
    assert_eq!(bed.answering(v4(0)).unwrap(), names(&["n1"]));

    // A second client is a host like the first.
    bed.order(&Request::ClientAdd("c2".into())).unwrap();
    assert_eq!(
        bed.who_answers("c2", v4(0)).unwrap().macs(),
        [Host::node(0).mac()]
    );

    // Requests that cannot be met name what there is.
    let error = bed
        .order(&Request::Kill("n9".into()))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "there is no node n9; the nodes are n1, n2");
    bed.down().unwrap();
}

#[test]
fn the_control_plane_crashes_and_comes_back_with_its_data() {
    let bed = light("crash", 0);
    bed.kubectl(&["create", "namespace", "kept"]).unwrap();
    bed.order(&Request::Stop("kube-apiserver".to_owned()))
        .unwrap();
    let refused = bed.kubectl(&["get", "namespaces"]).unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
    bed.order(&Request::Stop("etcd".to_owned())).unwrap();
    let again = bed.order(&Request::Stop("etcd".to_owned())).unwrap_err();
    assert!(
        format!("{again:#}").contains("stopped already"),
        "{again:#}"
    );
    std::thread::scope(|scope| {
        for process in ["etcd", "kube-apiserver"] {
            let bed = &bed;
            scope.spawn(move || bed.order(&Request::Start(process.to_owned())).unwrap());
        }
    });
    let kept = bed.kubectl(&["get", "namespace", "kept", "-o", "name"]);
    assert_eq!(kept.unwrap().trim(), "namespace/kept");
    bed.down().unwrap();
}

#[test]
fn two_beds_live_side_by_side_and_leave_nothing() {
    let before = surroundings();
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| light("side-a", 1));
        let two = scope.spawn(|| light("side-b", 1));
        (one.join().unwrap(), two.join().unwrap())
    });
    // Same addresses, same MACs, other wires.
    one.run_on("n1", "ip addr add 10.77.0.250/32 dev eth0")
        .unwrap();
    let spare: IpAddr = [10, 77, 0, 250].into();
    assert_eq!(one.answering(spare).unwrap(), names(&["n1"]));
    assert_eq!(two.answering(spare).unwrap(), names(&[]));

    let namespace = one.see(Path::new("/proc/1/ns/mnt"));
    let pids = members(&namespace);
    assert!(
        pids.len() > 5,
        "a bed is more than {} processes",
        pids.len()
    );
    let (first, second) = (one.name().clone(), two.name().clone());
    one.down().unwrap();
    assert_eq!(traces(&first), Vec::<String>::new());
    for pid in &pids {
        wait_for(&format!("end of process {pid}"), || {
            !Path::new("/proc").join(pid).exists()
        });
    }
    assert_eq!(
        two.answering(v4(0)).unwrap(),
        names(&["n1"]),
        "the other bed goes on"
    );
    drop(two);
    assert_eq!(traces(&second), Vec::<String>::new());
    let left: Vec<String> = surroundings().difference(&before).cloned().collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_killed_test_run_leaves_nothing() {
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "--nocapture",
            "holds_a_bed_until_killed",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let name: Name = lines
        .find_map(|line| line.unwrap().strip_prefix("holding ").map(str::to_owned))
        .expect("the other run says its bed's name")
        .parse()
        .unwrap();
    assert!(
        !traces(&name).is_empty(),
        "the search for traces finds a bed that is up"
    );
    let namespace = Bed::find(&name).unwrap().see(Path::new("/proc/1/ns/mnt"));
    let pids = members(&namespace);
    assert!(
        pids.len() > 5,
        "a bed is more than {} processes",
        pids.len()
    );
    run.kill().unwrap();
    run.wait().unwrap();
    wait_for("no trace of the killed run's bed", || {
        traces(&name).is_empty()
    });
    for pid in &pids {
        wait_for(&format!("end of process {pid}"), || {
            !Path::new("/proc").join(pid).exists()
        });
    }
}

/// Not a test: the run that [`a_killed_test_run_leaves_nothing`] kills.
#[test]
#[ignore = "run by another test"]
fn holds_a_bed_until_killed() {
    let bed = light("held", 1);
    println!("holding {}", bed.name());
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
