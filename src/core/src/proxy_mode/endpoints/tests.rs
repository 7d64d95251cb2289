use proptest::prelude::*;

use super::*;

#[test]
fn the_mode_is_the_one_word_of_the_body() {
    assert_eq!(proxy_mode("ipvs"), Ok(ProxyMode::Ipvs));
    assert_eq!(proxy_mode("nftables\n"), Ok(ProxyMode::Nftables));
    assert!(proxy_mode("").is_err());
    let long = proxy_mode(&"<html>".repeat(1000)).expect_err("no mode");
    assert!(long.0.len() < 50, "{long}");
}

#[test]
fn both_forms_of_configz_say_the_same() {
    let up_to_1_35 = r#"{"kubeproxy.config.k8s.io":{"FeatureGates":{},"Mode":"ipvs",
        "IPVS":{"SyncPeriod":"30s","StrictARP":true,"ExcludeCIDRs":null},
        "HealthzBindAddress":"0.0.0.0:10256","MetricsBindAddress":"127.0.0.1:10249"}}"#;
    let from_1_36 = r#"{"kubeproxy.config.k8s.io":{"kind":"KubeProxyConfiguration","mode":"ipvs",
        "ipvs":{"syncPeriod":"30s","strictARP":true},
        "healthzBindAddress":"0.0.0.0:10256","metricsBindAddress":"127.0.0.1:10249"}}"#;
    let expected = LiveConfig {
        mode: Some(ProxyMode::Ipvs),
        strict_arp: Some(true),
        metrics_bind_address: Some("127.0.0.1:10249".to_owned()),
        healthz_bind_address: Some("0.0.0.0:10256".to_owned()),
    };
    assert_eq!(configz(up_to_1_35), Ok(expected.clone()));
    assert_eq!(configz(from_1_36), Ok(expected));
}

#[test]
fn configz_that_tells_nothing_says_why() {
    let empty = r#"{"kubeproxy.config.k8s.io":{"mode":""}}"#;
    assert_eq!(configz(empty), Ok(LiveConfig::default()));
    let wrong = r#"{"kubeproxy.config.k8s.io":{"Mode":"userspace"}}"#;
    assert!(matches!(configz(wrong), Err(ConfigzError::Mode(_))));
    let kubelet = r#"{"kubeletconfig":{"mode":"ipvs"}}"#;
    assert_eq!(configz(kubelet), Err(ConfigzError::NotKubeProxy));
    assert!(matches!(configz("404"), Err(ConfigzError::NotKubeProxy)));
    assert!(matches!(configz("<html>"), Err(ConfigzError::NotJson(_))));
}

#[test]
fn metrics_name_the_version_and_the_start_of_the_process() {
    let text = "# HELP kubernetes_build_info [BETA] A metric\n# TYPE kubernetes_build_info gauge\n\
        kubernetes_build_info{build_date=\"2026-01-01T00:00:00Z\",compiler=\"gc\",git_commit=\"abc\",\
        git_tree_state=\"clean\",git_version=\"v1.35.4\",go_version=\"go1.25\",major=\"1\"} 1\n\
        process_start_time_seconds 1.79537106845e+09\n";
    assert_eq!(
        metrics(text),
        Process {
            version: Some("v1.35.4".to_owned()),
            started: Some(Timestamp::from_unix_seconds(1_795_371_068)),
        }
    );
    for nothing in [
        "",
        "process_start_time_seconds NaN\n",
        "process_start_time_seconds +Inf\n",
        "process_start_time_seconds -5\nkubernetes_build_info{} 1\n",
        "kubernetes_build_info{git_version=\"} 1\n",
    ] {
        assert_eq!(metrics(nothing), Process::default(), "{nothing}");
    }
}

#[test]
fn a_node_that_is_about_to_go_is_not_an_unhealthy_kube_proxy() {
    let body = |updated: &str, eligible: bool| {
        format!(
            r#"{{"lastUpdated": "{updated}","currentTime": "2026-11-22 18:11:08.5 +0000 UTC m=+99.1", "nodeEligible": {eligible}}}"#
        )
    };
    let now = "2026-11-22 18:11:08.5 +0000 UTC m=+99.1";
    let earlier = "2026-11-22 18:05:00.1 +0000 UTC m=+7.0";
    assert_eq!(healthz(200, &body(now, true)), Health::UpToDate);
    assert_eq!(healthz(503, &body(now, false)), Health::NodeLeaving);
    let stale = Health::Stale {
        last_updated: Some("2026-11-22 18:05:00".to_owned()),
    };
    assert_eq!(healthz(503, &body(earlier, true)), stale);
    assert_eq!(healthz(503, &body(earlier, false)), stale);
    assert_eq!(healthz(503, "down"), Health::Stale { last_updated: None });
    assert_eq!(healthz(404, ""), Health::Foreign(404));
}

proptest! {
    #[test]
    fn any_body_is_read_without_panic(body in ".{0,200}", status in any::<u16>()) {
        let _ = proxy_mode(&body);
        let _ = configz(&body);
        let _ = metrics(&body);
        let _ = healthz(status, &body);
    }

    #[test]
    fn any_json_is_read_without_panic(
        keys in prop::collection::vec("(mode|Mode|ipvs|IPVS|strictARP|lastUpdated)", 0..4),
        value in "(null|true|1|\"ipvs\"|\"\"|\\[\\]|\\{\\}|\\{\"strictARP\":(1|true|\"x\")\\})",
    ) {
        let fields: Vec<String> = keys.iter().map(|key| format!("{key:?}:{value}")).collect();
        let object = format!("{{{}}}", fields.join(","));
        let _ = configz(&format!(r#"{{"kubeproxy.config.k8s.io":{object}}}"#));
        let _ = healthz(503, &object);
    }

    #[test]
    fn any_metrics_are_read_without_panic(
        labels in "[a-z_=\",{} \\\\]{0,40}",
        number in "[0-9eE+.NaInf-]{0,20}",
    ) {
        let text = format!("kubernetes_build_info{{{labels}\nprocess_start_time_seconds {number}\n");
        let _ = metrics(&text);
    }

    #[test]
    fn a_mode_is_read_from_either_form_of_any_configuration(
        mode in prop::sample::select(ProxyMode::ALL.to_vec()),
        strict in any::<bool>(),
        go in any::<bool>(),
    ) {
        let (m, i, s) = if go { ("Mode", "IPVS", "StrictARP") } else { ("mode", "ipvs", "strictARP") };
        let body = format!(r#"{{"kubeproxy.config.k8s.io":{{"{m}":"{mode}","{i}":{{"{s}":{strict}}}}}}}"#);
        let read = configz(&body).expect("a configuration");
        prop_assert_eq!((read.mode, read.strict_arp), (Some(mode), Some(strict)));
    }
}
