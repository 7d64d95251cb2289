//! Watches, and one question that is asked again and again. Each watch is a task that keeps the set of what it follows and sends all of it whenever that changes.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use mooring_api::{NodeProxyState, ServiceProxy, service_proxy};
use mooring_core::kube_proxy::snapshot::{ConfigMap, ObjectName, Pod};
use mooring_core::node::Role;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::retry::{Attempts, Contact, with_chance};
use super::{Keeper, Trouble, WATCH};
use crate::agent::News;

/// How many objects come in one answer: a node can have hundreds of Pods, and most are dropped at once.
const PAGE: u32 = 25;
/// How often the NodeProxyState is asked for while all is well.
const STATE_PERIOD: Duration = Duration::from_secs(30);

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// The Pods of this node.
    Pods,
    /// One ConfigMap.
    ConfigMap(ObjectName),
    /// The ServiceProxy of the cluster.
    ServiceProxy,
    /// This node's own NodeProxyState.
    State,
}

/// What a watch has to say.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Those Pods of this node that handle Services, or may.
    Pods(Vec<Pod>),
    /// A ConfigMap, or that it is not there.
    ConfigMap(ObjectName, Option<Box<ConfigMap>>),
    /// The ServiceProxy, or that there is none.
    ServiceProxy(Option<Box<ServiceProxy>>),
    /// This node's NodeProxyState, or that there is none.
    State(Option<Box<NodeProxyState>>),
    /// Nothing can be heard at the moment.
    Trouble(Source, Trouble),
    /// It can be heard again.
    Fine(Source),
}

/// Starts to follow, and ends it.
pub(crate) struct Follower {
    client: Client,
    node: String,
    news: mpsc::Sender<News>,
    contact: Contact,
    config_maps: BTreeMap<ObjectName, AbortHandle>,
}

// === impl Follower ===

impl Follower {
    /// Follows everything but ConfigMaps, which are followed once Pods are known to mount them.
    pub(crate) fn start(
        client: Client,
        node: &str,
        keeper: Keeper,
        news: mpsc::Sender<News>,
    ) -> Self {
        let this = Self {
            client,
            node: node.to_owned(),
            news,
            contact: Contact::default(),
            config_maps: BTreeMap::new(),
        };
        let node = format!("spec.nodeName={}", this.node);
        this.follow(
            Source::Pods,
            Api::all(this.client.clone()),
            &node,
            of_interest,
            Heard::Pods,
        );
        this.follow(
            Source::ServiceProxy,
            Api::all(this.client.clone()),
            &named(service_proxy::CLUSTER),
            |object| Some(without_managed_fields(object)),
            |found: Vec<ServiceProxy>| Heard::ServiceProxy(first(found)),
        );
        this.ask_for_state(keeper);
        this
    }

    /// Nobody but this agent writes its NodeProxyState, so it is only asked for now and then: whether somebody deleted it,
    /// and whether the API server is still there when nothing else happens.
    fn ask_for_state(&self, keeper: Keeper) {
        let (news, contact) = (self.news.clone(), self.contact.clone());
        tokio::spawn(async move {
            let mut attempts = Attempts::default();
            loop {
                let answer = keeper.read().await;
                let (heard, trouble) = match answer {
                    Ok(object) => (Heard::State(object), None),
                    Err(trouble) => (
                        Heard::Trouble(Source::State, trouble.clone()),
                        Some(trouble),
                    ),
                };
                if trouble.is_none() && attempts.succeeded() {
                    contact.regained();
                    if news.send(Heard::Fine(Source::State).into()).await.is_err() {
                        return;
                    }
                }
                if news.send(heard.into()).await.is_err() {
                    return;
                }
                match trouble {
                    None => tokio::time::sleep(with_chance(STATE_PERIOD)).await,
                    Some(trouble) => contact.wait(&trouble, attempts.failed(&trouble)).await,
                }
            }
        });
    }

    /// Follows these ConfigMaps and no others.
    pub(crate) fn follow_config_maps(&mut self, wanted: impl IntoIterator<Item = ObjectName>) {
        let mut former = std::mem::take(&mut self.config_maps);
        for name in wanted {
            let task = former
                .remove(&name)
                .unwrap_or_else(|| self.follow_config_map(&name));
            self.config_maps.insert(name, task);
        }
        for task in former.into_values() {
            task.abort();
        }
    }

    fn follow_config_map(&self, name: &ObjectName) -> AbortHandle {
        let told = name.clone();
        self.follow(
            Source::ConfigMap(name.clone()),
            Api::namespaced(self.client.clone(), &name.namespace),
            &named(&name.name),
            |object: core::ConfigMap| Some(mooring_api::config_map(&object)),
            move |found| Heard::ConfigMap(told.clone(), first(found)),
        )
    }

    fn follow<K, T>(
        &self,
        source: Source,
        api: Api<K>,
        fields: &str,
        keep: impl Fn(K) -> Option<T> + Send + 'static,
        tell: impl Fn(Vec<T>) -> Heard + Send + 'static,
    ) -> AbortHandle
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
        T: Clone + PartialEq + Send + 'static,
    {
        let config = watcher::Config::default()
            .fields(fields)
            .page_size(PAGE)
            .timeout(u32::try_from(WATCH.as_secs()).unwrap_or(u32::MAX));
        let (news, contact) = (self.news.clone(), self.contact.clone());
        tokio::spawn(async move {
            let mut stream = pin!(watcher(api, config));
            let mut set = Set::default();
            let mut attempts = Attempts::default();
            while let Some(event) = stream.next().await {
                let heard = match event {
                    // Said before anything is asked.
                    Ok(Event::Init) => set.take(Event::Init, &keep).map(&tell),
                    Ok(event) => {
                        if attempts.succeeded() {
                            contact.regained();
                            let fine = Heard::Fine(source.clone());
                            if news.send(fine.into()).await.is_err() {
                                return;
                            }
                        }
                        set.take(event, &keep).map(&tell)
                    }
                    // The list is too old to be continued; the stream starts a new one by itself.
                    Err(watcher::Error::WatchError(status)) if status.code == 410 => None,
                    Err(error) => {
                        let trouble = Trouble::from(&error);
                        let heard = Heard::Trouble(source.clone(), trouble.clone());
                        if news.send(heard.into()).await.is_err() {
                            return;
                        }
                        contact.wait(&trouble, attempts.failed(&trouble)).await;
                        None
                    }
                };
                if let Some(heard) = heard
                    && news.send(heard.into()).await.is_err()
                {
                    return;
                }
            }
        })
        .abort_handle()
    }
}

/// What a watch has seen, by namespace and name.
struct Set<T> {
    known: BTreeMap<(String, String), T>,
    /// A list that has begun and not ended.
    listed: BTreeMap<(String, String), T>,
    told: bool,
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            listed: BTreeMap::new(),
            told: false,
        }
    }
}

impl<T: Clone + PartialEq> Set<T> {
    /// The whole set, if the event changed it or completed it for the first time.
    fn take<K>(&mut self, event: Event<K>, keep: impl Fn(K) -> Option<T>) -> Option<Vec<T>>
    where
        K: Resource<DynamicType = ()>,
    {
        let changed = match event {
            Event::Init => {
                self.listed.clear();
                false
            }
            Event::InitApply(object) => {
                let key = key(&object);
                if let Some(kept) = keep(object) {
                    self.listed.insert(key, kept);
                }
                false
            }
            Event::InitDone => {
                let former = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                let first = !std::mem::replace(&mut self.told, true);
                first || former != self.known
            }
            Event::Apply(object) => {
                let key = key(&object);
                match keep(object) {
                    Some(kept) if self.known.get(&key) == Some(&kept) => false,
                    Some(kept) => {
                        self.known.insert(key, kept);
                        true
                    }
                    None => self.known.remove(&key).is_some(),
                }
            }
            Event::Delete(object) => self.known.remove(&key(&object)).is_some(),
        };
        changed.then(|| self.known.values().cloned().collect())
    }
}

fn key(object: &impl Resource<DynamicType = ()>) -> (String, String) {
    let metadata = object.meta();
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn named(name: &str) -> String {
    format!("metadata.name={name}")
}

fn first<T>(found: Vec<T>) -> Option<Box<T>> {
    found.into_iter().next().map(Box::new)
}

fn without_managed_fields<K: Resource<DynamicType = ()>>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

/// A Pod that handles Services, or may.
fn of_interest(mut pod: core::Pod) -> Option<Pod> {
    pod.metadata.managed_fields = None;
    // A Pod's resource version moves with every field of its status; those that count are here.
    pod.metadata.resource_version = None;
    let pod = mooring_api::pod(&pod);
    Role::of(&pod).is_some().then_some(pod)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods => f.write_str("the Pods of this node"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::ServiceProxy => write!(f, "ServiceProxy {}", service_proxy::CLUSTER),
            Self::State => f.write_str("the NodeProxyState of this node"),
        }
    }
}

#[cfg(test)]
mod tests;
