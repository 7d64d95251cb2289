//! Pods and what they mount.

use k8s_openapi::api::core::v1 as core;
use mooring_core::kube_proxy::snapshot::{
    Container, ContainerStatus, KeyFile, KeyProjection, Mount, Pod, PodSpec, ProjectedSource,
    Requirement, Volume, VolumeSource,
};

use crate::metadata::{metadata, timestamp};

/// A pod as the decisions see it.
pub fn pod(object: &core::Pod) -> Pod {
    let status = object.status.as_ref();
    Pod {
        metadata: metadata(&object.metadata),
        node: object.spec.as_ref().and_then(node),
        spec: object.spec.as_ref().map(pod_spec).unwrap_or_default(),
        phase: status
            .and_then(|status| status.phase.clone())
            .unwrap_or_default(),
        ready: status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        containers: status
            .and_then(|status| status.container_statuses.as_ref())
            .into_iter()
            .flatten()
            .map(container_status)
            .collect(),
    }
}

/// The node that a pod is bound to; of a DaemonSet's pod that still waits for the scheduler, the one it is made for.
fn node(spec: &core::PodSpec) -> Option<String> {
    if spec.node_name.is_some() {
        return spec.node_name.clone();
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let fields = required
        .node_selector_terms
        .first()?
        .match_fields
        .as_ref()?;
    let name = fields
        .iter()
        .find(|field| field.key == "metadata.name" && field.operator == "In")?;
    name.values.as_ref()?.first().cloned()
}

fn container_status(status: &core::ContainerStatus) -> ContainerStatus {
    let state = status.state.as_ref();
    let ended = status
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    ContainerStatus {
        name: status.name.clone(),
        started: state
            .and_then(|state| state.running.as_ref())
            .and_then(|running| running.started_at.as_ref())
            .map(timestamp),
        waiting: state
            .and_then(|state| state.waiting.as_ref())
            .map(|waiting| {
                (
                    waiting.reason.clone().unwrap_or_default(),
                    waiting.message.clone().unwrap_or_default(),
                )
            }),
        last_exit: ended.map(|ended| {
            let text = ended.message.clone().or_else(|| ended.reason.clone());
            (ended.exit_code, text.unwrap_or_default())
        }),
        restarts: status.restart_count,
    }
}

pub(crate) fn pod_spec(spec: &core::PodSpec) -> PodSpec {
    PodSpec {
        node_selector: spec.node_selector.clone().unwrap_or_default(),
        affinity: required_affinity(spec).unwrap_or_default(),
        os: spec.os.as_ref().map(|os| os.name.clone()),
        containers: spec.containers.iter().map(container).collect(),
        init_containers: spec
            .init_containers
            .iter()
            .flatten()
            .map(container)
            .collect(),
        volumes: spec.volumes.iter().flatten().map(volume).collect(),
    }
}

fn required_affinity(spec: &core::PodSpec) -> Option<Vec<Vec<Requirement>>> {
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let requirement = |requirement: &core::NodeSelectorRequirement| Requirement {
        key: requirement.key.clone(),
        operator: requirement.operator.clone(),
        values: requirement.values.clone().unwrap_or_default(),
    };
    let term = |term: &core::NodeSelectorTerm| {
        term.match_expressions
            .iter()
            .flatten()
            .map(requirement)
            .collect()
    };
    Some(required.node_selector_terms.iter().map(term).collect())
}

fn container(container: &core::Container) -> Container {
    Container {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        command: container.command.clone().unwrap_or_default(),
        args: container.args.clone().unwrap_or_default(),
        working_dir: container.working_dir.clone(),
        env: container
            .env
            .iter()
            .flatten()
            .map(|variable| {
                let literal = match variable.value_from {
                    Some(_) => None,
                    None => Some(variable.value.clone().unwrap_or_default()),
                };
                (variable.name.clone(), literal)
            })
            .collect(),
        mounts: container
            .volume_mounts
            .iter()
            .flatten()
            .map(|mount| Mount {
                volume: mount.name.clone(),
                path: mount.mount_path.clone(),
                sub_path: mount.sub_path.clone(),
                sub_path_expr: mount.sub_path_expr.clone(),
            })
            .collect(),
    }
}

fn volume(volume: &core::Volume) -> Volume {
    let source = if let Some(map) = &volume.config_map {
        VolumeSource::ConfigMap(projection(&map.name, map.items.as_deref()))
    } else if let Some(projected) = &volume.projected {
        let sources = projected.sources.iter().flatten();
        VolumeSource::Projected(sources.map(projected_source).collect())
    } else if let Some(host) = &volume.host_path {
        VolumeSource::HostPath(host.path.clone())
    } else if volume.empty_dir.is_some() {
        VolumeSource::EmptyDir
    } else if let Some(secret) = &volume.secret {
        VolumeSource::Secret(secret.secret_name.clone().unwrap_or_default())
    } else {
        VolumeSource::Other(other_volume(volume).to_owned())
    };
    Volume {
        name: volume.name.clone(),
        source,
    }
}

/// The field name of the remaining volume types that a configuration file may come from.
fn other_volume(volume: &core::Volume) -> &'static str {
    [
        (volume.csi.is_some(), "csi"),
        (volume.nfs.is_some(), "nfs"),
        (volume.image.is_some(), "image"),
        (volume.downward_api.is_some(), "downwardAPI"),
        (
            volume.persistent_volume_claim.is_some(),
            "persistentVolumeClaim",
        ),
        (volume.ephemeral.is_some(), "ephemeral"),
        (volume.git_repo.is_some(), "gitRepo"),
    ]
    .into_iter()
    .find_map(|(present, name)| present.then_some(name))
    .unwrap_or("unknown")
}

fn projected_source(source: &core::VolumeProjection) -> ProjectedSource {
    match &source.config_map {
        Some(map) => ProjectedSource::ConfigMap(projection(&map.name, map.items.as_deref())),
        None => ProjectedSource::Other(
            [
                (source.secret.is_some(), "secret"),
                (
                    source.service_account_token.is_some(),
                    "serviceAccountToken",
                ),
                (source.downward_api.is_some(), "downwardAPI"),
                (source.cluster_trust_bundle.is_some(), "clusterTrustBundle"),
            ]
            .into_iter()
            .find_map(|(present, name)| present.then_some(name))
            .unwrap_or("unknown")
            .to_owned(),
        ),
    }
}

fn projection(name: &str, items: Option<&[core::KeyToPath]>) -> KeyProjection {
    KeyProjection {
        name: name.to_owned(),
        items: items
            .into_iter()
            .flatten()
            .map(|item| KeyFile {
                key: item.key.clone(),
                path: item.path.clone(),
            })
            .collect(),
    }
}
