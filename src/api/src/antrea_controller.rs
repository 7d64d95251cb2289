//! Whether Antrea serves external IPs itself, by its own configuration.

use k8s_openapi::api::core::v1::ConfigMap;
use mooring_core::ipam::request::Others;
use mooring_core::proxy_mode::antrea::{AntreaConfigError, AntreaControllerConfig, AntreaVersion};

/// The ConfigMap of Antrea's manifests, and of its Helm chart.
pub const CONFIG_MAP: &str = "antrea-config";

/// The key that the controller reads.
pub const KEY: &str = "antrea-controller.conf";

/// What else serves external IPs in a cluster that has Antrea's configuration; `version` is that of its image, if it is
/// known. A ConfigMap without the key leaves everything to the defaults.
///
/// # Errors
/// If the configuration cannot be read. Then it is safer to suppose that Antrea serves than that it does not.
pub fn others(
    config: &ConfigMap,
    version: Option<AntreaVersion>,
) -> Result<Others, AntreaConfigError> {
    let text = config.data.as_ref().and_then(|data| data.get(KEY));
    let config = match text {
        Some(text) => AntreaControllerConfig::parse(text)?,
        None => AntreaControllerConfig::default(),
    };
    Ok(Others {
        antrea_serves: config.serves(version),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(text: &str) -> ConfigMap {
        serde_json::from_value(
            json!({"metadata": {}, "data": {"antrea-agent.conf": "", KEY: text}}),
        )
        .expect("a ConfigMap")
    }

    #[test]
    fn the_controllers_key_and_the_version_tell() {
        let old = AntreaVersion::of_image("antrea/antrea-controller-ubuntu:v1.15.0");
        let new = AntreaVersion::of_image("antrea/antrea-controller-ubuntu:v2.6.0");
        let serves =
            |text: &str, version| others(&config(text), version).map(|others| others.antrea_serves);
        assert_eq!(
            serves("featureGates: {ServiceExternalIP: true}", old),
            Ok(true)
        );
        assert_eq!(
            serves("featureGates: {ServiceExternalIP: false}", new),
            Ok(false)
        );
        assert_eq!(serves("featureGates: {}", old), Ok(false));
        assert_eq!(serves("featureGates: {}", new), Ok(true));
        assert!(serves("featureGates: {", new).is_err());
        let without = ConfigMap::default();
        assert_eq!(
            others(&without, old),
            Ok(Others {
                antrea_serves: false
            })
        );
    }
}
