//! Whether Antrea gives addresses to Services itself.

use mooring_api::antrea_controller;
use mooring_core::ipam::request::Others;
use mooring_core::kube_proxy::snapshot::{DaemonSet, ObjectName, VolumeSource};
use mooring_core::proxy_mode::antrea::{AntreaControllerConfig, AntreaVersion};

use crate::cluster::{Cluster, ClusterError};

/// The DaemonSet of Antrea's agent, which mounts the ConfigMap of its controller as well.
const AGENT: &str = "antrea-agent";

/// What else serves external IPs. A configuration that is not there, or cannot be understood, counts as the operator counts
/// it.
pub(super) async fn others(cluster: &Cluster) -> Result<Others, ClusterError> {
    let sets = cluster.daemon_sets(None).await?;
    let mut antrea_serves = false;
    for set in sets.iter().filter(|set| set.metadata.id.name == AGENT) {
        let map = cluster.config_map(&config(set)).await?;
        let text = map
            .as_ref()
            .and_then(|map| map.data.get(antrea_controller::KEY));
        antrea_serves |= serves(text.map(String::as_str), version(set));
    }
    Ok(Others { antrea_serves })
}

/// While it cannot be told, it is safer to suppose that Antrea serves than that it does not.
fn serves(text: Option<&str>, version: Option<AntreaVersion>) -> bool {
    let config = AntreaControllerConfig::parse(text.unwrap_or_default());
    config.map_or(true, |config| config.serves(version))
}

fn config(set: &DaemonSet) -> ObjectName {
    let mounted = set
        .template
        .volumes
        .iter()
        .filter_map(|volume| match &volume.source {
            VolumeSource::ConfigMap(map) => Some(map.name.as_str()),
            _ => None,
        });
    let name = mounted
        .into_iter()
        .find(|name| name.starts_with(antrea_controller::CONFIG_MAP))
        .unwrap_or(antrea_controller::CONFIG_MAP);
    ObjectName::new(&set.metadata.id.namespace, name)
}

fn version(set: &DaemonSet) -> Option<AntreaVersion> {
    let containers = &set.template.containers;
    let agent = containers
        .iter()
        .find(|container| container.name == AGENT)
        .or_else(|| containers.first());
    agent.and_then(|container| AntreaVersion::of_image(&container.image))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1 as apps;
    use serde_json::json;

    use super::*;

    fn agent(image: &str, volume: &str) -> DaemonSet {
        let set: apps::DaemonSet = serde_json::from_value(json!({
            "metadata": {"name": AGENT, "namespace": "kube-system"},
            "spec": {"selector": {}, "template": {"spec": {
                "containers": [{"name": AGENT, "image": image}],
                "volumes": [{"name": "config", "configMap": {"name": volume}}]
            }}}
        }))
        .expect("a DaemonSet");
        mooring_api::daemon_set(&set)
    }

    #[test]
    fn the_mounted_config_map_and_the_version_of_the_image_tell() {
        let old = agent("antrea/antrea-agent-ubuntu:v1.15.0", "antrea-config-5k8b");
        assert_eq!(
            config(&old),
            ObjectName::new("kube-system", "antrea-config-5k8b")
        );
        assert_eq!(
            config(&agent("antrea", "other")),
            ObjectName::new("kube-system", "antrea-config")
        );
        assert!(serves(
            Some("featureGates: {ServiceExternalIP: true}"),
            version(&old)
        ));
        assert!(!serves(Some("featureGates: {}"), version(&old)));
        assert!(!serves(None, version(&old)));
        assert!(
            serves(Some("featureGates: {"), version(&old)),
            "it cannot be told"
        );
    }
}
