use mooring_core::kube_proxy::snapshot::Timestamp;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn object(address: IpAddr, spec: ExternalIPSpec) -> ExternalIP {
    ExternalIP::new(&object_name::of(address), spec)
}

fn claims() -> [Claim; 2] {
    let holder =
        |name: &str, share: Option<_>, traffic_policy, ports: &[(service::Protocol, u16)]| Holder {
            service: ObjectName::new("shop", name),
            uid: format!("uid-{name}"),
            ports: ports
                .iter()
                .map(|&(protocol, port)| ServicePort { protocol, port })
                .collect(),
            asked: share.is_some(),
            share,
            traffic_policy,
            health_port: (traffic_policy == service::TrafficPolicy::Local).then_some(31_000),
            service_proxy: (traffic_policy == service::TrafficPolicy::Local)
                .then(|| "other".to_owned()),
        };
    let key = Some(request::Share::Key("front".to_owned()));
    [
        Claim {
            address: ip("2001:db8::aa"),
            pool: PoolId::antrea("blue"),
            holders: vec![
                holder(
                    "web",
                    key,
                    service::TrafficPolicy::Cluster,
                    &[(service::Protocol::Tcp, 80), (service::Protocol::Tcp, 443)],
                ),
                holder(
                    "dns",
                    Some(request::Share::Anybody),
                    service::TrafficPolicy::Local,
                    &[(service::Protocol::Udp, 53), (service::Protocol::Sctp, 53)],
                ),
                holder("alone", None, service::TrafficPolicy::Local, &[]),
            ],
            released: None,
        },
        Claim {
            address: ip("10.77.0.200"),
            pool: PoolId::mooring("red"),
            holders: Vec::new(),
            released: Some(claim::Release {
                at: Timestamp::from_unix_seconds(1_700_000_000),
                by: ObjectName::new("shop", "web"),
            }),
        },
    ]
}

#[test]
fn a_claim_reads_back_from_what_the_api_server_keeps() {
    for decided in claims() {
        let written =
            serde_json::to_value(object(decided.address, spec(&decided, None))).expect("JSON");
        let stored: ExternalIP = serde_json::from_value(written).expect("an ExternalIP");
        assert_eq!(claim(&stored), Ok(decided));
    }
}

#[test]
fn the_planned_node_stays_when_the_claim_changes() {
    let [shared, _] = claims();
    let before = ExternalIPSpec {
        node: Some("n1".to_owned()),
        heirs: vec!["n3".to_owned(), "n2".to_owned()],
        plan: 4,
        cause: Some("Draining".to_owned()),
        ..spec(&shared, None)
    };
    assert_eq!(spec(&shared, Some(&before)), before);
}

#[test]
fn an_object_that_claims_something_else_than_its_name_is_no_claim() {
    let [_, resting] = claims();
    let mut wrong = object(resting.address, spec(&resting, None));
    wrong.spec.address = "10.77.0.201".to_owned();
    let problem = claim(&wrong).expect_err("no claim").to_string();
    assert!(
        problem.contains("the ExternalIP of 10.77.0.200 says 10.77.0.201"),
        "{problem}"
    );
    wrong.spec.address = "not an address".to_owned();
    assert!(claim(&wrong).is_err());
    wrong.metadata.name = Some("web".to_owned());
    assert_eq!(claim(&wrong), Err(NoClaim::Name("web".to_owned())));
    wrong.metadata.name = None;
    assert!(claim(&wrong).is_err());
}
