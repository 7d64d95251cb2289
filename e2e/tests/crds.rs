//! Mooring's CustomResourceDefinitions in a real API server: what it accepts, fills in, rejects, prints and explains.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testbed::Bed;

const KINDS: [&str; 2] = ["serviceproxies", "nodeproxystates"];

/// An API server that knows Mooring's objects.
fn server(story: &str) -> Bed {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), story)
        .nodes(0)
        .light()
        .start()
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    for kind in KINDS {
        let manifest = fs::read_to_string(folder.join(format!("{kind}.yaml"))).unwrap();
        let said = bed
            .kubectl_with(&["apply", "--server-side", "-f", "-"], &manifest)
            .unwrap();
        assert!(said.contains("serverside-applied"), "{said}");
        let crd = format!("crd/{kind}.mooring.dev");
        bed.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &crd])
            .unwrap();
    }
    bed
}

fn get(bed: &Bed, object: &[&str]) -> Value {
    let arguments = [&["get", "-o", "json"], object].concat();
    serde_json::from_str(&bed.kubectl(&arguments).unwrap()).unwrap()
}

fn service_proxy(name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ServiceProxy",
        "metadata": {"name": name},
        "spec": spec,
    })
    .to_string()
}

/// Replaces the one ServiceProxy, or says why not. Nothing is kept: the API server only pretends.
fn try_spec(bed: &Bed, spec: &Value) -> Result<Value, String> {
    let arguments = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    match bed.kubectl_with(&arguments, &service_proxy("cluster", spec)) {
        Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn rejects(bed: &Bed, spec: &Value, messages: &[&str]) {
    let error = try_spec(bed, spec).expect_err(&format!("{spec} is accepted"));
    for message in messages {
        assert!(error.contains(message), "no {message:?} in: {error}");
    }
}

#[track_caller]
fn accepts(bed: &Bed, spec: &Value) -> Value {
    try_spec(bed, spec)
        .unwrap_or_else(|error| panic!("{spec} is rejected: {error}"))
        .get("spec")
        .unwrap()
        .clone()
}

/// The cells of a table's only row under each title, as `kubectl get` aligns them.
fn row(table: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = table.lines().collect();
    let [titles, cells] = lines.as_slice() else {
        panic!("not one row:\n{table}");
    };
    let starts: Vec<usize> = titles
        .char_indices()
        .filter(|(at, letter)| {
            !letter.is_whitespace() && (*at == 0 || titles[..*at].ends_with(' '))
        })
        .map(|(at, _)| at)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let cell = |line: &str, start: usize, end: usize| {
        line.get(start..end.min(line.len()))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| (cell(titles, *start, end), cell(cells, *start, end)))
        .collect()
}

#[track_caller]
fn expect_row(table: &str, wanted: &[(&str, &str)]) {
    let mut row = row(table);
    let age = row.pop().unwrap();
    assert_eq!(age.0, "AGE", "{table}");
    assert!(age.1.ends_with('s'), "{table}");
    let wanted: Vec<(String, String)> = wanted
        .iter()
        .map(|(title, cell)| ((*title).to_owned(), (*cell).to_owned()))
        .collect();
    assert_eq!(row, wanted, "{table}");
}

fn put_status(bed: &Bed, object: &str, status: &Value) -> Result<String, String> {
    let patch = json!({"status": status}).to_string();
    bed.kubectl(&[
        "patch",
        object,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ])
    .map_err(|error| error.to_string())
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

#[test]
fn the_api_server_fills_in_rejects_prints_and_explains() {
    let bed = server("crds");
    defaults_are_filled_in(&bed);
    what_is_right_is_kept(&bed);
    every_rule_rejects_with_its_message(&bed);
    the_guard_prints_its_columns(&bed);
    a_node_prints_its_columns(&bed);
    a_status_is_checked(&bed);
    fields_are_explained(&bed);
}

fn defaults_are_filled_in(bed: &Bed) {
    let defaults = json!({
        "policy": "Enforce",
        "rollout": {"strategy": "Canary"},
        "managed": "Report",
        "sysctls": "Observe",
        "leftovers": "RemoveOurs",
    });
    let bare = r#"{"apiVersion": "mooring.dev/v1alpha1", "kind": "ServiceProxy", "metadata": {"name": "cluster"}}"#;
    let said = bed.kubectl_with(&["apply", "-f", "-"], bare).unwrap();
    assert!(said.contains("created"), "{said}");
    let stored = get(bed, &["serviceproxy", "cluster"]);
    assert_eq!(stored["spec"], json!({"strictARP": defaults}));
    bed.kubectl(&["delete", "serviceproxy", "cluster"]).unwrap();

    for partial in [
        json!({}),
        json!({"strictARP": {}}),
        json!({"strictARP": null, "kubeProxy": null}),
        json!({"strictARP": {"policy": null, "rollout": {}, "sysctls": null}}),
    ] {
        assert_eq!(accepts(bed, &partial), json!({"strictARP": defaults}));
    }
    let warn = accepts(bed, &json!({"strictARP": {"policy": "Warn"}}));
    assert_eq!(warn["strictARP"]["policy"], "Warn");
    assert_eq!(warn["strictARP"]["rollout"], json!({"strategy": "Canary"}));
    let place = accepts(bed, &json!({"kubeProxy": {"daemonSet": "kube-proxy"}}));
    assert_eq!(
        place["kubeProxy"],
        json!({"namespace": "kube-system", "daemonSet": "kube-proxy"})
    );
}

fn what_is_right_is_kept(bed: &Bed) {
    for pace in [json!(1), json!(3), json!("1%"), json!("25%"), json!("100%")] {
        let spec = json!({"strictARP": {"rollout": {"maxUnavailable": pace}}});
        let kept = accepts(bed, &spec);
        assert_eq!(kept["strictARP"]["rollout"]["maxUnavailable"], pace);
    }
    for policy in ["Enforce", "Warn", "Ignore"] {
        accepts(bed, &json!({"strictARP": {"policy": policy}}));
    }
    for strategy in ["Canary", "Rolling", "Manual"] {
        accepts(
            bed,
            &json!({"strictARP": {"rollout": {"strategy": strategy}}}),
        );
    }
    for sysctls in ["Observe", "Enforce"] {
        accepts(bed, &json!({"strictARP": {"sysctls": sysctls}}));
    }
    for place in [
        json!({"namespace": "net", "daemonSet": "kube-proxy"}),
        json!({"namespace": "net", "configMap": "kube-proxy", "key": "config.conf"}),
        json!({"namespace": "net", "daemonSet": "a", "configMap": "b", "key": "c"}),
    ] {
        assert_eq!(
            accepts(bed, &json!({"kubeProxy": place}))["kubeProxy"],
            place
        );
    }
}

fn every_rule_rejects_with_its_message(bed: &Bed) {
    let other = service_proxy("other", &json!({}));
    let error = bed
        .kubectl_with(&["create", "-f", "-"], &other)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a cluster has one ServiceProxy, named cluster: set metadata.name"),
        "{error}"
    );

    for pace in [
        json!(0),
        json!(-1),
        json!(2_147_483_648_i64),
        json!("0%"),
        json!("101%"),
        json!("010%"),
        json!("3"),
        json!("half"),
        json!(""),
    ] {
        let spec = json!({"strictARP": {"rollout": {"maxUnavailable": pace}}});
        rejects(
            bed,
            &spec,
            &[
                "spec.strictARP.rollout.maxUnavailable",
                "must be a number of nodes from 1 (such as 3), or a percentage from 1% to 100%",
            ],
        );
    }

    rejects(
        bed,
        &json!({"kubeProxy": {"namespace": "net"}}),
        &[
            "spec.kubeProxy",
            "names nothing: set daemonSet or configMap",
        ],
    );
    for half in [
        json!({"configMap": "kube-proxy"}),
        json!({"daemonSet": "kube-proxy", "key": "config.conf"}),
    ] {
        rejects(
            bed,
            &json!({"kubeProxy": half}),
            &["configMap and key belong together: set both"],
        );
    }
    rejects(
        bed,
        &json!({"kubeProxy": {"daemonSet": ""}}),
        &["spec.kubeProxy.daemonSet", "at least 1"],
    );

    rejects(
        bed,
        &json!({"strictARP": {"policy": "enforce"}}),
        &[r#"supported values: "Enforce", "Warn", "Ignore""#],
    );
    rejects(
        bed,
        &json!({"strictARP": {"rollout": {"strategy": "Parallel"}}}),
        &[r#"supported values: "Canary", "Rolling", "Manual""#],
    );
    rejects(
        bed,
        &json!({"strictARP": {"sysctls": "Warn"}}),
        &[r#"supported values: "Observe", "Enforce""#],
    );
    rejects(
        bed,
        &json!({"strictArp": {"policy": "Warn"}}),
        &[r#"unknown field "spec.strictArp""#],
    );
}

fn the_guard_prints_its_columns(bed: &Bed) {
    bed.kubectl_with(
        &["create", "-f", "-"],
        &service_proxy("cluster", &json!({})),
    )
    .unwrap();
    let empty = bed.kubectl(&["get", "serviceproxy"]).unwrap();
    expect_row(
        &empty,
        &[
            ("NAME", "cluster"),
            ("MODE", ""),
            ("STRICTARP", ""),
            ("EFFECTIVE", ""),
            ("SAFE", ""),
        ],
    );

    // The status is a subresource: an ordinary write does not reach it.
    let patch = r#"{"status": {"mode": "ipvs"}}"#;
    bed.kubectl(&["patch", "svcproxy", "cluster", "--type=merge", "-p", patch])
        .unwrap();
    assert_eq!(get(bed, &["svcproxy", "cluster"])["status"], Value::Null);

    put_status(
        bed,
        "serviceproxy/cluster",
        &json!({
            "observedGeneration": 1,
            "mode": "ipvs",
            "liveModes": [{"mode": "ipvs", "nodes": 3}],
            "configuration": {
                "workload": {"kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy"},
                "source": {"namespace": "kube-system", "configMap": "kube-proxy", "key": "config.conf"},
                "mode": "ipvs",
                "strictARP": true,
            },
            "nodes": {"total": 3, "effective": 2, "notEffective": 1, "unknown": 0, "summary": "2/3"},
            "lastRemediation": {
                "time": "2026-01-02T03:04:05Z",
                "diff": "-  strictARP: false\n+  strictARP: true\n",
                "previousValue": "false",
                "result": "Done",
            },
            "conditions": [
                condition("Effective", "False", "ArpIgnoreTooLow"),
                condition("SafeToAnnounce", "False", "NodesNotQuiet"),
            ],
        }),
    )
    .unwrap();
    let wanted = [
        ("NAME", "cluster"),
        ("MODE", "ipvs"),
        ("STRICTARP", "true"),
        ("EFFECTIVE", "2/3"),
        ("SAFE", "False"),
    ];
    for name in ["serviceproxy", "serviceproxies", "svcproxy"] {
        expect_row(&bed.kubectl(&["get", name]).unwrap(), &wanted);
    }
    // Nothing of it was pruned.
    let stored = get(bed, &["serviceproxy", "cluster"]);
    assert_eq!(
        stored["status"]["lastRemediation"]["previousValue"],
        "false"
    );
    assert_eq!(
        stored["status"]["configuration"]["source"]["key"],
        "config.conf"
    );
}

fn a_node_prints_its_columns(bed: &Bed) {
    let state = r#"{"apiVersion": "mooring.dev/v1alpha1", "kind": "NodeProxyState", "metadata": {"name": "n1"}}"#;
    bed.kubectl_with(&["create", "-f", "-"], state).unwrap();
    put_status(
        bed,
        "nodeproxystate/n1",
        &json!({
            "mode": "ipvs",
            "evidence": [{"witness": "ProxyModeEndpoint", "mode": "ipvs", "message": "ipvs"}],
            "kubeProxy": {"version": "v1.35.4", "strictARP": false, "startedAt": "2026-01-02T03:04:05Z"},
            "arpIgnore": 0,
            "arpAnnounce": 2,
            "uplinks": [{
                "name": "eth0",
                "mac": "52:54:00:77:00:0b",
                "subnets": ["10.77.0.0/24"],
                "arpIgnore": 0,
                "arpAnnounce": 2,
            }],
            "leftovers": {"count": 1, "addresses": ["10.77.0.200"]},
            "antrea": {"antreaProxy": true, "proxyAll": false, "proxyLoadBalancerIPs": true},
            "conditions": [condition("Effective", "False", "ArpIgnoreTooLow")],
        }),
    )
    .unwrap();
    for name in ["nodeproxystate", "nps"] {
        expect_row(
            &bed.kubectl(&["get", name]).unwrap(),
            &[
                ("NAME", "n1"),
                ("MODE", "ipvs"),
                ("STRICTARP", "false"),
                ("ARP_IGNORE", "0"),
                ("ARP_ANNOUNCE", "2"),
            ],
        );
    }
    let all = bed.kubectl(&["get", "mooring", "-o", "name"]).unwrap();
    let mut all: Vec<&str> = all.lines().collect();
    all.sort_unstable();
    assert_eq!(
        all,
        [
            "nodeproxystate.mooring.dev/n1",
            "serviceproxy.mooring.dev/cluster"
        ]
    );
    let stored = get(bed, &["nps", "n1"]);
    assert_eq!(stored["status"]["leftovers"]["count"], 1);
    assert_eq!(stored["status"]["antrea"]["proxyLoadBalancerIPs"], true);
    assert_eq!(stored["status"]["uplinks"][0]["subnets"][0], "10.77.0.0/24");
}

fn a_status_is_checked(bed: &Bed) {
    for (status, message) in [
        (
            json!({"conditions": [condition("Effective", "Maybe", "Quiet")]}),
            r#"supported values: "True", "False", "Unknown""#,
        ),
        (
            json!({"conditions": [condition("Efective", "True", "Quiet")]}),
            r#"supported values: "ModeDetected""#,
        ),
        (
            json!({"conditions": [condition("Effective", "True", "")]}),
            "status.conditions[0].reason",
        ),
        (
            json!({"conditions": [
                condition("Effective", "True", "Quiet"),
                condition("Effective", "False", "ArpIgnoreTooLow"),
            ]}),
            "Duplicate value",
        ),
        (
            json!({"liveModes": [{"mode": "userspace", "nodes": 1}]}),
            "status.liveModes[0].mode",
        ),
        (
            json!({"lastRemediation": {"time": null}}),
            "status.lastRemediation.time: Required value",
        ),
    ] {
        let error = put_status(bed, "serviceproxy/cluster", &status).unwrap_err();
        assert!(error.contains(message), "no {message:?} in: {error}");
    }
}

fn fields_are_explained(bed: &Bed) {
    // The words without the line breaks: kubectl wraps.
    let explain = |field: &str| {
        let text = bed.kubectl(&["explain", field]).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (field, words) in [
        ("serviceproxy", "There is one per cluster, named `cluster`"),
        ("serviceproxy.spec", "`spec: {}` is complete"),
        (
            "serviceproxy.spec.strictARP",
            "policy <string> enum: Enforce, Warn, Ignore What happens when nodes in mode ipvs would answer for \
             addresses that they do not own.",
        ),
        (
            "serviceproxy.spec.strictARP.rollout.maxUnavailable",
            "a number from 1, or a percentage of the nodes from 1% to 100%, rounded up",
        ),
        (
            "serviceproxy.status.conditions.type",
            "- SafeToAnnounce: external IPs can be announced",
        ),
        (
            "serviceproxy.status.conditions.reason",
            "- StrictArpOffManaged (False): mode ipvs without strictARP, in a ConfigMap that an installer or GitOps \
             tool keeps in shape: it has to be set there",
        ),
        (
            "nodeproxystate.status.uplinks.arpIgnore",
            "the higher one of `net.ipv4.conf.all` and this interface",
        ),
    ] {
        let text = explain(field);
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
}
