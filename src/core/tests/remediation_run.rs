//! Remediations in a model of a cluster, with operators that are killed between any two of their acts, others that act on
//! old looks, nodes that die, images that are missing and people who take the edit back.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "remediation/shell.rs"]
mod shell;
#[path = "remediation/world.rs"]
mod world;

use mooring_core::proxy_mode::antrea::AntreaVersion;
use mooring_core::remediation::run::{
    AntreaSeen, Enforcement, MaxUnavailable, Phase, Strategy, Why,
};
use shell::Bed;
use world::{World, text};

/// Everything was done once: one patch, each Pod replaced once, the canary verified before any other.
fn done_once(bed: &Bed, what: &str) {
    assert_eq!(bed.world.text, text("true"), "{what}");
    assert_eq!(bed.world.writes.len(), 1, "{what}: patches");
    for node in bed.world.names() {
        assert_eq!(bed.world.deletions_of(&node), 1, "{what}: Pods of {node}");
    }
    assert_eq!(bed.world.strict(), bed.world.names(), "{what}");
}

fn canary_first(bed: &Bed, what: &str) {
    let deletions = &bed.world.deletions;
    assert_eq!(bed.run().canary.as_ref().unwrap().node, "n1", "{what}");
    assert_eq!(deletions[0].node, "n1", "{what}");
    // Termination, creation, start and the agent's next look lie in between.
    assert!(deletions[1].time >= deletions[0].time + 4, "{what}");
}

fn undisturbed() -> Bed {
    let mut bed = Bed::of(World::of(4, true));
    bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
    bed
}

#[test]
fn a_cluster_is_repaired_with_one_patch_and_one_restart_of_each_node_the_canary_first() {
    let bed = undisturbed();
    done_once(&bed, "undisturbed");
    canary_first(&bed, "undisturbed");
    assert_eq!(
        bed.phases,
        [
            Phase::Detected,
            Phase::Planned,
            Phase::Patched,
            Phase::Canary,
            Phase::RollingOut,
            Phase::Verifying,
            Phase::Done
        ]
        .into_iter()
        .filter(|phase| *phase != Phase::Verifying || bed.phases.contains(phase))
        .collect::<Vec<_>>()
    );
}

#[test]
fn what_is_done_is_done_and_writes_nothing_any_more() {
    let mut bed = undisturbed();
    let (writes, notes) = (bed.status_writes, bed.notes.len());
    bed.pass(700);
    assert_eq!((bed.status_writes, bed.notes.len()), (writes, notes));
    done_once(&bed, "after ten minutes");
}

#[test]
fn an_operator_killed_before_any_act_comes_to_the_same_end() {
    let acts = undisturbed().acts;
    assert!(acts > 30, "only {acts} acts");
    for kill in 0..acts {
        let mut bed = Bed::of(World::of(4, true));
        bed.kills = vec![kill];
        bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
        let what = format!("killed before act {kill}");
        done_once(&bed, &what);
        canary_first(&bed, &what);
    }
}

#[test]
fn operators_that_are_killed_at_every_second_or_third_act_come_to_the_same_end() {
    for (every, from) in [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)] {
        let mut bed = Bed::of(World::of(3, true));
        bed.kills = (from..20_000).step_by(every).collect();
        bed.until("Done", 4_000, |bed| bed.phase() == Some(Phase::Done));
        let what = format!("killed before every act {every}n+{from}");
        done_once(&bed, &what);
        canary_first(&bed, &what);
    }
}

#[test]
fn a_second_operator_that_acts_on_old_looks_does_no_harm() {
    for late in [1, 2, 3, 5, 8, 12] {
        let mut bed = Bed::of(World::of(4, true));
        bed.late = Some(late);
        bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
        bed.pass(60);
        assert_eq!(bed.phase(), Some(Phase::Done));
        let what = format!("{late} seconds late");
        done_once(&bed, &what);
        canary_first(&bed, &what);
    }
}

#[test]
fn without_agents_pods_are_believed_and_the_message_says_so() {
    let mut bed = Bed::of(World::of(3, false));
    bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
    done_once(&bed, "no agents");
    canary_first(&bed, "no agents");
    assert!(bed.run().message.contains("sysctls were not verified"));
}

#[test]
fn one_silent_agent_does_not_hold_the_others_up_for_ever() {
    let mut world = World::of(3, true);
    world.set_agent("n1", false);
    let mut bed = Bed::of(world);
    bed.until("Done", 500, |bed| bed.phase() == Some(Phase::Done));
    assert_eq!(bed.run().canary.as_ref().unwrap().node, "n2");
    assert!(bed.run().message.contains("node n1"));
}

#[test]
fn batches_are_as_large_as_allowed() {
    let mut bed = Bed::of(World::of(6, true));
    bed.wanted.max_unavailable = Some(MaxUnavailable::Percent(40));
    bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
    done_once(&bed, "40 %");
    let times: Vec<i64> = bed.world.deletions.iter().map(|one| one.time).collect();
    assert_eq!(times[1], times[3], "three at once: {times:?}");
    assert!(times[4] > times[3], "{times:?}");
}

#[test]
fn rolling_waits_for_no_first_node() {
    let mut bed = Bed::of(World::of(4, true));
    bed.wanted.strategy = Strategy::Rolling;
    bed.wanted.max_unavailable = Some(MaxUnavailable::Nodes(2));
    bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
    done_once(&bed, "rolling");
    assert_eq!(bed.world.deletions[0].time, bed.world.deletions[1].time);
    assert_eq!(bed.run().canary, None);
}

#[test]
fn by_hand_the_edit_is_made_and_the_restart_is_left_to_people() {
    let mut bed = Bed::of(World::of(2, true));
    bed.wanted.strategy = Strategy::Manual;
    bed.until("Paused", 100, |bed| bed.phase() == Some(Phase::Paused));
    assert_eq!(bed.run().why, Some(Why::RestartByHand));
    assert!(bed.run().message.contains("rollout restart"));
    bed.pass(300);
    assert!(bed.world.deletions.is_empty());
    for look in bed.world.look().seen.pods {
        bed.world.delete(&mooring_core::remediation::PodRef {
            id: look.metadata.id,
            uid: look.metadata.uid,
            node: look.node.unwrap(),
        });
        bed.wanted.max_unavailable = Some(MaxUnavailable::Nodes(2));
    }
    bed.until("Done", 100, |bed| bed.phase() == Some(Phase::Done));
}

// === what fails ===

#[test]
fn a_canary_whose_image_is_missing_is_rolled_back_wherever_the_operator_is_killed() {
    let story = |kills: Vec<usize>| {
        let mut world = World::of(3, true);
        world.remove_images();
        let mut bed = Bed::of(world);
        bed.kills = kills;
        bed.until("RolledBack", 500, |bed| {
            bed.phase() == Some(Phase::RolledBack)
        });
        bed
    };
    let undisturbed = story(Vec::new());
    let acts = undisturbed.acts;
    for kill in std::iter::once(usize::MAX).chain(0..acts) {
        let bed = story(vec![kill]);
        let what = format!("killed before act {kill}");
        assert_eq!(bed.world.text, text("false"), "{what}");
        assert_eq!(bed.world.writes, [text("true"), text("false")], "{what}");
        assert_eq!(bed.restores, 1, "{what}");
        assert_eq!(bed.world.deletions_of("n1"), 2, "{what}");
        assert_eq!(bed.world.deletions.len(), 2, "{what}");
        assert_eq!(bed.world.down(), ["n1".to_owned()].into(), "{what}");
        let run = bed.run();
        assert_eq!(run.why, Some(Why::CanaryFailed), "{what}");
        for hint in ["node n1", "ErrImageNeverPull", "mooring.dev/retry"] {
            assert!(run.message.contains(hint), "{what}: {}", run.message);
        }
    }
}

#[test]
fn what_was_rolled_back_is_tried_again_only_when_somebody_asks_or_the_text_changes() {
    let mut world = World::of(3, true);
    world.remove_images();
    let mut bed = Bed::of(world);
    bed.until("RolledBack", 500, |bed| {
        bed.phase() == Some(Phase::RolledBack)
    });
    let writes = bed.status_writes;
    bed.pass(900);
    assert_eq!(bed.status_writes, writes);
    assert_eq!(bed.world.writes.len(), 2);
    bed.wanted.retry = Some("1".to_owned());
    bed.until("another try", 500, |bed| bed.world.writes.len() == 3);
    bed.until("RolledBack", 500, |bed| {
        bed.phase() == Some(Phase::RolledBack)
    });
    assert_eq!(
        bed.world.deletions_of("n1"),
        4,
        "the one that is down goes first again"
    );
    assert_eq!(bed.world.down().len(), 1);
    bed.world
        .edit("kubectl-edit", format!("{}# a comment\n", text("false")));
    bed.until("another try", 500, |bed| bed.world.writes.len() == 5);
}

#[test]
fn a_later_node_that_fails_takes_everything_back() {
    let mut world = World::of(4, true);
    world.remove_image("n3");
    let mut bed = Bed::of(world);
    bed.until("RolledBack", 900, |bed| {
        bed.phase() == Some(Phase::RolledBack)
    });
    assert_eq!(bed.run().why, Some(Why::RolloutFailed));
    assert_eq!(bed.world.text, text("false"));
    assert!(bed.run().message.contains("node n3"));
    bed.pass(10);
    assert!(
        bed.world.strict().is_empty(),
        "restarted with the former text"
    );
    assert_eq!(bed.world.deletions_of("n1"), 2);
    assert_eq!(bed.world.deletions_of("n4"), 0);
}

#[test]
fn an_edit_that_somebody_changed_meanwhile_is_left_alone_by_a_rollback() {
    let mut world = World::of(3, true);
    world.remove_images();
    let mut bed = Bed::of(world);
    bed.until("Canary", 100, |bed| bed.phase() == Some(Phase::Canary));
    let theirs = format!("{}# mine\n", text("true"));
    bed.world.edit("kubectl-edit", theirs.clone());
    bed.until("RolledBack", 500, |bed| {
        bed.phase() == Some(Phase::RolledBack)
    });
    assert_eq!(bed.world.text, theirs);
    assert_eq!(bed.restores, 0);
    assert!(
        bed.run().message.contains("edited by somebody else"),
        "{}",
        bed.run().message
    );
}

#[test]
fn a_pod_that_mounted_the_old_copy_is_restarted_once_more() {
    let mut bed = Bed::of(World::of(3, true));
    bed.world.old_copy = Some(text("false"));
    bed.until("the canary's first new Pod", 100, |bed| {
        bed.world.deletions_of("n1") == 2
    });
    bed.world.old_copy = None;
    bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
    assert_eq!(bed.world.deletions.len(), 4);
    assert_eq!(bed.world.strict(), bed.world.names());
}

#[test]
fn a_kube_proxy_that_reads_something_else_is_given_up() {
    let mut bed = Bed::of(World::of(3, true));
    bed.world.old_copy = Some(text("false"));
    bed.until("RolledBack", 300, |bed| {
        bed.phase() == Some(Phase::RolledBack)
    });
    assert!(bed.run().message.contains("another configuration"));
    assert_eq!(bed.world.text, text("false"));
}

#[test]
fn a_node_that_dies_at_any_time_holds_nothing_up_and_is_done_when_it_returns() {
    for node in ["n1", "n2", "n4"] {
        for after in (0..40).step_by(2) {
            let mut bed = Bed::of(World::of(4, true));
            bed.pass(after);
            bed.world.set_alive(node, false);
            bed.until("Done", 900, |bed| bed.phase() == Some(Phase::Done));
            let what = format!("{node} died after {after} s");
            assert_eq!(bed.world.writes.len(), 1, "{what}");
            let mut others = bed.world.names();
            others.remove(node);
            assert!(bed.world.strict().is_superset(&others), "{what}");
            bed.world.set_alive(node, true);
            bed.until("Done again", 400, |bed| {
                bed.phase() == Some(Phase::Done) && bed.world.strict() == bed.world.names()
            });
            for other in bed.world.names() {
                assert!(bed.world.deletions_of(&other) <= 1, "{what}: {other}");
            }
        }
    }
}

// === who takes it back ===

#[test]
fn an_edit_taken_back_once_at_any_time_is_made_again() {
    for after in (6..60).step_by(3) {
        let mut bed = Bed::of(World::of(3, true));
        bed.until("the edit", 60, |bed| !bed.world.writes.is_empty());
        bed.pass(after);
        bed.world.edit("kubectl-edit", text("false"));
        bed.pass(2);
        bed.until("Done", 500, |bed| bed.phase() == Some(Phase::Done));
        let what = format!("taken back after {after} s");
        assert_eq!(bed.world.text, text("true"), "{what}");
        assert_eq!(bed.world.writes.len(), 2, "{what}");
        assert_eq!(bed.world.strict(), bed.world.names(), "{what}");
        assert_eq!(bed.run().reverts.len(), 1, "{what}");
        assert_eq!(bed.run().reverts[0].by, "kubectl-edit", "{what}");
    }
}

fn fight() -> Bed {
    let mut bed = undisturbed();
    for _ in 0..2 {
        bed.world.edit("argocd", text("false"));
        bed.until("an answer", 300, |bed| {
            bed.run().why == Some(Why::Fighting)
                || (bed.phase() == Some(Phase::Done) && bed.world.text == text("true"))
        });
    }
    bed
}

#[test]
fn an_edit_taken_back_twice_within_ten_minutes_is_a_fight_in_which_nothing_is_written() {
    let mut bed = fight();
    let run = bed.run();
    assert_eq!((run.phase, run.why), (Phase::Paused, Some(Why::Fighting)));
    assert!(run.message.contains("argocd"), "{}", run.message);
    assert_eq!(
        bed.world.deletions.len(),
        4,
        "no Pod was restarted for the repair"
    );
    let (writes, status) = (bed.world.writes.len(), bed.status_writes);
    bed.pass(2_000);
    assert_eq!(
        (bed.world.writes.len(), bed.status_writes),
        (writes, status)
    );
}

#[test]
fn an_edit_taken_back_before_it_was_looked_at_counts() {
    let mut bed = Bed::of(World::of(3, true));
    for times in 1..=2 {
        bed.until("the edit", 100, |bed| bed.world.writes.len() == times);
        bed.world.edit("argocd", text("false"));
    }
    bed.until("a fight", 100, |bed| bed.run().why == Some(Why::Fighting));
    assert_eq!(bed.world.writes.len(), 2);
    assert!(bed.world.deletions.is_empty());
}

#[test]
fn a_fight_ends_when_the_text_stays_right_or_somebody_asks() {
    let mut bed = fight();
    bed.world.edit("argocd", text("true"));
    bed.pass(590);
    assert_eq!(bed.run().why, Some(Why::Fighting));
    bed.until("Done", 60, |bed| bed.phase() == Some(Phase::Done));

    let mut bed = fight();
    bed.wanted.generation = Some(2);
    bed.until("Done", 200, |bed| bed.phase() == Some(Phase::Done));
    assert_eq!(bed.world.text, text("true"));
}

#[test]
fn reverts_that_lie_far_apart_are_no_fight() {
    let mut bed = undisturbed();
    for _ in 0..3 {
        bed.world.edit("kubectl-edit", text("false"));
        bed.pass(2);
        bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
        bed.pass(601);
    }
    assert_eq!(bed.world.writes.len(), 4);
}

// === what is not done ===

#[test]
fn without_enforcement_nothing_is_written() {
    for enforcement in [Enforcement::Warn, Enforcement::Ignore] {
        let mut bed = Bed::of(World::of(2, true));
        bed.wanted.enforcement = enforcement;
        bed.pass(200);
        assert!(bed.world.writes.is_empty() && bed.world.deletions.is_empty());
        assert_eq!(bed.status_writes, 0);
    }
}

#[test]
fn a_policy_changed_on_the_way_stops_it_and_changed_back_lets_it_go_on() {
    for after in (0..60).step_by(2) {
        let mut bed = Bed::of(World::of(3, true));
        bed.pass(after);
        bed.wanted.enforcement = Enforcement::Warn;
        bed.second();
        let (writes, deletions) = (bed.world.writes.len(), bed.world.deletions.len());
        bed.pass(100);
        assert_eq!(
            (bed.world.writes.len(), bed.world.deletions.len()),
            (writes, deletions),
            "after {after} s"
        );
        bed.wanted.enforcement = Enforcement::Enforce;
        bed.until("Done", 400, |bed| bed.phase() == Some(Phase::Done));
        done_once(&bed, &format!("stopped after {after} s"));
    }
}

#[test]
fn an_antrea_whose_egress_would_break_is_refused_once_and_repaired_after_its_upgrade() {
    let mut bed = Bed::of(World::of(2, true));
    let antrea = |version| AntreaSeen {
        version: AntreaVersion::of_image(version),
        egress_in_use: true,
    };
    for image in ["antrea/antrea-ubuntu:v1.6.1", "antrea/antrea-ubuntu:latest"] {
        bed.surroundings.antrea = Some(antrea(image));
        bed.pass(100);
        assert_eq!(bed.phase(), Some(Phase::Refused), "{image}");
        assert_eq!(bed.run().why, Some(Why::BreaksEgress), "{image}");
    }
    assert!(bed.world.writes.is_empty() && bed.world.deletions.is_empty());
    assert_eq!(bed.status_writes, 2, "one for each message");
    bed.surroundings.antrea = Some(antrea("antrea/antrea-ubuntu:v1.7.0"));
    bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
    done_once(&bed, "after the upgrade");
}

#[test]
fn with_unnumbered_links_only_the_canary_is_restarted_until_somebody_looked() {
    let mut bed = Bed::of(World::of(3, true));
    bed.surroundings.unnumbered_cni = Some("cni-ipvlan-vpc-k8s".to_owned());
    bed.until("Paused", 200, |bed| bed.phase() == Some(Phase::Paused));
    assert_eq!(bed.run().why, Some(Why::UnnumberedLinks));
    bed.pass(400);
    assert_eq!(bed.world.deletions.len(), 1);
    bed.wanted.retry = Some("looked".to_owned());
    bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
    done_once(&bed, "after somebody looked");
}

#[test]
fn an_outage_of_the_api_server_times_nothing_out() {
    for after in (8..60).step_by(4) {
        let mut bed = Bed::of(World::of(3, true));
        bed.pass(after);
        bed.outage(1_000);
        bed.until("Done", 300, |bed| bed.phase() == Some(Phase::Done));
        done_once(&bed, &format!("an outage after {after} s"));
    }
}
