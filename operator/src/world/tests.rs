use mooring_core::kube_proxy::snapshot::{
    Container, KeyProjection, Metadata, Mount, PodSpec, Volume, VolumeSource,
};

use super::*;
use crate::cache::Trouble;

fn kube_proxy(labels: &[(&str, &str)]) -> DaemonSet {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    DaemonSet {
        metadata: Metadata {
            id: ObjectName::new("kube-system", "kube-proxy"),
            uid: "1".to_owned(),
            ..Metadata::default()
        },
        selector: labels.clone(),
        template_labels: labels,
        template: PodSpec {
            containers: vec![Container {
                name: "kube-proxy".to_owned(),
                command: vec![
                    "kube-proxy".to_owned(),
                    "--config=/etc/p/config.conf".to_owned(),
                ],
                mounts: vec![Mount {
                    volume: "config".to_owned(),
                    path: "/etc/p".to_owned(),
                    ..Mount::default()
                }],
                ..Container::default()
            }],
            volumes: vec![Volume {
                name: "config".to_owned(),
                source: VolumeSource::ConfigMap(KeyProjection {
                    name: "proxy-settings".to_owned(),
                    items: Vec::new(),
                }),
            }],
            ..PodSpec::default()
        },
        desired: 3,
        ..DaemonSet::default()
    }
}

fn all<V>(objects: Vec<(&str, V)>) -> Update<V> {
    let objects = objects.into_iter();
    Update::All(
        objects
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn with(sets: Vec<DaemonSet>) -> World {
    let mut world = World::default();
    let sets = sets
        .into_iter()
        .map(|set| (set.metadata.id.to_string(), set));
    world.apply(Change::DaemonSets(Update::All(sets.collect())));
    world
}

fn settings() -> Source {
    Source::ConfigMap(ObjectName::new("kube-system", "proxy-settings"))
}

fn forbidden<V>() -> Update<V> {
    Update::Failed(Trouble {
        code: Some(403),
        message: "forbidden".to_owned(),
    })
}

#[test]
fn the_config_map_that_is_mounted_is_watched_whatever_its_name() {
    let before = World::default().wanted();
    assert!(!before.contains(&settings()));
    let world = with(vec![kube_proxy(&[("k8s-app", "kube-proxy")])]);
    assert!(world.wanted().contains(&settings()));
}

#[test]
fn pods_without_a_telling_label_are_watched_by_their_daemon_set_s_selector() {
    let world = with(vec![kube_proxy(&[("name", "proxy")])]);
    let source = Source::Pods {
        namespace: Some("kube-system".to_owned()),
        labels: "name=proxy".to_owned(),
    };
    assert!(world.wanted().contains(&source));
}

#[test]
fn pods_without_any_label_are_looked_for_only_where_nothing_else_was_found() {
    let found = |mut world: World| {
        for source in world.wanted() {
            if matches!(source, Source::Pods { .. }) {
                world.apply(Change::Pods(source, all(vec![])));
            }
        }
        world.wanted().contains(&Source::StaticPods)
    };
    assert!(!found(with(vec![kube_proxy(&[("k8s-app", "kube-proxy")])])));
    assert!(found(with(vec![])));
    assert!(!with(vec![]).wanted().contains(&Source::StaticPods));
}

#[test]
fn a_static_pod_without_labels_keeps_the_watch_that_shows_it() {
    let mut world = with(vec![]);
    for source in world.wanted() {
        if matches!(source, Source::Pods { .. }) {
            world.apply(Change::Pods(source, all(vec![])));
        }
    }
    let mut pod = Pod {
        spec: kube_proxy(&[]).template,
        node: Some("n1".to_owned()),
        ..Pod::default()
    };
    pod.metadata.id = ObjectName::new("kube-system", "proxy-n1");
    let mirror = "kubernetes.io/config.mirror".to_owned();
    pod.metadata.annotations.insert(mirror, "1".to_owned());
    world.apply(Change::Pods(
        Source::StaticPods,
        all(vec![("kube-system/proxy-n1", pod)]),
    ));
    assert!(world.wanted().contains(&Source::StaticPods));
}

#[test]
fn missing_definitions_are_named_with_what_to_apply() {
    let mut world = World::default();
    world.apply(Change::ServiceProxy(Update::Failed(Trouble {
        code: Some(404),
        message: "404 page not found".to_owned(),
    })));
    let doubts = world.doubts(&[Source::ServiceProxy].into());
    assert_eq!(doubts.len(), 1);
    assert!(
        doubts[0].failed && doubts[0].text.contains("manifests/crds"),
        "{doubts:?}"
    );
}

#[test]
fn a_config_map_that_may_not_be_read_is_no_reason_to_wait_but_is_told() {
    let mut world = with(vec![kube_proxy(&[("k8s-app", "kube-proxy")])]);
    let id = ObjectName::new("kube-system", "proxy-settings");
    let wanted: BTreeSet<Source> = [settings()].into();
    assert_eq!(world.doubts(&wanted).len(), 1);
    world.apply(Change::ConfigMap(id.clone(), forbidden()));
    assert!(world.doubts(&wanted).is_empty());
    assert_eq!(world.unreadable(), [(&id, "forbidden")]);
}

#[test]
fn what_is_not_watched_any_more_is_forgotten() {
    let mut world = with(vec![kube_proxy(&[("k8s-app", "kube-proxy")])]);
    let id = ObjectName::new("kube-system", "proxy-settings");
    world.apply(Change::ConfigMap(id.clone(), all(vec![])));
    world.retain(&BTreeSet::new());
    assert!(world.config_maps.is_empty());
}
