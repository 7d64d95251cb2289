//! The rules of allocation, one story each.

use mooring_core::ipam::outcome::{Note, State};
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::{OnRemoval, PoolId};
use mooring_core::ipam::request::Others;
use mooring_core::ipam::selector::LabelSelector;
use mooring_core::ipam::service::{FamilyPolicy, Ingress, TrafficPolicy};

#[path = "ipam/cluster.rs"]
mod cluster;

use cluster::{Cluster, annotate, dual, id, ingress, ip, port};

const NONE: [&str; 0] = [];

fn blue() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.pool("blue", &["10.10.0.2-10.10.0.10"], |_| ());
    cluster
}

#[test]
fn the_manifests_of_antreas_guide_work_with_antreas_pool() {
    let mut cluster = Cluster::default();
    cluster.pool(
        "antrea:service-external-ip-pool",
        &["10.10.0.2-10.10.0.10"],
        |_| (),
    );
    let antrea = "service.antrea.io/external-ip-pool";
    cluster.service("any", "", |service| {
        annotate(service, antrea, "service-external-ip-pool")
    });
    cluster.service("my-service", "", |service| {
        annotate(service, antrea, "service-external-ip-pool");
        service.load_balancer_ip = Some("10.10.0.2".to_owned());
    });
    let plan = cluster.settle();
    assert_eq!(cluster.addresses("my-service"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("any"), ["10.10.0.3"]);
    let usage = plan.usage[&PoolId::antrea("service-external-ip-pool")];
    assert_eq!((usage.used, usage.free.as_u64()), (2, Some(7)));
}

#[test]
fn services_get_the_lowest_free_addresses_by_age() {
    let mut cluster = blue();
    cluster.service("old", "blue", |_| ());
    cluster.service("aaa", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("old"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("aaa"), ["10.10.0.3"]);
    assert_eq!(cluster.outcome("old").state, State::Assigned);
}

#[test]
fn pools_are_asked_by_priority_and_name() {
    let mut cluster = Cluster::default();
    cluster.pool("a", &["10.0.1.1"], |spec| spec.auto_assign = true);
    cluster.pool("c", &["10.0.3.1"], |spec| spec.auto_assign = true);
    cluster.pool("b", &["10.0.2.1"], |spec| {
        spec.auto_assign = true;
        spec.priority = -1;
    });
    cluster.pool("closed", &["10.0.0.1"], |spec| spec.priority = -9);
    for name in ["one", "two", "three", "four"] {
        cluster.service(name, "", |_| ());
    }
    cluster.settle();
    assert_eq!(cluster.addresses("one"), ["10.0.2.1"]);
    assert_eq!(cluster.addresses("two"), ["10.0.1.1"]);
    assert_eq!(cluster.addresses("three"), ["10.0.3.1"]);
    assert_eq!(cluster.addresses("four"), NONE);
    assert_eq!(
        cluster.notes("four"),
        ["Exhausted", "Exhausted", "Exhausted"]
    );
}

#[test]
fn a_service_that_does_not_ask_is_taken_only_by_a_pool_with_auto_assign() {
    let mut cluster = blue();
    cluster.service("web", "", |_| ());
    assert!(cluster.plan().is_empty());
    assert_eq!(cluster.notes("web"), ["NoAutoAssign"]);
    assert_eq!(cluster.outcome("web").state, State::NotOurs);
    cluster.pool("blue", &["10.10.0.2"], |spec| spec.auto_assign = true);
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
}

#[test]
fn a_service_that_stops_asking_gives_its_address_back_and_one_that_never_asked_keeps_it() {
    let mut cluster = blue();
    cluster.pool("auto", &["10.20.0.2"], |spec| spec.auto_assign = true);
    cluster.service("asks", "blue", |_| ());
    cluster.service("unasked", "", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("unasked"), ["10.20.0.2"]);
    let given = cluster.addresses("asks");

    cluster.pool("auto", &["10.20.0.2"], |_| ());
    cluster.service("asks", "", |_| ());
    cluster.settle();
    assert_eq!(cluster.outcome("asks").state, State::NotOurs);
    assert_eq!(cluster.notes("asks"), ["NoAutoAssign"]);
    assert_eq!(cluster.addresses("asks"), [""; 0]);
    assert_eq!(cluster.addresses("unasked"), ["10.20.0.2"]);

    cluster.service("asks", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("asks"), given, "nobody took it meanwhile");
}

#[test]
fn a_pool_for_other_namespaces_or_services_gives_nothing() {
    let mut cluster = Cluster::default();
    cluster.pool("team", &["10.0.0.1"], |spec| {
        spec.namespaces = vec!["team".to_owned()]
    });
    cluster.pool("front", &["10.0.0.2"], |spec| {
        spec.service_selector = Some(LabelSelector {
            match_labels: [("tier".to_owned(), "front".to_owned())].into(),
            ..LabelSelector::default()
        });
    });
    cluster.service("a", "team", |_| ());
    cluster.service("b", "front", |_| ());
    cluster.settle();
    assert_eq!(cluster.notes("a"), ["NotAllowed"]);
    assert_eq!(cluster.notes("b"), ["NotAllowed"]);
    cluster.edit("b", |service| {
        service.labels.insert("tier".to_owned(), "front".to_owned());
    });
    cluster.settle();
    assert_eq!(cluster.addresses("b"), ["10.0.0.2"]);
}

#[test]
fn a_request_for_an_address_is_met_before_others_can_have_it_by_chance() {
    let mut cluster = blue();
    cluster.service("first", "blue", |_| ());
    cluster.service("asks", "", |service| {
        annotate(service, "mooring.dev/ips", "10.10.0.2")
    });
    cluster.settle();
    assert_eq!(cluster.addresses("asks"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("first"), ["10.10.0.3"]);
}

#[test]
fn a_request_that_cannot_be_met_keeps_the_working_address_and_says_so() {
    for (request, note) in [
        ("10.10.0.3", "Held"),
        ("192.0.2.1", "InNoPool"),
        ("10.10.0.300", "InvalidRequest"),
        ("10.20.0.1", "InOtherPool"),
        ("fd00::1", "InvalidRequest"),
    ] {
        let mut cluster = blue();
        cluster.pool("green", &["10.20.0.1"], |_| ());
        cluster.service("web", "blue", |_| ());
        cluster.service("other", "blue", |_| ());
        cluster.settle();
        cluster.edit("web", |service| {
            annotate(service, "mooring.dev/ips", request)
        });
        assert!(cluster.plan().is_empty(), "{request}");
        let outcome = cluster.outcome("web");
        assert_eq!(outcome.state, State::AssignedOtherwise, "{request}");
        assert!(
            cluster.notes("web").contains(&note),
            "{request}: {:?}",
            outcome.notes
        );
        assert_eq!(outcome.headline().reason, "RequestNotMet");
        assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    }
}

#[test]
fn a_change_that_can_be_met_publishes_the_new_address_before_it_releases_the_old_one() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.edit("web", |service| {
        annotate(service, "mooring.dev/ips", "10.10.0.9")
    });
    let seen = cluster.snapshot();
    let plan = cluster.plan();
    assert_eq!(plan.create.len(), 1);
    assert_eq!(plan.statuses[0].needs, [ip("10.10.0.9")]);
    assert!(plan.update.is_empty() && plan.delete.is_empty());
    cluster.carry_out(&plan, &seen, usize::MAX);
    assert_eq!(cluster.addresses("web"), ["10.10.0.9"]);
    let plan = cluster.plan();
    assert_eq!(plan.update[0].address, ip("10.10.0.2"));
    assert!(plan.update[0].holders.is_empty() && plan.update[0].released.is_some());
}

#[test]
fn a_change_of_the_pool_moves_the_service_once() {
    let mut cluster = blue();
    cluster.pool("green", &["10.20.0.1"], |_| ());
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.edit("web", |service| {
        annotate(service, "mooring.dev/pool", "green")
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.20.0.1"]);
    assert_eq!(cluster.claims[&ip("10.10.0.2")].1.holders, []);
}

#[test]
fn a_pool_that_does_not_exist_is_waited_for() {
    let mut cluster = Cluster::default();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.notes("web"), ["NoSuchPool"]);
    cluster.pool("blue", &["10.10.0.2"], |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
}

#[test]
fn a_released_address_rests_and_then_goes_to_somebody_else() {
    let mut cluster = Cluster::default();
    cluster.pool("one", &["10.0.0.1"], |spec| spec.reuse_after = 30);
    cluster.service("web", "one", |_| ());
    cluster.settle();
    cluster.delete("web");
    cluster.service("next", "one", |_| ());
    let plan = cluster.settle();
    assert_eq!(cluster.addresses("next"), NONE);
    assert_eq!(cluster.notes("next"), ["Exhausted"]);
    assert_eq!(plan.usage[&PoolId::mooring("one")].resting, 1);
    assert_eq!(plan.wake, Some(cluster.now.plus_seconds(30)));
    cluster.edit("next", |service| {
        annotate(service, "mooring.dev/ips", "10.0.0.1")
    });
    assert_eq!(cluster.notes("next"), ["Resting"]);
    cluster.wait(29);
    assert!(cluster.plan().is_empty());
    cluster.wait(1);
    cluster.settle();
    assert_eq!(cluster.addresses("next"), ["10.0.0.1"]);
    assert_eq!(cluster.claims.len(), 1);
}

#[test]
fn a_recreated_service_gets_its_address_back_at_once() {
    let mut cluster = blue();
    for name in ["a", "b"] {
        cluster.service(name, "blue", |_| ());
    }
    cluster.settle();
    cluster.delete("b");
    cluster.settle();
    cluster.service("b", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("b"), ["10.10.0.3"]);
    cluster.delete("a");
    cluster.service("a", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ["10.10.0.2"]);
}

#[test]
fn an_address_that_has_rested_is_forgotten() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.delete("web");
    cluster.settle();
    assert_eq!(cluster.claims.len(), 1);
    cluster.wait(60);
    cluster.settle();
    assert!(cluster.claims.is_empty());
}

#[test]
fn a_service_that_stops_asking_loses_its_status_then_its_claim() {
    type Change = fn(&mut mooring_core::ipam::service::Service);
    let table: [Change; 3] = [
        |service| service.load_balancer = false,
        |service| service.terminating = true,
        |service| service.class = Some("example.com/other".to_owned()),
    ];
    for change in table {
        let mut cluster = blue();
        cluster.service("web", "blue", |_| ());
        cluster.settle();
        cluster.edit("web", change);
        let plan = cluster.plan();
        assert!(plan.update.is_empty() && plan.statuses[0].ingress.is_empty());
        cluster.settle();
        assert_eq!(cluster.addresses("web"), NONE);
        assert_eq!(cluster.claims[&ip("10.10.0.2")].1.holders, []);
    }
}

#[test]
fn only_our_address_is_taken_out_of_the_status_of_a_service_that_is_another_controllers_now() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.edit("web", |service| {
        service.class = Some("example.com/other".to_owned());
        service.ingress.extend(ingress(&["192.0.2.7"]));
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["192.0.2.7"]);
}

#[test]
fn the_status_of_another_controller_is_left_alone() {
    let mut cluster = Cluster::default();
    cluster.pool("blue", &["10.10.0.2-10.10.0.10"], |spec| {
        spec.auto_assign = true
    });
    cluster.service("cloud", "", |service| {
        service.ingress = vec![Ingress {
            hostname: Some("lb.example.com".to_owned()),
            ..Ingress::default()
        }];
    });
    cluster.service("metallb", "", |service| {
        service.ingress = ingress(&["10.10.0.5"]);
        service.status_writers = vec!["controller".to_owned()];
    });
    assert!(cluster.plan().is_empty());
    for name in ["cloud", "metallb"] {
        assert_eq!(cluster.notes(name), ["ForeignStatus"]);
    }
}

#[test]
fn a_status_edited_by_hand_is_put_right() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    for wrong in [
        vec![],
        ingress(&["10.10.0.9"]),
        ingress(&["10.10.0.2", "192.0.2.1"]),
    ] {
        cluster.edit("web", |service| service.ingress = wrong);
        cluster.settle();
        assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    }
    cluster.edit("web", |service| {
        service.ingress[0].ip_mode = Some("Proxy".to_owned())
    });
    assert_eq!(cluster.notes("web"), ["Has", "StatusRepaired"]);
    cluster.settle();
    assert_eq!(
        cluster.services[&id("web")].1.ingress,
        ingress(&["10.10.0.2"])
    );
}

#[test]
fn a_status_that_says_the_same_is_not_written_again() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    for mode in [None, Some("VIP".to_owned())] {
        cluster.edit("web", |service| service.ingress[0].ip_mode = mode);
        assert!(cluster.plan().is_empty());
    }
    cluster.edit("web", |service| {
        dual(service, FamilyPolicy::PreferDualStack)
    });
    assert!(cluster.plan().is_empty());
}

#[test]
fn lost_claims_are_made_again_from_the_statuses() {
    let mut cluster = blue();
    for name in ["a", "b", "c"] {
        cluster.service(name, "blue", |_| ());
    }
    cluster.settle();
    cluster.delete("a");
    let before = cluster.services.clone();
    cluster.claims.clear();
    cluster.service("new", "blue", |_| ());
    cluster.settle();
    for name in ["b", "c"] {
        assert_eq!(
            cluster.services[&id(name)].1.ingress,
            before[&id(name)].1.ingress
        );
        assert_eq!(cluster.claims.len(), 3);
    }
}

#[test]
fn two_services_whose_statuses_say_the_same_address_do_not_both_keep_it() {
    let mut cluster = blue();
    for name in ["a", "b"] {
        cluster.service(name, "blue", |service| {
            service.ingress = ingress(&["10.10.0.4"])
        });
    }
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ["10.10.0.4"]);
    assert_eq!(cluster.addresses("b"), ["10.10.0.2"]);
}

#[test]
fn while_it_is_not_safe_addresses_are_claimed_and_not_published() {
    let mut cluster = blue();
    cluster.service("old", "blue", |_| ());
    cluster.settle();
    cluster.gate = Gate::Closed {
        message: "n2 has arp_ignore 0".to_owned(),
    };
    cluster.service("new", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("old"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("new"), NONE);
    let outcome = cluster.outcome("new");
    assert_eq!(
        (outcome.state, outcome.addresses),
        (State::Withheld, vec![ip("10.10.0.3")])
    );
    cluster.edit("old", |service| {
        annotate(service, "mooring.dev/ips", "10.10.0.7")
    });
    cluster.settle();
    assert_eq!(cluster.addresses("old"), ["10.10.0.2"]);
    cluster.gate = Gate::Open;
    cluster.settle();
    assert_eq!(cluster.addresses("old"), ["10.10.0.7"]);
    assert_eq!(cluster.addresses("new"), ["10.10.0.3"]);
}

fn sharing(cluster: &mut Cluster, name: &str, key: &str, number: u16) {
    cluster.service(name, "blue", |service| {
        service.ports = port(number);
        annotate(service, "mooring.dev/share", key);
    });
}

#[test]
fn services_with_one_key_and_different_ports_share_an_address_whatever_their_policies() {
    let mut cluster = blue();
    sharing(&mut cluster, "http", "web", 80);
    sharing(&mut cluster, "https", "web", 443);
    sharing(&mut cluster, "clash", "web", 443);
    sharing(&mut cluster, "other", "mail", 25);
    cluster.edit("https", |service| {
        service.traffic_policy = TrafficPolicy::Local
    });
    let plan = cluster.settle();
    assert_eq!(cluster.addresses("http"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("https"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("clash"), ["10.10.0.3"]);
    assert_eq!(cluster.addresses("other"), ["10.10.0.4"]);
    assert_eq!(plan.usage[&PoolId::mooring("blue")].used, 3);
    let policies: Vec<TrafficPolicy> = cluster.claims[&ip("10.10.0.2")]
        .1
        .holders
        .iter()
        .map(|holder| holder.traffic_policy)
        .collect();
    assert_eq!(policies, [TrafficPolicy::Cluster, TrafficPolicy::Local]);
}

#[test]
fn who_has_another_key_or_none_cannot_have_a_shared_address_even_by_name() {
    for (key, message) in [("mail", "keys differ"), ("", "does not share")] {
        let mut cluster = blue();
        sharing(&mut cluster, "http", "web", 80);
        sharing(&mut cluster, "smtp", key, 25);
        cluster.edit("smtp", |service| {
            service.annotations.retain(|_, value| !value.is_empty());
            annotate(service, "mooring.dev/ips", "10.10.0.2");
        });
        cluster.edit("http", |service| {
            annotate(service, "mooring.dev/ips", "10.10.0.2")
        });
        cluster.settle();
        assert_eq!(cluster.addresses("smtp"), NONE);
        let headline = cluster.outcome("smtp").headline().message;
        assert!(headline.contains(message), "{headline}");
    }
}

#[test]
fn who_changes_a_port_to_one_that_is_taken_has_to_leave() {
    let mut cluster = blue();
    sharing(&mut cluster, "b", "web", 80);
    sharing(&mut cluster, "a", "web", 443);
    cluster.settle();
    cluster.edit("b", |service| service.ports = port(443));
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("b"), ["10.10.0.3"]);
}

#[test]
fn who_changes_its_key_leaves_if_there_is_another_address_and_stays_if_not() {
    for (range, expected) in [("10.0.0.1-10.0.0.2", "10.0.0.2"), ("10.0.0.1", "10.0.0.1")] {
        let mut cluster = Cluster::default();
        cluster.pool("blue", &[range], |_| ());
        sharing(&mut cluster, "a", "web", 80);
        sharing(&mut cluster, "b", "web", 443);
        cluster.settle();
        cluster.edit("a", |service| {
            annotate(service, "mooring.dev/share", "mine")
        });
        cluster.settle();
        assert_eq!(cluster.addresses("a"), [expected]);
        assert_eq!(cluster.addresses("b"), ["10.0.0.1"]);
    }
}

#[test]
fn antreas_sharing_is_for_requested_addresses() {
    let mut cluster = blue();
    for (name, number) in [("a", 80), ("b", 81), ("c", 80), ("d", 82)] {
        cluster.service(name, "blue", |service| {
            service.ports = port(number);
            service.load_balancer_ip = (name != "d").then(|| "10.10.0.2".to_owned());
            annotate(
                service,
                "service.antrea.io/allow-shared-load-balancer-ip",
                "true",
            );
        });
    }
    cluster.settle();
    assert_eq!(cluster.addresses("a"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("b"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("c"), NONE);
    assert_eq!(cluster.notes("c"), ["Held"]);
    assert_eq!(cluster.addresses("d"), ["10.10.0.3"]);
}

#[test]
fn a_dual_stack_service_gets_both_addresses_from_one_pool_if_one_has_both() {
    let mut cluster = Cluster::default();
    cluster.pool("a", &["10.0.0.1-10.0.0.9"], |spec| spec.auto_assign = true);
    cluster.pool("b", &["10.1.0.1-10.1.0.9", "fd00::/64"], |spec| {
        spec.auto_assign = true
    });
    cluster.service("one", "", |_| ());
    cluster.service("both", "", |service| {
        dual(service, FamilyPolicy::PreferDualStack)
    });
    cluster.settle();
    assert_eq!(cluster.addresses("one"), ["10.0.0.1"]);
    assert_eq!(cluster.addresses("both"), ["10.1.0.1", "fd00::"]);
}

#[test]
fn prefer_dual_stack_takes_one_family_and_the_other_when_it_comes() {
    let mut cluster = blue();
    cluster.service("web", "blue", |service| {
        dual(service, FamilyPolicy::PreferDualStack)
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.outcome("web").state, State::Assigned);
    cluster.pool("blue", &["10.10.0.2-10.10.0.10", "fd00::1-fd00::9"], |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2", "fd00::1"]);
    cluster.edit("web", |service| {
        service.families.truncate(1);
        service.family_policy = FamilyPolicy::SingleStack;
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.claims[&ip("fd00::1")].1.holders, []);
}

#[test]
fn require_dual_stack_gets_both_or_nothing_and_loses_nothing() {
    let mut cluster = blue();
    cluster.service("new", "blue", |service| {
        dual(service, FamilyPolicy::RequireDualStack)
    });
    cluster.service("old", "blue", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("new"), NONE);
    assert_eq!(cluster.notes("new"), ["NoFamily", "NotBothFamilies"]);
    assert_eq!(cluster.addresses("old"), ["10.10.0.2"]);
    cluster.edit("old", |service| {
        dual(service, FamilyPolicy::RequireDualStack)
    });
    cluster.settle();
    assert_eq!(cluster.addresses("old"), ["10.10.0.2"]);
    assert_eq!(cluster.outcome("old").state, State::AssignedOtherwise);
    cluster.pool("blue", &["10.10.0.2-10.10.0.10", "fd00::1-fd00::9"], |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("new"), ["10.10.0.3", "fd00::1"]);
    assert_eq!(cluster.addresses("old"), ["10.10.0.2", "fd00::2"]);
}

#[test]
fn a_recreated_service_that_now_requires_both_families_takes_nothing_back_alone() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.service("web", "blue", |service| {
        dual(service, FamilyPolicy::RequireDualStack);
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), NONE);
    assert_eq!(cluster.claims[&ip("10.10.0.2")].1.holders, []);
}

#[test]
fn nobody_comes_to_a_resting_address_by_way_of_a_service_that_then_does_not_get_both_families() {
    let mut cluster = Cluster::default();
    cluster.pool("blue", &["10.10.0.2-10.10.0.10"], |spec| {
        spec.reuse_after = 60
    });
    sharing(&mut cluster, "older", "web", 81);
    cluster.edit("older", |service| service.load_balancer = false);
    sharing(&mut cluster, "back", "web", 80);
    cluster.settle();
    cluster.delete("back");
    cluster.settle();
    sharing(&mut cluster, "back", "web", 80);
    cluster.edit("back", |service| {
        dual(service, FamilyPolicy::RequireDualStack);
    });
    cluster.edit("older", |service| service.load_balancer = true);
    cluster.settle();
    assert_eq!(cluster.addresses("back"), NONE);
    assert_eq!(cluster.addresses("older"), ["10.10.0.3"]);
    assert_eq!(cluster.claims[&ip("10.10.0.2")].1.holders, []);
    // What it had is still its own once there is an address of the other family.
    cluster.pool("blue", &["10.10.0.2-10.10.0.10", "fd00::1"], |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("back"), ["10.10.0.2", "fd00::1"]);
    assert_eq!(cluster.addresses("older"), ["10.10.0.3"]);
}

#[test]
fn a_pool_that_shrinks_drains_or_takes_back_as_it_says() {
    for (on_removal, expected) in [
        (OnRemoval::Drain, "10.10.0.2"),
        (OnRemoval::Release, "10.10.0.5"),
    ] {
        let mut cluster = blue();
        cluster.service("web", "blue", |_| ());
        cluster.settle();
        cluster.pool("blue", &["10.10.0.5-10.10.0.10"], |spec| {
            spec.on_removal = on_removal
        });
        cluster.service("new", "blue", |_| ());
        let plan = cluster.settle();
        assert_eq!(cluster.addresses("web"), [expected]);
        assert_ne!(cluster.addresses("new"), ["10.10.0.2"]);
        let usage = plan.usage[&PoolId::mooring("blue")];
        assert_eq!(usage.used, 2);
        let outcome = cluster.outcome("web");
        let drains = outcome
            .notes
            .iter()
            .any(|note| matches!(note, Note::Draining(..)));
        assert_eq!(drains, on_removal == OnRemoval::Drain);
    }
}

#[test]
fn a_pool_that_is_deleted_drains_or_takes_back_as_it_says() {
    for (on_removal, expected) in [
        (OnRemoval::Drain, vec!["10.10.0.2"]),
        (OnRemoval::Release, vec![]),
    ] {
        let mut cluster = Cluster::default();
        cluster.pool("blue", &["10.10.0.2-10.10.0.10"], |spec| {
            spec.on_removal = on_removal
        });
        cluster.service("web", "blue", |_| ());
        cluster.settle();
        cluster.pools[0].terminating = true;
        cluster.service("new", "blue", |_| ());
        cluster.settle();
        assert_eq!(cluster.addresses("web"), expected);
        assert_eq!(cluster.addresses("new"), NONE);
        assert_eq!(cluster.notes("new"), ["PoolProblem"]);
    }
}

#[test]
fn a_range_that_moves_to_another_pool_takes_its_addresses_along() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.edit("web", |service| {
        service.annotations.clear();
        annotate(service, "mooring.dev/pool", "green");
    });
    cluster.pool("blue", &["10.10.0.5-10.10.0.10"], |_| ());
    cluster.pool("green", &["10.10.0.2-10.10.0.4"], |_| ());
    let plan = cluster.plan();
    assert!(plan.create.is_empty() && plan.statuses.is_empty());
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(
        cluster.claims[&ip("10.10.0.2")].1.pool,
        PoolId::mooring("green")
    );
}

#[test]
fn an_address_that_comes_to_a_pool_which_its_service_does_not_name_stays_with_the_service() {
    let mut cluster = blue();
    cluster.pool("green", &["10.20.0.1"], |_| ());
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.pool("blue", &["10.10.0.5-10.10.0.10"], |_| ());
    cluster.pool("green", &["10.20.0.1", "10.10.0.2"], |_| ());
    assert!(cluster.plan().is_empty());
    assert_eq!(cluster.notes("web"), ["Draining", "Has"]);
}

#[test]
fn an_address_that_leaves_its_pool_is_not_taken_away_by_another_one_that_is_about_to_go() {
    let mut cluster = Cluster::default();
    cluster.pool("blue", &["10.10.0.2-10.10.0.10"], |spec| {
        spec.auto_assign = true
    });
    cluster.service("web", "", |_| ());
    cluster.settle();
    cluster.pool("green", &["10.10.0.2"], |spec| {
        spec.on_removal = OnRemoval::Release
    });
    cluster.pools[1].terminating = true;
    cluster.pool("blue", &["10.10.0.5-10.10.0.10"], |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.notes("web"), ["Draining", "Has"]);
    let claim = &cluster.claims[&ip("10.10.0.2")].1;
    assert_eq!(claim.pool, PoolId::mooring("blue"));
}

#[test]
fn a_pool_in_conflict_hands_out_nothing_and_takes_nothing_away() {
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    cluster.pool("green", &["10.10.0.8-10.10.0.20"], |_| ());
    cluster.service("new", "green", |_| ());
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("new"), NONE);
    let message = cluster.outcome("new").headline().message;
    assert!(message.contains("older pool blue"), "{message}");
}

#[test]
fn addresses_of_the_cluster_are_not_handed_out_and_not_taken_away() {
    use mooring_core::ipam::cluster_addresses::Occupant;
    let mut cluster = blue();
    cluster.service("web", "blue", |_| ());
    cluster.settle();
    for address in ["10.10.0.2", "10.10.0.3"] {
        cluster
            .occupied
            .add(Occupant::Node("n1".to_owned()), ip(address));
    }
    cluster.service("new", "blue", |_| ());
    cluster.service("asks", "", |service| {
        annotate(service, "mooring.dev/ips", "10.10.0.3")
    });
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("new"), ["10.10.0.4"]);
    let message = cluster.outcome("asks").headline().message;
    assert!(message.contains("node n1"), "{message}");
}

#[test]
fn services_that_antrea_serves_are_left_alone() {
    let mut cluster = Cluster::default();
    cluster.pool("antrea:blue", &["10.10.0.2-10.10.0.10"], |_| ());
    let annotation = "service.antrea.io/external-ip-pool";
    cluster.service("web", "", |service| annotate(service, annotation, "blue"));
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    cluster.others = Others {
        antrea_serves: true,
    };
    cluster.service("other", "", |service| annotate(service, annotation, "blue"));
    cluster.settle();
    assert_eq!(cluster.addresses("web"), ["10.10.0.2"]);
    assert_eq!(cluster.addresses("other"), NONE);
    assert_eq!(cluster.notes("web"), ["NotOurs"]);
}

#[test]
fn a_pool_that_only_metallb_has_leaves_the_service_to_metallb() {
    let mut cluster = blue();
    for (name, pool) in [("theirs", "first"), ("ours", "blue")] {
        cluster.service(name, "", |service| {
            annotate(service, "metallb.io/address-pool", pool)
        });
    }
    cluster.settle();
    assert_eq!(cluster.notes("theirs"), ["PoolNotHere"]);
    assert_eq!(cluster.addresses("ours"), ["10.10.0.2"]);
}

#[test]
fn of_two_operators_that_create_one_claim_only_one_publishes_it() {
    let mut cluster = Cluster::default();
    cluster.pool("blue", &["10.0.0.1"], |_| ());
    cluster.service("a", "blue", |_| ());
    let old = cluster.snapshot();
    let mut late = old.clone();
    late.services.clear();
    cluster.service("b", "blue", |_| ());
    let new = cluster.snapshot();
    late.services = new
        .services
        .iter()
        .filter(|service| service.id.name == "b")
        .cloned()
        .collect();
    let (one, two) = (old.plan(), late.plan());
    cluster.carry_out(&one, &old, usize::MAX);
    cluster.carry_out(&two, &new, usize::MAX);
    assert_eq!(cluster.addresses("a"), ["10.0.0.1"]);
    assert_eq!(cluster.addresses("b"), NONE);
    cluster.settle();
    assert_eq!(cluster.notes("b"), ["Exhausted"]);
}

#[test]
fn a_whole_ipv6_prefix_costs_nothing() {
    let mut cluster = Cluster::default();
    cluster.pool("huge", &["fd00::/8"], |_| ());
    cluster.service("web", "huge", |service| {
        service.families = vec![mooring_core::ipam::range::Family::V6];
        annotate(service, "mooring.dev/ips", "fdff:0:0::0007");
    });
    let plan = cluster.settle();
    assert_eq!(cluster.addresses("web"), ["fdff::7"]);
    let free = plan.usage[&PoolId::mooring("huge")].free.to_string();
    assert_eq!(free, "1329227995784915872903807060280344575");
}
