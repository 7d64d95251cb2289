use mooring_core::peer::rotation::Cause;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A key that differs from others.
fn key(number: u8) -> Bytes {
    std::array::from_fn(|at| number.wrapping_add(u8::try_from(at).unwrap_or_default()))
}

fn secret() -> Secret {
    made("mooring-system", key(1), at(0))
}

fn with(field: &str, bytes: &[u8]) -> Secret {
    let mut secret = secret();
    let data = secret.data.get_or_insert_default();
    data.insert(field.to_owned(), ByteString(bytes.to_vec()));
    secret
}

fn of(numbers: &[u8]) -> Keys {
    Keys::new(numbers.iter().map(|number| key(*number))).unwrap()
}

fn flaw(secret: &Secret) -> Flaw {
    let unusable = keys(secret).unwrap_err();
    assert_eq!(ring(secret).as_ref(), Err(&unusable));
    unusable.flaw().clone()
}

#[test]
fn a_rotation_keeps_what_was_written_with_believed_until_its_end() {
    let mut secret = secret();
    assert_eq!(keys(&secret).unwrap(), of(&[1]));
    let mut step = |step: Step, hour: i64| {
        secret = stepped(&secret, step, key(2), at(3600 * hour));
        let ring = ring(&secret).unwrap();
        assert_eq!(ring.stepped, Some(at(3600 * hour)));
        (keys(&secret).unwrap(), ring.next, ring.previous)
    };
    let add = Step::Add(Cause::Age);
    assert_eq!(step(add, 1), (of(&[1, 2]), true, false));
    assert_eq!(step(Step::Switch, 2), (of(&[2, 1]), false, true));
    assert_eq!(step(Step::Drop, 3), (of(&[2]), false, false));
    assert_eq!(step(Step::Stamp, 4), (of(&[2]), false, false));
}

#[test]
fn a_request_is_over_once_there_is_another_key_and_the_rest_of_the_object_stays() {
    let mut asked = secret();
    let annotations = asked.metadata.annotations.get_or_insert_default();
    annotations.insert(ROTATE.to_owned(), NOW.to_owned());
    annotations.insert("example.com/note".to_owned(), "kept".to_owned());
    asked.metadata.resource_version = Some("7".to_owned());
    assert!(ring(&asked).unwrap().requested);
    let after = stepped(&asked, Step::Add(Cause::Request), key(2), at(9));
    assert!(!ring(&after).unwrap().requested);
    assert_eq!(after.metadata.resource_version.as_deref(), Some("7"));
    let annotations = after.metadata.annotations.unwrap();
    assert_eq!(annotations["example.com/note"], "kept");
    assert_eq!(annotations[STEPPED_AT], "1970-01-01T00:00:09Z");
}

#[test]
fn a_time_that_cannot_be_read_is_none() {
    let mut secret = secret();
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(STEPPED_AT.to_owned(), "yesterday".to_owned());
    assert_eq!(ring(&secret).unwrap().stepped, None);
}

#[test]
fn a_secret_without_usable_keys_says_what_is_wrong_and_what_to_do() {
    let mut typed = secret();
    typed.type_ = Some("kubernetes.io/tls".to_owned());
    assert_eq!(flaw(&typed), Flaw::Type("kubernetes.io/tls".to_owned()));
    let mut empty = secret();
    empty.data = None;
    assert_eq!(flaw(&empty), Flaw::NoCurrent);
    let short = Flaw::Length {
        field: PREVIOUS,
        bytes: 5,
    };
    assert_eq!(flaw(&with(PREVIOUS, b"short")), short);
    assert_eq!(flaw(&with(NEXT, &[7; 32])), Flaw::Trivial { field: NEXT });
    let text = keys(&with(CURRENT, b"")).unwrap_err().to_string();
    for part in [
        "has 0 bytes instead of 32",
        "kubectl -n mooring-system delete secret mooring-peer-keys",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn no_key_is_printed_with_an_error() {
    let secret = with(NEXT, &[b'k'; 31]);
    let text = format!("{:?} {}", keys(&secret), keys(&secret).unwrap_err());
    assert!(
        !text.contains("kkk") && !text.contains("107, 107"),
        "{text}"
    );
}
