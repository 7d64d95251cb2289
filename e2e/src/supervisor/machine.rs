//! One node's machine: a Linux kernel that runs as a process (User Mode Linux), with its serial line and its power.
//!
//! ```text
//! sh (opens the serial FIFOs and the console log)
//!  `- unshare --pid --kill-child         <- the child we hold: SIGKILL it and the whole node is gone
//!      `- sh (init of the node's pid namespace)
//!          `- linux umid=n1 ...          <- the kernel: SIGSTOP freezes the node
//! ```
//!
//! The kernel must not be the init of that namespace: at a panic its abort() would do nothing there.
//! Commands go down serial line 0 by their id, text and output travel as files through hostfs: out of band, so they
//! work with every network cut.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{diagnosis, layout};
use crate::plan::Host;
use crate::protocol::Power;
use crate::shell::tail;

/// How long the question may take what a command without an end is doing.
const DIAGNOSIS: Duration = Duration::from_secs(10);

/// What a machine is made of.
#[derive(Debug, Clone)]
pub(super) struct Hardware {
    /// Name, addresses, MAC.
    pub(super) host: Host,
    /// The kernel's program.
    pub(super) kernel: PathBuf,
    /// What the kernel is told besides.
    pub(super) arguments: &'static str,
    /// MiB.
    pub(super) memory: u32,
}

/// A node's machine, on or off.
#[derive(Debug)]
pub(super) struct Machine {
    hardware: Hardware,
    running: Mutex<Option<Running>>,
    next_command: AtomicU64,
}

#[derive(Debug)]
struct Running {
    child: Child,
    kernel_pid: Pid,
    serial: fs::File,
    waiting: Arc<Waiting>,
    frozen: bool,
}

/// What a finished command gave.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// A command without an end so far, by its id.
struct Unfinished(String);

/// Who waits for which line of the serial console. `None` once the kernel has gone.
#[derive(Debug, Default)]
struct Waiting(Mutex<Option<BTreeMap<String, Sender<i32>>>>);

// === impl Machine ===

impl Machine {
    pub(super) fn new(hardware: Hardware) -> Self {
        Self {
            hardware,
            running: Mutex::new(None),
            next_command: AtomicU64::new(1),
        }
    }

    pub(super) fn host(&self) -> &Host {
        &self.hardware.host
    }

    /// The node's folder, which it sees as `/tb`.
    pub(super) fn dir(&self) -> PathBuf {
        layout::node(&self.hardware.host.name)
    }

    pub(super) fn power(&self) -> Power {
        match self.lock().as_ref() {
            Some(running) if running.waiting.gone() => Power::Off,
            Some(running) if running.frozen => Power::Frozen,
            Some(_) => Power::On,
            None => Power::Off,
        }
    }

    /// Boots the machine, and returns when its second stage serves commands.
    pub(super) fn boot(&self, limit: Duration) -> Result<Duration> {
        let name = &self.hardware.host.name;
        let begin = Instant::now();
        let mut slot = self.lock();
        match slot.take() {
            Some(running) if !running.waiting.gone() => {
                *slot = Some(running);
                bail!("{name} is on already");
            }
            Some(mut ended) => ended.cut_power()?,
            None => {}
        }
        let dir = self.dir();
        fs::create_dir_all(dir.join("x"))?;
        for stale in ["ser.in", "ser.out", "kernel.pid"] {
            let _ = fs::remove_file(dir.join(stale));
        }
        // Left by a killed kernel; it would take its own name for used and listen elsewhere.
        let _ = fs::remove_dir_all(layout::uml().join(name));
        for fifo in ["ser.in", "ser.out"] {
            nix::unistd::mkfifo(&dir.join(fifo), nix::sys::stat::Mode::S_IRWXU)?;
        }
        let mut child = self.spawn(&dir)?;
        let waiting = Arc::new(Waiting(Mutex::new(Some(BTreeMap::new()))));
        let ready = waiting
            .expect("READY")
            .ok_or_else(|| anyhow!("{name}: no serial line"))?;
        thread::spawn({
            let (waiting, path) = (Arc::clone(&waiting), dir.join("ser.out"));
            move || waiting.read_lines(&path)
        });
        let serial = fs::OpenOptions::new()
            .write(true)
            .open(dir.join("ser.in"))?;
        match ready.recv_timeout(limit) {
            Ok(_) => {}
            Err(reason) => {
                let _ = child.kill();
                let _ = child.wait();
                let why = match reason {
                    RecvTimeoutError::Timeout => format!("not ready within {} s", limit.as_secs()),
                    RecvTimeoutError::Disconnected => "its kernel ended".to_owned(),
                };
                bail!(
                    "{name}: {why}; its console ends with:\n{}",
                    tail(&dir.join("console.log"), 15)
                );
            }
        }
        let kernel_pid = read_pid(&dir.join("kernel.pid"))?;
        *slot = Some(Running {
            child,
            kernel_pid,
            serial,
            waiting,
            frozen: false,
        });
        Ok(begin.elapsed())
    }

    fn spawn(&self, dir: &Path) -> Result<Child> {
        let Hardware {
            host,
            kernel,
            arguments,
            memory,
        } = &self.hardware;
        let (dir, name) = (dir.display(), &host.name);
        // /proc is the bed's, so that this is the kernel's pid as the supervisor knows it.
        let kernel_script = format!(
            "read pid rest </proc/self/stat
             echo $pid >{dir}/kernel.pid
             exec nsenter --net=/run/netns/fabric {kernel} mem={memory}M root=/dev/root rootfstype=hostfs rootflags=/ ro \\
               init={init} tb_dir={dir} tb_images={images} tb_name={name} con=null con0=null,fd:1 ssl0=fd:5,fd:6 \\
               umid={name} uml_dir={uml} {arguments} panic=-1 noreboot vec0:transport=tap,ifname={name},depth=64,mac={mac}\n",
            kernel = kernel.display(),
            init = layout::guest_init().display(),
            images = layout::images().display(),
            uml = layout::uml().display(),
            mac = host.mac(),
        );
        fs::write(self.dir().join("kernel.sh"), kernel_script)?;
        let power = format!(
            "exec 5<>{dir}/ser.in 6<>{dir}/ser.out >>{dir}/console.log 2>&1 </dev/null
             exec unshare --pid --fork --kill-child sh -c 'sh {dir}/kernel.sh; exit $?'"
        );
        Command::new("sh")
            .args(["-c", &power])
            .env("TMPDIR", layout::memory())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start the machine of {name}"))
    }

    /// Cuts the power: every process of the node is gone when this returns.
    pub(super) fn kill(&self) -> Result<()> {
        let mut running = self
            .lock()
            .take()
            .with_context(|| format!("{} is off", self.hardware.host.name))?;
        running.cut_power()
    }

    /// Stops the kernel where it is. Only its main process: stopping its helpers as well would crash it later.
    pub(super) fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP, true)
    }

    /// Lets a frozen kernel go on.
    pub(super) fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT, false)
    }

    fn signal(&self, signal: Signal, frozen: bool) -> Result<()> {
        let mut slot = self.lock();
        let running = slot
            .as_mut()
            .with_context(|| format!("{} is off", self.hardware.host.name))?;
        kill(running.kernel_pid, signal)?;
        running.frozen = frozen;
        Ok(())
    }

    /// Runs a script in the node and waits for its end. If there is none, the error says what it is doing.
    pub(super) fn exec(&self, script: &str, limit: Duration) -> Result<Finished> {
        self.run(script, limit)?.map_err(|Unfinished(id)| {
            anyhow!(
                "{}: no end of `{}` within {} s\n{}",
                self.hardware.host.name,
                first_line(script),
                limit.as_secs(),
                self.diagnose(&id)
            )
        })
    }

    fn diagnose(&self, id: &str) -> String {
        let processes = match self.run(&diagnosis::script(id), DIAGNOSIS) {
            Ok(Ok(ran)) => String::from_utf8_lossy(&ran.stdout).into_owned(),
            Ok(Err(Unfinished(_))) => "nor does any other command end".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        let slot = self.lock();
        let process = slot.as_ref().map(|running| running.kernel_pid.as_raw());
        let kernel = process.map(|process| diagnosis::kernel(&self.hardware.host.name, process));
        format!(
            "its processes:\n{processes}\n{}",
            kernel.unwrap_or_default()
        )
    }

    fn run(&self, script: &str, limit: Duration) -> Result<Result<Finished, Unfinished>> {
        let name = &self.hardware.host.name;
        let id = self
            .next_command
            .fetch_add(1, Ordering::Relaxed)
            .to_string();
        let folder = self.dir().join("x");
        let file = |kind: &str| folder.join(format!("{id}.{kind}"));
        fs::write(file("cmd"), format!("{script}\n"))?;
        let (end, waiting) = {
            let mut slot = self.lock();
            let running = slot.as_mut().with_context(|| format!("{name} is off"))?;
            if running.frozen {
                bail!("{name} is frozen: `thaw` it first");
            }
            let end = running
                .waiting
                .expect(&id)
                .with_context(|| format!("{name} is off"))?;
            running.serial.write_all(format!("{id}\n").as_bytes())?;
            (end, Arc::clone(&running.waiting))
        };
        let status = match end.recv_timeout(limit) {
            Ok(status) => status,
            Err(RecvTimeoutError::Timeout) => {
                waiting.forget(&id);
                return Ok(Err(Unfinished(id)));
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{name} went off during `{}`", first_line(script))
            }
        };
        let stdout = fs::read(file("out")).unwrap_or_default();
        let stderr = fs::read(file("err")).unwrap_or_default();
        for kind in ["cmd", "out", "err"] {
            let _ = fs::remove_file(file(kind));
        }
        Ok(Ok(Finished {
            status,
            stdout,
            stderr,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Running ===

impl Running {
    fn cut_power(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        // The tap is free only when the last process of the node is gone.
        let kernel = format!("/proc/{}", self.kernel_pid);
        let begin = Instant::now();
        while Path::new(&kernel).exists() {
            if begin.elapsed() > Duration::from_secs(10) {
                bail!("process {} of a killed node does not end", self.kernel_pid);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

// === impl Waiting ===

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Sender<i32>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> bool {
        self.lock().is_none()
    }

    fn expect(&self, id: &str) -> Option<Receiver<i32>> {
        let (sender, receiver) = channel();
        self.lock().as_mut()?.insert(id.to_owned(), sender);
        Some(receiver)
    }

    fn forget(&self, id: &str) {
        if let Some(map) = self.lock().as_mut() {
            map.remove(id);
        }
    }

    /// Passes lines on until the last writer, the kernel, is gone.
    fn read_lines(&self, path: &Path) {
        if let Ok(file) = fs::File::open(path) {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                let mut parts = line.split_whitespace();
                let (id, status) = match (parts.next(), parts.next(), parts.next()) {
                    (Some("READY"), _, _) => ("READY", Some(0)),
                    (Some("EXIT"), Some(id), Some(status)) => (id, status.parse().ok()),
                    _ => continue,
                };
                let waiter = self.lock().as_mut().and_then(|map| map.remove(id));
                if let (Some(waiter), Some(status)) = (waiter, status) {
                    let _ = waiter.send(status);
                }
            }
        }
        *self.lock() = None;
    }
}

fn read_pid(path: &Path) -> Result<Pid> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let pid: i32 = text
        .trim()
        .parse()
        .with_context(|| format!("{}: not a pid", path.display()))?;
    if pid <= 1 {
        bail!("{}: refusing to signal pid {pid}", path.display());
    }
    Ok(Pid::from_raw(pid))
}

fn first_line(script: &str) -> &str {
    script.trim().lines().next().unwrap_or_default()
}
