//! Bad pools.

use serde_json::{Value, json};

use crate::{Row, row};

/// What an ExternalIPPool cannot say.
pub(crate) fn pool_rows() -> Vec<Row> {
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
            "ping",
            json!("Reject"),
            &["spec.ping", r#"supported values: "Allow", "Deny""#],
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
            "onCordon",
            json!("Drain"),
            &["spec.onCordon", r#"supported values: "Stay", "Move""#],
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
