use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::eligibility::Berth;
use super::super::endpoints::LocalService;
use super::super::exit::Exit;
use super::*;
use crate::ipam::selector::LabelSelector;

fn node(name: &str) -> Candidate {
    Candidate {
        name: name.to_owned(),
        ready: true,
        reporting: true,
        ..Candidate::default()
    }
}

fn nodes(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| node(name)).collect()
}

fn ip(number: usize) -> IpAddr {
    IpAddr::from([10, 0, (number / 256) as u8, (number % 256) as u8])
}

fn berth<'a>(selector: &'a LabelSelector, number: usize, present: Option<&'a str>) -> Berth<'a> {
    Berth {
        ip: ip(number),
        pool: "blue",
        selector,
        interfaces: &[],
        in_subnet: false,
        local: &[],
        any_cluster: true,
        programmed: None,
        present,
        taken_from: None,
        revertive: false,
        moves_on_cordon: false,
        held_back: None,
        heirs: &[],
    }
}

fn basis(placement: &Placement) -> &Basis {
    match placement {
        Placement::On { basis, .. } => basis,
        Placement::Nowhere(nobody) => panic!("{nobody}"),
    }
}

type Owners = BTreeMap<IpAddr, String>;

/// Places `count` addresses, each with its owner in `present`.
fn settle(
    count: usize,
    nodes: &[Candidate],
    present: &Owners,
    revertive: bool,
) -> BTreeMap<IpAddr, Placement> {
    let all = LabelSelector::default();
    let berths: Vec<Berth<'_>> = (0..count)
        .map(|number| Berth {
            revertive,
            ..berth(&all, number, present.get(&ip(number)).map(String::as_str))
        })
        .collect();
    place(&berths, nodes).placements
}

fn owners(placements: &BTreeMap<IpAddr, Placement>) -> Owners {
    placements
        .iter()
        .filter_map(|(ip, placement)| Some((*ip, placement.node()?.to_owned())))
        .collect()
}

fn highest_load(owners: &Owners) -> usize {
    let nodes: BTreeSet<&String> = owners.values().collect();
    nodes
        .into_iter()
        .map(|node| owners.values().filter(|owner| *owner == node).count())
        .max()
        .unwrap_or(0)
}

#[test]
fn the_bound_is_a_quarter_above_the_mean_rounded_up() {
    for (addresses, nodes, expected) in [
        (0, 3, 0),
        (1, 3, 1),
        (3, 3, 2),
        (10, 3, 5),
        (12, 3, 5),
        (100, 1, 125),
    ] {
        assert_eq!(bound(addresses, nodes), expected, "{addresses} on {nodes}");
    }
}

#[test]
fn a_new_address_goes_to_the_first_choice_of_the_hash() {
    let nodes = nodes(&["a", "b", "c"]);
    let placements = settle(1, &nodes, &Owners::new(), false);
    let first = super::super::successor(ip(0), ["a", "b", "c"]);
    assert_eq!(placements[&ip(0)].node(), first);
    assert_eq!(basis(&placements[&ip(0)]), &Basis::FirstChoice);
}

#[test]
fn a_node_that_returns_takes_nothing_back() {
    let all = nodes(&["a", "b", "c"]);
    let before = owners(&settle(30, &all, &Owners::new(), false));
    let away = owners(&settle(30, &all[1..], &before, false));
    let back = settle(30, &all, &away, false);
    assert_eq!(owners(&back), away);
    assert!(
        back.values()
            .all(|placement| basis(placement) == &Basis::Kept)
    );
}

#[test]
fn a_node_that_returns_takes_back_its_addresses_of_a_revertive_pool() {
    let all = nodes(&["a", "b", "c"]);
    let before = owners(&settle(1, &all, &Owners::new(), true));
    let first = before[&ip(0)].clone();
    let others: Vec<Candidate> = all
        .iter()
        .filter(|node| node.name != first)
        .cloned()
        .collect();
    let away = owners(&settle(1, &others, &before, true));
    assert_ne!(away[&ip(0)], first);
    let back = settle(1, &all, &away, true);
    assert_eq!(
        basis(&back[&ip(0)]),
        &Basis::Reverted {
            from: away[&ip(0)].clone()
        }
    );
    assert_eq!(back[&ip(0)].node(), Some(first.as_str()));
}

#[test]
fn a_cordoned_node_keeps_what_it_has_and_takes_no_more() {
    let mut all = nodes(&["a", "b"]);
    all[0].cordoned = true;
    let present = Owners::from([(ip(0), "a".to_owned())]);
    let placements = settle(20, &all, &present, false);
    assert_eq!(
        basis(&placements[&ip(0)]),
        &Basis::KeptDespite(vec![Obstacle::Cordoned])
    );
    let on_a = owners(&placements)
        .values()
        .filter(|owner| *owner == "a")
        .count();
    assert_eq!(on_a, 1);
}

#[test]
fn a_cordoned_node_is_better_than_none() {
    let mut all = nodes(&["a"]);
    all[0].cordoned = true;
    let placements = settle(1, &all, &Owners::new(), false);
    assert_eq!(basis(&placements[&ip(0)]), &Basis::OnlyCordoned);
}

#[test]
fn an_owner_that_does_not_report_yields_to_a_better_node_and_to_nothing_else() {
    let mut all = nodes(&["a", "b"]);
    let present = Owners::from([(ip(0), "a".to_owned())]);
    all[0].reporting = false;
    let moved = settle(1, &all, &present, false);
    assert_eq!(
        basis(&moved[&ip(0)]),
        &Basis::MovedFrom {
            from: "a".to_owned(),
            because: vec![Obstacle::AgentNotReporting]
        }
    );
    all[1].reporting = false;
    let kept = settle(1, &all, &present, false);
    assert_eq!(
        basis(&kept[&ip(0)]),
        &Basis::KeptDespite(vec![Obstacle::AgentNotReporting])
    );
}

#[test]
fn an_owner_that_is_drained_gives_its_addresses_away_but_not_to_nobody() {
    let mut all = nodes(&["a", "b"]);
    all[0].draining = true;
    let present = Owners::from([(ip(0), "a".to_owned())]);
    let moved = settle(1, &all, &present, false);
    assert_eq!(
        basis(&moved[&ip(0)]),
        &Basis::MovedFrom {
            from: "a".to_owned(),
            because: vec![Obstacle::Draining]
        }
    );
    // A cordoned node is better than one that is about to go.
    all[1].cordoned = true;
    let moved = settle(1, &all, &present, false);
    assert_eq!(moved[&ip(0)].node(), Some("b"));
    all[1].cordoned = false;
    all[1].ready = false;
    let kept = settle(1, &all, &present, false);
    assert_eq!(kept[&ip(0)].node(), Some("a"));
    assert_eq!(
        kept[&ip(0)].to_string(),
        "a: it has the address, and no other node is better although it was drained with kubectl mooring drain (--undo ends \
         that), so that its addresses belong to other nodes"
    );
    assert_eq!(
        settle(1, &all, &Owners::new(), false)[&ip(0)].node(),
        None,
        "it takes no new one"
    );
}

#[test]
fn a_node_that_shuts_down_hands_over_what_others_can_have_and_gets_nothing() {
    let mut all = nodes(&["a", "b"]);
    (all[0].ready, all[0].exit) = (false, Some(Exit::ShuttingDown));
    let present = Owners::from([(ip(0), "a".to_owned())]);
    let moved = settle(1, &all, &present, false);
    assert_eq!(
        moved[&ip(0)].to_string(),
        "b: its owner a cannot keep it: its kubelet shuts it down, so that its addresses belong to other nodes until it is ready \
         again"
    );
    all[1].gate = Some("arp_ignore".to_owned());
    let kept = settle(1, &all, &present, false);
    assert_eq!(
        basis(&kept[&ip(0)]),
        &Basis::KeptDespite(vec![Obstacle::Exiting(Exit::ShuttingDown)])
    );
    assert_eq!(settle(1, &all, &Owners::new(), false)[&ip(0)].node(), None);
    // It is back.
    (all[0].ready, all[0].exit) = (true, None);
    assert_eq!(
        basis(&settle(1, &all, &present, false)[&ip(0)]),
        &Basis::Kept
    );
}

#[test]
fn the_owner_of_an_address_under_policy_local_follows_the_endpoints() {
    let selector = LabelSelector::default();
    let all = nodes(&["a", "b", "c"]);
    let on = |endpoints: &[&str], present| {
        let local = [LocalService {
            name: "x/web".to_owned(),
            nodes: endpoints.iter().map(|name| (*name).to_owned()).collect(),
        }];
        let berth = Berth {
            local: &local,
            any_cluster: false,
            ..berth(&selector, 0, present)
        };
        place(&[berth], &all).placements[&ip(0)]
            .node()
            .map(str::to_owned)
    };
    assert_eq!(on(&["b"], Some("a")).as_deref(), Some("b"));
    assert_eq!(on(&["a", "b"], Some("b")).as_deref(), Some("b"));
    assert_eq!(on(&[], Some("b")), None);
}

#[test]
fn addresses_of_other_pools_count_for_the_load() {
    let (all, only_a) = (
        LabelSelector::default(),
        LabelSelector {
            match_labels: [("zone".to_owned(), "a".to_owned())].into(),
            ..LabelSelector::default()
        },
    );
    let mut nodes = nodes(&["a", "b", "c"]);
    nodes[0].labels.insert("zone".to_owned(), "a".to_owned());
    let berths: Vec<Berth<'_>> = (0..8)
        .map(|number| {
            berth(
                if number < 4 { &only_a } else { &all },
                number,
                (number < 4).then_some("a"),
            )
        })
        .collect();
    let owners = owners(&place(&berths, &nodes).placements);
    assert_eq!(owners.values().filter(|owner| *owner == "a").count(), 4);
    assert_eq!(highest_load(&owners), 4);
}

#[test]
fn without_nodes_the_reason_is_that_there_are_none() {
    let placements = settle(1, &[], &Owners::new(), false);
    assert_eq!(
        placements[&ip(0)].to_string(),
        "no node can have the address, as there is none"
    );
}

fn cluster() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(0..6u8, 1..12).prop_map(|facts| {
        let mut nodes: Vec<Candidate> = facts
            .into_iter()
            .enumerate()
            .map(|(number, fault)| {
                let mut node = node(&format!("node-{number}"));
                match fault {
                    0 => node.ready = false,
                    1 => node.cordoned = true,
                    _ => (),
                }
                node
            })
            .collect();
        nodes[0] = node("node-0");
        nodes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (nodes, shuffled) in cluster().prop_flat_map(|nodes| (Just(nodes.clone()), Just(nodes).prop_shuffle())),
        numbers in Just((0..40).collect::<Vec<usize>>()).prop_shuffle(),
        revertive in any::<bool>(),
    ) {
        let all = LabelSelector::default();
        let berths = |numbers: &[usize]| -> Vec<Berth<'_>> {
            numbers
                .iter()
                .map(|number| Berth { revertive, ..berth(&all, *number, (number % 3 == 0).then_some("node-0")) })
                .collect()
        };
        let sorted: Vec<usize> = (0..40).collect();
        prop_assert_eq!(place(&berths(&sorted), &nodes), place(&berths(&numbers), &shuffled));
    }

    #[test]
    fn no_node_gets_more_than_its_share(count in 1..200usize, nodes in cluster()) {
        let placements = settle(count, &nodes, &Owners::new(), false);
        let open = nodes.iter().filter(|node| node.ready && !node.cordoned).count();
        let owners = owners(&placements);
        prop_assert_eq!(owners.len(), count);
        prop_assert!(highest_load(&owners) <= bound(count, open));
    }

    #[test]
    fn only_addresses_of_a_node_that_goes_move(count in 1..200usize, nodes in cluster(), gone in any::<prop::sample::Index>()) {
        prop_assume!(nodes.iter().filter(|node| node.ready && !node.cordoned).count() > 1);
        let before = owners(&settle(count, &nodes, &Owners::new(), false));
        let mut left = nodes.clone();
        let gone = left.remove(gone.index(left.len())).name;
        prop_assume!(left.iter().any(|node| node.ready && !node.cordoned));
        let after = owners(&settle(count, &left, &before, false));
        prop_assert_eq!(after.len(), count);
        for (ip, owner) in &before {
            prop_assert!(*owner == gone || after[ip] == *owner);
            prop_assert!(after[ip] != gone);
        }
        let open = left.iter().filter(|node| node.ready && !node.cordoned).count();
        prop_assert!(highest_load(&after) <= bound(count, open));
    }

    #[test]
    fn nothing_moves_when_a_node_comes(count in 1..200usize, nodes in cluster()) {
        let before = owners(&settle(count, &nodes, &Owners::new(), false));
        let mut more = nodes;
        more.push(node("newcomer"));
        prop_assert_eq!(owners(&settle(count, &more, &before, false)), before);
    }

    #[test]
    fn a_settled_placement_stays_as_it_is(count in 1..100usize, nodes in cluster(), revertive in any::<bool>()) {
        let present = owners(&settle(count, &nodes, &Owners::new(), revertive));
        prop_assert_eq!(owners(&settle(count, &nodes, &present, revertive)), present);
    }
}
