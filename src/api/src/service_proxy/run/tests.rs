use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::remediation::run::{self, Why};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

fn run_with_everything(phase: Phase) -> Run {
    Run {
        started: at(1),
        phase,
        since: at(2),
        why: Some(Why::RolloutFailed),
        message: "node n2: Pod kube-proxy-x: ErrImagePull".to_owned(),
        edits: vec![Edit {
            location: ConfigLocation {
                config_map: ObjectName::new("kube-system", "kube-proxy"),
                key: "config.conf".to_owned(),
                sub_path: true,
            },
            undo: Undo::of("strictARP: false\n", "strictARP: true\n"),
            diff: "-strictARP: false\n+strictARP: true\n".to_owned(),
            previous_value: Some("false".to_owned()),
            planned_on: "7".to_owned(),
            patched: Some(at(3)),
            restored: Some(at(4)),
        }],
        canary: Some(Canary {
            node: "n1".to_owned(),
            verified: true,
        }),
        batch: vec![Target {
            node: "n2".to_owned(),
            uid: "u".to_owned(),
            again: true,
            was_ready: false,
        }],
        batch_since: Some(at(5)),
        trouble_since: Some(at(6)),
        lost: vec!["n3".to_owned()],
        verified: Some(at(7)),
        reverts: vec![run::Revert {
            time: at(8),
            by: "kubectl-edit".to_owned(),
        }],
        trigger: run::Trigger {
            generation: Some(9),
            retry: Some("again".to_owned()),
            texts: "ab".to_owned(),
        },
    }
}

#[test]
fn a_run_reads_back_as_it_was_written() {
    for phase in Phase::ALL {
        let full = run_with_everything(*phase);
        let bare = Run {
            why: None,
            message: String::new(),
            edits: Vec::new(),
            canary: None,
            batch: Vec::new(),
            batch_since: None,
            trouble_since: None,
            lost: Vec::new(),
            verified: None,
            reverts: Vec::new(),
            trigger: run::Trigger::default(),
            ..full.clone()
        };
        for run in [full, bare] {
            let written = serde_json::to_value(Remediation::from(&run)).expect("JSON");
            let read: Remediation = serde_json::from_value(written).expect("a remediation");
            assert_eq!(read.run(), Some(run));
        }
    }
}

#[test]
fn every_reason_reads_back() {
    for why in Why::ALL {
        let run = Run {
            why: Some(*why),
            ..run_with_everything(Phase::Paused)
        };
        assert_eq!(
            Remediation::from(&run).run().and_then(|run| run.why),
            Some(*why)
        );
    }
}

#[test]
fn people_see_the_diff_the_former_value_and_the_result() {
    let wire = Remediation::from(&run_with_everything(Phase::RolledBack));
    assert_eq!(wire.previous_value.as_deref(), Some("false"));
    assert_eq!(
        wire.diff.as_deref(),
        Some("-strictARP: false\n+strictARP: true\n")
    );
    assert_eq!(wire.result, Some(RemediationResult::RolledBack));
    assert_eq!(
        Remediation::from(&run_with_everything(Phase::Canary)).result,
        None
    );
}

#[test]
fn what_tells_no_phase_is_no_run() {
    let former: Remediation = serde_json::from_value(serde_json::json!({
        "time": "2026-01-02T03:04:05Z",
        "result": "Done",
    }))
    .expect("a remediation");
    assert_eq!(former.run(), None);
}
