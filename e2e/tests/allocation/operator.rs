//! The operator as a process in the bed.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::Bed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::cargo;

/// An operator that takes longer to say how it is hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// How an operator is started, each time.
#[derive(Debug, Clone)]
pub(crate) struct Replica<'a> {
    bed: &'a Bed,
    program: PathBuf,
    name: &'static str,
    port: u16,
}

/// One that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Operator {
    wrapper: Child,
    /// Its process id, as this process sees it.
    pub(crate) pid: u32,
}

/// The operator as it is in this source tree.
pub(crate) fn program() -> PathBuf {
    cargo::programs().join("mooring-operator")
}

// === impl Replica ===

impl<'a> Replica<'a> {
    /// One with a Lease of its own, named after it.
    pub(crate) fn new(bed: &'a Bed, program: &Path, name: &'static str, port: u16) -> Self {
        Self {
            bed,
            program: program.to_owned(),
            name,
            port,
        }
    }

    /// Starts it, under the same name each time, as a container that is started again in its Pod.
    pub(crate) fn start(&self) -> Operator {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut command = self.bed.command("cp", &self.program);
        let wrapper = command
            .arg(format!("--lease-name={}", self.name))
            .arg(format!("--listen=127.0.0.1:{}", self.port))
            .env("POD_NAME", self.name)
            .env("POD_NAMESPACE", "mooring-system")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = child_of(wrapper.id());
        Operator { wrapper, pid }
    }

    /// All that it said, in all its lives.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(self.log_file())
            .and_then(|mut file| std::io::Read::read_to_string(&mut file, &mut text));
        read.map(|_| text).unwrap_or_else(|error| error.to_string())
    }

    /// The end of that.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(40)..].join("\n");
        format!("--- the log of {}\n{tail}\n", self.name)
    }

    /// Fails if it ever panicked.
    #[track_caller]
    pub(crate) fn expect_no_panic(&self) {
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// The sum of a metric over all its labels; `None` while it does not answer, or has no such metric.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let answer = tokio::time::timeout(PATIENCE, self.metrics()).await;
        let text = answer.ok()?.ok()?;
        let values: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with(name))
            .filter(|line| matches!(line.as_bytes().get(name.len()), Some(b' ' | b'{')))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Its metrics as text.
    pub(crate) async fn metrics(&self) -> std::io::Result<String> {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\nHost: operator\r\n\r\n")
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    fn log_file(&self) -> PathBuf {
        let name = format!("/run/operator-{}.log", self.name);
        self.bed.see(Path::new(&name))
    }
}

// === impl Operator ===

impl Operator {
    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Fails if it has ended by itself.
    #[track_caller]
    pub(crate) fn expect_alive(&mut self) {
        let ended = self.wrapper.try_wait().unwrap();
        assert!(ended.is_none(), "the operator ended by itself: {ended:?}");
    }

    /// A line of `/proc/PID/status` that is a size, in MiB.
    pub(crate) fn memory(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kibibytes = line.split_whitespace().nth(1).unwrap();
        kibibytes.parse::<f64>().unwrap() / 1024.0
    }

    /// Time of the CPU that it used, in seconds. The clock's tick is 1/100 s on Linux.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..]
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn end(&mut self) {
        if self.wrapper.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGKILL);
        }
        let _ = self.wrapper.wait();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.end();
    }
}

/// The process that a wrapper such as nsenter has forked, once it has.
fn child_of(wrapper: u32) -> u32 {
    let begin = Instant::now();
    loop {
        let path = format!("/proc/{wrapper}/task/{wrapper}/children");
        let children = std::fs::read_to_string(path).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "nsenter hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
}
