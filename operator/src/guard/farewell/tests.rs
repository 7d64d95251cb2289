use mooring_core::node::{NodeReport, RaisedSysctl};

use super::*;

fn node(name: &str, reporting: bool, raised: bool) -> NodeView {
    let sysctl = RaisedSysctl {
        name: "net.ipv4.conf.eth0.arp_ignore".to_owned(),
        before: 0,
        value: 1,
    };
    NodeView {
        name: name.to_owned(),
        ready: true,
        reporting,
        report: Some(NodeReport {
            raised: raised.then_some(sysctl).into_iter().collect(),
            ..NodeReport::default()
        }),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second)
}

#[test]
fn it_goes_at_once_when_nothing_is_raised() {
    let nodes = [node("a", true, false), node("b", false, false)];
    let gone = Farewell::Go { unasked: vec![] };
    assert_eq!(farewell(&nodes, at(100), at(100)), gone);
    assert!(!holds(false, &nodes));
    assert!(holds(true, &nodes));
}

#[test]
fn it_waits_for_nodes_that_report() {
    let nodes = [node("a", true, true), node("b", true, false)];
    let wait = Farewell::Wait {
        nodes: vec!["a".to_owned()],
    };
    assert_eq!(farewell(&nodes, at(100), at(159)), wait);
    assert!(holds(false, &nodes));
}

#[test]
fn it_does_not_wait_for_nodes_that_cannot_be_asked_but_names_them() {
    let nodes = [node("a", true, false), node("b", false, true)];
    let gone = Farewell::Go {
        unasked: vec!["b".to_owned()],
    };
    assert_eq!(farewell(&nodes, at(100), at(100)), gone);
}

#[test]
fn it_goes_after_a_minute_and_names_who_did_not_answer() {
    let nodes = [node("a", true, true), node("b", false, true)];
    let gone = Farewell::Go {
        unasked: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(farewell(&nodes, at(100), at(160)), gone);
}
