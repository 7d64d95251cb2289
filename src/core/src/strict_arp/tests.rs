//! Behaviours that the corpus of whole files does not show: the words, the JSON form, large texts, single rules of Go's.

use super::scalar::{self, Value};
use super::tree::Style;
use super::*;
use super::{address, proof, splice, window};

const HEAD: &str =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n";

fn decided(tail: &str) -> Decision {
    decide(format!("{HEAD}{tail}").as_bytes(), &Context::default())
}

#[test]
fn a_decision_serialises_in_the_order_of_the_contract() {
    let decision = decided("ipvs:\n  strictARP: \"false\"\n");
    let json = serde_json::to_string(&decision).unwrap();
    let text = serde_json::to_string(decision.text().unwrap()).unwrap();
    assert_eq!(
        json,
        format!(
            "{{\"verdict\":\"patched\",\"reason\":\"ValueReplaced\",\"message\":{},\"line\":5,\"warnings\":[{{\"reason\":\
             \"QuotedBoolean\",\"message\":{},\"line\":5}}],\"text\":{text}}}",
            serde_json::to_string(&decision.message()).unwrap(),
            serde_json::to_string(&decision.warnings()[0].message).unwrap(),
        )
    );
    let refused = serde_json::to_value(decide(b"", &Context::default())).unwrap();
    assert_eq!(refused["text"], serde_json::Value::Null);
    assert_eq!(refused["line"], serde_json::Value::Null);
    assert_eq!(refused["reason"], "NoConfiguration");
}

#[test]
fn the_diff_carries_the_labels_and_one_changed_line() {
    let diff = decided("ipvs:\n  strictARP: false\n")
        .diff("before", "after")
        .unwrap();
    assert!(diff.starts_with("--- before\n+++ after\n"), "{diff}");
    assert!(
        diff.contains("\n-  strictARP: false\n+  strictARP: true\n"),
        "{diff}"
    );
}

#[test]
fn a_refused_duplicate_names_both_lines() {
    let decision = decided("ipvs:\n  strictARP: false\n  scheduler: rr\n  strictARP: true\n");
    assert_eq!(decision.line(), Some(7));
    assert!(
        decision.message().contains("line 7") && decision.message().contains("line 5"),
        "{}",
        decision.message()
    );
}

#[test]
fn a_comment_on_the_edited_line_is_kept_and_quoted_in_the_warning() {
    let decision = decided("ipvs:\n  strictARP: false # keep off, ticket 7\n");
    assert!(
        decision
            .text()
            .unwrap()
            .ends_with("strictARP: true # keep off, ticket 7\n")
    );
    assert!(
        decision.warnings()[0]
            .message
            .contains("# keep off, ticket 7")
    );
}

#[test]
fn the_address_to_ask_for_the_live_mode_has_kube_proxys_defaults() {
    let metrics = |tail: &str| {
        read(format!("{HEAD}{tail}").as_bytes())
            .unwrap()
            .metrics_bind_address
    };
    assert_eq!(metrics(""), "127.0.0.1:10249");
    assert_eq!(metrics("bindAddress: \"::\"\n"), "[::1]:10249");
    assert_eq!(metrics("metricsBindAddress: 0.0.0.0\n"), "0.0.0.0:10249");
    assert_eq!(
        metrics("metricsBindAddress: \"fd00::1\"\n"),
        "[fd00::1]:10249"
    );
    assert_eq!(
        metrics("metricsBindAddress: 10.0.0.1:29102\n"),
        "10.0.0.1:29102"
    );
}

#[test]
fn scalars_are_read_as_go_reads_them() {
    let plain = |text| scalar::resolve(text, Style::Plain, None, false).unwrap();
    for (text, value) in [
        ("0x1F", Value::Int(31)),
        ("017", Value::Int(15)),
        ("0o17", Value::Int(15)),
        ("0b11", Value::Int(3)),
        ("1_000", Value::Int(1000)),
        ("08", Value::Float(8.0)),
        ("-5", Value::Int(-5)),
        ("+5", Value::Int(5)),
        (".5", Value::Float(0.5)),
        ("1e3", Value::Float(1000.0)),
        ("18446744073709551615", Value::Int(i128::from(u64::MAX))),
        ("10.0.0.1", Value::Text("10.0.0.1")),
        ("2001-01-01", Value::Text("2001-01-01")),
        ("tRUE", Value::Text("tRUE")),
        ("30s", Value::Text("30s")),
        ("", Value::Null),
    ] {
        assert_eq!(plain(text), value, "{text}");
    }
    assert_eq!(
        scalar::resolve("yes", Style::Quoted, None, false).unwrap(),
        Value::Text("yes")
    );
}

#[test]
fn durations_and_addresses_are_read_as_go_reads_them() {
    assert_eq!(address::duration("1h0m0.5s"), Some(3_600_500_000_000));
    assert_eq!(address::duration("-.5s"), Some(-500_000_000));
    for wrong in ["", "s", "5", "1 s", "1d", "1..5s", "99999999999h"] {
        assert_eq!(address::duration(wrong), None, "{wrong}");
    }
    assert!(address::ip("010.0.0.1").is_some() && address::ip("10.0.0").is_none());
    assert!(address::ip("fe80::1%eth0").is_none() && address::cidr("fd00::/129").is_none());
    assert!(
        address::is_bind_address("[::1]:80")
            && !address::is_bind_address("::1:80:")
            && !address::is_bind_address("1.2.3.4:0")
    );
}

fn large(tail: &str) -> String {
    let list: String = (0..9000)
        .map(|number| format!("  - 10.{}.{}.0/24\n", number / 256, number % 256))
        .collect();
    let extra: String = (0..4000)
        .map(|number| format!("  key{number}: \"v{number}\" # remark\n"))
        .collect();
    format!(
        "{HEAD}extra:\n{extra}ipvs:\n  excludeCIDRs:\n{list}{tail}iptables:\n  strictARP: false\n"
    )
}

#[test]
fn a_large_text_is_edited_as_a_small_one_and_the_whole_of_it_holds() {
    for (tail, changed) in [("  strictARP: false\n", 2), ("  syncPeriod: 30s\n", 1)] {
        let text = large(tail);
        let decision = decide(text.as_bytes(), &Context::default());
        assert_eq!(
            decision.verdict(),
            Verdict::Patched,
            "{}",
            decision.message()
        );
        let diff = decision.diff("a", "b").unwrap();
        let lines = diff
            .lines()
            .skip(2)
            .filter(|line| line.starts_with(['+', '-']))
            .count();
        assert_eq!(lines, changed, "{diff}");
        assert_eq!(
            decide(decision.text().unwrap().as_bytes(), &Context::default()).verdict(),
            Verdict::Already
        );
    }
}

#[test]
fn a_large_text_is_proved_by_a_small_part_that_holds_the_edit() {
    let text = large("  strictARP: false\n");
    let reading = config::read(text.as_bytes()).unwrap();
    let edit = splice::plan(&reading).unwrap().remove(0);
    let (before, after) = window::around(&reading, &edit).unwrap();
    assert!(
        before.len() < 400 * 1024
            && before.contains("strictARP: false")
            && !before.contains("key17")
    );
    assert_eq!(before.replace("strictARP: false", "strictARP: true"), after);
}

#[test]
fn a_wrong_edit_does_not_pass_the_proof() {
    let text = format!(
        "{HEAD}portRange: \"\"\nipvs:\n  scheduler: rr\n  strictARP: false\niptables:\n  masqueradeAll: false\n"
    );
    let reading = config::read(text.as_bytes()).unwrap();
    let at = |needle: &str| text.find(needle).unwrap();
    let edit = |range, text: &str| splice::Edit {
        range,
        text: text.to_owned(),
        reason: Reason::ValueReplaced,
    };
    let value = at("false");
    assert!(proof::prove(&reading, &edit(value..value + 5, "true")).is_ok());
    let other = at("masqueradeAll: ") + 15;
    let wrong = [
        edit(value..value + 5, "yes please"),
        edit(value..value + 5, "false"),
        edit(value..value + 5, "true\n  syncPeriod: 1s"),
        edit(value..value + 5, "true\nmode: iptables"),
        edit(value..value + 5, "true\n---"),
        edit(other..other + 5, "true"),
        edit(at("rr")..at("rr") + 2, "rr\n  strictARP: true"),
        edit(at("ipvs:")..at("ipvs:") + 4, "IPVS"),
        edit(text.len()..text.len(), "ipvs: {strictARP: true}\n"),
    ];
    for wrong in wrong {
        assert!(proof::prove(&reading, &wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn nesting_without_end_and_alias_bombs_are_refused() {
    let deep = |levels| format!("x: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(decided(&deep(150)).reason(), Reason::TooDeep);
    assert_eq!(decided(&deep(5000)).verdict(), Verdict::Refused);
    let json = format!("{{\"x\": {}", "[".repeat(5000));
    assert_eq!(
        decide(json.as_bytes(), &Context::default()).reason(),
        Reason::TooDeep
    );
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
    }
    assert_eq!(decided(&bomb).reason(), Reason::ExcessiveAliases);
}
