//! All that a bed holds, and how it comes up.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::machine::{Hardware, Machine};
use super::{Orders, fabric, layout, write_program};
use crate::kubernetes::{Cluster, Guest};
use crate::plan::Host;
use crate::protocol::{NodeStatus, Status};
use crate::spec::{Depth, Spec};

/// Generous: on a busy machine a kernel may take many times its usual second.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// A bed.
pub(super) struct World {
    spec: Spec,
    controlplane: String,
    cluster: Cluster,
    machines: Vec<Machine>,
    changing: Mutex<Changing>,
}

#[derive(Debug, Default)]
struct Changing {
    clients: Vec<Host>,
    cuts: Vec<(String, String)>,
}

impl World {
    pub(super) fn new(orders: &Orders) -> Result<Self> {
        let spec = orders.spec.clone();
        let hosts: Vec<Host> = (0..spec.nodes).map(Host::node).collect();
        let machines = hosts
            .iter()
            .map(|host| {
                let (kernel, memory) = (orders.kernel.clone(), spec.memory);
                let arguments = spec.kernel.arguments();
                Machine::new(Hardware {
                    host: host.clone(),
                    kernel,
                    arguments,
                    memory,
                })
            })
            .collect();
        let cluster = Cluster::new(&spec, &orders.controlplane, hosts)?;
        let controlplane = orders.controlplane.display().to_string();
        Ok(Self {
            spec,
            controlplane,
            cluster,
            machines,
            changing: Mutex::default(),
        })
    }

    /// Brings everything up, the control plane and the machines side by side.
    pub(super) fn start(&self, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        fabric::create()?;
        for host in [Host::router(), Host::control_plane()] {
            fabric::add_namespace(&host)?;
            fabric::add_routes(&host, &self.cluster.hosts)?;
        }
        fabric::enable_forwarding(&Host::router())?;
        self.add_client("client")?;
        for machine in &self.machines {
            fabric::add_tap(machine.host())?;
        }
        say("segment, router, control plane's namespace and client are there");
        thread::scope(|scope| {
            let control_plane = scope.spawn(|| -> Result<()> {
                self.cluster.start_control_plane()?;
                say("API server is ready");
                self.cluster.populate()
            });
            let nodes: Vec<_> = self
                .machines
                .iter()
                .map(|machine| scope.spawn(|| self.bring_up(machine, say)))
                .collect();
            let mut outcome = joined(control_plane.join());
            for node in nodes {
                outcome = outcome.and(joined(node.join()));
            }
            outcome
        })?;
        self.cluster.wait_until_ready(&self.guests(), say)
    }

    /// Boots a machine and starts its part of Kubernetes.
    fn bring_up(&self, machine: &Machine, say: &(dyn Fn(&str) + Sync)) -> Result<()> {
        let name = &machine.host().name;
        let dir = machine.dir();
        fs::create_dir_all(&dir)?;
        write_program(&dir.join("agent"), include_str!("../../guest/agent"))?;
        self.cluster.furnish_node(machine.host(), &dir)?;
        let took = machine.boot(BOOT_LIMIT)?;
        say(&format!("{name}: kernel up in {:.1} s", took.as_secs_f64()));
        self.cluster.start_node(machine)
    }

    /// Starts a node that is off and waits until the cluster has it back.
    pub(super) fn boot(&self, name: &str) -> Result<Duration> {
        let begin = Instant::now();
        let machine = self.machine(name)?;
        self.bring_up(machine, &|_| {})?;
        self.cluster.wait_until_back(machine)?;
        Ok(begin.elapsed())
    }

    /// Ends a process of the control plane.
    pub(super) fn stop(&self, process: &str) -> Result<()> {
        self.cluster.stop(process)
    }

    /// Starts one again, and waits until the API server answers.
    pub(super) fn start_again(&self, process: &str) -> Result<Duration> {
        let begin = Instant::now();
        self.cluster.start(process)?;
        Ok(begin.elapsed())
    }

    pub(super) fn machine(&self, name: &str) -> Result<&Machine> {
        self.machines
            .iter()
            .find(|machine| machine.host().name == name)
            .with_context(|| {
                let names: Vec<&str> = self
                    .machines
                    .iter()
                    .map(|m| m.host().name.as_str())
                    .collect();
                format!(
                    "there is no node {name}; the nodes are {}",
                    names.join(", ")
                )
            })
    }

    fn guests(&self) -> Vec<&dyn Guest> {
        self.machines
            .iter()
            .map(|machine| machine as &dyn Guest)
            .collect()
    }

    pub(super) fn status(&self) -> Status {
        let changing = self.lock();
        Status {
            spec: self.spec.clone(),
            nodes: self
                .machines
                .iter()
                .map(|machine| NodeStatus {
                    host: machine.host().clone(),
                    power: machine.power(),
                })
                .collect(),
            clients: changing.clients.clone(),
            cuts: changing.cuts.clone(),
            controlplane: self.controlplane.clone(),
        }
    }

    /// Adds pairs to those between which nothing passes.
    pub(super) fn cut(&self, pairs: Vec<(String, String)>) -> Result<()> {
        let known: Vec<String> = self.status().hosts().map(|host| host.name).collect();
        if let Some(name) = pairs
            .iter()
            .flat_map(|(a, b)| [a, b])
            .find(|name| !known.contains(name))
        {
            bail!(
                "there is no host {name}; the hosts are {}",
                known.join(", ")
            );
        }
        let mut changing = self.lock();
        let mut wanted = changing.cuts.clone();
        wanted.extend(pairs);
        wanted.sort();
        wanted.dedup();
        fabric::set_cuts(&wanted)?;
        changing.cuts = wanted;
        Ok(())
    }

    pub(super) fn heal(&self) -> Result<()> {
        let mut changing = self.lock();
        fabric::set_cuts(&[])?;
        changing.cuts.clear();
        Ok(())
    }

    pub(super) fn add_client(&self, name: &str) -> Result<()> {
        // The name becomes that of a network namespace and of a link.
        let fits = (1..=12).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !["lan", "lo", "fabric"].contains(&name);
        if !fits {
            bail!(
                "{name:?} cannot name a client: use 1 to 12 characters of a-z, 0-9 and - (not lan, lo, fabric)"
            );
        }
        if self.status().hosts().any(|host| host.name == name) {
            bail!("there is a host {name} already");
        }
        let mut changing = self.lock();
        let index = u8::try_from(changing.clients.len()).unwrap_or(u8::MAX);
        if index >= 90 {
            bail!("a bed has room for 90 clients");
        }
        let host = Host::client(name, index);
        fabric::add_namespace(&host)?;
        fabric::add_routes(&host, &self.cluster.hosts)?;
        changing.clients.push(host);
        Ok(())
    }

    pub(super) fn load_image(&self, tar: &Path) -> Result<()> {
        if self.spec.depth == Depth::Light {
            bail!("a light bed has no containerd to load images into");
        }
        // The name becomes part of shell scripts in the nodes.
        let stem = tar
            .file_stem()
            .with_context(|| format!("{} has no file name", tar.display()))?;
        let plain: String = stem
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        // Apart from the bed's own images, which are links into the cache.
        let name = format!("loaded-{plain}.tar");
        let kept = layout::images().join(&name);
        fs::copy(tar, &kept).with_context(|| format!("cannot read {}", tar.display()))?;
        let script = format!("ctr -a /run/containerd.sock -n k8s.io images import /images/{name}");
        let outcome = thread::scope(|scope| {
            let imports: Vec<_> = self
                .machines
                .iter()
                .filter(|machine| machine.power() == crate::protocol::Power::On)
                .map(|machine| scope.spawn(|| machine.run(&script)))
                .collect();
            imports
                .into_iter()
                .try_for_each(|import| joined(import.join()).map(drop))
        });
        if outcome.is_err() {
            // Else no node could boot any more.
            let _ = fs::remove_file(&kept);
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest for Machine {
    fn host(&self) -> &Host {
        self.host()
    }

    fn run(&self, script: &str) -> Result<String> {
        let end = self.exec(script, Duration::from_secs(180))?;
        if end.status != 0 {
            bail!(
                "{}: `{}` failed with status {}: {}",
                self.host().name,
                script.trim(),
                end.status,
                String::from_utf8_lossy(&end.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&end.stdout).into_owned())
    }
}

fn joined<T>(result: thread::Result<Result<T>>) -> Result<T> {
    result.unwrap_or_else(|_| {
        Err(anyhow!(
            "a thread of the supervisor panicked; this is a bug of the test bed"
        ))
    })
}
