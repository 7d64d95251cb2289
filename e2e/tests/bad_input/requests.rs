//! What Services ask for and cannot have, and what pools say that only the cluster as a whole shows to be wrong: judged by
//! the running operator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testbed::Bed;

use crate::mooring::{Mooring, NAMESPACE, condition};
use crate::{cargo, create, object, server};

/// How long the operator may take to say something, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operator as a process beside the API server, killed with this value. It has nothing but its own service account, so
/// that what it may not do shows.
struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    fn start(bed: &Bed) -> Self {
        let programs = cargo::programs();
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad-requests.log");
        let output = std::fs::File::create(&log).unwrap();
        let child = bed
            .command("cp", programs.join("mooring-operator"))
            .args(["--kubeconfig", &account(bed)])
            .env("POD_NAME", "bad-input")
            .env("POD_NAMESPACE", NAMESPACE)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Neither ended nor was kept from anything.
    #[track_caller]
    fn is_well(&mut self) {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the operator ended: {ended:?}\n{log}");
        let refused: Vec<&str> = log
            .lines()
            .filter(|line| line.to_lowercase().contains("forbidden"))
            .collect();
        assert!(refused.is_empty(), "{}", refused.join("\n"));
        assert!(!log.is_empty());
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A kubeconfig with a token of the operator's service account, as a path inside the bed.
fn account(bed: &Bed) -> String {
    let create = ["-n", NAMESPACE, "create", "token", "mooring-operator"];
    let token = bed.kubectl(&create).unwrap();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {
            "server": "https://10.77.0.2:6443", "certificate-authority": "ca.crt",
        }}],
        "users": [{"name": "x", "user": {"token": token.trim()}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    });
    let path = "/run/testbed/kubernetes/operator.kubeconfig";
    std::fs::write(bed.see(Path::new(path)), config.to_string()).unwrap();
    path.to_owned()
}

/// What a Service asks for, and the words that say what to do instead.
struct Ask {
    /// What it adds to a Service that is right: annotations, or a part of the spec.
    change: Value,
    words: Vec<String>,
}

fn annotation(name: &str, value: &str, words: &[&str]) -> Ask {
    Ask {
        change: json!({"metadata": {"annotations": {name: value}}}),
        words: words.iter().copied().map(str::to_owned).collect(),
    }
}

fn asks() -> Vec<Ask> {
    let own = "annotation mooring.dev/ips";
    let not_an_address = [own, "is not an IP address: write one as in 10.0.0.1"];
    let mut asks: Vec<Ask> = [
        "10.77.0",
        "10.77.0.0200",
        "10.77.0.256",
        "10.77.0.201/32",
        "10.77.0.200-10.77.0.209",
        "[2001:db8::1]",
        "\u{ff11}\u{ff10}.77.0.201",
        "10.77.0.201\n10.77.0.202",
        "\u{1f6a2}",
        "web.example.com",
    ]
    .into_iter()
    .map(|text| annotation("mooring.dev/ips", text, &not_an_address))
    .collect();
    let long_list = "10.77.0.201,".repeat(5000) + "10.77.0.202";
    let names: Vec<String> = (0..17).map(|i| format!("pool-{i}")).collect();
    let key = "k".repeat(254);
    let contradiction = "ask for different addresses: make them equal, or remove one of them";
    asks.extend([
        annotation("mooring.dev/ips", &"x".repeat(50_000), &not_an_address),
        annotation("mooring.dev/ips", &long_list, &[own, "keep one of them"]),
        annotation("mooring.dev/ips", "", &[own, "is empty: write a value, or remove it"]),
        annotation("mooring.dev/ips", " ,, ", &[own, "is empty: write a value, or remove it"]),
        annotation("mooring.dev/ips", "fe80::1%eth0", &[own, "has a zone", "leave out the %"]),
        annotation("mooring.dev/ips", "::ffff:10.77.0.201", &[own, "write 10.77.0.201"]),
        annotation(
            "mooring.dev/ips",
            "10.77.0.201, 10.77.0.202",
            &[own, "10.77.0.201 and 10.77.0.202", "keep one of them"],
        ),
        annotation(
            "mooring.dev/ips",
            "2001:DB8:0:0::1",
            &["2001:db8::1 is IPv6", "add IPv6 to spec.ipFamilies"],
        ),
        annotation(
            "mooring.dev/ips",
            "10.99.0.1",
            &["10.99.0.1 is in no pool", "or add 10.99.0.1 to one"],
        ),
        annotation("mooring.dev/pool", "none-such", &["there is no pool none-such: create it"]),
        annotation("mooring.dev/pool", "Blue!", &["annotation mooring.dev/pool", "cannot be the name of a pool"]),
        annotation("mooring.dev/pool", "bl\u{fc}", &["annotation mooring.dev/pool", "lower-case letters"]),
        annotation("mooring.dev/pool", &names.join(","), &["has 17 entries, more than 16: remove some"]),
        annotation("mooring.dev/share", &key, &["annotation mooring.dev/share", "take a shorter key"]),
        annotation("mooring.dev/share", " ", &["annotation mooring.dev/share is empty"]),
        annotation(
            "service.antrea.io/allow-shared-load-balancer-ip",
            "yes",
            &["allow-shared-load-balancer-ip", "is neither true nor false: write one of the two"],
        ),
        annotation(
            "service.antrea.io/external-ip-pool",
            "green",
            &["service.antrea.io/external-ip-pool", "ask for different pools: make them equal"],
        ),
        annotation(
            "metallb.io/address-pool",
            "green",
            &["metallb.io/address-pool", "ask for different pools: make them equal"],
        ),
        annotation(
            "metallb.io/loadBalancerIPs",
            "10.77.0.300",
            &["annotation metallb.io/loadBalancerIPs", "is not an IP address"],
        ),
        Ask {
            change: json!({"metadata": {"annotations": {
                "mooring.dev/ips": "10.77.0.201", "metallb.universe.tf/loadBalancerIPs": "10.77.0.202",
            }}}),
            words: vec!["metallb.universe.tf/loadBalancerIPs".to_owned(), contradiction.to_owned()],
        },
        Ask {
            change: json!({"spec": {"loadBalancerIP": "10.77.0.999"}}),
            words: vec!["spec.loadBalancerIP: \"10.77.0.999\" is not an IP address".to_owned()],
        },
        Ask {
            change: json!({
                "metadata": {"annotations": {"mooring.dev/ips": "10.77.0.201"}},
                "spec": {"loadBalancerIP": "10.77.0.202"},
            }),
            words: vec!["spec.loadBalancerIP".to_owned(), contradiction.to_owned()],
        },
    ]);
    asks
}

/// A Service that gets an address of pool `blue`, and then what `ask` adds.
fn service(name: &str, ask: Option<&Ask>) -> Value {
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": {"mooring.dev/pool": "blue"}},
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80}],
        },
    });
    if let Some(ask) = ask {
        merge(&mut service, &ask.change);
    }
    service
}

fn merge(object: &mut Value, change: &Value) {
    match (object, change) {
        (Value::Object(object), Value::Object(change)) => {
            for (name, value) in change {
                merge(object.entry(name).or_insert(Value::Null), value);
            }
        }
        (object, change) => *object = change.clone(),
    }
}

fn apply(bed: &Bed, services: Vec<Value>) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": services});
    // Not as an annotation, which has less room than a long request.
    bed.kubectl_with(&["apply", "--server-side", "-f", "-"], &list.to_string())
        .unwrap();
}

/// The ingress of each Service, by name.
fn ingress(bed: &Bed) -> BTreeMap<String, Value> {
    let text = bed
        .kubectl(&["get", "services", "-n", "default", "-o", "json"])
        .unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|service| {
            let name = service["metadata"]["name"].as_str().unwrap().to_owned();
            let ingress = service["status"]["loadBalancer"]["ingress"].clone();
            (name, ingress)
        })
        .collect()
}

/// The notes of the events with this reason, by Service.
fn notes(bed: &Bed, reason: &str) -> BTreeMap<String, Vec<String>> {
    let arguments = ["get", "events.events.k8s.io", "-n", "default", "-o", "json"];
    let list: Value = serde_json::from_str(&bed.kubectl(&arguments).unwrap()).unwrap();
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in list["items"].as_array().unwrap() {
        if event["reason"] == reason && event["regarding"]["kind"] == "Service" {
            assert_eq!(event["type"], "Warning", "{event}");
            let name = event["regarding"]["name"].as_str().unwrap().to_owned();
            let note = event["note"].as_str().unwrap().to_owned();
            notes.entry(name).or_default().push(note);
        }
    }
    notes
}

/// A node in the subnet of the pools, so that addresses have a place to be.
fn node(bed: &Bed) {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux"}},
    });
    create(bed, &node).unwrap();
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.77.0.11"}],
        "nodeInfo": {
            "operatingSystem": "linux", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "",
            "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "v1.35.4", "machineID": "", "osImage": "",
            "systemUUID": "",
        },
    }});
    put_status(bed, "node/n1", &status);
    let state = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "NodeProxyState",
        "metadata": {"name": "n1"},
    });
    create(bed, &state).unwrap();
    let status = json!({"status": {
        "mode": "iptables",
        "arpIgnore": 0,
        "arpAnnounce": 0,
        "uplinks": [{
            "name": "eth0", "mac": "52:54:00:77:00:0b", "subnets": ["10.77.0.0/24"], "arpIgnore": 0, "arpAnnounce": 0,
        }],
    }});
    put_status(bed, "nodeproxystate/n1", &status);
}

fn put_status(bed: &Bed, object: &str, status: &Value) {
    let text = status.to_string();
    let arguments = [
        "patch",
        object,
        "--subresource=status",
        "--type=merge",
        "-p",
        &text,
    ];
    bed.kubectl(&arguments).unwrap();
}

fn pool(name: &str, ranges: &Value) -> Value {
    object("ExternalIPPool", name, &json!({"ipRanges": ranges}))
}

#[test]
fn the_operator_says_what_is_wrong_and_keeps_what_works() {
    let bed = server("bad-requests");
    Mooring::apply(&bed, "manifests");
    // What is published does not wait for kube-proxy here: none runs.
    let ignore = json!({"strictARP": {"policy": "Ignore"}});
    create(&bed, &object("ServiceProxy", "cluster", &ignore)).unwrap();
    node(&bed);
    create(&bed, &pool("blue", &json!([{"cidr": "10.77.0.128/25"}]))).unwrap();
    create(&bed, &pool("green", &json!([{"cidr": "10.78.0.0/24"}]))).unwrap();
    let mut operator = Operator::start(&bed);
    a_bad_request_changes_nothing(&bed);
    operator.is_well();
    a_bad_request_gets_nothing(&bed);
    operator.is_well();
    pools_say_what_only_the_cluster_shows(&bed);
    operator.is_well();
    drop(operator);
    bed.down().unwrap();
}

/// Each Service has an address; then it asks for something that it cannot have.
fn a_bad_request_changes_nothing(bed: &Bed) {
    let asks = asks();
    let name = |index: usize| format!("had-{index}");
    let all = |bad: bool| {
        let one = |(index, ask)| service(&name(index), bad.then_some(ask));
        asks.iter().enumerate().map(one).collect()
    };
    let mooring = Mooring::find(bed);
    apply(bed, all(false));
    let before = mooring.wait_at_most(PATIENCE, "every Service has an address", || {
        let mut ingress = ingress(bed);
        ingress.retain(|name, _| name.starts_with("had-"));
        let each = ingress.values().all(|ingress| ingress[0]["ip"].is_string());
        (ingress.len() == asks.len() && each).then_some(ingress)
    });
    apply(bed, all(true));
    told(bed, &asks, name, "RequestNotMet", "");
    let mut after = ingress(bed);
    after.retain(|name, _| name.starts_with("had-"));
    assert_eq!(after, before, "an address was taken away or changed");
}

/// Each Service is new, and asks for something that it cannot have.
fn a_bad_request_gets_nothing(bed: &Bed) {
    let asks = asks();
    let name = |index: usize| format!("new-{index}");
    let all = asks.iter().enumerate();
    apply(
        bed,
        all.map(|(index, ask)| service(&name(index), Some(ask)))
            .collect(),
    );
    told(bed, &asks, name, "AllocationFailed", "no external IP: ");
    for (name, ingress) in ingress(bed) {
        let new = name.starts_with("new-");
        assert!(!new || ingress.is_null(), "{name} has {ingress}");
    }
}

/// Waits until an event tells each Service what is wrong.
#[track_caller]
fn told(bed: &Bed, asks: &[Ask], name: impl Fn(usize) -> String, reason: &str, all: &str) {
    let begin = std::time::Instant::now();
    loop {
        let notes = notes(bed, reason);
        let silent: Vec<String> = asks
            .iter()
            .enumerate()
            .filter(|(index, ask)| {
                let words = || ask.words.iter().map(String::as_str).chain([all]);
                let said = notes.get(&name(*index));
                let right = |note: &String| words().all(|word| note.contains(word));
                !said.is_some_and(|said| said.iter().any(right))
            })
            .map(|(index, ask)| {
                let change: String = ask.change.to_string().chars().take(200).collect();
                format!(
                    "{change}\n  no {:?}\n  in {:?}",
                    ask.words,
                    notes.get(&name(index))
                )
            })
            .collect();
        if silent.is_empty() {
            return;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "{reason}:\n{}",
            silent.join("\n")
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// What the API server lets through, because one pool alone does not show it.
fn pools_say_what_only_the_cluster_shows(bed: &Bed) {
    let selected = json!({
        "ipRanges": [{"cidr": "10.79.0.0/24"}],
        "nodeSelector": {"matchLabels": {"no such label": "x"}},
    });
    let twice = json!([
        {"cidr": "10.80.0.0/28"}, {"start": "10.80.0.4", "end": "10.80.0.19"}, {"cidr": "10.80.0.0/28"},
    ]);
    for (object, kind, reason, words) in [
        (
            pool(
                "reversed",
                &json!([{"start": "2001:db8::9", "end": "2001:db8::1"}]),
            ),
            "Ready",
            "InvalidRanges",
            "spec.ipRanges[0] start 2001:db8::9 is above end 2001:db8::1: swap them",
        ),
        (
            pool(
                "later",
                &json!([{"start": "10.77.0.1", "end": "10.77.0.128"}]),
            ),
            "Ready",
            "PoolConflict",
            "10.77.0.128 is in the older pool blue as well",
        ),
        (
            pool("loopback", &json!([{"cidr": "127.0.0.0/8"}])),
            "RangesUsable",
            "NotUnicast",
            "leave them out of the pool",
        ),
        (
            pool("services", &json!([{"cidr": "10.96.1.0/24"}])),
            "RangesUsable",
            "OverlapsServices",
            "leave them out of the pool",
        ),
        (
            pool("everything", &json!([{"cidr": "::/0"}])),
            "RangesUsable",
            "OverlapsServices",
            "leave them out of the pool",
        ),
        (
            object("ExternalIPPool", "selected", &selected),
            "NodesEligible",
            "NoneSelected",
            "no such label",
        ),
        (
            pool("twice", &twice),
            "Ready",
            "Available",
            "0 of 20 addresses are in use",
        ),
    ] {
        create(bed, &object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let mooring = Mooring::find(bed);
        let mut last = None;
        let begin = std::time::Instant::now();
        loop {
            let pool = mooring.get(&["mip", name]);
            if let Some(said) = condition(&pool["status"], kind) {
                if said.reason == reason && said.message.contains(words) {
                    break;
                }
                last = Some(said);
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{name}: no {reason} {words:?} in {last:?}"
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    let usage = |name: &str| Mooring::find(bed).get(&["mip", name])["status"]["usage"].clone();
    assert_eq!(
        usage("everything")["total"],
        "340282366920938463463374607431768211456"
    );
    assert_eq!(usage("twice")["total"], 20);
}
