//! The one owner of everything that changes: it takes news, looks at the node, and has the result written.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use mooring_api::node_proxy_state::{from_status, to_status};
use mooring_core::node::sysctls::{Change, Wish, plan};
use mooring_core::node::{NodeReport, report};
use mooring_kernel::Monitor;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use crate::api::{Attempts, Follower, Heard, Keeper, Kept, Trouble};
use crate::args::Args;
use crate::duty::{Duty, Spoken, Testified};
use crate::enforce::{self, Failures, Outcome};
use crate::health::Standing;
use crate::metrics::{Counts, Metrics};
use crate::moor::{Farewell, Told};
use crate::observe::Observer;
use crate::view::View;

/// Between two looks when nothing happens. Nothing tells of a changed sysctl, so this is how long one goes unnoticed.
const PERIOD: Duration = Duration::from_secs(5);
/// Between two looks at the least, however much happens.
const GAP: Duration = Duration::from_millis(500);
/// How long sightings of addresses of others are gathered before they are reported.
const SIGHTINGS: Duration = Duration::from_secs(1);
/// A burst of changes in the kernel is over when nothing has come for so long,
const QUIET: Duration = Duration::from_millis(200);
/// or has been going on for so long.
const BURST: Duration = Duration::from_secs(1);
/// How long the API server may take to say whether this agent is the last one. The rest takes milliseconds.
const LAST_QUESTION: Duration = Duration::from_millis(1_500);
/// How much news may wait.
const QUEUE: usize = 64;

/// What can happen to the agent.
#[derive(Debug)]
pub(crate) enum News {
    /// A watch has something to say.
    Api(Heard),
    /// Links, addresses or default routes changed.
    Kernel,
    /// A write of the NodeProxyState is over.
    Written(Result<Kept, Trouble>),
    /// A write about an address is over.
    Spoken(Spoken),
    /// The same, of what was seen of an address of another node.
    Testified(Testified),
}

/// The agent of this node.
pub(crate) struct Agent {
    news: mpsc::Receiver<News>,
    /// What the threads have to tell that wait for nobody.
    told: mpsc::UnboundedReceiver<Told>,
    sender: mpsc::Sender<News>,
    follower: Follower,
    keeper: Keeper,
    view: View,
    observer: Observer,
    metrics: Arc<Metrics>,
    standing: watch::Sender<Standing>,
    due: Instant,
    looked: Option<Instant>,
    report: Option<NodeReport>,
    failures: Failures,
    writing: bool,
    write_trouble: Option<Trouble>,
    write_attempts: Attempts,
    write_after: Instant,
    duty: Duty,
}

impl From<Heard> for News {
    fn from(heard: Heard) -> Self {
        Self::Api(heard)
    }
}

// === impl Agent ===

impl Agent {
    /// Starts to listen to the API server and to the kernel.
    pub(crate) fn start(
        args: &Args,
        client: Client,
        metrics: Arc<Metrics>,
        counts: &Counts,
        standing: watch::Sender<Standing>,
    ) -> Result<Self> {
        let (sender, news) = mpsc::channel(QUEUE);
        let (tell, told) = mpsc::unbounded_channel();
        let keeper = Keeper::new(client.clone(), &args.node_name);
        let duty = Duty::start(
            args,
            client.clone(),
            sender.clone(),
            tell,
            Arc::clone(&metrics),
            counts,
        )?;
        let follower = Follower::start(
            client,
            &args.node_name,
            args.namespace.as_deref(),
            keeper.clone(),
            sender.clone(),
        );
        let to_agent = sender.clone();
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || monitor(&to_agent))?;
        let now = Instant::now();
        Ok(Self {
            news,
            told,
            sender,
            follower,
            keeper,
            view: View::new(),
            observer: Observer::new(args),
            metrics,
            standing,
            due: now,
            looked: None,
            report: None,
            failures: Failures::new(),
            writing: false,
            write_trouble: None,
            write_attempts: Attempts::default(),
            write_after: now,
            duty,
        })
    }

    /// Goes on until it is dropped.
    pub(crate) async fn run(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                news = self.news.recv() => {
                    if let Some(news) = news {
                        self.take(news);
                    }
                }
                told = self.told.recv() => {
                    if let Some(told) = told
                        && self.duty.told(told)
                    {
                        self.look_by(Instant::now() + SIGHTINGS);
                    }
                }
                () = sleep_until(self.due) => self.round().await?,
                () = until(self.duty.due()) => self.duty.act(&self.view),
            }
            self.tell();
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Api(heard) => {
                let pods = matches!(heard, Heard::Pods(_));
                if matches!(
                    heard,
                    Heard::Addresses(_)
                        | Heard::Pools(_)
                        | Heard::Nodes(_)
                        | Heard::ServiceProxy(_)
                        | Heard::Keys(_)
                ) {
                    self.duty.heard();
                }
                if let Heard::Trouble(source, trouble) = &heard {
                    self.metrics.api_error(trouble);
                    if source.is_of_addresses() && trouble.is_unreachable() {
                        self.duty.recall(&mut self.view);
                    }
                }
                if matches!(heard, Heard::Fine(_)) {
                    self.write_after = Instant::now();
                }
                if !self.view.take(heard) {
                    return;
                }
                if pods {
                    let wanted = self.view.wanted_config_maps();
                    self.follower.follow_config_maps(wanted);
                }
            }
            News::Kernel => {
                debug!("links, addresses or default routes changed");
                self.duty.kernel_changed();
            }
            News::Spoken(spoken) => return self.duty.spoken(spoken),
            News::Testified(testified) => return self.duty.testified(testified),
            News::Written(result) => self.take_written(result),
        }
        self.look_by(Instant::now());
    }

    fn take_written(&mut self, result: Result<Kept, Trouble>) {
        self.writing = false;
        self.metrics.state_written(&result);
        match result {
            Ok(kept) => {
                if self.write_trouble.take().is_some() {
                    info!("the NodeProxyState can be written again");
                }
                self.write_attempts.succeeded();
                self.view.written(kept);
            }
            Err(trouble) => {
                if self.write_trouble.as_ref() != Some(&trouble) {
                    match &trouble {
                        Trouble::Unreachable(_) => {}
                        Trouble::NotFound => warn!(
                            "the NodeProxyState cannot be written, as its CustomResourceDefinition is not installed: \
                             apply manifests/crds; trying again every 2 s"
                        ),
                        trouble => warn!(reason = %trouble, "the NodeProxyState cannot be written"),
                    }
                }
                self.write_after = Instant::now() + self.write_attempts.failed(&trouble);
                self.write_trouble = Some(trouble);
            }
        }
    }

    /// Looks by then, but not too soon after the last time.
    fn look_by(&mut self, when: Instant) {
        let soonest = self.looked.map_or(when, |looked| when.max(looked + GAP));
        self.due = self.due.min(soonest);
    }

    async fn round(&mut self) -> Result<()> {
        let began = Instant::now();
        self.due = began + PERIOD;
        self.looked = Some(began);
        let observed = self.observer.look(&self.view).await?;
        let remembered = self.view.remembered().map(<[_]>::to_vec);
        let raised = remembered.as_deref().unwrap_or_default();
        let mut report = report(&observed, raised, self.observer.files().await?);
        if let (Some(wish), Some(raised)) = (self.view.wish(), &remembered) {
            let plan = plan(&observed, &report, raised, wish);
            let may = enforce::may_write(&plan, wish, &self.view.stored());
            report.raised = plan.remember;
            if plan.writes.is_empty() {
                self.failures.clear();
            } else if may {
                self.write_sysctls(plan.writes, wish).await?;
            }
            enforce::explain(&mut report, &self.failures);
        }
        self.duty.looked(&report, &observed.kernel.default_routes);
        self.metrics.observed(&report, began.elapsed());
        log_changes(self.report.as_ref(), &report);
        let former = self.report.as_ref();
        if former.is_some_and(|former| former.uplinks != report.uplinks) {
            self.follower.doubt();
        }
        self.report = Some(report);
        self.looked = Some(Instant::now());
        self.save();
        Ok(())
    }

    async fn write_sysctls(&mut self, changes: Vec<Change>, wish: Wish) -> Result<()> {
        let former = std::mem::take(&mut self.failures);
        for (change, outcome) in self.observer.write(changes).await? {
            self.metrics.sysctl_written(&outcome);
            let (sysctl, from, to) = (change.name(), change.from, change.to);
            match outcome {
                Outcome::Written => {
                    info!(%sysctl, from, to, ?wish, "wrote a sysctl");
                    self.look_by(Instant::now());
                }
                Outcome::Moved => self.look_by(Instant::now()),
                Outcome::Failed(reason) => {
                    if former.get(&sysctl) != Some(&reason) {
                        error!(%sysctl, from, to, ?wish, %reason, "cannot write a sysctl");
                    }
                    self.failures.insert(sysctl, reason);
                }
            }
        }
        Ok(())
    }

    /// Has the report written, if it says something else than what stands in the API.
    fn save(&mut self) {
        if let Some((report, kept)) = self.report.as_mut().zip(self.view.kept()) {
            let kept = kept.map(|kept| from_status(&kept.status).witnessed);
            report.witnessed = self.duty.witnessed(kept.unwrap_or_default());
        }
        let Some((report, kept)) = self.report.as_ref().zip(self.view.kept()) else {
            if let Some(trouble) = self.view.state_trouble() {
                self.standing.send_modify(|standing| {
                    let since = standing.unsaved.take().map(|(since, _)| since);
                    standing.unsaved =
                        Some((since.unwrap_or_else(Instant::now), trouble.to_string()));
                });
            }
            return;
        };
        let now = Time(truncated(jiff::Timestamp::now()));
        let status = to_status(
            report,
            kept.map(|kept| &kept.status),
            kept.and_then(|kept| kept.generation),
            &now,
        );
        let saved = kept.is_some_and(|kept| kept.status == status);
        if saved {
            // Whatever could not be written need not be any more.
            self.write_trouble = None;
            self.write_attempts.succeeded();
        }
        let unsaved = || {
            let reason = self.write_trouble.as_ref().map(ToString::to_string);
            reason.unwrap_or_else(|| "it is about to be written".to_owned())
        };
        self.standing.send_modify(|standing| {
            standing.unsaved = match standing.unsaved.take() {
                _ if saved => None,
                Some((since, _)) => Some((since, unsaved())),
                None => Some((Instant::now(), unsaved())),
            };
        });
        if saved || self.writing || !self.view.is_settled() {
            return;
        }
        if Instant::now() < self.write_after {
            self.look_by(self.write_after);
            return;
        }
        self.writing = true;
        let (keeper, sender) = (self.keeper.clone(), self.sender.clone());
        tokio::spawn(async move {
            let result = keeper.write(&status).await;
            // The agent may be ending.
            let _ = sender.send(News::Written(result)).await;
        });
    }

    /// Lets probes know how it stands, and the log when the API server comes or goes.
    fn tell(&mut self) {
        let write = self.write_trouble.as_ref();
        let unreachable = self
            .view
            .unreachable()
            .or(write.filter(|trouble| trouble.is_unreachable()))
            .map(ToString::to_string);
        self.standing.send_modify(|standing| {
            standing.turn = Instant::now();
            standing.looked = self.report.as_ref().and(self.looked);
            standing.unreachable = match (standing.unreachable.take(), unreachable) {
                (None, None) => None,
                (None, Some(reason)) => {
                    warn!(
                        %reason,
                        "goes on without the API server: looks after the node as before, and reports once it is back"
                    );
                    Some((Instant::now(), reason))
                }
                (Some((since, _)), Some(reason)) => Some((since, reason)),
                (Some((since, _)), None) => {
                    info!(seconds = since.elapsed().as_secs(), "the API server is back");
                    None
                }
            };
        });
    }

    /// Leaves things in order: the next agent finds addresses answered for by the kernel, or, if nobody comes after this one,
    /// nothing of Mooring is left. It takes less than two seconds.
    pub(crate) async fn end(&mut self, args: &Args) -> Result<()> {
        let remembered = self
            .view
            .remembered()
            .map(<[_]>::to_vec)
            .unwrap_or_default();
        let last = if remembered.is_empty() && !self.duty.holds_any() {
            false
        } else {
            self.is_last(args, remembered.len()).await
        };
        self.duty
            .end(if last {
                Farewell::Leave
            } else {
                Farewell::StandIn
            })
            .await;
        if !last || remembered.is_empty() {
            return Ok(());
        }
        let observed = self.observer.look_at_kernel_alone().await?;
        let report = report(&observed, &remembered, &[]);
        let plan = plan(&observed, &report, &remembered, Wish::Restore);
        self.write_sysctls(plan.writes, Wish::Restore).await
    }

    /// Whether nobody comes after this agent. `raised` counts the sysctls that are at stake.
    async fn is_last(&self, args: &Args, raised: usize) -> bool {
        let Some((namespace, name)) = args.daemon_set() else {
            info!(raised, "leaves what it did on the node to its successor");
            return false;
        };
        let question = self.keeper.is_last(namespace, name);
        match tokio::time::timeout(LAST_QUESTION, question).await {
            Ok(Ok(true)) => true,
            Ok(Ok(false)) => {
                info!(raised, "leaves what it did on the node to its successor");
                false
            }
            Ok(Err(reason)) => {
                warn!(raised, %reason, "leaves what it did on the node, as it cannot tell whether it has a successor");
                false
            }
            Err(_) => {
                warn!(
                    raised,
                    "leaves what it did on the node, as the API server does not say whether it has a successor"
                );
                false
            }
        }
    }
}

/// Never, if there is no time.
async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// Sends word whenever the kernel does. A kernel that cannot be listened to is asked every few seconds all the same.
fn monitor(news: &mpsc::Sender<News>) {
    let mut silent = false;
    loop {
        let heard = Monitor::open(QUIET, BURST).and_then(|mut monitor| {
            silent = false;
            loop {
                monitor.wait()?;
                if news.blocking_send(News::Kernel).is_err() {
                    return Ok(());
                }
            }
        });
        let Err(error) = heard else { return };
        if !std::mem::replace(&mut silent, true) {
            warn!(reason = %error, "changes in the kernel go unnoticed for up to 5 s");
        }
        thread::sleep(PERIOD);
        if news.blocking_send(News::Kernel).is_err() {
            return;
        }
    }
}

/// Whole seconds, as the API keeps them.
fn truncated(now: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// One line for each thing that is not as it was.
fn log_changes(former: Option<&NodeReport>, report: &NodeReport) {
    let mode = former.map(|former| former.mode);
    if mode != Some(report.mode) {
        let from = mode.map(|mode| mode.to_string());
        info!(mode = %report.mode, from, "found what handles Services");
    }
    for condition in &report.conditions {
        let same = former.is_some_and(|former| {
            former.conditions.iter().any(|old| {
                old.kind == condition.kind
                    && old.status == condition.status
                    && old.reason == condition.reason
            })
        });
        if !same {
            info!(
                condition = %condition.kind,
                status = %condition.status,
                reason = condition.reason,
                message = condition.message,
                "a condition changed"
            );
        }
    }
}
