//! The loop of the leader for external IPs: look, decide, write; and look again.
//!
//! ```text
//! watches ─▶ Stores ─▶ Snapshot ─▶ decide ─▶ claims, then statuses of Services, then releases ─▶ events
//!              ▲                                   │
//!              └─── what the API server answered ──┘        and when nobody waits: pools, conditions
//! ```
//!
//! What is decided is in `mooring_core::external_ip`. Every write names the version of the object that was decided on, and
//! a claim is made by creating its ExternalIP, so that two operators at the same time hand out nothing twice. What was
//! written is known at once, so that no decision rests on a look from before.
//!
//! Dropping the loop, which is what happens when the Lease is lost, ends everything at the next point where it waits. A
//! decision may be carried out in part; the next one goes on from there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_core::external_ip::Decision;
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::remediation::NoteKind;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::event::{Outbox, Recorder, deliver, outbox};
use crate::health::Pulse;
use crate::leader::Standing;
use crate::metrics::Metrics;
use crate::waits::Waits;

mod batch;
mod chores;
mod copies;
mod decided;
mod held;
mod lapses;
mod metrics;
mod news;
mod notice;
mod round;
mod sightings;
mod silences;
mod source;
mod stores;
mod told;
mod write;

pub(crate) use metrics::AddressMetrics;

use batch::Batch;
use decided::Decided;
use held::Held;
use lapses::Lapses;
use news::Urgency;
use round::EVERYTHING;
use sightings::Sightings;
use silences::Silences;
use source::{Change, Source, Watch};
use stores::Stores;
use told::{Occasion, Told};

/// A look without any change.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// Where only nodes change, deciding takes one part in so many of the time, unless that would be too long.
const SHARE_OF_TIME: u32 = 20;
const LONGEST_IN_TIME: Duration = Duration::from_millis(1_500);
/// While Services are served without end, pools are told of it so often.
const POOLS_GAP: Duration = Duration::from_secs(5);
/// The conditions of so many addresses are written before it is looked whether a Service waits.
const REMARKS_AT_ONCE: usize = 24;

/// What the loop needs of the process.
#[derive(Clone)]
pub(crate) struct Context {
    /// The API.
    pub cluster: Cluster,
    /// This replica.
    pub identity: String,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether this replica may act.
    pub standing: watch::Receiver<Standing>,
    /// Told at every turn.
    pub pulse: watch::Sender<Pulse>,
}

/// The external IPs of a cluster, for as long as this replica leads.
struct Addresses {
    context: Context,
    outbox: Outbox,
    changes: mpsc::Sender<Change>,
    watches: BTreeMap<Source, Watch>,
    wanted: BTreeSet<Source>,
    stores: Stores,
    /// What is carried out.
    decided: Option<Arc<Decided>>,
    /// The decision is about the past.
    stale: Option<Urgency>,
    /// There may be more to write of the decision.
    unfinished: bool,
    /// When to decide next, at the earliest.
    not_before: Instant,
    /// The same, for what can wait.
    in_time: Instant,
    /// When to decide next, though nothing changes.
    wake: Instant,
    /// When pools were written last.
    pools_written: Instant,
    /// When it was last forgotten what is gone.
    tidied: Instant,
    held: Held,
    told: Told,
    silences: Silences,
    sightings: Sightings,
    lapses: Lapses,
    /// Since when Services wait for an address, by key.
    waiting: HashMap<String, Instant>,
    /// What is not allowed, by the kind of request, with the command that allows it.
    forbidden: BTreeMap<String, String>,
    /// What is waited for.
    waits: Waits,
}

/// Looks after external IPs until dropped; returns only if a watch or a decision has died, which is a bug.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let (outbox, notices) = outbox();
    let recorder = Recorder::new(context.cluster.clone(), context.identity.clone());
    let delivery = deliver(recorder, notices, context.metrics.clone());
    let (sender, changes) = mpsc::channel(1024);
    let addresses = Addresses::new(context, outbox, sender);
    tokio::select! {
        ended = addresses.run(changes) => ended,
        () = delivery => anyhow::bail!("invariant: the loop has the outbox"),
    }
}

// === impl Addresses ===

impl Addresses {
    fn new(context: Context, outbox: Outbox, changes: mpsc::Sender<Change>) -> Self {
        let now = Instant::now();
        let mut addresses = Self {
            context,
            outbox,
            changes,
            watches: BTreeMap::new(),
            wanted: BTreeSet::new(),
            stores: Stores::default(),
            decided: None,
            stale: Some(Urgency::Now),
            unfinished: false,
            not_before: now,
            in_time: now,
            wake: now,
            pools_written: now,
            tidied: now,
            held: Held::default(),
            told: Told::default(),
            silences: Silences::default(),
            sightings: Sightings::default(),
            lapses: Lapses::default(),
            waiting: HashMap::new(),
            forbidden: BTreeMap::new(),
            waits: Waits::at_start("external IPs"),
        };
        addresses.rearrange();
        addresses
    }

    async fn run(mut self, mut changes: mpsc::Receiver<Change>) -> anyhow::Result<()> {
        loop {
            self.publish_pulse();
            tokio::select! {
                change = changes.recv() => {
                    let Some(change) = change else { anyhow::bail!("invariant: the loop holds a sender") };
                    self.take_in(change);
                }
                () = tokio::time::sleep_until(self.due()) => {}
            }
            while let Ok(change) = changes.try_recv() {
                self.take_in(change);
            }
            if self.due() <= Instant::now() {
                self.turn().await?;
            }
        }
    }

    fn due(&self) -> Instant {
        let stale = self.stale.map(|urgency| match urgency {
            Urgency::Now => self.not_before,
            Urgency::InTime => self.in_time,
        });
        match stale {
            Some(due) => due,
            None if self.unfinished => Instant::now(),
            None => self.wake,
        }
    }

    /// Decides if the last decision is about the past, and writes the next part of it.
    async fn turn(&mut self) -> anyhow::Result<()> {
        if let Some((source, _)) = self.watches.iter().find(|(_, watch)| watch.is_broken()) {
            anyhow::bail!("the watch of {source:?} for external IPs has ended");
        }
        let doubts = self.stores.doubts(&self.wanted);
        self.waits.set(doubts);
        if !self.waits.is_over() || !self.context.standing.borrow().leads() {
            (self.stale, self.unfinished) = (None, false);
            self.decided = None;
            self.wake = Instant::now() + LONGEST_GAP;
            return Ok(());
        }
        let anew = self.stale.is_some() || !self.unfinished;
        if anew {
            self.decide();
        }
        if let Some(decided) = self.decided.clone() {
            self.carry_out(&decided, anew).await;
        }
        Ok(())
    }

    /// With ten thousand Services this takes a tenth of a second, which the leader's Lease can wait.
    fn decide(&mut self) {
        let urgent = self.stale.take() == Some(Urgency::Now);
        let began = Instant::now();
        let now = jiff::Timestamp::now();
        let snapshot = self.stores.snapshot(
            &mut self.lapses,
            Timestamp::from_unix_seconds(now.as_second()),
        );
        let decided = Decided::on(snapshot);
        let decision = &decided.decision;
        let took = began.elapsed();
        self.context.metrics.addresses.decided(decision, took);
        let ended = Instant::now();
        self.wake = ended + LONGEST_GAP;
        if let Some(wake) = decision.wake {
            let seconds = wake.unix_seconds().saturating_sub(now.as_second());
            let wait = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            self.wake = self.wake.min(ended + wait.max(Duration::from_secs(1)));
        }
        // Where deciding is slow, it takes a third of the time at most while Services come without end, and a small part of
        // it if nothing waits.
        self.not_before = if urgent { ended + took * 2 } else { ended };
        self.in_time = ended + (took * SHARE_OF_TIME).min(LONGEST_IN_TIME);
        self.unfinished = true;
        self.decided = Some(Arc::new(decided));
    }

    /// Writes the next part of a decision: what Services wait for, and if there is nothing of that, a few other things. What
    /// it tells Services and pools, it tells when it was made `anew`, and not with each of those few things again.
    async fn carry_out(&mut self, decided: &Decided, anew: bool) {
        let decision = &decided.decision;
        let now = Instant::now();
        if let Some(next) = self.held.next(now) {
            self.wake = self.wake.min(next);
        }
        if self.held.holds(EVERYTHING, now) {
            self.unfinished = false;
            return;
        }
        let batch = Batch::next(decision, &self.stores, &self.held, now);
        let idle = batch.is_empty();
        let mut published = HashSet::new();
        if !idle {
            let grips = chores::grips(decision, &self.stores);
            self.write(grips).await;
            let written = self.write(batch.claims).await;
            let statuses = batch.statuses.into_iter();
            let statuses = statuses.filter(|status| status.has_what_it_needs(&written));
            published = self.write(statuses.collect()).await;
            let deleted = self.write(batch.deletes).await;
            // What is left is decided anew. What failed is tried again when its pause is over.
            let done = written.len() + published.len() + deleted.len();
            if done > 0 && done < decision.writes() {
                self.stale = Some(Urgency::Now);
                self.not_before = self.not_before.min(Instant::now());
            }
        }
        if anew || !published.is_empty() {
            self.tell(decision, &published);
        }
        if anew {
            self.tell_farewells(decided);
        }
        if idle && anew {
            self.write_unrest(decision).await;
        }
        if (idle && anew) || self.pools_written.elapsed() > POOLS_GAP {
            self.pools_written = Instant::now();
            self.write_pools(decision).await;
        }
        self.unfinished = idle && self.write_remarks(decided).await;
        let now = Instant::now();
        if let Some(next) = self.held.next(now) {
            self.wake = self.wake.min(next);
        }
        self.tidy(now);
    }

    /// Forgets, now and then, what is about objects that are gone.
    fn tidy(&mut self, now: Instant) {
        if now < self.tidied + LONGEST_GAP {
            return;
        }
        self.tidied = now;
        self.held.tidy(now);
        let services = &self.stores.services;
        let lives: HashSet<&str> = services.iter().map(|(_, it)| it.uid.as_str()).collect();
        self.told.retain(|uid| lives.contains(uid));
        self.waiting.retain(|key, _| {
            let service = services.get(key);
            service.is_some_and(|service| service.value.ingress.is_empty())
        });
    }

    async fn write_pools(&mut self, decision: &Decision) {
        let now = Time(jiff::Timestamp::now());
        let grips = chores::grips(decision, &self.stores);
        self.write(grips).await;
        let chores = chores::pools(decision, &self.stores, &now);
        for chore in chores {
            if self.is_held(&chore.write) {
                continue;
            }
            if !self.write(vec![chore.write]).await.is_empty() {
                for notice in chore.tell {
                    self.outbox.put(notice);
                }
            }
        }
    }

    /// What is remembered of nodes that have died: once for each death.
    async fn write_unrest(&mut self, decision: &Decision) {
        let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
        for (node, unrest) in &decision.unrest {
            let write = write::Write::Unrest {
                node: node.clone(),
                unrest: *unrest,
            };
            if !self.is_held(&write) && !self.write(vec![write]).await.is_empty() {
                self.outbox.put(notice::death(node, *unrest, now));
            }
        }
    }

    /// True if there is more.
    async fn write_remarks(&mut self, decided: &Decided) -> bool {
        let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
        let free = |write: &write::Write| !self.is_held(write);
        let remarks = decided.remarks();
        let (stores, silences) = (&self.stores, &self.silences);
        let writes = chores::remarks(remarks, stores, silences, now, free, REMARKS_AT_ONCE);
        let more = writes.len() == REMARKS_AT_ONCE;
        let done = self.write(writes).await;
        self.silences.note(remarks, &done);
        more
    }

    /// Tells Services what is news to them.
    fn tell(&mut self, decision: &Decision, published: &HashSet<String>) {
        let pending: HashSet<&ObjectName> = decision
            .statuses
            .iter()
            .map(|status| &status.service)
            .collect();
        for (id, outcome) in &decision.outcomes {
            let Some(service) = self.stores.services.get(&id.to_string()) else {
                continue;
            };
            let occasion = if published.contains(&write::service(id)) {
                Occasion::Publication
            } else if pending.contains(id) {
                continue;
            } else {
                Occasion::Look
            };
            if let Some(headline) = self.told.news(&service.uid, outcome, occasion) {
                let notice = notice::service(id, &service.uid, headline);
                if notice.kind == NoteKind::Warning {
                    tracing::warn!(
                        service = %id, reason = notice.reason, note = notice.message, "service has not what it asks for"
                    );
                }
                self.outbox.put(notice);
            }
        }
    }

    /// Tells of nodes that part with their addresses, when they begin to.
    fn tell_farewells(&mut self, decided: &Decided) {
        let farewells = decided.decision.farewells();
        for (node, farewell) in self.told.farewells(&farewells, |node| decided.parts(node)) {
            let notice = notice::farewell(node, farewell);
            tracing::info!(
                node,
                reason = notice.reason,
                note = notice.message,
                "node parts with its addresses"
            );
            self.outbox.put(notice);
        }
    }

    fn publish_pulse(&self) {
        let forbidden = self.forbidden.values().cloned();
        self.context.pulse.send_replace(Pulse {
            at: Instant::now(),
            waits_for: self
                .waits
                .texts()
                .iter()
                .cloned()
                .chain(forbidden)
                .collect(),
        });
    }
}
