use super::*;
use crate::ipam::pool::Ownership;

const MS: Duration = Duration::from_millis(1);
const START: Now = Duration::from_secs(7);

const A: PeerId = PeerId(1);
const B: PeerId = PeerId(2);
const C: PeerId = PeerId(3);

fn ip() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn post(plan: u32, chain: [PeerId; 3]) -> Post {
    Post {
        address: ip(),
        plan,
        planned: chain[0],
        heirs: chain[1..].to_vec(),
        ownership: Ownership::Available,
    }
}

fn node(own: PeerId) -> Succession {
    let mut node = Succession::new(own);
    assert_eq!(node.set_posts([post(1, [A, B, C])]), Output::default());
    node
}

fn holding(own: PeerId) -> Succession {
    let mut node = node(own);
    node.set_held(BTreeSet::from([ip()]), BTreeSet::new());
    node
}

fn term(plan: u32, takeovers: u32) -> Term {
    Term { plan, takeovers }
}

fn claim(holder: PeerId, term: Term) -> Claim {
    Claim {
        address: ip(),
        holder,
        term,
    }
}

fn deed(node: &Succession) -> Option<Deed> {
    node.deeds().next().map(|(_, deed)| deed)
}

/// B after it took the address over from A.
fn successor() -> Succession {
    let mut b = holding(B);
    b.gone(A, START);
    b
}

#[test]
fn a_node_whose_kernel_answers_again_is_told_what_was_taken_over_from_it() {
    let judgement = |verdict, reason| Judgement {
        verdict,
        reason,
        since: START,
    };
    let dead = judgement(Verdict::Dead, Reason::SilentToAll);
    let silent = judgement(Verdict::AgentSilent, Reason::KernelAnswers);
    let mut b = successor();
    let has = (A, Word::Has(claim(B, term(1, 1))));
    assert_eq!(b.judged(A, &dead, &silent, START).tell, [has]);
    assert!(b.is_gone(A), "it may be without an agent");
    let told = (1..10).filter(|time| !b.tell(START + *time * TELL_GAP).tell.is_empty());
    assert!(told.count() >= 4, "a word may get lost");
    // An agent that has just ended was there when anything happened.
    let suspected = judgement(Verdict::Suspected, Reason::BeatsMissing);
    let output = successor().judged(A, &suspected, &silent, START);
    assert_eq!(output, Output::default());
}

#[test]
fn in_peace_the_planned_node_has_it() {
    assert_eq!(deed(&node(A)), Some(Deed::Planned));
    assert_eq!(deed(&node(B)), None);
    assert_eq!(node(C).holder(ip()), Some(A));
}

#[test]
fn the_first_heir_that_is_there_takes_over_and_nobody_else() {
    let (mut b, mut c) = (node(B), node(C));
    let news = b.gone(A, START).news;
    assert_eq!(
        news,
        [News::TakesOver {
            address: ip(),
            from: A,
            term: term(1, 1)
        }]
    );
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
    let output = c.gone(A, START);
    assert_eq!(
        (output.tell, output.news),
        (vec![(B, Word::Gone(A))], vec![])
    );
    assert_eq!(deed(&c), None);
    // Then the heir goes, too.
    c.gone(B, START);
    assert_eq!(deed(&c), Some(Deed::TookOver { from: A }));
    // Told twice is told once.
    assert_eq!(c.gone(B, START), Output::default());
}

#[test]
fn a_fenced_address_falls_to_an_heir_as_any_other_and_its_lease_lets_it_answer() {
    let mut b = Succession::new(B);
    b.set_posts([Post {
        ownership: Ownership::Fenced,
        ..post(1, [A, B, C])
    }]);
    b.gone(A, START);
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
    // It never got the Lease, as A goes on to renew it.
    b.back(A, START);
    assert_eq!(deed(&b), None);
}

#[test]
fn who_took_over_keeps_it_and_tells_the_one_that_comes_back() {
    let mut b = successor();
    let output = b.back(A, START);
    assert_eq!(output.tell, [(A, Word::Has(claim(B, term(1, 1))))]);
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
    // It is told a few times, and then no more.
    let mut told = 1;
    let mut now = START;
    while let Some(next) = b.deadline() {
        assert!(next > now && next <= now + TELL_GAP);
        now = next;
        told += b.tell(now).tell.len();
        assert_eq!(b.tell(now), Output::default());
    }
    assert_eq!(told, TELLS as usize);
    let mut a = holding(A);
    let output = a.receive(claim(B, term(1, 1)));
    assert_eq!(
        output.news,
        [News::Yields {
            address: ip(),
            to: B,
            both_held: true
        }]
    );
    assert_eq!((deed(&a), a.holder(ip())), (None, Some(B)));
    // The other one hears that both had it.
    let had = claim(A, term(1, 0));
    assert_eq!(output.tell, [(B, Word::Has(had))]);
    let news = b.receive(had).news;
    assert!(matches!(news[..], [News::Prevails { over: A, .. }]));
    // The same once more is nothing new.
    assert_eq!(a.receive(claim(B, term(1, 1))), Output::default());
}

#[test]
fn who_stood_still_tells_nobody_what_it_had() {
    let mut a = holding(A);
    a.gone(C, START);
    a.stood_still();
    assert_eq!(a.back(C, START).tell, []);
    assert_eq!(a.receive(claim(B, term(1, 1))).tell, []);
    assert_eq!(deed(&a), None);
}

#[test]
fn who_stood_still_as_well_is_told_what_was_taken_over_from_it() {
    let (mut a, mut b) = (holding(A), successor());
    let has = [(A, Word::Has(claim(B, term(1, 1))))];
    a.stood_still();
    b.stood_still();
    assert_eq!(b.back(A, START).tell, has);
    let news = News::Yields {
        address: ip(),
        to: B,
        both_held: false,
    };
    let output = a.receive(claim(B, term(1, 1)));
    assert_eq!((output.news, output.tell), (vec![news], vec![]));
    // It is told until it is held, and some times more.
    let mut now = START;
    let mut told = |b: &mut Succession, most: u32| {
        let times = (0..most).map_while(|_| {
            now = b.deadline()?;
            Some(b.tell(now).tell)
        });
        times.filter(|told| *told == has).count()
    };
    b.set_held(BTreeSet::new(), BTreeSet::from([ip()]));
    assert_eq!(told(&mut b, 3 * TELLS), 3 * TELLS as usize);
    b.set_held(BTreeSet::from([ip()]), BTreeSet::new());
    assert_eq!(told(&mut b, 3 * TELLS), TELLS as usize);
    // Who has not heard of it, and says what it had, is told once more. That is no news: neither answered.
    let mut b = successor();
    b.stood_still();
    let output = b.receive(claim(A, term(1, 0)));
    assert_eq!((output.news, &output.tell[..]), (vec![], &has[..]));
}

#[test]
fn who_yielded_takes_it_back_when_the_other_goes() {
    let mut a = holding(A);
    a.receive(claim(B, term(1, 1)));
    let news = a.gone(B, START).news;
    assert_eq!(
        news,
        [News::TakesOver {
            address: ip(),
            from: B,
            term: term(1, 2)
        }]
    );
    assert_eq!(deed(&a), Some(Deed::Planned));
}

#[test]
fn of_two_that_hold_it_the_later_prevails_and_of_equals_the_first_in_order() {
    let mut b = successor();
    b.back(A, START);
    let output = b.receive(claim(A, term(1, 0)));
    assert_eq!(output.tell, [(A, Word::Has(claim(B, term(1, 1))))]);
    assert_eq!(
        output.news,
        [News::Prevails {
            address: ip(),
            over: A
        }]
    );
    let output = b.receive(claim(C, term(1, 1)));
    assert!(matches!(output.news[..], [News::Prevails { over: C, .. }]));
    let mut c = holding(C);
    c.gone(A, START);
    c.gone(B, START);
    let output = c.receive(claim(B, term(1, 1)));
    assert!(matches!(output.news[..], [News::Yields { to: B, .. }]));
}

#[test]
fn what_was_never_held_is_given_up_when_the_node_is_back() {
    // Its agent alone was gone: its kernel went on answering.
    let mut b = node(B);
    b.gone(A, START);
    let output = b.back(A, START);
    assert_eq!(output, Output::default());
    assert_eq!(deed(&b), None);
}

#[test]
fn a_new_plan_ends_every_take_over() {
    let mut b = successor();
    b.set_posts([post(2, [B, A, C])]);
    assert_eq!(deed(&b), Some(Deed::Planned));
    assert_eq!(b.taken_over().count(), 0);
    let mut b = successor();
    b.back(A, START);
    b.set_posts([post(2, [A, B, C])]);
    assert_eq!(deed(&b), None);
    // While the planned node is still gone, it is taken over at once again.
    let mut b = successor();
    let news = b.set_posts([post(2, [A, B, C])]).news;
    assert!(
        matches!(news[..], [News::TakesOver { term, .. }] if term == Term { plan: 2, takeovers: 1 })
    );
}

#[test]
fn a_claim_under_a_plan_that_has_not_come_yet_counts() {
    let d = PeerId(4);
    let mut a = holding(A);
    assert_eq!(a.receive(claim(d, term(1, 5))), Output::default());
    let output = a.receive(claim(d, term(2, 0)));
    assert!(matches!(
        output.news[..],
        [News::Yields { to: PeerId(4), .. }]
    ));
    // The plan comes.
    a.set_posts([post(2, [d, A, B])]);
    assert_eq!(a.holder(ip()), Some(d));
}

#[test]
fn a_restarted_agent_goes_on_with_what_it_had_taken_over() {
    let written: Vec<Claim> = successor().taken_over().collect();
    let mut b = node(B);
    b.restore(written.clone());
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
    // What belongs to an older plan, or to another node, is of no use.
    let mut b = Succession::new(B);
    b.set_posts([post(2, [A, B, C])]);
    b.restore(written);
    assert_eq!(deed(&b), None);
    let mut c = node(C);
    c.restore([claim(B, term(1, 1))]);
    assert_eq!(deed(&c), None);
}

#[test]
fn what_a_process_that_is_gone_had_said_is_forgotten() {
    let mut a = holding(A);
    a.receive(claim(B, term(1, 1)));
    assert_eq!(a.yielded().collect::<Vec<_>>(), [ip()]);
    a.restarted(B);
    assert_eq!(deed(&a), Some(Deed::Planned));
    let mut a = holding(A);
    a.receive(claim(B, term(1, 1)));
    a.unanswered(ip());
    assert_eq!((deed(&a), a.yielded().count()), (Some(Deed::Planned), 0));
    // What this node itself took over has nothing to do with either.
    let mut b = successor();
    b.restarted(C);
    b.unanswered(ip());
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
}

#[test]
fn heirs_are_told_of_a_death_for_as_long_as_it_lasts_and_believe_it_no_longer() {
    let (mut b, mut c) = (node(B), node(C));
    let told = c.gone(A, START).tell;
    assert_eq!(told, [(B, Word::Gone(A))]);
    let news = b.told_gone(A, START).news;
    assert!(matches!(news[..], [News::TakesOver { from: A, .. }]));
    assert_eq!(b.told_gone(A, START + GONE_GAP), Output::default());
    let again = START + GONE_GAP;
    assert_eq!(c.deadline(), Some(again));
    assert_eq!(c.tell(again).tell, [(B, Word::Gone(A))]);
    // It held it, and keeps it when nobody says any more that the other one is gone.
    b.set_held(BTreeSet::from([ip()]), BTreeSet::new());
    assert_eq!(b.deadline(), Some(again + GONE_LASTS));
    let output = b.tell(again + GONE_LASTS);
    assert!(
        output
            .tell
            .iter()
            .all(|word| *word == (A, Word::Has(claim(B, term(1, 1)))))
    );
    assert_eq!(deed(&b), Some(Deed::TookOver { from: A }));
    // Its own judgement goes before what it is told.
    let mut b = node(B);
    b.gone(A, START);
    b.told_gone(A, START);
    assert_eq!(b.deadline(), Some(START + GONE_GAP));
}

#[test]
fn claims_about_nothing_are_nothing() {
    let mut a = Succession::new(A);
    assert_eq!(a.receive(claim(B, term(1, 1))), Output::default());
    let mut a = holding(A);
    assert_eq!(a.receive(claim(A, term(9, 9))), Output::default());
    assert_eq!(deed(&a), Some(Deed::Planned));
    assert_eq!(a.tell(START + 5 * MS), Output::default());
}
