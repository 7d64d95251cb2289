//! What is watched for addresses, trimmed to what can change a decision.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::Config;
use mooring_api::external_ip_pool::ExternalIPPoolStatus;
use mooring_api::{
    ExternalIP, ExternalIPPool, NodeProxyState, ServiceProxy, antrea_controller, antrea_pool,
    external_ip_pool, network, node_proxy_state, service_proxy,
};
use mooring_core::external_ip::{ClusterNode, Known};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::PoolObject;
use mooring_core::ipam::service;
use mooring_core::kube_proxy::snapshot::{ObjectName, VolumeSource};
use mooring_core::node::NodeReport;
use mooring_core::placement::Endpoint;
use mooring_core::proxy_mode::antrea::AntreaVersion;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::copies::Versioned;
use super::sightings::Sighting;
use crate::cache::{Doubt, Update, follow, follow_if_served};
use crate::cluster::{Cluster, Operation};
use crate::survey;
use crate::watches::{AGENT_LABEL, agent, bare};
use crate::world::Agent;

/// The DaemonSet of Antrea's agent.
const ANTREA_AGENT: &str = "antrea-agent";

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Mooring's pools.
    Pools,
    /// Antrea's.
    AntreaPools,
    /// All Services.
    Services,
    /// All namespaces.
    Namespaces,
    /// All EndpointSlices.
    Slices,
    /// All ExternalIPs.
    Addresses,
    /// All nodes.
    Nodes,
    /// What the agents report.
    Reports,
    /// The agents' own Pods.
    Agents,
    /// The one ServiceProxy.
    Gate,
    /// The ranges of cluster IPs.
    ServiceCidrs,
    /// Antrea's agent.
    Antrea,
    /// Antrea's configuration.
    AntreaConfig(ObjectName),
}

/// What a watch learned.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Of a pool of Mooring's.
    Pools(Update<Versioned<OwnPool>>),
    /// Of a pool of Antrea's.
    AntreaPools(Update<Versioned<AntreaPool>>),
    /// Of a Service.
    Services(Update<Versioned<Arc<service::Service>>>),
    /// Of a namespace: its labels.
    Namespaces(Update<BTreeMap<String, String>>),
    /// Of an EndpointSlice.
    Slices(Update<Slice>),
    /// Of an ExternalIP.
    Addresses(Update<Versioned<Address>>),
    /// Of a Linux node.
    Nodes(Update<ClusterNode>),
    /// Of a NodeProxyState.
    Reports(Update<NodeReport>),
    /// Of an agent's Pod.
    Agents(Update<Agent>),
    /// Of the ServiceProxy: whether it is safe to publish.
    Gate(Update<Versioned<Gate>>),
    /// Of a ServiceCIDR.
    ServiceCidrs(Update<Vec<String>>),
    /// Of Antrea's agent.
    Antrea(Update<AntreaAgent>),
    /// Of its ConfigMap: what Antrea's controller was told.
    AntreaConfig(ObjectName, Update<Option<String>>),
}

/// A pool of Mooring's. Only what its owner wrote decides.
#[derive(Debug, Clone)]
pub(super) struct OwnPool {
    /// What its owner wrote.
    pub object: PoolObject,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// `status`.
    pub status: Option<ExternalIPPoolStatus>,
}

/// A pool of Antrea's. Only what its owner wrote decides.
#[derive(Debug, Clone)]
pub(super) struct AntreaPool {
    /// What its owner wrote.
    pub object: PoolObject,
    /// As in `v1beta1`.
    pub version: String,
    /// `status.usage`.
    pub usage: Value,
}

/// An ExternalIP. What is said about it does not decide.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub known: Arc<Known>,
    /// What a witness saw on the wire.
    pub sighting: Sighting,
}

/// Antrea's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AntreaAgent {
    /// The ConfigMap that it mounts.
    pub config: ObjectName,
    /// By its image.
    pub version: Option<AntreaVersion>,
}

/// Some of the endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    /// The Service.
    pub service: ObjectName,
    /// Each kind of endpoint once: how many there are does not matter.
    pub endpoints: Vec<Endpoint>,
    /// Their addresses, where those matter: of `default/kubernetes`.
    pub addresses: Vec<IpAddr>,
}

/// One task; it ends with this.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl PartialEq for OwnPool {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let (this, other) = (&self.known, &other.known);
        this.claim == other.claim
            && this.planned == other.planned
            && this.heirs == other.heirs
            && this.plan == other.plan
            && this.taken_by == other.taken_by
            && this.term == other.term
            && this.last_move == other.last_move
    }
}

impl Deref for Address {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl PartialEq for AntreaPool {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object
    }
}

// === impl Watch ===

impl Watch {
    /// Starts to watch.
    pub(super) fn start(
        source: &Source,
        cluster: &Cluster,
        changes: &mpsc::Sender<Change>,
    ) -> Self {
        let client = cluster.client.clone();
        let all = Config::default();
        let changes = changes.clone();
        Self(match source {
            Source::Pools => tokio::spawn(follow(
                Api::all(client),
                all,
                |pool: ExternalIPPool| Some(own_pool(&pool)),
                Change::Pools,
                changes,
            )),
            Source::AntreaPools => {
                let versions = antrea_pool::VERSIONS.map(antrea_pool::resource);
                let versions = versions
                    .iter()
                    .map(|version| Api::all_with(client.clone(), version));
                tokio::spawn(follow_if_served(
                    versions.collect(),
                    |pool: DynamicObject| antrea_pool(&pool),
                    Change::AntreaPools,
                    changes,
                ))
            }
            Source::Services => tokio::spawn(follow(
                Api::all(client),
                all,
                |service: Service| Some(trimmed_service(&service)),
                Change::Services,
                changes,
            )),
            Source::Namespaces => tokio::spawn(follow(
                Api::all(client),
                all,
                |namespace: Namespace| Some(network::namespace(&namespace).1),
                Change::Namespaces,
                changes,
            )),
            Source::Slices => tokio::spawn(follow(
                Api::all(client),
                all,
                |slice: EndpointSlice| trimmed_slice(&slice),
                Change::Slices,
                changes,
            )),
            Source::Addresses => tokio::spawn(follow(
                Api::all(client),
                all,
                |address: ExternalIP| external_ip(&address),
                Change::Addresses,
                changes,
            )),
            Source::Nodes => tokio::spawn(follow(
                Api::all(client),
                all,
                |node: Node| mooring_api::cluster_node(&node),
                Change::Nodes,
                changes,
            )),
            Source::Reports => tokio::spawn(follow(
                Api::all(client),
                all,
                |state: NodeProxyState| report(&state),
                Change::Reports,
                changes,
            )),
            Source::Agents => tokio::spawn(follow(
                Api::namespaced(client, &cluster.namespace),
                all.labels(AGENT_LABEL),
                |pod: Pod| agent(pod),
                Change::Agents,
                changes,
            )),
            Source::Gate => tokio::spawn(follow(
                Api::all(client),
                all,
                |proxy: ServiceProxy| Some(gate(&proxy)),
                Change::Gate,
                changes,
            )),
            Source::ServiceCidrs => tokio::spawn(follow_if_served(
                vec![Api::all(client)],
                |range: ServiceCIDR| Some(network::service_cidrs(&range)),
                Change::ServiceCidrs,
                changes,
            )),
            Source::Antrea => tokio::spawn(follow(
                Api::all(client),
                all.fields(&format!("metadata.name={ANTREA_AGENT}")),
                |set: DaemonSet| Some(antrea_agent(set)),
                Change::Antrea,
                changes,
            )),
            Source::AntreaConfig(id) => {
                let name = id.clone();
                tokio::spawn(follow(
                    Api::namespaced(client, &id.namespace),
                    all.fields(&format!("metadata.name={}", id.name)),
                    |map: ConfigMap| Some(map.data?.remove(antrea_controller::KEY)),
                    move |update| Change::AntreaConfig(name.clone(), update),
                    changes,
                ))
            }
        })
    }

    /// Whether the task ended, which none does by itself: it has panicked.
    pub(super) fn is_broken(&self) -> bool {
        self.0.is_finished()
    }
}

/// A pool of Mooring's as it is kept.
pub(super) fn own_pool(pool: &ExternalIPPool) -> Versioned<OwnPool> {
    let value = OwnPool {
        object: external_ip_pool::object(pool),
        generation: pool.metadata.generation,
        finalizers: pool.metadata.finalizers.clone().unwrap_or_default(),
        status: pool.status.clone(),
    };
    Versioned::of(pool, value)
}

/// A pool of Antrea's as it is kept; one that cannot be read is none, and said.
pub(super) fn antrea_pool(pool: &DynamicObject) -> Option<Versioned<AntreaPool>> {
    let object = match antrea_pool::object(pool) {
        Ok(object) => object,
        Err(error) => {
            let pool = pool.metadata.name.as_deref().unwrap_or_default();
            tracing::warn!(pool, %error, "pool of Antrea cannot be read, and is left out");
            return None;
        }
    };
    let types = pool.types.as_ref();
    let value = AntreaPool {
        object,
        version: types
            .and_then(|types| types.api_version.split_once('/'))
            .map(|(_, version)| version.to_owned())
            .unwrap_or_default(),
        usage: pool.data["status"]["usage"].clone(),
    };
    Some(Versioned::of(pool, value))
}

/// An ExternalIP as it is kept; one that stands for no address is none, and said.
pub(super) fn external_ip(object: &ExternalIP) -> Option<Versioned<Address>> {
    match mooring_api::external_ip::known(object) {
        Ok(mut known) => {
            let announced = known.announced.as_mut();
            let seen = announced.and_then(|announced| announced.seen.take());
            // How a node answers decides nothing, and is much at ten thousand addresses.
            known.announced = known.announced.map(|announced| announced.said.into());
            let address = Address {
                known: Arc::new(known),
                sighting: Sighting::of(seen.map(|seen| seen.single)),
            };
            Some(Versioned::of(object, address))
        }
        Err(error) => {
            tracing::warn!(%error, "external ip left out");
            None
        }
    }
}

/// A Service as it is kept. Of one that can have no address, only that it is there.
pub(super) fn trimmed_service(object: &Service) -> Versioned<Arc<service::Service>> {
    let mut service = mooring_api::service(object);
    if !concerns(&service) {
        service = service::Service {
            id: service.id,
            uid: service.uid,
            terminating: service.terminating,
            ..service::Service::default()
        };
    }
    Versioned::of(object, Arc::new(service))
}

/// Whether it has or may get addresses.
pub(super) fn concerns(service: &service::Service) -> bool {
    service.load_balancer || !service.ingress.is_empty()
}

fn trimmed_slice(slice: &EndpointSlice) -> Option<Slice> {
    let (service, mut endpoints) = network::endpoints(slice)?;
    endpoints.sort_unstable();
    endpoints.dedup();
    endpoints.shrink_to_fit();
    Some(Slice {
        service,
        endpoints,
        addresses: network::api_servers(slice),
    })
}

/// What a node saw of addresses of others decides nothing about ours.
pub(super) fn report(state: &NodeProxyState) -> Option<NodeReport> {
    Some(NodeReport {
        witnessed: Vec::new(),
        ..node_proxy_state::report(state)?
    })
}

fn gate(proxy: &ServiceProxy) -> Versioned<Gate> {
    Versioned::of(proxy, service_proxy::gate(Some(proxy)))
}

fn antrea_agent(set: DaemonSet) -> AntreaAgent {
    let set = mooring_api::daemon_set(&bare(set));
    let volumes = set.template.volumes.iter();
    let mounted = volumes.filter_map(|volume| match &volume.source {
        VolumeSource::ConfigMap(map) => Some(&map.name),
        _ => None,
    });
    let config = mounted
        .into_iter()
        .find(|name| name.starts_with(antrea_controller::CONFIG_MAP))
        .map_or(antrea_controller::CONFIG_MAP, String::as_str);
    AntreaAgent {
        config: ObjectName::new(&set.metadata.id.namespace, config),
        version: survey::antrea_version(&set),
    }
}

// === impl Source ===

impl Source {
    /// That it is not known, and what to do.
    pub(super) fn missing(&self, doubt: Doubt<'_>) -> String {
        let what = match self {
            Self::Pools => "ExternalIPPools".to_owned(),
            Self::AntreaPools => "Antrea's ExternalIPPools".to_owned(),
            Self::Services => "Services".to_owned(),
            Self::Namespaces => "Namespaces".to_owned(),
            Self::Slices => "EndpointSlices".to_owned(),
            Self::Addresses => "ExternalIPs".to_owned(),
            Self::Nodes => "Nodes".to_owned(),
            Self::Reports => "NodeProxyStates".to_owned(),
            Self::Agents => "the agents' Pods".to_owned(),
            Self::Gate => "ServiceProxies".to_owned(),
            Self::ServiceCidrs => "ServiceCIDRs".to_owned(),
            Self::Antrea => "the DaemonSet antrea-agent".to_owned(),
            Self::AntreaConfig(id) => {
                format!("ConfigMap {id}, which says whether Antrea serves external IPs")
            }
        };
        let Doubt::Trouble(trouble) = doubt else {
            return format!("{what}: not listed yet");
        };
        match trouble.code {
            Some(404) if self.is_ours() => format!(
                "{what}: the CustomResourceDefinition is not there; apply Mooring's CRDs (manifests/crds)"
            ),
            Some(403) => {
                let grant = self.operation().grant(&trouble.message);
                format!("{what}: {}. To allow it: {grant}", trouble.message)
            }
            _ => format!("{what}: {}", trouble.message),
        }
    }

    fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Pools | Self::Addresses | Self::Reports | Self::Gate
        )
    }

    /// What RBAC has to allow.
    fn operation(&self) -> Operation {
        let (group, resource) = match self {
            Self::Pools => ("mooring.dev", "externalippools"),
            Self::AntreaPools => ("crd.antrea.io", "externalippools"),
            Self::Services => ("", "services"),
            Self::Namespaces => ("", "namespaces"),
            Self::Slices => ("discovery.k8s.io", "endpointslices"),
            Self::Addresses => ("mooring.dev", "externalips"),
            Self::Nodes => ("", "nodes"),
            Self::Reports => ("mooring.dev", "nodeproxystates"),
            Self::Agents => ("", "pods"),
            Self::Gate => ("mooring.dev", "serviceproxies"),
            Self::ServiceCidrs => ("networking.k8s.io", "servicecidrs"),
            Self::Antrea => ("apps", "daemonsets"),
            Self::AntreaConfig(id) => {
                return Operation::on("watch", "", "configmaps", &id.namespace, &id.name);
            }
        };
        Operation::of("watch", group, resource, None)
    }
}
