//! What the threads that may not be late ask of the kernel: real-time priority, and memory that stays where it is.
//!
//! Beside busy Pods, a heartbeat of a normal thread is late by more than 100 ms every few seconds, and that of a real-time
//! thread hardly ever. Where the kernel refuses, everything goes on, only later: it is logged with the reason, and a metric
//! says so.

use mooring_kernel::{ScheduleError, lock_memory, real_time};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing::{info, warn};

/// What was granted.
#[derive(Debug, Default)]
pub(crate) struct Urgency {
    real_time: Family<[(&'static str, &'static str); 1], Gauge>,
    memory_locked: Gauge,
}

// === impl Urgency ===

impl Urgency {
    /// Locks the memory of the process.
    pub(crate) fn lock_memory(&self) {
        let locked = lock_memory();
        self.memory_locked.set(locked.is_ok().into());
        log(
            locked,
            "memory is locked",
            "answers may wait for memory that was swapped out",
        );
    }

    /// Has the calling thread, of that name, run before all that have a lower priority, of 1 to 99, or none. It must never
    /// be busy for long.
    pub(crate) fn hurry(&self, thread: &'static str, priority: u8) {
        let taken = real_time(priority);
        let gauge = self.real_time.get_or_create(&[("thread", thread)]);
        gauge.set(taken.is_ok().into());
        log(
            taken,
            "a thread has real-time priority",
            "a thread may be late on a busy node",
        );
    }

    /// Has it in the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "real_time",
            "1 if the thread has real-time priority, 0 if it was refused",
            self.real_time.clone(),
        );
        registry.register(
            "memory_locked",
            "1 if the memory of the process is locked, 0 if that was refused",
            self.memory_locked.clone(),
        );
    }
}

fn log(outcome: Result<(), ScheduleError>, granted: &'static str, refused: &'static str) {
    match outcome {
        Ok(()) => info!("{granted}"),
        Err(error) => warn!(reason = %error, "{refused}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn the_metrics_say_what_was_granted_and_what_was_not() {
        let urgency = Arc::new(Urgency::default());
        let mut registry = Registry::default();
        urgency.register(&mut registry);
        let same = Arc::clone(&urgency);
        let granted = thread::spawn(move || {
            same.hurry("never", 100);
            same.hurry("moor", 10);
            std::fs::read_to_string("/proc/thread-self/stat").unwrap()
        });
        let stat = granted.join().unwrap();
        // Field 41 of proc_pid_stat(5), the policy, with the first one behind the name as field 3: 1 is SCHED_FIFO.
        let policy = stat.rsplit_once(") ").unwrap().1.split(' ').nth(38);
        let granted = i32::from(policy == Some("1"));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"real_time{thread="never"} 0"#.to_owned(),
            format!(r#"real_time{{thread="moor"}} {granted}"#),
            "memory_locked 0".to_owned(),
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
