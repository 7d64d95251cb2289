use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn held_by(holder: &str, renewal: &str) -> Option<Record> {
    Some(Record {
        holder: Some(holder.to_owned()),
        duration: seconds(15),
        renewal: renewal.to_owned(),
    })
}

#[test]
fn a_missing_lease_is_taken() {
    let mut watched = Watched::default();
    watched.see(None, seconds(1));
    assert_eq!(watched.decide("me", seconds(1)), Decision::Acquire);
}

#[test]
fn a_released_lease_is_taken_at_once() {
    for holder in [None, Some(String::new())] {
        let mut watched = Watched::default();
        watched.see(held_by("other", "1"), seconds(1));
        watched.see(
            Some(Record {
                holder,
                ..Record::default()
            }),
            seconds(2),
        );
        assert_eq!(watched.decide("me", seconds(2)), Decision::Acquire);
    }
}

#[test]
fn an_own_lease_is_renewed_whatever_its_age() {
    let mut watched = Watched::default();
    watched.see(held_by("me", "1"), seconds(1));
    assert_eq!(watched.decide("me", seconds(1000)), Decision::Renew);
}

#[test]
fn a_foreign_lease_is_left_alone_until_its_holder_was_silent_for_its_duration() {
    let mut watched = Watched::default();
    watched.see(held_by("other", "1"), seconds(100));
    let follow = |until| Decision::Follow {
        holder: "other".to_owned(),
        until: seconds(until),
    };
    assert_eq!(watched.decide("me", seconds(100)), follow(115));
    watched.see(held_by("other", "1"), seconds(110));
    assert_eq!(watched.decide("me", seconds(114)), follow(115));
    assert_eq!(watched.decide("me", seconds(115)), Decision::Acquire);
}

#[test]
fn each_renewal_starts_the_wait_anew() {
    let mut watched = Watched::default();
    watched.see(held_by("other", "1"), seconds(100));
    watched.see(held_by("other", "2"), seconds(114));
    assert!(matches!(
        watched.decide("me", seconds(128)),
        Decision::Follow { .. }
    ));
    assert_eq!(watched.decide("me", seconds(129)), Decision::Acquire);
}

#[test]
fn an_old_lease_is_not_taken_at_first_sight_as_clocks_may_differ() {
    let mut watched = Watched::default();
    watched.see(held_by("other", "2001-01-01T00:00:00Z"), seconds(5));
    assert!(matches!(
        watched.decide("me", seconds(5)),
        Decision::Follow { .. }
    ));
}
