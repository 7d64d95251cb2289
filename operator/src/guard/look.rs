//! One look: decide, persist, act, tell.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Api;
use kube::api::PostParams;
use mooring_api::ServiceProxy;
use mooring_api::service_proxy::{self, CLUSTER, ServiceProxyStatus};
use mooring_core::condition::{Condition, ConditionType, StrictArpConfiguredReason};
use mooring_core::guard::foreign::{self, ForeignInput, ForeignVerdict, Lookouts};
use mooring_core::guard::{ClusterVerdict, ExternalAddress, GuardInput, judge};
use mooring_core::kube_proxy::snapshot::{DaemonSet, Timestamp};
use mooring_core::node::NodeView;
use mooring_core::proxy_mode::antrea::AntreaVersion;
use mooring_core::remediation::run::{
    Action, AntreaSeen, Made, Run, Step, StepInput, Surroundings, assess_for, step, unnumbered_cni,
};
use mooring_core::remediation::{Note, NoteTarget, Observation};
use tokio::time::Instant;

use super::{Guard, SHARE_OF_TIME};
use crate::action::{Written, carry_out};
use crate::antrea;
use crate::cache::Update;
use crate::cluster::{ApiError, FIELD_MANAGER, Operation, bounded};
use crate::world::{Change, Source, World};
use crate::{location, survey};

/// Until the next look while it is not certain who answers for an address.
const UNSETTLED_GAP: Duration = Duration::from_secs(5);
/// How long an answer of Antrea's API is believed.
const EGRESS_TTL: Duration = Duration::from_secs(60);

/// What decisions are made on, kept for as long as nothing that it is made from changes.
#[derive(Default)]
pub(super) struct Views {
    /// What is watched.
    pub(super) wanted: BTreeSet<Source>,
    observation: Option<Observation>,
    nodes: Option<Vec<NodeView>>,
    external_ips: Option<Vec<ExternalAddress>>,
    /// Those that Mooring did not hand out; known at all or not.
    foreign: Option<Option<Vec<ExternalAddress>>>,
    lookouts: Lookouts,
}

/// What a change touches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    observation: bool,
    nodes: bool,
    external_ips: bool,
    foreign: bool,
    /// It may change what has to be watched.
    pub(super) decide_watches: bool,
}

/// What a look comes to.
struct Outcome {
    status: ServiceProxyStatus,
    step: Step,
    verdict: ClusterVerdict,
    /// `None` while it is not known which addresses are others'.
    foreign: Option<ForeignVerdict>,
}

/// What a change touches.
pub(super) fn parts(change: &Change) -> Parts {
    let none = Parts::default();
    let placing = Parts {
        observation: true,
        decide_watches: true,
        ..none
    };
    match change {
        Change::ServiceProxy(_) | Change::DaemonSets(_) | Change::Pods(..) => placing,
        Change::ConfigMap(..) => Parts {
            observation: true,
            ..none
        },
        Change::Reports(_) | Change::Agents(_) => Parts {
            nodes: true,
            ..none
        },
        Change::Nodes(_) => Parts {
            observation: true,
            nodes: true,
            ..none
        },
        Change::Services(_) => Parts {
            external_ips: true,
            foreign: true,
            ..none
        },
        Change::Claims(_) => Parts {
            foreign: true,
            ..none
        },
    }
}

// === impl Views ===

impl Views {
    /// What a change touches has to be made anew.
    pub(super) fn forget(&mut self, parts: Parts) {
        if parts.observation {
            self.observation = None;
        }
        if parts.nodes {
            self.nodes = None;
        }
        if parts.external_ips {
            self.external_ips = None;
        }
        if parts.foreign {
            self.foreign = None;
        }
    }

    /// Every Linux node with its agent's report.
    pub(super) fn nodes(&mut self, world: &World) -> &[NodeView] {
        self.nodes.get_or_insert_with(|| survey::nodes(world))
    }
}

// === impl Guard ===

impl Guard {
    /// Looks once. An error leaves everything such that the next look goes on from there.
    pub(super) async fn look(&mut self, now: Timestamp, since: Timestamp) -> Result<(), ApiError> {
        let Some(proxy) = self.world.service_proxy().cloned() else {
            return self.without_service_proxy().await;
        };
        self.idle_said = false;
        self.remember_service_proxy().await?;
        if proxy.metadata.deletion_timestamp.is_some() {
            return self.say_farewell(&proxy, now).await;
        }
        if self.hold(&proxy).await? {
            return Ok(());
        }
        let surroundings = self.surroundings().await;
        let begin = Instant::now();
        let former = proxy.status.clone().unwrap_or_default();
        let outcome = self.decide(&proxy, &former, &surroundings, now, since);
        let took = begin.elapsed();
        self.context.metrics.looked(took);
        self.not_before = self.not_before.max(begin + took * SHARE_OF_TIME);
        if let Some(seconds) = outcome.step.wake_after_seconds {
            let wake = Instant::now() + Duration::from_secs(seconds.into());
            self.wake = self.wake.min(wake);
        }
        if outcome
            .foreign
            .as_ref()
            .is_some_and(ForeignVerdict::is_unsettled)
        {
            self.wake = self.wake.min(Instant::now() + UNSETTLED_GAP);
        }
        let seen = outcome.foreign.as_ref();
        self.context.metrics.verdict(&outcome.verdict, seen);
        let nodes = self.views.nodes(&self.world);
        self.context.metrics.nodes(nodes);
        self.finish(proxy, &former, outcome).await
    }

    fn decide(
        &mut self,
        proxy: &ServiceProxy,
        former: &ServiceProxyStatus,
        surroundings: &Surroundings,
        now: Timestamp,
        observing_since: Timestamp,
    ) -> Outcome {
        let views = &mut self.views;
        let world = &self.world;
        let seen = views
            .observation
            .get_or_insert_with(|| survey::observation(world));
        let nodes = views.nodes.get_or_insert_with(|| survey::nodes(world));
        let external_ips = views
            .external_ips
            .get_or_insert_with(|| survey::external_ips(world));
        let wanted = proxy.wanted();
        let run = persisted(former);
        let assessment = assess_for(seen, nodes, &wanted);
        let unreadable = world.unreadable();
        let step = if unreadable.is_empty() {
            step(&StepInput {
                wanted: &wanted,
                seen,
                assessment: &assessment,
                nodes,
                surroundings,
                run: run.as_ref(),
                made: &self.made,
                now,
                observing_since,
            })
        } else {
            Step {
                run: run.clone(),
                actions: Vec::new(),
                notes: Vec::new(),
                wake_after_seconds: None,
            }
        };
        let past = service_proxy::past_conditions(Some(former));
        let mut verdict = judge(&GuardInput {
            wanted: &wanted,
            seen,
            assessment: &assessment,
            nodes,
            run: step.run.as_ref(),
            external_ips,
            former: &past,
        });
        if let Some((id, refusal)) = unreadable.first() {
            let operation = Operation::on("watch", "", "configmaps", &id.namespace, &id.name);
            let message = format!(
                "kube-proxy mounts ConfigMap {id}, which Mooring may not read ({refusal}), so it is not known whether \
                 strictARP is set. To allow it: {}",
                operation.grant(refusal)
            );
            replace(
                &mut verdict,
                Condition::new(StrictArpConfiguredReason::ConfigUnclear, message),
            );
        } else if let Some(said) = &proxy.spec.kube_proxy
            && seen.discovery.workloads.is_empty()
        {
            replace(
                &mut verdict,
                Condition::new(
                    StrictArpConfiguredReason::NoKubeProxy,
                    location::nothing_at(said),
                ),
            );
        } else if let Some(refused) = &self.refused {
            for condition in &mut verdict.conditions {
                if condition.kind == ConditionType::StrictArpConfigured {
                    condition.message = format!("{}. {refused}", condition.message);
                }
            }
        }
        let foreign = views
            .foreign
            .get_or_insert_with(|| survey::foreign(world))
            .as_ref()
            .map(|addresses| {
                let input = ForeignInput {
                    addresses,
                    nodes,
                    former: &service_proxy::foreign_addresses(former),
                    now,
                };
                foreign::look(&input, &mut views.lookouts)
            });
        let status = service_proxy::to_status(
            &verdict,
            foreign.as_ref(),
            step.run.as_ref(),
            Some(former),
            proxy.metadata.generation,
            now,
        );
        Outcome {
            status,
            step,
            verdict,
            foreign,
        }
    }

    /// Persists what was decided, then does it, then tells of it.
    async fn finish(
        &mut self,
        proxy: ServiceProxy,
        former: &ServiceProxyStatus,
        outcome: Outcome,
    ) -> Result<(), ApiError> {
        let Outcome {
            status,
            step,
            verdict,
            foreign,
        } = outcome;
        let mut notes = Vec::new();
        if status != *former {
            let before = persisted(former);
            if !self.persist(proxy, status).await? {
                return Ok(());
            }
            self.count(before.as_ref(), step.run.as_ref());
            notes.extend(step.notes);
            notes.extend(verdict.notes);
            notes.extend(foreign.into_iter().flat_map(|foreign| foreign.notes));
        }
        let acted = self.act(&step.actions, &mut notes).await;
        self.tell(&notes).await;
        acted
    }

    async fn act(&mut self, actions: &[Action], notes: &mut Vec<Note>) -> Result<(), ApiError> {
        for action in actions {
            if !self.leads() {
                return Ok(());
            }
            // What is done changes what is true, so look again in any case.
            self.stale = true;
            match carry_out(&self.context.cluster, action).await {
                Ok(written) => {
                    self.refused = None;
                    self.remember(action, &written);
                    self.know(written);
                }
                Err(error) => {
                    notes.extend(self.refusal(&error));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// An edit that the API server took, until the next one of that key.
    fn remember(&mut self, action: &Action, written: &Written) {
        let (Action::Patch(patch), Written::ConfigMap(map)) = (action, written) else {
            return;
        };
        let Some((time, _)) = map.changed(&patch.location.key) else {
            return;
        };
        self.made.retain(|made| made.location != patch.location);
        self.made.push(Made {
            location: patch.location.clone(),
            planned_on: patch.resource_version.clone(),
            time,
        });
    }

    /// Writes the status; false if somebody else wrote in the meantime, and everything has to be looked at again.
    async fn persist(
        &mut self,
        mut proxy: ServiceProxy,
        status: ServiceProxyStatus,
    ) -> Result<bool, ApiError> {
        proxy.status = Some(status);
        let api: Api<ServiceProxy> = Api::all(self.context.cluster.client.clone());
        let operation =
            Operation::on_global("update", "mooring.dev", "serviceproxies/status", CLUSTER);
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request = api.replace_status(CLUSTER, &parameters, &proxy);
        match bounded(operation, request).await {
            Ok(written) => {
                self.know_service_proxy(Some(written));
                Ok(true)
            }
            Err(ApiError::Conflict { .. } | ApiError::NotFound { .. }) => {
                self.read_service_proxy().await?;
                self.stale = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What was written is known from now on, whenever the watches bring it.
    fn know(&mut self, written: Written) {
        match written {
            Written::ConfigMap(map) => {
                let id = map.metadata.id.clone();
                let key = id.to_string();
                self.take_in(Change::ConfigMap(id, Update::Set(key, map)));
            }
            Written::Terminating(pod) => {
                let key = pod.metadata.id.to_string();
                for source in self.sources_of(&key, &pod.metadata.uid) {
                    let update = Update::Set(key.clone(), pod.clone());
                    self.take_in(Change::Pods(source, update));
                }
            }
            Written::Gone(pod) => {
                let key = pod.id.to_string();
                for source in self.sources_of(&key, &pod.uid) {
                    self.take_in(Change::Pods(source, Update::Gone(key.clone())));
                }
            }
        }
    }

    /// The watches that show this very Pod.
    fn sources_of(&self, key: &str, uid: &str) -> Vec<Source> {
        let shows = |pod: &mooring_core::kube_proxy::snapshot::Pod| pod.metadata.uid == uid;
        let pods = self.world.pods.iter();
        pods.filter(|(_, store)| store.get(key).is_some_and(shows))
            .map(|(source, _)| source.clone())
            .collect()
    }

    /// A write that is not allowed is shown with the command that allows it, and told once.
    fn refusal(&mut self, error: &ApiError) -> Option<Note> {
        let ApiError::Forbidden { .. } = error else {
            return None;
        };
        let text = format!("Mooring {error}");
        if self.refused.as_ref() == Some(&text) {
            return None;
        }
        self.refused = Some(text.clone());
        Some(Note::warning(NoteTarget::ServiceProxy, "NotAllowed", text))
    }

    fn count(&self, before: Option<&Run>, after: Option<&Run>) {
        let (Some(after), before) = (after, before.map(|run| (run.started, run.phase))) else {
            return;
        };
        if !after.phase.is_active() && before != Some((after.started, after.phase)) {
            self.context.metrics.remediation(after.phase);
        }
    }

    /// What else runs in the cluster. Antrea's API is asked only where the answer can decide.
    async fn surroundings(&mut self) -> Surroundings {
        let sets: Vec<DaemonSet> = self.world.daemon_sets.values().cloned().collect();
        let antrea = match survey::antrea(&self.world) {
            Some(seen) if seen.version < Some(AntreaVersion::EGRESS_WITH_STRICT_ARP) => {
                Some(AntreaSeen {
                    egress_in_use: self.egress_in_use().await,
                    ..seen
                })
            }
            seen => seen,
        };
        Surroundings {
            antrea,
            unnumbered_cni: unnumbered_cni(&sets),
        }
    }

    /// Where it cannot be asked, it is taken to be in use: that holds an edit back, and breaks nothing.
    async fn egress_in_use(&mut self) -> bool {
        if let Some((asked, answer)) = self.egress
            && asked.elapsed() < EGRESS_TTL
        {
            return answer;
        }
        let answer = match antrea::egress_in_use(&self.context.cluster).await {
            Ok(answer) => answer,
            Err(error) => {
                self.context.metrics.api_error(&error);
                tracing::warn!(%error, "taken as if Antrea's Egress were in use");
                true
            }
        };
        self.egress = Some((Instant::now(), answer));
        answer
    }
}

fn replace(verdict: &mut ClusterVerdict, condition: Condition) {
    for former in &mut verdict.conditions {
        if former.kind == condition.kind {
            *former = condition;
            return;
        }
    }
}

/// The run that is under way, or ended last.
fn persisted(status: &ServiceProxyStatus) -> Option<Run> {
    status.last_remediation.as_ref()?.run()
}
