//! The watches that run: one task each, started and ended by what is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Service};
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource};
use mooring_api::{ExternalIP, NodeProxyState, ServiceProxy, node_proxy_state};
use mooring_core::kube_proxy::discover;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cache::{Update, follow};
use crate::cluster::Cluster;
use crate::world::{Agent, Change, Ingress, Source};

/// The label of the agents' Pods, in the operator's namespace.
pub(crate) const AGENT_LABEL: &str = "app.kubernetes.io/name=mooring-agent";
/// Where Pods without a telling label are looked for when nothing else was found.
const SYSTEM: &str = "kube-system";

/// The watches that run. When this is dropped, they end.
pub(crate) struct Watches {
    client: Client,
    /// The operator's namespace.
    namespace: String,
    changes: mpsc::Sender<Change>,
    running: BTreeMap<Source, Watch>,
}

/// One task.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl Watches ===

impl Watches {
    /// None yet. What they learn is sent to `changes`.
    pub(crate) fn new(cluster: &Cluster, changes: mpsc::Sender<Change>) -> Self {
        Self {
            client: cluster.client.clone(),
            namespace: cluster.namespace.clone(),
            changes,
            running: BTreeMap::new(),
        }
    }

    /// Makes exactly these run.
    pub(crate) fn set(&mut self, wanted: &BTreeSet<Source>) {
        self.running.retain(|source, _| wanted.contains(source));
        for source in wanted {
            if !self.running.contains_key(source) {
                tracing::debug!(?source, "watch started");
                let watch = Watch(self.start(source));
                self.running.insert(source.clone(), watch);
            }
        }
    }

    /// Whether a task ended, which none does by itself: it has panicked.
    pub(crate) fn broken(&self) -> Option<&Source> {
        let mut running = self.running.iter();
        running.find_map(|(source, watch)| watch.0.is_finished().then_some(source))
    }

    fn start(&self, source: &Source) -> JoinHandle<()> {
        let everything = Config::default();
        match source {
            Source::ServiceProxy => self.follow(
                Api::all(self.client.clone()),
                everything,
                |proxy: ServiceProxy| Some(Box::new(bare(proxy))),
                Change::ServiceProxy,
            ),
            Source::Reports => self.follow(
                Api::all(self.client.clone()),
                everything,
                |state: NodeProxyState| state.status.as_ref().map(node_proxy_state::from_status),
                Change::Reports,
            ),
            Source::Agents => self.follow(
                Api::namespaced(self.client.clone(), &self.namespace),
                everything.labels(AGENT_LABEL),
                agent,
                Change::Agents,
            ),
            Source::Nodes => self.follow(
                Api::all(self.client.clone()),
                everything,
                |node: Node| Some(mooring_api::node(&bare(node))),
                Change::Nodes,
            ),
            Source::DaemonSets => self.follow(
                Api::all(self.client.clone()),
                everything,
                |set: DaemonSet| Some(mooring_api::daemon_set(&bare(set))),
                Change::DaemonSets,
            ),
            Source::Services => self.follow(
                Api::all(self.client.clone()),
                everything,
                ingress,
                Change::Services,
            ),
            Source::Claims => self.follow(
                Api::all(self.client.clone()),
                everything,
                |_: ExternalIP| Some(()),
                Change::Claims,
            ),
            Source::Pods { namespace, labels } => {
                let api = match namespace {
                    Some(namespace) => Api::namespaced(self.client.clone(), namespace),
                    None => Api::all(self.client.clone()),
                };
                let source = source.clone();
                self.follow(
                    api,
                    everything.labels(labels),
                    |pod: Pod| Some(mooring_api::pod(&bare(pod))),
                    move |update| Change::Pods(source.clone(), update),
                )
            }
            Source::StaticPods => self.follow(
                Api::namespaced(self.client.clone(), SYSTEM),
                everything,
                |pod: Pod| {
                    let pod = mooring_api::pod(&bare(pod));
                    let found = discover(&[], std::slice::from_ref(&pod));
                    (!found.workloads.is_empty()).then_some(pod)
                },
                |update| Change::Pods(Source::StaticPods, update),
            ),
            Source::ConfigMap(id) => {
                let id = id.clone();
                self.follow(
                    Api::namespaced(self.client.clone(), &id.namespace),
                    everything.fields(&format!("metadata.name={}", id.name)),
                    // Its managed fields tell when it changed, and who did that.
                    |map: ConfigMap| Some(mooring_api::config_map(&map)),
                    move |update| Change::ConfigMap(id.clone(), update),
                )
            }
        }
    }

    fn follow<K, V>(
        &self,
        api: Api<K>,
        selector: Config,
        convert: impl Fn(K) -> Option<V> + Send + Sync + 'static,
        change: impl Fn(Update<V>) -> Change + Send + Sync + 'static,
    ) -> JoinHandle<()>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
        V: Send + 'static,
    {
        let changes = self.changes.clone();
        tokio::spawn(follow(api, selector, convert, change, changes))
    }
}

/// Managed fields are half of many objects.
pub(crate) fn bare<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

/// The Pod of an agent, once it has a node.
pub(crate) fn agent(pod: Pod) -> Option<Agent> {
    let pod = mooring_api::pod(&bare(pod));
    Some(Agent {
        node: pod.node?,
        ready: pod.ready && !pod.metadata.terminating,
    })
}

/// The external IPs that a Service has, whoever gave them to it. With `ipMode: Proxy` something before the nodes has the address,
/// and no service proxy binds it.
fn ingress(service: Service) -> Option<Ingress> {
    let ingress = service.status?.load_balancer?.ingress?;
    let addresses: BTreeSet<IpAddr> = ingress
        .iter()
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
        .filter_map(|ingress| ingress.ip.as_deref()?.parse().ok())
        .collect();
    (!addresses.is_empty()).then(|| Ingress {
        uid: service.metadata.uid.unwrap_or_default(),
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_that_something_before_the_nodes_has_are_left_out() {
        let of = |entries| {
            let service = serde_json::from_value(json!({
                "metadata": {"name": "web", "uid": "7"},
                "status": {"loadBalancer": {"ingress": entries}},
            }));
            ingress(service.unwrap())
        };
        let found = of(json!([
            {"ip": "192.0.2.1", "ipMode": "VIP"}, {"ip": "192.0.2.2"}, {"ip": "192.0.2.3", "ipMode": "Proxy"},
            {"hostname": "web.example"},
        ]));
        let found = found.unwrap();
        let expected = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert_eq!(found.addresses, expected.into());
        assert_eq!(found.uid, "7");
        assert_eq!(of(json!([{"ip": "192.0.2.3", "ipMode": "Proxy"}])), None);
    }
}
