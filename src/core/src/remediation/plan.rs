//! What is to be written, as data.

use serde_json::{Value, json};

use crate::kube_proxy::ConfigLocation;
use crate::kube_proxy::snapshot::ObjectName;

/// The annotation in a DaemonSet's pod template whose change makes its controller replace the pods.
pub const RESTARTED_AT: &str = "mooring.dev/restartedAt";

/// Everything to do, in this order: the patches, then the rollouts one after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Edits of ConfigMaps.
    pub patches: Vec<Patch>,
    /// Restarts of kube-proxy.
    pub rollouts: Vec<Rollout>,
}

/// The edit of one key of one ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The ConfigMap and the key.
    pub location: ConfigLocation,
    /// The version that the edit was decided on.
    pub resource_version: String,
    /// The text now.
    pub before: String,
    /// The text to write.
    pub after: String,
}

/// The restart of kube-proxy in one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// The container that runs kube-proxy.
    pub container: String,
    /// How.
    pub restart: Restart,
    /// The pods that are to be replaced, by node.
    pub pods: Vec<PodRef>,
}

/// How the pods of a DaemonSet are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// By an annotation in the template: the controller replaces all pods, at most so many at once.
    Template {
        /// The DaemonSet's own `maxUnavailable`.
        max_unavailable: String,
    },
    /// The DaemonSet's strategy is OnDelete: its pods are deleted one by one, each after the one before is Ready again.
    DeletePods,
}

/// A pod that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub id: ObjectName,
    /// Its uid.
    pub uid: String,
    /// Its node.
    pub node: String,
}

// === impl Plan ===

impl Plan {
    /// There is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.patches.is_empty() && self.rollouts.is_empty()
    }
}

// === impl Patch ===

impl Patch {
    /// The JSON patch (RFC 6902). It fails as a whole if the object or the text is not the one that was decided on.
    pub fn json_patch(&self) -> Value {
        let path = self.pointer();
        json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": self.resource_version},
            {"op": "test", "path": path, "value": self.before},
            {"op": "replace", "path": path, "value": self.after},
        ])
    }

    /// The edit as a unified diff.
    pub fn diff(&self) -> String {
        let id = &self.location.config_map;
        let key = &self.location.key;
        similar::TextDiff::from_lines(&self.before, &self.after)
            .unified_diff()
            .context_radius(3)
            .header(
                &format!("ConfigMap {id} {key} (now)"),
                &format!("ConfigMap {id} {key} (with strictARP)"),
            )
            .to_string()
    }

    /// A shell command that puts the old text back, provided that nobody changed the new one.
    pub fn undo_command(&self) -> String {
        let path = self.pointer();
        let patch = json!([
            {"op": "test", "path": path, "value": self.after},
            {"op": "replace", "path": path, "value": self.before},
        ]);
        let quoted = patch.to_string().replace('\'', r"'\''");
        let ObjectName { namespace, name } = &self.location.config_map;
        format!("kubectl -n {namespace} patch configmap {name} --type=json -p '{quoted}'")
    }

    /// The JSON pointer (RFC 6901) to the key.
    fn pointer(&self) -> String {
        let key = self.location.key.replace('~', "~0").replace('/', "~1");
        format!("/data/{key}")
    }
}

// === impl Rollout ===

impl Rollout {
    /// The merge patch that starts the rollout; `now` tells this restart from the one before.
    pub fn template_patch(&self, now: &str) -> Value {
        json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}})
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let pods = self.pods.len();
        let plural = if pods == 1 { "" } else { "s" };
        let how = match &self.restart {
            Restart::Template { max_unavailable } => format!(
                "by the annotation {RESTARTED_AT} in its pod template, at most {max_unavailable} at a time (its own \
                 maxUnavailable)"
            ),
            Restart::DeletePods => {
                "by deleting them one by one, as its update strategy is OnDelete".to_owned()
            }
        };
        format!(
            "restart {pods} pod{plural} of DaemonSet {}, {how}",
            self.daemon_set
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch() -> Patch {
        Patch {
            location: ConfigLocation {
                config_map: ObjectName::new("kube-system", "kube-proxy"),
                key: "a/b~c".to_owned(),
                sub_path: false,
            },
            resource_version: "7".to_owned(),
            before: "# don't\nipvs:\n  strictARP: false\n".to_owned(),
            after: "# don't\nipvs:\n  strictARP: true\n".to_owned(),
        }
    }

    #[test]
    fn a_patch_tests_the_version_and_the_old_text_before_it_replaces() {
        let patch = patch();
        assert_eq!(
            patch.json_patch(),
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "test", "path": "/data/a~1b~0c", "value": patch.before},
                {"op": "replace", "path": "/data/a~1b~0c", "value": patch.after},
            ])
        );
    }

    #[test]
    fn the_diff_shows_the_one_line() {
        let diff = patch().diff();
        let changed: Vec<&str> = diff
            .lines()
            .filter(|line| line.starts_with(['+', '-']))
            .collect();
        assert_eq!(
            changed,
            [
                "--- ConfigMap kube-system/kube-proxy a/b~c (now)",
                "+++ ConfigMap kube-system/kube-proxy a/b~c (with strictARP)",
                "-  strictARP: false",
                "+  strictARP: true"
            ]
        );
    }

    #[test]
    fn the_undo_command_survives_the_shell() {
        let command = patch().undo_command();
        assert!(
            command.starts_with(
                "kubectl -n kube-system patch configmap kube-proxy --type=json -p '[{"
            )
        );
        assert!(command.contains(r"# don'\''t\nipvs:"), "{command}");
    }

    #[test]
    fn a_template_rollout_changes_one_annotation() {
        let rollout = Rollout {
            daemon_set: ObjectName::new("kube-system", "kube-proxy"),
            container: "kube-proxy".to_owned(),
            restart: Restart::Template {
                max_unavailable: "1".to_owned(),
            },
            pods: Vec::new(),
        };
        assert_eq!(
            rollout.template_patch("2026-11-22T18:11:08Z"),
            json!({"spec": {"template": {"metadata": {"annotations": {
                "mooring.dev/restartedAt": "2026-11-22T18:11:08Z"}}}}})
        );
    }
}
