//! The front door: start a bed, and do things with one that is up.

mod fixture;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use crate::probe::{self, Answers};
use crate::protocol::{Reply, Request, SOCKET_PREFIX, Status};
use crate::shell::{output, words};
use crate::spec::Name;
use crate::steady::{self, SteadyClient};
use crate::supervisor::{FAILED, Orders, READY, layout};
use crate::watcher::Watcher;

pub use fixture::Fixture;

/// A bed that is up. Dropping it ends the bed if this process started it as a fixture, and does nothing otherwise.
#[derive(Debug)]
pub struct Bed {
    name: Name,
    supervisor: i32,
    /// Present in a fixture: the bed ends when its other end closes.
    lifeline: Option<(Child, Option<ChildStdin>)>,
}

/// What a command in a node gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

// === impl Bed ===

impl Bed {
    /// Describes a bed for a test. `program` is the `testbed` program (`env!("CARGO_BIN_EXE_testbed")`), `story` a short
    /// name for what is tested; the process id makes the bed's name unique.
    ///
    /// # Panics
    /// If `story` cannot be part of a bed's name.
    pub fn fixture(program: impl AsRef<Path>, story: &str) -> Fixture {
        let name = format!("{story}-{}", std::process::id())
            .parse()
            .expect("a test's name fits a bed's name");
        Fixture::new(program.as_ref(), name)
    }

    /// Starts a bed that outlives this process. `progress` gets a line for each step.
    ///
    /// # Errors
    /// If one of that name is up, or something cannot be started.
    pub fn up(program: &Path, orders: &Orders, progress: &mut dyn FnMut(&str)) -> Result<Self> {
        start(program, orders, progress)
    }

    /// Connects to the bed of that name.
    ///
    /// # Errors
    /// If it is not up.
    pub fn find(name: &Name) -> Result<Self> {
        let stream = connect(name)?;
        let supervisor = getsockopt(&stream, PeerCredentials)?.pid();
        Ok(Self {
            name: name.clone(),
            supervisor,
            lifeline: None,
        })
    }

    /// The names of all beds that are up.
    ///
    /// # Errors
    /// If the kernel's list of sockets cannot be read.
    pub fn all() -> Result<Vec<Name>> {
        let list = std::fs::read_to_string("/proc/net/unix").context("cannot list sockets")?;
        let prefix = format!("@{SOCKET_PREFIX}");
        let names: BTreeSet<Name> = list
            .lines()
            .filter_map(|line| {
                line.split_whitespace()
                    .next_back()?
                    .strip_prefix(&prefix)?
                    .parse()
                    .ok()
            })
            .collect();
        Ok(names.into_iter().collect())
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What runs.
    ///
    /// # Errors
    /// If the bed is gone.
    pub fn status(&self) -> Result<Status> {
        match self.ask(&Request::Status)?.0 {
            Reply::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    /// Carries out a request that gives nothing back but the time it took.
    ///
    /// # Errors
    /// With the supervisor's reason, if it cannot be done.
    pub fn order(&self, request: &Request) -> Result<Duration> {
        let begin = Instant::now();
        match self.ask(request)?.0 {
            Reply::Done => Ok(begin.elapsed()),
            Reply::Took(seconds) => Ok(Duration::from_secs_f64(seconds)),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a shell script in a node.
    ///
    /// # Errors
    /// If the node is off or frozen, or there is no end within `limit`.
    pub fn exec(&self, node: &str, script: &str, limit: Duration) -> Result<Ran> {
        let request = Request::Exec {
            node: node.to_owned(),
            script: script.to_owned(),
            timeout: limit.as_secs(),
        };
        let (reply, mut rest) = self.ask(&request)?;
        let Reply::Output {
            status,
            stdout: out,
            stderr: err,
        } = reply
        else {
            return Err(unexpected(&reply));
        };
        let (mut stdout, mut stderr) = (vec![0; out], vec![0; err]);
        rest.read_exact(&mut stdout)?;
        rest.read_exact(&mut stderr)?;
        Ok(Ran {
            status,
            stdout,
            stderr,
        })
    }

    /// Runs a shell script in a node and returns what it printed.
    ///
    /// # Errors
    /// As [`Bed::exec`], and if its status is not 0.
    pub fn run_on(&self, node: &str, script: &str) -> Result<String> {
        let ran = self.exec(node, script, Duration::from_secs(60))?;
        if ran.status != 0 {
            bail!(
                "{node}: `{script}` ended with {}: {}",
                ran.status,
                String::from_utf8_lossy(&ran.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// A command that will run in one of the bed's namespaces (`cp`, `router`, or a client), with the administrator's
    /// kubeconfig and the bed's programs (kubectl and the others) on its path.
    pub fn command(&self, namespace: &str, program: impl AsRef<OsStr>) -> Command {
        let mut path = layout::programs().into_os_string();
        if let Some(old) = std::env::var_os("PATH") {
            path.push(":");
            path.push(old);
        }
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.supervisor))
            .args(["--mount", "--pid"])
            .arg(format!(
                "--net={}",
                self.see(Path::new("/run/netns").join(namespace).as_path())
                    .display()
            ))
            .arg(format!(
                "--wdns={}",
                std::env::current_dir().unwrap_or_default().display()
            ))
            .arg("--")
            .arg(program)
            .env("PATH", path)
            .env("KUBECONFIG", layout::admin_kubeconfig())
            // All beds have the same addresses, and kubectl keeps what it learns of a server for hours.
            .env("KUBECACHEDIR", layout::kubectl_cache());
        command
    }

    /// Runs kubectl as the administrator.
    ///
    /// # Errors
    /// If it fails; the text has what it said.
    pub fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String> {
        let mut command = self.command("cp", "kubectl");
        command.args(arguments);
        crate::shell::run(&mut command)
    }

    /// Runs kubectl as the administrator with `manifest` as its standard input (`-f -`).
    ///
    /// # Errors
    /// If it fails; the text has what it said.
    pub fn kubectl_with(&self, arguments: &[&str], manifest: &str) -> Result<String> {
        let mut command = self.command("cp", "kubectl");
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start kubectl")?;
        child
            .stdin
            .take()
            .context("standard input is piped")?
            .write_all(manifest.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "`{}` failed: {}",
                words(&command),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs any program in the control plane's namespace and returns all it gave, whatever its status.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn output(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Output> {
        output(self.command("cp", program).args(arguments))
    }

    /// Asks on the segment, from the client `from`, who answers for `target`, and waits for late answers too.
    ///
    /// # Errors
    /// If there is no such client, or its socket fails.
    pub fn who_answers(&self, from: &str, target: IpAddr) -> Result<Answers> {
        Ok(probe::who_answers(
            Some(&self.netns(from)?),
            "eth0",
            target,
            &probe::Options::default(),
        )?)
    }

    /// The names of the hosts that answer for `target`, as [`Bed::who_answers`] finds them; an unknown MAC stands for
    /// itself.
    ///
    /// # Errors
    /// As [`Bed::who_answers`].
    pub fn answering(&self, target: IpAddr) -> Result<BTreeSet<String>> {
        let hosts: Vec<_> = self.status()?.hosts().collect();
        let answers = self.who_answers("client", target)?;
        Ok(answers
            .macs()
            .into_iter()
            .map(|mac| {
                hosts
                    .iter()
                    .find(|host| host.mac() == mac)
                    .map_or(mac.to_string(), |host| host.name.clone())
            })
            .collect())
    }

    /// Watches, from the client `from`, who answers for these addresses from now on.
    ///
    /// # Errors
    /// If there is no such client, or its socket fails.
    pub fn watch(&self, from: &str, addresses: &[IpAddr]) -> Result<Watcher> {
        Ok(Watcher::start(&self.netns(from)?, "eth0", addresses)?)
    }

    /// Lets the client `from` ask the web server at `target` again and again.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn ask_steadily(
        &self,
        from: &str,
        target: SocketAddr,
        options: steady::Options,
    ) -> Result<SteadyClient> {
        let netns = self.netns(from)?;
        Ok(SteadyClient::start(&netns, target, options)?)
    }

    /// The file of the network namespace of a client, the router or the control plane.
    ///
    /// # Errors
    /// If there is none of that name.
    fn netns(&self, of: &str) -> Result<PathBuf> {
        if !self.status()?.hosts().any(|host| host.name == of) {
            bail!("there is no client {of}; add it with `testbed client add {of}`");
        }
        Ok(self.see(Path::new("/run/netns").join(of).as_path()))
    }

    /// A path inside the bed as this process can open it.
    pub fn see(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix("/").unwrap_or(path);
        Path::new("/proc")
            .join(self.supervisor.to_string())
            .join("root")
            .join(inside)
    }

    /// The log files of the bed, by name: `kube-apiserver`, `n1/kubelet`, `n1/console`, ...
    ///
    /// # Errors
    /// If the bed is gone.
    pub fn logs(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), self.see(&layout::logs()))];
        for node in self.status()?.nodes {
            let name = node.host.name;
            folders.push((format!("{name}/"), self.see(&layout::node(&name))));
        }
        for (prefix, folder) in folders {
            let entries = std::fs::read_dir(&folder)
                .with_context(|| format!("cannot list {}", folder.display()))?;
            for path in entries.map_while(Result::ok).map(|entry| entry.path()) {
                if path.extension().is_some_and(|ending| ending == "log") {
                    let stem = path
                        .file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    found.push((format!("{prefix}{stem}"), path));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Ends the bed and waits until its last process is gone.
    ///
    /// # Errors
    /// If it does not end within a minute.
    pub fn down(mut self) -> Result<()> {
        self.order(&Request::Down)?;
        if let Some((mut child, _)) = self.lifeline.take() {
            child.wait()?;
        }
        let begin = Instant::now();
        while connect(&self.name).is_ok()
            || Path::new("/proc")
                .join(self.supervisor.to_string())
                .exists()
        {
            if begin.elapsed() > Duration::from_secs(60) {
                bail!(
                    "the bed {} does not end (its supervisor is process {})",
                    self.name,
                    self.supervisor
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn ask(&self, request: &Request) -> Result<(Reply, BufReader<UnixStream>)> {
        let mut stream = connect(&self.name)?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut reader = BufReader::new(stream);
        let mut answer = String::new();
        reader.read_line(&mut answer)?;
        match serde_json::from_str(&answer) {
            Ok(Reply::Failed(reason)) => Err(anyhow!(reason)),
            Ok(reply) => Ok((reply, reader)),
            Err(_) => bail!("the bed {} ended before it answered", self.name),
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some((child, lifeline)) = &mut self.lifeline {
            drop(lifeline.take());
            let _ = child.wait();
        }
    }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    anyhow!("an answer that does not fit the question: {reply:?}")
}

fn connect(name: &Name) -> Result<UnixStream> {
    let address = UnixAddr::from_abstract_name(format!("{SOCKET_PREFIX}{name}"))?;
    UnixStream::connect_addr(&address)
        .map_err(|_| anyhow!("no bed named {name} is up; `testbed up --name {name}` starts one"))
}

/// Starts the chain of processes that [`crate::supervisor`] describes, and waits for its word.
fn start(program: &Path, orders: &Orders, progress: &mut dyn FnMut(&str)) -> Result<Bed> {
    let begin = Instant::now();
    let name = &orders.spec.name;
    if connect(name).is_ok() {
        bail!("a bed named {name} is up already (`testbed down --name {name}` ends it)");
    }
    // The inner shell is the init of the bed: it collects orphans, and ends when the supervisor does. Everything that
    // is said goes into one pipe, so that a bed does not hold the standard error of whoever started it.
    let chain = "exec 2>&1; exec unshare --mount --pid --fork --kill-child --mount-proc -- sh -c '\"$@\"; exit $?' bed \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", chain, "testbed"])
        .arg(program)
        .arg("supervise")
        .arg(serde_json::to_string(orders)?)
        .stdin(if orders.lifeline {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start `unshare` (package util-linux)")?;
    let lines = BufReader::new(child.stdout.take().context("standard output is piped")?);
    for line in lines.lines() {
        let line = line?;
        if line == READY {
            let supervisor = Bed::find(name)?.supervisor;
            progress(&format!("ready in {:.1} s", begin.elapsed().as_secs_f64()));
            let lifeline = child.stdin.take();
            let lifeline = orders.lifeline.then_some((child, lifeline));
            return Ok(Bed {
                name: name.clone(),
                supervisor,
                lifeline,
            });
        }
        match line.strip_prefix(FAILED) {
            Some(reason) => {
                let _ = child.wait();
                bail!("the bed {name} did not come up: {reason}");
            }
            None => progress(&line),
        }
    }
    bail!("the bed {name} ended while it came up ({})", child.wait()?)
}
