//! The loop of the leader: look, decide, persist, act; and look again.
//!
//! ```text
//! watches ─▶ World ─▶ survey ─▶ step, judge ─▶ status of the ServiceProxy (resourceVersion) ─▶ actions ─▶ events
//! ```
//!
//! What is decided is in `mooring_core`. The guard keeps its promise to it: nothing is done before the run that intends it
//! is persisted, no step is taken while a part of the cluster cannot be read, and what was written is known at once, so
//! that no decision rests on a look from before.
//!
//! The loop is one future. Dropping it, which is what happens when the Lease is lost, ends everything at the next point
//! where it waits; and every write is such that it fails or repeats harmlessly.

use std::time::Duration;

use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::run::Made;
use mooring_core::remediation::{Note, NoteTarget};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::cache::Effect;
use crate::cluster::{ApiError, Cluster};
use crate::event::Recorder;
use crate::health::Pulse;
use crate::leader::{Outage, Standing};
use crate::metrics::Metrics;
use crate::waits::Waits;
use crate::watches::Watches;
use crate::world::{Change, World};

mod farewell;
mod look;
mod service_proxy;

use look::Views;

/// Looks are at least so far apart.
const SHORTEST_GAP: Duration = Duration::from_millis(300);
/// Looking takes at most one part in so many of the time, however many nodes there are.
const SHARE_OF_TIME: u32 = 75;
/// A look without any change, for what depends on time alone.
const LONGEST_GAP: Duration = Duration::from_secs(20);
/// How long a failed write is not tried again; doubled with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a deleted ServiceProxy is looked at.
const FAREWELL_GAP: Duration = Duration::from_secs(2);
/// An outage that ended longer ago is no news.
const NEWS: Duration = Duration::from_secs(300);

/// What the guard needs of the process.
#[derive(Clone)]
pub(crate) struct Context {
    /// The API.
    pub cluster: Cluster,
    /// The Lease that this replica holds; it also remembers that there was a ServiceProxy.
    pub lease: String,
    /// This replica.
    pub identity: String,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether this replica may act.
    pub standing: watch::Receiver<Standing>,
    /// Told at every turn.
    pub pulse: watch::Sender<Pulse>,
}

/// The guard of a cluster, for as long as this replica leads.
struct Guard {
    context: Context,
    recorder: Recorder,
    world: World,
    watches: Watches,
    views: Views,
    /// The look is old.
    stale: bool,
    /// When to look next, at the earliest.
    not_before: Instant,
    /// When to look next, though nothing changes.
    wake: Instant,
    /// Since when everything could be read without a gap.
    observing_since: Option<Timestamp>,
    /// What is waited for.
    waits: Waits,
    /// How long to wait after the next failure.
    pause: Duration,
    /// The last failure that was logged, until something succeeds.
    failure: Option<String>,
    /// The last write that was not allowed, in words with the command that allows it.
    refused: Option<String>,
    /// The edits that this operator made, the last one of each key.
    made: Vec<Made>,
    /// The Lease says that there was a ServiceProxy.
    marked: bool,
    /// It was said that nothing is guarded.
    idle_said: bool,
    /// The nodes that a deleted ServiceProxy was last said to wait for.
    farewell_said: Vec<String>,
    /// When Antrea was asked last, and the answer.
    egress: Option<(Instant, bool)>,
    /// Outages to be told of.
    news: Vec<Outage>,
}

/// Guards until dropped; returns only if a watch has died, which is a bug.
pub(crate) async fn run(
    context: Context,
    outages: &mut mpsc::Receiver<Outage>,
) -> anyhow::Result<()> {
    let (sender, mut changes) = mpsc::channel(256);
    let mut guard = Guard::new(context, &sender);
    guard.rearrange();
    loop {
        guard.publish_pulse();
        let due = guard.due();
        tokio::select! {
            change = changes.recv() => {
                let Some(change) = change else { anyhow::bail!("invariant: the guard holds a sender") };
                guard.take_in(change);
                while let Ok(change) = changes.try_recv() {
                    guard.take_in(change);
                }
            }
            Some(outage) = outages.recv() => {
                guard.news.push(outage);
                guard.stale = true;
            }
            () = tokio::time::sleep_until(due) => {
                if let Some(source) = guard.watches.broken() {
                    anyhow::bail!("the watch of {source:?} has ended");
                }
                guard.turn().await;
            }
        }
    }
}

// === impl Guard ===

impl Guard {
    fn new(context: Context, changes: &mpsc::Sender<Change>) -> Self {
        let now = Instant::now();
        Self {
            recorder: Recorder::new(context.cluster.clone(), context.identity.clone()),
            watches: Watches::new(&context.cluster, changes.clone()),
            context,
            world: World::default(),
            views: Views::default(),
            stale: true,
            not_before: now,
            wake: now,
            observing_since: None,
            waits: Waits::at_start("kube-proxy"),
            pause: FIRST_PAUSE,
            failure: None,
            refused: None,
            made: Vec::new(),
            marked: false,
            idle_said: false,
            farewell_said: Vec::new(),
            egress: None,
            news: Vec::new(),
        }
    }

    fn due(&self) -> Instant {
        if self.stale {
            self.not_before
        } else {
            self.not_before.max(self.wake)
        }
    }

    fn take_in(&mut self, change: Change) {
        let parts = look::parts(&change);
        match self.world.apply(change) {
            Effect::None => return,
            Effect::Trust => self.observing_since = None,
            Effect::Objects => {
                self.views.forget(parts);
                if parts.decide_watches {
                    self.rearrange();
                }
            }
        }
        self.stale = true;
    }

    /// Makes those watches run that are wanted now.
    fn rearrange(&mut self) {
        let wanted = self.world.wanted();
        self.watches.set(&wanted);
        self.world.retain(&wanted);
        self.views.wanted = wanted;
    }

    /// One look and what follows from it.
    async fn turn(&mut self) {
        self.stale = false;
        self.wake = Instant::now() + LONGEST_GAP;
        let begin = Instant::now();
        self.not_before = begin + SHORTEST_GAP;
        let doubts = self.world.doubts(&self.views.wanted);
        self.waits.set(doubts);
        if !self.waits.is_over() {
            self.observing_since = None;
            return;
        }
        let now = now();
        let since = *self.observing_since.get_or_insert(now);
        match self.look(now, since).await {
            Ok(()) => {
                self.pause = FIRST_PAUSE;
                self.failure = None;
            }
            Err(error) => {
                self.context.metrics.api_error(&error);
                self.say(&error);
                self.stale = true;
                self.not_before = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.tell_news().await;
    }

    /// Says a failure, once for as long as it stays the same.
    fn say(&mut self, error: &ApiError) {
        let text = error.to_string();
        if self.failure.as_ref() == Some(&text) {
            tracing::debug!(%error, "attempt failed again");
            return;
        }
        tracing::warn!(%error, retry_in_seconds = self.pause.as_secs(), "attempt failed");
        self.failure = Some(text);
    }

    fn publish_pulse(&self) {
        self.context.pulse.send_replace(Pulse {
            at: Instant::now(),
            waits_for: self.waits.texts().to_vec(),
        });
    }

    /// This replica may act at this very moment.
    fn leads(&self) -> bool {
        self.context.standing.borrow().leads()
    }

    /// Outages are told when the API server is there again, which it is now.
    async fn tell_news(&mut self) {
        if self.world.service_proxy().is_none() {
            return;
        }
        let news = std::mem::take(&mut self.news);
        for outage in news
            .into_iter()
            .filter(|outage| outage.ended.elapsed() < NEWS)
        {
            let note = Note::warning(
                NoteTarget::ServiceProxy,
                "APIServerUnreachable",
                format!(
                    "the API server could not be reached for {} s. Nothing was written in that time, and the status of \
                     this object was as old; everything was looked at anew now. Nodes keep their settings meanwhile",
                    outage.lasted.as_secs()
                ),
            );
            self.tell(&[note]).await;
        }
    }

    /// Events that cannot be written are in the log, and nothing depends on them.
    async fn tell(&self, notes: &[Note]) {
        let mut answers = true;
        for note in notes {
            self.recorder.log(note);
            if !answers {
                continue;
            }
            self.publish_pulse();
            if let Err(error) = self.recorder.publish(note, &self.world).await {
                answers = !matches!(error, ApiError::Unreachable { .. });
                self.context.metrics.api_error(&error);
                tracing::warn!(%error, reason = note.reason, "event not written");
            }
        }
    }
}

/// The clock of this machine, in the whole seconds of object metadata.
fn now() -> Timestamp {
    Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second())
}
