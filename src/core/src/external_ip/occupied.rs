//! Addresses that belong to the cluster itself, or to Services of other controllers.

use super::snapshot::Snapshot;
use crate::ipam::cluster_addresses::{ClusterAddresses, Occupant};
use crate::proxy_mode::LiveMode;

/// What belongs to nodes, the API server, and the ranges of Services and Pods. A range that cannot be read is none: the API
/// server lets none of these through.
pub fn of_cluster(snapshot: &Snapshot) -> ClusterAddresses {
    let mut addresses = ClusterAddresses::default();
    for address in &snapshot.networks.api_servers {
        addresses.add(Occupant::ApiServer, *address);
    }
    for cidr in &snapshot.networks.service_cidrs {
        let _ = addresses.add_cidr(Occupant::Services, cidr);
    }
    for node in &snapshot.nodes {
        let name = &node.view.name;
        for address in &node.addresses {
            addresses.add(Occupant::Node(name.clone()), *address);
        }
        for cidr in &node.pod_cidrs {
            let _ = addresses.add_cidr(Occupant::Pods(Some(name.clone())), cidr);
        }
    }
    let mut ipvs = false;
    for view in snapshot.nodes.iter().map(|node| &node.view) {
        let Some(report) = &view.report else { continue };
        ipvs |= report.mode == LiveMode::Ipvs;
        for address in report.uplinks.iter().flat_map(|uplink| &uplink.addresses) {
            addresses.add(Occupant::Node(view.name.clone()), *address);
        }
        for gateway in report.uplinks.iter().flat_map(|uplink| &uplink.gateways) {
            addresses.add(Occupant::Gateway(view.name.clone()), *gateway);
        }
        for subnet in report.uplinks.iter().flat_map(|uplink| &uplink.subnets) {
            let _ = addresses.add_subnet_of_nodes(subnet);
        }
    }
    if ipvs {
        addresses.add_ipvs();
    }
    addresses
}
