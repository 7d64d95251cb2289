use super::*;
use crate::peer::PeerId;

/// Two processes that talk, and everything they ever said.
struct Talk {
    one: Acquaintance,
    two: Acquaintance,
    tokens: Tokens,
}

fn talk() -> Talk {
    let mut tokens = Tokens::new(1);
    Talk {
        one: Acquaintance::new(tokens.next()),
        two: Acquaintance::new(tokens.next()),
        tokens,
    }
}

fn say(speaker: &mut Acquaintance, session: u64) -> Header {
    let (sequence, token, echo) = speaker.next();
    Header {
        from: PeerId(session),
        to: PeerId(0),
        session,
        sequence,
        token,
        echo,
    }
}

/// A greeting as it answers a stranger's message.
fn greet(speaker: &mut Acquaintance, session: u64, to: &Header) -> Header {
    Header {
        echo: to.token,
        ..say(speaker, session)
    }
}

const NEXT: Worth = Worth::New {
    skipped: 0,
    lost: 0,
};

impl Talk {
    /// They meet; says what the first one said until then.
    fn meet(&mut self) -> Vec<Header> {
        let first = say(&mut self.one, 1);
        assert_eq!(self.two.receive(&first, &mut self.tokens), Worth::Stranger);
        let greeting = greet(&mut self.two, 2, &first);
        assert_eq!(
            self.one.receive(&greeting, &mut self.tokens),
            Worth::Met { again: false }
        );
        let second = say(&mut self.one, 1);
        assert_eq!(
            self.two.receive(&second, &mut self.tokens),
            Worth::Met { again: false }
        );
        let third = say(&mut self.one, 1);
        assert_eq!(self.two.receive(&third, &mut self.tokens), NEXT);
        vec![first, second, third]
    }
}

#[test]
fn two_processes_meet_and_go_on() {
    let mut talk = talk();
    talk.meet();
    for _ in 0..100 {
        let said = say(&mut talk.one, 1);
        assert_eq!(talk.two.receive(&said, &mut talk.tokens), NEXT);
        let said = say(&mut talk.two, 2);
        assert_eq!(talk.one.receive(&said, &mut talk.tokens), NEXT);
    }
}

#[test]
fn what_was_said_before_is_repeated_at_any_time() {
    let mut talk = talk();
    let said = talk.meet();
    for header in &said {
        assert_eq!(talk.two.receive(header, &mut talk.tokens), Worth::Repeated);
    }
}

#[test]
fn what_an_earlier_process_said_does_not_bring_it_back() {
    let mut talk = talk();
    let mut said = talk.meet();
    // It said more, which never arrived, and which somebody has.
    said.extend((0..3).map(|_| say(&mut talk.one, 1)));
    // It restarts.
    talk.one = Acquaintance::new(talk.tokens.next());
    let first = say(&mut talk.one, 11);
    assert_eq!(talk.two.receive(&first, &mut talk.tokens), Worth::Stranger);
    let greeting = greet(&mut talk.two, 2, &first);
    talk.one.receive(&greeting, &mut talk.tokens);
    let second = say(&mut talk.one, 11);
    assert_eq!(
        talk.two.receive(&second, &mut talk.tokens),
        Worth::Met { again: true }
    );
    for header in &said {
        assert_eq!(talk.two.receive(header, &mut talk.tokens), Worth::Stranger);
    }
    let third = say(&mut talk.one, 11);
    assert_eq!(talk.two.receive(&third, &mut talk.tokens), NEXT);
}

#[test]
fn a_stranger_s_old_message_does_not_disturb_those_who_know_each_other() {
    let mut talk = talk();
    talk.meet();
    let mut old = say(&mut talk.one.clone(), 77);
    old.token = 12;
    assert_eq!(talk.two.receive(&old, &mut talk.tokens), Worth::Stranger);
    let said = say(&mut talk.two, 2);
    assert_eq!(talk.one.receive(&said, &mut talk.tokens), NEXT);
}

#[test]
fn who_forgot_is_met_again() {
    let mut talk = talk();
    talk.meet();
    // The second one restarts, and the first one learns of it by its greeting.
    talk.two = Acquaintance::new(talk.tokens.next());
    let said = say(&mut talk.one, 1);
    assert_eq!(talk.two.receive(&said, &mut talk.tokens), Worth::Stranger);
    let greeting = greet(&mut talk.two, 22, &said);
    assert_eq!(
        talk.one.receive(&greeting, &mut talk.tokens),
        Worth::Met { again: true }
    );
    let said = say(&mut talk.one, 1);
    assert_eq!(
        talk.two.receive(&said, &mut talk.tokens),
        Worth::Met { again: false }
    );
}

#[test]
fn what_is_lost_is_counted_once_and_what_is_overtaken_is_not_lost() {
    let mut talk = talk();
    talk.meet();
    let said: Vec<Header> = (0..8).map(|_| say(&mut talk.one, 1)).collect();
    let mut hear = |at: usize| talk.two.receive(&said[at], &mut talk.tokens);
    // The second comes before the first.
    assert_eq!(
        hear(1),
        Worth::New {
            skipped: 1,
            lost: 0
        }
    );
    assert_eq!(hear(0), NEXT);
    assert_eq!(hear(0), Worth::Repeated);
    assert_eq!(hear(2), NEXT);
    // Two are lost: one is known to be as soon as a later one comes, the other with the next.
    assert_eq!(
        hear(5),
        Worth::New {
            skipped: 2,
            lost: 1
        }
    );
    assert_eq!(
        hear(6),
        Worth::New {
            skipped: 0,
            lost: 1
        }
    );
    assert_eq!(hear(7), NEXT);
}

#[test]
fn tokens_do_not_come_again() {
    let mut tokens = Tokens::new(u64::MAX - 3);
    let drawn: std::collections::BTreeSet<u64> = (0..10_000).map(|_| tokens.next()).collect();
    assert_eq!(drawn.len(), 10_000);
    assert!(!drawn.contains(&0));
}

#[test]
fn after_a_renewal_what_is_on_the_way_is_good_and_only_an_answer_shows_that_it_was_heard() {
    let mut talk = talk();
    talk.meet();
    let on_the_way = say(&mut talk.two, 2);
    talk.one.renew(&mut talk.tokens);
    assert!(!talk.one.is_echoed_by(&on_the_way));
    assert_eq!(talk.one.receive(&on_the_way, &mut talk.tokens), NEXT);
    let question = say(&mut talk.one, 1);
    assert_eq!(talk.two.receive(&question, &mut talk.tokens), NEXT);
    let answer = say(&mut talk.two, 2);
    assert!(talk.one.is_echoed_by(&answer));
    assert_eq!(talk.one.receive(&answer, &mut talk.tokens), NEXT);
}
