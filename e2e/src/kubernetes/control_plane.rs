//! etcd, the API server, the controllers and the scheduler, as kubeadm would run them.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use crate::pki::{ClusterCa, Identity, ServiceAccountKey, kubeconfig};
use crate::plan::{Host, SERVICE_RANGES, api_server};
use crate::shell::{in_netns, tail};
use crate::supervisor::layout;

/// The processes of the control plane and the authority that they trust.
pub(super) struct ControlPlane {
    program: PathBuf,
    ca: ClusterCa,
    processes: Mutex<Vec<Process>>,
}

/// One of the control plane's processes, which can be stopped and started again.
struct Process {
    name: &'static str,
    arguments: Vec<String>,
    /// `None` while it was stopped on request.
    child: Option<Child>,
}

impl ControlPlane {
    pub(super) fn new(program: &Path) -> Result<Self> {
        let ca = ClusterCa::new("kubernetes")
            .context("cannot make the cluster's certificate authority")?;
        Ok(Self {
            program: program.to_owned(),
            ca,
            processes: Mutex::default(),
        })
    }

    /// Writes keys and certificates and starts etcd and the API server; that they run says nothing yet about their
    /// being ready.
    pub(super) fn start(&self) -> Result<()> {
        let dir = layout::kubernetes();
        let at = |name: &str| dir.join(name).display().to_string();
        self.write_certificates(&dir)?;
        fs::write(
            layout::admin_kubeconfig(),
            self.kubeconfig(&self.ca.admin()?),
        )?;

        self.spawn(
            "etcd",
            &[
                format!("--data-dir={}", at("etcd")),
                "--unsafe-no-fsync".to_owned(), // its disk is memory, and it dies with the bed
                "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
                "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
                "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
                "--log-level=error".to_owned(),
            ],
        )?;
        self.spawn(
            "kube-apiserver",
            &[
                "--etcd-servers=http://127.0.0.1:2379".to_owned(),
                format!("--advertise-address={}", Host::control_plane().ipv4()),
                "--secure-port=6443".to_owned(),
                format!("--tls-cert-file={}", at("apiserver.crt")),
                format!("--tls-private-key-file={}", at("apiserver.key")),
                format!("--client-ca-file={}", at("ca.crt")),
                format!(
                    "--kubelet-client-certificate={}",
                    at("apiserver-kubelet-client.crt")
                ),
                format!(
                    "--kubelet-client-key={}",
                    at("apiserver-kubelet-client.key")
                ),
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
                format!("--service-account-key-file={}", at("sa.pub")),
                format!("--service-account-signing-key-file={}", at("sa.key")),
                format!("--service-cluster-ip-range={SERVICE_RANGES}"),
                "--authorization-mode=Node,RBAC".to_owned(),
                "--enable-admission-plugins=NodeRestriction".to_owned(),
                "--allow-privileged=true".to_owned(),
            ],
        )
    }

    /// Starts what a full bed has besides; they want an API server that answers.
    pub(super) fn start_controllers(&self) -> Result<()> {
        let dir = layout::kubernetes();
        let at = |name: &str| dir.join(name).display().to_string();
        for (name, identity) in [
            ("kube-controller-manager", self.ca.controller_manager()?),
            ("kube-scheduler", self.ca.scheduler()?),
        ] {
            fs::write(
                at(&format!("{name}.kubeconfig")),
                self.kubeconfig(&identity),
            )?;
        }
        self.spawn(
            "kube-controller-manager",
            &[
                format!("--kubeconfig={}", at("kube-controller-manager.kubeconfig")),
                "--use-service-account-credentials=true".to_owned(),
                format!("--service-account-private-key-file={}", at("sa.key")),
                format!("--root-ca-file={}", at("ca.crt")),
                "--leader-elect=false".to_owned(),
            ],
        )?;
        self.spawn(
            "kube-scheduler",
            &[
                format!("--kubeconfig={}", at("kube-scheduler.kubeconfig")),
                "--leader-elect=false".to_owned(),
            ],
        )
    }

    fn write_certificates(&self, dir: &Path) -> Result<()> {
        let host = Host::control_plane();
        // The last one is the Service `kubernetes`.
        let addresses = [
            host.ipv4().into(),
            host.ipv6().into(),
            [10, 96, 0, 1].into(),
        ];
        fs::write(dir.join("ca.crt"), self.ca_certificate())?;
        self.ca.api_server(&addresses)?.write(dir, "apiserver")?;
        self.ca
            .kubelet_client()?
            .write(dir, "apiserver-kubelet-client")?;
        ServiceAccountKey::generate()?.write(dir, "sa")?;
        Ok(())
    }

    pub(super) fn ca_certificate(&self) -> String {
        self.ca.cert_pem()
    }

    /// The kubeconfig of a node's kubelet.
    pub(super) fn kubelet_kubeconfig(&self, node: &str) -> Result<String> {
        Ok(self.kubeconfig(&self.ca.node(node)?))
    }

    /// The kubeconfig of a kube-proxy that is no Pod; the API server knows its rights by this name.
    pub(super) fn kube_proxy_kubeconfig(&self) -> Result<String> {
        Ok(self.kubeconfig(&self.ca.client("system:kube-proxy", None)?))
    }

    fn kubeconfig(&self, identity: &Identity) -> String {
        kubeconfig(
            &api_server(),
            &self.ca_certificate(),
            &identity.cert_pem,
            &identity.key_pem,
        )
    }

    /// Starts a process and keeps it.
    fn spawn(&self, name: &'static str, arguments: &[String]) -> Result<()> {
        let child = Some(self.launch(name, arguments)?);
        self.lock().push(Process {
            name,
            arguments: arguments.to_vec(),
            child,
        });
        Ok(())
    }

    /// Its log goes on where it ended before.
    fn launch(&self, name: &str, arguments: &[String]) -> Result<Child> {
        let path = layout::logs().join(name).with_extension("log");
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        in_netns("cp", &self.program)
            .arg(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))
    }

    /// Ends one process as a crash would: at once.
    pub(super) fn stop(&self, name: &str) -> Result<()> {
        let mut processes = self.lock();
        let process = find(&mut processes, name)?;
        let Some(mut child) = process.child.take() else {
            bail!("{name} is stopped already");
        };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Starts a stopped process with the arguments and the data that it had.
    pub(super) fn start_again(&self, name: &str) -> Result<()> {
        let mut processes = self.lock();
        let process = find(&mut processes, name)?;
        if process.child.is_some() {
            bail!("{name} runs already");
        }
        process.child = Some(self.launch(name, &process.arguments)?);
        Ok(())
    }

    /// Fails if one of the processes has ended by itself.
    pub(super) fn check(&self) -> Result<()> {
        for process in self.lock().iter_mut() {
            let Some(child) = &mut process.child else {
                continue;
            };
            if let Some(status) = child.try_wait()? {
                let log = layout::logs().join(process.name).with_extension("log");
                bail!("{} ended ({status}): {}", process.name, tail(&log, 5));
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(processes: &'a mut [Process], name: &str) -> Result<&'a mut Process> {
    let names: Vec<&str> = processes.iter().map(|process| process.name).collect();
    let known = names.join(", ");
    processes
        .iter_mut()
        .find(|process| process.name == name)
        .with_context(|| {
            format!("there is no process {name} in this control plane; there are {known}")
        })
}
