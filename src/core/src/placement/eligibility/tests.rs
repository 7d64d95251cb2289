use super::super::candidate::CandidateUplink;
use super::super::endpoints::Endpoint;
use super::*;
use crate::ipam::range::{AddressRange, HostBits};

const IP: &str = "10.10.0.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn node(name: &str) -> Candidate {
    Candidate {
        name: name.to_owned(),
        labels: [("network-role".to_owned(), "ingress-node".to_owned())].into(),
        ready: true,
        reporting: true,
        uplinks: vec![CandidateUplink {
            interface: "eth0".to_owned(),
            subnets: ["10.10.0.0/24", "2001:db8::/64"]
                .into_iter()
                .filter_map(|cidr| AddressRange::from_cidr(cidr, HostBits::Clear).ok())
                .collect(),
        }],
        ..Candidate::default()
    }
}

fn role(value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: [("network-role".to_owned(), value.to_owned())].into(),
        ..LabelSelector::default()
    }
}

fn berth(selector: &LabelSelector) -> Berth<'_> {
    Berth {
        ip: ip(IP),
        pool: "blue",
        selector,
        interfaces: &[],
        in_subnet: true,
        local: &[],
        any_cluster: true,
        programmed: None,
        present: None,
        taken_from: None,
        revertive: false,
        moves_on_cordon: false,
        held_back: None,
        heirs: &[],
    }
}

fn names(berth: &Berth<'_>, node: Candidate) -> Vec<&'static str> {
    let nodes = [node];
    let verdicts = eligible(berth, &nodes);
    verdicts[0]
        .result
        .as_ref()
        .err()
        .into_iter()
        .flatten()
        .map(Obstacle::as_str)
        .collect()
}

fn local(name: &str, nodes: &[&str]) -> LocalService {
    LocalService {
        name: name.to_owned(),
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
    }
}

#[test]
fn every_obstacle_is_named_and_nothing_else() {
    let selector = role("ingress-node");
    type Change = fn(&mut Candidate);
    let table: [(&[&str], Change); 15] = [
        (&[], |_| ()),
        (&["NotSelected"], |node| node.labels.clear()),
        (&["ExcludedByLabel"], |node| {
            node.labels
                .insert(EXCLUDE_LABEL.to_owned(), "false".to_owned());
        }),
        (&["Draining"], |node| node.draining = true),
        (&["NotReady"], |node| node.ready = false),
        (&["AgentNotReporting"], |node| node.reporting = false),
        (&["AgentRestarting"], |node| {
            node.reporting = false;
            node.briefly_silent = true;
        }),
        (&["NotReady", "AgentNotReporting"], |node| {
            node.ready = false;
            node.reporting = false;
            node.briefly_silent = true;
        }),
        (&["NoUplinkInSubnet"], |node| {
            node.uplinks[0].subnets.remove(0);
        }),
        (&["KubeProxyUnhealthy"], |node| {
            node.kube_proxy_problem = Some("it is late".to_owned());
        }),
        (&["KubeProxyRestarting"], |node| {
            node.kube_proxy_problem = Some("it is late".to_owned());
            node.briefly_unserved = true;
        }),
        (&["GateClosed"], |node| {
            node.gate = Some("arp_ignore".to_owned())
        }),
        (&["ShuttingDown", "AgentNotReporting"], |node| {
            node.exit = Some(Exit::ShuttingDown);
            (node.ready, node.reporting, node.briefly_silent) = (false, false, true);
        }),
        (&["OutOfService", "NotReady"], |node| {
            node.exit = Some(Exit::OutOfService);
            node.ready = false;
        }),
        (&["Draining", "NotReady", "Cordoned"], |node| {
            node.cordoned = true;
            node.ready = false;
            node.draining = true;
        }),
    ];
    for (expected, change) in table {
        let mut node = node("a");
        change(&mut node);
        assert_eq!(names(&berth(&selector), node), expected);
    }
}

#[test]
fn what_a_cordon_means_is_the_pools_to_say() {
    let selector = LabelSelector::default();
    let cordoned = || Candidate {
        cordoned: true,
        ..node("a")
    };
    assert_eq!(names(&berth(&selector), cordoned()), ["Cordoned"]);
    let moving = Berth {
        moves_on_cordon: true,
        ..berth(&selector)
    };
    assert_eq!(names(&moving, cordoned()), ["CordonMoves"]);
    assert_eq!(names(&moving, node("a")), [""; 0]);
}

#[test]
fn the_subnet_counts_only_where_it_has_to() {
    let selector = LabelSelector::default();
    let far = Berth {
        ip: ip("192.0.2.1"),
        ..berth(&selector)
    };
    assert_eq!(names(&far, node("a")), ["NoUplinkInSubnet"]);
    let routed = Berth {
        in_subnet: false,
        ..far
    };
    assert_eq!(names(&routed, node("a")), [""; 0]);
}

#[test]
fn only_the_subnets_of_named_interfaces_count() {
    let selector = LabelSelector::default();
    let (eth0, eth1) = (["eth0".to_owned()], ["eth1".to_owned()]);
    let named = |interfaces| Berth {
        interfaces,
        ..berth(&selector)
    };
    assert_eq!(names(&named(&eth0), node("a")), [""; 0]);
    assert_eq!(names(&named(&eth1), node("a")), ["NoSuchInterface"]);
    let mut two = node("a");
    two.uplinks.push(CandidateUplink {
        interface: "eth1".to_owned(),
        subnets: vec![],
    });
    assert_eq!(names(&named(&eth1), two), ["NoUplinkInSubnet"]);
}

#[test]
fn an_agent_that_never_reported_is_one_obstacle_not_two() {
    let selector = LabelSelector::default();
    let mut silent = node("a");
    silent.reporting = false;
    silent.uplinks.clear();
    assert_eq!(names(&berth(&selector), silent), ["AgentNotReporting"]);
}

#[test]
fn a_node_that_the_service_proxy_has_not_programmed_waits() {
    let selector = LabelSelector::default();
    let programmed = BTreeSet::from(["b".to_owned()]);
    let after = Berth {
        programmed: Some(&programmed),
        ..berth(&selector)
    };
    assert_eq!(names(&after, node("a")), ["ProxyNotProgrammed"]);
    assert_eq!(names(&after, node("b")), [""; 0]);
}

fn eligible_names(berth: &Berth<'_>, nodes: &[Candidate]) -> Vec<String> {
    eligible(berth, nodes)
        .into_iter()
        .filter(|verdict| verdict.result.is_ok())
        .map(|verdict| verdict.node.to_owned())
        .collect()
}

#[test]
fn under_policy_local_only_nodes_with_endpoints_are_eligible() {
    let selector = LabelSelector::default();
    let nodes = [node("c"), node("a"), node("b")];
    let (somewhere, nowhere) = (
        [local("default/web", &["b", "c"])],
        [local("default/web", &[])],
    );
    let berth = |local| Berth {
        local,
        any_cluster: false,
        ..berth(&selector)
    };
    assert_eq!(eligible_names(&berth(&somewhere), &nodes), ["b", "c"]);
    assert_eq!(eligible_names(&berth(&nowhere), &nodes), [""; 0]);
    let verdicts = eligible(&berth(&somewhere), &nodes);
    let message = verdicts[0].result.as_ref().unwrap_err()[0].to_string();
    assert!(message.contains("default/web"), "{message}");
}

#[test]
fn a_shared_address_goes_where_most_of_its_local_services_can_be_served() {
    let selector = LabelSelector::default();
    let nodes = [node("a"), node("b"), node("c")];
    let shared = |local, any_cluster| Berth {
        local,
        any_cluster,
        ..berth(&selector)
    };
    let both_on_b = [local("x/one", &["a", "b"]), local("x/two", &["b", "c"])];
    assert_eq!(eligible_names(&shared(&both_on_b, false), &nodes), ["b"]);
    let apart = [local("x/one", &["a"]), local("x/two", &["c"])];
    assert_eq!(eligible_names(&shared(&apart, false), &nodes), ["a", "c"]);
    let one_without = [local("x/one", &[]), local("x/two", &["c"])];
    assert_eq!(eligible_names(&shared(&one_without, false), &nodes), ["c"]);
    let none = [local("x/one", &[]), local("x/two", &[])];
    assert_eq!(eligible_names(&shared(&none, false), &nodes), [""; 0]);
    assert_eq!(
        eligible_names(&shared(&none, true), &nodes),
        ["a", "b", "c"]
    );
}

#[test]
fn endpoints_that_terminate_count_only_where_none_is_ready() {
    let endpoint = |node: &str, family, ready, serving| Endpoint {
        node: Some(node.to_owned()),
        family,
        ready,
        serving,
    };
    let nodes = |endpoints: &[Endpoint]| {
        LocalService::of("x/web", Family::V4, endpoints)
            .nodes
            .into_iter()
            .collect::<Vec<_>>()
    };
    let ready = endpoint("a", Family::V4, true, true);
    let leaving = endpoint("b", Family::V4, false, true);
    let gone = endpoint("c", Family::V4, false, false);
    let other_family = endpoint("d", Family::V6, true, true);
    let nodeless = Endpoint {
        node: None,
        ..ready.clone()
    };
    assert_eq!(nodes(&[ready, leaving.clone(), gone.clone()]), ["a"]);
    assert_eq!(nodes(&[leaving, gone, other_family, nodeless]), ["b"]);
}
