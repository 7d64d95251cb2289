use serde_json::json;

use super::*;
use crate::args::Color;
use crate::explanation::PoolName;
use crate::status::{AddressShown, ConditionShown, DiesOften, NodeAddresses, PoolShown};
use mooring_api::external_ip_pool::Number;
use mooring_core::kube_proxy::snapshot;

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
            drained: false,
            exit: None,
            dies_often: None,
            addresses: NodeAddresses::default(),
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
        pools: Vec::new(),
        addresses: Vec::new(),
        incomplete: Vec::new(),
    })
    .expect("a valid ServiceProxy")
}

fn text(shown: &Shown) -> String {
    render(shown, Format::Table, false)
}

fn render(shown: &Shown, output: Format, all: bool) -> String {
    let now: Timestamp = "2026-11-22T10:05:30Z".parse().expect("a time");
    let arguments = StatusArguments { all, output };
    status(shown, &arguments, now, Style::new(Color::Never, false)).expect("renders")
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

NODE   MODE   STRICTARP   ARP_IGNORE   ARP_ANNOUNCE   UPLINKS   KUBE-PROXY   ADDRESSES   TROUBLE
n1     ipvs   true        1            2              eth0      v1.35.4      0           -
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
    shown.nodes[0].drained = true;
    assert!(
        text(&shown)
            .trim_end()
            .ends_with("Draining,AgentNotReporting,ArpIgnoreTooLow")
    );
    (shown.nodes[0].drained, shown.nodes[0].exit) = (false, Some("ShuttingDown"));
    assert!(
        text(&shown)
            .trim_end()
            .ends_with("ShuttingDown,AgentNotReporting,ArpIgnoreTooLow")
    );
    let time = snapshot::Timestamp::from_unix_seconds(0);
    shown.nodes[0].dies_often = Some(DiesOften {
        deaths: 2,
        last: time,
        until: time,
    });
    assert!(
        text(&shown)
            .trim_end()
            .ends_with("ShuttingDown,DiesOften,AgentNotReporting,ArpIgnoreTooLow")
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
    let text = render(&shown("True", 1), Format::Json, false);
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

fn pool(name: &str, ready: Option<(&str, &str, &str)>) -> PoolShown {
    PoolShown {
        name: name.to_owned(),
        group: if ready.is_some() {
            "mooring.dev"
        } else {
            "crd.antrea.io"
        },
        total: Some(Number::Integer(9)),
        used: Some(Number::Integer(2)),
        free: ready.map(|_| Number::Digits("18446744073709551616".to_owned())),
        ready: ready.map(|(status, reason, message)| ConditionShown {
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }),
        trouble: Vec::new(),
    }
}

fn address(number: u32, announced: Option<bool>, trouble: &[&str]) -> AddressShown {
    AddressShown {
        address: std::net::Ipv4Addr::from(0x0a4d_0000 + number).to_string(),
        pool: PoolName {
            name: "blue".to_owned(),
            group: "mooring.dev",
        },
        services: announced
            .map(|_| format!("shop/web-{number}"))
            .into_iter()
            .collect(),
        node: announced.map(|_| "n1".to_owned()),
        answered_by: announced.filter(|yes| *yes).map(|_| "n1".to_owned()),
        announced: Some(ConditionShown {
            status: if announced == Some(true) {
                "True"
            } else {
                "False"
            }
            .to_owned(),
            reason: "Reason".to_owned(),
            message: "why".to_owned(),
        }),
        trouble: trouble.iter().map(|word| (*word).to_owned()).collect(),
    }
}

#[test]
fn pools_and_addresses_follow_the_nodes_with_what_is_not_right_first() {
    let mut shown = shown("True", 1);
    shown.nodes[0].addresses = NodeAddresses {
        owned: 1,
        planned: 2,
    };
    shown.pools = vec![
        pool("red", Some(("False", "PoolConflict", "blue has the same"))),
        pool("blue", Some(("True", "Available", "fine"))),
        pool("green", None),
    ];
    shown.addresses = vec![
        address(2, Some(false), &["WaitingForNode"]),
        address(1, Some(true), &[]),
        address(3, None, &[]),
    ];
    let text = text(&shown);
    let tables = text.split_once("TROUBLE\n").expect("the nodes").1;
    assert_eq!(
        tables,
        "\
n1     ipvs   true        1            2              eth0      v1.35.4      1 of 2      -

POOL    KIND            TOTAL   USED   FREE                   READY   REASON         MESSAGE
red     mooring.dev     9       2      18446744073709551616   False   PoolConflict   blue has the same
blue    mooring.dev     9       2      18446744073709551616   True    Available      -
green   crd.antrea.io   9       2      -                      -       -              -

2 addresses in use, 1 announced, 1 not as it should be; 1 rests

ADDRESS     POOL   SERVICE      NODE   ANSWERED BY   ANNOUNCED   TROUBLE
10.77.0.2   blue   shop/web-2   n1     -             NO          WaitingForNode
10.77.0.1   blue   shop/web-1   n1     n1            yes         -
10.77.0.3   blue   -            -      -             rests       -
Why: kubectl mooring explain ADDRESS
"
    );
}

#[test]
fn of_ten_thousand_addresses_those_that_are_not_right_are_shown() {
    let mut shown = shown("True", 1);
    shown.addresses = (0..60)
        .map(|number| address(number, Some(false), &["WaitingForNode"]))
        .chain((60..10_000).map(|number| address(number, Some(true), &[])))
        .collect();
    let brief = text(&shown);
    assert!(brief.lines().count() < 80, "{brief}");
    assert!(brief.contains("10000 addresses in use, 9940 announced, 60 not as they should be"));
    assert!(
        brief.contains("10 more are not as they should be, 9940 are as they should be; all of them: kubectl mooring status --all"),
        "{brief}"
    );
    shown.addresses.drain(3..60);
    let few = text(&shown);
    assert_eq!(few.matches("WaitingForNode").count(), 3);
    assert!(!few.contains("shop/web-70 "), "{few}");
    let all = render(&shown, Format::Table, true);
    assert_eq!(all.matches("shop/web-").count(), 9_943);
    let json: serde_json::Value =
        serde_json::from_str(&render(&shown, Format::Json, false)).expect("JSON");
    assert_eq!(json["addresses"].as_array().map(Vec::len), Some(9_943));
}

#[test]
fn what_may_not_be_read_is_one_line_and_the_rest_is_shown() {
    let mut shown = shown("True", 1);
    shown.incomplete = vec!["pools are not shown, as jane may not".to_owned()];
    let text = text(&shown);
    assert!(
        text.ends_with("\nincomplete: pools are not shown, as jane may not\n"),
        "{text}"
    );
    assert!(text.starts_with("SAFE") && text.contains("\nn1 "), "{text}");
}

#[test]
fn the_keys_for_programs_are_stable() {
    let mut shown = shown("True", 1);
    shown.pools = vec![pool("blue", Some(("True", "Available", "fine")))];
    shown.addresses = vec![address(1, Some(true), &[])];
    let json: serde_json::Value =
        serde_json::from_str(&render(&shown, Format::Json, false)).expect("JSON");
    assert_eq!(
        json["addresses"][0],
        serde_json::json!({
            "address": "10.77.0.1", "pool": {"name": "blue", "group": "mooring.dev"}, "services": ["shop/web-1"],
            "node": "n1", "answeredBy": "n1",
            "announced": {"status": "True", "reason": "Reason", "message": "why"}, "trouble": []
        })
    );
    assert_eq!(
        json["pools"][0],
        serde_json::json!({
            "name": "blue", "group": "mooring.dev", "total": 9, "used": 2, "free": "18446744073709551616",
            "ready": {"status": "True", "reason": "Available", "message": "fine"}, "trouble": []
        })
    );
    assert_eq!(
        json["nodes"][0]["addresses"],
        serde_json::json!({"owned": 0, "planned": 0})
    );
    assert_eq!(json["incomplete"], serde_json::json!([]));
}

#[test]
fn addresses_of_others_are_counted_and_those_in_dispute_named() {
    let mut shown = shown("True", 1);
    let foreign = |address: &str, seen: &str, responders: serde_json::Value| {
        let found = json!({
            "address": address, "service": "default/web", "witnesses": ["n1", "n2"], "seen": seen,
            "responders": responders,
        });
        serde_json::from_value(found).expect("an address")
    };
    let n1 = json!({"mac": "52:54:00:77:00:0b", "node": "n1"});
    let stranger = json!({"mac": "02:00:00:00:00:01"});
    let status = shown.service_proxy.status.as_mut().expect("a status");
    status.foreign_addresses = vec![
        foreign("10.77.0.200", "OneResponder", json!([n1])),
        foreign("10.77.0.201", "SeveralResponders", json!([stranger, n1])),
    ];
    let text = text(&shown);
    for line in [
        "2 addresses that somebody else handed out: 1 answered by one host, 1 answered by SEVERAL",
        "10.77.0.201         default/web   SeveralResponders   02:00:00:00:00:01 (no node), n1 (52:54:00:77:00:0b)",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    assert!(!text.contains("10.77.0.200"), "{text}");
    assert!(render(&shown, Format::Table, true).contains("10.77.0.200"));
}
