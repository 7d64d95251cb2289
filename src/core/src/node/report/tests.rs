use proptest::prelude::*;

use super::*;
use crate::condition::{
    Condition, ConditionType, EffectiveReason, KubeProxyHealthyReason, ModeDetectedReason, Reason,
    UplinksAnswerReason,
};
use crate::kube_proxy::snapshot::Timestamp;
use crate::node::fixture::{configz, dummy, http, ipvs, link, metrics};
use crate::node::{RunningKubeProxy, Witness};
use crate::proxy_mode::{Answer, LiveMode};

fn of(observed: &Observed) -> NodeReport {
    report(observed, &[], &[])
}

fn condition(report: &NodeReport, kind: ConditionType) -> &Condition {
    report
        .conditions
        .iter()
        .find(|condition| condition.kind == kind)
        .expect("a condition")
}

#[track_caller]
fn expect<R: Reason + std::fmt::Debug>(observed: &Observed, reason: R, words: &[&str]) {
    let report = of(observed);
    let found = condition(&report, R::CONDITION);
    assert!(found.is(reason), "{reason:?} expected: {found:?}");
    for word in words {
        assert!(
            found.message.contains(word),
            "no {word:?} in: {}",
            found.message
        );
    }
}

#[track_caller]
fn expect_mode(observed: &Observed, mode: LiveMode, reason: ModeDetectedReason, words: &[&str]) {
    let found = of(observed).mode;
    assert_eq!(found, mode, "{:?}", of(observed).conditions[0]);
    expect(observed, reason, words);
}

use KubeProxyHealthyReason as Health;
use ModeDetectedReason::{Contradiction, Detected, NoEvidence};

const PROXY_ALL: &str = "antreaProxy:\n  proxyAll: true\n";

// === the mode ===

#[test]
fn a_running_kube_proxy_is_believed() {
    for mode in ["iptables", "ipvs", "nftables"] {
        let observed = ipvs().without_proxy().running(mode);
        let report = of(&observed);
        assert_eq!(report.mode.as_str(), mode);
        expect(&observed, Detected, &["node n1", "v1.35.4", mode]);
    }
}

#[test]
fn configz_speaks_for_kube_proxy_where_proxy_mode_is_silent() {
    let mut observed = ipvs();
    observed.endpoints.proxy_mode = Answer::Failed("timeout".to_owned());
    expect_mode(&observed, LiveMode::Ipvs, Detected, &[]);
}

#[test]
fn lesser_witnesses_that_disagree_are_explained_and_kept() {
    let observed = ipvs().running("iptables").with_proxy("mode: ipvs\n");
    expect_mode(
        &observed,
        LiveMode::Iptables,
        Detected,
        &[
            "config.conf says mode ipvs",
            "next restart",
            "rules of ipvs",
        ],
    );
    let report = of(&observed);
    let said: Vec<(Witness, Option<LiveMode>)> = report
        .evidence
        .iter()
        .map(|evidence| (evidence.witness, evidence.mode))
        .collect();
    assert_eq!(
        said,
        [
            (Witness::ProxyModeEndpoint, Some(LiveMode::Iptables)),
            (Witness::Configz, Some(LiveMode::Iptables)),
            (Witness::CommandLine, None),
            (Witness::MountedConfiguration, Some(LiveMode::Ipvs)),
            (Witness::Kernel, Some(LiveMode::Ipvs)),
        ]
    );
}

#[test]
fn two_answers_of_one_process_that_differ_are_a_contradiction() {
    let mut observed = ipvs();
    observed.endpoints.configz = configz("nftables", false);
    expect_mode(
        &observed,
        LiveMode::Unknown,
        Contradiction,
        &["says ipvs", "says nftables"],
    );
}

#[test]
fn an_old_kube_proxy_that_fell_back_to_iptables_is_none() {
    let mut observed = ipvs();
    observed.endpoints.proxy_mode = http("iptables");
    expect_mode(&observed, LiveMode::Unknown, Contradiction, &[]);
    observed.endpoints.metrics = metrics("v1.25.16");
    expect_mode(
        &observed,
        LiveMode::Iptables,
        Detected,
        &["fell back", "ip_vs"],
    );
}

#[test]
fn a_silent_kube_proxy_is_judged_by_its_configuration() {
    let observed = ipvs().silent();
    expect_mode(
        &observed,
        LiveMode::Ipvs,
        Detected,
        &[
            "nothing listens on 127.0.0.1:10249",
            "Pod kube-system/kube-proxy-x",
        ],
    );
    let unset = ipvs().silent().with_proxy("mode: \"\"\n");
    expect_mode(&unset, LiveMode::Iptables, Detected, &["rules of ipvs"]);
}

#[test]
fn traces_in_the_kernel_count_where_nothing_else_tells() {
    let mut observed = ipvs().silent();
    observed.pods = Some(Vec::new());
    expect_mode(&observed, LiveMode::Ipvs, Detected, &["rules of mode ipvs"]);
    let several = observed
        .clone()
        .with_chains(&["KUBE-SVC-ABC", "KUBE-SERVICES"]);
    expect_mode(
        &several,
        LiveMode::Unknown,
        Contradiction,
        &["iptables, ipvs"],
    );
    observed.pods = None;
    expect_mode(&observed, LiveMode::Ipvs, Detected, &["has not been heard"]);
}

#[test]
fn chains_that_modes_share_are_no_trace_of_either() {
    let observed = ipvs().without_proxy().with_chains(&[
        "KUBE-SERVICES",
        "KUBE-POSTROUTING",
        "KUBE-MARK-MASQ",
    ]);
    expect_mode(&observed, LiveMode::None, Detected, &[]);
}

#[test]
fn nothing_is_a_mode_only_by_two_signals() {
    let observed = ipvs().without_proxy();
    expect_mode(
        &observed,
        LiveMode::None,
        Detected,
        &["nothing handles traffic to Services"],
    );
    let mut unheard = observed.clone();
    unheard.pods = None;
    expect_mode(
        &unheard,
        LiveMode::Unknown,
        NoEvidence,
        &["has not been heard"],
    );
    let mut hung = observed.clone();
    hung.endpoints.proxy_mode = Answer::Failed("timeout".to_owned());
    expect_mode(&hung, LiveMode::Unknown, NoEvidence, &["timeout"]);
    let mut healthy = observed.clone();
    healthy.endpoints.healthz = http("{}");
    expect_mode(&healthy, LiveMode::Unknown, NoEvidence, &[]);
    let mut unread = observed;
    unread.kernel.unread = vec!["nftables: permission denied".to_owned()];
    expect_mode(&unread, LiveMode::Unknown, NoEvidence, &[]);
}

#[test]
fn k3s_runs_kube_proxy_without_a_pod() {
    let mut observed = ipvs();
    observed.pods = Some(Vec::new());
    expect_mode(&observed, LiveMode::Ipvs, Detected, &[]);
    expect(&observed, Health::Healthy, &[]);
}

#[test]
fn antrea_and_kube_proxy_share_the_work_by_a_table() {
    let no_lb = "antreaProxy:\n  proxyAll: true\n  proxyLoadBalancerIPs: false\n";
    let commented = "antreaProxy:\n#  proxyAll: true\n";
    let absent = || ipvs().without_proxy();
    let run = |mode: &str| ipvs().without_proxy().running(mode);
    let (all, unknown) = (LiveMode::AntreaProxyAll, LiveMode::Unknown);
    for (case, observed, tag, text, mode, reason) in [
        ("alone", absent(), ":v1.9.0", PROXY_ALL, all, Detected),
        ("alone, no LB", absent(), ":v2.4.0", no_lb, all, Detected),
        ("2.1", run("iptables"), ":v2.1.0", PROXY_ALL, all, Detected),
        (
            "2.0",
            run("iptables"),
            ":v2.0.1",
            PROXY_ALL,
            LiveMode::Iptables,
            Detected,
        ),
        (
            "?",
            run("iptables"),
            ":latest",
            PROXY_ALL,
            unknown,
            Contradiction,
        ),
        (
            "? no LB",
            run("iptables"),
            ":latest",
            no_lb,
            LiveMode::Iptables,
            Detected,
        ),
        (
            "no LB",
            run("iptables"),
            ":v2.4.0",
            no_lb,
            LiveMode::Iptables,
            Detected,
        ),
        (
            "ipvs",
            run("ipvs"),
            ":v2.4.0",
            PROXY_ALL,
            unknown,
            Contradiction,
        ),
        (
            "ipvs, no LB",
            run("ipvs"),
            ":v2.4.0",
            no_lb,
            LiveMode::Ipvs,
            Detected,
        ),
        (
            "nft",
            run("nftables"),
            ":v2.4.0",
            PROXY_ALL,
            unknown,
            Contradiction,
        ),
        (
            "off",
            run("ipvs"),
            ":v2.4.0",
            commented,
            LiveMode::Ipvs,
            Detected,
        ),
        (
            "off alone",
            absent(),
            ":v2.4.0",
            commented,
            LiveMode::None,
            Detected,
        ),
        (
            "silent",
            run("iptables").silent(),
            ":v2.4.0",
            PROXY_ALL,
            all,
            Detected,
        ),
    ] {
        let observed = observed.with_antrea(tag, text);
        let report = of(&observed);
        let detected = condition(&report, ConditionType::ModeDetected);
        assert_eq!(report.mode, mode, "{case}: {detected:?}");
        assert!(detected.is(reason), "{case}: {detected:?}");
        let antrea = report.antrea.expect("Antrea");
        assert_eq!(antrea.proxy_all, text != commented, "{case}");
        assert_eq!(antrea.proxy_load_balancer_ips, text != no_lb, "{case}");
    }
}

#[test]
fn stale_rules_of_kube_proxy_do_not_speak_against_antrea() {
    let observed = ipvs()
        .without_proxy()
        .with_chains(&["KUBE-SVC-ABC"])
        .with_antrea(":v2.1.0", PROXY_ALL);
    expect_mode(
        &observed,
        LiveMode::AntreaProxyAll,
        Detected,
        &["rules of iptables, which an earlier proxy left"],
    );
    expect(&observed, Health::NotNeeded, &[]);
}

#[test]
fn antreas_rules_without_its_configuration_are_no_reason_to_trust_kube_proxy() {
    let mut observed = ipvs()
        .without_proxy()
        .running("iptables")
        .with_chains(&["ANTREA-OUTPUT"]);
    observed.pods = None;
    expect_mode(&observed, LiveMode::Unknown, NoEvidence, &["proxyAll"]);
}

#[test]
fn a_replacement_needs_two_signals_and_no_kube_proxy() {
    let (ebpf, unknown) = (LiveMode::Ebpf, LiveMode::Unknown);
    let alone = ipvs().without_proxy();
    expect_mode(
        &alone.clone().with_cilium("true"),
        ebpf,
        Detected,
        &["Cilium"],
    );
    expect(&alone.clone().with_cilium("true"), Health::NotNeeded, &[]);
    expect_mode(
        &ipvs().with_cilium("true"),
        unknown,
        Contradiction,
        &["Cilium", "mode ipvs"],
    );
    expect_mode(&ipvs().with_cilium("false"), LiveMode::Ipvs, Detected, &[]);
    // Since 1.15, strict is not understood.
    expect_mode(&ipvs().with_cilium("strict"), LiveMode::Ipvs, Detected, &[]);
    let router = alone.clone().with_kube_router();
    expect_mode(&router, LiveMode::KubeRouter, Detected, &["kube-router"]);
    let both = router.with_cilium("true");
    expect_mode(&both, unknown, Contradiction, &["Cilium", "kube-router"]);
    let calico = alone.with_link("bpfin.cali", link(Some("veth"), "", (0, 0)));
    expect_mode(&calico, ebpf, Detected, &["Calico", "one sign"]);
    let beside = ipvs().with_link("bpfin.cali", link(Some("veth"), "", (0, 0)));
    expect_mode(&beside, LiveMode::Ipvs, Detected, &[]);
}

// === kube-proxy ===

#[test]
fn what_answers_is_reported() {
    assert_eq!(
        of(&ipvs()).kube_proxy,
        Some(RunningKubeProxy {
            version: Some("v1.35.4".to_owned()),
            strict_arp: Some(false),
            started: Some(Timestamp::from_unix_seconds(1_700_000_000)),
            healthy: Some(true),
        })
    );
    assert_eq!(of(&ipvs().silent()).kube_proxy, None);
}

#[test]
fn kube_proxys_health_is_told_with_its_cause() {
    expect(&ipvs(), Health::Healthy, &["127.0.0.1:10256"]);
    let mut stale = ipvs();
    stale.endpoints.healthz = Answer::Http {
        status: 503,
        body: r#"{"lastUpdated":"2026-11-22 18:05:00.1 +0000 UTC","currentTime":"2026-11-22 18:11:08 +0000 UTC"}"#
            .to_owned(),
    };
    expect(
        &stale,
        Health::Unhealthy,
        &["2026-11-22 18:05:00", "kubectl -n kube-system logs"],
    );
    let mut looping = ipvs().silent();
    let status = &mut looping.pods.as_mut().expect("pods")[0].containers[0];
    status.started = None;
    status.waiting = Some(("CrashLoopBackOff".to_owned(), String::new()));
    status.last_exit = Some((1, "can't use the IPVS proxier".to_owned()));
    expect(
        &looping,
        Health::CrashLooping,
        &["exit code 1", "can't use the IPVS proxier"],
    );
    let status = &mut looping.pods.as_mut().expect("pods")[0].containers[0];
    status.waiting = Some(("ImagePullBackOff".to_owned(), "no such image".to_owned()));
    expect(
        &looping,
        Health::NotRunning,
        &["ImagePullBackOff: no such image"],
    );
    let mut gone = ipvs().silent();
    gone.pods = Some(Vec::new());
    expect(&gone, Health::NoAnswer, &["no Pod of kube-proxy is here"]);
    let mut deaf = ipvs();
    deaf.endpoints.healthz = Answer::Refused;
    expect(
        &deaf,
        Health::NoAnswer,
        &["nothing listens on 127.0.0.1:10256"],
    );
}

#[test]
fn a_process_older_than_its_configuration_is_told() {
    let strict = ipvs().with_proxy("mode: ipvs\nipvs:\n  strictARP: true\n");
    expect(
        &strict,
        Health::OlderThanConfiguration,
        &["strictARP false", "now says true"],
    );
    expect(
        &strict,
        EffectiveReason::ArpIgnoreTooLow,
        &["has not started with it yet"],
    );
    let mode = ipvs().with_proxy("mode: nftables\n");
    expect(
        &mode,
        Health::OlderThanConfiguration,
        &["mode ipvs", "now says nftables"],
    );
    let ignored = ipvs()
        .without_proxy()
        .running("iptables")
        .with_proxy("mode: iptables\nipvs:\n  strictARP: true\n");
    expect(&ignored, Health::Healthy, &[]);
    let unset = ipvs()
        .without_proxy()
        .running("iptables")
        .with_proxy("mode: \"\"\n");
    expect(&unset, Health::Healthy, &[]);
}

// === ARP ===

#[test]
fn in_mode_ipvs_each_uplink_has_to_be_quiet() {
    use EffectiveReason::{ArpAnnounceTooLow, ArpIgnoreTooLow, Quiet};
    for (all, own, reason) in [
        ((0, 0), (0, 0), ArpIgnoreTooLow),
        ((1, 2), (0, 0), Quiet),
        ((0, 0), (1, 2), Quiet),
        ((0, 2), (2, 0), Quiet),
        ((8, 2), (0, 0), Quiet),
        ((1, 2), (3, 0), ArpIgnoreTooLow),
        ((4, 2), (1, 0), ArpIgnoreTooLow),
        ((1, 1), (1, 0), ArpAnnounceTooLow),
        ((1, 0), (1, 2), Quiet),
    ] {
        let observed = ipvs().with_arp(all, own);
        let report = of(&observed);
        let effective = condition(&report, ConditionType::Effective);
        assert!(effective.is(reason), "{all:?} {own:?}: {effective:?}");
    }
    let two = ipvs()
        .with_arp((0, 0), (1, 2))
        .with_link("eth1", link(None, "203.0.113.5/24", (0, 0)));
    expect(
        &two,
        ArpIgnoreTooLow,
        &[
            "node n1",
            "eth1",
            "net.ipv4.conf.eth1.arp_ignore=0",
            "strictARP: true",
        ],
    );
}

#[test]
fn the_file_that_takes_strict_arp_back_is_named() {
    let mut observed = ipvs();
    observed.endpoints.configz = configz("ipvs", true);
    let files = [
        SysctlFile::parse(
            "/usr/lib/sysctl.d/10-a.conf",
            "net.ipv4.conf.all.arp_ignore = 1\n",
        ),
        SysctlFile::parse(
            "/etc/sysctl.d/99-cni.conf",
            "# ours\nnet.ipv4.conf.all.arp_ignore = 0\n",
        ),
    ];
    let report = report(&observed, &[], &files);
    let message = &condition(&report, ConditionType::Effective).message;
    for words in [
        "runs with strictARP",
        "correct the line named below",
        "/etc/sysctl.d/99-cni.conf line 2 sets net.ipv4.conf.all.arp_ignore to 0",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_value_that_is_too_high_is_lowered_where_it_stands() {
    use EffectiveReason::ArpIgnoreTooLow;
    let all = ipvs().with_arp((3, 2), (0, 0));
    expect(
        &all,
        ArpIgnoreTooLow,
        &[
            "strictARP: true",
            "sysctl -w net.ipv4.conf.all.arp_ignore=1",
        ],
    );
    let own = ipvs().with_arp((1, 2), (4, 0));
    expect(
        &own,
        ArpIgnoreTooLow,
        &["Run sysctl -w net.ipv4.conf.eth0.arp_ignore=1"],
    );
    let both = ipvs().with_arp((8, 2), (8, 0));
    expect(
        &both,
        UplinksAnswerReason::AnswersNothing,
        &["sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth0.arp_ignore=1"],
    );
}

#[test]
fn other_modes_need_nothing_unless_addresses_were_left_behind() {
    let clean = ipvs().without_proxy().running("nftables");
    expect(&clean, EffectiveReason::NotNeeded, &["nftables"]);
    assert!(of(&clean).leftovers.is_empty());
    let left = ipvs().running("iptables");
    expect(
        &left,
        EffectiveReason::AddressesLeftBehind,
        &["198.51.100.1 on kube-ipvs0", "eth0", "mode is iptables"],
    );
    assert_eq!(of(&left).leftovers.len(), 1);
    expect(
        &left.with_arp((1, 0), (0, 0)),
        EffectiveReason::Quiet,
        &["left on the node"],
    );
    assert!(of(&ipvs()).leftovers.is_empty());
}

#[test]
fn while_the_mode_is_unknown_one_sign_of_ipvs_is_enough() {
    let mut observed = ipvs();
    observed.endpoints.configz = configz("nftables", false);
    expect(&observed, EffectiveReason::ArpIgnoreTooLow, &[]);
    assert!(of(&observed).leftovers.is_empty(), "they may be in use");
    let traces = ipvs()
        .without_proxy()
        .with_link("kube-ipvs0", dummy("198.51.100.1/32"));
    let mut unclear = traces.with_chains(&["KUBE-SVC-A"]);
    unclear.endpoints.proxy_mode = Answer::Failed("timeout".to_owned());
    expect(&unclear, EffectiveReason::ArpIgnoreTooLow, &[]);
}

#[test]
fn kube_router_has_the_need_of_mode_ipvs() {
    let observed = ipvs().without_proxy().with_kube_router();
    expect(
        &observed,
        EffectiveReason::ArpIgnoreTooLow,
        &["/etc/sysctl.d"],
    );
    let quiet = observed.with_arp((1, 2), (0, 0));
    expect(&quiet, EffectiveReason::Quiet, &["eth0"]);
}

#[test]
fn sysctls_that_cannot_be_read_are_not_guessed() {
    let mut observed = ipvs();
    observed.kernel.links.get_mut("eth0").expect("eth0").arp = Err("permission denied".to_owned());
    expect(
        &observed,
        EffectiveReason::SysctlsUnreadable,
        &["eth0", "permission denied"],
    );
    expect(&observed, UplinksAnswerReason::SysctlsUnreadable, &["eth0"]);
    assert!(of(&observed).uplinks.is_empty());
    observed.kernel.links.clear();
    observed.kernel.unread = vec!["links: no netlink".to_owned()];
    expect(
        &observed,
        EffectiveReason::SysctlsUnreadable,
        &["no netlink"],
    );
}

#[test]
fn an_uplink_that_answers_too_little_is_told() {
    use UplinksAnswerReason::{Answering, AnswersNothing, AnswersOwnSubnetOnly};
    for (all, own, reason) in [
        (0, 0, Answering),
        (1, 0, Answering),
        (2, 0, AnswersOwnSubnetOnly),
        (1, 8, AnswersNothing),
        (8, 2, AnswersNothing),
    ] {
        let observed = ipvs().with_arp((all, 2), (own, 0));
        expect(&observed, reason, &["eth0"]);
    }
}

// === all of it ===

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Refused),
        Just(Answer::Failed("timeout".to_owned())),
        "(ipvs|iptables|nftables|kernelspace|x)".prop_map(|body| http(&body)),
        (any::<bool>(), "(ipvs|iptables|nftables|)")
            .prop_map(|(strict, mode)| configz(&mode, strict)),
        any::<u16>().prop_map(|status| Answer::Http {
            status,
            body: "x".to_owned()
        }),
    ]
}

prop_compose! {
    fn worlds()(
        proxy_mode in answers(),
        configz in answers(),
        healthz in answers(),
        pods in prop::option::of(prop::collection::vec(0..5_usize, 0..3)),
        kube_ipvs0 in any::<bool>(),
        chains in any::<bool>(),
        all in (0..9, 0..3),
        own in (0..9, 0..3),
        unreadable in any::<bool>(),
    ) -> Observed {
        let mut observed = ipvs().without_proxy().with_arp(all, own);
        observed.endpoints.proxy_mode = proxy_mode;
        observed.endpoints.configz = configz;
        observed.endpoints.healthz = healthz;
        for pod in pods.iter().flatten() {
            observed = match pod {
                0 => observed.with_proxy("mode: ipvs\n"),
                1 => observed.with_proxy("mode: iptables\n"),
                2 => observed.with_antrea(":v2.1.0", PROXY_ALL),
                3 => observed.with_cilium("true"),
                _ => observed.with_kube_router(),
            };
        }
        if pods.is_none() {
            observed.pods = None;
        }
        if kube_ipvs0 {
            observed = observed.with_link("kube-ipvs0", dummy("198.51.100.1/32"));
        }
        if chains {
            observed = observed.with_chains(&["KUBE-SVC-A"]);
        }
        if unreadable {
            observed.kernel.links.get_mut("eth0").expect("eth0").arp = Err("no".to_owned());
        }
        observed
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_world_gets_each_condition_once_and_each_witness_once(observed in worlds()) {
        let report = of(&observed);
        let kinds: Vec<ConditionType> = report.conditions.iter().map(|found| found.kind).collect();
        prop_assert_eq!(kinds, ConditionType::OF_NODE);
        for condition in &report.conditions {
            prop_assert!(condition.message.starts_with("node n1: "), "{}", condition.message);
            prop_assert!(!condition.message.contains(". ."), "{}", condition.message);
        }
        prop_assert!(report.evidence.is_sorted_by_key(|evidence| evidence.witness));
        prop_assert!(report.evidence.windows(2).all(|pair| pair[0].witness != pair[1].witness));
    }

    #[test]
    fn a_known_mode_is_detected_and_an_unknown_one_never(observed in worlds()) {
        let report = of(&observed);
        let detected = condition(&report, ConditionType::ModeDetected);
        prop_assert_eq!(detected.is(Detected), report.mode != LiveMode::Unknown);
    }

    #[test]
    fn a_node_that_answers_for_addresses_on_kube_ipvs0_is_never_called_quiet(observed in worlds()) {
        let report = of(&observed);
        let effective = condition(&report, ConditionType::Effective);
        let loud = report.uplinks.iter().any(|uplink| !matches!(uplink.arp_ignore, 1 | 2 | 8));
        if observed.kernel.links.contains_key("kube-ipvs0") && loud {
            prop_assert_eq!(effective.status, crate::condition::ConditionStatus::False);
        }
    }
}
