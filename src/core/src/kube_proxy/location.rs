//! From the path in `--config` to the ConfigMap and the key that are mounted there.

use std::fmt;

use serde::Serialize;

use super::snapshot::{
    Container, KeyProjection, ObjectName, PodSpec, ProjectedSource, VolumeSource,
};

/// The ConfigMap key that kube-proxy reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigLocation {
    /// The ConfigMap.
    pub config_map: ObjectName,
    /// The key in its `data`; not the file's name where `items` rename it.
    pub key: String,
    /// Mounted through `subPath`: the file never changes while the pod lives.
    pub sub_path: bool,
}

impl fmt::Display for ConfigLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigMap {} key {}", self.config_map, self.key)
    }
}

/// Why kube-proxy's configuration is not in a ConfigMap that can be read and edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationProblem {
    /// The class of problem.
    pub reason: ProblemReason,
    /// What is, and what to do about it.
    pub message: String,
}

/// Classes of [`LocationProblem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ProblemReason {
    /// A file of the node (hostPath), another one on each node.
    FileOnNodes,
    /// In an emptyDir: another container renders it when the pod starts.
    RenderedAtStart,
    /// In a Secret.
    InSecret,
    /// No volume covers the path: the file is part of the image.
    InImage,
    /// The path holds variables that only the node knows.
    PathNotLiteral,
    /// Several ConfigMaps of a projected volume could hold the file.
    AmbiguousProjection,
    /// The volume's source is of a kind that is not read.
    UnsupportedVolume,
    /// The mount names a volume, or the path names a file, that is not there; kube-proxy cannot start.
    BrokenMount,
}

impl fmt::Display for ProblemReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

// === locate ===

/// Resolves the path of the configuration file in a container of a pod in `namespace`.
pub fn locate(
    path: &str,
    container: &Container,
    pod: &PodSpec,
    namespace: &str,
) -> Result<ConfigLocation, LocationProblem> {
    let absolute = absolute(path, container)?;
    let problem = |reason, message: String| Err(LocationProblem { reason, message });
    let mount = container
        .mounts
        .iter()
        .filter_map(|mount| Some((mount, below(&absolute, &normal(&mount.path))?)))
        .max_by_key(|(mount, _)| normal(&mount.path).len());
    let Some((mount, inside)) = mount else {
        return problem(
            ProblemReason::InImage,
            format!(
                "kube-proxy reads {absolute}, which no volume covers, so it is part of the image {}: change the image, \
                 or mount a ConfigMap there",
                container.image
            ),
        );
    };
    if mount.sub_path_expr.is_some() {
        return problem(
            ProblemReason::PathNotLiteral,
            format!(
                "kube-proxy reads {absolute} from volume {} through subPathExpr, which differs from node to node",
                mount.volume
            ),
        );
    }
    let file = join(mount.sub_path.as_deref().unwrap_or_default(), &inside);
    let sub_path = mount
        .sub_path
        .as_deref()
        .is_some_and(|path| !path.is_empty());
    let Some(volume) = pod
        .volumes
        .iter()
        .find(|volume| volume.name == mount.volume)
    else {
        return problem(
            ProblemReason::BrokenMount,
            format!("volume {} is mounted but not defined", mount.volume),
        );
    };
    let found = |map: &str, key: String| {
        Ok(ConfigLocation {
            config_map: ObjectName::new(namespace, map),
            key,
            sub_path,
        })
    };
    match &volume.source {
        VolumeSource::ConfigMap(projection) => match key_of(projection, &file) {
            Some(key) => found(&projection.name, key),
            None => problem(
                ProblemReason::BrokenMount,
                format!(
                    "kube-proxy reads {absolute}, but volume {} projects no key of ConfigMap {namespace}/{} as {file:?}: \
                     kube-proxy cannot start like this; correct the volume's items or the path in --config",
                    volume.name, projection.name
                ),
            ),
        },
        VolumeSource::Projected(sources) => {
            let named = sources.iter().filter_map(|source| match source {
                ProjectedSource::ConfigMap(projection) => {
                    Some((projection, key_of(projection, &file)?))
                }
                ProjectedSource::Other(_) => None,
            });
            let named: Vec<_> = named.collect();
            let explicit = named.iter().find(|(map, _)| !map.items.is_empty());
            match (explicit, named.as_slice()) {
                (Some((map, key)), _) => found(&map.name, key.clone()),
                (None, [(map, key)]) => found(&map.name, key.clone()),
                (None, []) => problem(
                    ProblemReason::BrokenMount,
                    format!(
                        "kube-proxy reads {absolute}, but no ConfigMap in the projected volume {} has a file {file:?}",
                        volume.name
                    ),
                ),
                (None, several) => problem(
                    ProblemReason::AmbiguousProjection,
                    format!(
                        "kube-proxy reads {absolute} from the projected volume {}, into which several ConfigMaps are \
                         merged whole ({}): list the file under `items` of the one that holds it",
                        volume.name,
                        several
                            .iter()
                            .map(|(map, _)| map.name.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                ),
            }
        }
        VolumeSource::HostPath(host) => {
            let host = format!("/{}", join(host.trim_start_matches('/'), &file));
            problem(
                ProblemReason::FileOnNodes,
                format!(
                    "kube-proxy reads its configuration from the file {} of each node, not from a ConfigMap: set \
                     ipvs.strictARP: true in that file on every node, in place (`kubectl mooring strict-arp edit` does \
                     it safely: give it the file on stdin and write its stdout back into the same file); kube-proxy \
                     ends and is restarted when the file is written in place",
                    host.trim_end_matches('/')
                ),
            )
        }
        VolumeSource::EmptyDir => {
            let (renderers, maps) = renderers(&mount.volume, pod);
            problem(
                ProblemReason::RenderedAtStart,
                format!(
                    "kube-proxy reads {absolute} from an emptyDir that {renderers} when the pod starts{maps}: what it \
                     will contain cannot be proved from here, so change its source"
                ),
            )
        }
        VolumeSource::Secret(secret) => problem(
            ProblemReason::InSecret,
            format!(
                "kube-proxy reads {absolute} from Secret {namespace}/{secret}: Mooring reads no Secrets; set \
                 ipvs.strictARP: true there by hand and restart kube-proxy"
            ),
        ),
        VolumeSource::Other(kind) => problem(
            ProblemReason::UnsupportedVolume,
            format!(
                "kube-proxy reads {absolute} from a volume of type {kind}, which cannot be read through the API: set \
                 ipvs.strictARP: true at its source and restart kube-proxy"
            ),
        ),
    }
}

/// The path from the root, cleaned; kube-proxy takes a relative one from the working directory.
fn absolute(path: &str, container: &Container) -> Result<String, LocationProblem> {
    if path.contains('$') {
        return Err(LocationProblem {
            reason: ProblemReason::PathNotLiteral,
            message: format!(
                "kube-proxy's --config is {path:?}, which holds a variable whose value is not in the pod's spec"
            ),
        });
    }
    if path.starts_with('/') {
        return Ok(normal(path));
    }
    match &container.working_dir {
        Some(directory) => Ok(normal(&format!("{directory}/{path}"))),
        None => Err(LocationProblem {
            reason: ProblemReason::PathNotLiteral,
            message: format!(
                "kube-proxy's --config is the relative path {path:?}, and only the image knows the working directory"
            ),
        }),
    }
}

/// The key behind a file of a ConfigMap volume. The kubelet keeps the files in a directory behind the link `..data`.
fn key_of(projection: &KeyProjection, file: &str) -> Option<String> {
    let file = file.strip_prefix("..data/").unwrap_or(file);
    if projection.items.is_empty() {
        return (!file.is_empty() && !file.contains('/')).then(|| file.to_owned());
    }
    projection
        .items
        .iter()
        .find(|item| normal(&item.path) == normal(file))
        .map(|item| item.key.clone())
}

/// Which init containers fill a volume, and from which ConfigMaps, as phrases.
fn renderers(volume: &str, pod: &PodSpec) -> (String, String) {
    let writers: Vec<&Container> = pod
        .init_containers
        .iter()
        .filter(|container| container.mounts.iter().any(|mount| mount.volume == volume))
        .collect();
    let mut maps: Vec<&str> = writers
        .iter()
        .flat_map(|container| &container.mounts)
        .filter_map(|mount| {
            pod.volumes
                .iter()
                .find(|volume| volume.name == mount.volume)
        })
        .filter_map(|volume| match &volume.source {
            VolumeSource::ConfigMap(projection) => Some(projection.name.as_str()),
            _ => None,
        })
        .collect();
    maps.dedup();
    let names: Vec<&str> = writers.iter().map(|writer| writer.name.as_str()).collect();
    let writers = match names.as_slice() {
        [] => "another container fills".to_owned(),
        names => format!("init container {} fills", names.join(", ")),
    };
    let maps = match maps.as_slice() {
        [] => String::new(),
        maps => format!(", from ConfigMap {}", maps.join(", ")),
    };
    (writers, maps)
}

/// A path without empty, `.` and `..` parts; absolute ones stay absolute.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

fn join(directory: &str, file: &str) -> String {
    normal(&format!("{directory}/{file}"))
        .trim_start_matches('/')
        .to_owned()
}

/// The part of `path` below `directory`; empty if they are the same.
fn below(path: &str, directory: &str) -> Option<String> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest.to_owned()),
        None => rest.is_empty().then(String::new),
    }
}

#[cfg(test)]
#[path = "location/tests.rs"]
mod tests;
