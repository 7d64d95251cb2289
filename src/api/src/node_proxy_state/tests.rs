use serde_json::json;

use super::*;

fn uplink(name: &str, arp_ignore: i32, arp_announce: i32) -> Uplink {
    Uplink {
        name: name.to_owned(),
        mac: "52:54:00:77:00:0b".to_owned(),
        subnets: vec!["10.77.0.0/24".to_owned()],
        addresses: vec!["10.77.0.11".to_owned()],
        gateways: vec!["10.77.0.1".to_owned()],
        arp_ignore,
        arp_announce,
    }
}

#[test]
fn the_weakest_uplink_decides() {
    let mut status = NodeProxyStateStatus::default();
    status.set_uplinks(vec![uplink("eth0", 1, 0), uplink("eth1", 0, 2)]);
    assert_eq!((status.arp_ignore, status.arp_announce), (Some(0), Some(0)));
    assert_eq!(status.uplinks.len(), 2);
    status.set_uplinks(Vec::new());
    assert_eq!((status.arp_ignore, status.arp_announce), (None, None));
}

#[test]
fn the_object_has_a_status_and_nothing_else() {
    let mut state = NodeProxyState::new("n1", NodeProxyStateSpec::default());
    state.status = Some(NodeProxyStateStatus {
        mode: Some(LiveMode::Ipvs),
        ..NodeProxyStateStatus::default()
    });
    let written = serde_json::to_value(&state).expect("JSON");
    assert_eq!(
        written,
        json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "NodeProxyState",
            "metadata": {"name": "n1"},
            "status": {"mode": "ipvs"},
        })
    );
    let read: NodeProxyState = serde_json::from_value(written).expect("a state");
    assert_eq!(read, state);
}

#[test]
fn every_mode_reads_back_as_it_prints() {
    for mode in LiveMode::ALL {
        assert_eq!(
            serde_json::to_value(mode).expect("JSON"),
            mode.to_string().as_str()
        );
        let read: LiveMode = serde_json::from_value(json!(mode.as_str())).expect("a mode");
        assert_eq!(read, mode);
    }
}

#[test]
fn a_mode_of_a_newer_agent_reads_as_unknown() {
    let read: LiveMode = serde_json::from_value(json!("quantum")).expect("a mode");
    assert_eq!(read, LiveMode::Unknown);
}

#[test]
fn what_is_recorded_of_deaths_is_read_and_what_cannot_be_read_is_none() {
    let mut state = NodeProxyState::new("n1", NodeProxyStateSpec::default());
    assert_eq!(report(&state), None, "its agent has not spoken");
    state.status = Some(NodeProxyStateStatus::default());
    let mut unrest = |text: &str| {
        let annotation = ("mooring.dev/unrest".to_owned(), text.to_owned());
        state.metadata.annotations = Some([annotation].into_iter().collect());
        report(&state).expect("a report").unrest
    };
    let text = "deaths=2 penalty=1870 last=1700000000";
    assert_eq!(
        unrest(text).map(|unrest| unrest.to_string()).as_deref(),
        Some(text)
    );
    assert_eq!(unrest("often"), None);
}
