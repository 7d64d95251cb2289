//! Kubernetes on the bed: the control plane in its namespace, and what each node runs.

mod control_plane;
mod light;
mod node_files;
mod proxy_config;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::plan::Host;
use crate::shell::{in_netns, run};
use crate::spec::{Depth, Spec};
use crate::supervisor::layout;
use control_plane::ControlPlane;

/// How long the whole cluster may take to become ready. A bed is up in well under a minute on two idle cores; this
/// allows for machines that are shared.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// A node as the cluster sees it: a host on which scripts can be run.
pub(crate) trait Guest {
    /// Its name and addresses.
    fn host(&self) -> &Host;
    /// Runs a script to its end and returns what it printed; another status than 0 is an error.
    fn run(&self, script: &str) -> Result<String>;
}

/// The cluster of a bed.
pub(crate) struct Cluster {
    spec: Spec,
    controlplane: PathBuf,
    /// The nodes, on or off.
    pub(crate) hosts: Vec<Host>,
    control_plane: ControlPlane,
    /// Set once the API server has been ready, so that nodes that boot side by side wait for it.
    api_ready: (Mutex<bool>, Condvar),
}

impl Cluster {
    pub(crate) fn new(spec: &Spec, controlplane: &Path, hosts: Vec<Host>) -> Result<Self> {
        Ok(Self {
            spec: spec.clone(),
            controlplane: controlplane.to_owned(),
            control_plane: ControlPlane::new(controlplane)?,
            hosts,
            api_ready: Default::default(),
        })
    }

    /// Starts etcd and the API server (and, in a full bed, the controllers and the scheduler), and waits for the API.
    pub(crate) fn start_control_plane(&self) -> Result<()> {
        let mut outcome = self
            .control_plane
            .start()
            .and_then(|()| self.wait_for_api());
        if self.spec.depth == Depth::Full {
            outcome = outcome.and_then(|()| self.control_plane.start_controllers());
        }
        // Nodes wait for this; they fail by themselves when there is no API.
        *self
            .api_ready
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.api_ready.1.notify_all();
        outcome
    }

    /// Ends a process of the control plane as a crash would.
    pub(crate) fn stop(&self, process: &str) -> Result<()> {
        self.control_plane.stop(process)
    }

    /// Starts a stopped process again, and waits for the API.
    pub(crate) fn start(&self, process: &str) -> Result<()> {
        self.control_plane.start_again(process)?;
        self.wait_for_api()
    }

    fn wait_for_api(&self) -> Result<()> {
        let mut last = String::new();
        poll(Duration::from_secs(60), Duration::from_millis(100), || {
            match self.kubectl(&["get", "--raw", "/readyz"]) {
                Ok(answer) if answer.trim() == "ok" => return Ok(Some(())),
                Ok(answer) => last = answer,
                Err(error) => last = format!("{error:#}"),
            }
            self.control_plane.check()?;
            Ok(None)
        })
        .with_context(|| format!("the API server is not ready: {last}"))
    }

    /// Puts kube-proxy (full) or the node objects (light) into the API.
    pub(crate) fn populate(&self) -> Result<()> {
        if self.hosts.is_empty() {
            return Ok(());
        }
        let manifest = match self.spec.depth {
            Depth::Full => proxy_config::manifest(&self.spec),
            Depth::Light => light::node_objects(&self.hosts),
        };
        let path = layout::kubernetes().join("populate.yaml");
        fs::write(&path, manifest)?;
        self.kubectl(&["create", "-f", &path.display().to_string()])
            .map(drop)
    }

    /// Lays out what a node needs in its folder, before it boots.
    pub(crate) fn furnish_node(&self, host: &Host, dir: &Path) -> Result<()> {
        node_files::write(host, &self.hosts, &self.controlplane, dir)?;
        let (file, kubeconfig) = match self.spec.depth {
            Depth::Full => (
                "kubelet.kubeconfig",
                self.control_plane.kubelet_kubeconfig(&host.name)?,
            ),
            Depth::Light => (
                "kube-proxy.kubeconfig",
                self.control_plane.kube_proxy_kubeconfig()?,
            ),
        };
        fs::write(dir.join(file), kubeconfig)?;
        fs::write(dir.join("ca.crt"), self.control_plane.ca_certificate())?;
        fs::write(
            dir.join("kube-proxy.conf"),
            proxy_config::light_text(&self.spec),
        )?;
        Ok(())
    }

    /// Starts containerd and the kubelet, or kube-proxy alone, in a node that has booted. What needs no API server does
    /// not wait for it.
    pub(crate) fn start_node(&self, guest: &dyn Guest) -> Result<()> {
        let script = match self.spec.depth {
            Depth::Full => {
                guest.run("sh /tb/containers")?;
                "sh /tb/kubelet".to_owned()
            }
            Depth::Light => light::start_script(&self.controlplane, guest.host()),
        };
        let ready = self
            .api_ready
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.api_ready.1.wait_while(ready, |ready| !*ready));
        guest.run(&script).map(drop)
    }

    /// Waits until all nodes are Ready and each one's kube-proxy runs in the mode that was asked for.
    pub(crate) fn wait_until_ready(&self, guests: &[&dyn Guest], say: &dyn Fn(&str)) -> Result<()> {
        if self.spec.depth == Depth::Full {
            let mut said = Vec::new();
            let mut missing = self
                .hosts
                .iter()
                .map(|h| h.name.clone())
                .collect::<Vec<_>>();
            poll(READY_LIMIT, Duration::from_millis(400), || {
                let nodes = self.nodes()?;
                for (name, node) in &nodes {
                    if is_ready(node) && !said.contains(name) {
                        say(&format!("{name}: node Ready"));
                        said.push(name.clone());
                    }
                }
                missing.retain(|name| !said.contains(name));
                Ok(missing.is_empty().then_some(()))
            })
            .context("not all nodes became Ready; see `testbed logs n1/kubelet` and `testbed logs n1/containerd`")?;
        }
        for guest in guests {
            self.wait_for_proxy(*guest, READY_LIMIT)?;
            say(&format!(
                "{}: kube-proxy runs in {} mode",
                guest.host().name,
                self.spec.proxy.as_str()
            ));
        }
        Ok(())
    }

    /// Waits until a node that booted again has registered its new kernel and runs kube-proxy.
    pub(crate) fn wait_until_back(&self, guest: &dyn Guest) -> Result<()> {
        let name = &guest.host().name;
        if self.spec.depth == Depth::Full {
            let boot_id = guest.run("cat /proc/sys/kernel/random/boot_id")?;
            poll(READY_LIMIT, Duration::from_millis(300), || {
                let node = self.nodes()?.remove(name);
                let back = node.is_some_and(|node| {
                    is_ready(&node)
                        && node["status"]["nodeInfo"]["bootID"].as_str() == Some(boot_id.trim())
                });
                Ok(back.then_some(()))
            })
            .with_context(|| {
                format!("{name} did not become Ready again; see `testbed logs {name}/kubelet`")
            })?;
        }
        self.wait_for_proxy(guest, READY_LIMIT)
    }

    /// The live mode, as kube-proxy itself says it. (A mode switched later by a test is also fine after a boot.)
    fn wait_for_proxy(&self, guest: &dyn Guest, limit: Duration) -> Result<()> {
        let mut last = String::new();
        poll(limit, Duration::from_millis(300), || {
            match guest.run("busybox wget -qO- http://127.0.0.1:10249/proxyMode") {
                Ok(mode) if !mode.trim().is_empty() => return Ok(Some(())),
                Ok(_) => {}
                Err(error) => last = format!("{error:#}"),
            }
            Ok(None)
        })
        .with_context(|| {
            let name = &guest.host().name;
            let log = match self.spec.depth {
                Depth::Full => "`testbed kubectl -- -n kube-system logs ds/kube-proxy`".to_owned(),
                Depth::Light => format!("`testbed logs {name}/kube-proxy`"),
            };
            format!("kube-proxy on {name} does not answer ({last}); see {log}")
        })
    }

    fn nodes(&self) -> Result<BTreeMap<String, Value>> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", "nodes", "-o", "json"])?)?;
        let nodes = list["items"].as_array().cloned().unwrap_or_default();
        Ok(nodes
            .into_iter()
            .filter_map(|node| Some((node["metadata"]["name"].as_str()?.to_owned(), node)))
            .collect())
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command: Command = in_netns("cp", &self.controlplane);
        run(command
            .arg("kubectl")
            .args(arguments)
            .env("KUBECONFIG", layout::admin_kubeconfig()))
    }
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Asks again and again until there is an answer.
fn poll<T>(
    limit: Duration,
    pause: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if begin.elapsed() > limit {
            bail!("not within {} s", limit.as_secs());
        }
        sleep(pause);
    }
}
