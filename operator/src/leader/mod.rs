//! Leader election by a Lease: of several replicas, one acts.
//!
//! The Lease is only ever written with the resourceVersion that was read, so of two replicas that take it at the same time
//! one is refused. The leader counts its time from when it *sent* a renewal, the others from when they *saw* it, which is
//! later: it stops acting before they start.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::cluster::{ApiError, Cluster, FIELD_MANAGER, Operation, bounded};

mod election;

use election::{Decision, Record, Watched};

/// How the Lease is held.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The Lease's name.
    pub lease: String,
    /// This replica.
    pub identity: String,
    /// How long the others wait for a leader that is silent.
    pub duration: Duration,
    /// How often the leader renews.
    pub renew: Duration,
    /// How often the others look.
    pub retry: Duration,
}

/// Where this replica stands. A new one is published after every look at the Lease.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Leader or not.
    pub role: Role,
    /// Whether the API server answers.
    pub contact: Contact,
    /// When it was written.
    pub at: Instant,
}

/// Leader or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Not known yet.
    Starting,
    /// This replica acts, but not after that moment unless a newer standing says so.
    Leading {
        /// The end, without another renewal.
        until: Instant,
    },
    /// Another replica acts.
    Following {
        /// Its identity.
        holder: String,
    },
}

/// Whether the API server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It did, last time.
    Reached,
    /// It did not, or refused.
    Lost(Lost),
}

/// A time in which the Lease could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Since when.
    pub since: Instant,
    /// The API server did not answer; else it refused.
    pub unanswered: bool,
    /// The last error.
    pub error: String,
}

/// A time without the API server, now over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    /// How long it was.
    pub lasted: Duration,
    /// When it ended.
    pub ended: Instant,
}

/// One replica that wants to lead.
pub(crate) struct Candidate {
    api: Api<Lease>,
    namespace: String,
    terms: Terms,
    started: Instant,
    watched: Watched,
    /// The Lease as last read or written.
    lease: Option<Lease>,
    /// When the renewal that counts was sent.
    renewed: Option<Instant>,
    lost: Option<Lost>,
    standing: watch::Sender<Standing>,
    outages: tokio::sync::mpsc::Sender<Outage>,
}

// === impl Standing ===

impl Standing {
    /// Before the first look.
    pub(crate) fn starting() -> Self {
        Self {
            role: Role::Starting,
            contact: Contact::Reached,
            at: Instant::now(),
        }
    }

    /// This replica may act at this very moment.
    pub(crate) fn leads(&self) -> bool {
        self.leads_until().is_some()
    }

    /// Until when it may act; `None` if it may not.
    pub(crate) fn leads_until(&self) -> Option<Instant> {
        match self.role {
            Role::Leading { until } if Instant::now() < until => Some(until),
            _ => None,
        }
    }
}

// === impl Candidate ===

impl Candidate {
    /// A replica that has not looked yet.
    pub(crate) fn new(
        cluster: &Cluster,
        terms: Terms,
        standing: watch::Sender<Standing>,
        outages: tokio::sync::mpsc::Sender<Outage>,
    ) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            terms,
            started: Instant::now(),
            watched: Watched::default(),
            lease: None,
            renewed: None,
            lost: None,
            standing,
            outages,
        }
    }

    /// Runs until told to stop, then releases the Lease if it is held.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        loop {
            let wait = tokio::select! {
                _ = &mut stop => break,
                wait = self.look() => wait,
            };
            tokio::select! {
                _ = &mut stop => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.release().await;
    }

    /// Looks at the Lease, writes it if need be, and says when to look again.
    async fn look(&mut self) -> Duration {
        let limit = self.terms.retry.max(Duration::from_secs(1)) * 2;
        let begin = Instant::now();
        let turn = match tokio::time::timeout(limit, self.turn()).await {
            Ok(turn) => turn,
            Err(_) => Err(ApiError::Unreachable {
                operation: self.operation("update"),
                message: format!("no answer within {} seconds", limit.as_secs()),
            }),
        };
        match turn {
            Ok(role) => {
                self.regained();
                let wait = match &role {
                    Role::Leading { .. } => self.terms.renew,
                    _ => self.terms.retry.min(self.silence_left()),
                };
                self.publish(role, Contact::Reached);
                wait
            }
            Err(error) => {
                let role = self.role_without_answer();
                let contact = self.lost(&error, begin);
                self.publish(role, contact);
                self.terms.retry
            }
        }
    }

    /// How much longer the leader would have to be silent for this replica to take over.
    fn silence_left(&self) -> Duration {
        let now = self.started.elapsed();
        match self.watched.decide(&self.terms.identity, now) {
            Decision::Follow { until, .. } => until.saturating_sub(now),
            Decision::Acquire | Decision::Renew => self.terms.retry,
        }
    }

    async fn turn(&mut self) -> Result<Role, ApiError> {
        // A leader knows the version that it wrote last; a write with it succeeds unless somebody else wrote since.
        if self.renewed.is_none() || self.lease.is_none() {
            self.read().await?;
        }
        for _ in 0..3 {
            let now = self.started.elapsed();
            match self.watched.decide(&self.terms.identity, now) {
                Decision::Follow { holder, .. } => {
                    self.renewed = None;
                    return Ok(Role::Following { holder });
                }
                Decision::Acquire | Decision::Renew => {}
            }
            let sent = Instant::now();
            match self.write().await {
                Ok(()) => {
                    self.renewed = Some(sent);
                    return Ok(Role::Leading {
                        until: sent + self.patience(),
                    });
                }
                Err(ApiError::Conflict { .. }) => self.read().await?,
                // Gone in the meantime. A Lease that cannot be made for want of its namespace is an error.
                Err(ApiError::NotFound { .. }) if self.lease.is_some() => self.read().await?,
                Err(error) => return Err(error),
            }
        }
        self.renewed = None;
        Ok(Role::Following {
            holder: "another replica".to_owned(),
        })
    }

    async fn read(&mut self) -> Result<(), ApiError> {
        let name = self.terms.lease.clone();
        let found = bounded(self.operation("get"), self.api.get_opt(&name)).await?;
        self.saw(found);
        Ok(())
    }

    async fn write(&mut self) -> Result<(), ApiError> {
        let lease = self.claim();
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let written = if self.lease.is_none() {
            let request = self.api.create(&parameters, &lease);
            bounded(self.operation("create"), request).await?
        } else {
            let request = self.api.replace(&self.terms.lease, &parameters, &lease);
            bounded(self.operation("update"), request).await?
        };
        self.saw(Some(written));
        Ok(())
    }

    /// The Lease with this replica as its holder; what else is in the object stays.
    fn claim(&self) -> Lease {
        let now = MicroTime(jiff::Timestamp::now());
        let mut lease = self.lease.clone().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.terms.lease.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        lease.metadata.managed_fields = None;
        let former = lease.spec.take().unwrap_or_default();
        let own = former.holder_identity.as_deref() == Some(&self.terms.identity);
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.terms.identity.clone()),
            lease_duration_seconds: i32::try_from(self.terms.duration.as_secs()).ok(),
            renew_time: Some(now.clone()),
            acquire_time: match former.acquire_time {
                Some(time) if own => Some(time),
                _ => Some(now),
            },
            lease_transitions: Some(former.lease_transitions.unwrap_or_default() + i32::from(!own)),
            ..former
        });
        lease
    }

    fn saw(&mut self, lease: Option<Lease>) {
        let record = lease.as_ref().map(|lease| {
            let spec = lease.spec.clone().unwrap_or_default();
            let seconds = spec.lease_duration_seconds.unwrap_or_default();
            Record {
                holder: spec.holder_identity,
                duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
                renewal: format!("{:?}/{:?}", spec.renew_time, spec.lease_transitions),
            }
        });
        self.watched.see(record, self.started.elapsed());
        self.lease = lease;
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    async fn release(mut self) {
        let holder = |lease: &Lease| lease.spec.as_ref()?.holder_identity.clone();
        let held = self.lease.as_ref().and_then(holder) == Some(self.terms.identity.clone());
        if self.renewed.is_none() || !held {
            return;
        }
        if let Some(spec) = self.lease.as_mut().and_then(|lease| lease.spec.as_mut()) {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
        }
        let Some(lease) = &self.lease else { return };
        let operation = self.operation("update");
        let parameters = PostParams::default();
        let request = self.api.replace(&self.terms.lease, &parameters, lease);
        match bounded(operation, request).await {
            Ok(_) => tracing::info!(lease = self.terms.lease, "lease released"),
            Err(error) => {
                tracing::warn!(lease = self.terms.lease, %error, "lease could not be released");
            }
        }
    }

    /// How long this replica acts without a renewal.
    fn patience(&self) -> Duration {
        self.terms.duration * 2 / 3
    }

    fn role_without_answer(&mut self) -> Role {
        match self.renewed {
            Some(sent) if sent.elapsed() < self.patience() => Role::Leading {
                until: sent + self.patience(),
            },
            _ => {
                self.renewed = None;
                Role::Starting
            }
        }
    }

    fn lost(&mut self, error: &ApiError, begin: Instant) -> Contact {
        let unanswered = matches!(error, ApiError::Unreachable { .. });
        if self.lost.is_none() {
            if unanswered {
                tracing::warn!(%error, "api server out of reach");
            } else {
                tracing::warn!(%error, "lease cannot be read or written");
            }
        }
        let lost = Lost {
            since: self.lost.as_ref().map_or(begin, |lost| lost.since),
            unanswered,
            error: error.to_string(),
        };
        self.lost = Some(lost.clone());
        Contact::Lost(lost)
    }

    fn regained(&mut self) {
        let Some(lost) = self.lost.take() else {
            return;
        };
        let lasted = lost.since.elapsed();
        if !lost.unanswered {
            tracing::info!("lease can be read and written again");
            return;
        }
        tracing::info!(seconds = lasted.as_secs(), "api server within reach again");
        let outage = Outage {
            lasted,
            ended: Instant::now(),
        };
        // Nobody reads while this replica follows; what is then lost was the leader's to tell.
        let _ = self.outages.try_send(outage);
    }

    fn publish(&self, role: Role, contact: Contact) {
        let before = self.standing.borrow().role.clone();
        match (&before, &role) {
            (Role::Leading { .. }, Role::Leading { .. }) => {}
            (_, Role::Leading { .. }) => {
                tracing::info!(identity = self.terms.identity, "leading");
            }
            (Role::Leading { .. }, _) => {
                tracing::warn!(identity = self.terms.identity, "no longer leading");
            }
            (Role::Following { holder: old }, Role::Following { holder }) if old == holder => {}
            (_, Role::Following { holder }) => tracing::info!(holder, "standing by"),
            (_, Role::Starting) => {}
        }
        self.standing.send_replace(Standing {
            role,
            contact,
            at: Instant::now(),
        });
    }

    fn operation(&self, verb: &'static str) -> Operation {
        Operation::on(
            verb,
            "coordination.k8s.io",
            "leases",
            &self.namespace,
            &self.terms.lease,
        )
    }
}
