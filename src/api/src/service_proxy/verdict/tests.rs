use mooring_core::condition::{
    Condition as Decided, EffectiveReason, ModeDetectedReason, RolledOutReason,
    SafeToAnnounceReason, StrictArpConfiguredReason,
};
use mooring_core::guard::Counts;
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::proxy_mode::LiveMode;

use super::*;

fn verdict(effective: EffectiveReason) -> ClusterVerdict {
    ClusterVerdict {
        conditions: [
            Decided::new(ModeDetectedReason::Detected, "ipvs"),
            Decided::new(StrictArpConfiguredReason::StrictArpOn, "on"),
            Decided::new(RolledOutReason::AllStarted, "all"),
            Decided::new(effective, "said"),
            Decided::new(SafeToAnnounceReason::AllNodesQuiet, "quiet"),
        ],
        mode: Some("ipvs".to_owned()),
        live_modes: vec![(LiveMode::Ipvs, 3)],
        nodes: Counts {
            effective: 2,
            not_effective: 1,
            unknown: 0,
        },
        configuration: Some(ConfigurationFound {
            workload: Some((
                "DaemonSet".to_owned(),
                ObjectName::new("kube-system", "kube-proxy"),
            )),
            source: Some((
                ObjectName::new("kube-system", "kube-proxy"),
                "config.conf".to_owned(),
            )),
            mode: Some("ipvs".to_owned()),
            strict_arp: Some(true),
        }),
        notes: Vec::new(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

#[test]
fn a_status_in_which_nothing_is_new_is_equal_to_the_former_one() {
    let quiet = verdict(EffectiveReason::Quiet);
    let first = to_status(&quiet, None, None, Some(1), at(10));
    let second = to_status(&quiet, None, Some(&first), Some(1), at(20));
    assert_eq!(first, second);
    assert_eq!(
        first.nodes.as_ref().map(|nodes| nodes.summary.as_str()),
        Some("2/3")
    );
    let loud = verdict(EffectiveReason::ArpIgnoreTooLow);
    let third = to_status(&loud, None, Some(&second), Some(1), at(30));
    let changed: Vec<&str> = third
        .conditions
        .iter()
        .filter(|one| one.last_transition_time == time(at(30)))
        .map(|one| one.type_.as_str())
        .collect();
    assert_eq!(changed, ["Effective"]);
}

#[test]
fn persisted_conditions_read_back() {
    let status = to_status(
        &verdict(EffectiveReason::ArpIgnoreTooLow),
        None,
        None,
        None,
        at(1),
    );
    let past = past_conditions(Some(&status));
    assert_eq!(past.len(), 5);
    assert_eq!(past[3].kind, ConditionType::Effective);
    assert_eq!(past[3].status, ConditionStatus::False);
    assert_eq!(past[3].reason, "ArpIgnoreTooLow");
    assert!(past_conditions(None).is_empty());
}

#[test]
fn conditions_that_no_version_knows_are_dropped() {
    let mut former = to_status(&verdict(EffectiveReason::Quiet), None, None, None, at(1));
    former.conditions[0].type_ = "Foreign".to_owned();
    let status = to_status(
        &verdict(EffectiveReason::Quiet),
        None,
        Some(&former),
        None,
        at(2),
    );
    assert_eq!(status.conditions.len(), 5);
    assert!(status.conditions.iter().all(|one| one.type_ != "Foreign"));
}
