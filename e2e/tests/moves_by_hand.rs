//! `kubectl mooring move` and `drain` against the running operator, on nodes that are objects. The story plays their agents:
//! each takes what is planned for its node.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod allocation;
mod cargo;
mod plugin;

use std::process::Stdio;
use std::time::{Duration, Instant};

use allocation::objects::{NAMESPACE, Pool, Wish, service};
use allocation::operator::{Replica, program};
use allocation::{inside, safe_to_announce, server};
use plugin::{Cluster, wait_for};
use serde_json::{Value, json};

const ADDRESSES: usize = 6;
/// The operator leaves alone what it would have changed by then.
const SETTLED: Duration = Duration::from_secs(2);

#[test]
fn addresses_go_where_they_are_told_and_stay_there() {
    let program = program();
    let cluster = Cluster::on(server(env!("CARGO_BIN_EXE_testbed"), "by-hand"));
    let replica = Replica::new(&cluster.bed, &program, "hand", 8081);
    let mut operator = replica.start();
    inside(&cluster.bed, async |client| {
        safe_to_announce(&client, &replica).await;
    });
    let story = Story { cluster: &cluster };
    story.make_services();
    story.moves();
    story.drains();
    story.shuts_down();
    story.cordons();
    story.dies_often();
    operator.expect_alive();
    replica.expect_no_panic();
    operator.kill();
    cluster.bed.down().unwrap();
}

struct Story<'c> {
    cluster: &'c Cluster,
}

/// What a call gave, and how long it took.
struct Called {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Story<'_> {
    fn make_services(&self) {
        let pool = Pool::new(0, 16, 60);
        self.create(&json!(pool.object()));
        for number in 0..ADDRESSES {
            self.create(&json!(service(
                &format!("web-{number}"),
                &Wish::one_of(&pool, number),
                80
            )));
        }
        wait_for("every address has a node", || {
            let addresses = self.addresses();
            addresses.len() == ADDRESSES && addresses.iter().all(|one| planned(one).is_some())
        });
        self.agents();
    }

    fn moves(&self) {
        let address = "172.20.0.0";
        let before = self.address(address);
        let from = planned(&before).unwrap().to_owned();
        let to = if from == "n2" { "n1" } else { "n2" };
        let moved = self.call(&["move", address, "--to", to]);
        moved.expect(
            0,
            &[&format!("{address}  {from} -> {to}  {NAMESPACE}/web-0  (")],
        );
        let after = self.address(address);
        assert_eq!(planned(&after), Some(to));
        assert_eq!(after["spec"]["heirs"][0], from.as_str());
        let plan = |address: &Value| address["spec"]["plan"].as_u64().unwrap_or(0);
        assert_eq!(plan(&after), plan(&before) + 1);
        std::thread::sleep(SETTLED);
        let settled = self.address(address);
        assert_eq!(
            settled["spec"], after["spec"],
            "the operator leaves it there"
        );

        let again = self.call(&["move", address, "--to", to]);
        again.expect(
            0,
            &[&format!(
                "{address} is on {to} already: nothing was written"
            )],
        );
        let by_name = self.call(&[
            "move",
            "172-20-0-0",
            "--to",
            &from,
            "--no-wait",
            "-o",
            "json",
        ]);
        by_name.expect(0, &["\"outcome\": \"Planned\""]);
        let back = self.call(&["move", address, "--to", &from]);
        back.expect(0, &[address]);

        self.kubectl(&["cordon", "n3"]);
        let elsewhere = self.addresses();
        let elsewhere = elsewhere.iter().find(|one| planned(one) != Some("n3"));
        let elsewhere = elsewhere.unwrap()["spec"]["address"].as_str().unwrap();
        let refused = self.call(&["move", elsewhere, "--to", "n3"]);
        refused.expect(1, &[&format!("n3 cannot have {elsewhere}: it is cordoned")]);
        self.kubectl(&["uncordon", "n3"]);
        let unknown = self.call(&["move", "172.20.0.99", "--to", "n1"]);
        unknown.expect(1, &["no Service has 172.20.0.99", "did you mean 172.20.0."]);
        let nowhere = self.call(&["move", address, "--to", "n9"]);
        nowhere.expect(1, &["there is no Linux node n9: did you mean n1"]);
    }

    fn drains(&self) {
        let here = self.on("n1");
        let drained = self.call(&["drain", "n1"]);
        for address in &here {
            drained.expect(0, &[&format!("{address}  n1 -> ")]);
        }
        drained.expect(
            0,
            &["n1 has no addresses", "kubectl mooring drain n1 --undo"],
        );
        assert!(self.on("n1").is_empty());
        for address in self.addresses() {
            let heirs = address["spec"]["heirs"].as_array().unwrap();
            assert!(!heirs.contains(&json!("n1")), "{address}");
        }
        let status = self.call(&["status"]);
        status.expect(0, &["Draining"]);

        // Nobody but n2 is left.
        let label = "node.kubernetes.io/exclude-from-external-load-balancers";
        self.kubectl(&["label", "node", "n3", &format!("{label}=true")]);
        wait_for("all is on n2", || {
            self.agents();
            self.on("n2").len() == ADDRESSES
        });
        let begin = Instant::now();
        let stays = self.call(&["drain", "n2"]);
        stays.expect(
            1,
            &[
                "172.20.0.0  stays on n2",
                "  n1: it was drained with kubectl mooring drain",
                &format!("  n3: it has the label {label}"),
                &format!("{ADDRESSES} stay until another node can have them"),
            ],
        );
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "it does not wait"
        );
        assert_eq!(self.on("n2").len(), ADDRESSES);

        let undone = self.call(&["drain", "n1", "--undo"]);
        undone.expect(0, &["n1 can have addresses again"]);
        wait_for("they leave n2, as it stays drained", || {
            self.agents();
            self.on("n1").len() == ADDRESSES
        });
        let empty = self.call(&["drain", "n2", "-o", "json"]);
        empty.expect(0, &["\"outcome\": \"Empty\""]);
        let undone = self.call(&["drain", "n2", "--undo"]);
        undone.expect(0, &["n2 can have addresses again"]);
        let twice = self.call(&["drain", "n2", "--undo"]);
        twice.expect(0, &["n2 is not drained"]);
        std::thread::sleep(SETTLED);
        assert_eq!(self.on("n1").len(), ADDRESSES, "they stay where they are");
        self.call(&["drain", "n7"])
            .expect(2, &["there is no Linux node n7"]);
    }

    /// The kubelet of n1, which has all of them, says that it shuts the node down. n3 is excluded.
    fn shuts_down(&self) {
        self.say_ready("n1", "False", "node is shutting down", 0);
        wait_for("all left before the node is off", || {
            self.agents();
            self.on("n2").len() == ADDRESSES
        });
        self.call(&["status"]).expect(0, &["ShuttingDown"]);
        self.call(&["explain", "172.20.0.0"])
            .expect(0, &["ShuttingDown: its kubelet shuts it down"]);
        wait_for("an event tells of it", || {
            let events = self.kubectl(&["get", "events", "-A", "-o", "json"]);
            events.contains(&format!(
                "{ADDRESSES} addresses go to other nodes: its kubelet shuts it down"
            ))
        });
        self.say_ready("n1", "True", "", 0);
        std::thread::sleep(SETTLED);
        assert_eq!(self.on("n2").len(), ADDRESSES, "they stay where they are");
    }

    /// A cordon moves nothing, until the pool says so.
    fn cordons(&self) {
        self.kubectl(&["cordon", "n2"]);
        std::thread::sleep(SETTLED);
        assert_eq!(self.on("n2").len(), ADDRESSES);
        let pools = self.kubectl(&["get", "mip", "-o", "name"]);
        let pool = pools.lines().next().unwrap();
        let policy = |word: &str| {
            let patch = json!({"spec": {"onCordon": word}}).to_string();
            self.kubectl(&["patch", pool, "--type=merge", "-p", &patch]);
        };
        policy("Move");
        wait_for("all left the cordoned node", || {
            self.agents();
            self.on("n1").len() == ADDRESSES
        });
        self.call(&["explain", "172.20.0.0"])
            .expect(0, &["CordonMoves: it is cordoned, and pool"]);
        policy("Stay");
        self.kubectl(&["uncordon", "n2"]);
    }

    /// Two deaths of n1 within an hour, as the node controller tells them.
    fn dies_often(&self) {
        let record = || {
            let of_n1 = self.kubectl(&["get", "nps", "n1", "-o", "json"]);
            let of_n1: Value = serde_json::from_str(&of_n1).unwrap();
            let text = of_n1["metadata"]["annotations"]["mooring.dev/unrest"].as_str();
            (
                text.unwrap_or_default().to_owned(),
                of_n1["metadata"]["resourceVersion"].clone(),
            )
        };
        for (number, seconds_ago) in [(1, 900), (2, 300)] {
            self.say_ready(
                "n1",
                "Unknown",
                "Kubelet stopped posting node status.",
                seconds_ago,
            );
            wait_for("the death is recorded", || {
                self.agents();
                record().0.starts_with(&format!("deaths={number} "))
            });
            self.say_ready("n1", "True", "", 0);
        }
        let before = record();
        self.call(&["explain", "172.20.0.0"])
            .expect(0, &["DiesOften: it died 2 times lately"]);
        for address in self.addresses() {
            assert_eq!(
                planned(&address),
                Some("n2"),
                "it has left when n1 died: {address}"
            );
        }
        std::thread::sleep(SETTLED);
        assert_eq!(record(), before, "written once for each death");
    }

    /// The condition Ready of a node, as its kubelet or the node controller writes it.
    fn say_ready(&self, node: &str, status: &str, message: &str, seconds_ago: i64) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let since = i64::try_from(now.unwrap().as_secs()).unwrap() - seconds_ago;
        let since = mooring_core::kube_proxy::snapshot::Timestamp::from_unix_seconds(since);
        let reason = match status {
            "Unknown" => "NodeStatusUnknown",
            "False" => "KubeletNotReady",
            _ => "KubeletReady",
        };
        let ready = json!({
            "type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": since.to_string()
        });
        let patch = json!({"status": {"conditions": [ready]}}).to_string();
        let words = [
            "patch",
            "node",
            node,
            "--subresource=status",
            "--type=strategic",
        ];
        self.kubectl(&[&words[..], &["-p", &patch]].concat());
    }

    /// `kubectl mooring ARGUMENTS`, while agents do what is planned.
    fn call(&self, arguments: &[&str]) -> Called {
        let mut command = self.cluster.command("kubectl");
        let command = command.arg("mooring").args(arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            self.agents();
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let called = Called {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        println!(
            "$ kubectl mooring {}\n{}{}",
            arguments.join(" "),
            called.stdout,
            called.stderr
        );
        called
    }

    /// The agent of each node takes what is planned for its node, and nobody answers any more for what is planned for none.
    fn agents(&self) {
        for address in self.addresses() {
            let (node, plan) = (planned(&address), &address["spec"]["plan"]);
            let term = json!({"plan": plan.as_u64().unwrap_or(0), "takeovers": 0});
            let status = &address["status"];
            if holder(&address) == node && status["term"] == term {
                continue;
            }
            let name = address["metadata"]["name"].as_str().unwrap();
            let patch = json!({
                "status": {
                    "node": node, "interface": "eth0", "method": "Responder", "term": term,
                    "conditions": [{
                        "type": "Announced", "status": "True", "reason": "Announced", "message": "as it should be",
                        "lastTransitionTime": "2026-01-02T03:04:05Z"
                    }]
                }
            });
            let patch = patch.to_string();
            let words = ["patch", "xip", name, "--subresource=status", "--type=merge"];
            self.kubectl(&[&words[..], &["-p", &patch]].concat());
        }
    }

    /// The addresses that a node has, or shall have.
    fn on(&self, node: &str) -> Vec<String> {
        let here = |one: &Value| planned(one) == Some(node) || holder(one) == Some(node);
        let addresses = self.addresses().into_iter().filter(here);
        addresses
            .map(|one| one["spec"]["address"].as_str().unwrap().to_owned())
            .collect()
    }

    fn address(&self, address: &str) -> Value {
        let mut all = self.addresses().into_iter();
        all.find(|one| one["spec"]["address"] == address).unwrap()
    }

    fn addresses(&self) -> Vec<Value> {
        let text = self.kubectl(&["get", "xip", "-o", "json"]);
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    fn create(&self, object: &Value) {
        let create = ["create", "-f", "-"];
        self.cluster
            .bed
            .kubectl_with(&create, &object.to_string())
            .unwrap();
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.bed.kubectl(arguments).unwrap()
    }
}

fn planned(address: &Value) -> Option<&str> {
    address["spec"]["node"].as_str()
}

fn holder(address: &Value) -> Option<&str> {
    address["status"]["node"].as_str()
}

// === impl Called ===

impl Called {
    #[track_caller]
    fn expect(&self, code: i32, texts: &[&str]) {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(self.code, code, "{stdout}{stderr}");
        for text in texts {
            assert!(
                stdout.contains(text) || stderr.contains(text),
                "no {text:?} in {stdout}{stderr}"
            );
        }
    }
}
