use super::*;

fn object(uid: &str, version: &str, value: u8) -> Versioned<u8> {
    Versioned {
        uid: uid.to_owned(),
        version: version.to_owned(),
        value,
    }
}

fn set(object: Versioned<u8>) -> Update<Versioned<u8>> {
    Update::Set("a".to_owned(), object)
}

fn all(objects: &[Versioned<u8>]) -> Update<Versioned<u8>> {
    let keys = ["a", "b", "c"].map(str::to_owned);
    Update::All(keys.into_iter().zip(objects.iter().cloned()).collect())
}

fn known(copies: &Copies<u8>) -> Option<(&str, u8)> {
    let object = copies.get("a")?;
    Some((object.version.as_str(), object.value))
}

#[test]
fn a_new_version_of_equal_content_is_no_change_but_is_remembered() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("u", "9", 1)]));
    assert_eq!(copies.apply(set(object("u", "10", 1))), Effect::None);
    assert_eq!(known(&copies), Some(("10", 1)));
    assert_eq!(copies.apply(set(object("u", "11", 2))), Effect::Objects);
}

#[test]
fn what_the_watch_says_late_does_not_undo_what_was_written() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("u", "9", 1)]));
    copies.apply(set(object("u", "12", 3)));
    assert_eq!(copies.apply(set(object("u", "11", 2))), Effect::None);
    assert_eq!(copies.apply(all(&[object("u", "10", 1)])), Effect::Objects);
    assert_eq!(known(&copies), Some(("12", 3)));
}

#[test]
fn a_recreated_object_of_equal_content_is_another_one() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("u", "9", 1)]));
    assert_eq!(copies.apply(set(object("v", "10", 1))), Effect::Objects);
}

#[test]
fn a_deleted_object_does_not_come_back_by_an_event_from_before() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("u", "9", 1)]));
    assert_eq!(copies.forget("a", "u"), Effect::Objects);
    assert_eq!(copies.apply(set(object("u", "10", 2))), Effect::None);
    assert_eq!(copies.apply(all(&[object("u", "10", 2)])), Effect::None);
    assert_eq!(known(&copies), None);
    assert_eq!(copies.apply(Update::Gone("a".to_owned())), Effect::None);
    assert_eq!(copies.apply(set(object("u", "13", 2))), Effect::Objects);
}

#[test]
fn deleting_what_was_replaced_meanwhile_forgets_nothing() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("v", "9", 1)]));
    assert_eq!(copies.forget("a", "u"), Effect::None);
    assert_eq!(known(&copies), Some(("9", 1)));
}

#[test]
fn a_name_that_is_deleted_can_be_taken_again() {
    let mut copies = Copies::default();
    copies.apply(all(&[object("u", "9", 1)]));
    copies.forget("a", "u");
    assert_eq!(copies.apply(set(object("v", "11", 1))), Effect::Objects);
    assert_eq!(copies.apply(Update::Gone("a".to_owned())), Effect::None);
    assert_eq!(known(&copies), Some(("11", 1)));
}
