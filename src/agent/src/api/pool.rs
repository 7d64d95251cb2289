use mooring_api::ExternalIPPool;
use mooring_api::external_ip_pool::object;
use mooring_core::ipam::pool::{Bind, Ownership, Ping, PoolId, Ports};
use serde::{Deserialize, Serialize};

/// A pool of Mooring's, as far as agents need it. Antrea's pools say nothing of this: for their addresses, all is as by
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pool {
    /// Its name and kind.
    pub id: PoolId,
    /// Where the addresses live on their node.
    pub bind: Bind,
    /// The interfaces that carry its addresses, the first one that a node has; empty: the one whose subnet has the address.
    pub interfaces: Vec<String>,
    /// What is reachable on an address.
    pub ports: Ports,
    /// Whether an address answers echo requests.
    pub ping: Ping,
    /// What becomes of an address while its node is gone.
    pub ownership: Ownership,
}

// === impl Pool ===

impl Pool {
    /// What an address is subject to whose pool is Antrea's, gone, or not known.
    pub(crate) fn by_default(id: PoolId) -> Self {
        Self {
            id,
            bind: Bind::default(),
            interfaces: Vec::new(),
            ports: Ports::default(),
            ping: Ping::default(),
            ownership: Ownership::default(),
        }
    }
}

impl From<&ExternalIPPool> for Pool {
    fn from(pool: &ExternalIPPool) -> Self {
        let pool = object(pool);
        Self {
            id: pool.id,
            bind: pool.spec.bind,
            interfaces: pool.spec.interfaces,
            ports: pool.spec.ports,
            ping: pool.spec.ping,
            ownership: pool.spec.ownership,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_becomes_of_an_address_on_its_node_is_kept() {
        let pool = |spec| {
            let object: ExternalIPPool = serde_json::from_value(json!({
                "apiVersion": "mooring.dev/v1alpha1",
                "kind": "ExternalIPPool",
                "metadata": {"name": "blue"},
                "spec": spec,
            }))
            .unwrap();
            Pool::from(&object)
        };
        let id = PoolId::mooring("blue");
        let plain = json!({"ipRanges": [{"cidr": "10.77.0.0/24"}], "autoAssign": true});
        assert_eq!(pool(plain), Pool::by_default(id.clone()));
        let special = json!({
            "ipRanges": [], "bind": "Responder", "interfaces": ["eth1"], "ports": "All", "ping": "Deny", "ownership": "Fenced",
        });
        let expected = Pool {
            id,
            bind: Bind::Responder,
            interfaces: vec!["eth1".to_owned()],
            ports: Ports::All,
            ping: Ping::Deny,
            ownership: Ownership::Fenced,
        };
        assert_eq!(pool(special), expected);
    }
}
