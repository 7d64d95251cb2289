//! Memory and CPU time of a process, from procfs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a process used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// The highest VmRSS seen, in MiB.
    resident: f64,
    /// The highest RssAnon seen, in MiB.
    anonymous: f64,
    /// CPU time over wall time, in percent of a core.
    core: f64,
}

impl Usage {
    /// A line of the table, and whether the goals (MiB of VmRSS, percent of a core) are met.
    pub(crate) fn row(self, what: &str, memory: f64, core: f64) -> (String, bool) {
        let Self {
            resident,
            anonymous,
            core: used,
        } = self;
        let line = format!(
            "{what:<45} {resident:>10.1} {anonymous:>10.1} {memory:>6.0} {used:>8.2} {core:>6.0}"
        );
        (line, resident < memory && used < core)
    }
}

/// Watches a process for a time; `read` gives the text of a file of its procfs.
pub(crate) fn measure(pid: u32, span: Duration, read: impl Fn(&Path) -> String) -> Usage {
    let file = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
    let begin = Instant::now();
    let before = cpu_seconds(&read(&file("stat")));
    let (mut resident, mut anonymous) = (0.0_f64, 0.0_f64);
    while begin.elapsed() < span {
        let status = read(&file("status"));
        resident = resident.max(mebibytes(&status, "VmRSS:"));
        anonymous = anonymous.max(mebibytes(&status, "RssAnon:"));
        std::thread::sleep(Duration::from_secs(5));
    }
    let used = cpu_seconds(&read(&file("stat"))) - before;
    Usage {
        resident,
        anonymous,
        core: 100.0 * used / begin.elapsed().as_secs_f64(),
    }
}

/// The one child of a process: what a wrapper such as nsenter started.
pub(crate) fn child_of(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let all: Vec<u32> = children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(all.len(), 1, "children of {pid}");
    all[0]
}

fn mebibytes(status: &str, field: &str) -> f64 {
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kibibytes: f64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap();
    kibibytes / 1024.0
}

/// User and system time. The program's name, in parentheses, may hold blanks; the clock's tick is 1/100 s on Linux.
fn cpu_seconds(stat: &str) -> f64 {
    let after_name = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> f64 { fields[index].parse().unwrap() };
    (ticks(11) + ticks(12)) / 100.0
}
