//! What the API server knows: a node, a pool of 8,192 addresses, and as many Services as are wanted.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use allocation::objects::{NAMESPACE, from};
use allocation::operator::Replica;
use allocation::safe_to_announce;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use mooring_api::ExternalIP;
use serde_json::{Value, json};
use testbed::Bed;

use crate::allocation;
use crate::site::{Place, Site};

const POOL: &str = "bench";
/// Of the pool, from here on, those that are asked for by name.
const FIXED: Ipv4Addr = Ipv4Addr::new(10, 99, 60, 0);
/// Longer than anything may take.
const LIMIT: Duration = Duration::from_secs(240);

/// An address that is asked for by name.
pub(crate) fn fixed(index: usize) -> IpAddr {
    let number = u32::from(FIXED) + u32::try_from(index).unwrap();
    Ipv4Addr::from(number).into()
}

/// Makes all but Services.
pub(crate) fn populate(bed: &Bed, site: &Site<'_>) {
    for manifest in mooring_api::manifests().unwrap() {
        let apply = ["apply", "--server-side", "-f", "-"];
        bed.kubectl_with(&apply, &manifest.text).unwrap();
    }
    let established = ["wait", "--for=condition=Established", "crd", "--all"];
    bed.kubectl(&established).unwrap();
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mooring-system"}}),
        json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "ServiceProxy", "metadata": {"name": "cluster"},
            // No kube-proxy here has a ConfigMap.
            "spec": {"strictARP": {"policy": "Ignore"}}
        }),
        json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "ExternalIPPool", "metadata": {"name": POOL},
            "spec": {"ipRanges": [{"cidr": "10.99.32.0/19"}]}
        }),
    ];
    // No controller manager runs here that would make it, and no Pod is accepted without.
    objects.push(json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "mooring-system"}
    }));
    if site.place() == Place::Namespace {
        objects.extend(without_kube_proxy(site));
    }
    let agent = pod("mooring-agent-n1", "mooring-agent");
    objects.push(agent.clone());
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    bed.kubectl_with(&["apply", "--server-side", "-f", "-"], &list.to_string())
        .unwrap();
    let mut running = agent;
    running["status"] = json!({
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]
    });
    let replace = [
        "replace",
        "--subresource=status",
        "--validate=false",
        "-f",
        "-",
    ];
    bed.kubectl_with(&replace, &running.to_string()).unwrap();
}

fn pod(name: &str, container: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "mooring-system", "labels": {"app.kubernetes.io/name": container}
        },
        "spec": {
            "nodeName": "n1", "hostNetwork": true,
            "containers": [{"name": container, "image": "example.org/none:v1"}]
        }
    })
}

/// A node whose Pod and link say that an eBPF program handles Services there: what it forwards is not waited for.
fn without_kube_proxy(site: &Site<'_>) -> [Value; 2] {
    site.add_link("cilium_host");
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "n1", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": "n1"}
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": site.address()}]
        }
    });
    [node, pod("anetd-n1", "cilium-agent")]
}

/// The API server, and what was made there.
pub(crate) struct Cluster {
    services: Api<Service>,
    slices: Api<EndpointSlice>,
    claims: Api<ExternalIP>,
    /// How many Services there are whose address is not asked for by name.
    number: usize,
    addresses: Vec<IpAddr>,
}

// === impl Cluster ===

impl Cluster {
    /// Waits until the operator publishes addresses.
    pub(crate) async fn new(client: Client, replica: &Replica<'_>) -> Self {
        safe_to_announce(&client, replica).await;
        Self {
            services: Api::namespaced(client.clone(), NAMESPACE),
            slices: Api::namespaced(client.clone(), NAMESPACE),
            claims: Api::all(client),
            number: 0,
            addresses: Vec::new(),
        }
    }

    /// A Service for an address of the pool, and when it was about to be created.
    pub(crate) async fn create_at(&self, address: IpAddr) -> Instant {
        let name = format!("at-{address}").replace('.', "-");
        self.create_slice(&name).await;
        let begin = Instant::now();
        self.create_service(&name, Some(address)).await;
        begin
    }

    /// Creates Services until there are so many.
    pub(crate) async fn grow_to(&mut self, number: usize) {
        let this = &*self;
        stream::iter(self.number..number)
            .for_each_concurrent(16, async |index| {
                let name = format!("web-{index:05}");
                this.create_slice(&name).await;
                this.create_service(&name, None).await;
            })
            .await;
        self.number = number;
    }

    async fn create_slice(&self, name: &str) {
        let object: EndpointSlice = from(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.77.0.2"], "conditions": {"ready": true}}]
        }));
        let created = self.slices.create(&PostParams::default(), &object).await;
        created.unwrap();
    }

    async fn create_service(&self, name: &str, address: Option<IpAddr>) {
        let mut annotations = json!({"mooring.dev/pool": POOL});
        if let Some(address) = address {
            annotations["mooring.dev/ips"] = address.to_string().into();
        }
        let object: Service = from(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {
                "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
                "ports": [{"port": 80, "targetPort": 8080}]
            }
        }));
        let created = self.services.create(&PostParams::default(), &object).await;
        created.unwrap();
    }

    /// Waits until so many have an address.
    pub(crate) async fn published(&mut self, number: usize) {
        let begin = Instant::now();
        loop {
            let services = self.services.list(&ListParams::default()).await.unwrap();
            let named = |service: &&Service| {
                let name = service.metadata.name.as_deref();
                name.is_some_and(|name| name.starts_with("web-"))
            };
            let address = |service: &Service| -> Option<IpAddr> {
                let ingress = service
                    .status
                    .as_ref()?
                    .load_balancer
                    .as_ref()?
                    .ingress
                    .as_ref()?;
                ingress.first()?.ip.as_ref()?.parse().ok()
            };
            self.addresses = services
                .items
                .iter()
                .filter(named)
                .filter_map(address)
                .collect();
            if self.addresses.len() >= number {
                return;
            }
            assert!(
                begin.elapsed() < LIMIT,
                "{} of {number} are published",
                self.addresses.len()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The addresses of all but those that are asked for by name.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.clone()
    }

    /// Waits until its node has said of so many addresses that it has them, and some seconds more.
    pub(crate) async fn settled(&mut self, number: usize) {
        let begin = Instant::now();
        loop {
            let claims = self.claims.list(&ListParams::default()).await.unwrap();
            let announced = claims.items.iter().filter(|claim| {
                let status = claim.status.as_ref();
                status.is_some_and(|status| status.node.is_some())
            });
            let announced = announced.count();
            if announced >= number {
                break;
            }
            assert!(
                begin.elapsed() < LIMIT,
                "{announced} of {number} are said to be announced"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
