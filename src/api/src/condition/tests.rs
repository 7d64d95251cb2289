use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use mooring_core::remediation::Reason as Assessed;

use super::*;

fn at(second: i64) -> Time {
    Time(Timestamp::from_second(second).expect("in range"))
}

fn names<R: Reason>() -> BTreeSet<&'static str> {
    let all: BTreeSet<&str> = R::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(all.len(), R::ALL.len(), "{} repeats a reason", R::CONDITION);
    all
}

fn check_list<R: Reason>() {
    assert!(!names::<R>().is_empty());
    for status in [
        ConditionStatus::True,
        ConditionStatus::False,
        ConditionStatus::Unknown,
    ] {
        let some = R::ALL.iter().any(|reason| reason.status() == status);
        assert!(some, "{} is never {status}", R::CONDITION);
    }
    for reason in R::ALL {
        let meaning = reason.meaning();
        assert!(
            !meaning.is_empty() && !meaning.contains('\n') && !meaning.contains("  "),
            "{}: {meaning:?}",
            reason.as_str()
        );
    }
}

#[test]
fn every_condition_has_reasons_for_every_status() {
    check_list::<ModeDetectedReason>();
    check_list::<StrictArpConfiguredReason>();
    check_list::<RolledOutReason>();
    check_list::<EffectiveReason>();
    check_list::<SafeToAnnounceReason>();
    check_list::<KubeProxyHealthyReason>();
    check_list::<UplinksAnswerReason>();
}

#[test]
fn a_condition_has_the_status_of_its_reason() {
    let made = condition(
        Decided::new(StrictArpConfiguredReason::ConfigMapImmutable, "recreate it"),
        Some(3),
        at(7),
    );
    assert_eq!(made.type_, "StrictARPConfigured");
    assert_eq!(made.status, "False");
    assert_eq!(made.reason, "ConfigMapImmutable");
    assert_eq!(made.message, "recreate it");
    assert_eq!(made.observed_generation, Some(3));
    assert_eq!(made.last_transition_time, at(7));
}

#[test]
fn a_message_that_the_schema_would_reject_is_cut_at_a_character() {
    let long = "ü".repeat(LONGEST_MESSAGE + 1);
    let made = condition(Decided::new(EffectiveReason::Quiet, long), None, at(0));
    assert_eq!(made.message.chars().count(), LONGEST_MESSAGE);
    let fits = "ü".repeat(LONGEST_MESSAGE);
    let made = condition(
        Decided::new(EffectiveReason::Quiet, fits.clone()),
        None,
        at(0),
    );
    assert_eq!(made.message, fits);
}

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let mut list = Vec::new();
    let quiet = |second| condition(Decided::new(EffectiveReason::Quiet, ""), None, at(second));
    set_condition(&mut list, quiet(1));
    set_condition(
        &mut list,
        condition(Decided::new(RolledOutReason::Canary, ""), None, at(1)),
    );

    set_condition(
        &mut list,
        condition(Decided::new(EffectiveReason::NotNeeded, "new"), None, at(2)),
    );
    assert_eq!(list[0].reason, "NotNeeded");
    assert_eq!(list[0].message, "new");
    assert_eq!(list[0].last_transition_time, at(1));

    set_condition(
        &mut list,
        condition(
            Decided::new(EffectiveReason::ArpIgnoreTooLow, ""),
            None,
            at(3),
        ),
    );
    assert_eq!(list[0].status, "False");
    assert_eq!(list[0].last_transition_time, at(3));
    assert_eq!(list.len(), 2);
    assert_eq!(list[1].last_transition_time, at(1));
}

#[test]
fn a_reason_of_the_assessment_has_the_same_name_in_the_condition() {
    let all = names::<StrictArpConfiguredReason>();
    for shared in [
        Assessed::NotNeeded,
        Assessed::Replaced,
        Assessed::NoKubeProxy,
        Assessed::EmbeddedKubeProxy,
        Assessed::KubeRouter,
        Assessed::ConfigElsewhere,
        Assessed::CommandHidden,
        Assessed::InvalidFlags,
        Assessed::ConfigMapMissing,
        Assessed::KeyMissing,
        Assessed::KeyIsBinary,
        Assessed::ConfigUnclear,
        Assessed::EditRefused,
        Assessed::ConfigMapImmutable,
        Assessed::StrictArpOffByFlags,
        Assessed::StrictArpOffManaged,
        Assessed::StrictArpOff,
    ] {
        assert!(all.contains(shared.to_string().as_str()), "{shared}");
    }
    let all = names::<RolledOutReason>();
    for shared in [
        Assessed::RestartPending,
        Assessed::PodsNotReady,
        Assessed::NoPods,
        Assessed::ChangeTimeUnknown,
    ] {
        assert!(all.contains(shared.to_string().as_str()), "{shared}");
    }
}
