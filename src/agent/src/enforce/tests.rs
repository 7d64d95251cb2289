use std::slice::from_ref;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_api::service_proxy::ServiceProxySpec;
use mooring_core::condition::{Condition, EffectiveReason, ModeDetectedReason};
use mooring_core::node::ArpSetting;
use mooring_kernel::{FakeHost, InterfaceName, Sysctl};

use super::*;

fn host() -> FakeHost {
    let mut host = FakeHost::new();
    host.add_link(InterfaceName::new("eth0").unwrap(), "veth");
    host
}

fn change(interface: &str, from: i32, to: i32) -> Change {
    Change {
        interface: interface.to_owned(),
        setting: ArpSetting::Ignore,
        from,
        to,
    }
}

fn value(host: &FakeHost) -> i32 {
    host.read_sysctl(&sysctl("eth0", ArpSetting::Ignore).unwrap())
        .unwrap()
}

fn outcomes(host: &mut FakeHost, changes: &[Change]) -> Vec<Outcome> {
    let done = apply(host, changes);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

#[test]
fn a_change_is_written_once_and_only_from_what_it_was_planned_from() {
    let mut host = host();
    let raise = change("eth0", 0, 1);
    assert_eq!(outcomes(&mut host, from_ref(&raise)), [Outcome::Written]);
    assert_eq!(value(&host), 1);
    assert_eq!(outcomes(&mut host, from_ref(&raise)), [Outcome::Moved]);
    assert_eq!(
        outcomes(&mut host, &[change("eth0", 0, 8)]),
        [Outcome::Moved]
    );
    assert_eq!(value(&host), 1);
}

#[test]
fn one_that_fails_does_not_hold_up_the_others() {
    let mut host = host();
    let changes = [
        change("gone0", 0, 1),
        change("../all", 0, 1),
        change("eth0", 0, 1),
    ];
    assert_eq!(
        outcomes(&mut host, &changes),
        [Outcome::Moved, Outcome::Moved, Outcome::Written]
    );
}

#[test]
fn a_read_only_procfs_is_a_failure_that_says_what_to_do() {
    let mut host = host();
    host.set_sysctls_read_only(true);
    let done = outcomes(&mut host, &[change("eth0", 0, 1)]);
    let [Outcome::Failed(reason)] = done.as_slice() else {
        panic!("{done:?}");
    };
    assert!(reason.contains("mount the host's /proc/sys"), "{reason}");
    assert_eq!(value(&host), 0);
    host.set_sysctls_read_only(false);
    host.write_sysctl(&Sysctl::all(mooring_kernel::ArpSetting::Ignore), 0)
        .unwrap();
    assert_eq!(
        outcomes(&mut host, &[change("eth0", 0, 1)]),
        [Outcome::Written]
    );
}

#[test]
fn nobody_asking_means_that_nothing_of_ours_stays() {
    let mut object = ServiceProxy::new("cluster", ServiceProxySpec::default());
    assert_eq!(wish(None), Wish::Restore);
    assert_eq!(wish(Some(&object)), Wish::Observe);
    object.spec.strict_arp.sysctls = Sysctls::Enforce;
    assert_eq!(wish(Some(&object)), Wish::Enforce);
    object.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(wish(Some(&object)), Wish::Restore);
}

#[test]
fn raising_waits_until_the_former_value_is_stored_and_putting_back_does_not() {
    let raised = RaisedSysctl {
        name: "net.ipv4.conf.eth0.arp_ignore".to_owned(),
        before: 0,
        value: 1,
    };
    let plan = Plan {
        remember: vec![raised.clone()],
        writes: vec![change("eth0", 0, 1)],
    };
    assert!(!may_write(&plan, Wish::Enforce, &[]));
    let other = RaisedSysctl {
        before: 2,
        ..raised.clone()
    };
    assert!(!may_write(&plan, Wish::Enforce, &[other]));
    assert!(may_write(&plan, Wish::Enforce, &[raised]));
    assert!(may_write(&plan, Wish::Restore, &[]));
}

#[test]
fn a_condition_that_does_not_hold_says_that_the_agent_could_not_help() {
    let report = |reason| NodeReport {
        conditions: vec![
            Condition::new(ModeDetectedReason::Detected, "Mode ipvs."),
            Condition::new(reason, "As it is."),
        ],
        ..NodeReport::default()
    };
    let failures = Failures::from([("net.ipv4.conf.eth0.arp_ignore".to_owned(), "why".to_owned())]);
    let mut bad_report = report(EffectiveReason::ArpIgnoreTooLow);
    explain(&mut bad_report, &failures);
    assert_eq!(bad_report.conditions[0].message, "Mode ipvs.");
    assert_eq!(
        bad_report.conditions[1].message,
        "As it is. The agent was asked to write net.ipv4.conf.eth0.arp_ignore and cannot: why."
    );
    let mut good_report = report(EffectiveReason::Quiet);
    explain(&mut good_report, &failures);
    assert_eq!(good_report, report(EffectiveReason::Quiet));
}
