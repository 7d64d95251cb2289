use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use mooring_api::NodeProxyState;

/// By which MAC addresses a node is known on which segments: its NodeProxyState, as far as other nodes need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeLinks {
    /// The node.
    pub node: String,
    /// What connects it to others.
    pub uplinks: Vec<Link>,
}

/// One interface that connects a node to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Its name.
    pub name: String,
    /// Its MAC address, in lower case with colons.
    pub mac: String,
    /// The subnets of its addresses, as in `192.0.2.0/24`.
    pub subnets: Vec<String>,
    /// Its addresses in them.
    pub addresses: Vec<IpAddr>,
}

// === impl NodeLinks ===

impl From<NodeProxyState> for NodeLinks {
    fn from(state: NodeProxyState) -> Self {
        let uplinks = state.status.unwrap_or_default().uplinks;
        Self {
            node: state.metadata.name.unwrap_or_default(),
            uplinks: uplinks
                .into_iter()
                .map(|uplink| Link {
                    name: uplink.name,
                    mac: uplink.mac,
                    subnets: uplink.subnets,
                    addresses: (uplink.addresses.iter())
                        .filter_map(|address| address.parse().ok())
                        .collect(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_tells_by_which_mac_addresses_the_node_is_known() {
        let uplink = |name: &str, mac: &str| {
            json!({"name": name, "mac": mac, "subnets": ["192.0.2.0/24"], "addresses": ["192.0.2.1"],
                   "arpIgnore": 1, "arpAnnounce": 2})
        };
        let state: NodeProxyState = serde_json::from_value(json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "NodeProxyState",
            "metadata": {"name": "n1"},
            "status": {"mode": "ipvs", "uplinks": [
                uplink("eth0", "02:00:00:00:00:01"), uplink("eth1", "02:00:00:00:01:01"),
            ]},
        }))
        .unwrap();
        let links = NodeLinks::from(state);
        assert_eq!(links.node, "n1");
        assert_eq!(links.uplinks[1].subnets, ["192.0.2.0/24"]);
        assert_eq!(links.uplinks[1].mac, "02:00:00:00:01:01");
        let own: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(links.uplinks[1].addresses, [own]);
        let fresh = serde_json::from_value(json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "NodeProxyState",
            "metadata": {"name": "n2"},
        }));
        let fresh: NodeProxyState = fresh.unwrap();
        assert!(NodeLinks::from(fresh).uplinks.is_empty());
    }
}
