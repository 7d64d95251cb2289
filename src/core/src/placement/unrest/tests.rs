use proptest::prelude::*;

use super::*;

const NOON: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOON + seconds)
}

/// The record of a node that died at these times, each told at once.
fn died(times: &[i64]) -> Unrest {
    let mut unrest = None;
    for time in times {
        unrest = Unrest::after(unrest, [at(*time)], at(*time)).or(unrest);
    }
    unrest.unwrap()
}

#[test]
fn one_death_is_an_accident_and_two_within_an_hour_are_not() {
    assert_eq!(died(&[0]).restless(at(0)), None);
    let twice = died(&[0, HALF_LIFE]);
    assert_eq!((twice.deaths, twice.penalty), (2, SUPPRESS));
    let until = twice.restless(at(HALF_LIFE)).unwrap().until;
    assert_eq!(until, at(2 * HALF_LIFE + 1), "1500 is 750 an hour later");
    assert_eq!(twice.restless(until), None);
    assert_eq!(
        died(&[0, HALF_LIFE + 60]).restless(at(HALF_LIFE + 60)),
        None
    );
}

#[test]
fn a_node_that_dies_every_95_minutes_stays_above_and_every_two_hours_below() {
    let times = |minutes: i64| {
        (0..40)
            .map(|number| number * minutes * 60)
            .collect::<Vec<_>>()
    };
    assert!(died(&times(94)).penalty >= SUPPRESS);
    assert!(died(&times(120)).penalty < SUPPRESS);
}

#[test]
fn whoever_dies_all_the_time_is_forgiven_three_hours_after_the_last() {
    let times: Vec<i64> = (0..100).map(|number| number * 130).collect();
    let last = times[99];
    let unrest = died(&times);
    assert_eq!((unrest.deaths, unrest.penalty), (100, CEILING));
    assert_eq!(
        unrest.restless(at(last)).unwrap().to_string(),
        format!(
            "it died 100 times lately, the last time at {}, so that it comes last until {}",
            at(last),
            at(last + 3 * HALF_LIFE + 1)
        )
    );
}

#[test]
fn all_signs_of_one_death_count_once() {
    let first = died(&[0]);
    let more = [at(0), at(1), at(45), at(TOGETHER - 1), at(-30)];
    assert_eq!(Unrest::after(Some(first), more, at(200)), None);
    let second = Unrest::after(Some(first), [at(TOGETHER), at(TOGETHER + 50)], at(200));
    assert_eq!(second.unwrap().deaths, 2);
    // Told again, as by the next operator.
    assert_eq!(
        Unrest::after(second, more.into_iter().chain([at(TOGETHER)]), at(300)),
        None
    );
}

#[test]
fn what_is_long_past_and_what_is_yet_to_come_adds_nothing_odd() {
    assert_eq!(Unrest::after(None, [at(-HISTORY)], at(0)), None);
    assert_eq!(Unrest::after(None, [], at(0)), None);
    let ahead = Unrest::after(None, [at(500)], at(0)).unwrap();
    assert_eq!(ahead.last, at(0), "a clock that is ahead");
    let rested = Unrest::after(
        Some(died(&[0, 600])),
        [at(5 * HALF_LIFE)],
        at(5 * HALF_LIFE),
    );
    assert_eq!(rested.unwrap().deaths, 1);
}

#[test]
fn a_record_that_cannot_be_read_is_none() {
    for text in [
        "",
        "deaths=1",
        "deaths=1 penalty=1000",
        "deaths=1 penalty=1000 last=soon",
        "deaths=1 penalty=-4 last=1700000000",
        "penalty=1000 deaths=1 last=1700000000",
        "deaths=1 penalty=1000 last=1700000000 more",
    ] {
        assert_eq!(text.parse::<Unrest>(), Err(NoRecord), "{text}");
    }
}

proptest! {
    #[test]
    fn a_record_reads_as_it_was_written(times in prop::collection::vec(0..100_000i64, 1..20)) {
        let mut times = times;
        times.sort_unstable();
        let unrest = died(&times);
        prop_assert_eq!(unrest.to_string().parse(), Ok(unrest));
    }

    #[test]
    fn a_penalty_only_falls_and_is_at_the_threshold_when_the_node_is_forgiven(
        penalty in SUPPRESS..=CEILING,
        seconds in 0..20_000i64,
    ) {
        let unrest = Unrest { deaths: 2, penalty, last: at(0) };
        prop_assert!(unrest.penalty(at(seconds + 1)) <= unrest.penalty(at(seconds)));
        let until = unrest.until().unwrap();
        prop_assert!(unrest.penalty(until) <= REUSE);
        prop_assert!(unrest.penalty(until.plus_seconds(-2)) >= REUSE, "{}", unrest.penalty(until.plus_seconds(-2)));
    }
}
