use std::collections::BTreeSet;

use mooring_core::ipam::cluster_addresses::ClusterAddresses;
use mooring_core::ipam::pool::check;
use serde_json::json;

use super::*;

fn read(spec: &Value) -> Result<PoolObject, serde_json::Error> {
    let pool: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "crd.antrea.io/v1alpha2",
        "kind": "ExternalIPPool",
        "metadata": {"name": "service-external-ip-pool", "uid": "u1", "creationTimestamp": "1970-01-01T00:01:40Z"},
        "spec": spec,
        "status": {"usage": {"total": 9, "used": 1}},
    }))
    .expect("an object");
    object(&pool)
}

#[test]
fn the_guides_pool_is_read() {
    let pool = read(&json!({
        "ipRanges": [{"start": "10.10.0.2", "end": "10.10.0.10"}],
        "nodeSelector": {"matchLabels": {"network-role": "ingress-node"}},
    }))
    .expect("a pool");
    assert_eq!(pool.id, PoolId::antrea("service-external-ip-pool"));
    assert_eq!(pool.created.map(|time| time.unix_seconds()), Some(100));
    assert_eq!(
        pool.spec.node_selector.to_string(),
        "network-role=ingress-node"
    );
    assert!(!pool.spec.auto_assign);
    let checked = check(&[pool], &ClusterAddresses::default());
    let usage = checked[0].usage(&BTreeSet::new(), &BTreeSet::new());
    assert_eq!(status(&usage), json!({"usage": {"total": 9, "used": 0}}));
}

#[test]
fn what_belongs_to_egress_and_empty_texts_are_left_out() {
    let pool = read(&json!({
        "ipRanges": [
            {"cidr": "10.10.0.7/28", "start": "", "end": ""},
            {"cidr": "", "start": "fd00::1", "end": "fd00::9"},
        ],
        "nodeSelector": {},
        "subnetInfo": {"gateway": "10.10.0.1", "prefixLength": 24, "vlan": 2},
    }))
    .expect("a pool");
    assert_eq!(
        pool.spec.ranges,
        [
            RangeText::cidr("10.10.0.7/28"),
            RangeText::between("fd00::1", "fd00::9")
        ]
    );
    assert!(pool.spec.node_selector.is_empty());
    let checked = check(&[pool], &ClusterAddresses::default());
    assert_eq!(checked[0].problems, []);
    assert_eq!(checked[0].declared.count(), Count::from(23_usize));
}

#[test]
fn a_spec_of_another_form_is_an_error_and_none_is_an_empty_pool() {
    for spec in [
        json!({"ipRanges": "10.0.0.0/24"}),
        json!({"ipRanges": [{"cidr": 7}]}),
        json!({"nodeSelector": ["a"]}),
        json!([]),
    ] {
        let read = read(&spec);
        let empty = read.as_ref().is_ok_and(|pool| pool.spec.ranges.is_empty());
        assert!(read.is_err() || empty, "{spec}");
    }
    assert_eq!(
        read(&json!({})).map(|pool| pool.spec).ok(),
        Some(PoolSpec::default())
    );
}

#[test]
fn a_count_beyond_antreas_integers_is_the_highest_of_them() {
    let pool = read(&json!({"ipRanges": [{"cidr": "2001:db8::/32"}], "nodeSelector": {}}))
        .expect("a pool");
    let checked = check(&[pool], &ClusterAddresses::default());
    let usage = checked[0].usage(&BTreeSet::new(), &BTreeSet::new());
    assert_eq!(status(&usage)["usage"]["total"], json!(i64::MAX));
}

#[test]
fn both_versions_are_asked_for_by_their_plural() {
    for version in VERSIONS {
        let resource = resource(version);
        assert_eq!(resource.plural, "externalippools");
        assert_eq!(resource.api_version, format!("crd.antrea.io/{version}"));
    }
}
