use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::liveness::Now;

const START: Now = Duration::from_secs(1_000);
const MOMENT: Duration = Duration::from_millis(10);

fn ip() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

fn seen(version: &str, holder: Option<&str>) -> Option<Seen> {
    Some(Seen {
        version: version.to_owned(),
        record: Record {
            holder: holder.map(str::to_owned),
            duration: DURATION,
            transitions: 3,
        },
    })
}

/// A node that wants the address, and has asked how its Lease is.
fn wanting() -> (Fencing, Request) {
    let mut fencing = Fencing::new("a");
    fencing.want(&BTreeSet::from([ip()]), START);
    let request = only(fencing.tick(START));
    assert_eq!(request.call, Call::Look);
    (fencing, request)
}

fn only(requests: Vec<Request>) -> Request {
    let [request] = requests.try_into().expect("one request");
    request
}

/// What is written: the version that it has to be in, and the holder.
fn written(request: &Request) -> (Option<&str>, Option<&str>) {
    match &request.call {
        Call::Write {
            version, record, ..
        } => (version.as_deref(), record.holder.as_deref()),
        Call::Look => panic!("a look"),
    }
}

/// A node that has taken the Lease of a moment ago.
fn holding() -> Fencing {
    let (mut fencing, look) = wanting();
    fencing.answered(ip(), look.ticket, Answer::Is(seen("1", None)), START);
    let take = only(fencing.tick(START));
    assert_eq!(written(&take), (Some("1"), Some("a")));
    fencing.answered(
        ip(),
        take.ticket,
        Answer::Is(seen("2", Some("a"))),
        START + MOMENT,
    );
    fencing
}

fn until(fencing: &Fencing) -> Option<Now> {
    fencing.permits(START).until.get(&ip()).copied()
}

#[test]
fn a_free_lease_is_taken_at_once_and_counts_from_when_it_was_asked_for() {
    let fencing = holding();
    assert_eq!(until(&fencing), Some(START + HOLD));
    assert_eq!(fencing.next(), Some(START + RENEW));
    assert_eq!(fencing.standing(ip(), START + MOMENT), Some(Standing::Held));
}

#[test]
fn a_renewal_whose_answer_is_lost_does_not_count_although_it_took_effect() {
    let mut fencing = holding();
    let sent = START + RENEW;
    let renewal = only(fencing.tick(sent));
    assert_eq!(written(&renewal), (Some("2"), Some("a")));
    assert_eq!(fencing.next(), Some(sent + PATIENCE));
    assert_eq!(fencing.tick(sent + PATIENCE), []);
    // Too late.
    let late = Answer::Is(seen("3", Some("a")));
    fencing.answered(ip(), renewal.ticket, late, sent + PATIENCE + MOMENT);
    assert_eq!(until(&fencing), Some(START + HOLD));
    // Tried in the same version, refused, looked at, renewed in the new one.
    let again = fencing.next().expect("another attempt");
    let renewal = only(fencing.tick(again));
    assert_eq!(written(&renewal), (Some("2"), Some("a")));
    fencing.answered(ip(), renewal.ticket, Answer::Conflict, again);
    let look = only(fencing.tick(again));
    assert_eq!(look.call, Call::Look);
    fencing.answered(ip(), look.ticket, Answer::Is(seen("3", Some("a"))), again);
    assert_eq!(until(&fencing), Some(START + HOLD));
    let renewal = only(fencing.tick(again));
    assert_eq!(written(&renewal), (Some("3"), Some("a")));
    let done = Answer::Is(seen("4", Some("a")));
    fencing.answered(ip(), renewal.ticket, done, again + MOMENT);
    assert_eq!(until(&fencing), Some(again + HOLD));
}

#[test]
fn another_holder_is_waited_for_since_its_renewal_was_first_seen() {
    let (mut fencing, look) = wanting();
    let other = |version| Answer::Is(seen(version, Some("b")));
    fencing.answered(ip(), look.ticket, other("7"), START);
    let mut renewed = None;
    let (now, taken) = loop {
        let now = fencing.next().expect("something to do");
        let requests = fencing.tick(now);
        let Some(request) = requests.into_iter().next() else {
            continue;
        };
        if request.call != Call::Look {
            break (now, request);
        }
        let version = if now < START + DURATION / 2 { "7" } else { "8" };
        if version == "8" {
            renewed.get_or_insert(now);
        }
        fencing.answered(ip(), request.ticket, other(version), now);
        let holder = "b".to_owned();
        let standing = fencing.standing(ip(), now);
        assert_eq!(standing, Some(Standing::HeldBy { holder }));
    };
    assert_eq!(Some(now), renewed.map(|renewed| renewed + DURATION));
    assert_eq!(written(&taken), (Some("8"), Some("a")));
    assert_eq!(until(&fencing), None);
}

#[test]
fn a_lease_is_released_once_whoever_answers_has_said_that_it_does_not() {
    let mut fencing = holding();
    let held = fencing.permits(START).turn;
    fencing.want(&BTreeSet::new(), START + MOMENT);
    let permits = fencing.permits(START);
    assert!(permits.until.is_empty() && permits.turn > held);
    assert_eq!(fencing.tick(START + MOMENT), []);
    // It has not heard of it yet.
    fencing.heeded(held, &BTreeSet::new());
    assert_eq!(fencing.tick(START + MOMENT), []);
    fencing.heeded(permits.turn, &BTreeSet::from([ip()]));
    assert_eq!(fencing.tick(START + MOMENT), []);
    fencing.heeded(permits.turn, &BTreeSet::new());
    let release = only(fencing.tick(START + 2 * MOMENT));
    assert_eq!(written(&release), (Some("2"), None));
    // Wanted again meanwhile, it may not be answered for by the former renewal.
    fencing.want(&BTreeSet::from([ip()]), START + 2 * MOMENT);
    assert_eq!(until(&fencing), None);
    fencing.want(&BTreeSet::new(), START + 3 * MOMENT);
    fencing.answered(
        ip(),
        release.ticket,
        Answer::Is(seen("3", None)),
        START + 3 * MOMENT,
    );
    assert_eq!(fencing.next(), None);
}

#[test]
fn who_sees_that_another_node_holds_it_may_not_answer_any_more() {
    let mut fencing = holding();
    let renewal = only(fencing.tick(START + RENEW));
    fencing.answered(ip(), renewal.ticket, Answer::Conflict, START + RENEW);
    assert_eq!(until(&fencing), Some(START + HOLD));
    let look = only(fencing.tick(START + RENEW));
    let other = Answer::Is(seen("9", Some("b")));
    fencing.answered(ip(), look.ticket, other, START + RENEW);
    assert_eq!(until(&fencing), None);
}

#[test]
fn where_there_is_none_one_is_made_that_nobody_holds_yet() {
    let (mut fencing, look) = wanting();
    fencing.answered(ip(), look.ticket, Answer::Is(None), START);
    let make = only(fencing.tick(START));
    assert_eq!(written(&make), (None, Some(UNKNOWN)));
    let made = Answer::Is(seen("1", Some(UNKNOWN)));
    fencing.answered(ip(), make.ticket, made, START);
    assert_eq!(fencing.tick(START), []);
    assert_eq!(fencing.standing(ip(), START), Some(Standing::Absent));
    assert_eq!(until(&fencing), None);
}

#[test]
fn trouble_is_told_and_calls_become_rare_while_nothing_is_held() {
    let (mut fencing, mut request) = wanting();
    let (mut now, mut calls) = (START, 0);
    while now < START + Duration::from_secs(60) {
        fencing.answered(
            ip(),
            request.ticket,
            Answer::Lost("forbidden".to_owned()),
            now,
        );
        now = fencing.next().expect("another attempt");
        request = only(fencing.tick(now));
        calls += 1;
    }
    assert!((50..70).contains(&calls), "{calls}");
    let why = "forbidden".to_owned();
    assert_eq!(
        fencing.standing(ip(), now),
        Some(Standing::Unanswered { why })
    );
}
