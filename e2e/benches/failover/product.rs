//! What announces the addresses: Mooring or MetalLB.

use serde_json::json;

use crate::failover::Site;
use crate::metallb::MetalLb;
use crate::moored::POOL;
use crate::mooring::{Mooring, NAMESPACE, Pod, tree};

/// One that is installed, and whose addresses are served.
pub(crate) enum Product<'a> {
    Mooring(Mooring<'a>),
    MetalLb,
}

impl<'a> Product<'a> {
    /// Installs Mooring, and publishes the addresses.
    pub(crate) fn mooring(site: &Site<'a>) -> Self {
        Self::Mooring(Mooring::serve(site))
    }

    /// Installs MetalLB, and publishes the addresses.
    pub(crate) fn metallb(site: &Site<'a>) -> Self {
        let (first, last) = (site.addresses[0], site.addresses[site.addresses.len() - 1]);
        let metallb = MetalLb::install(site.bed, &format!("{first}-{last}"));
        site.publish(|address| json!({"metallb.io/loadBalancerIPs": address}));
        for (service, address) in site.services() {
            assert_eq!(metallb.address_of(&service), address);
        }
        let product = Self::MetalLb;
        product.wait_until_settled(site);
        product
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Mooring(_) => "mooring",
            Self::MetalLb => "metallb",
        }
    }

    /// Whether a node that comes back gets the addresses that it had: MetalLB chooses from those that are there, always alike.
    pub(crate) fn takes_back(&self) -> bool {
        matches!(self, Self::MetalLb)
    }

    /// Waits until every node could take every address over, and each is answered for by one.
    pub(crate) fn wait_until_settled(&self, site: &Site<'_>) {
        match self {
            Self::Mooring(mooring) => mooring.wait_until_settled(site),
            // Its speakers know each other by then: they listen for that from their start on.
            Self::MetalLb => site.wait_until_settled("ss -ltn | grep -q ':7946 '"),
        }
    }

    /// Says how addresses are bound, and waits until they are.
    pub(crate) fn bind(&self, site: &Site<'_>, bind: &str) {
        let Self::Mooring(mooring) = self else {
            return;
        };
        mooring.merge(
            &format!("externalippool/{POOL}"),
            &json!({"spec": {"bind": bind}}),
        );
        for address in &site.addresses {
            mooring.wait_until_held_by(*address, |holder| bind == "Auto" || holder.method == bind);
        }
        mooring.wait_until_settled(site);
    }

    /// Deletes the Pod of the agent on a node, and waits until another is there.
    pub(crate) fn replace_agent(&self, node: &str) {
        let Self::Mooring(mooring) = self else {
            return;
        };
        let agents = mooring.agents();
        let agent = agents.iter().find(|pod| pod.node == node).unwrap();
        let delete = ["-n", NAMESPACE, "delete", "pod", &agent.name];
        mooring.bed.kubectl(&delete).unwrap();
        mooring.wait_for("the agent is replaced", || {
            let agents = mooring.agents();
            let other = |pod: &&Pod| pod.node == node && pod.uid != agent.uid && pod.ready;
            agents.iter().find(other).map(|_| ())
        });
    }

    /// Withdraws the addresses, and takes Mooring away.
    pub(crate) fn remove(&self, site: &Site<'_>) {
        site.withdraw();
        if let Self::Mooring(mooring) = self {
            mooring.wait_until_nothing_is_claimed();
            let manifests = tree().join("manifests").canonicalize().unwrap();
            let all = ["--all", "--timeout=120s"];
            for words in [&["delete", "mip"][..], &["delete", "serviceproxies"]] {
                site.bed.kubectl(&[words, &all].concat()).unwrap();
            }
            let delete = [
                "delete",
                "-k",
                manifests.to_str().unwrap(),
                "--timeout=180s",
            ];
            site.bed.kubectl(&delete).unwrap();
            mooring.wait_for("nothing of Mooring runs", || {
                let pods = mooring.get(&["-n", NAMESPACE, "pods"]);
                (pods["items"] == json!([])).then_some(())
            });
        }
    }
}
