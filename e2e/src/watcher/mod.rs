//! Who answers for addresses over time, asked again and again from a namespace of our choice.
//!
//! ```text
//! Watcher ── a question for each address every 100 ms ──▶ wire
//!    │    ◀── every answer, and all that is said unasked ──
//!    └─ Record (time, address, what) ── Story::of ──▶ who had it when, overlaps, silences
//! ```
//!
//! [`probe::who_answers`] tells who answers at one moment; this tells whether it was one at every moment. `story` is pure.

mod story;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::probe::{self, Audience, ProbeError, Segment, parse_claim};

pub use story::{Event, Overlap, Record, Silence, Stint, Story};

/// How often each address is asked for.
pub const PERIOD: Duration = Duration::from_millis(100);

/// No watch is longer, so that a forgotten one ends.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A thread that asks and listens, from [`Watcher::start`] until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    began: Instant,
    addresses: Vec<IpAddr>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), ProbeError>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It could not ask or listen, from the beginning or from some moment on.
    #[error("the wire is not watched: {0}")]
    Probe(#[from] ProbeError),
    /// It is over; [`Watcher::end`] says why.
    #[error("the watch of the wire ended by itself")]
    Ended,
    /// Nobody watched this address.
    #[error("{0} is not among the addresses that are watched")]
    NotWatched(IpAddr),
}

// === impl Watcher ===

impl Watcher {
    /// Watches `addresses` on the segment of `interface` in the network namespace of the file `netns`. Returns when the
    /// socket is open, so that nothing that is said from then on is missed.
    ///
    /// # Errors
    /// If the namespace cannot be entered or the interface not be listened on.
    pub fn start(netns: &Path, interface: &str, addresses: &[IpAddr]) -> Result<Self, WatchError> {
        let shared = Arc::new(Shared::default());
        let (opened, open) = channel();
        let began = Instant::now();
        let watch = Watch {
            netns: netns.to_owned(),
            interface: interface.to_owned(),
            addresses: addresses.to_vec(),
            began,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::spawn(move || watch.run(&opened));
        let watcher = Self {
            began,
            addresses: addresses.to_vec(),
            shared,
            thread: Some(thread),
        };
        match open.recv() {
            Ok(()) => Ok(watcher),
            Err(_) => Err(watcher.end().err().unwrap_or(WatchError::Ended)),
        }
    }

    /// The time on the watch's clock, which starts with it.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What happened to `address` so far.
    ///
    /// # Errors
    /// If the watch is over, or the address is not watched.
    pub fn story(&self, address: IpAddr) -> Result<Story, WatchError> {
        if !self.addresses.contains(&address) {
            return Err(WatchError::NotWatched(address));
        }
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(WatchError::Ended);
        }
        Ok(Story::of(address, &self.shared.records(), self.now()))
    }

    /// Ends the watch: what happened to each address, in the order in which they were given.
    ///
    /// # Errors
    /// If it could not ask or listen to the end.
    pub fn end(mut self) -> Result<Vec<Story>, WatchError> {
        self.stop()?;
        let (records, end) = (self.shared.records(), self.now());
        let addresses = self.addresses.iter();
        Ok(addresses
            .map(|address| Story::of(*address, &records, end))
            .collect())
    }

    fn stop(&mut self) -> Result<(), ProbeError> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn records(&self) -> Vec<Record> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn record(&self, record: Record) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }
}

/// What the thread works with.
struct Watch {
    netns: PathBuf,
    interface: String,
    addresses: Vec<IpAddr>,
    began: Instant,
    shared: Arc<Shared>,
}

impl Watch {
    fn run(&self, opened: &Sender<()>) -> Result<(), ProbeError> {
        probe::enter(&self.netns)?;
        let segment = Segment::open(&self.interface)?;
        let questions: Vec<(IpAddr, Vec<u8>)> = self
            .addresses
            .iter()
            .map(|address| Ok((*address, segment.question(*address, false)?)))
            .collect::<Result<_, ProbeError>>()?;
        let Some((first, _)) = questions.first() else {
            return Ok(());
        };
        let _ = opened.send(());
        let mut next = Instant::now();
        while !self.shared.stop.load(Ordering::Relaxed) && self.began.elapsed() < LIMIT {
            for (address, question) in &questions {
                segment.send(question, *address)?;
                self.record(*address, Event::Asked);
            }
            // After a stall the next question comes a period later, not at once.
            next = (next + PERIOD).max(Instant::now());
            segment.frames(*first, next, |frame| self.hear(frame, &segment))?;
        }
        Ok(())
    }

    fn hear(&self, frame: &[u8], segment: &Segment) {
        if let Some(claim) = parse_claim(frame, segment.mac())
            && self.addresses.contains(&claim.address)
        {
            let event = match claim.audience {
                Audience::Asker => Event::Answered(claim.mac),
                Audience::Everybody => Event::Announced(claim.mac),
            };
            self.record(claim.address, event);
        }
    }

    fn record(&self, address: IpAddr, event: Event) {
        self.shared.record(Record {
            at: self.began.elapsed(),
            address,
            event,
        });
    }
}
