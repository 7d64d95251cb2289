//! What happened to objects of one kind, in order, as `kubectl get --watch` saw it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;
use testbed::Bed;

/// A running watch. The bed ends it at the latest; dropping it ends what this process started.
#[derive(Debug)]
pub(crate) struct Watch {
    child: Child,
    file: PathBuf,
}

impl Watch {
    /// `kubectl get ARGUMENTS --watch`, from now on: objects that are there already come first, as `ADDED`.
    pub(crate) fn on(bed: &Bed, name: &str, arguments: &[&str]) -> Self {
        let file = bed.see(&PathBuf::from(format!("/run/watch-{name}.json")));
        let child = bed
            .command("cp", "kubectl")
            .arg("get")
            .args(arguments)
            .args(["--watch", "--output-watch-events", "-o", "json"])
            .stdin(Stdio::null())
            .stdout(File::create(&file).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, file }
    }

    /// The Pods of kube-proxy.
    pub(crate) fn on_proxies(bed: &Bed) -> Self {
        let pods = ["pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy"];
        Self::on(bed, "pods", &pods)
    }

    /// kube-proxy's ConfigMap.
    pub(crate) fn on_config(bed: &Bed) -> Self {
        let map = ["configmap", "-n", "kube-system", "kube-proxy"];
        Self::on(bed, "maps", &map)
    }

    /// Of Pods: fails unless each of these nodes, and no other, has had two, the one before and the one after.
    #[track_caller]
    pub(crate) fn expect_each_replaced_once(&self, nodes: &BTreeSet<String>) {
        let mut by_node: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (_, pod) in self.seen() {
            if let Some(node) = pod["spec"]["nodeName"].as_str() {
                let uid = pod["metadata"]["uid"].as_str().unwrap().to_owned();
                by_node.entry(node.to_owned()).or_default().insert(uid);
            }
        }
        assert_eq!(by_node.keys().cloned().collect::<BTreeSet<_>>(), *nodes);
        for (node, uids) in by_node {
            assert_eq!(uids.len(), 2, "Pods of kube-proxy that {node} has had");
        }
    }

    /// What was seen so far: (`ADDED`, `MODIFIED` or `DELETED`, the object).
    pub(crate) fn seen(&self) -> Vec<(String, Value)> {
        let text = fs::read_to_string(&self.file).unwrap();
        serde_json::Deserializer::from_str(&text)
            .into_iter::<Value>()
            .map_while(Result::ok)
            .map(|event| {
                (
                    event["type"].as_str().unwrap().to_owned(),
                    event["object"].clone(),
                )
            })
            .collect()
    }

    /// The value at a JSON pointer each time that it changed, from the first on.
    pub(crate) fn values(&self, pointer: &str) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        for (_, object) in self.seen() {
            let value = object.pointer(pointer).cloned().unwrap_or_default();
            if values.last() != Some(&value) {
                values.push(value);
            }
        }
        values
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
