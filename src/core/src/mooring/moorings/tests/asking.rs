//! How long the wire is asked before an address is answered for.

use super::*;

fn arriving(arrival: Arrival) -> Wanted {
    Wanted {
        arrival,
        ..wanted(ADDRESS)
    }
}

#[test]
fn what_is_taken_over_is_asked_for_in_haste() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.moorings.program(programmed(&[ADDRESS]));
    let taken_over = arriving(Arrival::TakenOver);
    bench.moorings.want([taken_over], bench.now);
    assert!(!held(&bench.run(Duration::from_millis(44))));
    assert_eq!(bench.words(), [Words::Ask; 3]);
    assert!(held(&bench.run(Duration::from_millis(1))));
}

#[test]
fn what_others_said_is_free_is_asked_for_in_haste_once_this_node_has_seen_that_itself() {
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    assert!(!held(&bench.run(Duration::from_millis(150))));
    let seen = arriving(Arrival::TakenOver);
    bench.moorings.want([seen], bench.now);
    assert!(!held(&bench.run(Duration::from_millis(44))));
    assert!(held(&bench.run(Duration::from_millis(1))));
}

#[test]
fn what_an_agent_that_ended_had_is_asked_for_again_soon_and_then_less_and_less_often() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.moorings.program(programmed(&[ADDRESS]));
    let gone = arriving(Arrival::AgentGone);
    // Until then this node was only late to hear of it.
    bench.want(&[ADDRESS]);
    bench.tick();
    bench.moorings.want([gone.clone()], bench.now);
    bench.tick();
    // The kernel of the other node answers for a moment.
    bench.hear(ADDRESS);
    bench.words();
    assert!(!held(&bench.run(Duration::from_millis(29))));
    assert_eq!(bench.words(), []);
    assert!(
        !held(&bench.run(Duration::from_millis(400))),
        "it may be late"
    );
    assert!(held(&bench.run(Duration::from_millis(1))));

    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.moorings.program(programmed(&[ADDRESS]));
    bench.moorings.want([gone], bench.now);
    let begin = bench.now;
    let mut asked = Vec::new();
    while bench.now < begin + Duration::from_secs(2) {
        assert!(!held(&bench.run(Duration::from_millis(1))));
        if bench.words().contains(&Words::Ask) {
            asked.push(bench.now);
            bench.hear(ADDRESS);
        }
    }
    assert!(asked.len() < 12, "{asked:?}");
}

#[test]
fn the_silence_of_a_node_that_answers_for_its_own_address_is_sure() {
    const FORMER: &str = "10.77.0.12";
    let ms = Duration::from_millis;
    let gone = Wanted {
        former: Some(address(FORMER)),
        ..arriving(Arrival::AgentGone)
    };
    let also = Wanted {
        address: address("10.77.0.201"),
        ..gone.clone()
    };
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench
        .moorings
        .program(programmed(&[ADDRESS, "10.77.0.201"]));
    bench.moorings.want([gone.clone(), also], bench.now);
    // It takes the question for its own address last, and is asked for it once.
    for _ in 0..3 {
        bench.tick();
        assert_eq!(bench.asked(), [ADDRESS, "10.77.0.201", FORMER]);
        assert!(bench.hear(FORMER), "it is waited for less long now");
        bench.now += ms(5);
        assert!(!bench.hear(FORMER), "once is enough");
        assert!(!held(&bench.tick()));
        assert_eq!(bench.asked(), [""; 0]);
        bench.now += ms(10);
    }
    assert_eq!(bench.tick().answer["eth0"].len(), 2);
    assert!(!bench.hear(FORMER), "nothing is asked for any more");

    // It is busy: each question that it has not answered takes as long as any.
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.moorings.program(programmed(&[ADDRESS]));
    bench.moorings.want([gone.clone()], bench.now);
    bench.tick();
    let claim = Spoken {
        address: address(FORMER),
        mac: OTHER,
        answers: false,
    };
    assert!(
        !bench.moorings.hear(claim, bench.now),
        "a question of its own answers none"
    );
    assert!(!held(&bench.run(ms(99))));
    assert_eq!(bench.asked(), [ADDRESS, FORMER]);
    bench.run(ms(1));
    assert_eq!(bench.asked(), [ADDRESS, FORMER]);
    assert!(bench.hear(FORMER));
    assert!(!held(&bench.run(ms(15))));
    assert_eq!(bench.asked(), [ADDRESS, FORMER]);
    assert!(!held(&bench.run(ms(199))));
    assert!(held(&bench.run(ms(1))));

    // It answers for both.
    let mut bench = Bench::new(LiveMode::Iptables);
    bench.moorings.program(programmed(&[ADDRESS]));
    bench.moorings.want([gone], bench.now);
    let mut answers = 0;
    for _ in 0..2_000 {
        assert!(!held(&bench.run(ms(1))));
        if !bench.asked().is_empty() {
            answers += 1;
            bench.hear(ADDRESS);
            bench.hear(FORMER);
        }
    }
    assert!(answers > 4, "{answers}");
}

#[test]
fn what_is_handed_over_is_not_asked_for_and_its_connections_go_on_where_they_began() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    let former = address("10.77.0.12");
    let comes = |arrival, former| Wanted {
        former,
        ..arriving(arrival)
    };
    let awaited = comes(Arrival::Awaited, Some(former));
    bench.moorings.want([awaited], bench.now);
    let sent_on = BTreeMap::from([(address(ADDRESS), former)]);
    assert_eq!(bench.tick().onward, sent_on, "before it is held");
    assert_eq!(bench.moorings.ready().count(), 0);
    bench.moorings.program(programmed(&[ADDRESS]));
    assert!(!held(&bench.run(Duration::from_secs(1))));
    let ready: Vec<IpAddr> = bench.moorings.ready().collect();
    assert_eq!(ready, [address(ADDRESS)]);

    let released = comes(Arrival::Released, Some(former));
    bench.moorings.want([released], bench.now);
    let orders = bench.tick();
    assert!(held(&orders));
    assert_eq!(orders.onward, sent_on);
    assert!(!bench.words().contains(&Words::Ask));
    // A new plan for the same node forgets how it came.
    bench.want(&[ADDRESS]);
    assert_eq!(bench.tick().onward, sent_on);
    bench.want(&[]);
    assert_eq!(bench.tick().onward, BTreeMap::new());
    bench.want(&[ADDRESS]);
    assert_eq!(
        bench.tick().onward,
        BTreeMap::new(),
        "nobody handed it over"
    );
}

#[test]
fn after_a_pause_the_wire_is_asked_before_anything_is_answered() {
    let ms = Duration::from_millis;
    for (mode, missed, asks_for) in [
        (LiveMode::Ipvs, ms(140), Some(ms(45))),
        (LiveMode::Ipvs, ms(500), Some(ms(400))),
        // What the kernel answers for it has gone on to answer for.
        (LiveMode::Nftables, ms(499), None),
        // Unless it stood still, too.
        (LiveMode::Nftables, ms(500), Some(ms(400))),
    ] {
        let mut bench = Bench::wanting(mode);
        assert!(held(&bench.run(Duration::from_secs(1))));
        bench.moorings.doubt(missed, bench.now);
        assert_eq!(held(&bench.tick()), asks_for.is_none(), "{mode}");
        let Some(asks_for) = asks_for else { continue };
        assert!(!held(&bench.run(asks_for - ms(1))), "{mode}");
        assert!(held(&bench.run(ms(1))), "{mode}");
        bench.moorings.doubt(missed, bench.now);
        bench.tick();
        bench.hear(ADDRESS);
        assert!(!held(&bench.run(ms(100))), "{mode}");
    }
}

#[test]
fn a_pause_while_the_wire_is_asked_has_it_asked_anew() {
    let ms = Duration::from_millis;
    for (arrival, missed, asks_for) in [
        (Arrival::TakenOver, ms(140), ms(45)),
        (Arrival::TakenOver, ms(500), ms(400)),
        (Arrival::AgentGone, ms(140), ms(400)),
        (Arrival::Planned, ms(140), ms(400)),
        (Arrival::Planned, ms(1_200), ms(400)),
    ] {
        // What the proxy forwards is the last that is missing, or is not.
        for proxy in [&[ADDRESS][..], &[]] {
            let mut bench = Bench::new(LiveMode::Ipvs);
            bench.moorings.program(programmed(proxy));
            bench.moorings.want([arriving(arrival)], bench.now);
            let silent_by = if proxy.is_empty() { ms(400) } else { ms(20) };
            assert!(!held(&bench.run(silent_by)));
            bench.now += missed;
            bench.moorings.doubt(missed, bench.now);
            bench.moorings.program(programmed(&[ADDRESS]));
            assert!(!held(&bench.run(asks_for - ms(1))), "{arrival:?}");
            assert_eq!(bench.moorings.doubted().count(), 0, "it was not held");
            assert!(held(&bench.run(ms(1))), "{arrival:?}");
        }
    }
}

#[test]
fn what_was_held_before_a_pause_is_doubted_until_the_wire_has_told_whose_it_is() {
    let ms = Duration::from_millis;
    let doubted = |bench: &Bench| bench.moorings.doubted().next();
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    assert!(held(&bench.run(Duration::from_secs(1))));
    assert_eq!(doubted(&bench), None);
    bench.moorings.doubt(ms(1_000), bench.now);
    assert_eq!(doubted(&bench), Some(address(ADDRESS)));
    bench.run(ms(100));
    bench.moorings.doubt(ms(300), bench.now);
    assert_eq!(doubted(&bench), Some(address(ADDRESS)));
    assert!(held(&bench.run(Duration::from_secs(1))));
    assert_eq!(doubted(&bench), None);

    bench.moorings.doubt(ms(1_000), bench.now);
    bench.tick();
    bench.hear(ADDRESS);
    assert_eq!(doubted(&bench), None);
    assert!(!held(&bench.run(ms(501))));
    assert_eq!(
        doubted(&bench),
        None,
        "it is another's, while it is asked for"
    );
}

#[test]
fn a_deaf_node_asks_for_nothing_until_it_hears_and_then_as_long_as_for_a_planned_move() {
    let ms = Duration::from_millis;
    let second = Duration::from_secs(1);
    for arrival in [Arrival::Planned, Arrival::TakenOver, Arrival::AgentGone] {
        let mut bench = Bench::wanting(LiveMode::Nftables);
        assert!(held(&bench.run(second)));
        bench.moorings.doubt(second, bench.now);
        bench.tick();
        bench.words();
        bench.moorings.want([arriving(Arrival::Deaf)], bench.now);
        bench.moorings.doubt(second, bench.now);
        assert!(!bench.hear(ADDRESS), "that may be old");
        assert!(!held(&bench.run(10 * second)));
        assert_eq!((bench.words(), bench.state()), (vec![], State::Asking));
        assert_eq!(bench.moorings.doubted().count(), 1);
        bench.moorings.want([arriving(arrival)], bench.now);
        assert!(!held(&bench.run(ms(399))), "{arrival:?}");
        assert_eq!(bench.words(), [Words::Ask; 3]);
        assert_eq!(bench.moorings.doubted().count(), 1);
        assert!(held(&bench.run(ms(1))), "{arrival:?}");
    }
    // What another hands over now is as new as what is heard.
    let mut bench = Bench::wanting(LiveMode::Ipvs);
    bench.moorings.want([arriving(Arrival::Deaf)], bench.now);
    assert!(!held(&bench.run(second)));
    bench.moorings.want([arriving(Arrival::Awaited)], bench.now);
    assert_eq!(bench.moorings.ready().count(), 1);
    bench
        .moorings
        .want([arriving(Arrival::Released)], bench.now);
    assert!(held(&bench.tick()));
}

#[test]
fn an_address_that_somebody_answers_for_is_not_taken() {
    let mut bench = Bench::wanting(LiveMode::Iptables);
    bench.tick();
    for _ in 0..30 {
        bench.hear(ADDRESS);
        assert!(!held(&bench.run(Duration::from_millis(600))));
        assert!(!bench.words().contains(&Words::Announce));
    }
    bench.hear(ADDRESS);
    assert_eq!(bench.state(), State::Elsewhere { mac: OTHER });
    bench.run(Duration::from_millis(900));
    assert_eq!(bench.words(), [], "it is asked for less often by now");
    let orders = bench.run(Duration::from_secs(2));
    assert!(held(&orders), "the other one is silent");
}

#[test]
fn silence_counts_for_seconds_only() {
    let mut bench = Bench::new(LiveMode::Ipvs);
    bench.want(&[ADDRESS]);
    bench.moorings.program(programmed(&[]));
    bench.run(Duration::from_secs(60));
    bench.words();
    bench.moorings.program(programmed(&[ADDRESS]));
    assert!(!held(&bench.tick()));
    assert_eq!(bench.words(), [Words::Ask]);
    assert!(held(&bench.run(Duration::from_secs(1))));
}
