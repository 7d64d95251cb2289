//! Watches, and one question that is asked again and again. Each watch is a task that keeps the set of what it follows and
//! sends all of it whenever that changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use mooring_api::{
    ExternalIP, ExternalIPPool, NodeProxyState, ServiceProxy, peer_keys, service_proxy,
};
use mooring_core::kube_proxy::snapshot::{ConfigMap, ObjectName, Pod};
use mooring_core::node::Role;
use mooring_core::peer::Keys;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::task::AbortHandle;
use tracing::warn;

use super::address::{Address, Reader};
use super::retry::{Attempts, Contact, with_chance};
use super::set::Set;
use super::{Keeper, NodeLinks, Pool, Trouble, WATCH};
use crate::agent::News;

/// How many objects come in one answer: a node can have hundreds of Pods, and most are dropped at once.
const PAGE: u32 = 25;
/// The same for objects of which there can be thousands, and that are small.
const LARGE_PAGE: u32 = 100;
/// How much may happen to a set before it is told. Many addresses change at once when a node is gone, and everything is told
/// each time.
const BATCH: u32 = 256;
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
    /// All ExternalIPs.
    Addresses,
    /// The ExternalIPPools of Mooring's.
    Pools,
    /// The NodeProxyStates of all nodes.
    Nodes,
    /// The keys of the agents.
    Keys,
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
    /// All ExternalIPs, by name.
    Addresses(Vec<Arc<Address>>),
    /// All pools of Mooring's, by name.
    Pools(Vec<Pool>),
    /// The links of all nodes that report, by name; of this one, too.
    Nodes(Vec<Arc<NodeLinks>>),
    /// What agents authenticate what they say to each other with; `None` while there is no such Secret, or none that can be
    /// used.
    Keys(Option<Keys>),
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
    ///
    /// The Secret with the keys of the agents is in their own `namespace`.
    pub(crate) fn start(
        client: Client,
        node: &str,
        namespace: Option<&str>,
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
            selected(&node),
            of_interest,
            Heard::Pods,
        );
        this.follow(
            Source::ServiceProxy,
            Api::all(this.client.clone()),
            named(service_proxy::CLUSTER),
            |object| Some(without_managed_fields(object)),
            |found: Vec<ServiceProxy>| Heard::ServiceProxy(first(found)),
        );
        this.follow_addresses();
        if let Some(namespace) = namespace {
            this.follow_keys(namespace);
        }
        this.ask_for_state(keeper);
        this
    }

    /// Everything about external IPs.
    fn follow_addresses(&self) {
        let mut reader = Reader::new(&self.node);
        self.follow(
            Source::Addresses,
            Api::all(self.client.clone()),
            all(),
            move |object: ExternalIP| reader.read(object),
            Heard::Addresses,
        );
        self.follow(
            Source::Pools,
            Api::all(self.client.clone()),
            all(),
            |object: ExternalIPPool| Some(Pool::from(&object)),
            Heard::Pools,
        );
        self.follow(
            Source::Nodes,
            Api::all(self.client.clone()),
            all(),
            |object: NodeProxyState| Some(Arc::new(NodeLinks::from(object))),
            Heard::Nodes,
        );
    }

    fn follow_keys(&self, namespace: &str) {
        self.follow(
            Source::Keys,
            Api::namespaced(self.client.clone(), namespace),
            named(peer_keys::NAME),
            |secret: core::Secret| Some(readable_keys(&secret)),
            |found| Heard::Keys(found.into_iter().next().flatten()),
        );
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
                    contact.doubt();
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

    /// The network of this node changed: the connections of watches may be dead, and nothing would tell.
    pub(crate) fn doubt(&self) {
        self.contact.doubt();
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
            named(&name.name),
            |object: core::ConfigMap| Some(mooring_api::config_map(&object)),
            move |found| Heard::ConfigMap(told.clone(), first(found)),
        )
    }

    fn follow<K, T>(
        &self,
        source: Source,
        api: Api<K>,
        config: watcher::Config,
        keep: impl FnMut(K) -> Option<T> + Send + 'static,
        tell: impl Fn(Vec<T>) -> Heard + Send + 'static,
    ) -> AbortHandle
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
        T: Clone + PartialEq + Send + 'static,
    {
        let config = config.timeout(u32::try_from(WATCH.as_secs()).unwrap_or(u32::MAX));
        let (news, contact) = (self.news.clone(), self.contact.clone());
        tokio::spawn(async move {
            let events = || watcher(api.clone(), config.clone());
            // It ends with whoever listens.
            let _ = listen(source, events, keep, tell, news, contact).await;
        })
        .abort_handle()
    }
}

/// Keeps the set that a watch tells of, and sends it whenever it changes. `begin` begins the watch, anew when its connection
/// is in doubt.
async fn listen<K, T, S>(
    source: Source,
    begin: impl Fn() -> S,
    mut keep: impl FnMut(K) -> Option<T>,
    tell: impl Fn(Vec<T>) -> Heard,
    news: mpsc::Sender<News>,
    contact: Contact,
) -> Result<(), SendError<News>>
where
    K: Resource<DynamicType = ()>,
    T: Clone + PartialEq,
    S: Stream<Item = watcher::Result<Event<K>>>,
{
    let mut events = Box::pin(begin());
    let mut set = Set::default();
    let mut attempts = Attempts::default();
    let mut batch = 0;
    loop {
        // All that has come by now is told together.
        let come = if batch < BATCH {
            events.next().now_or_never()
        } else {
            None
        };
        let event = match come {
            Some(event) => event,
            None => {
                batch = 0;
                if let Some(found) = set.news() {
                    news.send(tell(found).into()).await?;
                }
                tokio::select! {
                    event = events.next() => event,
                    () = contact.doubted() => {
                        events = Box::pin(begin());
                        continue;
                    }
                }
            }
        };
        batch += 1;
        match event {
            None => return Ok(()),
            // Said before anything is asked.
            Some(Ok(Event::Init)) => set.take(Event::Init, &mut keep),
            Some(Ok(event)) => {
                if attempts.succeeded() {
                    contact.regained();
                    news.send(Heard::Fine(source.clone()).into()).await?;
                }
                set.take(event, &mut keep);
            }
            // The list is too old to be continued; the stream starts a new one by itself.
            Some(Err(watcher::Error::WatchError(status))) if status.code == 410 => {}
            Some(Err(error)) => {
                if let Some(found) = set.news() {
                    news.send(tell(found).into()).await?;
                }
                let trouble = Trouble::from(&error);
                let heard = Heard::Trouble(source.clone(), trouble.clone());
                news.send(heard.into()).await?;
                contact.wait(&trouble, attempts.failed(&trouble)).await;
                if !source.is_of_addresses() {
                    // A watch that goes on tells nothing until something changes, and until then nobody would know that the
                    // API server is back. These are short lists.
                    events = Box::pin(begin());
                }
            }
        }
    }
}

/// The objects with these fields.
fn selected(fields: &str) -> watcher::Config {
    watcher::Config::default().fields(fields).page_size(PAGE)
}

/// The object of this name.
fn named(name: &str) -> watcher::Config {
    selected(&format!("metadata.name={name}"))
}

fn all() -> watcher::Config {
    watcher::Config::default().page_size(LARGE_PAGE)
}

/// What cannot be used is told of, as the operator does.
fn readable_keys(secret: &core::Secret) -> Option<Keys> {
    let keys = peer_keys::keys(secret);
    if let Err(reason) = &keys {
        warn!(%reason, "the keys of the agents cannot be used, so that other agents are not heard");
    }
    keys.ok()
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

// === impl Source ===

impl Source {
    /// Whether it is followed for the sake of external IPs.
    pub(crate) fn is_of_addresses(&self) -> bool {
        matches!(
            self,
            Self::Addresses | Self::Pools | Self::Nodes | Self::Keys
        )
    }

    /// Whether it is of a kind of Mooring's own, and missing until that is installed.
    pub(crate) fn is_of_mooring(&self) -> bool {
        matches!(
            self,
            Self::ServiceProxy | Self::Addresses | Self::Pools | Self::Nodes
        )
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods => f.write_str("the Pods of this node"),
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::ServiceProxy => write!(f, "ServiceProxy {}", service_proxy::CLUSTER),
            Self::State => f.write_str("the NodeProxyState of this node"),
            Self::Addresses => f.write_str("the ExternalIPs"),
            Self::Pools => f.write_str("the ExternalIPPools of mooring.dev"),
            Self::Nodes => f.write_str("the NodeProxyStates of all nodes"),
            Self::Keys => f.write_str("the keys of the agents"),
        }
    }
}

#[cfg(test)]
mod tests;
