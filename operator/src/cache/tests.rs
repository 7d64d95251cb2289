use super::*;

fn set(key: &str, value: u8) -> Update<u8> {
    Update::Set(key.to_owned(), value)
}

fn failed() -> Update<u8> {
    Update::Failed(Trouble {
        code: Some(403),
        message: "no".to_owned(),
    })
}

fn synced() -> Store<u8> {
    let mut store = Store::default();
    assert_eq!(store.apply(Update::All(BTreeMap::new())), Effect::Objects);
    store
}

#[test]
fn a_store_is_in_doubt_until_its_first_list_ends() {
    let mut store = Store::default();
    assert_eq!(store.doubt(), Some(Doubt::NotYet));
    store.apply(Update::All([("a".to_owned(), 1)].into()));
    assert_eq!(store.doubt(), None);
}

#[test]
fn an_object_that_is_the_same_after_trimming_changes_nothing() {
    let mut store = synced();
    assert_eq!(store.apply(set("a", 1)), Effect::Objects);
    assert_eq!(store.apply(set("a", 1)), Effect::None);
    assert_eq!(store.apply(set("a", 2)), Effect::Objects);
    assert_eq!(
        store.apply(Update::All([("a".to_owned(), 2)].into())),
        Effect::None
    );
    assert_eq!(store.apply(Update::Gone("b".to_owned())), Effect::None);
    assert_eq!(store.apply(Update::Gone("a".to_owned())), Effect::Objects);
}

#[test]
fn a_failed_watch_keeps_its_objects_but_not_their_trust() {
    let mut store = synced();
    store.apply(set("a", 1));
    assert_eq!(store.apply(failed()), Effect::Trust);
    assert_eq!(store.apply(failed()), Effect::None);
    assert!(matches!(store.doubt(), Some(Doubt::Trouble(trouble)) if trouble.code == Some(403)));
    assert_eq!(store.get("a"), Some(&1));
    assert_eq!(
        store.apply(Update::All([("a".to_owned(), 1)].into())),
        Effect::Trust
    );
    assert_eq!(store.doubt(), None);
}
