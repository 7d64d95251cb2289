//! Bad input, field by field: what a real API server says to it, and what the running operator says to what the API server
//! lets through. Each answer names the field and what to write instead, and nothing that worked before is lost.
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    let folder = folder.canonicalize().unwrap();
    bed.kubectl(&["apply", "--server-side", "-f", folder.to_str().unwrap()])
        .unwrap();
    bed.kubectl(&["wait", "--for=condition=Established", "crd", "--all"])
        .unwrap();
    bed
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn create(bed: &Bed, object: &Value) -> Result<String, String> {
    bed.kubectl_with(&["create", "-f", "-"], &object.to_string())
        .map_err(|error| error.to_string())
}

// === what the API server rejects ===

/// A field, what somebody wrote there, and what the answer has to say: where it is, and what is right.
struct Row {
    /// Below `spec`, as in `ipRanges/0/cidr`.
    field: String,
    /// What stands there; null takes the field away.
    value: Value,
    words: Vec<String>,
}

fn row(field: &str, value: Value, words: &[&str]) -> Row {
    Row {
        field: field.to_owned(),
        value,
        words: words.iter().copied().map(str::to_owned).collect(),
    }
}

#[test]
fn the_api_server_says_what_is_wrong_and_keeps_what_was_there() {
    let bed = server("bad-input");
    let mut wrong = Vec::new();
    let pool = json!({
        "ipRanges": [{"cidr": "10.77.0.192/28"}, {"start": "2001:db8::1", "end": "2001:db8::ff"}],
        "nodeSelector": {"matchLabels": {"role": "edge"}},
        "serviceSelector": {"matchExpressions": [{"key": "public", "operator": "Exists"}]},
        "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]},
        "namespaces": ["shop"],
        "interfaces": ["eth0"],
    });
    let pool = object("ExternalIPPool", "blue", &pool);
    wrong.extend(each_is_rejected(&bed, &pool, pool_rows()));
    let address = json!({
        "address": "10.77.0.200",
        "pool": {"group": "mooring.dev", "name": "blue"},
        "services": [{
            "namespace": "shop",
            "name": "web",
            "uid": "6f6e65",
            "ports": [{"protocol": "TCP", "port": 80}],
            "trafficPolicy": "Local",
        }],
        "node": "n1",
        "released": {"at": "2026-01-02T03:04:05Z", "namespace": "shop", "name": "web"},
    });
    let address = object("ExternalIP", "10-77-0-200", &address);
    wrong.extend(each_is_rejected(&bed, &address, address_rows()));
    let proxy = json!({
        "strictARP": {"policy": "Warn", "rollout": {"strategy": "Canary", "maxUnavailable": 1}},
        "kubeProxy": {"daemonSet": "kube-proxy", "configMap": "kube-proxy", "key": "config.conf"},
    });
    let proxy = object("ServiceProxy", "cluster", &proxy);
    wrong.extend(each_is_rejected(&bed, &proxy, proxy_rows()));
    let state = object("NodeProxyState", "n1", &json!({}));
    let error = create(&bed, &state).unwrap_err();
    assert!(error.contains(r#"unknown field "spec""#), "{error}");
    wrong.extend(names_are_rejected(&bed));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    bed.down().unwrap();
}

/// Replaces a good object with each bad one in turn; what is not answered as it should be, and whether the good one is as it
/// was.
fn each_is_rejected(bed: &Bed, good: &Value, rows: Vec<Row>) -> Vec<String> {
    create(bed, good).unwrap();
    let kind = good["kind"].as_str().unwrap();
    let name = good["metadata"]["name"].as_str().unwrap();
    let get = || bed.kubectl(&["get", kind, name, "-o", "json"]).unwrap();
    let before = get();
    let mut wrong = Vec::new();
    for row in rows {
        let mut bad = good.clone();
        set(&mut bad["spec"], &row.field, row.value.clone());
        let value = shortened(&row.value.to_string());
        let place = format!("{kind} {} {value}", row.field);
        match bed.kubectl_with(&["replace", "-f", "-"], &bad.to_string()) {
            Ok(_) => wrong.push(format!("{place} is accepted")),
            Err(error) => {
                let error = error.to_string();
                let missing = row
                    .words
                    .iter()
                    .filter(|word| !error.contains(word.as_str()));
                for word in missing {
                    wrong.push(format!("{place}: no {word:?} in {}", shortened(&error)));
                }
            }
        }
    }
    if get() != before {
        wrong.push(format!("{kind} {name} is not as it was: {}", get()));
    }
    wrong
}

/// Sets a field, or takes it away with null.
fn set(spec: &mut Value, field: &str, value: Value) {
    let mut place = spec;
    let mut steps = field.split('/').peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() && value.is_null() {
            place.as_object_mut().unwrap().remove(step);
            return;
        }
        place = match step.parse::<usize>() {
            Ok(index) => {
                let list = place.as_array_mut().unwrap();
                if index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            Err(_) => &mut place[step],
        };
    }
    *place = value;
}

fn shortened(text: &str) -> String {
    if text.chars().count() < 600 {
        return text.to_owned();
    }
    let tail: Vec<char> = text.chars().rev().take(300).collect();
    let head: String = text.chars().take(300).collect();
    format!("{head}...{}", tail.into_iter().rev().collect::<String>())
}

fn pool_rows() -> Vec<Row> {
    const CIDR: &str = "spec.ipRanges[0].cidr";
    const NETWORK: &str = "is not a network: write one as in 10.77.0.0/24 or 2001:db8::/64";
    const ADDRESS: &str = "is not an IP address: write one as in 10.77.0.200 or 2001:db8::1";
    const FORMS: &str = "a range is either cidr, or start and end: set one of the two forms";
    let mut rows = Vec::new();
    for text in [
        "10.0.0.0",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/024",
        "10.0.0.0/+8",
        "010.0.0.0/8",
        "0x0a.0.0.0/8",
        "10.0/16",
        " 10.0.0.0/24",
        "10.0.0.0/24 ",
        "10.0.0.0/24,10.0.1.0/24",
        "10.0.0.0/255.255.255.0",
        "10.0.0.1-10.0.0.9",
        "2001:db8::/129",
        "2001:db8:::/64",
        "::ffff:10.0.0.0/120",
        "fe80::%eth0/64",
        "\u{ff11}\u{ff10}.0.0.0/24",
        "\u{661}\u{660}.0.0.0/24",
        "\u{1f6a2}",
        "\u{202e}10.0.0.0/24",
        "10.0.0.0\u{0}/24",
        "lan",
    ] {
        rows.push(row("ipRanges/0/cidr", json!(text), &[CIDR, NETWORK]));
    }
    for text in ["10.0.0.7/24", "2001:db8::1/64", "0.0.0.1/0"] {
        let words = &[
            CIDR,
            "is not the first address of its network: write that one",
        ];
        rows.push(row("ipRanges/0/cidr", json!(text), words));
    }
    for text in [
        "",
        "10.0.0.256",
        "10.0.0",
        "167772161",
        "10.0.0.010",
        " 10.0.0.1",
        "10.0.0.1/32",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "2001:db8::12345",
        "2001:db8::1::2",
        "[2001:db8::1]",
        "\u{ff11}\u{ff10}.0.0.1",
        "localhost",
    ] {
        let fix = if text.is_empty() {
            "at least 1 char"
        } else {
            ADDRESS
        };
        rows.push(row(
            "ipRanges/1/start",
            json!(text),
            &["spec.ipRanges[1].start", fix],
        ));
        rows.push(row(
            "ipRanges/1/end",
            json!(text),
            &["spec.ipRanges[1].end", fix],
        ));
    }
    let long = "2001:db8::1/64".repeat(400);
    rows.extend([
        row("ipRanges", Value::Null, &["spec.ipRanges: Required value"]),
        row("ipRanges", json!([]), &["spec.ipRanges", "at least 1 item"]),
        row(
            "ipRanges",
            json!("10.0.0.0/24"),
            &["spec.ipRanges", "must be of type array"],
        ),
        row(
            "ipRanges",
            json!({}),
            &["spec.ipRanges", "must be of type array"],
        ),
        row(
            "ipRanges",
            json!(["10.0.0.0/24"]),
            &["spec.ipRanges[0]", "must be of type object"],
        ),
        row(
            "ipRanges",
            json!(vec![json!({"cidr": "10.0.0.0/24"}); 257]),
            &["spec.ipRanges", "must have at most 256 items"],
        ),
        row("ipRanges/0", json!({}), &["spec.ipRanges[0]", FORMS]),
        row(
            "ipRanges/0/end",
            json!("10.0.0.9"),
            &["spec.ipRanges[0]", FORMS],
        ),
        row(
            "ipRanges/0/start",
            json!("10.0.0.9"),
            &["spec.ipRanges[0]", FORMS],
        ),
        row(
            "ipRanges/1/start",
            Value::Null,
            &["spec.ipRanges[1]", FORMS],
        ),
        row("ipRanges/1/end", Value::Null, &["spec.ipRanges[1]", FORMS]),
        row("ipRanges/0/cidr", json!(""), &[CIDR, "at least 1 char"]),
        row(
            "ipRanges/0/cidr",
            json!(7),
            &[CIDR, "must be of type string"],
        ),
        row(
            "ipRanges/0/cidr",
            json!(["10.0.0.0/24"]),
            &[CIDR, "must be of type string"],
        ),
        row(
            "ipRanges/0/cidr",
            json!(long),
            &[CIDR, "may not be more than 64"],
        ),
        row(
            "ipRanges/1/start",
            json!(1.5),
            &["spec.ipRanges[1].start", "must be of type string"],
        ),
        row(
            "ipRanges/1/end",
            json!(true),
            &["spec.ipRanges[1].end", "must be of type string"],
        ),
        row(
            "ipRanges/0/CIDR",
            json!("10.0.0.0/24"),
            &[r#"unknown field "spec.ipRanges[0].CIDR""#],
        ),
        row(
            "ipRanges/1",
            json!({"start": "10.0.0.1", "end": "2001:db8::1"}),
            &[
                "spec.ipRanges[1]",
                "have to be of one family: make two ranges",
            ],
        ),
        row(
            "ipRanges/1",
            json!({"start": "2001:db8::1", "end": "10.0.0.1"}),
            &[
                "spec.ipRanges[1]",
                "have to be of one family: make two ranges",
            ],
        ),
        row(
            "ipRanges/1",
            json!({"start": "10.0.1.0", "end": "10.0.0.255"}),
            &["spec.ipRanges[1]", "start is above end: swap them"],
        ),
        row(
            "ipRanges/1",
            json!({"start": "255.255.255.255", "end": "0.0.0.0"}),
            &["spec.ipRanges[1]", "start is above end: swap them"],
        ),
    ]);
    for (field, path) in [
        ("nodeSelector", "spec.nodeSelector"),
        ("serviceSelector", "spec.serviceSelector"),
        ("namespaceSelector", "spec.namespaceSelector"),
    ] {
        rows.extend(selector_rows(field, path));
    }
    let namespace = &["spec.namespaces", "has a name that no namespace can have"];
    for name in [
        "Shop",
        "shop,web",
        "*",
        "-shop",
        "l\u{e4}den",
        "kube.system",
        " ",
    ] {
        rows.push(row("namespaces", json!(["web", name]), namespace));
    }
    let interface = &["spec.interfaces", "has a name that no interface can have"];
    for name in [
        "eth 0",
        "..",
        ".",
        "a/b",
        "eth0:1",
        "\u{1f6a2}\u{1f6a2}\u{1f6a2}\u{1f6a2}",
    ] {
        rows.push(row("interfaces", json!(["eth1", name]), interface));
    }
    let twice: &[&str] = &["spec.interfaces", "names an interface twice: remove one"];
    let many = |count: usize| json!((0..count).map(|i| format!("n{i}")).collect::<Vec<_>>());
    rows.extend([
        row(
            "namespaces",
            json!("shop"),
            &["spec.namespaces", "must be of type array"],
        ),
        row(
            "namespaces",
            json!([7]),
            &["spec.namespaces[0]", "must be of type string"],
        ),
        row(
            "namespaces",
            json!([""]),
            &["spec.namespaces[0]", "at least 1 char"],
        ),
        row(
            "namespaces",
            json!(["a".repeat(64)]),
            &["spec.namespaces[0]", "more than 63"],
        ),
        row(
            "namespaces",
            json!(["a", "a"]),
            &["spec.namespaces[1]", "Duplicate value"],
        ),
        row(
            "namespaces",
            many(257),
            &["spec.namespaces", "must have at most 256 items"],
        ),
        row(
            "interfaces",
            json!("eth0"),
            &["spec.interfaces", "must be of type array"],
        ),
        row(
            "interfaces",
            json!([0]),
            &["spec.interfaces[0]", "must be of type string"],
        ),
        row(
            "interfaces",
            json!([""]),
            &["spec.interfaces[0]", "at least 1 char"],
        ),
        row(
            "interfaces",
            json!(["a-name-of-16-chr"]),
            &["spec.interfaces[0]", "more than 15"],
        ),
        row("interfaces", json!(["eth0", "eth0"]), twice),
        row(
            "interfaces",
            many(17),
            &["spec.interfaces", "must have at most 16 items"],
        ),
        row(
            "priority",
            json!("high"),
            &["spec.priority", "must be of type integer"],
        ),
        row(
            "priority",
            json!(1.5),
            &["spec.priority", "must be of type integer"],
        ),
        row(
            "priority",
            json!(2_147_483_648_i64),
            &["spec.priority", "less than or equal to 1000000"],
        ),
        row(
            "priority",
            json!(-1_000_001),
            &["spec.priority", "greater than or equal to -1000000"],
        ),
        row(
            "reuseAfterSeconds",
            json!("1m"),
            &["spec.reuseAfterSeconds", "must be of type integer"],
        ),
        row(
            "reuseAfterSeconds",
            json!(-1),
            &["spec.reuseAfterSeconds", "greater than or equal to 0"],
        ),
        row(
            "reuseAfterSeconds",
            json!(86_401),
            &["spec.reuseAfterSeconds", "less than or equal to 86400"],
        ),
        row(
            "reuseAfterSeconds",
            json!(1.0e300),
            &["spec.reuseAfterSeconds"],
        ),
        row(
            "bind",
            json!("auto"),
            &[
                "spec.bind",
                r#"supported values: "Auto", "Responder", "Uplink""#,
            ],
        ),
        row(
            "bind",
            json!(""),
            &[
                "spec.bind",
                r#"supported values: "Auto", "Responder", "Uplink""#,
            ],
        ),
        row(
            "bind",
            json!(false),
            &["spec.bind", "must be of type string"],
        ),
        row(
            "ports",
            json!("None"),
            &["spec.ports", r#"supported values: "ServiceOnly", "All""#],
        ),
        row(
            "ports",
            json!([80]),
            &["spec.ports", "must be of type string"],
        ),
        row(
            "ownership",
            json!("Lease"),
            &[
                "spec.ownership",
                r#"supported values: "Available", "Fenced""#,
            ],
        ),
        row(
            "ownership",
            json!(1),
            &["spec.ownership", "must be of type string"],
        ),
        row(
            "onRemoval",
            json!("Keep"),
            &["spec.onRemoval", r#"supported values: "Drain", "Release""#],
        ),
        row(
            "onRemoval",
            json!({}),
            &["spec.onRemoval", "must be of type string"],
        ),
        row(
            "autoassign",
            json!(true),
            &[r#"unknown field "spec.autoassign""#],
        ),
    ]);
    for (field, path) in [
        ("autoAssign", "spec.autoAssign"),
        ("avoidEdges", "spec.avoidEdges"),
        ("revertive", "spec.revertive"),
    ] {
        for value in [json!("true"), json!("yes"), json!(1), json!([])] {
            rows.push(row(field, value, &[path, "must be of type boolean"]));
        }
    }
    rows
}

fn selector_rows(field: &str, path: &str) -> Vec<Row> {
    let labels = format!("{path}.matchLabels");
    let expression = format!("{path}.matchExpressions[0]");
    let at = |path: &str, more: &str| format!("{path}{more}");
    let make = |value: Value, words: &[&str]| row(field, value, words);
    let one = |expression: Value| json!({"matchExpressions": [expression]});
    let values = "In and NotIn need values, Exists and DoesNotExist have none";
    let long = "x".repeat(64);
    let many: serde_json::Map<String, Value> =
        (0..65).map(|i| (format!("l{i}"), json!("x"))).collect();
    vec![
        make(json!("role=edge"), &[path, "must be of type object"]),
        make(json!([]), &[path, "must be of type object"]),
        make(
            json!({"role": "edge"}),
            &[&format!("unknown field \"{path}.role\"")],
        ),
        make(
            json!({"matchLabels": ["role"]}),
            &[&labels, "must be of type object"],
        ),
        make(
            json!({"matchLabels": {"role": true}}),
            &[&labels, "must be of type string"],
        ),
        make(
            json!({"matchLabels": {"role": long}}),
            &[&labels, "may not be more than 63"],
        ),
        make(
            json!({"matchLabels": many}),
            &[&labels, "must have at most 64 items"],
        ),
        make(
            json!({"matchExpressions": {}}),
            &[path, "must be of type array"],
        ),
        make(
            one(json!({"operator": "Exists"})),
            &[&at(&expression, ".key"), "Required value"],
        ),
        make(
            one(json!({"key": "a"})),
            &[&at(&expression, ".operator"), "Required value"],
        ),
        make(
            one(json!({"key": "", "operator": "Exists"})),
            &[&at(&expression, ".key"), "at least 1 char"],
        ),
        make(
            one(json!({"key": "a", "operator": "Like"})),
            &[
                &at(&expression, ".operator"),
                r#"supported values: "In", "NotIn", "Exists", "DoesNotExist""#,
            ],
        ),
        make(
            one(json!({"key": "a", "operator": "In"})),
            &[&expression, values],
        ),
        make(
            one(json!({"key": "a", "operator": "NotIn", "values": []})),
            &[&expression, values],
        ),
        make(
            one(json!({"key": "a", "operator": "Exists", "values": ["b"]})),
            &[&expression, values],
        ),
        make(
            one(json!({"key": "a", "operator": "In", "values": "b"})),
            &[&at(&expression, ".values"), "must be of type array"],
        ),
        make(
            one(json!({"key": "a", "operator": "In", "values": [long]})),
            &[&at(&expression, ".values[0]"), "may not be more than 63"],
        ),
    ]
}

fn address_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for text in [
        "10.77.0.256",
        "10.77.0",
        "10.77.0.0200",
        "10.77.0.200/32",
        "10.77.0.200 ",
        "2001:DB8::aa",
        "2001:db8:0::aa",
        "::ffff:10.77.0.200",
        "fe80::1%eth0",
        "\u{ff11}\u{ff10}.77.0.200",
    ] {
        let words = ["spec.address", "is not an IP address in its canonical form"];
        rows.push(row("address", json!(text), &words));
    }
    let service = |place: &str| format!("spec.services[0]{place}");
    let share = "is either a key, or anybody: true";
    let again = json!({"namespace": "shop", "name": "web", "uid": "6", "trafficPolicy": "Local"});
    rows.extend([
        row(
            "address",
            json!("10.77.0.201"),
            &["spec.address", "cannot be changed: the object is the claim"],
        ),
        row("address", Value::Null, &["spec.address", "Required value"]),
        row(
            "address",
            json!(7),
            &["spec.address", "must be of type string"],
        ),
        row("address", json!("1"), &["spec.address", "at least 2 chars"]),
        row("pool", Value::Null, &["spec.pool", "Required value"]),
        row(
            "pool",
            json!("blue"),
            &["spec.pool", "must be of type object"],
        ),
        row(
            "pool/group",
            json!("metallb.io"),
            &[
                "spec.pool.group",
                r#"supported values: "mooring.dev", "crd.antrea.io""#,
            ],
        ),
        row(
            "pool/name",
            json!(""),
            &["spec.pool.name", "at least 1 char"],
        ),
        row(
            "pool/name",
            json!("b".repeat(254)),
            &["spec.pool.name", "more than 253"],
        ),
        row("node", json!(""), &["spec.node", "at least 1 char"]),
        row(
            "node",
            json!(["n1"]),
            &["spec.node", "must be of type string"],
        ),
        row(
            "services",
            json!({}),
            &["spec.services", "must be of type array"],
        ),
        row(
            "services/1",
            again,
            &["spec.services[1]", "Duplicate value"],
        ),
        row(
            "services/0/namespace",
            json!(""),
            &[&service(".namespace"), "at least 1 char"],
        ),
        row(
            "services/0/name",
            Value::Null,
            &[&service(".name"), "Required value"],
        ),
        row(
            "services/0/uid",
            json!(""),
            &[&service(".uid"), "at least 1 char"],
        ),
        row(
            "services/0/trafficPolicy",
            json!("local"),
            &[
                &service(".trafficPolicy"),
                r#"supported values: "Cluster", "Local""#,
            ],
        ),
        row(
            "services/0/ports/0/port",
            json!(0),
            &[&service(".ports[0].port"), "greater than or equal to 1"],
        ),
        row(
            "services/0/ports/0/port",
            json!(65_536),
            &[&service(".ports[0].port"), "less than or equal to 65535"],
        ),
        row(
            "services/0/ports/0/port",
            json!("http"),
            &[&service(".ports[0].port"), "must be of type integer"],
        ),
        row(
            "services/0/ports/0/protocol",
            json!("tcp"),
            &[
                &service(".ports[0].protocol"),
                r#"supported values: "TCP", "UDP", "SCTP""#,
            ],
        ),
        row(
            "services/0/ports/1",
            json!({"protocol": "TCP", "port": 80}),
            &[&service(".ports[1]"), "Duplicate value"],
        ),
        row("services/0/share", json!({}), &[&service(".share"), share]),
        row(
            "services/0/share",
            json!({"anybody": false}),
            &[&service(".share"), share],
        ),
        row(
            "services/0/share",
            json!({"key": "a", "anybody": true}),
            &[&service(".share"), share],
        ),
        row(
            "services/0/share",
            json!({"key": ""}),
            &[&service(".share.key"), "at least 1 char"],
        ),
        row(
            "released/at",
            json!("yesterday"),
            &["spec.released.at", "must be of type date-time"],
        ),
        row(
            "released/name",
            Value::Null,
            &["spec.released.name", "Required value"],
        ),
        row(
            "released/namespace",
            json!(""),
            &["spec.released.namespace", "at least 1 char"],
        ),
        row("ip", json!("10.77.0.200"), &[r#"unknown field "spec.ip""#]),
    ]);
    rows
}

fn proxy_rows() -> Vec<Row> {
    let pace = "must be a number of nodes from 1 (such as 3), or a percentage from 1% to 100%";
    let mut rows = Vec::new();
    for value in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("\u{ff11}%"),
        json!("10 %"),
        json!(true),
    ] {
        let field = "strictARP/rollout/maxUnavailable";
        let fix = match value {
            Value::Bool(_) => "must be of type integer,string",
            Value::Number(ref number) if number.is_f64() => "must be of type integer,string",
            _ => pace,
        };
        rows.push(row(
            field,
            value,
            &["spec.strictARP.rollout.maxUnavailable", fix],
        ));
    }
    for (field, path, choice) in [
        (
            "strictARP/policy",
            "spec.strictARP.policy",
            r#""Enforce", "Warn", "Ignore""#,
        ),
        (
            "strictARP/managed",
            "spec.strictARP.managed",
            r#""Report", "Edit""#,
        ),
        (
            "strictARP/sysctls",
            "spec.strictARP.sysctls",
            r#""Observe", "Enforce""#,
        ),
        (
            "strictARP/rollout/strategy",
            "spec.strictARP.rollout.strategy",
            r#""Canary", "Rolling", "Manual""#,
        ),
    ] {
        let choice = format!("supported values: {choice}");
        for text in ["", "enforce", "Observe ", "\u{395}nforce"] {
            rows.push(row(field, json!(text), &[path, &choice]));
        }
        rows.push(row(field, json!(true), &[path, "must be of type string"]));
    }
    for (field, path) in [
        ("kubeProxy/namespace", "spec.kubeProxy.namespace"),
        ("kubeProxy/daemonSet", "spec.kubeProxy.daemonSet"),
        ("kubeProxy/configMap", "spec.kubeProxy.configMap"),
        ("kubeProxy/key", "spec.kubeProxy.key"),
    ] {
        rows.push(row(field, json!(""), &[path, "at least 1 char"]));
        rows.push(row(field, json!(7), &[path, "must be of type string"]));
        rows.push(row(
            field,
            json!("x".repeat(254)),
            &[path, "may not be more than"],
        ));
    }
    rows.extend([
        row(
            "strictARP",
            json!(true),
            &["spec.strictARP", "must be of type object"],
        ),
        row(
            "strictARP/rollout",
            json!("Canary"),
            &["spec.strictARP.rollout", "must be of type object"],
        ),
        row(
            "kubeProxy",
            json!("kube-proxy"),
            &["spec.kubeProxy", "must be of type object"],
        ),
        row(
            "kubeProxy/key",
            Value::Null,
            &[
                "spec.kubeProxy",
                "configMap and key belong together: set both",
            ],
        ),
        row(
            "kubeProxy",
            json!({"namespace": "net"}),
            &[
                "spec.kubeProxy",
                "names nothing: set daemonSet or configMap",
            ],
        ),
        row("mode", json!("ipvs"), &[r#"unknown field "spec.mode""#]),
    ]);
    rows
}

/// Objects whose names say the wrong thing.
fn names_are_rejected(bed: &Bed) -> Vec<String> {
    let address = |address: &str| json!({"address": address, "pool": {"group": "mooring.dev", "name": "blue"}});
    let full = "metadata.name has to be the address written out in full";
    let mut wrong = Vec::new();
    for (kind, name, spec, words) in [
        ("ExternalIP", "web", address("10.77.0.201"), full),
        ("ExternalIP", "10-77-0-202", address("10.77.0.201"), full),
        ("ExternalIP", "10.77.0.201", address("10.77.0.201"), full),
        ("ExternalIP", "2001-db8--aa", address("2001:db8::aa"), full),
        (
            "ExternalIP",
            "2001-db8-0-0-0-0-0-aa",
            address("2001:db8::aa"),
            full,
        ),
        (
            "ExternalIP",
            "2001-0db8-0000-0000-0000-0000-0000-00ab",
            address("2001:db8::aa"),
            full,
        ),
        (
            "ServiceProxy",
            "default",
            json!({}),
            "a cluster has one ServiceProxy, named cluster: set metadata.name to cluster",
        ),
        (
            "ExternalIPPool",
            "Blue_1",
            json!({"ipRanges": [{"cidr": "10.0.0.0/24"}]}),
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters",
        ),
    ] {
        match create(bed, &object(kind, name, &spec)) {
            Ok(_) => wrong.push(format!("{kind} {name} is accepted")),
            Err(error) if error.contains(words) => {}
            Err(error) => wrong.push(format!("{kind} {name}: no {words:?} in {error}")),
        }
    }
    wrong
}
