use proptest::prelude::*;

use super::*;

fn read(text: &str) -> AntreaConfig {
    AntreaConfig::parse(text).expect("a configuration")
}

#[test]
fn a_key_that_is_commented_out_has_its_default() {
    let default = AntreaConfig {
        enabled: true,
        proxy_all: false,
        load_balancer_ips: true,
        skip_services: Vec::new(),
    };
    for text in [
        "",
        "# antreaProxy:\n#   proxyAll: true\n",
        "antreaProxy:\n#  enable: true\n#  proxyAll: true\n",
        "featureGates:\n# AntreaProxy: true\n",
        "featureGates:\n  Egress: true\nantreaProxy:\n  nodePortAddresses: []\n",
        "ovsBridge: br-int\n",
    ] {
        assert_eq!(read(text), default, "{text:?}");
    }
}

#[test]
fn what_is_said_counts() {
    let text = "antreaProxy:\n  enable: true\n  proxyAll: true\n  skipServices: [\"kube-system/kube-dns\"]\n  \
                proxyLoadBalancerIPs: false\n";
    assert_eq!(
        read(text),
        AntreaConfig {
            enabled: true,
            proxy_all: true,
            load_balancer_ips: false,
            skip_services: vec!["kube-system/kube-dns".to_owned()],
        }
    );
}

#[test]
fn without_antrea_proxy_there_is_no_proxy_all() {
    for text in [
        "antreaProxy: {enable: false, proxyAll: true}",
        "featureGates: {AntreaProxy: false}\nantreaProxy: {proxyAll: true}",
    ] {
        let config = read(text);
        assert!(!config.enabled && !config.proxy_all, "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_so_in_one_line() {
    for text in ["antreaProxy: [", "antreaProxy: {proxyAll: perhaps}", "- a"] {
        let error = AntreaConfig::parse(text).expect_err(text);
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn the_version_is_in_the_tag() {
    for (image, version) in [
        ("antrea/antrea-agent-ubuntu:v2.1.0", Some((2, 1))),
        ("registry:5000/antrea/antrea-ubuntu:v1.15.3", Some((1, 15))),
        (
            "antrea/antrea-agent-ubuntu:v2.4.0-rc.1@sha256:00",
            Some((2, 4)),
        ),
        ("antrea/antrea-agent-ubuntu:latest", None),
        ("registry:5000/antrea/antrea-ubuntu", None),
        ("antrea/antrea-ubuntu@sha256:12", None),
    ] {
        assert_eq!(image_version(image), version, "{image}");
    }
    let old = AntreaVersion {
        major: 1,
        minor: 15,
    };
    assert!(old < AntreaVersion::GOES_FIRST);
    assert_eq!(
        AntreaVersion::of_image("antrea:v2.1.0"),
        Some(AntreaVersion::GOES_FIRST)
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,200}") {
        let _ = AntreaConfig::parse(&text);
        let _ = AntreaVersion::of_image(&text);
    }

    #[test]
    fn any_setting_is_read_as_it_is_written(
        enable in any::<bool>(), all in any::<bool>(), ips in any::<bool>(), commented in any::<bool>(),
    ) {
        let mark = if commented { "#" } else { "" };
        let text = format!(
            "antreaProxy:\n  enable: {enable}\n  {mark}proxyAll: {all}\n  {mark}proxyLoadBalancerIPs: {ips}\n"
        );
        let config = read(&text);
        prop_assert_eq!(config.enabled, enable);
        prop_assert_eq!(config.proxy_all, enable && all && !commented);
        prop_assert_eq!(config.load_balancer_ips, ips || commented);
    }
}

#[test]
fn antrea_serves_external_ips_by_its_gate_or_else_by_its_version() {
    let version = |major, minor| Some(AntreaVersion { major, minor });
    let on = "featureGates:\n  ServiceExternalIP: true\n  AntreaPolicy: false\n";
    let off = "featureGates: {ServiceExternalIP: false}";
    let unset = "featureGates:\n# ServiceExternalIP: false\nclusterPort: 10351\n";
    for (text, version, serves) in [
        (on, version(1, 5), true),
        (off, version(2, 6), false),
        (off, None, false),
        (unset, version(2, 2), false),
        (unset, version(2, 3), true),
        (unset, version(3, 0), true),
        (unset, None, true),
        ("", version(1, 15), false),
        ("# nothing\n", version(2, 4), true),
    ] {
        let config = AntreaControllerConfig::parse(text).expect(text);
        assert_eq!(config.serves(version), serves, "{text:?} {version:?}");
    }
    let unreadable = AntreaControllerConfig::parse("featureGates: [");
    assert!(unreadable.is_err(), "{unreadable:?}");
}
