use k8s_openapi::jiff::Timestamp as Instant;
use mooring_core::node::Witness;

use super::*;

fn at(second: i64) -> Time {
    Time(Instant::from_second(second).expect("in range"))
}

fn report() -> NodeReport {
    NodeReport {
        mode: LiveMode::Ipvs,
        evidence: vec![
            node::Evidence {
                witness: Witness::ProxyModeEndpoint,
                mode: Some(LiveMode::Ipvs),
                message: "127.0.0.1:10249/proxyMode says ipvs".to_owned(),
            },
            node::Evidence {
                witness: Witness::Kernel,
                mode: None,
                message: "nothing".to_owned(),
            },
        ],
        kube_proxy: Some(node::RunningKubeProxy {
            version: Some("v1.35.4".to_owned()),
            strict_arp: Some(false),
            started: Some(Timestamp::from_unix_seconds(1_795_371_068)),
            healthy: Some(true),
        }),
        uplinks: vec![node::Uplink {
            name: "eth0".to_owned(),
            mac: "52:54:00:77:00:0b".to_owned(),
            subnets: vec!["192.0.2.0/24".to_owned()],
            addresses: vec!["192.0.2.11".parse().expect("an address")],
            gateways: vec!["192.0.2.1".parse().expect("an address")],
            arp_ignore: 0,
            arp_announce: 2,
        }],
        leftovers: vec!["192.0.2.200".parse().expect("an address")],
        antrea: Some(node::Antrea {
            antrea_proxy: true,
            proxy_all: false,
            proxy_load_balancer_ips: true,
        }),
        raised: vec![node::RaisedSysctl {
            name: "net.ipv4.conf.eth0.arp_ignore".to_owned(),
            before: 0,
            value: 1,
        }],
        witnessed: vec![node::Witnessed {
            address: "192.0.2.201".parse().expect("an address"),
            since: Timestamp::from_unix_seconds(1_795_371_070),
            responders: vec![
                node::Responder {
                    mac: "52:54:00:77:00:0c".parse().expect("a MAC address"),
                    node: Some("n2".to_owned()),
                },
                node::Responder {
                    mac: "02:00:00:00:00:01".parse().expect("a MAC address"),
                    node: None,
                },
            ],
        }],
        conditions: vec![
            Decided::new(ModeDetectedReason::Detected, "kube-proxy says so"),
            Decided::new(KubeProxyHealthyReason::Healthy, "it answers"),
            Decided::new(EffectiveReason::ArpIgnoreTooLow, "raise it"),
            Decided::new(UplinksAnswerReason::Answering, "they do"),
        ],
        unrest: None,
    }
}

#[test]
fn a_report_survives_the_round_trip() {
    let report = report();
    let status = to_status(&report, None, None, &at(1));
    let written = serde_json::to_value(&status).expect("JSON");
    let read: NodeProxyStateStatus = serde_json::from_value(written).expect("a status");
    assert_eq!(read, status);
    assert_eq!(from_status(&read), report);
    let empty = NodeReport::default();
    assert_eq!(from_status(&to_status(&empty, None, None, &at(1))), empty);
}

#[test]
fn a_report_that_says_the_same_gives_an_equal_status() {
    let first = to_status(&report(), None, Some(1), &at(1));
    assert_eq!(to_status(&report(), Some(&first), Some(1), &at(9)), first);
}

#[test]
fn the_time_of_a_transition_moves_with_the_status_alone() {
    let first = to_status(&report(), None, None, &at(1));
    let mut later = report();
    later.conditions[0] = Decided::new(ModeDetectedReason::Detected, "with other words");
    later.conditions[2] = Decided::new(EffectiveReason::Quiet, "raised");
    let second = to_status(&later, Some(&first), None, &at(9));
    let times: Vec<&Time> = second
        .conditions
        .iter()
        .map(|condition| &condition.last_transition_time)
        .collect();
    assert_eq!(times, [&at(1), &at(1), &at(9), &at(1)]);
    assert_eq!(second.conditions[0].message, "with other words");
    later.conditions.pop();
    let third = to_status(&later, Some(&second), None, &at(10));
    assert_eq!(third.conditions.len(), 3, "what is not said is not kept");
}

#[test]
fn many_leftovers_are_counted_and_some_are_named() {
    let mut report = report();
    report.leftovers = (0..100)
        .map(|last| std::net::IpAddr::from([10, 96, 0, last]))
        .collect();
    let status = to_status(&report, None, None, &at(1));
    let leftovers = status.leftovers.expect("leftovers");
    assert_eq!((leftovers.count, leftovers.addresses.len()), (100, 16));
}

#[test]
fn what_a_newer_agent_says_is_read_as_far_as_it_is_known() {
    let mut status = to_status(&report(), None, None, &at(1));
    status.conditions[2].reason = "QuantumNoise".to_owned();
    status.conditions[3].status = "Perhaps".to_owned();
    let mut other = status.conditions[0].clone();
    other.type_ = "Entangled".to_owned();
    status.conditions.push(other);
    let read = from_status(&status).conditions;
    assert_eq!(read.len(), 4);
    assert_eq!(
        (read[2].reason, read[2].status, read[2].message.as_str()),
        ("Unrecognised", ConditionStatus::False, "raise it")
    );
    assert_eq!(read[3].status, ConditionStatus::Unknown);
}
