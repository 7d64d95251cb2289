use super::*;
use crate::liveness::{Reason, Verdict};

const MS: Duration = Duration::from_millis(1);
const START: Now = Duration::from_secs(100);

const A: PeerId = PeerId(10);
const B: PeerId = PeerId(20);
const C: PeerId = PeerId(30);

fn machine(own: PeerId, seed: u64) -> Liveness {
    let mut machine = Liveness::new(own, seed, START);
    machine.set_members([A, B, C], START);
    machine
}

/// Machines that know each other; of the three nodes, the others are silent.
fn company<const N: usize>(ids: [PeerId; N]) -> [Liveness; N] {
    let mut machines = ids.map(|id| machine(id, id.0));
    let mut now = START;
    for _ in 0..3 {
        let mut mail: Vec<Message> = machines
            .iter_mut()
            .flat_map(|it| it.tick(now).send)
            .collect();
        for _ in 0..4 {
            let to = |message: &Message| ids.iter().position(|id| *id == message.header.to);
            let mail_now = std::mem::take(&mut mail).into_iter();
            let arriving = mail_now.filter_map(|message| Some((to(&message)?, message)));
            for (at, message) in arriving {
                mail.extend(machines[at].receive(&message, now).0.send);
            }
        }
        now += PERIOD;
    }
    for (own, machine) in ids.iter().zip(&machines) {
        for other in ids.iter().filter(|id| *id != own) {
            assert_eq!(machine.judgement(*other).unwrap().verdict, Verdict::Alive);
        }
    }
    machines
}

/// The third node is silent.
fn pair() -> (Liveness, Liveness) {
    company([A, B]).into()
}

fn refusal(machine: &mut Liveness, message: &Message) -> Result<(), Refusal> {
    machine.receive(message, START + 250 * MS).1
}

#[test]
fn what_is_not_for_this_node_or_from_no_node_of_the_cluster_is_refused() {
    let (mut a, mut b) = pair();
    let message = b.message(A, Body::Beat);
    let with = |change: &dyn Fn(&mut Header)| {
        let mut message = message;
        change(&mut message.header);
        message
    };
    let to_c = with(&|header| header.to = C);
    assert_eq!(refusal(&mut a, &to_c), Err(Refusal::NotForMe));
    let from_a = with(&|header| header.from = A);
    assert_eq!(refusal(&mut a, &from_a), Err(Refusal::FromMyself));
    let from_nobody = with(&|header| header.from = PeerId(99));
    assert_eq!(refusal(&mut a, &from_nobody), Err(Refusal::NotAMember));
    let of_another_process = with(&|header| header.session ^= 1);
    let of_another_process = Message {
        header: Header {
            echo: 1,
            ..of_another_process.header
        },
        ..message
    };
    assert_eq!(refusal(&mut a, &of_another_process), Err(Refusal::Stranger));
    assert_eq!(refusal(&mut a, &message), Ok(()));
    assert_eq!(refusal(&mut a, &message), Err(Refusal::Repeated));
}

#[test]
fn strangers_are_greeted_and_no_more_often_than_needed() {
    let mut a = machine(A, 1);
    let mut sent = 0;
    for at in 0..200 {
        // Another process each time: the worst that somebody with recordings can do.
        let mut stranger = machine(B, 1000 + at);
        let message = stranger.message(A, Body::Beat);
        let (output, result) = a.receive(&message, START + at as u32 * MS);
        assert_eq!(result, Err(Refusal::Stranger));
        let judged = |news: &News| matches!(news, News::Judged { .. });
        assert!(!output.news.iter().any(judged));
        sent += output.send.len();
    }
    assert_eq!(sent, 4);
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Unknown);
}

#[test]
fn who_is_asked_says_how_long_ago_it_heard_the_node_or_that_it_never_did() {
    let (mut a, mut b) = pair();
    let now = START + 260 * MS;
    for (subject, heard) in [(A, Some(60 * MS)), (C, None), (PeerId(99), None)] {
        let ask = a.message(B, Body::Ask { subject });
        let (output, result) = b.receive(&ask, now);
        assert_eq!(result, Ok(()));
        let told: Vec<Body> = output.send.iter().map(|message| message.body).collect();
        // By asking, the first node has just been heard.
        let heard = heard.map(|_| Duration::ZERO);
        assert_eq!(told, [Body::Tell { subject, heard }]);
    }
}

#[test]
fn a_node_that_was_never_heard_gets_two_seconds_and_then_has_to_answer_on_the_wire() {
    let mut a = machine(A, 1);
    let mut now = START;
    let mut probes = 0;
    let dead = loop {
        now += 5 * MS;
        let output = a.tick(now);
        probes += output.probe.len();
        let judged = output.news.iter().find_map(|news| match news {
            News::Judged { judgement, .. } if judgement.is_dead() => Some(*judgement),
            _ => None,
        });
        if let Some(judgement) = judged {
            break judgement;
        }
        assert!(now < START + 3000 * MS, "{:?}", a.judgement(B));
    };
    assert!(now >= START + 2000 * MS, "{:?}", now - START);
    assert_eq!(dead.reason, Reason::NobodyIsHeard);
    assert!(probes >= 8, "{probes}");
    // It was only without an agent.
    let output = a.answered(B, now + MS);
    assert!(matches!(
        output.news[..],
        [News::Judged { peer: B, judgement, .. }] if judgement.verdict == Verdict::AgentSilent
    ));
}

#[test]
fn an_agent_that_is_not_heard_is_knocked_at_and_that_there_is_none_counts_until_it_is_heard() {
    let (mut a, mut b) = pair();
    let mut now = START + 200 * MS;
    let knocks = |output: &Output| {
        let mut sent = output.send.iter();
        sent.any(|message| message.header.to == B && message.body == Body::Greeting)
    };
    while !knocks(&a.tick(now)) {
        now += 5 * MS;
        assert!(now < START + 1000 * MS, "{:?}", a.judgement(B));
    }
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Suspected);
    assert!(!a.is_refused(B));
    a.refused(B);
    a.refused(PeerId(99));
    assert!(a.is_refused(B) && !a.is_refused(PeerId(99)));
    let beat = b.message(A, Body::Beat);
    assert_eq!(a.receive(&beat, now).1, Ok(()));
    assert!(!a.is_refused(B));
}

#[test]
fn an_agent_whose_kernel_answers_again_gets_a_moment_to_say_something_unless_it_has_ended() {
    for ended in [false, true] {
        let (mut a, _) = pair();
        let mut now = START + 200 * MS;
        while a.tick(now).probe.is_empty() {
            now += 5 * MS;
            assert!(now < START + 1000 * MS, "{:?}", a.judgement(B));
        }
        let answered = now;
        if ended {
            a.refused(B);
        }
        a.answered(B, now);
        assert_eq!(a.judgement(B).unwrap().reason, Reason::KernelAnswers);
        while a.judgement(B).unwrap().verdict == Verdict::Suspected {
            now += 5 * MS;
            a.tick(now);
        }
        assert_eq!(a.judgement(B).unwrap().verdict, Verdict::AgentSilent);
        let took = now - answered;
        let moment = if ended { 0 } else { 40 };
        assert!(
            (moment * MS..=(moment + 30) * MS).contains(&took),
            "{took:?}"
        );
    }
}

#[test]
fn who_is_told_that_a_node_is_gone_finds_out_at_once() {
    let heard = START + 2 * PERIOD;
    let [mut a, mut b, mut c] = company([A, B, C]);
    let mut accuse = |a: &mut Liveness, after: Duration| {
        let gone = c.message(A, Body::Gone { subject: B });
        a.receive(&gone, heard + after).0
    };
    assert_eq!(accuse(&mut a, PERIOD - MS).probe, [], "it was just heard");
    let mut now = heard + PERIOD + 20 * MS;
    assert_eq!(a.tick(now).probe, [], "it may be late");
    assert_eq!(accuse(&mut a, PERIOD + 20 * MS).probe, [B]);
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Suspected);
    let mut found_out = a.clone();
    let begin = now;
    while !found_out.judgement(B).unwrap().is_dead() {
        now += 5 * MS;
        found_out.tick(now);
        assert!(now < begin + 100 * MS, "{:?}", found_out.judgement(B));
    }
    assert!(now > begin + 60 * MS, "it had time to answer");
    // One that lives has only to say something.
    let beat = b.message(A, Body::Beat);
    a.receive(&beat, begin + 30 * MS).1.unwrap();
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Alive);
}

#[test]
fn who_does_not_watch_a_node_accuses_nobody() {
    let [mut a, mut b] = company([A, B]);
    let stranger = PeerId(99);
    for subject in [A, stranger] {
        let gone = b.message(A, Body::Gone { subject });
        let (output, result) = a.receive(&gone, START + 320 * MS);
        assert_eq!((output.probe, result), (vec![], Ok(())));
    }
    // Its own word about itself is none.
    let gone = b.message(A, Body::Gone { subject: B });
    a.receive(&gone, START + 320 * MS).1.unwrap();
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Alive);
}

#[test]
fn a_dead_node_that_is_heard_is_asked_for_so_that_what_is_sent_to_it_gets_there() {
    let (mut a, mut b) = pair();
    let mut now = START + 200 * MS;
    while !a.judgement(B).unwrap().is_dead() {
        now += 5 * MS;
        a.tick(now);
    }
    let beat = b.message(A, Body::Beat);
    let (output, _) = a.receive(&beat, now);
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Alive);
    assert_eq!(output.probe, [B]);
    let beat = b.message(A, Body::Beat);
    assert_eq!(a.receive(&beat, now + MS).0.probe, []);
}

/// Whether a node is judged dead, or others hear of it.
fn accuses(output: &Output) -> bool {
    let gone = |news: &News| matches!(news, News::Judged { judgement, .. } if judgement.verdict > Verdict::Alive);
    output.news.iter().any(gone) || !output.probe.is_empty()
}

#[test]
fn who_stood_still_judges_nobody_until_a_word_comes_of_who_has_heard_it_since() {
    let [mut a, mut b, _] = company([A, B, C]);
    let old: Vec<Message> = (0..5).map(|_| b.message(A, Body::Beat)).collect();
    let mut now = START + 5_000 * MS;
    a.tick(now);
    let asked = a.question_hearing(now).send;
    let ask = |to| (to, Body::Ask { subject: A });
    let asks = |sent: &[Message]| -> Vec<_> {
        let sent = sent.iter().filter(|message| message.body != Body::Beat);
        sent.map(|message| (message.header.to, message.body))
            .collect()
    };
    assert_eq!(asks(&asked), [ask(B), ask(C)]);
    // What came while it stood still tells nothing.
    for old in old {
        now += 100 * MS;
        let (output, result) = a.receive(&old, now);
        assert_eq!((result, a.is_deaf()), (Ok(()), true));
        assert!(!accuses(&output));
        let output = a.tick(now);
        assert!(!accuses(&output), "{output:?}");
        assert_eq!(asks(&output.send), [ask(B), ask(C)]);
    }
    let to_b = asked.iter().find(|message| message.header.to == B).unwrap();
    let (output, _) = b.receive(to_b, now);
    let told = output.send.iter().find(|message| message.header.to == A);
    let (output, _) = a.receive(told.unwrap(), now);
    let after = 500 * MS;
    let hears = News::Hears {
        anybody: true,
        after,
    };
    assert!(output.news.contains(&hears), "{output:?}");
    assert!(!a.is_deaf());
    // The third one has time to say something.
    let heard = now;
    while !accuses(&a.tick(now)) {
        now = a.next();
        assert!(now < heard + 400 * MS);
    }
    assert!(now > heard + 100 * MS);
}

#[test]
fn who_hears_nobody_for_three_seconds_is_cut_off_and_who_has_nobody_waits_for_nobody() {
    let (mut a, _) = pair();
    let begin = START + 2_000 * MS;
    let mut now = begin;
    a.tick(now);
    a.question_hearing(now);
    let output = loop {
        now = a.next();
        let output = a.tick(now);
        if !a.is_deaf() {
            break output;
        }
        assert!(!accuses(&output));
    };
    let after = now - begin;
    assert_eq!(after, 3_000 * MS);
    let hears = News::Hears {
        anybody: false,
        after,
    };
    assert!(output.news.contains(&hears), "{output:?}");
    while !a.judgement(B).unwrap().is_dead() {
        now = a.next();
        a.tick(now);
        assert!(now < begin + 4_000 * MS);
    }
    assert_eq!(a.question_hearing(now), Output::default());
    assert!(!a.is_deaf(), "the other one was dead before");
    let mut alone = machine(A, 1);
    assert_eq!(alone.question_hearing(START), Output::default());
    assert!(!alone.is_deaf());
}

#[test]
fn members_that_stay_keep_what_is_known_of_them() {
    let (mut a, _) = pair();
    let now = START + 250 * MS;
    a.set_members([A, B, C, PeerId(40)], now);
    assert_eq!(a.judgement(B).unwrap().verdict, Verdict::Alive);
    assert_eq!(a.judgement(PeerId(40)).unwrap().reason, Reason::NotHeardYet);
    a.set_members([A, C], now);
    assert_eq!(a.judgement(B), None);
}

#[test]
fn a_node_alone_has_nothing_to_say() {
    let mut a = Liveness::new(A, 1, START);
    a.set_members([A], START);
    let output = a.tick(START);
    assert_eq!(output, Output::default());
    assert_eq!(a.next(), START + PERIOD);
}
