//! Bad input, field by field: what a real API server says to it, and what the running operator says to what the API server
//! lets through. Each answer names the field and what to write instead, and nothing that worked before is lost.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cargo;
mod mooring;
#[path = "bad_input/others.rs"]
mod others;
#[path = "bad_input/pools.rs"]
mod pools;
#[path = "bad_input/requests.rs"]
mod requests;

use std::path::Path;

use others::{address_rows, proxy_rows};
use pools::pool_rows;
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
