//! Pools and external IPs in a real API server: what it accepts, fills in, rejects and prints; Antrea's kind beside them.
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
    wrong_pools_are_rejected_with_what_to_do(&bed);
    a_pool_prints_its_columns(&bed);
    an_address_has_one_name(&bed);
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
            "ownership": "Available",
            "revertive": false,
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
        "ownership": "Fenced",
        "revertive": true,
        "reuseAfterSeconds": 0,
        "onRemoval": "Release",
    });
    assert_eq!(accepts(bed, &pool("blue", &everything))["spec"], everything);
}

fn wrong_pools_are_rejected_with_what_to_do(bed: &Bed) {
    for (range, messages) in [
        (json!({}), ["spec.ipRanges[0]", "set one of the two forms"]),
        (
            json!({"cidr": "10.0.0.0/24", "end": "10.0.0.9"}),
            ["spec.ipRanges[0]", "and not both"],
        ),
        (
            json!({"start": "10.0.0.1"}),
            ["spec.ipRanges[0]", "set one of the two forms"],
        ),
        (
            json!({"cidr": "10.0.0.0"}),
            ["spec.ipRanges[0].cidr", "is not a network"],
        ),
        (
            json!({"cidr": "10.0.0.0/33"}),
            ["spec.ipRanges[0].cidr", "is not a network"],
        ),
        (
            json!({"cidr": "fe80::%eth0/64"}),
            ["spec.ipRanges[0].cidr", "without a zone"],
        ),
        (
            json!({"cidr": "10.0.0.7/24"}),
            [
                "spec.ipRanges[0].cidr",
                "is not the first address of its network",
            ],
        ),
        (
            json!({"cidr": "2001:db8::1/64"}),
            [
                "spec.ipRanges[0].cidr",
                "is not the first address of its network",
            ],
        ),
        (
            json!({"start": "10.0.0.1", "end": "10.0.0.256"}),
            ["spec.ipRanges[0].end", "is not an IP address"],
        ),
        (
            json!({"start": "::ffff:10.0.0.1", "end": "10.0.0.2"}),
            ["spec.ipRanges[0].start", "is not an IP address"],
        ),
        (
            json!({"start": "10.0.0.010", "end": "10.0.0.20"}),
            ["spec.ipRanges[0].start", "is not an IP address"],
        ),
        (
            json!({"start": "10.0.0.1", "end": "2001:db8::1"}),
            ["spec.ipRanges[0]", "have to be of one family"],
        ),
        (
            json!({"start": "10.0.1.0", "end": "10.0.0.255"}),
            ["spec.ipRanges[0]", "start is above end: swap them"],
        ),
        (
            json!({"cidr": ""}),
            ["spec.ipRanges[0].cidr", "at least 1 char"],
        ),
        (
            json!({"cidr": 7}),
            ["spec.ipRanges[0].cidr", "must be of type string"],
        ),
    ] {
        rejects(bed, &pool("blue", &json!({"ipRanges": [range]})), &messages);
    }
    rejects(
        bed,
        &pool("blue", &json!({})),
        &["spec.ipRanges: Required value"],
    );
    rejects(
        bed,
        &pool("blue", &json!({"ipRanges": []})),
        &["at least 1 item"],
    );
    let spec = |field: &str, value: &Value| {
        let mut spec = json!({"ipRanges": [{"cidr": "10.0.0.0/24"}]});
        spec[field] = value.clone();
        pool("blue", &spec)
    };
    for (field, value, message) in [
        (
            "nodeSelector",
            json!({"matchExpressions": [{"key": "a", "operator": "Like"}]}),
            r#"supported values: "In", "NotIn", "Exists", "DoesNotExist""#,
        ),
        (
            "serviceSelector",
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "In and NotIn need values",
        ),
        (
            "namespaceSelector",
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
            "Exists and DoesNotExist have none",
        ),
        ("namespaces", json!(["a", "a"]), "Duplicate value"),
        (
            "interfaces",
            json!(["eth0", "eth0"]),
            "names an interface twice",
        ),
        (
            "interfaces",
            json!(["eth 0"]),
            "has a name that no interface can have",
        ),
        (
            "interfaces",
            json!([".."]),
            "has a name that no interface can have",
        ),
        (
            "interfaces",
            json!(["a-name-of-16-chr"]),
            "may not be more than 15",
        ),
        (
            "bind",
            json!("auto"),
            r#"supported values: "Auto", "Responder", "Uplink""#,
        ),
        (
            "ports",
            json!("None"),
            r#"supported values: "ServiceOnly", "All""#,
        ),
        (
            "ownership",
            json!("Lease"),
            r#"supported values: "Available", "Fenced""#,
        ),
        (
            "onRemoval",
            json!("Keep"),
            r#"supported values: "Drain", "Release""#,
        ),
        ("reuseAfterSeconds", json!(-1), "greater than or equal to 0"),
        (
            "reuseAfterSeconds",
            json!(86_401),
            "less than or equal to 86400",
        ),
        ("priority", json!("high"), "must be of type integer"),
        (
            "autoassign",
            json!(true),
            r#"unknown field "spec.autoassign""#,
        ),
    ] {
        rejects(bed, &spec(field, &value), &[message]);
    }
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

fn an_address_has_one_name(bed: &Bed) {
    for (name, address) in [
        ("10-77-0-200", "10.77.0.200"),
        ("0000-0000-0000-0000-0000-0000-0000-0001", "::1"),
        ("2001-0db8-0000-0000-0000-0000-0000-00aa", "2001:db8::aa"),
    ] {
        accepts(bed, &external_ip(name, address));
    }
    for (name, address) in [
        ("web", "10.77.0.200"),
        ("10-77-0-201", "10.77.0.200"),
        ("2001-db8--aa", "2001:db8::aa"),
        ("2001-db8-0-0-0-0-0-aa", "2001:db8::aa"),
        ("2001-0db8-0000-0000-0000-0000-0000-00ab", "2001:db8::aa"),
    ] {
        rejects(
            bed,
            &external_ip(name, address),
            &["metadata.name has to be the address written out in full"],
        );
    }
    for (name, address) in [
        ("2001-0db8-0000-0000-0000-0000-0000-00aa", "2001:DB8::aa"),
        ("2001-0db8-0000-0000-0000-0000-0000-00aa", "2001:db8:0::aa"),
        ("10-77-0-256", "10.77.0.256"),
        ("10-77-0", "10.77.0"),
    ] {
        rejects(
            bed,
            &external_ip(name, address),
            &["spec.address", "in its canonical form"],
        );
    }
    let mut twice = external_ip("10-77-0-200", "10.77.0.200");
    let service = twice["spec"]["services"][0].clone();
    twice["spec"]["services"] = json!([service, service]);
    rejects(bed, &twice, &["Duplicate value"]);
    let mut port = external_ip("10-77-0-200", "10.77.0.200");
    port["spec"]["services"][0]["ports"][0]["port"] = json!(65_536);
    rejects(bed, &port, &["less than or equal to 65535"]);
    for share in [
        json!({}),
        json!({"anybody": false}),
        json!({"key": "front", "anybody": true}),
    ] {
        let mut shared = external_ip("10-77-0-200", "10.77.0.200");
        shared["spec"]["services"][0]["share"] = share;
        rejects(bed, &shared, &["is either a key, or anybody: true"]);
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
    let mut group = external_ip("10-77-0-200", "10.77.0.200");
    group["spec"]["pool"]["group"] = json!("metallb.io");
    rejects(
        bed,
        &group,
        &[r#"supported values: "mooring.dev", "crd.antrea.io""#],
    );
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
    let error = patch(
        bed,
        "xip/10-77-0-200",
        &[],
        &json!({"spec": {"address": "10.77.0.201"}}),
    )
    .unwrap_err();
    assert!(
        error.contains("the object is the claim to this one address"),
        "{error}"
    );
    let status = json!({"status": {
        "node": "n2",
        "interface": "eth0",
        "mac": "52:54:00:77:00:0b",
        "method": "Responder",
        "since": "2026-01-02T03:04:05Z",
        "lastMove": {
            "time": "2026-01-02T03:04:05Z", "from": "n1", "reason": "NodeGone", "durationMilliseconds": 212,
        },
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
