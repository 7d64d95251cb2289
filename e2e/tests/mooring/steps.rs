//! Steps that stories have in common.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::Bed;

use super::{Condition, Mooring, NAMESPACE, Pod, tree};

impl<'a> Mooring<'a> {
    /// As [`Self::install`], with a ServiceProxy of this spec from the beginning.
    #[track_caller]
    pub(crate) fn install_with(bed: &'a Bed, spec: &Value) -> Self {
        let crds = tree().join("manifests/crds").canonicalize().unwrap();
        bed.kubectl(&["apply", "-f", crds.to_str().unwrap()])
            .unwrap();
        let established = ["wait", "--for=condition=Established", "crd", "--all"];
        bed.kubectl(&established).unwrap();
        Self::find(bed).create_service_proxy(spec);
        Self::install(bed)
    }

    /// Makes the ServiceProxy.
    #[track_caller]
    pub(crate) fn create_service_proxy(&self, spec: &Value) {
        let object = json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "ServiceProxy",
            "metadata": {"name": "cluster"}, "spec": spec
        });
        // Right after its CRD the API server may not know the kind yet.
        self.wait_for("the ServiceProxy can be made", || {
            self.bed
                .kubectl_with(&["create", "-f", "-"], &object.to_string())
                .ok()
        });
    }

    /// A condition that has to be there.
    #[track_caller]
    pub(crate) fn known(&self, kind: &str) -> Condition {
        self.wait_for(kind, || self.condition(kind))
    }

    /// Waits until a condition of the ServiceProxy has this status, whatever its reason.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, kind: &str, status: &str) -> Condition {
        self.wait_for(&format!("{kind} is {status}"), || {
            self.condition(kind).filter(|now| now.status == status)
        })
    }

    /// Waits until a condition of the ServiceProxy has this reason.
    #[track_caller]
    pub(crate) fn wait_for_reason(&self, kind: &str, reason: &str) -> Condition {
        self.wait_for(&format!("{kind} has the reason {reason}"), || {
            self.condition(kind).filter(|now| now.reason == reason)
        })
    }

    /// SIGKILL to every replica of the operator that has a process, at once, and new Pods in their place, which the kubelet
    /// starts without a back-off. Returns the names of those that were killed.
    pub(crate) fn kill_operators(&self) -> Vec<String> {
        let pods = self.operators();
        let killed: Vec<String> = std::thread::scope(|scope| {
            let kills: Vec<_> = pods
                .iter()
                .map(|pod| scope.spawn(move || self.sigkill(pod).then(|| pod.name.clone())))
                .collect();
            kills
                .into_iter()
                .filter_map(|kill| kill.join().unwrap())
                .collect()
        });
        let dead = |pod: &&Pod| killed.contains(&pod.name);
        let dead: Vec<Pod> = pods.iter().filter(dead).cloned().collect();
        if !dead.is_empty() {
            self.delete_now(&dead);
        }
        killed
    }

    /// Replaces the agents, one after the other, as an upgrade does, and waits until that is done.
    #[track_caller]
    pub(crate) fn restart_agents(&self) {
        let restart = ["rollout", "restart", "daemonset/mooring-agent"];
        let arguments = [&["-n", NAMESPACE][..], &restart].concat();
        self.bed.kubectl(&arguments).unwrap();
        self.wait_until_ready();
    }

    /// All events of Mooring's, a line each: the object, the type, the reason and the note.
    pub(crate) fn all_events(&self) -> Vec<String> {
        let list = self.get(&[
            "events.v1.events.k8s.io",
            "-A",
            "--sort-by=.metadata.creationTimestamp",
        ]);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter(|event| {
                event["reportingController"]
                    .as_str()
                    .is_some_and(|name| name.contains("mooring"))
            })
            .map(|event| {
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!(
                    "{}/{} {} {}: {}",
                    word(&event["regarding"]["kind"]),
                    word(&event["regarding"]["name"]),
                    word(&event["type"]),
                    word(&event["reason"]),
                    word(&event["note"])
                )
            })
            .collect()
    }

    /// Time in which something must not happen.
    pub(crate) fn let_pass(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
