//! Real kernels answer: network namespaces on a bridge of this machine.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testbed::probe::{Mac, Options, ProbeError, who_answers};

/// Namespaces `asker`, `a` and `b` with an `eth0` each, on the bridge of a fourth one. Deleted
/// with everything in them when dropped.
struct Segment {
    prefix: String,
}

const HOSTS: [&str; 3] = ["asker", "a", "b"];

impl Segment {
    /// `None`, with the reason printed, when this process may not make namespaces.
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            skip("making network namespaces needs root");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let segment = Self {
            prefix: format!("testbed-probe-{}-{number}", std::process::id()),
        };
        let fabric = segment.name("fabric");
        ip(&format!("netns add {fabric}"));
        ip(&format!(
            "-n {fabric} link add br0 type bridge mcast_snooping 0"
        ));
        ip(&format!("-n {fabric} link set br0 up"));
        // Set to 1 in new namespaces where br_netfilter is built in.
        for family in ["ip", "ip6", "arp"] {
            let key = format!("net.bridge.bridge-nf-call-{family}tables=0");
            let _ = Command::new("ip")
                .args(["netns", "exec", &fabric, "sysctl", "-qw", &key])
                .output();
        }
        for (index, host) in HOSTS.iter().enumerate() {
            let name = segment.name(host);
            let mac = mac_of(host);
            let octet = index + 1;
            ip(&format!("netns add {name}"));
            ip(&format!(
                "-n {fabric} link add port{index} type veth peer name eth0 address {mac} netns {name}"
            ));
            ip(&format!("-n {fabric} link set port{index} master br0 up"));
            ip(&format!(
                "-n {name} address add 10.99.0.{octet}/24 dev eth0"
            ));
            ip(&format!(
                "-n {name} address add fd99::{octet}/64 dev eth0 nodad"
            ));
            ip(&format!("-n {name} link set eth0 up"));
        }
        Some(segment)
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    fn file(&self, host: &str) -> PathBuf {
        PathBuf::from("/run/netns").join(self.name(host))
    }

    fn give(&self, host: &str, address: &str) {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        ip(&format!(
            "-n {} address add {address} dev eth0 {nodad}",
            self.name(host)
        ));
    }

    fn macs(&self, target: &str) -> Vec<Mac> {
        let target: IpAddr = target.parse().unwrap();
        let answers = who_answers(
            Some(&self.file("asker")),
            "eth0",
            target,
            &Options::default(),
        )
        .unwrap();
        for responder in &answers.responders {
            assert_eq!(responder.replies, 3, "one answer a question: {answers}");
            assert!(responder.first < Duration::from_millis(600), "{answers}");
        }
        answers.macs()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        for part in HOSTS.iter().chain(&["fabric"]) {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.name(part)])
                .output();
        }
    }
}

fn mac_of(host: &str) -> Mac {
    let last = host.bytes().next().unwrap();
    let kind = if host == "asker" { 1 } else { 2 };
    Mac([0x52, 0x54, 0, 0x99, kind, last])
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("ip");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {complaint}");
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

#[test]
fn an_address_that_nobody_has_is_answered_by_nobody() {
    let Some(segment) = Segment::new() else {
        return;
    };
    assert_eq!(segment.macs("10.99.0.200"), []);
    assert_eq!(segment.macs("fd99::200"), []);
}

#[test]
fn an_address_that_two_hosts_have_is_answered_by_both() {
    let Some(segment) = Segment::new() else {
        return;
    };
    for address in ["10.99.0.200/32", "fd99::200/128"] {
        segment.give("a", address);
    }
    assert_eq!(segment.macs("10.99.0.200"), [mac_of("a")]);
    assert_eq!(segment.macs("fd99::200"), [mac_of("a")]);
    for address in ["10.99.0.200/32", "fd99::200/128"] {
        segment.give("b", address);
    }
    assert_eq!(segment.macs("10.99.0.200"), [mac_of("a"), mac_of("b")]);
    assert_eq!(segment.macs("fd99::200"), [mac_of("a"), mac_of("b")]);
}

#[test]
fn an_arp_probe_is_answered_as_a_request_is() {
    let Some(segment) = Segment::new() else {
        return;
    };
    for host in ["a", "b"] {
        segment.give(host, "10.99.0.200/32");
    }
    let options = Options {
        arp_probe: true,
        rounds: 1,
        ..Options::default()
    };
    let target = IpAddr::from([10, 99, 0, 200]);
    let answers = who_answers(Some(&segment.file("asker")), "eth0", target, &options).unwrap();
    assert_eq!(answers.macs(), [mac_of("a"), mac_of("b")]);
}

#[test]
fn an_address_of_the_asker_itself_is_not_reported() {
    let Some(segment) = Segment::new() else {
        return;
    };
    assert_eq!(segment.macs("10.99.0.1"), []);
}

#[test]
fn listening_never_ends_before_its_time() {
    let Some(segment) = Segment::new() else {
        return;
    };
    let start = Instant::now();
    let options = Options {
        rounds: 2,
        interval: Duration::from_millis(150),
        listening: Duration::from_millis(250),
        arp_probe: false,
    };
    let target = IpAddr::from([10, 99, 0, 2]);
    let answers = who_answers(Some(&segment.file("asker")), "eth0", target, &options).unwrap();
    assert_eq!(answers.responders[0].replies, 2);
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn the_callers_own_namespace_stays_the_same() {
    let Some(segment) = Segment::new() else {
        return;
    };
    let here = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = here();
    segment.macs("10.99.0.2");
    assert_eq!(here(), before);
}

#[test]
fn errors_name_what_is_missing() {
    let target = IpAddr::from([10, 99, 0, 2]);
    let nowhere = PathBuf::from("/run/netns/testbed-probe-there-is-none");
    let error = who_answers(Some(&nowhere), "eth0", target, &Options::default()).unwrap_err();
    assert!(matches!(&error, ProbeError::NamespaceMissing { path, .. } if *path == nowhere));

    let error = who_answers(None, "none0", target, &Options::default()).unwrap_err();
    let ProbeError::NoInterface { interface, present } = &error else {
        panic!("{error}")
    };
    assert_eq!(interface, "none0");
    assert!(present.contains(&"lo".to_owned()), "{present:?}");

    let error = who_answers(None, "lo", target, &Options::default()).unwrap_err();
    assert!(matches!(error, ProbeError::NotEthernet { .. }), "{error}");

    let Some(segment) = Segment::new() else {
        return;
    };
    let name = segment.name("asker");
    ip(&format!("-n {name} -6 address flush dev eth0"));
    let target = "fd99::200".parse().unwrap();
    let asker = segment.file("asker");
    let error = who_answers(Some(&asker), "eth0", target, &Options::default()).unwrap_err();
    assert!(matches!(error, ProbeError::NoSource { .. }), "{error}");

    ip(&format!("-n {name} link set eth0 down"));
    let target = IpAddr::from([10, 99, 0, 2]);
    let error = who_answers(Some(&asker), "eth0", target, &Options::default()).unwrap_err();
    assert!(matches!(error, ProbeError::Down { .. }), "{error}");
}
