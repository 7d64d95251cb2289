use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use mooring_core::condition::Condition as Decided;
use mooring_core::ipam::pool::{self, PoolId, PoolSpec, Usage};
use mooring_core::ipam::range::{AddressRange, Addresses, Count, HostBits, RangeText};
use mooring_core::ipam::reason::{NodesEligibleReason, ReadyReason};
use serde_json::json;

use super::*;

fn read(spec: serde_json::Value) -> ExternalIPPool {
    serde_json::from_value(json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIPPool",
        "metadata": {"name": "blue", "uid": "u1", "creationTimestamp": "1970-01-01T00:01:40Z"},
        "spec": spec,
    }))
    .expect("a pool")
}

#[test]
fn what_is_left_out_is_what_the_decisions_assume() {
    let made = object(&read(json!({"ipRanges": [{"cidr": "10.0.0.0/24"}]})));
    assert_eq!(made.id, PoolId::mooring("blue"));
    assert_eq!(made.uid, "u1");
    assert_eq!(made.created.map(|time| time.unix_seconds()), Some(100));
    assert!(!made.terminating);
    assert_eq!(
        made.spec,
        PoolSpec {
            ranges: vec![RangeText::cidr("10.0.0.0/24")],
            ..PoolSpec::default()
        }
    );
}

#[test]
fn every_field_is_taken_over() {
    let mut pool = read(json!({
        "ipRanges": [{"start": "10.0.0.1", "end": "10.0.0.9"}],
        "nodeSelector": {"matchLabels": {"role": "edge"}},
        "autoAssign": true,
        "priority": 7,
        "namespaces": ["shop"],
        "namespaceSelector": {"matchLabels": {"team": "a"}},
        "serviceSelector": {"matchLabels": {"public": "yes"}},
        "interfaces": ["eth1"],
        "avoidEdges": true,
        "bind": "Responder",
        "ports": "All",
        "ping": "Deny",
        "ownership": "Fenced",
        "revertive": true,
        "onCordon": "Move",
        "reuseAfterSeconds": 5,
        "onRemoval": "Release",
    }));
    pool.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    let made = object(&pool);
    assert!(made.terminating);
    let spec = made.spec;
    assert_eq!(spec.ranges, [RangeText::between("10.0.0.1", "10.0.0.9")]);
    assert_eq!(spec.node_selector.to_string(), "role=edge");
    assert_eq!(
        spec.namespace_selector.map(|selector| selector.to_string()),
        Some("team=a".to_owned())
    );
    assert_eq!(
        spec.service_selector.map(|selector| selector.to_string()),
        Some("public=yes".to_owned())
    );
    assert_eq!(
        (
            spec.auto_assign,
            spec.priority,
            spec.avoid_edges,
            spec.revertive
        ),
        (true, 7, true, true)
    );
    assert_eq!(
        (spec.namespaces, spec.interfaces),
        (vec!["shop".to_owned()], vec!["eth1".to_owned()])
    );
    assert_eq!(
        (spec.bind, spec.ports, spec.ping),
        (pool::Bind::Responder, pool::Ports::All, pool::Ping::Deny)
    );
    assert_eq!(spec.ownership, pool::Ownership::Fenced);
    assert_eq!(spec.on_cordon, pool::OnCordon::Move);
    assert_eq!(
        (spec.reuse_after, spec.on_removal),
        (5, pool::OnRemoval::Release)
    );
}

#[test]
fn a_status_that_says_the_same_is_equal() {
    let at = |second| Time(Timestamp::from_second(second).expect("in range"));
    let usage = Usage {
        total: Count::from(9_usize),
        used: Count::from(1_usize),
        free: Count::from(8_usize),
    };
    let said = [
        Decided::new(ReadyReason::Available, "fine"),
        Decided::new(NodesEligibleReason::SomeEligible, "fine"),
    ];
    let first = to_status(&usage, &[], &said, None, Some(1), &at(1));
    let again = to_status(&usage, &[], &said, Some(&first), Some(1), &at(2));
    assert_eq!(again, first);
    let full = [Decided::new(ReadyReason::Exhausted, "full")];
    let address = "10.0.0.7".parse().expect("an address");
    let changed = to_status(&usage, &[address], &full, Some(&first), Some(2), &at(3));
    let transitions: Vec<(&str, &Time)> = changed
        .conditions
        .iter()
        .map(
            |Condition {
                 type_,
                 last_transition_time,
                 ..
             }| (type_.as_str(), last_transition_time),
        )
        .collect();
    assert_eq!(
        transitions,
        [("Ready", &at(3))],
        "what is not said any more is gone"
    );
    assert_eq!(changed.draining, ["10.0.0.7"]);
    let many = vec![address; 100];
    assert_eq!(
        to_status(&usage, &many, &full, None, None, &at(1))
            .draining
            .len(),
        64
    );
}

#[test]
fn numbers_are_integers_as_long_as_they_fit() {
    let count = |cidr| {
        let range = AddressRange::from_cidr(cidr, HostBits::Refuse).expect("a network");
        serde_json::to_value(Number::from(Addresses::from_iter([&range]).count())).expect("JSON")
    };
    assert_eq!(count("10.0.0.0/24"), json!(256));
    assert_eq!(count("2001:db8::/66"), json!(4_611_686_018_427_387_904_i64));
    assert_eq!(count("2001:db8::/65"), json!("9223372036854775808"));
    assert_eq!(
        count("::/0"),
        json!("340282366920938463463374607431768211456")
    );
    for value in [json!(3), json!("9223372036854775808")] {
        let number: Number = serde_json::from_value(value.clone()).expect("a number");
        assert_eq!(serde_json::to_value(number).expect("JSON"), value);
    }
}

#[test]
fn an_empty_status_writes_nothing() {
    let written = serde_json::to_value(ExternalIPPoolStatus::default()).expect("JSON");
    assert_eq!(written, json!({}));
}
