//! The real MetalLB in layer 2 mode on a bed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::protocol::Request;
use testbed::{Bed, setup};

const NAMESPACE: &str = "metallb-system";

/// Its configuration: one pool, announced by every node that may.
const CONFIGURATION: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: segment, namespace: metallb-system}
spec: {addresses: [RANGE]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: segment, namespace: metallb-system}
spec: {ipAddressPools: [segment]}
";

/// All that MetalLB consists of and writes, but for the Services.
const OWN_KINDS: &str = "deployments,daemonsets,pods,configmaps,secrets,serviceaccounts,roles,rolebindings,\
    ipaddresspools,l2advertisements,bgpadvertisements,bgppeers,bfdprofiles,communities,servicel2statuses,\
    servicebgpstatuses";
const OWN_CLUSTER_KINDS: &str = "clusterroles,clusterrolebindings";

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// MetalLB on a bed.
#[derive(Debug)]
pub(crate) struct MetalLb<'bed> {
    bed: &'bed Bed,
}

impl<'bed> MetalLb<'bed> {
    /// Installs it with one pool, as in `10.77.0.200-10.77.0.254`, and waits until every part of it is ready.
    pub(crate) fn install(bed: &'bed Bed, range: &str) -> Self {
        let product = setup::metallb().unwrap();
        for image in &product.images {
            bed.order(&Request::LoadImage(image.display().to_string()))
                .unwrap();
        }
        let manifest = product.manifest.display().to_string();
        bed.kubectl(&["create", "-f", &manifest]).unwrap();
        let known = [
            "wait",
            "--for=condition=Established",
            "crd/ipaddresspools.metallb.io",
            "crd/l2advertisements.metallb.io",
            "--timeout=60s",
        ];
        bed.kubectl(&known).unwrap();
        let configuration = CONFIGURATION.replace("RANGE", range);
        bed.kubectl_with(&["create", "-f", "-"], &configuration)
            .unwrap();
        let metallb = Self { bed };
        for workload in ["deployment/controller", "daemonset/speaker"] {
            let status = ["rollout", "status", workload, "--timeout=180s"];
            if let Err(error) = metallb.kubectl(&status) {
                panic!("{error:#}\n{}", metallb.report());
            }
        }
        metallb
    }

    /// The address that it gives a Service of the namespace `default`; waits for it.
    pub(crate) fn address_of(&self, service: &str) -> IpAddr {
        let service = format!("service/{service}");
        let path = "jsonpath={.status.loadBalancer.ingress[0].ip}";
        let given = format!("--for={path}");
        if let Err(error) = self
            .bed
            .kubectl(&["wait", &service, &given, "--timeout=120s"])
        {
            panic!("{error:#}\n{}", self.report());
        }
        let address = self.bed.kubectl(&["get", &service, "-o", path]).unwrap();
        address.parse().unwrap()
    }

    /// The node that it says announces a Service of the namespace `default`, by its ServiceL2Status; none as long as
    /// it does not name exactly one.
    pub(crate) fn announcer_of(&self, service: &str) -> Option<String> {
        let wanted = [json!(service), json!("default")];
        let nodes: Vec<String> = self
            .items(&["-n", NAMESPACE, "get", "servicel2statuses"])
            .iter()
            .map(|item| &item["status"])
            .filter(|status| {
                [&status["serviceName"], &status["serviceNamespace"]] == [&wanted[0], &wanted[1]]
            })
            .map(|status| status["node"].as_str().unwrap_or_default().to_owned())
            .collect();
        match &nodes[..] {
            [node] => Some(node.clone()),
            _ => None,
        }
    }

    /// What it tells people about a Service of the namespace `default`: the messages of its `nodeAssigned` events.
    pub(crate) fn events_of(&self, service: &str) -> Vec<String> {
        let of = format!("involvedObject.kind=Service,involvedObject.name={service}");
        self.items(&["get", "events", "--field-selector", &of])
            .iter()
            .filter(|event| event["reason"] == "nodeAssigned")
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Everything that somebody else would have to change to touch MetalLB: its objects without their status, and
    /// whether its Pods are still the same and were never restarted.
    pub(crate) fn footprint(&self) -> BTreeMap<String, Value> {
        let mut objects = self.items(&["-n", NAMESPACE, "get", OWN_KINDS]);
        objects.extend(self.items(&["get", OWN_CLUSTER_KINDS, "--selector=app=metallb"]));
        objects.extend(
            self.items(&["get", "customresourcedefinitions"])
                .into_iter()
                .filter(|crd| crd["spec"]["group"] == "metallb.io"),
        );
        objects.iter().map(fingerprint).collect()
    }

    /// What became different, appeared or went since that footprint, one text for each object.
    pub(crate) fn touched_since(&self, before: &BTreeMap<String, Value>) -> Vec<String> {
        let now = self.footprint();
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        names
            .into_iter()
            .filter(|name| before.get(*name) != now.get(*name))
            .map(|name| {
                let print = |prints: &BTreeMap<String, Value>| {
                    prints.get(name).map_or("none".to_owned(), Value::to_string)
                };
                format!("{name}: {} -> {}", print(before), print(&now))
            })
            .collect()
    }

    /// Waits until there is an answer; failing that, shows what MetalLB says.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = answer() {
                return answer;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "not within {} s: {what}\n{}",
                PATIENCE.as_secs(),
                self.report()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// For the text of a failure.
    fn report(&self) -> String {
        let questions: [&[&str]; 4] = [
            &["get", "services", "--all-namespaces"],
            &["describe", "pods"],
            &["logs", "deployment/controller", "--tail=40"],
            &["logs", "--selector=component=speaker", "--tail=40"],
        ];
        questions
            .iter()
            .map(|question| {
                let answer = self.kubectl(question);
                let answer = answer.unwrap_or_else(|error| error.to_string());
                format!("--- kubectl {}\n{answer}\n", question.join(" "))
            })
            .collect()
    }

    fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.bed
            .kubectl(&[&["-n", NAMESPACE][..], arguments].concat())
    }

    fn items(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.bed.kubectl(&[arguments, &["-o", "json"]].concat());
        let list: Value = serde_json::from_str(&text.unwrap()).unwrap();
        list["items"].as_array().unwrap().clone()
    }
}

/// An object's kind and name, and what changes with every write of it that is not one of its status.
fn fingerprint(object: &Value) -> (String, Value) {
    let metadata = &object["metadata"];
    let name = format!(
        "{} {}",
        object["kind"].as_str().unwrap(),
        metadata["name"].as_str().unwrap()
    );
    // Kinds without a generation have no status either.
    let revision = match &metadata["generation"] {
        Value::Null => &metadata["resourceVersion"],
        generation => generation,
    };
    let restarts: Vec<&Value> = object["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| &container["restartCount"])
        .collect();
    let print = json!({
        "uid": metadata["uid"],
        "revision": revision,
        "labels": metadata["labels"],
        "annotations": metadata["annotations"],
        "restarts": restarts,
    });
    (name, print)
}
