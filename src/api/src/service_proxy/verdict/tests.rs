use mooring_core::condition::{
    Condition as Decided, EffectiveReason, ForeignResponderReason, ModeDetectedReason,
    RolledOutReason, SafeToAnnounceReason, StrictArpConfiguredReason,
};
use mooring_core::guard::{Counts, foreign};
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::node;
use mooring_core::proxy_mode::LiveMode;
use mooring_core::wire::Mac;

use super::super::foreign_addresses;
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
    let first = to_status(&quiet, None, None, None, Some(1), at(10));
    let second = to_status(&quiet, None, None, Some(&first), Some(1), at(20));
    assert_eq!(first, second);
    assert_eq!(
        first.nodes.as_ref().map(|nodes| nodes.summary.as_str()),
        Some("2/3")
    );
    let loud = verdict(EffectiveReason::ArpIgnoreTooLow);
    let third = to_status(&loud, None, None, Some(&second), Some(1), at(30));
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
    let mut former = to_status(
        &verdict(EffectiveReason::Quiet),
        None,
        None,
        None,
        None,
        at(1),
    );
    former.conditions[0].type_ = "Foreign".to_owned();
    let status = to_status(
        &verdict(EffectiveReason::Quiet),
        None,
        None,
        Some(&former),
        None,
        at(2),
    );
    assert_eq!(status.conditions.len(), 5);
    assert!(status.conditions.iter().all(|one| one.type_ != "Foreign"));
}

fn foreign(finding: foreign::Finding, disputed: Option<Timestamp>) -> ForeignVerdict {
    let responder = |last: u8, node: Option<&str>| node::Responder {
        mac: Mac([0x52, 0x54, 0, 0x77, 0, last]),
        node: node.map(str::to_owned),
    };
    ForeignVerdict {
        addresses: vec![foreign::ForeignAddress {
            address: "10.77.0.200".parse().expect("an address"),
            service: ObjectName::new("default", "web"),
            witnesses: vec!["n2".to_owned(), "n1".to_owned()],
            finding,
            responders: vec![responder(0x0b, Some("n1")), responder(0x0c, None)],
            disputed,
        }],
        left_out: 3,
        condition: Decided::new(ForeignResponderReason::SeveralResponders, "several"),
        notes: Vec::new(),
    }
}

#[test]
fn what_was_found_out_about_addresses_of_others_reads_back_and_stays_without_a_verdict() {
    let verdict = verdict(EffectiveReason::Quiet);
    for finding in foreign::Finding::ALL {
        let found = foreign(finding, Some(at(5)));
        let first = to_status(&verdict, Some(&found), None, None, Some(1), at(10));
        assert_eq!(foreign_addresses(&first), found.addresses);
        let written = serde_json::to_value(&first).expect("JSON");
        assert_eq!(written["foreignAddresses"][0]["seen"], finding.as_str());
        assert_eq!(written["foreignAddressesLeftOut"], 3);
        let second = to_status(&verdict, None, None, Some(&first), Some(1), at(20));
        assert_eq!(second, first);
        let last = second.conditions.last().expect("a condition");
        assert_eq!(
            (last.type_.as_str(), last.status.as_str()),
            ("SingleResponder", "False")
        );
    }
}
