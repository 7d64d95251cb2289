//! Real kernels answer: network namespaces on a bridge of this machine.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod segment;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use segment::{Segment, ip, mac_of};
use testbed::probe::{Mac, Options, ProbeError, who_answers};

/// Who answers for `target`, each of them once a question.
fn macs(segment: &Segment, target: &str) -> Vec<Mac> {
    let target: IpAddr = target.parse().unwrap();
    let answers = who_answers(
        Some(&segment.file("asker")),
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

#[test]
fn an_address_that_nobody_has_is_answered_by_nobody() {
    let Some(segment) = Segment::new() else {
        return;
    };
    assert_eq!(macs(&segment, "10.99.0.200"), []);
    assert_eq!(macs(&segment, "fd99::200"), []);
}

#[test]
fn an_address_that_two_hosts_have_is_answered_by_both() {
    let Some(segment) = Segment::new() else {
        return;
    };
    for address in ["10.99.0.200/32", "fd99::200/128"] {
        segment.give("a", address);
    }
    assert_eq!(macs(&segment, "10.99.0.200"), [mac_of("a")]);
    assert_eq!(macs(&segment, "fd99::200"), [mac_of("a")]);
    for address in ["10.99.0.200/32", "fd99::200/128"] {
        segment.give("b", address);
    }
    assert_eq!(macs(&segment, "10.99.0.200"), [mac_of("a"), mac_of("b")]);
    assert_eq!(macs(&segment, "fd99::200"), [mac_of("a"), mac_of("b")]);
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
    assert_eq!(macs(&segment, "10.99.0.1"), []);
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
    macs(&segment, "10.99.0.2");
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
