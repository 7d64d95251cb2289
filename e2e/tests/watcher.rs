//! The watch of the wire and the steady client, on real kernels: network namespaces on a bridge of this machine.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod segment;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use segment::{Segment, ip, mac_of};
use testbed::steady::{Cause, Options, SteadyClient};
use testbed::watcher::{WatchError, Watcher};

const ADDRESSES: [&str; 2] = ["10.99.0.200", "fd99::200"];

fn addresses() -> Vec<IpAddr> {
    ADDRESSES.map(|address| address.parse().unwrap()).to_vec()
}

fn give(segment: &Segment, host: &str) {
    segment.give(host, "10.99.0.200/32");
    segment.give(host, "fd99::200/128");
}

fn take(segment: &Segment, host: &str) {
    let name = segment.name(host);
    ip(&format!("-n {name} address del 10.99.0.200/32 dev eth0"));
    ip(&format!("-n {name} address del fd99::200/128 dev eth0"));
}

#[test]
fn a_move_with_an_overlap_and_a_silence_is_seen_as_it_was() {
    let Some(segment) = Segment::new() else {
        return;
    };
    let watcher = Watcher::start(&segment.file("asker"), "eth0", &addresses()).unwrap();
    let pause = || sleep(Duration::from_millis(700));
    give(&segment, "a");
    pause();
    give(&segment, "b");
    pause();
    take(&segment, "a");
    pause();
    take(&segment, "b");
    pause();
    for address in addresses() {
        let so_far = watcher.story(address).unwrap();
        assert!(!so_far.silences.last().unwrap().over, "{so_far}");
    }
    give(&segment, "b");
    pause();
    for story in watcher.end().unwrap() {
        let [a, b] = ["a", "b"].map(mac_of);
        assert_eq!(story.macs(), BTreeSet::from([a, b]), "{story}");
        assert_eq!(story.stints[0].mac, a, "{story}");
        let [overlap] = story.overlaps()[..] else {
            panic!("one overlap: {story}");
        };
        assert_eq!((overlap.old, overlap.new), (a, b), "{story}");
        let about = |length: Duration| (300..1_500).contains(&length.as_millis());
        assert!(about(overlap.length()), "{story}");
        assert_eq!(story.silences.len(), 1, "{story}");
        assert!(about(story.longest_silence()), "{story}");
        assert!(story.asked > 25, "{story}");
    }
}

#[test]
fn what_is_said_unasked_is_heard() {
    let Some(segment) = Segment::new() else {
        return;
    };
    let watcher = Watcher::start(&segment.file("asker"), "eth0", &addresses()).unwrap();
    give(&segment, "a");
    for form in ["-U", "-A"] {
        let output = Command::new("ip")
            .args(["netns", "exec", &segment.name("a")])
            .args([
                "busybox",
                "arping",
                form,
                "-c",
                "1",
                "-I",
                "eth0",
                "10.99.0.200",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Sent 1 probe"), "arping {form}: {output:?}");
    }
    sleep(Duration::from_millis(300));
    let story = watcher.story(addresses()[0]).unwrap();
    assert_eq!(story.announcements.len(), 2, "{story}");
    assert_eq!(story.announcers(), BTreeSet::from([mac_of("a")]));
    let other = IpAddr::from([10, 99, 0, 201]);
    let error = watcher.story(other).unwrap_err();
    assert!(matches!(error, WatchError::NotWatched(address) if address == other));
}

#[test]
fn a_watch_that_cannot_go_on_says_so() {
    let Some(segment) = Segment::new() else {
        return;
    };
    let asker = segment.file("asker");
    let error = Watcher::start(&asker, "none0", &addresses()).unwrap_err();
    assert!(matches!(error, WatchError::Probe(_)), "{error}");

    let watcher = Watcher::start(&asker, "eth0", &addresses()).unwrap();
    let name = segment.name("asker");
    ip(&format!("-n {name} link set eth0 down"));
    let begin = Instant::now();
    while watcher.story(addresses()[0]).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(20));
    }
    assert!(matches!(watcher.end(), Err(WatchError::Probe(_))));
}

/// A web server in a host's namespace that serves so many requests.
fn serve(segment: &Segment, host: &str, address: IpAddr, requests: usize) {
    let file = std::fs::File::open(segment.file(host)).unwrap();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let host = host.to_owned();
    std::thread::spawn(move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        let listener = TcpListener::bind((address, 80)).unwrap();
        ready.send(()).unwrap();
        for mut stream in listener.incoming().take(requests).flatten() {
            let _ = stream.read(&mut [0; 512]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{host}\n");
        }
    });
    is_ready.recv().unwrap();
}

#[test]
fn a_steady_client_counts_what_fails() {
    let Some(segment) = Segment::new() else {
        return;
    };
    give(&segment, "a");
    for address in addresses() {
        serve(&segment, "a", address, 60);
        let target = SocketAddr::new(address, 80);
        let options = Options::per_second(100, Duration::from_secs(60)).in_all(100);
        let client = SteadyClient::start(&segment.file("asker"), target, options).unwrap();
        let report = client.finish();
        assert_eq!(report.requests(), 100, "{report}");
        assert_eq!(report.pods().get("a"), Some(&60), "{report}");
        let refused = |cause: &Cause| matches!(cause, Cause::Refused | Cause::Reset);
        let failures = report.failures();
        assert!(failures.iter().all(|(_, cause)| refused(cause)), "{report}");
        // A hundred in one second: paced, and not much slower.
        let last = report.attempts[99].at;
        assert!(last >= Duration::from_millis(990), "{last:?}");
        assert!(last < Duration::from_secs(5), "{last:?}");
    }
}

#[test]
fn attempts_that_wait_do_not_keep_others_from_starting() {
    let Some(segment) = Segment::new() else {
        return;
    };
    // Nobody answers, and nobody says that nobody does: the neighbour is known, and throws the packets away.
    let (asker, mac) = (segment.name("asker"), mac_of("a"));
    ip(&format!(
        "-n {asker} neigh add 10.99.0.201 lladdr {mac} dev eth0"
    ));
    let target = SocketAddr::new(IpAddr::from([10, 99, 0, 201]), 80);
    let options = Options {
        time_out: Duration::from_millis(500),
        ..Options::per_second(50, Duration::from_secs(60))
    };
    let client = SteadyClient::start(&segment.file("asker"), target, options).unwrap();
    sleep(Duration::from_secs(1));
    let begin = Instant::now();
    let report = client.end();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert!(report.requests() > 30, "{report}");
    let failures = report.failures();
    assert_eq!(failures.len(), report.requests(), "{report}");
    let timed_out = |cause: &Cause| matches!(cause, Cause::NoConnection);
    assert!(
        failures.iter().all(|(_, cause)| timed_out(cause)),
        "{report}"
    );
    assert_eq!(report.longest_gap(), None);
}
