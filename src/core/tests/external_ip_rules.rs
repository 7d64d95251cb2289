//! What is decided about external IPs, rule by rule.
#![allow(clippy::unwrap_used, reason = "a test from the first line to the last")]

use mooring_core::condition::{Condition, KubeProxyHealthyReason};
use mooring_core::external_ip::{ClusterNode, Known};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::selector::LabelSelector;
use mooring_core::ipam::service::TrafficPolicy;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::proxy_mode::LiveMode;

#[path = "external_ip/world.rs"]
mod world;

use world::{World, ingress, ip, node, of_pool};

const NONE: [&str; 0] = [];

#[test]
fn a_service_gets_an_address_and_the_address_a_node() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    world.service("web", "blue", |_| ());
    let first = world.decide();
    assert_eq!(first.create.len(), 1);
    let planned = first.create[0].node.clone().unwrap();
    let said = first.announced(&world.snapshot);
    let last = world.settle();
    assert_eq!(said, last.announced(&world.snapshot), "said once");
    assert_eq!(world.addresses("web"), ["10.0.0.1"]);
    assert_eq!(
        world.known("10.0.0.1").unwrap().planned,
        Some(planned.clone())
    );
    let condition = world.announced("10.0.0.1");
    assert_eq!(condition.reason, "WaitingForNode");
    assert!(
        condition.message.contains(&planned),
        "{}",
        condition.message
    );
    world.take_all();
    let taken = world.settle();
    assert!(
        taken.announced(&world.snapshot).is_empty(),
        "of a taken address its agent speaks"
    );
    assert_eq!(taken.placements.len(), 1);
}

#[test]
fn who_stands_where_stays_there_after_a_restart_and_when_nodes_come() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.0/24"], |_| ());
    for number in 0..20 {
        world.service(&format!("web-{number}"), "blue", |_| ());
    }
    world.settle();
    world.take_all();
    let before = world.snapshot.addresses.clone();
    world.snapshot.nodes.push(node("n4", &["10.0.0.0/16"]));
    world.snapshot.nodes.push(node("n5", &["10.0.0.0/16"]));
    world.snapshot.nodes.reverse();
    world.snapshot.services.reverse();
    let decision = world.settle();
    assert_eq!(world.snapshot.addresses.len(), before.len());
    for (known, before) in world.snapshot.addresses.iter().zip(&before) {
        let heirs = before.heirs.clone();
        let as_before = Known {
            heirs,
            ..known.as_ref().clone()
        };
        assert_eq!(&as_before, before.as_ref(), "nothing but its heirs");
        assert_eq!(known.heirs.len(), 4);
    }
    assert!(decision.is_settled(), "{decision:#?}");
}

#[test]
fn an_address_that_another_node_took_over_is_planned_where_it_is() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1"], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    let planned = world.known("10.0.0.1").unwrap().planned.clone().unwrap();
    let other = if planned == "n1" { "n2" } else { "n1" };
    world.take("10.0.0.1", Some(other));
    world.settle();
    assert_eq!(
        world.known("10.0.0.1").unwrap().planned.as_deref(),
        Some(other)
    );
}

#[test]
fn while_it_is_not_safe_the_condition_says_what_is_awaited() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.0/24"], |_| ());
    world.service("old", "blue", |_| ());
    world.settle();
    world.snapshot.gate = Gate::Closed {
        message: "Turn strictARP on.".to_owned(),
    };
    world.service("new", "blue", |_| ());
    world.settle();
    assert_eq!(
        world.addresses("old"),
        ["10.0.0.1"],
        "what is published stays"
    );
    assert_eq!(world.addresses("new"), NONE);
    assert_eq!(world.announced("10.0.0.1").reason, "WaitingForNode");
    let condition = world.announced("10.0.0.2");
    assert_eq!(condition.reason, "WaitingForSafety");
    assert!(condition.message.contains("Turn strictARP on."));
    assert!(condition.message.contains("default/new"));
    world.snapshot.gate = Gate::Open;
    world.settle();
    assert_eq!(world.addresses("new"), ["10.0.0.2"]);
}

#[test]
fn a_released_address_has_no_node_and_its_condition_says_until_when_it_rests() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1"], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    world.delete("web");
    let decision = world.settle();
    let known = world.known("10.0.0.1").unwrap();
    assert!(known.claim.released.is_some());
    assert_eq!(known.planned, None);
    assert!(decision.placements.is_empty());
    let condition = world.announced("10.0.0.1");
    assert_eq!(condition.reason, "Released");
    let until = world.snapshot.now.plus_seconds(60);
    assert!(
        condition.message.contains(&until.to_string()),
        "{}",
        condition.message
    );
    assert_eq!(decision.wake, Some(until));
    world.wait(60);
    world.settle();
    assert_eq!(world.known("10.0.0.1"), None);
}

#[test]
fn what_belongs_to_the_cluster_is_not_handed_out() {
    type Change = fn(&mut World);
    let table: [(&str, Change); 10] = [
        ("OverlapsNode", |world| {
            world.node("n1").addresses.push(ip("10.0.0.1"))
        }),
        ("OverlapsNode", |world| {
            let report = world.node("n2").view.report.as_mut().unwrap();
            report.uplinks[0].addresses.push(ip("10.0.0.1"));
        }),
        ("OverlapsGateway", |world| {
            let report = world.node("n1").view.report.as_mut().unwrap();
            report.uplinks[0].gateways.push(ip("10.0.0.1"));
        }),
        ("OverlapsApiServer", |world| {
            world.snapshot.networks.api_servers.push(ip("10.0.0.1"));
        }),
        ("OverlapsServices", |world| {
            let cidr = "10.0.0.0/31".to_owned();
            world.snapshot.networks.service_cidrs.push(cidr);
        }),
        ("OverlapsPods", |world| {
            world.node("n2").pod_cidrs.push("10.0.0.1/32".to_owned());
        }),
        ("OverlapsSubnetEdge", |world| {
            let report = world.node("n3").view.report.as_mut().unwrap();
            report.uplinks[0].subnets = vec!["10.0.0.1/32".to_owned(), "10.0.0.0/30".to_owned()];
        }),
        ("OverlapsForeignService", |world| {
            world.service("cloud", "", |service| {
                service.class = Some("example.com/other".to_owned());
                service.ingress = ingress(&["10.0.0.1"]);
            });
        }),
        ("OverlapsForeignService", |world| {
            world.service("metallb", "blue", |service| {
                service.ingress = ingress(&["10.0.0.1"]);
                service.status_writers = vec!["speaker".to_owned()];
            });
        }),
        ("OverlapsForeignService", |world| {
            world.snapshot.others.antrea_serves = true;
            world.service("antrea", "", |service| {
                let key = "service.antrea.io/external-ip-pool".to_owned();
                service.annotations.insert(key, "blue".to_owned());
                service.ingress = ingress(&["10.0.0.1"]);
            });
        }),
    ];
    for (reason, change) in table {
        let mut world = World::default();
        world.pool("blue", &["10.0.0.1-10.0.0.3"], |_| ());
        change(&mut world);
        world.service("web", "blue", |_| ());
        let decision = world.settle();
        let condition = of_pool(&decision, "blue", "RangesUsable");
        assert_eq!(condition.reason, reason, "{}", condition.message);
        let first = if reason == "OverlapsSubnetEdge" {
            "10.0.0.1"
        } else {
            "10.0.0.2"
        };
        assert_eq!(world.addresses("web"), [first], "{reason}");
    }
}

#[test]
fn what_kube_proxy_tries_ipvs_out_with_is_left_out_where_a_node_runs_in_that_mode() {
    for (mode, address) in [
        (LiveMode::Iptables, "198.51.100.7"),
        (LiveMode::Ipvs, "10.0.0.1"),
    ] {
        let mut world = World::default();
        world.node("n2").view.report.as_mut().unwrap().mode = mode;
        world.pool("blue", &["198.51.100.7", "10.0.0.1"], |_| ());
        world.service("web", "blue", |_| ());
        world.settle();
        // The lowest address first, whatever the order of the ranges.
        let lowest = if mode == LiveMode::Ipvs {
            address
        } else {
            "10.0.0.1"
        };
        assert_eq!(world.addresses("web"), [lowest]);
        world.service("next", "blue", |_| ());
        world.settle();
        let next: &[&str] = if mode == LiveMode::Ipvs {
            &[]
        } else {
            &[address]
        };
        assert_eq!(world.addresses("next"), next);
    }
}

#[test]
fn what_mooring_published_itself_is_nobody_elses_even_if_the_external_ips_are_lost() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.0/24"], |spec| spec.auto_assign = true);
    world.service("named", "blue", |_| ());
    world.service("automatic", "", |_| ());
    world.service("ours", "", |service| {
        service.class = Some("mooring.dev/mooring".to_owned());
    });
    world.settle();
    let before: Vec<_> = world
        .snapshot
        .services
        .iter()
        .map(|one| one.ingress.clone())
        .collect();
    world.snapshot.addresses.clear();
    world.address_versions.clear();
    let decision = world.decide();
    assert_eq!(
        of_pool(&decision, "blue", "RangesUsable").reason,
        "OverlapsSubnetEdge"
    );
    let usage = decision.pool_states[&mooring_core::ipam::pool::PoolId::mooring("blue")].usage;
    assert_eq!(usage.used.to_string(), "3");
    assert_eq!(decision.create.len(), 3);
    assert!(decision.statuses.is_empty());
    world.settle();
    let after: Vec<_> = world
        .snapshot
        .services
        .iter()
        .map(|one| one.ingress.clone())
        .collect();
    assert_eq!(before, after);
}

#[test]
fn of_two_pools_that_overlap_the_later_one_is_closed() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    world.pool("green", &["10.0.0.9-10.0.0.20"], |_| ());
    world.service("web", "green", |_| ());
    let decision = world.settle();
    assert_eq!(world.addresses("web"), NONE);
    assert_eq!(of_pool(&decision, "blue", "Ready").reason, "Available");
    let condition = of_pool(&decision, "green", "Ready");
    assert_eq!(condition.reason, "PoolConflict");
    assert!(
        condition.message.contains("10.0.0.9"),
        "{}",
        condition.message
    );
}

#[test]
fn with_policy_local_an_address_goes_where_endpoints_are() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1"], |_| ());
    world.service("web", "blue", |service| {
        service.traffic_policy = TrafficPolicy::Local
    });
    world.settle();
    assert_eq!(world.announced("10.0.0.1").reason, "NoEligibleNode");
    assert_eq!(world.known("10.0.0.1").unwrap().planned, None);
    for owner in ["n3", "n1"] {
        world.endpoints("web", &[owner]);
        world.settle();
        assert_eq!(
            world.known("10.0.0.1").unwrap().planned.as_deref(),
            Some(owner)
        );
    }
    world.endpoints("web", &["n1", "n2"]);
    world.settle();
    assert_eq!(
        world.known("10.0.0.1").unwrap().planned.as_deref(),
        Some("n1"),
        "it stays"
    );
    world.endpoints("web", &["n2"]);
    world.edit("web", |service| {
        service.traffic_policy = TrafficPolicy::Cluster
    });
    world.settle();
    assert_eq!(
        world.known("10.0.0.1").unwrap().planned.as_deref(),
        Some("n1"),
        "any node will do"
    );
}

#[test]
fn an_address_in_the_subnet_of_some_nodes_goes_to_one_of_these_and_any_other_to_any_node() {
    let mut world = World::default();
    world.snapshot.nodes = vec![node("n1", &["10.0.0.0/24"]), node("n2", &["10.0.1.0/24"])];
    world.pool("blue", &["10.0.1.7"], |_| ());
    world.pool("routed", &["192.168.0.7"], |_| ());
    world.service("web", "blue", |_| ());
    world.service("far", "routed", |_| ());
    let decision = world.settle();
    assert_eq!(
        world.known("10.0.1.7").unwrap().planned.as_deref(),
        Some("n2")
    );
    assert!(world.known("192.168.0.7").unwrap().planned.is_some());
    let verdicts = decision.verdicts(&world.snapshot, ip("10.0.1.7")).unwrap();
    let words: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.node.as_str(), verdict.obstacles.len()))
        .collect();
    assert_eq!(words, [("n1", 1), ("n2", 0)]);
    assert_eq!(verdicts[0].obstacles[0].as_str(), "NoUplinkInSubnet");
    let far = decision
        .verdicts(&world.snapshot, ip("192.168.0.7"))
        .unwrap();
    assert!(far.iter().all(|verdict| verdict.obstacles.is_empty()));
    assert_eq!(decision.verdicts(&world.snapshot, ip("10.0.1.8")), None);
}

#[test]
fn an_address_that_no_node_can_have_says_why_and_stays_short() {
    let mut world = World::default();
    world.snapshot.nodes = (1..=50)
        .map(|number| node(&format!("n{number:02}"), &["10.0.0.0/16"]))
        .collect();
    world.pool("blue", &["10.0.0.1"], |spec| {
        spec.interfaces = vec!["eth9".to_owned()];
    });
    world.service("web", "blue", |_| ());
    world.settle();
    assert_eq!(world.addresses("web"), ["10.0.0.1"]);
    assert_eq!(world.known("10.0.0.1").unwrap().planned, None);
    let message = &world.announced("10.0.0.1").message;
    assert!(
        message.contains("n04: it has no uplink named eth9"),
        "{message}"
    );
    assert!(message.contains("and 46 more"), "{message}");
    assert!(!message.contains("n05"), "{message}");
    world.snapshot.nodes.clear();
    world.settle();
    let message = &world.announced("10.0.0.1").message;
    assert!(message.contains("no Linux node"), "{message}");
}

#[test]
fn a_node_that_goes_gives_its_addresses_to_others() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.0/24"], |_| ());
    for number in 0..9 {
        world.service(&format!("web-{number}"), "blue", |_| ());
    }
    world.settle();
    world.take_all();
    world.snapshot.nodes.retain(|node| node.view.name != "n1");
    let decision = world.decide();
    assert!(decision.create.is_empty() && decision.statuses.is_empty());
    assert!(!decision.update.is_empty());
    for berthed in &decision.update {
        let known = world.known(&berthed.claim.address.to_string()).unwrap();
        assert_eq!(known.claim, berthed.claim);
        assert_ne!(berthed.node.as_deref(), Some("n1"));
        assert!(!berthed.heirs.contains(&"n1".to_owned()));
        if known.taken_by.as_deref() != Some("n1") {
            assert_eq!((&berthed.node, berthed.plan), (&known.planned, known.plan));
        }
    }
}

#[test]
fn a_node_whose_agent_or_kube_proxy_is_restarted_keeps_its_addresses_and_gets_no_more() {
    type Change = fn(&mut ClusterNode, Option<Timestamp>);
    let lapses: [Change; 2] = [
        |node, since| {
            node.view.reporting = since.is_none();
            node.silent_since = since;
        },
        |node, since| {
            let report = node.view.report.as_mut().unwrap();
            report.conditions = match since {
                Some(_) => vec![Condition::new(
                    KubeProxyHealthyReason::NotRunning,
                    "It is away.",
                )],
                None => Vec::new(),
            };
            node.unserved_since = since;
        },
    ];
    for lapse in lapses {
        let mut world = World::default();
        world.pool("lan", &["10.0.0.1-10.0.0.9"], |_| ());
        world.service("web", "lan", |_| ());
        world.settle();
        world.take_all();
        let holder = world.known("10.0.0.1").unwrap().planned.clone().unwrap();
        let now = world.snapshot.now;
        lapse(world.node(&holder), Some(now));
        let decision = world.decide();
        assert!(decision.is_settled(), "{:?}", decision.update);
        assert_eq!(
            decision.wake,
            Some(now.plus_seconds(45)),
            "it is looked at again in time"
        );
        world.service("new", "lan", |_| ());
        world.settle();
        assert_ne!(
            world.known("10.0.0.2").unwrap().planned,
            Some(holder.clone())
        );
        world.wait(45);
        world.settle();
        assert_ne!(
            world.known("10.0.0.1").unwrap().planned,
            Some(holder.clone())
        );
        world.take_all();
        lapse(world.node(&holder), None);
        world.settle();
        assert_ne!(
            world.known("10.0.0.1").unwrap().planned,
            Some(holder.clone()),
            "it does not go back"
        );
    }
}

#[test]
fn a_node_selector_that_cannot_be_read_moves_nothing() {
    use mooring_core::ipam::selector::{Expression, Operator};
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1"], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    world.take_all();
    world.pool("blue", &["10.0.0.1"], |spec| {
        spec.node_selector.match_expressions.push(Expression {
            key: "role".to_owned(),
            operator: Operator::from_api("Like"),
            values: Vec::new(),
        });
    });
    let decision = world.decide();
    assert!(decision.is_settled(), "{decision:#?}");
    assert_eq!(
        of_pool(&decision, "blue", "Ready").reason,
        "InvalidSelector"
    );
}

#[test]
fn a_pool_says_which_nodes_can_have_its_addresses() {
    let role = |value: &str| LabelSelector {
        match_labels: [("role".to_owned(), value.to_owned())].into(),
        ..LabelSelector::default()
    };
    type Change = fn(&mut World);
    let table: [(&str, &str, Change); 8] = [
        ("SomeEligible", "3 of 3 selected nodes", |_| ()),
        ("NoneSelected", "n2: ", |world| {
            for name in ["n1", "n2", "n3"] {
                world.node(name).labels.clear();
            }
        }),
        ("SomeEligible", "n2: it is not ready", |world| {
            world.node("n2").view.ready = false
        }),
        ("SomeEligible", "n1: it is cordoned", |world| {
            for name in ["n1", "n2", "n3"] {
                world.node(name).cordoned = true;
            }
        }),
        (
            "NoneEligible",
            "exclude-from-external-load-balancers",
            |world| {
                for name in ["n1", "n2", "n3"] {
                    let key = "node.kubernetes.io/exclude-from-external-load-balancers";
                    world
                        .node(name)
                        .labels
                        .insert(key.to_owned(), String::new());
                }
            },
        ),
        (
            "NodesNotReporting",
            "mooring-agent does not report",
            |world| {
                for name in ["n1", "n2", "n3"] {
                    world.node(name).view.reporting = false;
                    world.node(name).view.report = None;
                }
            },
        ),
        ("NodesNotReporting", "n1: it is not ready", |world| {
            world.node("n1").view.ready = false;
            world.node("n2").view.reporting = false;
            world.node("n3").view.ready = false;
        }),
        ("NoneSelected", "no Linux node", |world| {
            world.snapshot.nodes.clear()
        }),
    ];
    for (reason, part, change) in table {
        let mut world = World::default();
        world.pool("blue", &["10.0.0.0/24"], |spec| {
            spec.node_selector = role("edge")
        });
        for name in ["n1", "n2", "n3"] {
            world
                .node(name)
                .labels
                .insert("role".to_owned(), "edge".to_owned());
        }
        change(&mut world);
        let decision = world.decide();
        let condition = of_pool(&decision, "blue", "NodesEligible");
        assert_eq!(condition.reason, reason, "{}", condition.message);
        assert!(condition.message.contains(part), "{}", condition.message);
    }
}

#[test]
fn a_pool_that_reaches_over_subnets_is_served_by_the_nodes_of_any_of_them() {
    let mut world = World::default();
    world.snapshot.nodes = vec![
        node("n1", &["10.0.0.0/24"]),
        node("n2", &["10.0.1.0/24"]),
        node("n3", &["10.0.2.0/24"]),
    ];
    world.pool("blue", &["10.0.0.10-10.0.1.10"], |_| ());
    let decision = world.decide();
    let condition = of_pool(&decision, "blue", "NodesEligible");
    assert!(
        condition.message.starts_with("2 of 3"),
        "{}",
        condition.message
    );
    assert!(condition.message.contains("n3: "), "{}", condition.message);
}

#[test]
fn a_pool_counts_its_addresses_and_names_those_that_drain() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1-10.0.0.9"], |_| ());
    for name in ["a", "b", "c"] {
        world.service(name, "blue", |_| ());
    }
    world.settle();
    world.delete("b");
    world.pool("blue", &["10.0.0.2-10.0.0.9"], |_| ());
    let decision = world.settle();
    let state = &decision.pool_states[&mooring_core::ipam::pool::PoolId::mooring("blue")];
    assert_eq!(
        (
            state.usage.total.to_string(),
            state.usage.used.to_string(),
            state.usage.free.to_string()
        ),
        ("8".to_owned(), "2".to_owned(), "6".to_owned()),
    );
    assert_eq!(state.draining, [ip("10.0.0.1")]);
    assert!(state.in_use);
    world.snapshot.pools[0].terminating = true;
    let decision = world.settle();
    let state = &decision.pool_states[&mooring_core::ipam::pool::PoolId::mooring("blue")];
    assert_eq!(state.draining, [ip("10.0.0.1"), ip("10.0.0.3")]);
    world.snapshot.pools.clear();
    let decision = world.settle();
    assert!(
        decision.pool_states.is_empty(),
        "there is nothing to write to"
    );
    assert_eq!(world.addresses("a"), ["10.0.0.1"]);
}

#[test]
fn the_last_address_leaves_and_the_pool_is_free_to_go() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.1"], |_| ());
    world.service("web", "blue", |_| ());
    world.settle();
    world.snapshot.pools[0].terminating = true;
    world.delete("web");
    let decision = world.settle();
    let state = &decision.pool_states[&mooring_core::ipam::pool::PoolId::mooring("blue")];
    assert!(!state.in_use);
    assert!(state.draining.is_empty());
}

#[test]
fn addresses_of_a_revertive_pool_settle_at_once() {
    let mut world = World::default();
    world.pool("blue", &["10.0.0.0/24"], |spec| spec.revertive = true);
    for number in 0..40 {
        world.service(&format!("web-{number}"), "blue", |_| ());
    }
    let decision = world.decide();
    let seen = world.clone();
    world.carry_out(&decision, &seen, usize::MAX);
    assert!(world.decide().is_settled(), "{:#?}", world.decide().update);
}
