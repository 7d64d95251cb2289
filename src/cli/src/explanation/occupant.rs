//! Who else may have an address: the cluster itself, or a Service that has it from somebody else.

use std::net::IpAddr;

use mooring_core::external_ip::Snapshot;
use mooring_core::ipam::cluster_addresses::{ClusterAddresses, Occupant};

use super::is_published;

/// Who has `address`, if that is known and it is not Mooring that gave it away.
pub(super) fn of(snapshot: &Snapshot, address: IpAddr) -> Option<Occupant> {
    let mut cluster = ClusterAddresses::default();
    for node in &snapshot.nodes {
        for own in &node.addresses {
            cluster.add(Occupant::Node(node.view.name.clone()), *own);
        }
    }
    for server in &snapshot.networks.api_servers {
        cluster.add(Occupant::ApiServer, *server);
    }
    // What cannot be read is no range.
    for cidr in &snapshot.networks.service_cidrs {
        let _ = cluster.add_cidr(Occupant::Services, cidr);
    }
    for node in &snapshot.nodes {
        for cidr in &node.pod_cidrs {
            let _ = cluster.add_cidr(Occupant::Pods(Some(node.view.name.clone())), cidr);
        }
    }
    let reports = snapshot
        .nodes
        .iter()
        .filter_map(|node| node.view.report.as_ref());
    for report in reports {
        for subnet in report.uplinks.iter().flat_map(|uplink| &uplink.subnets) {
            let _ = cluster.add_subnet_of_nodes(subnet);
        }
    }
    cluster.occupant(address).cloned().or_else(|| {
        let service = snapshot
            .services
            .iter()
            .find(|service| is_published(service, address))?;
        Some(Occupant::ForeignService(service.id.to_string()))
    })
}
