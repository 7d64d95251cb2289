use k8s_openapi::api::core::v1 as core;
use kube::api::ObjectMeta;

use super::*;

fn config_map(name: &str, value: &str) -> core::ConfigMap {
    core::ConfigMap {
        metadata: ObjectMeta {
            namespace: Some("kube-system".to_owned()),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some([("key".to_owned(), value.to_owned())].into()),
        ..core::ConfigMap::default()
    }
}

/// Keeps the value, unless the name says not to.
fn keep(object: core::ConfigMap) -> Option<String> {
    let name = object.metadata.name.unwrap();
    let value = object.data.unwrap().remove("key");
    value.filter(|_| !name.starts_with("not-"))
}

fn values(told: Option<Vec<String>>) -> Option<String> {
    told.map(|values| values.join(","))
}

#[test]
fn the_whole_set_is_told_when_it_changed_and_not_otherwise() {
    let mut set = Set::default();
    let mut take = |event| {
        set.take(event, keep);
        values(set.news())
    };
    assert_eq!(take(Event::Init), None);
    assert_eq!(take(Event::InitApply(config_map("b", "2"))), None);
    assert_eq!(take(Event::InitApply(config_map("a", "1"))), None);
    assert_eq!(take(Event::InitApply(config_map("not-c", "3"))), None);
    assert_eq!(take(Event::InitDone).as_deref(), Some("1,2"));
    assert_eq!(take(Event::Apply(config_map("a", "1"))), None);
    assert_eq!(take(Event::Apply(config_map("not-d", "4"))), None);
    assert_eq!(
        take(Event::Apply(config_map("a", "9"))).as_deref(),
        Some("9,2")
    );
    assert_eq!(
        take(Event::Delete(config_map("b", "2"))).as_deref(),
        Some("9")
    );
    assert_eq!(take(Event::Delete(config_map("not-c", "3"))), None);
}

#[test]
fn an_empty_list_is_told_once_and_a_new_list_replaces_the_old_one() {
    let mut set = Set::default();
    let mut take = |event| {
        set.take(event, keep);
        values(set.news())
    };
    take(Event::Init);
    assert_eq!(take(Event::InitDone).as_deref(), Some(""));
    take(Event::Init);
    assert_eq!(take(Event::InitDone), None);
    take(Event::Init);
    take(Event::InitApply(config_map("a", "1")));
    assert_eq!(take(Event::InitDone).as_deref(), Some("1"));
    take(Event::Init);
    assert_eq!(take(Event::InitDone).as_deref(), Some(""));
}

#[test]
fn what_changed_together_is_told_together() {
    let mut set = Set::default();
    set.take(Event::Init, keep);
    set.take(Event::InitDone, keep);
    set.take(Event::Apply(config_map("b", "2")), keep);
    set.take(Event::Apply(config_map("a", "1")), keep);
    set.take(Event::Delete(config_map("b", "2")), keep);
    assert_eq!(values(set.news()).as_deref(), Some("1"));
    assert_eq!(set.news(), None);
}
