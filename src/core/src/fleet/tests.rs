use super::*;
use crate::ipam::pool::Ownership;
use crate::liveness::PERIOD;

const START: Now = Duration::from_secs(100);
const A: PeerId = PeerId(10);
const B: PeerId = PeerId(20);
const C: PeerId = PeerId(30);

fn ip() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

/// Three nodes on a segment where nothing gets lost, of which some are off.
struct Segment {
    now: Now,
    nodes: Vec<(PeerId, Fleet, bool)>,
    /// What has been told, and by whom.
    news: Vec<(PeerId, News)>,
}

impl Segment {
    fn new() -> Self {
        let node = |id: PeerId| {
            let mut fleet = Fleet::new(id, id.0, START);
            fleet.set_members([A, B, C], START);
            let post = Post {
                address: ip(),
                plan: 1,
                planned: A,
                heirs: vec![B, C],
                ownership: Ownership::Available,
            };
            fleet.set_posts([post], START);
            (id, fleet, true)
        };
        let mut new = Self {
            now: START,
            nodes: [A, B, C].map(node).into(),
            news: Vec::new(),
        };
        new.pass(Duration::from_secs(2));
        new.news.clear();
        new
    }

    fn node(&mut self, id: PeerId) -> &mut Fleet {
        &mut self.nodes.iter_mut().find(|node| node.0 == id).unwrap().1
    }

    fn switch(&mut self, id: PeerId, on: bool) {
        self.nodes.iter_mut().find(|node| node.0 == id).unwrap().2 = on;
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let now = self.now;
            let mut outputs: Vec<(PeerId, Output)> = Vec::new();
            for (id, fleet, on) in &mut self.nodes {
                if *on && fleet.next() <= now {
                    outputs.push((*id, fleet.tick(now)));
                }
            }
            while let Some((id, output)) = outputs.pop() {
                self.news.extend(output.news.iter().map(|news| (id, *news)));
                for message in output.send {
                    let to = message.header.to;
                    let (_, fleet, on) = self.nodes.iter_mut().find(|node| node.0 == to).unwrap();
                    if *on {
                        outputs.push((to, fleet.receive(&message, now).0));
                    }
                }
            }
            self.now += PERIOD / 20;
        }
    }

    fn holders(&self) -> Vec<PeerId> {
        let on = self.nodes.iter().filter(|(_, _, on)| *on);
        on.filter(|(_, fleet, _)| fleet.deeds().next().is_some())
            .map(|(id, ..)| *id)
            .collect()
    }
}

#[test]
fn the_first_heir_takes_over_what_was_a_dead_node_s_and_keeps_it() {
    let mut segment = Segment::new();
    assert_eq!(segment.holders(), [A]);
    segment.switch(A, false);
    segment.pass(Duration::from_millis(500));
    assert_eq!(segment.holders(), [B]);
    let claim = segment.node(B).claim(ip()).unwrap();
    assert_eq!((claim.term.plan, claim.term.takeovers), (1, 1));
    assert_eq!(segment.node(B).taken_over().collect::<Vec<_>>(), [claim]);
    assert_eq!(segment.node(C).claim(ip()), None);
    // It really has it, and says so to the one that comes back.
    let now = segment.now;
    segment
        .node(B)
        .set_held(BTreeSet::from([ip()]), BTreeSet::new(), now);
    segment.switch(A, true);
    segment.pass(Duration::from_secs(1));
    assert_eq!(segment.holders(), [B]);
    let yields = segment.news.iter().any(|(id, news)| {
        *id == A && matches!(news, News::Address(succession::News::Yields { to, .. }) if *to == B)
    });
    assert!(yields, "{:?}", segment.news);
}

#[test]
fn a_node_that_stood_still_is_deaf_until_others_answer_it_and_takes_nothing_over_meanwhile() {
    let mut segment = Segment::new();
    segment.switch(B, false);
    segment.pass(Duration::from_secs(1));
    // It goes on, and nothing gets in.
    let mut now = segment.now;
    let output = segment.node(B).tick(now);
    assert!(output.moved && segment.node(B).is_deaf());
    for _ in 0..100 {
        now += PERIOD / 5;
        segment.node(B).tick(now);
    }
    assert!(segment.node(B).is_deaf());
    assert_eq!(segment.node(B).claim(ip()), None, "A lives");
    segment.now = now;
    segment.switch(B, true);
    segment.news.clear();
    segment.pass(Duration::from_millis(200));
    assert!(!segment.node(B).is_deaf());
    let hears = |(id, news): &&(PeerId, News)| {
        *id == B
            && matches!(
                news,
                News::Node(liveness::News::Hears { anybody: true, .. })
            )
    };
    assert_eq!(segment.news.iter().filter(hears).count(), 1);
    assert_eq!(segment.holders(), [A]);
}

#[test]
fn where_all_stand_still_the_heir_goes_on_with_what_it_took_over() {
    let mut segment = Segment::new();
    segment.switch(A, false);
    segment.pass(Duration::from_millis(500));
    let now = segment.now;
    let held = BTreeSet::from([ip()]);
    segment.node(B).set_held(held, BTreeSet::new(), now);
    // One that is frozen goes on, and then all of them stand still before it has heard anything.
    segment.now += Duration::from_millis(1_200);
    segment.switch(A, true);
    segment.news.clear();
    segment.pass(Duration::from_millis(100));
    assert_eq!(segment.holders(), [B]);
    let held_up = |(_, news): &&(PeerId, News)| matches!(news, News::Node(liveness::News::HeldUp { missed }) if *missed >= SURELY_MISSED);
    assert_eq!(segment.news.iter().filter(held_up).count(), 3);
}

#[test]
fn a_new_process_goes_on_with_what_the_former_one_had_taken_over() {
    let mut segment = Segment::new();
    segment.switch(A, false);
    segment.pass(Duration::from_secs(1));
    let claims: Vec<Claim> = segment.node(B).taken_over().collect();
    let now = segment.now;
    let mut again = Fleet::new(B, 77, now);
    again.set_members([A, B, C], now);
    let post = Post {
        address: ip(),
        plan: 1,
        planned: A,
        heirs: vec![B, C],
        ownership: Ownership::Available,
    };
    again.set_posts([post], now);
    assert_eq!(again.deeds().count(), 0);
    assert!(again.restore(claims.clone()).moved);
    assert_eq!(again.claim(ip()), Some(claims[0]));
}
