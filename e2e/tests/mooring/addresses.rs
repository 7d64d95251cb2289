//! Services, pools and ExternalIPs, as stories about addresses make and read them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Condition, Mooring, NAMESPACE, Pod, condition};

/// Mooring's pools, as `kubectl` takes them.
pub(crate) const POOLS: &str = "externalippools.mooring.dev";
/// Antrea's.
pub(crate) const ANTREA_POOLS: &str = "externalippools.crd.antrea.io";
/// The claims to addresses.
pub(crate) const EXTERNAL_IPS: &str = "externalips.mooring.dev";

/// The name of the ExternalIP of an IPv4 address.
pub(crate) fn object_name(address: &str) -> String {
    address.replace('.', "-")
}

/// A Service of type LoadBalancer with these annotations. It has no Pods: its address is what stories are about.
pub(crate) fn service(name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}]}
    })
}

/// A Service that names a pool of Mooring's.
pub(crate) fn service_of(name: &str, pool: &str) -> Value {
    service(name, &json!({"mooring.dev/pool": pool}))
}

/// A Service that names a pool of Mooring's, and an address.
pub(crate) fn service_at(name: &str, pool: &str, address: &str) -> Value {
    service(
        name,
        &json!({"mooring.dev/pool": pool, "mooring.dev/ips": address}),
    )
}

/// A pool of Mooring's of one range, whose addresses do not rest for long, so that no story has to wait a minute.
pub(crate) fn pool(name: &str, start: &str, end: &str) -> Value {
    json!({
        "apiVersion": "mooring.dev/v1alpha1", "kind": "ExternalIPPool",
        "metadata": {"name": name},
        "spec": {"ipRanges": [{"start": start, "end": end}], "reuseAfterSeconds": 5}
    })
}

impl Mooring<'_> {
    /// `kubectl create`.
    #[track_caller]
    pub(crate) fn create(&self, object: &Value) {
        self.bed
            .kubectl_with(&["create", "-f", "-"], &object.to_string())
            .unwrap();
    }

    /// `kubectl patch --type=merge`; `kind_and_name` as in `service/web`.
    #[track_caller]
    pub(crate) fn merge(&self, kind_and_name: &str, patch: &Value) {
        let patch = patch.to_string();
        self.bed
            .kubectl(&["patch", kind_and_name, "--type=merge", "-p", &patch])
            .unwrap();
    }

    /// Writes `status.loadBalancer.ingress` as somebody else would.
    #[track_caller]
    pub(crate) fn write_ingress(&self, service: &str, ingress: &Value, manager: &str) {
        let patch = json!({"status": {"loadBalancer": {"ingress": ingress}}}).to_string();
        let manager = format!("--field-manager={manager}");
        self.bed
            .kubectl(&[
                "patch",
                "service",
                service,
                "--subresource=status",
                "--type=merge",
                &manager,
                "-p",
                &patch,
            ])
            .unwrap();
    }

    /// `kubectl delete` without waiting; `kind_and_name` as in `service/web`.
    #[track_caller]
    pub(crate) fn delete(&self, kind_and_name: &str) {
        self.bed
            .kubectl(&["delete", kind_and_name, "--wait=false"])
            .unwrap();
    }

    /// An object, or null; `kind_and_name` as in `service/web`.
    pub(crate) fn object(&self, kind_and_name: &str) -> Value {
        self.get(&[kind_and_name, "--ignore-not-found"])
    }

    /// The addresses in the status of a Service.
    pub(crate) fn published(&self, service: &str) -> Vec<String> {
        ingress(&self.object(&format!("service/{service}")))
    }

    /// Waits until a Service has one address, and returns it.
    #[track_caller]
    pub(crate) fn address_of(&self, service: &str) -> String {
        self.wait_for(&format!("Service {service} has an address"), || {
            self.published(service).first().cloned()
        })
    }

    /// Waits until exactly this is published.
    #[track_caller]
    pub(crate) fn wait_for_published(&self, service: &str, addresses: &[&str]) {
        self.wait_for(&format!("Service {service} has {addresses:?}"), || {
            (self.published(service) == addresses).then_some(())
        });
    }

    /// The ExternalIP of an address, or null.
    pub(crate) fn external_ip(&self, address: &str) -> Value {
        self.object(&format!("{EXTERNAL_IPS}/{}", object_name(address)))
    }

    /// Waits until an ExternalIP has that condition with that reason.
    #[track_caller]
    pub(crate) fn wait_for_announced(&self, address: &str, reason: &str) -> Condition {
        self.wait_for(&format!("{address} is {reason}"), || {
            let announced = condition(&self.external_ip(address)["status"], "Announced");
            announced.filter(|now| now.reason == reason)
        })
    }

    /// Waits until a pool of Mooring's has that condition with that reason.
    #[track_caller]
    pub(crate) fn wait_for_pool(&self, name: &str, kind: &str, reason: &str) -> Condition {
        self.wait_for(&format!("{kind} of pool {name} is {reason}"), || {
            let status = self.object(&format!("{POOLS}/{name}"))["status"].take();
            condition(&status, kind).filter(|now| now.reason == reason)
        })
    }

    /// Waits until the status of a pool counts this: the total, and what is used. `pool` as in `KIND/NAME`.
    #[track_caller]
    pub(crate) fn wait_for_usage(&self, pool: &str, total: i64, used: i64) -> Value {
        self.wait_for(&format!("{pool} has {used} of {total} in use"), || {
            let usage = self.object(pool)["status"]["usage"].take();
            (usage["total"] == total && usage["used"] == used).then_some(usage)
        })
    }

    /// Waits for an event of Mooring's about a Service with this reason and this text; returns it.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, service: &str, reason: &str, text: &str) -> String {
        let object = format!("Service/{service} ");
        let reason = format!(" {reason}: ");
        self.wait_for(&format!("{object}has the event{reason}{text}"), || {
            self.all_events().into_iter().find(|event| {
                event.starts_with(&object) && event.contains(&reason) && event.contains(text)
            })
        })
    }

    /// Waits until no ExternalIP is left.
    #[track_caller]
    pub(crate) fn wait_until_nothing_is_claimed(&self) {
        self.wait_for("all ExternalIPs are gone", || {
            let list = self.get(&[EXTERNAL_IPS]);
            list["items"].as_array()?.is_empty().then_some(())
        });
    }

    /// Gives the Deployment of the operator this many replicas, and waits until there are so many.
    #[track_caller]
    pub(crate) fn scale_operator(&self, replicas: usize) {
        let replicas_flag = format!("--replicas={replicas}");
        self.bed
            .kubectl(&[
                "-n",
                NAMESPACE,
                "scale",
                "deployment/mooring-operator",
                &replicas_flag,
            ])
            .unwrap();
        self.wait_for(&format!("{replicas} replicas of the operator run"), || {
            let pods = self.operators();
            (pods.len() == replicas && pods.iter().all(|pod| pod.ready)).then_some(())
        });
    }

    /// The Lease of the operators: (who holds it, when it was renewed last).
    pub(crate) fn lease(&self) -> (String, String) {
        let spec = self.get(&["-n", NAMESPACE, "lease", "mooring-operator"])["spec"].take();
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        (text("holderIdentity"), text("renewTime"))
    }

    /// The replica that acts.
    #[track_caller]
    pub(crate) fn leader(&self) -> Pod {
        self.wait_at_most(Duration::from_secs(60), "a replica leads", || {
            let (holder, _) = self.lease();
            self.operators().into_iter().find(|pod| pod.name == holder)
        })
    }
}

/// The addresses in the status of a Service.
pub(crate) fn ingress(service: &Value) -> Vec<String> {
    let entries = service["status"]["loadBalancer"]["ingress"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["ip"].as_str().map(str::to_owned))
        .collect()
}
