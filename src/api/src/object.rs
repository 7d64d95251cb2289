//! ConfigMaps, DaemonSets and nodes.

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mooring_core::external_ip::ClusterNode;
use mooring_core::kube_proxy::snapshot::{ConfigMap, DaemonSet, Node, UpdateStrategy};
use mooring_core::node::NodeView;
use mooring_core::placement::{DRAIN_ANNOTATION, Exit, Life};

use crate::metadata::{metadata, timestamp};
use crate::pod::pod_spec;

/// A ConfigMap as the decisions see it.
pub fn config_map(object: &core::ConfigMap) -> ConfigMap {
    ConfigMap {
        metadata: metadata(&object.metadata),
        data: object.data.clone().unwrap_or_default(),
        binary_keys: object
            .binary_data
            .iter()
            .flat_map(|data| data.keys().cloned())
            .collect(),
        immutable: object.immutable.unwrap_or(false),
    }
}

/// A DaemonSet as the decisions see it.
pub fn daemon_set(object: &apps::DaemonSet) -> DaemonSet {
    let spec = object.spec.as_ref();
    let template = spec.map(|spec| &spec.template);
    DaemonSet {
        metadata: metadata(&object.metadata),
        selector: spec
            .and_then(|spec| spec.selector.match_labels.clone())
            .unwrap_or_default(),
        template_labels: template
            .and_then(|template| template.metadata.as_ref())
            .and_then(|metadata| metadata.labels.clone())
            .unwrap_or_default(),
        template: template
            .and_then(|template| template.spec.as_ref())
            .map(pod_spec)
            .unwrap_or_default(),
        update: update_strategy(spec.and_then(|spec| spec.update_strategy.as_ref())),
        desired: object
            .status
            .as_ref()
            .map(|status| status.desired_number_scheduled)
            .unwrap_or_default(),
    }
}

fn update_strategy(strategy: Option<&apps::DaemonSetUpdateStrategy>) -> UpdateStrategy {
    let Some(strategy) = strategy else {
        return UpdateStrategy::default();
    };
    if strategy.type_.as_deref() == Some("OnDelete") {
        return UpdateStrategy::OnDelete;
    }
    let max_unavailable = strategy
        .rolling_update
        .as_ref()
        .and_then(|rolling| rolling.max_unavailable.as_ref());
    match max_unavailable {
        Some(IntOrString::Int(number)) => UpdateStrategy::RollingUpdate {
            max_unavailable: number.to_string(),
        },
        Some(IntOrString::String(text)) => UpdateStrategy::RollingUpdate {
            max_unavailable: text.clone(),
        },
        None => UpdateStrategy::default(),
    }
}

/// A node as the decisions see it.
pub fn node(object: &core::Node) -> Node {
    let status = object.status.as_ref();
    let info = status.and_then(|status| status.node_info.as_ref());
    Node {
        name: object.metadata.name.clone().unwrap_or_default(),
        os: info
            .map(|info| info.operating_system.clone())
            .unwrap_or_default(),
        os_image: info.map(|info| info.os_image.clone()).unwrap_or_default(),
        kubelet_version: info
            .map(|info| info.kubelet_version.clone())
            .unwrap_or_default(),
        ready: status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        labels: object.metadata.labels.clone().unwrap_or_default(),
        annotations: object.metadata.annotations.clone().unwrap_or_default(),
    }
}

/// A node as the decisions about external IPs see it, as far as its Node object tells: without the report of its agent.
/// `None` for a node that does not run Linux, where Mooring has no agent.
pub fn cluster_node(object: &core::Node) -> Option<ClusterNode> {
    let node = node(object);
    if node.os == "windows" {
        return None;
    }
    let spec = object.spec.as_ref();
    let addresses = object
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref());
    let cidrs = |spec: &core::NodeSpec| {
        let both = spec.pod_cidrs.clone().filter(|cidrs| !cidrs.is_empty());
        both.or_else(|| spec.pod_cidr.clone().map(|cidr| vec![cidr]))
    };
    Some(ClusterNode {
        view: NodeView {
            name: node.name,
            ready: node.ready,
            reporting: false,
            report: None,
        },
        draining: node.annotations.contains_key(DRAIN_ANNOTATION),
        exit: exit(object),
        life: life(object),
        labels: node.labels,
        cordoned: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        silent_since: None,
        unserved_since: None,
        addresses: addresses
            .into_iter()
            .flatten()
            .filter_map(|address| address.address.parse().ok())
            .collect(),
        pod_cidrs: spec.and_then(cidrs).unwrap_or_default(),
    })
}

/// Whether the node is about to go.
fn exit(object: &core::Node) -> Option<Exit> {
    let status = object.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let not_ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready" && condition.status != "True");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let said = not_ready.map(|said| (text(&said.reason), text(&said.message)));
    let said = said.as_ref();
    let taints = object.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    Exit::of(
        said.map(|(reason, message)| (reason.as_str(), message.as_str())),
        taints.into_iter().flatten().map(|taint| taint.key.as_str()),
    )
}

/// Whether the node lives.
fn life(object: &core::Node) -> Life {
    let spec = object.spec.as_ref();
    let status = object.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let silent = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready" && condition.status == "Unknown");
    let info = status.and_then(|status| status.node_info.as_ref());
    let annotations = object.metadata.annotations.as_ref();
    Life {
        silent_since: silent
            .and_then(|condition| condition.last_transition_time.as_ref())
            .map(timestamp),
        boot: info.map(|info| info.boot_id.clone()).unwrap_or_default(),
        farewell: exit(object).is_some()
            || spec.and_then(|spec| spec.unschedulable).unwrap_or(false)
            || annotations.is_some_and(|all| all.contains_key(DRAIN_ANNOTATION)),
        restarted: None,
    }
}
