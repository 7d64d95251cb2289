use super::*;

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

fn container(command: &[&str], args: &[&str]) -> Container {
    Container {
        name: "kube-proxy".to_owned(),
        image: "registry.k8s.io/kube-proxy:v1.35.4".to_owned(),
        command: words(command),
        args: words(args),
        ..Container::default()
    }
}

/// (what, command, args, config, mode, strict)
type Case<'a> = (
    &'a str,
    &'a [&'a str],
    &'a [&'a str],
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
);

#[test]
fn command_lines_are_read_as_kube_proxy_reads_them() {
    let cases: &[Case<'_>] = &[
        (
            "kubeadm",
            &[
                "/usr/local/bin/kube-proxy",
                "--config=/var/lib/kube-proxy/config.conf",
                "--hostname-override=$(NODE_NAME)",
            ],
            &[],
            Some("/var/lib/kube-proxy/config.conf"),
            None,
            None,
        ),
        (
            "value in the next word",
            &["kube-proxy", "--config", "/etc/kp/config.yaml"],
            &[],
            Some("/etc/kp/config.yaml"),
            None,
            None,
        ),
        (
            "flags in args",
            &["kube-proxy"],
            &["--v=2", "--config=/a"],
            Some("/a"),
            None,
            None,
        ),
        (
            "entry point of the image",
            &[],
            &["--config=/a"],
            Some("/a"),
            None,
            None,
        ),
        (
            "behind a log wrapper",
            &["/go-runner"],
            &[
                "--log-file=/var/log/kube-proxy.log",
                "/usr/local/bin/kube-proxy",
                "--config=/a",
            ],
            Some("/a"),
            None,
            None,
        ),
        (
            "hyperkube",
            &["/hyperkube", "proxy", "--proxy-mode=ipvs"],
            &[],
            None,
            Some("ipvs"),
            None,
        ),
        (
            "shell",
            &["/bin/sh", "-c"],
            &["exec kube-proxy --config=/a 1>>/var/log/kube-proxy.log 2>&1"],
            Some("/a"),
            None,
            None,
        ),
        (
            "script with quotes, comments, joined lines and a look-alike before it",
            &[
                "/bin/bash",
                "-ec",
                "# kube-proxy --config=/no\nset -e; echo 'kube-proxy --config=/no'\nif [ -f /x ]; then . /x; fi\nexec /usr/bin/kube-proxy \\\n  --config=\"/etc/my dir/a\" --v=2\n",
            ],
            &[],
            Some("/etc/my dir/a"),
            None,
            None,
        ),
        (
            "flags only",
            &["kube-proxy", "--proxy-mode=ipvs", "--ipvs-strict-arp"],
            &[],
            None,
            Some("ipvs"),
            Some("true"),
        ),
        (
            "a bare boolean takes no value",
            &["kube-proxy", "--ipvs-strict-arp", "false"],
            &[],
            None,
            None,
            Some("true"),
        ),
        (
            "last one wins, underscores are dashes",
            &[
                "kube-proxy",
                "--proxy_mode",
                "iptables",
                "--proxy-mode=ipvs",
                "--ipvs_strict_arp=false",
            ],
            &[],
            None,
            Some("ipvs"),
            Some("false"),
        ),
        (
            "empty --config is none",
            &["kube-proxy", "--config=", "--proxy-mode=nftables"],
            &[],
            None,
            Some("nftables"),
            None,
        ),
        (
            "nothing after a double dash",
            &["kube-proxy", "--", "--config=/a"],
            &[],
            None,
            None,
            None,
        ),
    ];
    for (what, command, args, config, mode, strict) in cases {
        let line = CommandLine::of(&container(command, args)).expect(what);
        assert_eq!(line.config.as_deref(), *config, "{what}");
        assert_eq!(line.proxy_mode.as_deref(), *mode, "{what}");
        assert_eq!(line.ipvs_strict_arp.as_deref(), *strict, "{what}");
    }
}

#[test]
fn containers_that_run_something_else_have_no_command_line() {
    let mut exporter = container(&["/exporter", "--target=kube-proxy"], &[]);
    exporter.image = "example.org/kube-proxy-exporter:1".to_owned();
    assert_eq!(CommandLine::of(&exporter), None);
    let mut rbac = container(&[], &["--upstream=http://127.0.0.1:10249/"]);
    rbac.image = "quay.io/brancz/kube-rbac-proxy:v0.18".to_owned();
    assert_eq!(CommandLine::of(&rbac), None);
    assert_eq!(
        CommandLine::of(&container(&["sh", "-c", "sleep 1 # kube-proxy"], &[])),
        None
    );
}

#[test]
fn literal_variables_are_filled_in() {
    let mut container = container(&["kube-proxy", "--config=$(DIR)/$$(DIR)/$(NODE)"], &[]);
    container
        .env
        .insert("DIR".to_owned(), Some("/etc/kp".to_owned()));
    container.env.insert("NODE".to_owned(), None);
    let line = CommandLine::of(&container).expect("runs kube-proxy");
    assert_eq!(line.config.as_deref(), Some("/etc/kp/$(DIR)/$(NODE)"));
}

#[test]
fn flags_next_to_config_are_named_as_ignored() {
    let line = CommandLine::parse(&words(&[
        "--config=/a",
        "--proxy-mode=ipvs",
        "--ipvs-strict-arp",
    ]));
    assert_eq!(
        line.ignored(),
        ["--proxy-mode=ipvs", "--ipvs-strict-arp=true"]
    );
    let line = CommandLine::parse(&words(&["--proxy-mode=ipvs"]));
    assert!(line.ignored().is_empty());
}

#[test]
fn flags_that_stop_kube_proxy_are_kept_as_such() {
    let flags = CommandLine::parse(&words(&["--proxy-mode=IPVS", "--ipvs-strict-arp=yes"])).flags();
    assert_eq!(flags.mode, Err(UnknownMode("IPVS".to_owned())));
    assert_eq!(flags.strict_arp, Err("yes".to_owned()));
    let flags = CommandLine::parse(&[]).flags();
    assert_eq!(flags.mode, Ok(None));
    assert_eq!(flags.strict_arp, Ok(false));
}

#[test]
fn image_names_are_without_registry_tag_and_digest() {
    for (image, name) in [
        ("registry.k8s.io/kube-proxy:v1.35.4", "kube-proxy"),
        ("localhost:5000/kube-proxy@sha256:0011", "kube-proxy"),
        ("rancher/hardened-kubernetes:v1", "hardened-kubernetes"),
        ("", ""),
    ] {
        assert_eq!(image_name(image), name);
    }
}
