use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::condition::Condition;
use crate::ipam::cluster_addresses::{ClusterAddresses, Occupant};
use crate::ipam::range::{Count, Family};
use crate::ipam::reason::{RangesUsableReason, ReadyReason};
use crate::ipam::selector::{Expression, Operator};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn object(name: &str, second: i64, ranges: &[&str]) -> PoolObject {
    let ranges = ranges.iter().map(|text| match text.split_once('-') {
        Some((start, end)) => RangeText::between(start, end),
        None => RangeText::cidr(*text),
    });
    PoolObject {
        id: PoolId::mooring(name),
        uid: format!("uid-{name}"),
        created: Some(Timestamp::from_unix_seconds(second)),
        terminating: false,
        spec: PoolSpec {
            ranges: ranges.collect(),
            ..PoolSpec::default()
        },
    }
}

fn only(object: PoolObject, cluster: &ClusterAddresses) -> Pool {
    let mut pools = check(&[object], cluster);
    assert_eq!(pools.len(), 1);
    pools.remove(0)
}

fn ready(pool: &Pool, used: &[&str]) -> Condition {
    let used: BTreeSet<IpAddr> = used.iter().map(|text| ip(text)).collect();
    let [ready, _] = pool.conditions(&pool.usage(&used, &BTreeSet::new()));
    ready
}

fn usable(pool: &Pool) -> Condition {
    let [_, usable] = pool.conditions(&Usage::default());
    usable
}

#[test]
fn the_guides_pool_gives_its_nine_addresses() {
    let mut guide = object("service-external-ip-pool", 0, &["10.10.0.2-10.10.0.10"]);
    guide.id = PoolId::antrea("service-external-ip-pool");
    let pool = only(guide, &ClusterAddresses::default());
    assert!(pool.is_open());
    let usage = pool.usage(
        &BTreeSet::from([ip("10.10.0.2")]),
        &BTreeSet::from([ip("10.10.0.3")]),
    );
    assert_eq!(usage.total, Count::from(9_usize));
    assert_eq!(usage.used, Count::from(1_usize));
    assert_eq!(usage.free, Count::from(7_usize));
    let condition = ready(&pool, &["10.10.0.2"]);
    assert!(condition.is(ReadyReason::Available));
    assert_eq!(
        condition.message,
        "1 of 9 addresses are in use, 8 are free."
    );
    assert!(usable(&pool).is(RangesUsableReason::AllUsable));
}

#[test]
fn each_kind_of_pool_has_its_own_edges() {
    let count = |object: PoolObject| {
        only(object, &ClusterAddresses::default())
            .declared
            .count()
            .to_string()
    };
    let mut antrea = object(
        "a",
        0,
        &["10.0.0.7/24", "2001:db8::/124", "10.1.0.1-10.1.0.1"],
    );
    antrea.id = PoolId::antrea("a");
    assert_eq!(count(antrea), "270");
    let mut own = object("a", 0, &["10.0.0.0/24"]);
    assert_eq!(count(own.clone()), "256");
    own.spec.avoid_edges = true;
    assert_eq!(count(own), "254");
}

#[test]
fn the_later_of_two_overlapping_pools_is_closed_and_says_why() {
    let old = object("old", 10, &["10.0.0.0/24"]);
    let new = object("new", 11, &["10.9.0.0/24", "10.0.0.250-10.0.1.5"]);
    let pools = check(&[new, old], &ClusterAddresses::default());
    let names: Vec<String> = pools.iter().map(|pool| pool.id.to_string()).collect();
    assert_eq!(
        names,
        ["new", "old"],
        "in the order in which they are asked"
    );
    assert!(pools[1].is_open());
    assert!(!pools[0].is_open());
    assert!(pools[0].assignable.is_empty());
    assert!(
        pools[0].declared.contains(ip("10.0.1.5")),
        "what is in use stays"
    );
    let condition = ready(&pools[0], &[]);
    assert!(condition.is(ReadyReason::PoolConflict));
    assert_eq!(
        condition.message,
        "Nothing is handed out of the pool: 10.0.0.250-10.0.0.255 is in the older pool old as well: nothing is handed \
         out of this pool until one of the two leaves these addresses out. Addresses in use stay with their Services."
    );
}

#[test]
fn pools_of_the_same_moment_are_ordered_by_uid_and_then_name() {
    let a = object("a", 10, &["10.0.0.0/24"]);
    let mut b = object("b", 10, &["10.0.0.0/24"]);
    b.uid = "a-lower-uid".to_owned();
    let mut antrea = a.clone();
    antrea.id = PoolId::antrea("a");
    for order in [
        [a.clone(), b.clone(), antrea.clone()],
        [antrea.clone(), b.clone(), a.clone()],
        [b, a, antrea],
    ] {
        let pools = check(&order, &ClusterAddresses::default());
        let open: Vec<String> = pools
            .iter()
            .filter(|pool| pool.is_open())
            .map(|pool| pool.id.to_string())
            .collect();
        assert_eq!(open, ["b"]);
    }
}

#[test]
fn the_end_of_one_conflict_does_not_start_another() {
    let first = object("first", 1, &["10.0.0.0-10.0.0.9"]);
    let second = object("second", 2, &["10.0.0.5-10.0.0.20"]);
    let third = object("third", 3, &["10.0.0.15-10.0.0.30"]);
    let open = |objects: &[PoolObject]| -> Vec<String> {
        check(objects, &ClusterAddresses::default())
            .iter()
            .filter(|pool| pool.is_open())
            .map(|pool| pool.id.to_string())
            .collect()
    };
    assert_eq!(
        open(&[first.clone(), second.clone(), third.clone()]),
        ["first"]
    );
    assert_eq!(open(&[second, third.clone()]), ["second"]);
    assert_eq!(open(&[first, third]), ["first", "third"]);
}

#[test]
fn pools_are_asked_by_priority_then_by_name() {
    let mut objects = [
        object("c", 1, &["10.0.1.0/24"]),
        object("b", 2, &["10.0.2.0/24"]),
        object("a", 3, &["10.0.3.0/24"]),
    ];
    objects[0].spec.priority = -1;
    let pools = check(&objects, &ClusterAddresses::default());
    let names: Vec<String> = pools.iter().map(|pool| pool.id.to_string()).collect();
    assert_eq!(names, ["c", "a", "b"]);
}

#[test]
fn what_belongs_to_the_cluster_is_never_handed_out() {
    let mut cluster = ClusterAddresses::default();
    cluster.add(Occupant::Gateway("n1".into()), ip("10.0.0.1"));
    cluster.add(Occupant::Node("n1".into()), ip("10.0.0.11"));
    cluster.add(Occupant::ApiServer, ip("10.0.0.5"));
    cluster
        .add_subnet_of_nodes("10.0.0.0/24")
        .expect("a subnet");
    cluster
        .add_cidr(Occupant::Pods(None), "10.0.0.128/25")
        .expect("a CIDR");
    let pool = only(object("blue", 0, &["10.0.0.0/24"]), &cluster);
    assert!(pool.is_open(), "the rest is handed out");
    assert_eq!(
        pool.assignable.to_string(),
        "10.0.0.2-10.0.0.4, 10.0.0.6-10.0.0.10, 10.0.0.12-10.0.0.127"
    );
    assert_eq!(pool.gives(ip("10.0.0.2")), Ok(()));
    assert_eq!(pool.gives(ip("10.0.1.2")), Err(None));
    let problem = pool
        .gives(ip("10.0.0.200"))
        .expect_err("a Pod's")
        .expect("a problem");
    assert!(matches!(
        problem,
        PoolProblem::Occupied {
            occupant: Occupant::Pods(None),
            ..
        }
    ));
    let condition = usable(&pool);
    assert!(
        condition.is(RangesUsableReason::OverlapsNode),
        "the worst first: {condition:?}"
    );
    for words in [
        "10.0.0.11 is an address of node n1: it is not handed out, as a Service with this address would cut nodes off",
        "10.0.0.1 is the gateway of node n1",
        "10.0.0.5 is the address of the API server",
        "and 2 more.",
    ] {
        assert!(
            condition.message.contains(words),
            "no {words:?} in {}",
            condition.message
        );
    }
}

#[test]
fn every_part_of_a_pool_that_is_taken_is_named() {
    let mut cluster = ClusterAddresses::default();
    cluster
        .add_cidr(Occupant::Services, "10.96.0.0/12")
        .expect("a CIDR");
    let pool = only(
        object("blue", 0, &["10.96.0.1-10.96.0.2", "10.97.0.1-10.97.0.2"]),
        &cluster,
    );
    for address in ["10.96.0.1", "10.97.0.2"] {
        assert!(matches!(
            pool.gives(ip(address)),
            Err(Some(PoolProblem::Occupied { .. }))
        ));
    }
    let condition = ready(&pool, &[]);
    assert!(condition.is(ReadyReason::NothingUsable), "{condition:?}");
}

#[test]
fn a_pool_that_cannot_be_read_gives_nothing_and_takes_nothing() {
    let mut pool = object("blue", 0, &["10.0.0.0/24", "10.0.0.300-10.0.0.301"]);
    pool.spec.ranges.push(RangeText::default());
    let pool = only(pool, &ClusterAddresses::default());
    assert!(!pool.is_open() && !pool.is_readable());
    assert!(pool.declared.contains(ip("10.0.0.7")));
    let condition = ready(&pool, &["10.0.0.7"]);
    assert!(condition.is(ReadyReason::InvalidRanges));
    assert!(
        condition
            .message
            .contains(r#"spec.ipRanges[1] start: "10.0.0.300" is not an IP address"#),
        "{}",
        condition.message
    );
    assert!(
        condition.message.contains("spec.ipRanges[2] is empty"),
        "{}",
        condition.message
    );
    let empty = only(object("blue", 0, &[]), &ClusterAddresses::default());
    assert!(ready(&empty, &[]).is(ReadyReason::InvalidRanges));
    assert!(!empty.is_readable());
}

#[test]
fn a_selector_with_a_wrong_word_closes_the_pool() {
    let mut pool = object("blue", 0, &["10.0.0.0/24"]);
    pool.spec.service_selector = Some(LabelSelector {
        match_labels: BTreeMap::new(),
        match_expressions: vec![Expression {
            key: "a".to_owned(),
            operator: Operator::from_api("in"),
            values: vec!["b".to_owned()],
        }],
    });
    let pool = only(pool, &ClusterAddresses::default());
    let condition = ready(&pool, &[]);
    assert!(condition.is(ReadyReason::InvalidSelector));
    assert!(
        condition
            .message
            .contains(r#"spec.serviceSelector has the operator "in": use In, NotIn, Exists"#),
        "{}",
        condition.message
    );
}

#[test]
fn a_pool_that_is_full_or_goes_says_what_can_be_done() {
    let pool = only(
        object("blue", 0, &["10.0.0.1-10.0.0.2"]),
        &ClusterAddresses::default(),
    );
    let full = ready(&pool, &["10.0.0.1", "10.0.0.2"]);
    assert!(full.is(ReadyReason::Exhausted));
    assert!(
        full.message.contains("2 of 2 are in use"),
        "{}",
        full.message
    );
    // One in use is not in the ranges any more: it does not count against those that are.
    let shrunk = ready(&pool, &["10.0.0.1", "10.0.0.9"]);
    assert!(shrunk.is(ReadyReason::Available), "{shrunk:?}");
    let mut leaving = object("blue", 0, &["10.0.0.1-10.0.0.2"]);
    leaving.terminating = true;
    let pool = only(leaving.clone(), &ClusterAddresses::default());
    assert!(pool.is_terminating() && pool.assignable.is_empty());
    let condition = ready(&pool, &["10.0.0.1"]);
    assert!(condition.is(ReadyReason::Deleting));
    assert!(
        condition
            .message
            .contains("the 1 addresses that Services still have"),
        "{}",
        condition.message
    );
    leaving.spec.on_removal = OnRemoval::Release;
    let pool = only(leaving, &ClusterAddresses::default());
    assert!(
        ready(&pool, &["10.0.0.1"])
            .message
            .contains("are being taken away")
    );
    assert!(
        ready(&pool, &[])
            .message
            .ends_with("No Service has an address of it.")
    );
}

#[test]
fn who_may_use_a_pool_is_said_by_namespaces_and_labels() {
    let selector = |key: &str| LabelSelector {
        match_labels: BTreeMap::from([(key.to_owned(), "yes".to_owned())]),
        match_expressions: Vec::new(),
    };
    let labels = |key: &str| BTreeMap::from([(key.to_owned(), "yes".to_owned())]);
    let none = BTreeMap::new();
    let (trusted, public) = (labels("trusted"), labels("public"));
    let ask = |spec: &PoolSpec, namespace, namespace_labels, labels| {
        spec.allows(&Asker {
            namespace,
            namespace_labels,
            labels,
        })
        .map_err(|problem| problem.to_string())
    };
    let mut spec = PoolSpec::default();
    assert_eq!(ask(&spec, "any", &none, &none), Ok(()));
    spec.namespaces = vec!["shop".to_owned()];
    assert_eq!(ask(&spec, "shop", &none, &none), Ok(()));
    assert_eq!(
        ask(&spec, "any", &trusted, &none).expect_err("a problem"),
        "namespace any is neither in spec.namespaces of the pool nor selected by its spec.namespaceSelector"
    );
    spec.namespace_selector = Some(selector("trusted"));
    assert_eq!(ask(&spec, "any", &trusted, &none), Ok(()));
    assert_eq!(ask(&spec, "shop", &none, &none), Ok(()), "either is enough");
    spec.service_selector = Some(selector("public"));
    assert_eq!(ask(&spec, "shop", &none, &public), Ok(()));
    assert_eq!(
        ask(&spec, "shop", &none, &none).expect_err("a problem"),
        "spec.serviceSelector of the pool does not select the Service: it has no label public, and public=yes is asked for"
    );
}

#[test]
fn the_name_of_a_pool_reads_back() {
    for id in [PoolId::mooring("a"), PoolId::antrea("a")] {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u8..3, 0_u8..8)
            .prop_map(|(third, length)| format!("10.0.{third}.0/{}", 24 + length % 9)),
        (0_u8..3, 0_u8..32, 0_u8..32)
            .prop_map(|(third, a, b)| format!("10.0.{third}.{a}-10.0.{third}.{b}")),
        (0_u8..2, 118_u8..=128).prop_map(|(group, length)| format!("fd00:{group}::/{length}")),
        ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_address_is_given_by_two_pools_in_whatever_order_they_are_seen(
        pools in prop::collection::vec((prop::collection::vec(text(), 0..4), 0_i64..3, any::<bool>()), 0..6)
            .prop_shuffle(),
        seed: usize,
    ) {
        let mut objects: Vec<PoolObject> = pools
            .iter()
            .enumerate()
            .map(|(index, (ranges, second, antrea))| {
                let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
                let mut object = object(&format!("p{index}"), *second, &ranges);
                if *antrea {
                    object.id = PoolId::antrea(object.id.name);
                }
                object
            })
            .collect();
        let mut cluster = ClusterAddresses::default();
        cluster.add_subnet_of_nodes("10.0.1.0/24").expect("a subnet");
        let checked = check(&objects, &cluster);
        let mut given = crate::ipam::range::Addresses::default();
        for pool in &checked {
            for range in pool.assignable.ranges() {
                prop_assert_eq!(given.overlap(&range), None, "given twice");
            }
            pool.assignable.ranges().for_each(|range| given.insert(&range));
            for family in Family::BOTH {
                if let Some(address) = pool.assignable.lowest_free(family, &BTreeSet::new()) {
                    prop_assert!(pool.declared.contains(address));
                    prop_assert_eq!(pool.gives(address), Ok(()));
                    prop_assert_eq!(cluster.occupant(address), None);
                }
            }
            for condition in pool.conditions(&pool.usage(&BTreeSet::new(), &BTreeSet::new())) {
                prop_assert!(!condition.message.is_empty() && condition.message.len() < 4_096);
            }
        }
        let count = objects.len();
        if count > 0 {
            objects.rotate_left(seed % count);
        }
        prop_assert_eq!(check(&objects, &cluster), checked);
    }
}
