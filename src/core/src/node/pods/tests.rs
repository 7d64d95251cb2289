use super::*;
use crate::kube_proxy::snapshot::Timestamp;
use crate::node::fixture::{NODE, ipvs};
use crate::proxy_mode::Observed;

fn asked(observed: &Observed) -> (String, String) {
    let pods = observed.pods.as_deref().unwrap_or_default();
    let found = addresses(NODE, pods, &observed.config_maps);
    (found.metrics, found.healthz)
}

#[test]
fn roles_are_told_by_what_a_pod_runs() {
    let observed = ipvs()
        .with_antrea(":v2.1.0", "")
        .with_cilium("true")
        .with_kube_router();
    let pods = observed.pods.expect("pods");
    let roles: Vec<Option<Role>> = pods.iter().map(Role::of).collect();
    assert_eq!(
        roles,
        [
            Role::KubeProxy,
            Role::Antrea,
            Role::Cilium,
            Role::KubeRouter
        ]
        .map(Some)
    );
    let mut other = pods[1].clone();
    other.spec.containers[0].name = "coredns".to_owned();
    assert_eq!(Role::of(&other), None);
}

#[test]
fn the_config_maps_to_read_are_those_that_decide() {
    let observed = ipvs().with_antrea(":v1.5.0", "").with_cilium("true");
    let pods = observed.pods.expect("pods");
    let names: Vec<String> = config_maps(&pods).iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "kube-system/antrea-config-hkhbh5gf99",
            "kube-system/cilium-config",
            "kube-system/kube-proxy"
        ]
    );
}

#[test]
fn kube_proxy_is_asked_where_it_is_configured_to_answer() {
    let ask = |text: &str| asked(&ipvs().with_proxy(text));
    let default = ("127.0.0.1:10249".to_owned(), "127.0.0.1:10256".to_owned());
    assert_eq!(ask("mode: ipvs\n"), default);
    assert_eq!(ask("mode: [broken\n"), default);
    assert_eq!(asked(&ipvs().without_proxy()), default);
    assert_eq!(
        ask("metricsBindAddress: 0.0.0.0:29102\nhealthzBindAddress: 127.0.0.1:10255\n"),
        ("127.0.0.1:29102".to_owned(), "127.0.0.1:10255".to_owned())
    );
    assert_eq!(
        ask("bindAddress: \"::\"\n"),
        ("[::1]:10249".to_owned(), "[::1]:10256".to_owned())
    );
}

#[test]
fn flags_tell_the_addresses_where_there_is_no_configuration() {
    let mut observed = ipvs();
    let container = &mut observed.pods.as_mut().expect("pods")[0].spec.containers[0];
    container.command = [
        "kube-proxy",
        "--metrics-bind-address=0.0.0.0",
        "--healthz-bind-address",
        "10.0.0.1:77",
    ]
    .map(str::to_owned)
    .to_vec();
    assert_eq!(
        asked(&observed),
        ("127.0.0.1:10249".to_owned(), "10.0.0.1:77".to_owned())
    );
}

#[test]
fn of_two_pods_the_one_that_stays_counts() {
    let observed = ipvs();
    let first = observed.pods.expect("pods").remove(0);
    let with = |name: &str, created, terminating| {
        let mut pod = first.clone();
        pod.metadata.id.name = name.to_owned();
        pod.metadata.created = Some(Timestamp::from_unix_seconds(created));
        pod.metadata.terminating = terminating;
        pod
    };
    let name = |pods: &[Pod]| proxy_of(NODE, pods).map(|proxy| proxy.pod.metadata.id.name.clone());
    let (old, new) = (with("old", 1, false), with("new", 2, false));
    let going = with("going", 3, true);
    assert_eq!(name(&[new.clone(), old.clone()]).as_deref(), Some("new"));
    assert_eq!(name(&[going.clone(), old]).as_deref(), Some("old"));
    assert_eq!(name(&[going]).as_deref(), Some("going"));
    let mut ended = new.clone();
    ended.phase = "Failed".to_owned();
    let mut elsewhere = new;
    elsewhere.node = Some("n2".to_owned());
    assert_eq!(name(&[ended, elsewhere]), None);
}
