use serde_json::json;

use super::*;
use crate::args::Color;

fn shown(safe: &str, ignore: i32) -> Shown {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastTransitionTime": "2026-11-22T10:00:00Z", "observedGeneration": 2})
    };
    let effective = if ignore > 0 {
        "Quiet"
    } else {
        "ArpIgnoreTooLow"
    };
    let holds = if ignore > 0 { "True" } else { "False" };
    serde_json::from_value::<mooring_api::ServiceProxy>(json!({
        "apiVersion": "mooring.dev/v1alpha1", "kind": "ServiceProxy",
        "metadata": {"name": "cluster", "generation": 2},
        "spec": {},
        "status": {
            "observedGeneration": 2,
            "conditions": [
                condition("SafeToAnnounce", safe, "AllNodesQuiet", "external IPs can be announced"),
                condition("ModeDetected", "True", "Detected", "1 node runs kube-proxy in mode ipvs"),
                condition("Effective", holds, effective, "about n1"),
            ]
        }
    }))
    .map(|service_proxy| Shown {
        service_proxy,
        nodes: vec![NodeShown {
            reporting: true,
            state: serde_json::from_value(json!({
                "apiVersion": "mooring.dev/v1alpha1", "kind": "NodeProxyState",
                "metadata": {"name": "n1"},
                "status": {
                    "mode": "ipvs", "arpIgnore": ignore, "arpAnnounce": 2,
                    "kubeProxy": {"version": "v1.35.4", "strictARP": true},
                    "uplinks": [{"name": "eth0", "mac": "52:54:00:77:00:0b", "arpIgnore": ignore, "arpAnnounce": 2}],
                    "conditions": [condition("Effective", holds, effective, "about eth0")]
                }
            }))
            .expect("a valid NodeProxyState"),
        }],
    })
    .expect("a valid ServiceProxy")
}

fn text(shown: &Shown) -> String {
    let now: Timestamp = "2026-11-22T10:05:30Z".parse().expect("a time");
    status(shown, Format::Table, now, Style::new(Color::Never, false)).expect("renders")
}

#[test]
fn one_screen_shows_the_verdict_the_steps_and_the_nodes() {
    assert_eq!(
        text(&shown("True", 1)),
        "\
SAFE (AllNodesQuiet): external IPs can be announced

CONDITION      STATUS   REASON     SINCE   MESSAGE
ModeDetected   True     Detected   5m30s   1 node runs kube-proxy in mode ipvs
Effective      True     Quiet      5m30s   about n1

NODE   MODE   STRICTARP   ARP_IGNORE   ARP_ANNOUNCE   UPLINKS   KUBE-PROXY   TROUBLE
n1     ipvs   true        1            2              eth0      v1.35.4      -
"
    );
}

#[test]
fn a_node_in_trouble_is_marked_with_the_reason() {
    let mut shown = shown("False", 0);
    assert!(text(&shown).starts_with("NOT SAFE"), "{}", text(&shown));
    assert!(text(&shown).trim_end().ends_with("ArpIgnoreTooLow"));
    shown.nodes[0].reporting = false;
    assert!(
        text(&shown)
            .trim_end()
            .ends_with("AgentNotReporting,ArpIgnoreTooLow")
    );
}

#[test]
fn a_status_that_is_behind_the_spec_says_so() {
    let mut shown = shown("True", 1);
    shown.service_proxy.metadata.generation = Some(3);
    assert!(text(&shown).contains("has not seen the latest change"));
}

#[test]
fn without_a_status_the_reader_is_told_where_to_look() {
    let mut shown = shown("True", 1);
    shown.service_proxy.status = None;
    shown.nodes.clear();
    let text = text(&shown);
    assert!(text.starts_with("UNKNOWN (NoStatus)"), "{text}");
    assert!(
        text.contains("get pods") && text.contains("no agent has reported"),
        "{text}"
    );
}

#[test]
fn json_has_the_objects_as_they_are() {
    let text = status(
        &shown("True", 1),
        Format::Json,
        Timestamp::UNIX_EPOCH,
        Style::new(Color::Never, false),
    )
    .expect("renders");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["serviceProxy"]["metadata"]["name"], "cluster");
    assert_eq!(value["nodes"][0]["state"]["status"]["mode"], "ipvs");
}

#[test]
fn ages_are_short() {
    let at = |seconds: i64| Time(Timestamp::from_second(seconds).expect("a time"));
    let now = Timestamp::from_second(1_000_000).expect("a time");
    for (before, expected) in [
        (-5, "0s"),
        (119, "119s"),
        (330, "5m30s"),
        (3_600, "60m"),
        (11_000, "3h3m"),
        (900_000, "10d"),
    ] {
        assert_eq!(age(&at(1_000_000 - before), now), expected);
    }
}
