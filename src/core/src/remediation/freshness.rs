//! Did a pod read the ConfigMap as it is now?
//!
//! kube-proxy reads its configuration once, at its start, and an edit of the ConfigMap never restarts it. The API keeps
//! no trace of what a process read; times are the only evidence.

use serde::Serialize;

use crate::kube_proxy::ConfigLocation;
use crate::kube_proxy::snapshot::{ConfigMap, Pod, Timestamp};

/// How long after a change a container restarted inside an old pod may still see the old file, in seconds: the kubelet
/// refreshes mounted ConfigMaps at its sync (every minute and some jitter), and clocks differ.
pub const REFRESH_SECONDS: i64 = 180;

/// Whether a pod started after its configuration last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Freshness {
    /// It did: what it runs with is what the ConfigMap says.
    AfterChange,
    /// It did not, or in the same second: it must be restarted.
    BeforeChange,
    /// The ConfigMap does not tell when it changed.
    Unknown,
}

/// Compares a pod with the last change of the key that it mounts.
///
/// - A pod created later than the change mounted the changed text; both times are the API server's.
/// - In a ConfigMap that was never changed since its creation, a pod of the same second is fine as well: it cannot start
///   before the ConfigMap exists. Clusters are created like this.
/// - A container restarted in an older pod counts once the kubelet must have refreshed the file, never with `subPath`.
pub fn freshness(
    pod: &Pod,
    container: &str,
    map: &ConfigMap,
    location: &ConfigLocation,
) -> Freshness {
    let Some((changed, _)) = map.changed(&location.key) else {
        return Freshness::Unknown;
    };
    let Some(created) = pod.metadata.created else {
        return Freshness::Unknown;
    };
    let unchanged_since_creation = map.metadata.created == Some(changed);
    let started: Option<Timestamp> = pod
        .container(container)
        .and_then(|container| container.started);
    let restarted_later = !location.sub_path
        && started.is_some_and(|started| started >= changed.plus_seconds(REFRESH_SECONDS));
    if created > changed || (created == changed && unchanged_since_creation) || restarted_later {
        Freshness::AfterChange
    } else {
        Freshness::BeforeChange
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube_proxy::snapshot::{ContainerStatus, FieldManager, Metadata, ObjectName};

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp::from_unix_seconds(seconds))
    }

    #[test]
    fn a_pod_is_fresh_when_it_cannot_have_read_an_older_text() {
        use Freshness::{AfterChange, BeforeChange, Unknown};
        // (what, map created, changed, pod created, container started, subPath, expected)
        let cases = [
            (
                "before",
                at(0),
                at(100),
                at(50),
                at(51),
                false,
                BeforeChange,
            ),
            (
                "after",
                at(0),
                at(100),
                at(101),
                at(102),
                false,
                AfterChange,
            ),
            (
                "same second",
                at(0),
                at(100),
                at(100),
                at(101),
                false,
                BeforeChange,
            ),
            (
                "created together",
                at(100),
                at(100),
                at(100),
                at(101),
                false,
                AfterChange,
            ),
            (
                "recreated map",
                at(100),
                at(100),
                at(50),
                at(51),
                false,
                BeforeChange,
            ),
            (
                "crashed too early",
                at(0),
                at(100),
                at(50),
                at(279),
                false,
                BeforeChange,
            ),
            (
                "crashed later",
                at(0),
                at(100),
                at(50),
                at(280),
                false,
                AfterChange,
            ),
            (
                "crashed later, subPath",
                at(0),
                at(100),
                at(50),
                at(999),
                true,
                BeforeChange,
            ),
            (
                "not running",
                at(0),
                at(100),
                at(50),
                None,
                false,
                BeforeChange,
            ),
            (
                "no trace of a change",
                at(0),
                None,
                at(50),
                at(51),
                false,
                Unknown,
            ),
        ];
        for (what, map_created, changed, created, started, sub_path, expected) in cases {
            let map = ConfigMap {
                metadata: Metadata {
                    created: map_created,
                    field_managers: vec![FieldManager {
                        time: changed,
                        data_keys: ["k".to_owned()].into(),
                        ..FieldManager::default()
                    }],
                    ..Metadata::default()
                },
                ..ConfigMap::default()
            };
            let pod = Pod {
                metadata: Metadata {
                    created,
                    ..Metadata::default()
                },
                containers: vec![ContainerStatus {
                    name: "kube-proxy".to_owned(),
                    started,
                    ..ContainerStatus::default()
                }],
                ..Pod::default()
            };
            let location = ConfigLocation {
                config_map: ObjectName::default(),
                key: "k".to_owned(),
                sub_path,
            };
            assert_eq!(
                freshness(&pod, "kube-proxy", &map, &location),
                expected,
                "{what}"
            );
        }
    }
}
