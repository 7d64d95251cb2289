use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ids(numbers: &[u64]) -> Vec<PeerId> {
    numbers.iter().copied().map(PeerId).collect()
}

#[test]
fn the_next_four_watch_and_those_before_are_watched() {
    let all = ids(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(watchers(PeerId(5), &all), ids(&[6, 7, 1, 2]));
    assert_eq!(subjects(PeerId(5), &all), ids(&[4, 3, 2, 1]));
    assert_eq!(neighbours(PeerId(5), &all), ids(&[1, 2, 3, 4, 6, 7]));
}

#[test]
fn in_a_small_cluster_everybody_watches_everybody_else() {
    for count in 0..=5 {
        let all: Vec<PeerId> = (0..count).map(PeerId).collect();
        for node in &all {
            let mut seen = watchers(*node, &all);
            seen.sort_unstable();
            let others: Vec<PeerId> = all.iter().filter(|other| *other != node).copied().collect();
            assert_eq!(seen, others);
        }
    }
}

/// Kept for ever: nodes of different versions have to agree. The values are those of `printf mooring-node/NAME | sha256sum`.
#[test]
fn ids_are_the_golden_ones() {
    for (name, id) in GOLDEN {
        assert_eq!(PeerId::of(name), PeerId(id), "{name}");
    }
}

const GOLDEN: [(&str, u64); 3] = [
    ("n1", 0xe6c9_7e33_c532_7597),
    ("n2", 0x72a1_fb20_4a9d_a481),
    ("worker-17.example.org", 0xd834_e0d1_5feb_108d),
];

proptest! {
    #[test]
    fn who_watches_is_watched_by_as_many_and_both_sides_agree(
        numbers in proptest::collection::btree_set(any::<u64>(), 0..40),
    ) {
        let all: Vec<PeerId> = numbers.iter().copied().map(PeerId).collect();
        for node in &all {
            let watching: BTreeSet<PeerId> = watchers(*node, &all).into_iter().collect();
            prop_assert_eq!(watching.len(), WATCHERS.min(all.len() - 1));
            prop_assert!(!watching.contains(node));
            let watched: BTreeSet<PeerId> = subjects(*node, &all).into_iter().collect();
            prop_assert_eq!(watched.len(), watching.len());
            for other in &all {
                prop_assert_eq!(
                    watching.contains(other),
                    subjects(*other, &all).contains(node)
                );
            }
            // Whoever watches the same node can be asked.
            for subject in watched {
                for witness in watchers(subject, &all) {
                    prop_assert!(witness == *node || neighbours(*node, &all).contains(&witness));
                }
            }
        }
    }

    #[test]
    fn a_node_that_goes_changes_the_watchers_of_four_at_most(
        numbers in proptest::collection::btree_set(any::<u64>(), 2..40),
        gone in any::<prop::sample::Index>(),
    ) {
        let all: Vec<PeerId> = numbers.iter().copied().map(PeerId).collect();
        let gone = *gone.get(&all);
        let rest: Vec<PeerId> = all.iter().copied().filter(|node| *node != gone).collect();
        let changed = rest.iter().filter(|node| watchers(**node, &all) != watchers(**node, &rest));
        prop_assert!(changed.count() <= WATCHERS);
    }
}
