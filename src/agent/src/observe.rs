//! One look at the node: its endpoints, its kernel, its files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::node::sysctls::Change;
use mooring_core::node::{SysctlFile, addresses};
use mooring_core::proxy_mode::{Answer, ArpSeen, Endpoints, KernelSeen, Observed};
use mooring_kernel::LinuxHost;
use tokio::time::Instant;

use crate::args::Args;
use crate::endpoints::Asker;
use crate::enforce::{self, Outcome};
use crate::kernel::{self, Traces};
use crate::sysctl_files;
use crate::view::{Processes, View};

/// For how long what changes with the proxy is taken as read.
const TRACES_AGE: Duration = Duration::from_secs(30);
/// For how long the files that set sysctls are.
const FILES_AGE: Duration = Duration::from_secs(60);

/// Looks, and remembers what need not be read at each look.
pub(crate) struct Observer {
    node: String,
    proc: PathBuf,
    host_root: Option<PathBuf>,
    asker: Asker,
    processes: Processes,
    proxy_mode: Option<Answer>,
    traces: Option<(Arc<Traces>, Instant)>,
    files: Option<(Vec<SysctlFile>, Instant)>,
    arp: Vec<(String, ArpSeen)>,
}

// === impl Observer ===

impl Observer {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            node: args.node_name.clone(),
            proc: args.proc.clone(),
            host_root: args.host_root.clone(),
            asker: Asker::default(),
            processes: Processes::default(),
            proxy_mode: None,
            traces: None,
            files: None,
            arp: Vec::new(),
        }
    }

    /// Looks at everything.
    pub(crate) async fn look(&mut self, view: &View) -> Result<Observed> {
        let processes = view.processes();
        if processes != self.processes {
            self.asker.forget();
            self.processes = processes;
        }
        let config_maps = view.config_maps();
        let at = addresses(&self.node, view.pods(), &config_maps);
        let endpoints = self.asker.ask(&at).await;
        if self.proxy_mode.as_ref() != Some(&endpoints.proxy_mode) {
            self.traces = None;
            self.proxy_mode = Some(endpoints.proxy_mode.clone());
        }
        Ok(Observed {
            node: self.node.clone(),
            now: now(),
            endpoints,
            pods: view.known_pods(),
            config_maps,
            kernel: self.look_at_kernel().await?,
        })
    }

    /// A look at the kernel and at nothing else, for a process that has no time left.
    pub(crate) async fn look_at_kernel_alone(&mut self) -> Result<Observed> {
        let unasked = || Answer::Failed("not asked".to_owned());
        Ok(Observed {
            node: self.node.clone(),
            now: now(),
            endpoints: Endpoints {
                metrics_address: String::new(),
                healthz_address: String::new(),
                proxy_mode: unasked(),
                configz: unasked(),
                metrics: unasked(),
                healthz: unasked(),
            },
            pods: None,
            config_maps: Vec::new(),
            kernel: self.look_at_kernel().await?,
        })
    }

    async fn look_at_kernel(&mut self) -> Result<KernelSeen> {
        let known = self
            .traces
            .take()
            .filter(|(_, read)| read.elapsed() < TRACES_AGE);
        let read = tokio::task::spawn_blocking(move || {
            let host = LinuxHost::new();
            let (traces, read) =
                known.unwrap_or_else(|| (Arc::new(kernel::traces(&host)), Instant::now()));
            let seen = kernel::look(&host, &traces);
            (seen, traces, read)
        });
        let (seen, traces, at) = read.await.context("reading the kernel")?;
        self.traces = Some((traces, at));
        let arp = arp(&seen);
        if arp != self.arp {
            // Whoever changed them may have left a file.
            self.files = None;
            self.arp = arp;
        }
        Ok(seen)
    }

    /// The files that set ARP sysctls on this node.
    pub(crate) async fn files(&mut self) -> Result<&[SysctlFile]> {
        let Some(root) = self.host_root.clone() else {
            return Ok(&[]);
        };
        let known = self
            .files
            .take()
            .filter(|(_, read)| read.elapsed() < FILES_AGE);
        let files = match known {
            Some(known) => known,
            None => {
                let read = tokio::task::spawn_blocking(move || sysctl_files::read(&root));
                let files = read.await.context("reading the files that set sysctls")?;
                (files, Instant::now())
            }
        };
        Ok(&self.files.insert(files).0)
    }

    /// Writes sysctls.
    pub(crate) async fn write(&self, changes: Vec<Change>) -> Result<Vec<(Change, Outcome)>> {
        let proc = self.proc.clone();
        let write = tokio::task::spawn_blocking(move || {
            enforce::apply(&mut LinuxHost::with_proc(proc), &changes)
        });
        write.await.context("writing sysctls")
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second())
}

/// The sysctls of every link that has a MAC and is no Pod's.
fn arp(seen: &KernelSeen) -> Vec<(String, ArpSeen)> {
    let links = seen.links.iter();
    links
        .filter(|(_, link)| link.mac.is_some() && link.kind.as_deref() != Some("veth"))
        .filter_map(|(name, link)| Some((name.clone(), *link.arp.as_ref().ok()?)))
        .collect()
}
