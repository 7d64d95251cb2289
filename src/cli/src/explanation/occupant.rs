//! Who else may have an address: the cluster itself, or a Service that has it from somebody else.

use std::net::IpAddr;

use mooring_core::external_ip::{Snapshot, of_cluster};
use mooring_core::ipam::cluster_addresses::Occupant;

use super::is_published;

/// Who has `address`, if that is known and it is not Mooring that gave it away.
pub(super) fn of(snapshot: &Snapshot, address: IpAddr) -> Option<Occupant> {
    let cluster = of_cluster(snapshot);
    cluster.occupant(address).cloned().or_else(|| {
        let service = snapshot
            .services
            .iter()
            .find(|service| is_published(service, address))?;
        Some(Occupant::ForeignService(service.id.to_string()))
    })
}
