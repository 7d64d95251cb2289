//! Mooring on a bed, installed as anybody would: the images of `scripts/images` and `kubectl apply -k manifests`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(
    dead_code,
    unused_imports,
    reason = "not every test file uses all of it"
)]

mod addresses;
mod images;
mod report;
mod steps;

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::Bed;
use testbed::protocol::Request;

pub(crate) use addresses::{
    ANTREA_POOLS, EXTERNAL_IPS, POOLS, ingress, object_name, pool, service, service_at, service_of,
};
pub(crate) use images::{images, program, tree};

/// Where all of it runs.
pub(crate) const NAMESPACE: &str = "mooring-system";

/// The conditions of the ServiceProxy, in the order in which they are reached.
pub(crate) const CONDITIONS: [&str; 5] = [
    "ModeDetected",
    "StrictARPConfigured",
    "RolledOut",
    "Effective",
    "SafeToAnnounce",
];

/// Long enough for a canary and a rollout on three nodes of a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Mooring, installed on a bed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mooring<'a> {
    pub(crate) bed: &'a Bed,
}

/// A condition without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// A Pod of Mooring's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) uid: String,
    pub(crate) ready: bool,
    pub(crate) restarts: i64,
}

// === impl Mooring ===

impl<'a> Mooring<'a> {
    /// Loads the images into every node, applies the manifests and waits until operator and agents are ready.
    #[track_caller]
    pub(crate) fn install(bed: &'a Bed) -> Self {
        Self::install_from(bed, "manifests")
    }

    /// As [`Self::install`], with the kustomization in another folder of the source tree.
    #[track_caller]
    pub(crate) fn install_from(bed: &'a Bed, folder: &str) -> Self {
        Self::load(bed);
        Self::apply(bed, folder);
        let mooring = Self { bed };
        mooring.wait_until_ready();
        mooring
    }

    /// Loads the images into every node.
    pub(crate) fn load(bed: &Bed) {
        for tar in images() {
            let path = tar.canonicalize().unwrap();
            bed.order(&Request::LoadImage(path.display().to_string()))
                .unwrap();
        }
    }

    /// `kubectl apply -k`, without waiting.
    pub(crate) fn apply(bed: &Bed, folder: &str) {
        let folder = tree().join(folder).canonicalize().unwrap();
        bed.kubectl(&["apply", "-k", folder.to_str().unwrap()])
            .unwrap();
    }

    /// On a bed where it is installed already.
    pub(crate) fn find(bed: &'a Bed) -> Self {
        Self { bed }
    }

    /// Waits until the Deployment and the DaemonSet are complete and ready.
    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        for workload in ["deployment/mooring-operator", "daemonset/mooring-agent"] {
            let limit = format!("--timeout={}s", PATIENCE.as_secs());
            let arguments = ["-n", NAMESPACE, "rollout", "status", workload, &limit];
            if let Err(error) = self.bed.kubectl(&arguments) {
                panic!(
                    "{workload} does not become ready: {error}\n{}",
                    self.report()
                );
            }
        }
    }

    /// The ServiceProxy, or null while there is none.
    pub(crate) fn service_proxy(&self) -> Value {
        self.get(&["serviceproxy", "cluster", "--ignore-not-found"])
    }

    /// Its status, or null.
    pub(crate) fn status(&self) -> Value {
        self.service_proxy()["status"].take()
    }

    /// The status of a node's NodeProxyState, or null.
    pub(crate) fn state(&self, node: &str) -> Value {
        self.get(&["nodeproxystate", node, "--ignore-not-found"])["status"].take()
    }

    /// Merges into the ServiceProxy's spec.
    pub(crate) fn set_spec(&self, spec: &Value) {
        let patch = serde_json::json!({ "spec": spec }).to_string();
        self.bed
            .kubectl(&[
                "patch",
                "serviceproxy",
                "cluster",
                "--type=merge",
                "-p",
                &patch,
            ])
            .unwrap();
    }

    /// A condition of the ServiceProxy, if it is there.
    pub(crate) fn condition(&self, kind: &str) -> Option<Condition> {
        condition(&self.status(), kind)
    }

    /// Waits until all conditions of the ServiceProxy are True.
    #[track_caller]
    pub(crate) fn wait_until_safe(&self) {
        self.wait_for("all conditions are True", || {
            let status = self.status();
            let holds = |kind: &&str| {
                condition(&status, kind).is_some_and(|condition| condition.status == "True")
            };
            CONDITIONS.iter().all(holds).then_some(())
        });
    }

    /// Waits until there is an answer; failing that, shows all that can be known about why.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, answer: impl FnMut() -> Option<T>) -> T {
        self.wait_at_most(PATIENCE, what, answer)
    }

    /// As [`Self::wait_for`], but not longer than said.
    #[track_caller]
    pub(crate) fn wait_at_most<T>(
        &self,
        limit: Duration,
        what: &str,
        mut answer: impl FnMut() -> Option<T>,
    ) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = answer() {
                return answer;
            }
            assert!(
                begin.elapsed() < limit,
                "not within {} s: {what}\n{}",
                limit.as_secs(),
                self.report()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The operator's replicas.
    pub(crate) fn operators(&self) -> Vec<Pod> {
        self.pods("mooring-operator")
    }

    /// The agents, one for each node.
    pub(crate) fn agents(&self) -> Vec<Pod> {
        self.pods("mooring-agent")
    }

    /// SIGKILL, on its node, to the process of a Pod; the kubelet starts it again in the same Pod. Says whether there was
    /// one.
    pub(crate) fn sigkill(&self, pod: &Pod) -> bool {
        let script = format!(
            "for process in $(grep -ls {} /proc/[0-9]*/cgroup | cut -d/ -f3); do
               case $(readlink /proc/$process/exe) in
                 /mooring-*) kill -9 $process && echo killed ;;
               esac
             done",
            pod.uid
        );
        self.bed
            .run_on(&pod.node, &script)
            .unwrap()
            .contains("killed")
    }

    /// Deletes Pods without any grace: their processes are killed, and other Pods take their place.
    pub(crate) fn delete_now(&self, pods: &[Pod]) {
        let mut arguments = vec!["-n", NAMESPACE, "delete", "pod", "--force", "--wait=false"];
        arguments.extend(["--grace-period=0", "--ignore-not-found"]);
        arguments.extend(pods.iter().map(|pod| pod.name.as_str()));
        self.bed.kubectl(&arguments).unwrap();
    }

    /// `kubectl get -o json`, or null if it prints nothing.
    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        let text = self.bed.kubectl(&arguments).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn pods(&self, name: &str) -> Vec<Pod> {
        let label = format!("--selector=app.kubernetes.io/name={name}");
        let list = self.get(&["-n", NAMESPACE, "pods", &label]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pod| {
                let container = &pod["status"]["containerStatuses"][0];
                Pod {
                    name: text(&pod["metadata"]["name"]),
                    node: text(&pod["spec"]["nodeName"]),
                    uid: text(&pod["metadata"]["uid"]),
                    ready: container["ready"] == true,
                    restarts: container["restartCount"].as_i64().unwrap_or_default(),
                }
            })
            .collect()
    }
}

/// A condition in the status of any object.
pub(crate) fn condition(status: &Value, kind: &str) -> Option<Condition> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    })
}
