//! A client that asks a web server again and again, each time over a new connection.
//!
//! ```text
//! SteadyClient ── a GET every period, from whichever thread is free ──▶ server
//!      └─ Attempt (when, how long, which Pod or why not) ── Report ──▶ failures, longest gap
//! ```
//!
//! Attempts overlap: one that waits for a lost packet does not keep the next from starting. There are never more of them at
//! once than threads, nor more in all than were asked for. `report` is pure.

mod get;
mod report;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::probe::{self, ProbeError};

pub use report::{Attempt, Cause, Gap, Report};

/// The most threads of one client: with an attempt every 10 ms that each wait for two seconds, the rate falls to a third.
const MAX_THREADS: usize = 64;

/// What each of the threads needs, and more.
const STACK: usize = 128 * 1024;

/// How long a thread sleeps at most before it sees that it shall end.
const NAP: Duration = Duration::from_millis(50);

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The time from the start of one attempt to the start of the next.
    pub period: Duration,
    /// How long an attempt may take in all.
    pub time_out: Duration,
    /// How many attempts there are if nobody ends the client before.
    pub attempts: u32,
    /// How many attempts there are at once; no more than 64.
    pub threads: usize,
}

impl Options {
    /// So many attempts a second, for no longer than `limit`.
    pub fn per_second(rate: u32, limit: Duration) -> Self {
        let attempts = u64::from(rate) * limit.as_secs();
        Self {
            period: Duration::from_secs(1) / rate.max(1),
            // A SYN that is lost goes out again after one second and after three (RFC 6298 section 2): on a machine whose
            // cores are all busy, nodes lose one now and then.
            time_out: Duration::from_secs(5),
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            threads: 32,
        }
    }

    /// So many attempts in all.
    #[must_use]
    pub fn in_all(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }
}

/// A client that is at work. Dropping it ends it.
#[derive(Debug)]
pub struct SteadyClient {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<(), ProbeError>>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    options: Options,
    began: Instant,
    stop: AtomicBool,
    turns: Mutex<Turns>,
    attempts: Mutex<Vec<Attempt>>,
}

/// Whose turn it is: how many attempts were given to threads, and when the next one starts.
#[derive(Debug)]
struct Turns {
    given: u32,
    next: Instant,
}

// === impl SteadyClient ===

impl SteadyClient {
    /// Asks `target` from the network namespace of the file `netns`.
    ///
    /// # Errors
    /// If the namespace cannot be entered.
    pub fn start(netns: &Path, target: SocketAddr, options: Options) -> Result<Self, ProbeError> {
        // Once before the threads do, for an error that can be told.
        std::thread::scope(|scope| {
            let trial = scope.spawn(|| probe::enter(netns));
            match trial.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        let began = Instant::now();
        let shared = Arc::new(Shared {
            target,
            options,
            began,
            stop: AtomicBool::new(false),
            turns: Mutex::new(Turns {
                given: 0,
                next: began,
            }),
            attempts: Mutex::new(Vec::new()),
        });
        let threads = (0..options.threads.clamp(1, MAX_THREADS))
            .filter_map(|_| {
                let (shared, netns) = (Arc::clone(&shared), netns.to_owned());
                let thread = std::thread::Builder::new().stack_size(STACK);
                thread.spawn(move || shared.work(&netns)).ok()
            })
            .collect();
        Ok(Self { shared, threads })
    }

    /// The time on the client's clock, which starts with it.
    pub fn now(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// What came of the attempts that are over.
    pub fn report(&self) -> Report {
        let attempts = &self.shared.attempts;
        let attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        Report::of(attempts.clone())
    }

    /// When the latest of the attempts that succeeded started, of those that are over.
    pub fn last_success(&self) -> Option<Duration> {
        let attempts = &self.shared.attempts;
        let attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let successes = attempts.iter().filter(|attempt| attempt.outcome.is_ok());
        successes.map(|attempt| attempt.at).max()
    }

    /// Starts no more attempts, waits for those that run, and reports.
    pub fn end(mut self) -> Report {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.join();
        self.report()
    }

    /// Waits until all attempts that were asked for are made, and reports.
    pub fn finish(mut self) -> Report {
        self.join();
        self.report()
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for SteadyClient {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn work(&self, netns: &Path) -> Result<(), ProbeError> {
        probe::enter(netns)?;
        while let Some(turn) = self.turn() {
            while let Some(rest) = turn.checked_duration_since(Instant::now()) {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                std::thread::sleep(rest.min(NAP));
            }
            let begin = Instant::now();
            let outcome = get::get(self.target, begin + self.options.time_out);
            let attempt = Attempt {
                at: begin - self.began,
                took: begin.elapsed(),
                outcome,
            };
            self.attempts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(attempt);
        }
        Ok(())
    }

    /// When the caller's next attempt starts; `None` if there is none. One that is late because every thread was busy
    /// moves those after it: there is never a burst.
    fn turn(&self) -> Option<Instant> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stop.load(Ordering::Relaxed) || turns.given >= self.options.attempts {
            return None;
        }
        let start = turns.next.max(Instant::now());
        *turns = Turns {
            given: turns.given + 1,
            next: start + self.options.period,
        };
        Some(start)
    }
}
