//! Addresses survive: what users and other controllers do to them, the operator's absence, and the loss of the node that
//! runs it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;
mod plugin;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mooring::{EXTERNAL_IPS, Mooring, POOLS, object_name, pool, service, service_at, service_of};
use plugin::{Cluster, tell, wait_for};
use serde_json::{Value, json};
use testbed::Bed;
use testbed::protocol::Request;
use testbed::spec::{Proxy, StrictArp};
use watch::Watch;

/// The pool that most stories take addresses from.
const COMMON: &str = "common";

#[test]
fn addresses_survive_what_happens_to_them_and_to_the_operator() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "survive")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::install(&cluster.bed);
    mooring.wait_until_safe();
    mooring.create(&pool(COMMON, "10.77.0.200", "10.77.0.209"));
    for (story, run) in STORIES {
        tell(story, || run(&cluster, &mooring));
    }
    cluster.bed.down().unwrap();
}

type Story = fn(&Cluster, &Mooring<'_>);

const STORIES: &[(&str, Story)] = &[
    (
        "what was released while no operator ran is released once",
        released_while_down,
    ),
    (
        "a Service deleted as the operators are killed is released once",
        deleted_as_operators_are_killed,
    ),
    ("a status edited by hand is put right", edited_by_hand),
    ("a foreign status is not touched", foreign_status),
    ("a typo takes no address away", typo),
    ("a pool drains", drained),
    (
        "of two pools made at once that overlap, the later one is closed",
        overlapping_pools,
    ),
    (
        "a Service made as the leader's node loses power is published within 10 s",
        power_cut,
    ),
];

/// A watch on all claims that has begun; `known` is an address that is claimed already.
fn watch_claims(cluster: &Cluster, name: &str, known: &str) -> Watch {
    let watch = Watch::on(&cluster.bed, name, &[EXTERNAL_IPS]);
    wait_for("the watch has begun", || !of(&watch, known).is_empty());
    watch
}

/// What a watch has seen of the claim to an address.
fn of(watch: &Watch, address: &str) -> Vec<(String, Value)> {
    let name = object_name(address);
    let mut seen = watch.seen();
    seen.retain(|(_, object)| object["metadata"]["name"] == name.as_str());
    seen
}

/// Waits until the claim to an address is gone, and fails unless it was released before, by that Service, and once.
#[track_caller]
fn expect_released_once(watch: &Watch, address: &str, service: &str) {
    wait_for(&format!("the claim to {address} is deleted"), || {
        of(watch, address).iter().any(|(kind, _)| kind == "DELETED")
    });
    let seen = of(watch, address);
    let mut released: Vec<&Value> = seen
        .iter()
        .map(|(_, object)| &object["spec"]["released"])
        .collect();
    released.dedup();
    let [Value::Null, release] = released[..] else {
        panic!("{address} was released like this: {released:?}");
    };
    assert_eq!(release["name"], service, "{release}");
    let deleted = seen.iter().filter(|(kind, _)| kind == "DELETED").count();
    assert_eq!(deleted, 1, "{address} was deleted so many times");
}

/// Another type, another class, no annotation any more, and no Service any more: all while no operator runs.
fn released_while_down(cluster: &Cluster, mooring: &Mooring<'_>) {
    let names = ["kept", "retyped", "reclassed", "unnamed", "deleted"];
    let mut addresses = BTreeMap::new();
    for name in names {
        mooring.create(&service_of(name, COMMON));
        addresses.insert(name, mooring.address_of(name));
    }
    let distinct: BTreeSet<&String> = addresses.values().collect();
    assert_eq!(distinct.len(), names.len(), "{addresses:?}");
    let kept = mooring.external_ip(&addresses["kept"])["spec"].take();
    let claims = watch_claims(cluster, "absence", &addresses["kept"]);

    mooring.scale_operator(0);
    mooring.merge("service/retyped", &json!({"spec": {"type": "ClusterIP"}}));
    // A class can be set only as the type becomes LoadBalancer.
    mooring.merge("service/reclassed", &json!({"spec": {"type": "ClusterIP"}}));
    mooring.merge(
        "service/reclassed",
        &json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}}),
    );
    mooring.merge(
        "service/unnamed",
        &json!({"metadata": {"annotations": {"mooring.dev/pool": null}}}),
    );
    mooring.delete("service/deleted");
    let back = Instant::now();
    mooring.scale_operator(2);
    for name in ["retyped", "reclassed", "unnamed", "deleted"] {
        expect_released_once(&claims, &addresses[name], name);
    }
    println!(
        "all released and gone {} s after it is back",
        back.elapsed().as_secs()
    );
    for name in ["retyped", "reclassed", "unnamed"] {
        assert_eq!(mooring.published(name), [""; 0], "{name}");
    }
    assert_eq!(mooring.published("kept"), [addresses["kept"].as_str()]);
    for (kind, object) in of(&claims, &addresses["kept"]) {
        assert_ne!(kind, "DELETED");
        assert_eq!(object["spec"], kept, "the claim that stays was changed");
    }
    mooring.wait_for_usage(&format!("{POOLS}/{COMMON}"), 10, 1);
    // It asks nobody now, so that the first pool with autoAssign would serve it.
    mooring.delete("service/unnamed");
}

/// Every replica gets SIGKILL, and in the same moment a Service goes.
fn deleted_as_operators_are_killed(cluster: &Cluster, mooring: &Mooring<'_>) {
    mooring.create(&service_at("killed", COMMON, "10.77.0.208"));
    mooring.wait_for_published("killed", &["10.77.0.208"]);
    let claims = watch_claims(cluster, "killed", "10.77.0.208");
    let killed = std::thread::scope(|scope| {
        let kill = scope.spawn(|| mooring.kill_operators());
        mooring.delete("service/killed");
        kill.join().unwrap()
    });
    println!("killed: {killed:?}");
    assert!(!killed.is_empty(), "no operator was killed");
    expect_released_once(&claims, "10.77.0.208", "killed");
}

fn edited_by_hand(_: &Cluster, mooring: &Mooring<'_>) {
    mooring.create(&service_at("edited", COMMON, "10.77.0.205"));
    mooring.wait_for_published("edited", &["10.77.0.205"]);
    let uid = mooring.external_ip("10.77.0.205")["metadata"]["uid"].take();
    for wrong in [
        json!([{"ip": "10.77.0.250"}]),
        json!([]),
        json!([{"ip": "10.77.0.205"}, {"ip": "10.77.0.206"}]),
        json!([{"hostname": "example.com"}]),
    ] {
        mooring.write_ingress("edited", &wrong, "kubectl-edit");
        let begin = Instant::now();
        mooring.wait_for("the status is right again", || {
            let ingress =
                mooring.object("service/edited")["status"]["loadBalancer"]["ingress"].take();
            (ingress == json!([{"ip": "10.77.0.205", "ipMode": "VIP"}])).then_some(())
        });
        println!(
            "{wrong} put right after {:.1} s",
            begin.elapsed().as_secs_f64()
        );
    }
    assert_eq!(mooring.external_ip("10.77.0.205")["metadata"]["uid"], uid);
    assert!(mooring.external_ip("10.77.0.206").is_null());
    assert!(mooring.external_ip("10.77.0.250").is_null());
}

/// Although a pool takes every Service that nobody else serves.
fn foreign_status(_: &Cluster, mooring: &Mooring<'_>) {
    let without_class = service("metallbs", &json!({}));
    let mut other_class = service("others", &json!({}));
    other_class["spec"]["loadBalancerClass"] = json!("example.com/other");
    for (name, object) in [("metallbs", &without_class), ("others", &other_class)] {
        mooring.create(object);
        mooring.write_ingress(name, &json!([{"ip": "10.77.0.240"}]), "controller");
    }
    let versions = || {
        ["metallbs", "others"].map(|name| {
            let mut object = mooring.object(&format!("service/{name}"));
            object["metadata"]["resourceVersion"].take()
        })
    };
    let before = versions();
    let mut everybodys = pool("everybodys", "10.77.0.236", "10.77.0.244");
    everybodys["spec"]["autoAssign"] = json!(true);
    mooring.create(&everybodys);
    mooring.create(&service("nobodys", &json!({})));
    assert_eq!(mooring.address_of("nobodys"), "10.77.0.236");
    // The address that the other controller gave is nobody else's: it is in the pool, and is not handed out.
    mooring.wait_for_pool("everybodys", "RangesUsable", "OverlapsForeignService");
    mooring.create(&service_at("wishes", "everybodys", "10.77.0.240"));
    let event = mooring.wait_for_event("wishes", "AllocationFailed", "10.77.0.240");
    println!("{event}");
    assert_eq!(versions(), before, "somebody wrote");
    for name in ["metallbs", "others"] {
        assert_eq!(mooring.published(name), ["10.77.0.240"], "{name}");
    }
    for name in ["nobodys", "wishes", "metallbs", "others"] {
        mooring.delete(&format!("service/{name}"));
    }
    mooring.delete(&format!("{POOLS}/everybodys"));
}

fn typo(cluster: &Cluster, mooring: &Mooring<'_>) {
    mooring.create(&service_at("careless", COMMON, "10.77.0.203"));
    mooring.wait_for_published("careless", &["10.77.0.203"]);
    let services = Watch::on(&cluster.bed, "careless", &["service", "careless"]);
    wait_for("the watch has begun", || !services.seen().is_empty());
    let ask = |address: &str| {
        mooring.merge(
            "service/careless",
            &json!({"metadata": {"annotations": {"mooring.dev/ips": address}}}),
        );
    };
    let request_met = |address: &str, reason: &str| {
        let wanted = format!("RequestMet of {address} is {reason}");
        mooring.wait_for(&wanted, || {
            let found = mooring::condition(&mooring.external_ip(address)["status"], "RequestMet");
            found.filter(|now| now.reason == reason)
        })
    };
    assert_eq!(request_met("10.77.0.203", "Met").status, "True");
    for (wrong, reason) in [
        ("10.77.0.1999", "InvalidRequest"),
        ("10.99.0.1", "InNoPool"),
    ] {
        ask(wrong);
        let event = mooring.wait_for_event("careless", "RequestNotMet", wrong);
        println!("{event}");
        assert!(event.contains(" Warning "), "{event}");
        let why = cluster.explain("careless");
        assert!(why.contains(wrong), "{why}");
        assert!(why.contains("10.77.0.203"), "{why}");
        let condition = request_met("10.77.0.203", reason);
        println!("RequestMet: {}", condition.message);
        assert_eq!(condition.status, "False");
        for text in ["default/careless", wrong, "it keeps 10.77.0.203"] {
            assert!(condition.message.contains(text), "{}", condition.message);
        }
        let address = format!("{EXTERNAL_IPS}/{}", object_name("10.77.0.203"));
        let wait = ["wait", "--for=condition=RequestMet=false", "--timeout=10s"];
        cluster
            .bed
            .kubectl(&[&wait[..], &[&address]].concat())
            .unwrap();
        assert_eq!(mooring.published("careless"), ["10.77.0.203"]);
    }
    ask("10.77.0.204");
    mooring.wait_for_published("careless", &["10.77.0.204"]);
    assert_eq!(request_met("10.77.0.204", "Met").status, "True");
    let mut history: Vec<Vec<String>> = services
        .seen()
        .iter()
        .map(|(_, object)| mooring::ingress(object))
        .collect();
    history.dedup();
    assert_eq!(history, [["10.77.0.203"], ["10.77.0.204"]]);
    mooring.wait_for("the former address is released", || {
        let claim = mooring.external_ip("10.77.0.203");
        (claim.is_null() || !claim["spec"]["released"].is_null()).then_some(())
    });
    mooring.wait_for("nothing is said about a request for it", || {
        let claim = mooring.external_ip("10.77.0.203");
        mooring::condition(&claim["status"], "RequestMet")
            .is_none()
            .then_some(())
    });
}

/// Shrunk, then deleted, while Services have addresses of it.
fn drained(cluster: &Cluster, mooring: &Mooring<'_>) {
    let name = format!("{POOLS}/drained");
    let status = |field: &str| mooring.object(&name)["status"][field].take();
    mooring.create(&pool("drained", "10.77.0.210", "10.77.0.214"));
    mooring.create(&service_at("inner", "drained", "10.77.0.210"));
    mooring.create(&service_at("outer", "drained", "10.77.0.214"));
    mooring.wait_for_published("inner", &["10.77.0.210"]);
    mooring.wait_for_published("outer", &["10.77.0.214"]);

    mooring.merge(
        &name,
        &json!({"spec": {"ipRanges": [{"start": "10.77.0.210", "end": "10.77.0.212"}]}}),
    );
    mooring.wait_for("the address outside is named", || {
        (status("draining") == json!(["10.77.0.214"])).then_some(())
    });
    assert_eq!(mooring.published("outer"), ["10.77.0.214"]);
    mooring.create(&service_at("latecomer", "drained", "10.77.0.214"));
    let event = mooring.wait_for_event("latecomer", "AllocationFailed", "10.77.0.214");
    println!("{event}");

    mooring.delete(&name);
    let deleting = mooring.wait_for_pool("drained", "Ready", "Deleting");
    println!("Ready: {}", deleting.message);
    mooring.wait_for("both addresses are named", || {
        (status("draining") == json!(["10.77.0.210", "10.77.0.214"])).then_some(())
    });
    print!("{}", cluster.bed.kubectl(&["get", &name]).unwrap());
    mooring.create(&service_of("newcomer", "drained"));
    let event = mooring.wait_for_event("newcomer", "AllocationFailed", "being deleted");
    println!("{event}");
    assert_eq!(mooring.published("inner"), ["10.77.0.210"]);
    assert_eq!(mooring.published("outer"), ["10.77.0.214"]);

    mooring.delete("service/inner");
    mooring.wait_for("one address is named", || {
        (status("draining") == json!(["10.77.0.214"])).then_some(())
    });
    mooring.delete("service/outer");
    mooring.wait_for("the pool is gone", || {
        mooring.object(&name).is_null().then_some(())
    });
    for name in ["latecomer", "newcomer"] {
        mooring.delete(&format!("service/{name}"));
    }
}

fn overlapping_pools(_: &Cluster, mooring: &Mooring<'_>) {
    let names = ["left", "right"];
    let pools = [
        pool("left", "10.77.0.220", "10.77.0.224"),
        pool("right", "10.77.0.223", "10.77.0.227"),
    ];
    std::thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(move || mooring.create(pool));
        }
    });
    let services: Vec<String> = names
        .iter()
        .flat_map(|pool| (1..=5).map(move |number| format!("{pool}-{number}")))
        .collect();
    std::thread::scope(|scope| {
        for name in &services {
            let (pool, _) = name.split_once('-').unwrap();
            scope.spawn(move || mooring.create(&service_of(name, pool)));
        }
    });
    let reason = |name: &str| {
        let status = mooring.object(&format!("{POOLS}/{name}"))["status"].take();
        mooring::condition(&status, "Ready").map(|condition| condition.reason)
    };
    let closed = mooring.wait_for("one of the pools is closed", || {
        names
            .into_iter()
            .find(|name| reason(name).as_deref() == Some("PoolConflict"))
    });
    let open = names.into_iter().find(|name| *name != closed).unwrap();
    println!(
        "Ready of {closed}: {}",
        mooring
            .wait_for_pool(closed, "Ready", "PoolConflict")
            .message
    );
    for name in services.iter().filter(|name| name.starts_with(open)) {
        mooring.address_of(name);
    }
    for name in services.iter().filter(|name| name.starts_with(closed)) {
        mooring.wait_for_event(name, "AllocationFailed", &format!("older pool {open}"));
    }
    assert_ne!(reason(open).as_deref(), Some("PoolConflict"));
    let given: Vec<String> = services
        .iter()
        .flat_map(|name| mooring.published(name))
        .collect();
    let distinct: BTreeSet<&String> = given.iter().collect();
    assert_eq!((given.len(), distinct.len()), (5, 5), "{given:?}");

    // When the open one leaves the addresses out, the other one opens.
    for name in services.iter().filter(|name| name.starts_with(open)) {
        mooring.delete(&format!("service/{name}"));
    }
    mooring.delete(&format!("{POOLS}/{open}"));
    for name in services.iter().filter(|name| name.starts_with(closed)) {
        mooring.address_of(name);
        mooring.delete(&format!("service/{name}"));
    }
    mooring.delete(&format!("{POOLS}/{closed}"));
}

/// The worst moment for the others: right after the leader has renewed its Lease.
fn power_cut(cluster: &Cluster, mooring: &Mooring<'_>) {
    mooring.create(&service_of("before", COMMON));
    let before = mooring.address_of("before");
    let leader = mooring.leader();
    let (holder, renewed) = mooring.lease();
    assert_eq!(holder, leader.name);
    wait_for("the Lease is renewed", || mooring.lease().1 != renewed);

    cluster
        .bed
        .order(&Request::Kill(leader.node.clone()))
        .unwrap();
    let cut = Instant::now();
    mooring.create(&service_of("at-that-moment", COMMON));
    let address = mooring.address_of("at-that-moment");
    let took = cut.elapsed();
    println!(
        "{} went off with the leader; at-that-moment has {address} after {:.1} s",
        leader.node,
        took.as_secs_f64()
    );
    assert_ne!(mooring.leader().name, leader.name);

    let not_ready = ["wait", "--for=condition=Ready=Unknown", "--timeout=120s"];
    let node = format!("node/{}", leader.node);
    let mut arguments = not_ready.to_vec();
    arguments.push(&node);
    cluster.bed.kubectl(&arguments).unwrap();
    println!(
        "{} is known to be off after {} s",
        leader.node,
        cut.elapsed().as_secs()
    );
    let later = Instant::now();
    mooring.create(&service_of("later", COMMON));
    mooring.address_of("later");
    println!(
        "later has an address after {:.1} s",
        later.elapsed().as_secs_f64()
    );
    for address in [&before, &address] {
        mooring.wait_for("its planned node is one that runs", || {
            let node = mooring.external_ip(address)["spec"]["node"].take();
            node.as_str()
                .is_some_and(|node| node != leader.node)
                .then_some(())
        });
    }
    assert_eq!(mooring.published("before"), [before]);
    assert_eq!(mooring.published("at-that-moment"), [address]);
    assert!(took < Duration::from_secs(10), "{took:?}");
}
