//! Addresses that nodes answer for, as stories about the agent make, ask for and read them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]
#![allow(
    dead_code,
    unused_imports,
    reason = "not every test file uses all of it"
)]

mod client;
mod handover;
mod holder;
mod links;
mod programmed;
mod scene;
mod stories;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::probe::Mac;
use testbed::watcher::{Story, Watcher};

use crate::mooring::Mooring;

pub(crate) use client::Tried;
pub(crate) use holder::Holder;
pub(crate) use links::{OnLink, node_address, node_mac, on_links, on_uplink};
pub(crate) use programmed::{forwards, print_first_answer, when_programmed};
pub(crate) use scene::Scene;
pub(crate) use stories::{Tale, tell_all};

/// The pool, in the nodes' own subnets, of both families.
pub(crate) const POOL: &str = "lan";
/// The addresses that the Service `web` asks for.
pub(crate) const V4: &str = "10.77.0.200";
/// See [`V4`].
pub(crate) const V6: &str = "fd77::200";

/// [`V4`] and [`V6`].
pub(crate) fn addresses() -> [IpAddr; 2] {
    [V4, V6].map(address)
}

/// An address from its text.
#[track_caller]
pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A Service of type LoadBalancer for the Pods with this label `app`, dual stack, that asks for these addresses of a pool.
pub(crate) fn web_service(name: &str, app: &str, pool: &str, addresses: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": name,
            "annotations": {"mooring.dev/pool": pool, "mooring.dev/ips": addresses}
        },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": if addresses.contains(',') { "RequireDualStack" } else { "SingleStack" },
            "selector": {"app": app},
            "ports": [{"port": 80, "targetPort": 8080}]
        }
    })
}

impl Mooring<'_> {
    /// The pool [`POOL`], for these nodes (a `nodeSelector`; an empty one takes all).
    #[track_caller]
    pub(crate) fn create_lan_pool(&self, nodes: &Value) {
        self.create(&json!({
            "apiVersion": "mooring.dev/v1alpha1", "kind": "ExternalIPPool",
            "metadata": {"name": POOL},
            "spec": {
                "ipRanges": [
                    {"start": "10.77.0.200", "end": "10.77.0.219"},
                    {"start": "fd77::200", "end": "fd77::21f"}
                ],
                "nodeSelector": nodes,
                "reuseAfterSeconds": 5
            }
        }));
    }

    /// Two Pods with a web server, which are ready then.
    #[track_caller]
    pub(crate) fn deploy_web(&self) {
        let manifest = include_str!("../../manifests/web.yaml");
        let (deployment, _service) = manifest.split_once("\n---\n").unwrap();
        self.bed
            .kubectl_with(&["apply", "-f", "-"], deployment)
            .unwrap();
        let rollout = ["rollout", "status", "deployment/web", "--timeout=180s"];
        self.bed.kubectl(&rollout).unwrap();
    }

    /// The Service `web`, at [`V4`] and [`V6`].
    #[track_caller]
    pub(crate) fn create_web(&self) {
        self.create(&web_service("web", "web", POOL, &format!("{V4},{V6}")));
    }

    /// Asks for these addresses from now on.
    #[track_caller]
    pub(crate) fn watch(&self, addresses: &[IpAddr]) -> Watcher {
        self.bed.watch("client", addresses).unwrap()
    }

    /// Waits until an answer was seen that fits, and tells when the first of them was. Its node may have said so before the
    /// next question was asked.
    #[track_caller]
    pub(crate) fn wait_for_answer(
        &self,
        watcher: &Watcher,
        address: IpAddr,
        first: impl Fn(&Story) -> Option<Duration>,
    ) -> Duration {
        let what = format!("an answer for {address} is seen");
        self.wait_at_most(Duration::from_secs(15), &what, || {
            first(&watcher.story(address).unwrap())
        })
    }

    /// The name of the host with this MAC.
    pub(crate) fn host_of(&self, mac: Mac) -> Option<String> {
        let mut hosts = self.bed.status().unwrap().hosts().collect::<Vec<_>>();
        hosts.retain(|host| host.mac() == mac);
        hosts.pop().map(|host| host.name)
    }

    /// Prints what was seen on the wire.
    pub(crate) fn print(&self, story: &Story) {
        println!("  {}", story.tell(|mac| self.host_of(mac)));
    }

    /// Fails unless this one alone ever answered and spoke for the address; prints what was seen.
    #[track_caller]
    pub(crate) fn expect_one(&self, story: &Story, mac: Mac) {
        self.print(story);
        let unexpected = |of: BTreeSet<Mac>| of.into_iter().find(|other| *other != mac);
        let name = |mac: Mac| self.host_of(mac).unwrap_or_else(|| mac.to_string());
        assert!(
            story.first_answer().is_some(),
            "{} is silent",
            story.address
        );
        if let Some(other) = unexpected(story.macs()) {
            panic!("{} answered for {}", name(other), story.address);
        }
        if let Some(other) = unexpected(story.announcers()) {
            panic!("{} announced {}", name(other), story.address);
        }
    }

    /// Runs kubectl and prints what it says.
    #[track_caller]
    pub(crate) fn show(&self, arguments: &[&str]) {
        let said = self.bed.kubectl(arguments).unwrap();
        println!("$ kubectl {}\n{said}", arguments.join(" "));
    }
}
