use proptest::prelude::*;

use super::*;
use crate::condition::ConditionStatus;
use crate::node::Uplink;

const NOW: i64 = 1_000;
const LONG_AGO: i64 = 900;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(host: usize) -> Mac {
    Mac([0x52, 0x54, 0, 0x77, 0, u8::try_from(host).unwrap()])
}

fn service() -> ObjectName {
    ObjectName::new("default", "web")
}

fn in_use(addresses: &[&str]) -> Vec<ExternalAddress> {
    let one = |address: &&str| ExternalAddress {
        address: ip(address),
        service: service(),
    };
    addresses.iter().map(one).collect()
}

/// Node `n0`, `n1`, ... whose MAC addresses are those of these hosts.
fn nodes(count: usize) -> Vec<NodeView> {
    let node = |n: usize| NodeView {
        name: format!("n{n}"),
        ready: true,
        reporting: true,
        report: Some(NodeReport {
            uplinks: vec![Uplink {
                name: "eth0".to_owned(),
                mac: mac(n).to_string(),
                subnets: vec!["10.77.0.0/24".to_owned()],
                addresses: vec![],
                gateways: vec![],
                arp_ignore: 1,
                arp_announce: 2,
            }],
            ..NodeReport::default()
        }),
    };
    (0..count).map(node).collect()
}

/// A witness that heard these hosts.
fn saw(nodes: &mut [NodeView], witness: &str, address: &str, hosts: &[usize], since: i64) {
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    let node = nodes.iter_mut().find(|node| node.name == witness).unwrap();
    let witnessed = &mut node.report.as_mut().unwrap().witnessed;
    witnessed.retain(|one| one.address != ip(address));
    witnessed.push(Witnessed {
        address: ip(address),
        since: Timestamp::from_unix_seconds(since),
        responders: hosts
            .iter()
            .map(|host| Responder {
                mac: mac(*host),
                node: names.get(*host).cloned(),
            })
            .collect(),
    });
}

/// Everybody answers to the witnesses who does so in truth, but for themselves.
fn all_see(nodes: &mut [NodeView], address: &str, answering: &[usize]) {
    let verdict = judged(nodes, &[address], &[]);
    for witness in &verdict.addresses[0].witnesses {
        let heard = answering.iter().copied();
        let heard: Vec<usize> = heard
            .filter(|host| format!("n{host}") != *witness)
            .collect();
        saw(nodes, witness, address, &heard, LONG_AGO);
    }
}

fn judged(nodes: &[NodeView], addresses: &[&str], former: &[ForeignAddress]) -> ForeignVerdict {
    let input = ForeignInput {
        addresses: &in_use(addresses),
        nodes,
        former,
        now: Timestamp::from_unix_seconds(NOW),
    };
    look(&input, &mut Lookouts::default())
}

const ADDRESS: &str = "10.77.0.200";

#[test]
fn what_two_witnesses_saw_together_is_what_is_said() {
    let rows: [(&[usize], ForeignResponderReason, &str); 4] = [
        (
            &[2],
            ForeignResponderReason::OneResponderEach,
            "10.77.0.200 of default/web by n2 (52:54:00:77:00:02)",
        ),
        (
            &[],
            ForeignResponderReason::NoResponder,
            "nobody answers for 1",
        ),
        (
            &[0, 1, 2],
            ForeignResponderReason::SeveralResponders,
            "by n0 (52:54:00:77:00:00) and n1 (52:54:00:77:00:01) and n2 (52:54:00:77:00:02)",
        ),
        (
            &[1, 9],
            ForeignResponderReason::SeveralResponders,
            "52:54:00:77:00:09 (no node's)",
        ),
    ];
    for (answering, reason, text) in rows {
        let mut nodes = nodes(3);
        all_see(&mut nodes, ADDRESS, answering);
        let said = judged(&nodes, &[ADDRESS], &[]).condition;
        assert!(said.is(reason), "{said:?}");
        assert!(said.message.contains(text), "{}", said.message);
    }
}

#[test]
fn an_address_that_moves_from_one_witness_to_the_other_is_not_said_to_have_two() {
    let mut nodes = nodes(2);
    all_see(&mut nodes, ADDRESS, &[0]);
    let one = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(one.addresses[0].finding, Finding::OneResponder);
    saw(&mut nodes, "n0", ADDRESS, &[1], NOW - 1);
    let torn = judged(&nodes, &[ADDRESS], &one.addresses);
    assert_eq!(torn.addresses[0].finding, Finding::NotWitnessed);
    assert_eq!(torn.notes, []);
    saw(&mut nodes, "n1", ADDRESS, &[], NOW);
    let moved = judged(&nodes, &[ADDRESS], &torn.addresses);
    assert_eq!(moved.addresses[0].finding, Finding::OneResponder);
    assert_eq!(moved.addresses[0].responders[0].mac, mac(1));
    assert_eq!(moved.notes, []);
}

#[test]
fn witnesses_that_contradict_each_other_about_a_third_host_are_not_believed() {
    let mut nodes = nodes(2);
    saw(&mut nodes, "n0", ADDRESS, &[7], LONG_AGO);
    saw(&mut nodes, "n1", ADDRESS, &[8], LONG_AGO);
    let said = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(said.addresses[0].finding, Finding::NotWitnessed);
    assert_eq!(said.condition.status, ConditionStatus::Unknown);
}

#[test]
fn two_nodes_that_both_answer_are_told_once_that_is_certain() {
    let mut nodes = nodes(2);
    saw(&mut nodes, "n0", ADDRESS, &[1], NOW - CONFIRMED + 1);
    saw(&mut nodes, "n1", ADDRESS, &[0], LONG_AGO);
    let early = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(early.addresses[0].finding, Finding::NotWitnessed);
    saw(&mut nodes, "n0", ADDRESS, &[1], NOW - CONFIRMED);
    let certain = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(certain.addresses[0].finding, Finding::SeveralResponders);
}

#[test]
fn a_dispute_is_told_once_and_so_is_its_end() {
    let mut nodes = nodes(3);
    let calm = judged(&nodes, &[ADDRESS], &[]);
    assert!(calm.condition.is(ForeignResponderReason::NotWitnessed));
    all_see(&mut nodes, ADDRESS, &[0, 1, 2]);
    let torn = judged(&nodes, &[ADDRESS], &calm.addresses);
    let [note] = &torn.notes[..] else {
        panic!("{:?}", torn.notes)
    };
    assert_eq!(note.target, NoteTarget::Service(service()));
    assert_eq!(note.reason, "SeveralResponders");
    assert!(
        note.message.contains("52:54:00:77:00:02"),
        "{}",
        note.message
    );
    let again = judged(&nodes, &[ADDRESS], &torn.addresses);
    assert_eq!(
        (again.notes, again.addresses),
        (vec![], torn.addresses.clone())
    );
    for node in &mut nodes {
        node.report.as_mut().unwrap().witnessed.clear();
    }
    let unsure = judged(&nodes, &[ADDRESS], &torn.addresses);
    assert_eq!(unsure.notes, []);
    all_see(&mut nodes, ADDRESS, &[0, 1, 2]);
    let still = judged(&nodes, &[ADDRESS], &unsure.addresses);
    assert_eq!(still.notes, [], "it is the same dispute");
    all_see(&mut nodes, ADDRESS, &[1]);
    let over = judged(&nodes, &[ADDRESS], &still.addresses);
    assert_eq!(over.notes[0].reason, "OneResponder");
    assert_eq!(over.addresses[0].disputed, None);
    assert_eq!(judged(&nodes, &[ADDRESS], &over.addresses).notes, []);
}

#[test]
fn a_dispute_is_told_with_all_who_answer() {
    let mut nodes = nodes(3);
    let witnesses = judged(&nodes, &[ADDRESS], &[]).addresses[0]
        .witnesses
        .clone();
    let but = |witness: &str| -> Vec<usize> {
        (0..3)
            .filter(|host| format!("n{host}") != witness)
            .collect()
    };
    saw(&mut nodes, &witnesses[0], ADDRESS, &but(&witnesses[0]), NOW);
    let half = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(half.addresses[0].finding, Finding::SeveralResponders);
    assert_eq!(half.notes, [], "the other witness has not looked yet");
    assert!(half.is_unsettled());
    let mut slow = nodes.clone();
    saw(
        &mut slow,
        &witnesses[0],
        ADDRESS,
        &but(&witnesses[0]),
        NOW - CONFIRMED,
    );
    assert_eq!(
        judged(&slow, &[ADDRESS], &[]).notes.len(),
        1,
        "it had the time"
    );
    let both = |host: &usize| witnesses.contains(&format!("n{host}"));
    let third: Vec<usize> = (0..3).filter(|host| !both(host)).collect();
    saw(&mut nodes, &witnesses[1], ADDRESS, &third, NOW);
    let unheard = judged(&nodes, &[ADDRESS], &half.addresses);
    assert_eq!(unheard.notes, [], "the first witness may answer late");
    assert!(unheard.is_unsettled());
    saw(&mut nodes, &witnesses[1], ADDRESS, &but(&witnesses[1]), NOW);
    let whole = judged(&nodes, &[ADDRESS], &half.addresses);
    assert_eq!(whole.addresses[0].responders.len(), 3);
    assert_eq!(whole.notes.len(), 1);
    assert!(!whole.is_unsettled());
}

#[test]
fn many_disputes_are_told_look_by_look() {
    let mut nodes = nodes(2);
    let texts: Vec<String> = (1..=30).map(|last| format!("10.77.0.{last}")).collect();
    let addresses: Vec<&str> = texts.iter().map(String::as_str).collect();
    for address in &addresses {
        saw(&mut nodes, "n0", address, &[1, 5], LONG_AGO);
    }
    let first = judged(&nodes, &addresses, &[]);
    assert_eq!(first.notes.len(), AT_ONCE);
    let second = judged(&nodes, &addresses, &first.addresses);
    assert_eq!(second.notes.len(), 10);
    let third = judged(&nodes, &addresses, &second.addresses);
    assert_eq!(third.notes, []);
}

#[test]
fn an_address_that_no_two_nodes_have_on_their_segment_is_nobody_s_to_prove() {
    for (count, address) in [(3, "203.0.113.5"), (1, ADDRESS)] {
        let said = judged(&nodes(count), &[address], &[]);
        assert_eq!(said.addresses[0].finding, Finding::OutOfSight);
        assert!(said.condition.is(ForeignResponderReason::NothingToWatch));
    }
    let none = judged(&nodes(3), &[], &[]);
    assert!(none.condition.is(ForeignResponderReason::NothingToWatch));
}

#[test]
fn a_node_that_is_off_is_no_witness_and_one_whose_agent_restarts_stays_one() {
    let mut nodes = nodes(3);
    let chosen = judged(&nodes, &[ADDRESS], &[]).addresses[0]
        .witnesses
        .clone();
    for node in &mut nodes {
        node.reporting = false;
    }
    let same = judged(&nodes, &[ADDRESS], &[]);
    assert_eq!(same.addresses[0].witnesses, chosen);
    let gone = nodes.iter_mut().find(|node| node.name == chosen[0]);
    gone.unwrap().ready = false;
    let after = judged(&nodes, &[ADDRESS], &[]).addresses[0]
        .witnesses
        .clone();
    assert!(
        !after.contains(&chosen[0]) && after.contains(&chosen[1]),
        "{after:?}"
    );
}

#[test]
fn of_very_many_addresses_the_first_are_looked_after_and_the_others_counted() {
    let all: Vec<ExternalAddress> = (0..MOST + 7)
        .map(|n| ExternalAddress {
            address: IpAddr::from([
                10,
                78,
                u8::try_from(n / 250).unwrap(),
                u8::try_from(n % 250).unwrap(),
            ]),
            service: service(),
        })
        .collect();
    let input = ForeignInput {
        addresses: &all,
        nodes: &nodes(2),
        former: &[],
        now: Timestamp::from_unix_seconds(NOW),
    };
    let said = look(&input, &mut Lookouts::default());
    assert_eq!((said.addresses.len(), said.left_out), (MOST, 7));
    assert!(
        said.condition
            .message
            .contains("7 more are not looked after")
    );
}

#[test]
fn witnesses_are_chosen_anew_when_the_nodes_are_others() {
    let mut lookouts = Lookouts::default();
    let mut chosen = |nodes: &[NodeView]| {
        let input = ForeignInput {
            addresses: &in_use(&[ADDRESS]),
            nodes,
            former: &[],
            now: Timestamp::from_unix_seconds(NOW),
        };
        look(&input, &mut lookouts).addresses[0].witnesses.clone()
    };
    assert_eq!(chosen(&nodes(1)), ["n0"]);
    let two = chosen(&nodes(2));
    assert_eq!(two.len(), 2);
    let mut turned = nodes(2);
    turned.reverse();
    assert_eq!(chosen(&turned), two);
}

proptest! {
    /// Whoever answers, witnesses included, the two together come to the truth.
    #[test]
    fn two_witnesses_come_to_the_truth_whoever_answers(
        count in 2_usize..6,
        answering in proptest::collection::btree_set(0_usize..8, 0..5),
    ) {
        let mut nodes = nodes(count);
        let answering: Vec<usize> = answering.into_iter().collect();
        all_see(&mut nodes, ADDRESS, &answering);
        let said = judged(&nodes, &[ADDRESS], &[]);
        let expected = match answering.len() {
            0 => Finding::NoResponder,
            1 => Finding::OneResponder,
            _ => Finding::SeveralResponders,
        };
        prop_assert_eq!(said.addresses[0].finding, expected);
        let macs: Vec<Mac> = said.addresses[0].responders.iter().map(|one| one.mac).collect();
        let truth: Vec<Mac> = answering.into_iter().map(mac).collect();
        prop_assert_eq!(macs, truth);
    }
}
