use super::*;
use crate::peer::Term;

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);
const C: PeerId = PeerId(3);
const START: Now = Duration::from_secs(1_000);

fn ip() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

fn claim(holder: PeerId, plan: u32) -> Claim {
    Claim {
        address: ip(),
        holder,
        term: Term { plan, takeovers: 0 },
    }
}

/// Plan 2: from A to B.
fn moved() -> Replanned {
    Replanned {
        former: claim(A, 1),
        plan: 2,
        to: B,
    }
}

/// A, which has it, and heard of the plan.
fn giver() -> Handover {
    let mut giver = Handover::default();
    giver.set_held(BTreeSet::from([ip()]));
    giver.replan(&moved(), A, |_| true, START);
    giver
}

fn taker() -> Handover {
    let mut taker = Handover::default();
    taker.replan(&moved(), B, |_| true, START);
    taker
}

fn says(step: Step) -> Body {
    word(ip(), 2, step)
}

#[test]
fn one_goes_on_until_the_other_is_ready_which_then_answers() {
    let (mut giver, mut taker) = (giver(), taker());
    assert_eq!(giver.tick(START).say, [(B, says(Step::Offer))]);
    assert_eq!(taker.tick(START).say, [(A, says(Step::Wait))]);
    assert_eq!(giver.claim(ip()), Some(claim(A, 1)));
    assert_eq!(taker.passage(ip()), Some(Passage::Awaited));

    taker.set_ready(BTreeSet::from([ip()]), START);
    assert_eq!(taker.tick(START).say, [(A, says(Step::Accept))]);
    let told = giver.receive(B, (ip(), 2, Step::Accept), None, START);
    assert!(matches!(told.news[..], [News::LetsGo { ready: true, .. }]));
    assert_eq!(giver.claim(ip()), None);
    assert_eq!(giver.tick(START).say, [], "it still answers");
    giver.set_held(BTreeSet::new());
    assert_eq!(giver.tick(START).say, [(B, says(Step::Release))]);

    taker.receive(A, (ip(), 2, Step::Release), Some(claim(B, 2)), START);
    assert_eq!(taker.passage(ip()), Some(Passage::Released));
    taker.set_held(BTreeSet::from([ip()]));
    assert_eq!(taker.passage(ip()), None);
    assert_eq!(taker.next(), None);

    // The last word was lost.
    let again = giver.receive(B, (ip(), 2, Step::Accept), None, START);
    assert_eq!(again.say, [(B, says(Step::Release))]);
    giver.tick(START + REMEMBER);
    assert_eq!(giver.next(), None);
}

#[test]
fn what_was_to_come_before_a_pause_is_asked_for_as_anything_else() {
    for released in [false, true] {
        let mut taker = taker();
        let release = (ip(), 2, Step::Release);
        if released {
            taker.receive(A, release, Some(claim(B, 2)), START);
        }
        taker.stood_still();
        assert_eq!(taker.passage(ip()), None);
        let told = taker.receive(A, release, Some(claim(B, 2)), START);
        assert_eq!((told, taker.passage(ip())), (Output::default(), None));
        // That one lives, has not let go, and begins anew.
        taker.receive(A, (ip(), 2, Step::Offer), Some(claim(B, 2)), START);
        assert_eq!(taker.passage(ip()), Some(Passage::Awaited));
    }
}

#[test]
fn words_of_others_and_about_other_plans_change_nothing() {
    let mut giver = giver();
    for (from, plan) in [(C, 2), (A, 2), (B, 1), (B, 3)] {
        let told = giver.receive(from, (ip(), plan, Step::Accept), None, START);
        assert_eq!(told, Output::default());
        assert_eq!(giver.claim(ip()), Some(claim(A, 1)));
    }
    let mut taker = taker();
    for (from, plan) in [(C, 2), (B, 2), (A, 1), (A, 3)] {
        taker.receive(from, (ip(), plan, Step::Release), Some(claim(B, 2)), START);
        assert_eq!(taker.passage(ip()), Some(Passage::Awaited));
    }
    let mut stranger = Handover::default();
    for mine in [None, Some(claim(C, 1)), Some(claim(C, 3))] {
        for step in [Step::Offer, Step::Wait, Step::Accept, Step::Release] {
            let told = stranger.receive(A, (ip(), 2, step), mine, START);
            assert_eq!(told, Output::default());
            assert_eq!(stranger.next(), None);
        }
    }
}

#[test]
fn whoever_answers_already_says_so_to_the_one_that_goes_on() {
    let (mut giver, mut taker) = (giver(), taker());
    taker.set_held(BTreeSet::from([ip()]));
    let told = taker.receive(A, (ip(), 2, Step::Offer), Some(claim(B, 2)), START);
    let term = claim(B, 2).term;
    let address = ip();
    assert_eq!(told.say, [(A, Body::Claim { address, term })]);
    giver.claimed(&claim(B, 1));
    assert_eq!(giver.claim(ip()), Some(claim(A, 1)));
    giver.claimed(&claim(B, 2));
    assert_eq!(giver.claim(ip()), None);
}

#[test]
fn nobody_waits_for_ever() {
    let (mut unheard, mut taker) = (giver(), taker());
    let told = unheard.tick(START + UNHEARD);
    assert!(matches!(told.news[..], [News::LetsGo { ready: false, .. }]));
    let told = taker.tick(START + AWAIT);
    assert!(matches!(told.news[..], [News::Unheard { from: A, .. }]));
    assert_eq!(taker.passage(ip()), None);

    let mut giver = giver();
    let mut now = START;
    while now < START + PATIENCE {
        assert_eq!(giver.claim(ip()), Some(claim(A, 1)), "{now:?}");
        giver.receive(B, (ip(), 2, Step::Wait), None, now);
        now += GAP;
        giver.tick(now);
    }
    assert_eq!(giver.claim(ip()), None);
}

#[test]
fn what_is_given_to_a_node_that_goes_or_by_a_plan_that_is_over_is_not_given() {
    let mut gone = giver();
    gone.gone(C);
    assert!(gone.claim(ip()).is_some());
    gone.gone(B);
    assert_eq!(gone.claim(ip()), None);
    let mut over = giver();
    over.retain(|_| Some(2));
    assert!(over.claim(ip()).is_some());
    over.retain(|_| None);
    assert_eq!(over.claim(ip()), None);
    let mut dead = Handover::default();
    dead.replan(&moved(), B, |node| node != A, START);
    assert_eq!(dead.passage(ip()), None, "the wire is asked at once");
}

#[test]
fn a_plan_that_changes_meanwhile_is_for_the_next_one() {
    let mut giver = giver();
    let next = Replanned {
        former: claim(B, 2),
        plan: 3,
        to: C,
    };
    giver.replan(&next, A, |_| true, START);
    assert_eq!(giver.tick(START).say, [(C, word(ip(), 3, Step::Offer))]);
    let back = Replanned {
        former: claim(C, 3),
        plan: 4,
        to: A,
    };
    giver.replan(&back, A, |_| true, START);
    assert_eq!((giver.claim(ip()), giver.next()), (None, None));
}

#[test]
fn many_are_said_a_few_at_a_time() {
    let mut giver = Handover::default();
    let all: BTreeSet<IpAddr> = (0..200)
        .map(|number| IpAddr::from([10, 0, 0, number]))
        .collect();
    giver.set_held(all.clone());
    for address in all {
        let former = Claim {
            address,
            ..claim(A, 1)
        };
        let moved = Replanned { former, ..moved() };
        giver.replan(&moved, A, |_| true, START);
    }
    let mut said = BTreeSet::new();
    let mut now = START;
    while said.len() < 200 {
        let told = giver.tick(now);
        assert!(told.say.len() <= AT_ONCE);
        said.extend(told.say);
        assert!(now < START + GAP, "{}", said.len());
        now = giver.next().unwrap();
    }
}
