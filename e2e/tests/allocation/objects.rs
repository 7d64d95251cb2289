//! Pools, and Services that ask for their addresses.

use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::api::core::v1::Service;
use mooring_api::ExternalIPPool;
use mooring_core::ipam::request::annotation::{IPS, POOL, SHARE};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Where all Services of a story are, and no other.
pub(crate) const NAMESPACE: &str = "shop";

/// A pool of 1 to 1024 addresses in the nodes' subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) name: String,
    first: u32,
    pub(crate) size: u32,
    rest: u32,
}

/// What a Service of type LoadBalancer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wish {
    pub(crate) pool: Option<String>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) share: Option<String>,
}

// === impl Pool ===

impl Pool {
    /// Number `index` of a story, with `size` addresses, which rest for `rest` seconds.
    pub(crate) fn new(index: u8, size: u32, rest: u32) -> Self {
        assert!((1..=1024).contains(&size), "{size}");
        Self {
            name: format!("pool-{index:02}"),
            first: u32::from(Ipv4Addr::new(172, 20, 0, 0)) + u32::from(index) * 1024,
            size,
            rest,
        }
    }

    pub(crate) fn address(&self, index: usize) -> IpAddr {
        let index = u32::try_from(index).unwrap();
        assert!(index < self.size, "{index}");
        Ipv4Addr::from(self.first + index).into()
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else {
            return false;
        };
        (self.first..self.first + self.size).contains(&u32::from(address))
    }

    pub(crate) fn object(&self) -> ExternalIPPool {
        from(json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "ExternalIPPool",
            "metadata": {"name": self.name},
            "spec": {
                "ipRanges": [{
                    "start": self.address(0).to_string(),
                    "end": Ipv4Addr::from(self.first + self.size - 1).to_string()
                }],
                "reuseAfterSeconds": self.rest
            }
        }))
    }
}

// === impl Wish ===

impl Wish {
    /// Any address of this pool.
    pub(crate) fn any_of(pool: &Pool) -> Self {
        Self {
            pool: Some(pool.name.clone()),
            ..Self::default()
        }
    }

    /// One address of this pool.
    pub(crate) fn one_of(pool: &Pool, index: usize) -> Self {
        Self {
            address: Some(pool.address(index)),
            ..Self::any_of(pool)
        }
    }

    /// Its annotations, `null` where it asks for nothing: as a merge patch sets and removes them.
    pub(crate) fn annotations(&self) -> Value {
        let address = self.address.map(|address| address.to_string());
        json!({ POOL: self.pool, IPS: address, SHARE: self.share })
    }

    /// What an object asks for.
    pub(crate) fn of(object: &Service) -> Self {
        let annotation = |name: &str| object.metadata.annotations.as_ref()?.get(name).cloned();
        Self {
            pool: annotation(POOL),
            address: annotation(IPS).and_then(|text| text.parse().ok()),
            share: annotation(SHARE),
        }
    }
}

/// A Service of type LoadBalancer. Without node ports: a cluster has fewer of those than a story has Services.
pub(crate) fn service(name: &str, wish: &Wish, port: u16) -> Service {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": wish.annotations()},
        "spec": {
            "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
            "selector": {"app": name}, "ports": [{"port": port}]
        }
    });
    let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.retain(|_, value| !value.is_null());
    from(object)
}

/// The spec of a Service that has its type changed, for a merge patch.
pub(crate) fn type_of(balanced: bool) -> Value {
    if balanced {
        json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false})
    } else {
        json!({"type": "ClusterIP", "allocateLoadBalancerNodePorts": null, "externalTrafficPolicy": null})
    }
}

pub(crate) fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}
