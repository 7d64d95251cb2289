//! Bad ExternalIPs and ServiceProxies.

use serde_json::{Value, json};

use crate::{Row, row};

/// What an ExternalIP cannot say.
pub(crate) fn address_rows() -> Vec<Row> {
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

/// What a ServiceProxy cannot say.
pub(crate) fn proxy_rows() -> Vec<Row> {
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
