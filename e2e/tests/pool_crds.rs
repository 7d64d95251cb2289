//! Pools and external IPs in a real API server: what it accepts, fills in and prints; Antrea's kind beside
//! them. What it rejects is in `bad_input.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use serde_json::{Value, json};
use testbed::Bed;

/// An API server that knows the kinds.
fn server(story: &str) -> Bed {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), story)
        .nodes(0)
        .light()
        .start()
        .unwrap();
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    let apply = |arguments: &[&str], path: &str| {
        let path = manifests.join(path);
        let whole = [arguments, &[path.to_str().unwrap()]].concat();
        bed.kubectl(&whole).unwrap()
    };
    for kind in ["externalippools", "externalips"] {
        apply(
            &["apply", "--server-side", "-f"],
            &format!("crds/{kind}.yaml"),
        );
    }
    apply(&["apply", "--server-side", "-k"], "antrea-compatibility");
    for crd in [
        "crd/externalippools.mooring.dev",
        "crd/externalips.mooring.dev",
        "crd/externalippools.crd.antrea.io",
    ] {
        bed.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", crd])
            .unwrap();
    }
    bed
}

fn pool(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIPPool",
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn external_ip(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": name},
        "spec": {
            "address": address,
            "pool": {"group": "mooring.dev", "name": "blue"},
            "services": [{
                "namespace": "shop",
                "name": "web",
                "uid": "6f6e65",
                "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "UDP", "port": 80}],
                "trafficPolicy": "Local",
            }],
            "node": "n1",
        },
    })
}

/// What the API server would make of an object, or why it would not. Nothing is kept.
fn attempt(bed: &Bed, object: &Value) -> Result<Value, String> {
    let arguments = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    match bed.kubectl_with(&arguments, &object.to_string()) {
        Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn accepts(bed: &Bed, object: &Value) -> Value {
    attempt(bed, object).unwrap_or_else(|error| panic!("{object} is rejected: {error}"))
}

#[track_caller]
fn rejects(bed: &Bed, object: &Value, messages: &[&str]) {
    let error = attempt(bed, object).expect_err(&format!("{object} is accepted"));
    for message in messages {
        assert!(error.contains(message), "no {message:?} in: {error}");
    }
}

fn create(bed: &Bed, object: &Value) {
    bed.kubectl_with(&["create", "-f", "-"], &object.to_string())
        .unwrap();
}

fn patch(bed: &Bed, object: &str, more: &[&str], patch: &Value) -> Result<String, String> {
    let text = patch.to_string();
    let arguments = [&["patch", object, "--type=merge", "-p", &text], more].concat();
    bed.kubectl(&arguments).map_err(|error| error.to_string())
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    })
}

/// The words of the table that `kubectl get` prints, less the age.
fn words(bed: &Bed, arguments: &[&str]) -> Vec<Vec<String>> {
    let table = bed.kubectl(&[&["get"], arguments].concat()).unwrap();
    table
        .lines()
        .map(|line| {
            let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            words.pop();
            words
        })
        .collect()
}

#[test]
fn the_api_server_knows_pools_and_addresses() {
    let bed = server("pool-crds");
    a_pool_is_filled_in(&bed);
    right_ranges_are_kept(&bed);
    a_pool_prints_its_columns(&bed);
    right_addresses_are_kept(&bed);
    an_address_prints_its_columns(&bed);
    the_guides_pool_is_taken_in_both_of_antreas_versions(&bed);
    fields_are_explained(&bed);
}

fn a_pool_is_filled_in(bed: &Bed) {
    let ranges = json!([{"cidr": "10.77.0.192/28"}]);
    let made = accepts(bed, &pool("blue", &json!({"ipRanges": ranges})));
    assert_eq!(
        made["spec"],
        json!({
            "ipRanges": ranges,
            "autoAssign": false,
            "priority": 0,
            "avoidEdges": false,
            "bind": "Auto",
            "ports": "ServiceOnly",
            "ping": "Allow",
            "ownership": "Available",
            "revertive": false,
            "onCordon": "Stay",
            "reuseAfterSeconds": 60,
            "onRemoval": "Drain",
        })
    );
}

fn right_ranges_are_kept(bed: &Bed) {
    for range in [
        json!({"cidr": "10.0.0.0/8"}),
        json!({"cidr": "10.0.0.7/32"}),
        json!({"cidr": "2001:db8::/32"}),
        json!({"cidr": "::/0"}),
        json!({"cidr": "2001:DB8:0:0::/64"}),
        json!({"start": "10.10.0.2", "end": "10.10.0.10"}),
        json!({"start": "9.255.255.255", "end": "10.0.0.0"}),
        json!({"start": "10.10.0.2", "end": "10.10.0.2"}),
        json!({"start": "2001:db8::1", "end": "2001:0DB8::ffff"}),
    ] {
        let made = accepts(bed, &pool("blue", &json!({"ipRanges": [range]})));
        assert_eq!(made["spec"]["ipRanges"][0], range);
    }
    let many: Vec<Value> = (0..256)
        .map(|third| json!({"start": format!("10.0.{third}.1"), "end": format!("10.0.{third}.9")}))
        .collect();
    accepts(bed, &pool("blue", &json!({"ipRanges": many})));
    let everything = json!({
        "ipRanges": [{"cidr": "10.77.0.192/28"}, {"cidr": "2001:db8::/64"}],
        "nodeSelector": {"matchLabels": {"network-role": "ingress-node"}},
        "autoAssign": true,
        "priority": -5,
        "namespaces": ["shop", "web"],
        "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]},
        "serviceSelector": {"matchExpressions": [{"key": "public", "operator": "Exists"}]},
        "interfaces": ["eth1", "bond0.100"],
        "avoidEdges": true,
        "bind": "Uplink",
        "ports": "All",
        "ping": "Deny",
        "ownership": "Fenced",
        "revertive": true,
        "onCordon": "Move",
        "reuseAfterSeconds": 0,
        "onRemoval": "Release",
    });
    assert_eq!(accepts(bed, &pool("blue", &everything))["spec"], everything);
}

fn a_pool_prints_its_columns(bed: &Bed) {
    create(
        bed,
        &pool(
            "blue",
            &json!({"ipRanges": [{"cidr": "2001:db8::/48"}], "autoAssign": true}),
        ),
    );
    let status = json!({"status": {
        "observedGeneration": 1,
        "usage": {"total": "1208925819614629174706176", "used": 3, "free": "1208925819614629174706173"},
        "draining": ["10.0.0.7"],
        "conditions": [
            condition("Ready", "True", "Available"),
            condition("RangesUsable", "True", "AllUsable"),
            condition("NodesEligible", "True", "SomeEligible"),
        ],
    }});
    patch(bed, "mip/blue", &["--subresource=status"], &status).unwrap();
    let table = words(bed, &["mip"]);
    assert_eq!(
        table,
        [
            vec!["NAME", "TOTAL", "USED", "FREE", "AUTO", "READY", "REASON"],
            vec![
                "blue",
                "1208925819614629174706176",
                "3",
                "1208925819614629174706173",
                "true",
                "True",
                "Available",
            ],
        ]
    );
    let wrong = json!({"status": {"conditions": [condition("Announced", "True", "Announced")]}});
    let error = patch(bed, "mip/blue", &["--subresource=status"], &wrong).unwrap_err();
    assert!(
        error.contains(r#"supported values: "Ready", "RangesUsable", "NodesEligible""#),
        "{error}"
    );
}

fn right_addresses_are_kept(bed: &Bed) {
    for (name, address) in [
        ("10-77-0-200", "10.77.0.200"),
        ("0000-0000-0000-0000-0000-0000-0000-0001", "::1"),
        ("2001-0db8-0000-0000-0000-0000-0000-00aa", "2001:db8::aa"),
    ] {
        accepts(bed, &external_ip(name, address));
    }
    for share in [json!({"anybody": true}), json!({"key": "front"})] {
        let mut shared = external_ip("10-77-0-200", "10.77.0.200");
        shared["spec"]["services"][0]["share"] = share.clone();
        let made = accepts(bed, &shared);
        assert_eq!(made["spec"]["services"][0]["share"]["key"], share["key"]);
    }
    let mut resting = external_ip("10-77-0-200", "10.77.0.200");
    resting["spec"]["services"] = json!([]);
    resting["spec"]["released"] =
        json!({"at": "2026-01-02T03:04:05Z", "namespace": "shop", "name": "web"});
    let made = accepts(bed, &resting);
    assert_eq!(made["spec"]["released"], resting["spec"]["released"]);
}

fn an_address_prints_its_columns(bed: &Bed) {
    create(bed, &external_ip("10-77-0-200", "10.77.0.200"));
    let second = bed
        .kubectl_with(
            &["create", "-f", "-"],
            &external_ip("10-77-0-200", "10.77.0.200").to_string(),
        )
        .unwrap_err()
        .to_string();
    assert!(second.contains("AlreadyExists"), "{second}");
    let status = json!({"status": {
        "node": "n2",
        "interface": "eth0",
        "mac": "52:54:00:77:00:0b",
        "method": "Responder",
        "since": "2026-01-02T03:04:05Z",
        "lastMove": {
            "time": "2026-01-02T03:04:05Z", "from": "n1", "reason": "NodeGone", "durationMilliseconds": 212,
        },
        "lastOverlap": {"time": "2026-01-02T03:04:35Z", "node": "n1", "durationMilliseconds": 30_000},
        "moves": [
            {"time": "2026-01-02T03:04:05Z", "from": "n1", "to": "n2", "reason": "NodeGone", "durationMilliseconds": 212},
            {"time": "2026-01-02T03:03:05Z", "to": "n1", "reason": "FirstChoice", "durationMilliseconds": 900},
        ],
        "seen": {
            "witness": "n3",
            "time": "2026-01-02T03:04:06Z",
            "responders": [{"mac": "52:54:00:77:00:0b", "node": "n2"}, {"mac": "52:54:00:77:00:ff"}],
        },
        "conditions": [
            condition("Announced", "True", "Announced"),
            condition("SingleResponder", "False", "SeveralResponders"),
            condition("Conflict", "True", "ForeignHost"),
        ],
    }});
    patch(bed, "xip/10-77-0-200", &["--subresource=status"], &status).unwrap();
    let titles = [
        "NAME",
        "ADDRESS",
        "POOL",
        "NAMESPACE",
        "SERVICE",
        "NODE",
        "ANNOUNCED",
        "SINGLE",
    ];
    let cells = [
        "10-77-0-200",
        "10.77.0.200",
        "blue",
        "shop",
        "web",
        "n2",
        "True",
        "False",
    ];
    assert_eq!(words(bed, &["xip"]), [titles, cells]);
    let stored = bed
        .kubectl(&["get", "xip", "10-77-0-200", "-o", "json"])
        .unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["status"], status["status"], "nothing is pruned");
}

/// The pool of Antrea's guide "Service of type LoadBalancer".
fn the_guides_pool_is_taken_in_both_of_antreas_versions(bed: &Bed) {
    let guide = |version: &str, name: &str| {
        json!({
            "apiVersion": format!("crd.antrea.io/{version}"),
            "kind": "ExternalIPPool",
            "metadata": {"name": name},
            "spec": {
                "ipRanges": [{"start": "10.10.0.2", "end": "10.10.0.10"}],
                "nodeSelector": {"matchLabels": {"network-role": "ingress-node"}},
            },
        })
    };
    create(bed, &guide("v1alpha2", "service-external-ip-pool"));
    create(bed, &guide("v1beta1", "newer"));
    for version in ["v1alpha2", "v1beta1"] {
        let text = bed
            .kubectl(&[
                "get",
                &format!("externalippools.{version}.crd.antrea.io"),
                "service-external-ip-pool",
                "-o",
                "json",
            ])
            .unwrap();
        let stored: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(stored["spec"], guide(version, "")["spec"]);
    }
    let usage = json!({"status": {"usage": {"total": 9, "used": 1}}});
    let name = "eip/service-external-ip-pool";
    patch(bed, name, &["--subresource=status"], &usage).unwrap();
    assert_eq!(
        words(bed, &["eip", "service-external-ip-pool"]),
        [
            vec!["NAME", "TOTAL", "USED"],
            vec!["service-external-ip-pool", "9", "1"],
        ]
    );
    let mut bad = guide("v1beta1", "bad");
    bad["spec"]["ipRanges"] = json!([{"cidr": "10.0.0.0/24", "start": "10.0.0.1"}]);
    rejects(bed, &bad, &["a range is either cidr, or start and end"]);
}

fn fields_are_explained(bed: &Bed) {
    for (field, words) in [
        ("mip", "Addresses that Services of type LoadBalancer get."),
        (
            "mip.spec.onRemoval",
            "their Services keep them until they release them",
        ),
        (
            "mip.spec.onCordon",
            "`Stay` (default): they stay, and the node only takes no more",
        ),
        (
            "mip.status.conditions.reason",
            "- PoolConflict (False): an older pool has some of the addresses as well",
        ),
        (
            "xip.status.conditions.type",
            "True is good, except for Conflict.",
        ),
        (
            "xip.status.conditions.reason",
            "- SeveralResponders (False): answers with different MAC addresses were seen",
        ),
    ] {
        let text = bed.kubectl(&["explain", field]).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
}
