use mooring_core::ipam::plan::Gate;

use super::*;
use crate::cache::Trouble;

fn service(name: &str, load_balancer: bool, policy: TrafficPolicy) -> Change {
    let id = ObjectName::new("default", name);
    let value = Service {
        id: id.clone(),
        uid: name.to_owned(),
        load_balancer,
        traffic_policy: policy,
        ..Service::default()
    };
    let object = Versioned {
        uid: name.to_owned(),
        version: "1".to_owned(),
        value: Arc::new(value),
    };
    Change::Services(Update::Set(id.to_string(), object))
}

fn slice(of: &str, node: &str) -> Change {
    let slice = Slice {
        service: ObjectName::new("default", of),
        endpoints: vec![Endpoint {
            node: Some(node.to_owned()),
            family: mooring_core::ipam::range::Family::V4,
            ready: true,
            serving: true,
        }],
        addresses: Vec::new(),
    };
    Change::Slices(Update::Set(format!("default/{of}-1"), slice))
}

fn antrea() -> Change {
    let agent = AntreaAgent {
        config: ObjectName::new("kube-system", "antrea-config-1a2b"),
        version: None,
    };
    Change::Antrea(Update::All(
        [("kube-system/antrea-agent".to_owned(), agent)].into(),
    ))
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(0)
}

#[test]
fn services_that_have_nothing_to_do_with_addresses_give_no_rise_to_a_look() {
    let mut stores = Stores::default();
    let cluster = TrafficPolicy::Cluster;
    assert_eq!(stores.apply(service("a", false, cluster)), Effect::None);
    assert_eq!(stores.apply(service("b", true, cluster)), Effect::Objects);
    let snapshot = stores.snapshot(&mut Lapses::default(), now());
    assert_eq!(snapshot.services.len(), 1);
    let gone = |name: &str| Change::Services(Update::Gone(format!("default/{name}")));
    assert_eq!(stores.apply(gone("a")), Effect::None);
    assert_eq!(stores.apply(gone("b")), Effect::Objects);
}

#[test]
fn endpoints_matter_only_where_traffic_must_not_leave_the_node() {
    let mut stores = Stores::default();
    stores.apply(service("a", true, TrafficPolicy::Cluster));
    stores.apply(service("b", true, TrafficPolicy::Local));
    assert_eq!(stores.apply(slice("a", "n1")), Effect::None);
    assert_eq!(stores.apply(slice("b", "n1")), Effect::Objects);
    let endpoints = stores.snapshot(&mut Lapses::default(), now()).endpoints;
    assert_eq!(
        endpoints.keys().collect::<Vec<_>>(),
        [&ObjectName::new("default", "b")]
    );
}

#[test]
fn without_a_service_proxy_nothing_is_published() {
    let gate = Stores::default()
        .snapshot(&mut Lapses::default(), now())
        .gate;
    assert!(matches!(gate, Gate::Closed { message } if message.contains("ServiceProxy")));
}

#[test]
fn the_configuration_that_antrea_mounts_is_waited_for_and_tells_whether_it_serves() {
    let mut stores = Stores::default();
    assert!(
        !stores
            .snapshot(&mut Lapses::default(), now())
            .others
            .antrea_serves
    );
    stores.apply(antrea());
    assert!(stores.has_antrea());
    let id = ObjectName::new("kube-system", "antrea-config-1a2b");
    let source = Source::AntreaConfig(id.clone());
    let wanted = stores.wanted();
    assert!(wanted.contains(&source));
    let only: BTreeSet<Source> = [source].into();
    assert_eq!(stores.doubts(&only).len(), 1);
    let text = Some("featureGates: {ServiceExternalIP: false}".to_owned());
    let map = Update::All([(id.to_string(), text)].into());
    stores.apply(Change::AntreaConfig(id, map));
    assert!(stores.doubts(&only).is_empty());
    assert!(
        !stores
            .snapshot(&mut Lapses::default(), now())
            .others
            .antrea_serves
    );
}

#[test]
fn antrea_whose_configuration_says_nothing_is_left_its_services() {
    let mut stores = Stores::default();
    stores.apply(antrea());
    assert!(
        stores
            .snapshot(&mut Lapses::default(), now())
            .others
            .antrea_serves
    );
}

#[test]
fn what_may_not_be_read_is_named_with_the_command_that_allows_it() {
    let mut stores = Stores::default();
    stores.apply(Change::Namespaces(Update::Failed(Trouble {
        code: Some(403),
        message: "User \"jane\" cannot list".to_owned(),
    })));
    let doubts = stores.doubts(&[Source::Namespaces].into());
    assert!(doubts[0].failed);
    let text = &doubts[0].text;
    assert!(
        text.contains("--verb=list,watch --resource=namespaces") && text.contains("--user=jane"),
        "{text}"
    );
}

#[test]
fn missing_definitions_of_mooring_are_named_with_what_to_apply() {
    let mut stores = Stores::default();
    stores.apply(Change::Pools(Update::Failed(Trouble {
        code: Some(404),
        message: "404 page not found".to_owned(),
    })));
    let doubts = stores.doubts(&[Source::Pools].into());
    assert!(doubts[0].text.contains("manifests/crds"), "{doubts:?}");
}
