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
        holder: holder.to_owned(),
    };
    [(address(), watch)]
}

fn seen(macs: &[Mac]) -> Sighting {
    Sighting {
        address: address(),
        holder: "n1".to_owned(),
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
                witness.hear(address(), *mac);
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
    assert_eq!(sightings[0].holder, "n2");
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
            "02:00:00:00:00:01, which is no node's",
        ),
        (
            &[],
            SingleResponderReason::NoResponder,
            "nobody answered, though n1 is to",
        ),
    ];
    for (macs, reason, text) in rows {
        let said = seen(macs).single("n3", node_of);
        assert!(said.is(reason), "{said:?}");
        assert!(said.message.contains(text), "{}", said.message);
        assert!(
            said.message
                .starts_with("Node n3 asked on the wire for 10.77.0.200")
        );
    }
}
