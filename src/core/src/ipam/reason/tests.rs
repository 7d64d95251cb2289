use super::*;
use crate::condition::{ConditionStatus, Reason as _};

#[test]
fn every_reason_of_announced_is_one_partys_but_that_a_node_is_waited_for() {
    for reason in AnnouncedReason::ALL {
        let speaker = match reason.status() {
            _ if *reason == AnnouncedReason::WaitingForNode => Speaker::Either,
            // Only the node itself knows that it answers.
            ConditionStatus::True => Speaker::Agent,
            // Only somebody else can say that it does not report.
            ConditionStatus::Unknown => Speaker::Operator,
            ConditionStatus::False => match reason {
                AnnouncedReason::ProxyNotProgrammed
                | AnnouncedReason::AnsweredElsewhere
                | AnnouncedReason::NoLease
                | AnnouncedReason::Failed => Speaker::Agent,
                _ => Speaker::Operator,
            },
        };
        assert_eq!(reason.speaker(), speaker, "{reason}");
    }
}

#[test]
fn a_reason_is_found_by_its_name_and_one_of_another_version_is_not() {
    for reason in AnnouncedReason::ALL {
        assert_eq!(AnnouncedReason::named(reason.as_str()), Some(*reason));
    }
    assert_eq!(AnnouncedReason::named("Elsewhere"), None);
}
