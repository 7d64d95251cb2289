use mooring_api::NodeProxyState;
use mooring_api::node_proxy_state::{NodeProxyStateSpec, NodeProxyStateStatus, RaisedSysctl};
use mooring_api::service_proxy::ServiceProxySpec;
use mooring_core::ipam::pool::PoolId;
use mooring_core::kube_proxy::snapshot::{
    Container, ContainerStatus, KeyProjection, Metadata, Mount, PodSpec, Timestamp, Volume,
    VolumeSource,
};
use serde_json::json;

use super::*;
use crate::api::Link;

fn proxy_pod() -> Pod {
    Pod {
        metadata: Metadata {
            id: ObjectName::new("kube-system", "kube-proxy-x"),
            uid: "1".to_owned(),
            ..Metadata::default()
        },
        node: Some("n1".to_owned()),
        spec: PodSpec {
            containers: vec![Container {
                name: "kube-proxy".to_owned(),
                command: vec![
                    "/usr/local/bin/kube-proxy".to_owned(),
                    "--config=/var/lib/kube-proxy/config.conf".to_owned(),
                ],
                mounts: vec![Mount {
                    volume: "kube-proxy".to_owned(),
                    path: "/var/lib/kube-proxy".to_owned(),
                    ..Mount::default()
                }],
                ..Container::default()
            }],
            volumes: vec![Volume {
                name: "kube-proxy".to_owned(),
                source: VolumeSource::ConfigMap(KeyProjection {
                    name: "kube-proxy".to_owned(),
                    items: vec![],
                }),
            }],
            ..PodSpec::default()
        },
        phase: "Running".to_owned(),
        ..Pod::default()
    }
}

fn map_name() -> ObjectName {
    ObjectName::new("kube-system", "kube-proxy")
}

fn state(version: &str, before: i32) -> Heard {
    let mut object = NodeProxyState::new("n1", NodeProxyStateSpec {});
    object.metadata.resource_version = Some(version.to_owned());
    object.status = Some(NodeProxyStateStatus {
        raised_sysctls: vec![RaisedSysctl {
            name: "net.ipv4.conf.eth0.arp_ignore".to_owned(),
            before,
            value: 1,
        }],
        ..NodeProxyStateStatus::default()
    });
    Heard::State(Some(Box::new(object)))
}

fn before(raised: &[node::RaisedSysctl]) -> Vec<i32> {
    raised.iter().map(|raised| raised.before).collect()
}

#[tokio::test(start_paused = true)]
async fn a_first_report_waits_for_the_pods_and_what_they_mount() {
    let mut view = View::new();
    assert!(!view.is_settled());
    view.take(Heard::Pods(vec![proxy_pod()]));
    assert_eq!(view.wanted_config_maps(), [map_name()]);
    assert!(!view.is_settled());
    view.take(Heard::ConfigMap(map_name(), None));
    assert!(view.is_settled(), "that it is not there is an answer");
}

#[tokio::test(start_paused = true)]
async fn a_config_map_that_may_not_be_read_holds_nothing_up() {
    let mut view = View::new();
    view.take(Heard::Pods(vec![proxy_pod()]));
    let source = Source::ConfigMap(map_name());
    view.take(Heard::Trouble(source, Trouble::Denied("RBAC".to_owned())));
    assert!(view.is_settled());
    assert_eq!(view.unreachable(), None);
}

#[tokio::test(start_paused = true)]
async fn a_report_is_not_held_back_for_ever() {
    let mut view = View::new();
    tokio::time::advance(PATIENCE).await;
    assert!(view.is_settled());
    assert_eq!(view.known_pods(), None);
}

#[tokio::test(start_paused = true)]
async fn config_maps_that_nobody_mounts_any_more_are_forgotten() {
    let mut view = View::new();
    view.take(Heard::Pods(vec![proxy_pod()]));
    let map = ConfigMap::default();
    view.take(Heard::ConfigMap(map_name(), Some(Box::new(map))));
    assert_eq!(view.config_maps().len(), 1);
    view.take(Heard::Pods(vec![]));
    assert_eq!(view.wanted_config_maps(), []);
    assert!(view.config_maps().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_raised_is_learnt_once_and_then_known_better_than_the_api_does() {
    let mut view = View::new();
    assert_eq!(view.remembered(), None);
    view.take(state("10", 0));
    assert_eq!(view.remembered().map(before), Some(vec![0]));
    view.take(Heard::State(None));
    assert_eq!(
        view.remembered().map(before),
        Some(vec![0]),
        "somebody deleted the object"
    );
    assert!(view.stored().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_echo_of_the_past_does_not_undo_a_write() {
    let mut view = View::new();
    view.take(state("10", 0));
    let status = NodeProxyStateStatus::default();
    view.written(Kept {
        resource_version: "12".to_owned(),
        generation: None,
        status,
    });
    view.take(state("11", 0));
    assert!(view.stored().is_empty());
    view.take(state("13", 7));
    assert_eq!(before(&view.stored()), [7]);
}

#[tokio::test(start_paused = true)]
async fn without_its_definitions_mooring_wants_and_remembers_nothing() {
    let mut view = View::new();
    assert_eq!(view.wish(), None);
    view.take(Heard::Trouble(Source::ServiceProxy, Trouble::NotFound));
    view.take(Heard::State(None));
    assert_eq!(view.wish(), Some(Wish::Restore));
    assert_eq!(view.remembered(), Some(&[][..]));
    assert_eq!(view.kept(), Some(None));
}

#[tokio::test(start_paused = true)]
async fn an_outage_changes_neither_what_is_wanted_nor_what_is_known() {
    let mut view = View::new();
    let object = ServiceProxy::new("cluster", ServiceProxySpec::default());
    view.take(Heard::ServiceProxy(Some(Box::new(object))));
    view.take(Heard::Pods(vec![proxy_pod()]));
    for source in [Source::ServiceProxy, Source::Pods] {
        let lost = Trouble::Unreachable("no route".to_owned());
        view.take(Heard::Trouble(source, lost));
    }
    assert_eq!(view.wish(), Some(Wish::Observe));
    assert_eq!(view.pods().len(), 1);
    assert!(view.unreachable().is_some());
    view.take(Heard::Fine(Source::ServiceProxy));
    assert!(view.unreachable().is_some(), "one is not all");
    view.take(Heard::Fine(Source::Pods));
    assert_eq!(view.unreachable(), None);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_started_again_is_another_process() {
    let mut view = View::new();
    view.take(Heard::Pods(vec![proxy_pod()]));
    let former = view.processes();
    view.take(Heard::Pods(vec![proxy_pod(), Pod::default()]));
    assert_eq!(view.processes(), former);
    let mut pod = proxy_pod();
    pod.containers.push(ContainerStatus {
        name: "kube-proxy".to_owned(),
        started: Some(Timestamp::from_unix_seconds(9)),
        ..ContainerStatus::default()
    });
    view.take(Heard::Pods(vec![pod]));
    assert_ne!(view.processes(), former);
}

fn address(name: &str) -> Arc<Address> {
    let object = serde_json::json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ExternalIP",
        "metadata": {"name": name},
        "spec": {"address": name.replace('-', "."), "pool": {"group": "mooring.dev", "name": "blue"}},
    });
    let address = Address::of(serde_json::from_value(object).unwrap(), "n1");
    Arc::new(address.unwrap())
}

#[tokio::test(start_paused = true)]
async fn addresses_pools_and_links_are_no_news_about_the_node() {
    let mut view = View::new();
    assert_eq!((view.addresses(), view.pools()), (None, None));
    let links = NodeLinks {
        node: "n2".to_owned(),
        uplinks: vec![Link {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:02".to_owned(),
            subnets: vec![],
            addresses: Vec::new(),
        }],
    };
    let pool = Pool::by_default(PoolId::mooring("blue"));
    assert!(!view.take(Heard::Addresses(vec![address("10-77-0-200")])));
    assert!(!view.take(Heard::Pools(vec![pool.clone()])));
    assert!(!view.take(Heard::Nodes(vec![Arc::new(links)])));
    assert_eq!(view.addresses(), Some(&[address("10-77-0-200")][..]));
    assert_eq!(view.pools(), Some(&[pool][..]));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_addresses_alone_takes_nothing_away() {
    let mut view = View::new();
    view.take(Heard::Addresses(vec![address("10-77-0-200")]));
    for trouble in [
        Trouble::Unreachable("no route".to_owned()),
        Trouble::Denied("RBAC".to_owned()),
        Trouble::NotFound,
    ] {
        let heard = Heard::Trouble(Source::Addresses, trouble.clone());
        assert!(!view.take(heard), "{trouble}");
        assert_eq!(view.unreachable(), None);
        assert_eq!(view.addresses().map(<[_]>::len), Some(1));
    }
    view.take(Heard::Fine(Source::Addresses));
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_missing_are_told_of_once() {
    let mut view = View::new();
    assert!(!view.tells_of_missing_kinds());
    view.take(Heard::Trouble(Source::Nodes, Trouble::NotFound));
    assert!(view.tells_of_missing_kinds());
    view.take(Heard::Trouble(Source::ServiceProxy, Trouble::NotFound));
    assert_eq!(view.wish(), Some(Wish::Restore));
    view.take(Heard::Fine(Source::Nodes));
    view.take(Heard::Fine(Source::ServiceProxy));
    assert!(!view.tells_of_missing_kinds());
}

#[test]
fn a_node_asks_for_those_addresses_of_others_that_it_is_named_for() {
    let mut view = View::new();
    assert_eq!(view.foreign("n1"), None, "nobody has said");
    let foreign = |address: &str, witnesses: [&str; 2]| json!({"address": address, "service": "default/web", "witnesses": witnesses, "seen": "NotWitnessed"});
    let object = json!({
        "apiVersion": "mooring.dev/v1alpha1",
        "kind": "ServiceProxy",
        "metadata": {"name": "cluster"},
        "spec": {},
        "status": {"foreignAddresses": [
            foreign("10.77.0.200", ["n2", "n1"]), foreign("10.77.0.201", ["n2", "n3"]), foreign("fd77::1", ["n1", "n3"]),
        ]},
    });
    let object: ServiceProxy = serde_json::from_value(object).unwrap();
    view.take(Heard::ServiceProxy(Some(Box::new(object))));
    let expected = ["10.77.0.200", "fd77::1"].map(|address| address.parse().unwrap());
    assert_eq!(view.foreign("n1"), Some(expected.into()));
    view.take(Heard::ServiceProxy(None));
    assert_eq!(view.foreign("n1"), Some(BTreeSet::new()));
}
