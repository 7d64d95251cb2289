use super::*;
use crate::ipam::range::HostBits;

const ADDRESS: &str = "10.77.0.200";
const N1: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
const N2: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0c]);
const STRANGER: Mac = Mac([0x02, 0, 0, 0, 0, 1]);

fn address() -> IpAddr {
    ADDRESS.parse().unwrap()
}

fn node(name: &str, subnet: &str) -> Bystander {
    Bystander {
        node: name.to_owned(),
        subnets: vec![AddressRange::from_cidr(subnet, HostBits::Clear).unwrap()],
    }
}

fn node_of(mac: Mac) -> Option<&'static str> {
    match mac {
        N1 => Some("n1"),
        N2 => Some("n2"),
        _ => None,
    }
}

fn watch(holder: &str) -> [(IpAddr, Watch); 1] {
    let watch = Watch {
        interface: "eth0".to_owned(),
        holder: Some(holder.to_owned()),
    };
    [(address(), watch)]
}

fn seen(macs: &[Mac]) -> Sighting {
    Sighting {
        address: address(),
        holder: Some("n1".to_owned()),
        macs: macs.iter().copied().collect(),
    }
}

/// Goes on for `time`, answering every question with these MACs; tells the questions and the sightings.
fn run(
    witness: &mut Witness,
    now: &mut Now,
    time: Duration,
    macs: &[Mac],
) -> (usize, Vec<Sighting>) {
    let end = *now + time;
    let (mut questions, mut sightings) = (0, Vec::new());
    while let Some(next) = witness.deadline().filter(|next| *next <= end) {
        *now = next.max(*now);
        let (ask, seen) = witness.tick(*now, |seen| seen.is_right(node_of));
        questions += ask.len();
        for _ in &ask {
            for mac in macs {
                witness.hear(address(), *mac, *now);
            }
        }
        sightings.extend(seen);
    }
    *now = end;
    (questions, sightings)
}

#[test]
fn the_witness_is_on_the_segment_and_never_the_holder() {
    let nodes = [
        node("n1", "10.77.0.0/24"),
        node("n2", "10.77.0.0/24"),
        node("far", "192.0.2.0/24"),
    ];
    assert_eq!(witness_of(address(), "n1", &nodes), Some("n2"));
    assert_eq!(witness_of(address(), "n2", &nodes), Some("n1"));
    assert_eq!(witness_of(address(), "n1", &nodes[..1]), None);
    let outside: IpAddr = "10.10.0.2".parse().unwrap();
    assert_ne!(witness_of(outside, "n1", &nodes), Some("n1"));
    assert!(witness_of(outside, "n1", &nodes).is_some());
}

#[test]
fn an_address_is_looked_at_soon_after_a_change_and_then_every_minute() {
    let (mut witness, mut now) = (Witness::default(), Duration::from_secs(100));
    witness.watch(watch("n1"), now);
    let (questions, sightings) = run(&mut witness, &mut now, Duration::from_secs(2), &[N1]);
    assert_eq!((questions, sightings), (3, vec![seen(&[N1])]));
    let (_, sightings) = run(&mut witness, &mut now, Duration::from_secs(55), &[N1]);
    assert_eq!(sightings, []);
    let (_, sightings) = run(&mut witness, &mut now, Duration::from_secs(10), &[N1]);
    assert_eq!(sightings.len(), 1);
    witness.watch(watch("n1"), now);
    let (questions, _) = run(&mut witness, &mut now, Duration::from_secs(2), &[N1]);
    assert_eq!(questions, 0, "nothing new");
    witness.watch(watch("n2"), now);
    let (_, sightings) = run(&mut witness, &mut now, Duration::from_secs(2), &[N2]);
    assert_eq!(sightings[0].holder.as_deref(), Some("n2"));
}

#[test]
fn what_is_wrong_is_looked_at_again_soon() {
    let (mut witness, mut now) = (Witness::default(), Duration::ZERO);
    witness.watch(watch("n1"), now);
    let (_, sightings) = run(
        &mut witness,
        &mut now,
        Duration::from_secs(30),
        &[N1, STRANGER],
    );
    assert!((4..=6).contains(&sightings.len()), "{}", sightings.len());
}

#[test]
fn whoever_cannot_ask_has_seen_nothing() {
    let (mut witness, mut now) = (Witness::default(), Duration::ZERO);
    witness.watch(watch("n1"), now);
    for _ in 0..3 {
        now = witness.deadline().unwrap();
        let (ask, seen) = witness.tick(now, |_| true);
        assert_eq!((ask.len(), seen.len()), (1, 0));
        witness.give_up(address(), now);
    }
    assert_eq!(now, Duration::from_secs(11));
}

#[test]
fn looks_begin_within_a_budget() {
    let mut witness = Witness::default();
    let all = (0..100).map(|last| {
        let [(_, watch)] = watch("n1");
        (IpAddr::from([10, 77, 1, last]), watch)
    });
    witness.watch(all, Duration::ZERO);
    let (ask, _) = witness.tick(Duration::from_secs(5), |_| true);
    assert_eq!(ask.len(), 20);
    assert!(witness.deadline().unwrap() <= Duration::from_secs(6));
}

#[test]
fn what_was_seen_is_told_with_names() {
    let rows: [(&[Mac], SingleResponderReason, &str); 5] = [
        (
            &[N1],
            SingleResponderReason::OneResponder,
            "n1 (52:54:00:77:00:0b) alone answered",
        ),
        (
            &[N2],
            SingleResponderReason::OtherResponder,
            "n2 (52:54:00:77:00:0c) answered in the place of n1",
        ),
        (
            &[N1, N2],
            SingleResponderReason::SeveralResponders,
            "n1 (52:54:00:77:00:0b) and n2",
        ),
        (
            &[STRANGER],
            SingleResponderReason::OtherResponder,
            "02:00:00:00:00:01 (no node's)",
        ),
        (
            &[],
            SingleResponderReason::NoResponder,
            "nobody answered, though n1 is to",
        ),
    ];
    for (macs, reason, text) in rows {
        let said = seen(macs).single("n3", "n1", node_of);
        assert!(said.is(reason), "{said:?}");
        assert!(said.message.contains(text), "{}", said.message);
        assert!(
            said.message
                .starts_with("Node n3 asked on the wire for 10.77.0.200")
        );
    }
}

#[test]
fn whoever_speaks_up_unasked_and_did_not_answer_last_time_is_looked_at_soon() {
    let (mut witness, mut now) = (Witness::default(), Duration::from_secs(100));
    witness.watch(watch("n1"), now);
    run(&mut witness, &mut now, Duration::from_secs(3), &[N1]);
    assert!(!witness.hear(address(), N1, now), "that is known");
    let other: IpAddr = "10.77.0.9".parse().unwrap();
    assert!(!witness.hear(other, N2, now), "that is not watched");
    assert!(witness.hear(address(), N2, now));
    assert_eq!(witness.deadline(), Some(now + SETTLE));
    assert!(!witness.hear(address(), N2, now), "it is due already");
    let (_, sightings) = run(&mut witness, &mut now, Duration::from_secs(3), &[N1, N2]);
    assert_eq!(sightings, [seen(&[N1, N2])]);
}

#[test]
fn of_an_address_of_somebody_else_s_one_answer_or_none_is_as_it_may_be() {
    let of = |macs: &[Mac]| Sighting {
        holder: None,
        ..seen(macs)
    };
    assert!(of(&[]).is_right(node_of), "this node may answer itself");
    assert!(of(&[STRANGER]).is_right(node_of));
    assert!(!of(&[N1, N2]).is_right(node_of));
}

#[test]
fn an_address_of_somebody_else_s_has_two_witnesses_on_its_segment() {
    let nodes = [
        node("n1", "10.77.0.0/24"),
        node("far", "192.0.2.0/24"),
        node("n2", "10.77.0.0/24"),
        node("n3", "10.77.0.0/24"),
    ];
    let chosen = witnesses_of(address(), &nodes);
    assert_eq!(chosen.len(), 2);
    assert!(!chosen.contains(&"far") && chosen[0] != chosen[1]);
    assert_eq!(witnesses_of(address(), &nodes[..2]), ["n1"]);
    assert!(witnesses_of("10.10.0.2".parse().unwrap(), &nodes).is_empty());
}

proptest::proptest! {
    #[test]
    fn whoever_chooses_chooses_the_same_witnesses_and_keeps_them_while_they_are_there(
        count in 2_usize..12,
        order in proptest::collection::vec(0_usize..1_000, 12),
        gone in 0_usize..12,
        last in 0_u8..255,
    ) {
        let address = IpAddr::from([10, 77, 0, last]);
        let nodes: Vec<Bystander> = (0..count).map(|n| node(&format!("n{n}"), "10.77.0.0/24")).collect();
        let chosen = witnesses_of(address, &nodes);
        proptest::prop_assert_eq!(chosen.len(), 2);
        let mut shuffled: Vec<_> = nodes.iter().cloned().zip(order).collect();
        shuffled.sort_by_key(|(_, order)| *order);
        let shuffled: Vec<Bystander> = shuffled.into_iter().map(|(node, _)| node).collect();
        proptest::prop_assert_eq!(&witnesses_of(address, &shuffled), &chosen);
        let left: Vec<Bystander> = nodes.iter().filter(|node| node.node != format!("n{gone}")).cloned().collect();
        let then = witnesses_of(address, &left);
        for witness in chosen.iter().filter(|name| **name != format!("n{gone}")) {
            proptest::prop_assert!(then.contains(witness), "{witness} is there, and was chosen");
        }
    }
}
