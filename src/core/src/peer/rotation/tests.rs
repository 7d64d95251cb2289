use super::*;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// The ring after a step.
fn after(ring: Ring, step: Step, now: Timestamp) -> Ring {
    let stepped = Some(now);
    match step {
        Step::Stamp => Ring { stepped, ..ring },
        Step::Add(_) => Ring {
            next: true,
            requested: false,
            stepped,
            ..ring
        },
        Step::Switch => Ring {
            next: false,
            previous: true,
            stepped,
            ..ring
        },
        Step::Drop => Ring {
            previous: false,
            stepped,
            ..ring
        },
    }
}

/// All steps until then, with their times; a look every ten minutes.
fn steps(mut ring: Ring, until: i64) -> Vec<(i64, Step)> {
    let mut steps = Vec::new();
    for now in (0..=until).step_by(600) {
        if let Turn::Now(step) = turn(&ring, at(now)) {
            ring = after(ring, step, at(now));
            steps.push((now, step));
        }
    }
    steps
}

#[test]
fn after_thirty_days_the_key_is_changed_in_three_steps_an_hour_apart() {
    let ring = Ring {
        stepped: Some(at(0)),
        ..Ring::default()
    };
    let expected = [
        (30 * DAY, Step::Add(Cause::Age)),
        (30 * DAY + HOUR, Step::Switch),
        (30 * DAY + 2 * HOUR, Step::Drop),
        (60 * DAY + 2 * HOUR, Step::Add(Cause::Age)),
    ];
    assert_eq!(steps(ring, 60 * DAY + 2 * HOUR), expected);
    assert_eq!(turn(&ring, at(5)), Turn::Later(at(30 * DAY)));
}

#[test]
fn who_asks_for_another_key_gets_it_and_no_step_comes_early() {
    let ring = Ring {
        stepped: Some(at(0)),
        requested: true,
        ..Ring::default()
    };
    let expected = [
        (HOUR, Step::Add(Cause::Request)),
        (2 * HOUR, Step::Switch),
        (3 * HOUR, Step::Drop),
    ];
    assert_eq!(steps(ring, 10 * DAY), expected);
}

#[test]
fn a_request_in_the_middle_of_a_rotation_waits_for_its_end() {
    let ring = Ring {
        next: true,
        stepped: Some(at(0)),
        requested: true,
        ..Ring::default()
    };
    assert_eq!(turn(&ring, at(HOUR)), Turn::Now(Step::Switch));
}

#[test]
fn with_a_key_too_many_the_former_one_goes_first() {
    let ring = Ring {
        next: true,
        previous: true,
        stepped: Some(at(0)),
        requested: false,
    };
    let expected = [
        (HOUR, Step::Drop),
        (2 * HOUR, Step::Switch),
        (3 * HOUR, Step::Drop),
    ];
    assert_eq!(steps(ring, 4 * HOUR), expected);
}

#[test]
fn where_nobody_knows_when_the_last_step_was_it_is_taken_to_be_now() {
    for stepped in [None, Some(at(DAY))] {
        let ring = Ring {
            next: true,
            stepped,
            ..Ring::default()
        };
        let expected = [
            (0, Step::Stamp),
            (HOUR, Step::Switch),
            (2 * HOUR, Step::Drop),
        ];
        assert_eq!(steps(ring, 2 * HOUR), expected, "{stepped:?}");
    }
    let ahead = Ring {
        next: true,
        stepped: Some(at(5)),
        ..Ring::default()
    };
    assert_eq!(
        turn(&ahead, at(0)),
        Turn::Later(at(5 + HOUR)),
        "clocks differ"
    );
}
