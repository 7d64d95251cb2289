//! Where a restarted kube-proxy says that it works.

use std::net::SocketAddr;

use crate::kube_proxy::Source;
use crate::kube_proxy::snapshot::ObjectName;
use crate::strict_arp;

use super::observation::Observation;

/// The port on which the pods of a DaemonSet serve `/healthz` to other hosts; `None` if they serve it on the node
/// alone, on a single address, or their configuration cannot be read.
///
/// A Pod of kube-proxy is Ready as soon as its process runs, as it has no readiness probe. The health server starts
/// only after the proxier is made (`Run` in cmd/kube-proxy/app/server.go), and making the proxier sets the sysctls: an
/// answer is proof of both.
pub fn healthz_port(observation: &Observation, daemon_set: &ObjectName) -> Option<u16> {
    let workload = observation
        .discovery
        .workloads
        .iter()
        .find(|workload| workload.id == *daemon_set)?;
    let Source::ConfigMap(location) = &workload.source else {
        return None;
    };
    let map = observation
        .config_maps
        .iter()
        .find(|map| map.metadata.id == location.config_map)?;
    let config = strict_arp::read(map.data.get(&location.key)?.as_bytes()).ok()?;
    port_for_others(&config.healthz_bind_address)
}

fn port_for_others(address: &str) -> Option<u16> {
    let address: SocketAddr = address.parse().ok()?;
    (address.ip().is_unspecified() && address.port() != 0).then_some(address.port())
}

#[cfg(test)]
mod tests {
    use super::port_for_others;

    #[test]
    fn only_a_server_on_all_addresses_can_be_asked_through_the_api() {
        assert_eq!(port_for_others("0.0.0.0:10256"), Some(10256));
        assert_eq!(port_for_others("[::]:10257"), Some(10257));
        for not_from_outside in ["127.0.0.1:10256", "10.0.0.1:10256", "0.0.0.0:0", "", "x"] {
            assert_eq!(
                port_for_others(not_from_outside),
                None,
                "{not_from_outside:?}"
            );
        }
    }
}
