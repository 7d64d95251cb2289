//! Services whose one endpoint is a host on the segment that is no node: a node that dies takes addresses away, and never an
//! endpoint.

use std::net::IpAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::protocol::Request;
use testbed::watcher::Story;
use testbed::{Bed, setup};

use crate::moored::forwards;

/// How many Services there are: two for each of three nodes.
const SERVICES: u8 = 6;
/// The addresses are 10.77.0.201 to 206.
const BEFORE_THE_FIRST: u8 = 200;
/// The host with the web server.
const SERVER: &str = "server";
const PORT: u16 = 8080;
/// Longer than a node that has booted takes to load its images, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// For so long one must have answered for each address, and nobody else.
const CALM: Duration = Duration::from_secs(5);
/// A busy node answers late.
const LATE: Duration = Duration::from_millis(500);

/// The addresses, and what serves them.
pub(crate) struct Site<'a> {
    pub(crate) bed: &'a Bed,
    pub(crate) addresses: Vec<IpAddr>,
    /// Of kube-proxy, by its name.
    mode: &'static str,
    server: Child,
}

impl<'a> Site<'a> {
    /// Starts the server; the Services are not there yet.
    pub(crate) fn set(bed: &'a Bed, mode: &'static str) -> Self {
        bed.order(&Request::ClientAdd(SERVER.to_owned())).unwrap();
        let server = bed
            .command(SERVER, setup::web_server().unwrap())
            .env("PORT", PORT.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let addresses = (1..=SERVICES).map(|number| [10, 77, 0, BEFORE_THE_FIRST + number].into());
        Self {
            bed,
            addresses: addresses.collect(),
            mode,
            server,
        }
    }

    /// Makes the Services, each with the annotations that ask for its address.
    #[track_caller]
    pub(crate) fn publish(&self, annotations: impl Fn(IpAddr) -> Value) {
        let status = self.bed.status().unwrap();
        let server = status.hosts().find(|host| host.name == SERVER).unwrap();
        let objects: Vec<Value> = self
            .services()
            .flat_map(|(name, address)| {
                let slice = json!({
                    "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                    "addressType": "IPv4", "ports": [{"name": "", "port": PORT, "protocol": "TCP"}],
                    "endpoints": [{"addresses": [server.ipv4()], "conditions": {"ready": true}}]
                });
                let service = json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": name, "annotations": annotations(address)},
                    "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": PORT}]}
                });
                [slice, service]
            })
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let create = ["create", "-f", "-"];
        self.bed.kubectl_with(&create, &list.to_string()).unwrap();
    }

    /// Deletes the Services and waits until they are gone.
    #[track_caller]
    pub(crate) fn withdraw(&self) {
        for kind in ["services", "endpointslices"] {
            let names: Vec<String> = self.services().map(|(name, _)| name).collect();
            let mut arguments = vec!["delete", kind, "--ignore-not-found"];
            arguments.extend(names.iter().map(String::as_str));
            self.bed.kubectl(&arguments).unwrap();
        }
    }

    /// The names of the Services, with their addresses.
    pub(crate) fn services(&self) -> impl Iterator<Item = (String, IpAddr)> + '_ {
        let numbered = (1..).zip(&self.addresses);
        numbered.map(|(number, address)| (format!("lb{number}"), *address))
    }

    /// Waits until every node can take any address over: `ready` succeeds in a shell there, and its kube-proxy forwards them
    /// all; and until each address was answered for by one alone for some seconds.
    #[track_caller]
    pub(crate) fn wait_until_settled(&self, ready: &str) {
        let forwarded = self
            .addresses
            .iter()
            .map(|address| forwards(self.mode, *address));
        let conditions: Vec<String> = forwarded.chain([ready.to_owned()]).collect();
        let script = format!("until {}; do sleep 1; done", conditions.join(" && "));
        std::thread::scope(|scope| {
            for node in self.bed.status().unwrap().nodes {
                let script = &script;
                scope.spawn(move || {
                    let node = node.host.name;
                    let ran = self.bed.exec(&node, script, PATIENCE).unwrap();
                    assert_eq!(ran.status, 0, "{node}: {script}");
                });
            }
        });
        self.wait_until_calm();
    }

    /// Waits until each address was answered for by one alone for some seconds.
    #[track_caller]
    pub(crate) fn wait_until_calm(&self) {
        let watcher = self.bed.watch("client", &self.addresses).unwrap();
        let begin = Instant::now();
        loop {
            let now = watcher.now();
            let is_calm = |story: &Story| {
                let latest = story.since(now.saturating_sub(CALM));
                let is_held = latest.last_answer().is_some_and(|last| last + LATE > now);
                is_held && latest.stints.len() == 1
            };
            let stories = self
                .addresses
                .iter()
                .map(|address| watcher.story(*address).unwrap());
            let restless: Vec<Story> = stories.filter(|story| !is_calm(story)).collect();
            if now > CALM && restless.is_empty() {
                return;
            }
            let told = restless.iter().map(Story::to_string).collect::<Vec<_>>();
            assert!(begin.elapsed() < PATIENCE, "no peace:\n{}", told.join("\n"));
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        // The server itself ends with the bed's processes.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
