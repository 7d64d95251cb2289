//! The main job on a real cluster: kube-proxy in IPVS mode makes three nodes answer for one address, and
//! `kubectl mooring` cures it; and whatever else it may find there, it does no harm.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cargo;
mod plugin;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;

use plugin::{Cluster, changed_lines, tell, wait_for};
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 200));

#[test]
fn kube_proxy_is_repaired_and_nothing_else_is_touched() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "repair")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    for (story, run) in STORIES {
        tell(story, || run(&cluster));
    }
    cluster.bed.down().unwrap();
}

type Story = fn(&Cluster);

/// In this order: each begins where the one before it ended.
const STORIES: &[(&str, Story)] = &[
    (
        "three nodes answer, and a fix makes them stop",
        false_is_fixed,
    ),
    ("with strictARP true nothing is written", true_is_left_alone),
    (
        "a change that no kube-proxy has read yet is rolled out and not written again",
        pending_restart_is_rolled_out,
    ),
    ("a missing key is added", absent_key_is_added),
    ("a broken text is refused", broken_text_is_refused),
    ("an edit made in between survives", concurrent_edit_survives),
    ("missing permissions are named", missing_permission_is_named),
];

fn false_is_fixed(cluster: &Cluster) {
    cluster.expose_web_server(ADDRESS);
    let all: BTreeSet<String> = cluster.nodes().into_iter().collect();
    assert_eq!(all.len(), 3);
    wait_for("all three nodes answer", || {
        cluster.bed.answering(ADDRESS).unwrap() == all
    });

    cluster
        .mooring(&["check"])
        .expect_code(1)
        .expect_text("NOT SAFE (StrictArpOff)");
    let report = cluster.check(1);
    assert_eq!(
        (&report["verdict"], &report["reason"]),
        (&"notSafe".into(), &"StrictArpOff".into())
    );
    assert_eq!(report["configMaps"][0]["strictARP"], false);

    // A dry run, and a run with nobody to ask, show the plan and write nothing.
    let (before, versions) = (cluster.config_map(), cluster.versions());
    cluster
        .mooring(&["fix", "--dry-run"])
        .expect_code(1)
        .expect_text("\n-  strictARP: false\n+  strictARP: true\n");
    cluster
        .mooring(&["fix"])
        .expect_code(2)
        .expect_text("--yes");
    assert_eq!(cluster.versions(), versions);

    let outcome = cluster.mooring(&["fix", "--yes"]).expect_code(0);
    for node in &all {
        let ready = format!("node {node}: new pod kube-proxy-");
        assert!(
            outcome.stdout.contains(&ready),
            "no progress for {node} in:\n{}",
            outcome.stdout
        );
    }
    let after = cluster.config_map();
    let text = |map: &serde_json::Value, key: &str| map["data"][key].as_str().unwrap().to_owned();
    assert_eq!(
        changed_lines(&text(&before, plugin::KEY), &text(&after, plugin::KEY)),
        [("  strictARP: false", "  strictARP: true")]
    );
    assert_eq!(
        text(&before, "kubeconfig.conf"),
        text(&after, "kubeconfig.conf")
    );

    // The end state that fix reported is the kernel's, at once.
    for node in &all {
        let sysctls =
            "cat /proc/sys/net/ipv4/conf/all/arp_ignore /proc/sys/net/ipv4/conf/all/arp_announce";
        assert_eq!(
            cluster.bed.run_on(node, sysctls).unwrap(),
            "1\n2\n",
            "sysctls of {node} after the fix"
        );
    }
    assert_eq!(cluster.bed.answering(ADDRESS).unwrap(), BTreeSet::new());
    cluster
        .mooring(&["check"])
        .expect_code(0)
        .expect_text("SAFE (Applied)");
}

fn true_is_left_alone(cluster: &Cluster) {
    let versions = cluster.versions();
    cluster
        .mooring(&["fix", "--yes"])
        .expect_code(0)
        .expect_text("Nothing was written");
    assert_eq!(cluster.versions(), versions);
}

fn pending_restart_is_rolled_out(cluster: &Cluster) {
    let text = cluster.text();
    cluster.set_text(&text.replace("strictARP: true", "strictARP: false"));
    cluster.restart_kube_proxy("ipvs");
    cluster.set_text(&text);
    let (config, generation) = cluster.versions();
    let report = cluster.check(1);
    assert_eq!(report["configMaps"][0]["strictARP"], true);
    cluster.mooring(&["fix", "--yes"]).expect_code(0);
    assert_eq!(
        cluster.versions(),
        (config, generation + 1),
        "one rollout and no write of the ConfigMap"
    );
    assert_eq!(cluster.text(), text);
}

fn absent_key_is_added(cluster: &Cluster) {
    let with_key = cluster.text();
    let without = with_key.replace("  strictARP: true\n", "");
    assert_ne!(without, with_key);
    cluster.set_text(&without);
    cluster.mooring(&["fix", "--yes"]).expect_code(0);
    let fixed = cluster.text();
    let added: Vec<&str> = fixed
        .lines()
        .filter(|line| line.contains("strictARP"))
        .collect();
    assert_eq!(added, ["  strictARP: true"]);
    assert_eq!(fixed.replace("  strictARP: true\n", ""), without);
}

fn broken_text_is_refused(cluster: &Cluster) {
    let good = cluster.text();
    cluster.set_text(&good.replace("bindAddress: 0.0.0.0", "bindAddress: ::"));
    let versions = cluster.versions();
    for arguments in [
        &["check"][..],
        &["fix", "--yes"],
        &["fix", "--yes", "--force", "--force-mode"],
    ] {
        let outcome = cluster.mooring(arguments);
        assert_ne!(
            outcome.code, 0,
            "{arguments:?} takes a text for safe with which kube-proxy does not start"
        );
        outcome.expect_text("line 2");
    }
    assert_eq!(cluster.versions(), versions);
    cluster.set_text(&good);
}

/// The edit is made while `fix` waits for its answer on a terminal.
fn concurrent_edit_survives(cluster: &Cluster) {
    let text = cluster
        .text()
        .replace("strictARP: true", "strictARP: false");
    cluster.set_text(&text);
    let mut fix = cluster
        .command("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            "kubectl mooring fix",
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut terminal = BufReader::new(fix.stdout.take().unwrap());
    let mut keyboard = fix.stdin.take().unwrap();
    let shown = read_until_question(&mut terminal);
    assert!(shown.contains("+  strictARP: true"), "{shown}");

    let edited = text.replace("scheduler: \"\"", "scheduler: lc");
    assert_ne!(edited, text);
    cluster.set_text(&edited);
    keyboard.write_all(b"y\n").unwrap();
    // It may ask again, as what it would change has changed.
    let mut rest = String::new();
    let again = std::thread::spawn(move || {
        let _ = keyboard.write_all(b"y\n");
        keyboard
    });
    terminal.read_to_string(&mut rest).unwrap();
    drop(again.join().unwrap());
    assert!(fix.wait().unwrap().success(), "{rest}");
    assert_eq!(
        cluster.text(),
        edited.replace("strictARP: false", "strictARP: true")
    );
    cluster.check(0);
}

fn missing_permission_is_named(cluster: &Cluster) {
    let text = cluster
        .text()
        .replace("strictARP: true", "strictARP: false");
    cluster.set_text(&text);
    let versions = cluster.versions();
    let narrow = user_who_may(cluster, &["get", "list", "watch"]);
    cluster
        .mooring(&["--kubeconfig", &narrow, "check"])
        .expect_code(1);
    cluster
        .mooring(&["--kubeconfig", &narrow, "fix", "--yes"])
        .expect_code(2)
        .expect_text("patch")
        .expect_text("configmaps")
        .expect_text("kube-system");
    let blind = user_who_may(cluster, &["watch"]);
    cluster
        .mooring(&["--kubeconfig", &blind, "check"])
        .expect_code(2)
        .expect_text("list")
        .expect_text("daemonsets");
    assert_eq!(cluster.versions(), versions);
}

/// A service account with these verbs on what `check` reads; returns the path of its kubeconfig.
fn user_who_may(cluster: &Cluster, verbs: &[&str]) -> String {
    let name = format!("may-{}", verbs.join("-"));
    let bed = &cluster.bed;
    bed.kubectl(&["create", "serviceaccount", &name]).unwrap();
    let verbs = format!("--verb={}", verbs.join(","));
    let resources = "--resource=configmaps,pods,nodes,daemonsets.apps,services";
    bed.kubectl(&["create", "clusterrole", &name, &verbs, resources])
        .unwrap();
    let subject = format!("--serviceaccount=default:{name}");
    let role = format!("--clusterrole={name}");
    bed.kubectl(&["create", "clusterrolebinding", &name, &role, &subject])
        .unwrap();
    let token = bed.kubectl(&["create", "token", &name]).unwrap();
    let path = format!("/run/testbed/kubernetes/{name}.kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: x,
          clusters: [{{name: x, cluster: {{server: 'https://10.77.0.2:6443', certificate-authority: ca.crt}}}}],
          users: [{{name: x, user: {{token: '{}'}}}}],
          contexts: [{{name: x, context: {{cluster: x, user: x}}}}]}}",
        token.trim()
    );
    std::fs::write(bed.see(Path::new(&path)), text).unwrap();
    path
}

/// Reads up to the question, which does not end in a line break.
fn read_until_question(terminal: &mut impl BufRead) -> String {
    let mut shown = Vec::new();
    while !shown.ends_with(b"[y/N] ") {
        let mut byte = [0];
        assert_eq!(
            terminal.read(&mut byte).unwrap(),
            1,
            "no question in {}",
            String::from_utf8_lossy(&shown)
        );
        shown.push(byte[0]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}
