//! The steps of Antrea's guide "Service of type LoadBalancer", on a cluster without Antrea: with Antrea's objects, which
//! work unchanged, and with Mooring's. kube-proxy runs in IPVS mode without strictARP at first: no address is published before
//! the guard has seen to it that one node at most answers.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod cargo;
mod mooring;
mod plugin;
mod watch;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mooring::{ANTREA_POOLS, EXTERNAL_IPS, Mooring, POOLS, object_name, service};
use plugin::{Cluster, tell, wait_for};
use serde_json::{Value, json};
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};
use watch::Watch;

/// The guide's pool.
const POOL: &str = "service-external-ip-pool";
/// The nodes that get the guide's label.
const INGRESS_NODES: [&str; 2] = ["n1", "n2"];
/// The lowest address of the pool, which is the one that the guide asks for as well.
const FIRST: &str = "10.10.0.2";
/// An address of the pool that nobody gets without asking for it in these stories.
const ASKED_FOR: &str = "10.10.0.7";

/// The guide, told with the objects of one project.
struct Guide {
    /// The folder of its manifests, in `manifests/samples`.
    folder: &'static str,
    /// The pools, as kubectl takes them.
    pools: &'static str,
    /// The API group in an ExternalIP.
    group: &'static str,
    /// The annotation that names the pool.
    annotation: &'static str,
    /// How long an address rests, where a pool can say that.
    rest: Option<Duration>,
}

const ANTREAS: Guide = Guide {
    folder: "antrea-guide",
    pools: ANTREA_POOLS,
    group: "crd.antrea.io",
    annotation: "service.antrea.io/external-ip-pool",
    rest: None,
};

const MOORINGS: Guide = Guide {
    folder: "mooring-guide",
    pools: POOLS,
    group: "mooring.dev",
    annotation: "mooring.dev/pool",
    rest: Some(Duration::from_secs(10)),
};

/// A pool in the version of Antrea's API that is served today.
const NEWER: &str = "
apiVersion: crd.antrea.io/v1beta1
kind: ExternalIPPool
metadata:
  name: newer
spec:
  ipRanges:
  - cidr: 10.10.1.0/28
  nodeSelector: {}
";

#[test]
fn the_steps_of_antreas_guide_give_services_their_addresses() {
    let bed = Bed::fixture(env!("CARGO_BIN_EXE_testbed"), "guide")
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::False)
        .start()
        .unwrap();
    let cluster = Cluster::on(bed);
    let mooring = Mooring::find(&cluster.bed);
    let begin = Instant::now();
    Mooring::install_with(&cluster.bed, &json!({"strictARP": {"policy": "Warn"}}));
    println!("deployed in {} s", begin.elapsed().as_secs());
    for node in INGRESS_NODES {
        let label = ["label", "node", node, "network-role=ingress-node"];
        cluster.bed.kubectl(&label).unwrap();
    }

    tell("an address is held back until that is safe", || {
        held_back(&cluster, &mooring);
    });
    tell("the guide with Mooring's objects", || {
        MOORINGS.walk(&cluster, &mooring);
    });
    mooring.wait_until_nothing_is_claimed();
    // Mooring runs already: the kind may come at any time.
    let compatibility = mooring::tree().join("manifests/antrea-compatibility");
    let folder = compatibility.canonicalize().unwrap();
    let apply = ["apply", "-k", folder.to_str().unwrap()];
    cluster.bed.kubectl(&apply).unwrap();
    let established = ["wait", "--for=condition=Established", "crd", "--all"];
    cluster.bed.kubectl(&established).unwrap();
    tell("the guide with Antrea's objects", || {
        ANTREAS.walk(&cluster, &mooring);
    });
    tell("a pool in Antrea's newer version", || newer(&mooring));
    cluster.bed.down().unwrap();
}

/// While every node would answer for it, an address is claimed, planned and not published.
fn held_back(cluster: &Cluster, mooring: &Mooring<'_>) {
    let (services, proxies) = (
        Watch::on(&cluster.bed, "services", &["services"]),
        Watch::on(&cluster.bed, "proxies", &["serviceproxy", "cluster"]),
    );
    wait_for("the watches have begun", || {
        !services.seen().is_empty() && !proxies.seen().is_empty()
    });
    let unsafe_yet = mooring.wait_for_status("SafeToAnnounce", "False");
    println!("SafeToAnnounce: {}", unsafe_yet.message);

    MOORINGS.apply_pool(mooring);
    MOORINGS.apply(mooring, "service.yaml");
    let announced = mooring.wait_for_announced(FIRST, "WaitingForSafety");
    println!("Announced: {}", announced.message);
    let event = mooring.wait_for_event("my-service", "Withheld", FIRST);
    println!("{event}");
    assert_eq!(mooring.published("my-service"), [""; 0]);
    let columns = cluster.bed.kubectl(&["get", "svc", "my-service"]).unwrap();
    assert!(columns.contains("<pending>"), "{columns}");
    let why = cluster.explain("my-service");
    assert!(why.contains(FIRST), "{why}");
    assert!(why.contains("held back"), "{why}");

    mooring.set_spec(&json!({"strictARP": {"policy": "Enforce"}}));
    let begin = Instant::now();
    mooring.wait_for_status("SafeToAnnounce", "True");
    let safe = Instant::now();
    mooring.wait_for_published("my-service", &[FIRST]);
    println!(
        "safe {} s after Enforce, published {:.1} s later",
        (safe - begin).as_secs(),
        safe.elapsed().as_secs_f64()
    );
    assert!(safe.elapsed() < Duration::from_secs(10));

    // Of one etcd, so that the versions of different objects can be compared.
    let safe_at = version_of(&proxies, |proxy| {
        mooring::condition(&proxy["status"], "SafeToAnnounce")
            .is_some_and(|condition| condition.status == "True")
    });
    let published_at = version_of(&services, |service| {
        service["metadata"]["name"] == "my-service" && !mooring::ingress(service).is_empty()
    });
    assert!(
        safe_at < published_at,
        "published at version {published_at}, safe at {safe_at}"
    );
    at_most_one_answers(cluster, FIRST);
}

/// The `resourceVersion` of the first object seen that fits.
fn version_of(watch: &Watch, fits: impl Fn(&Value) -> bool) -> u64 {
    let mut version = None;
    wait_for("the watch has seen it", || {
        let seen = watch.seen();
        let found = seen.iter().find(|(_, object)| fits(object));
        version = found.map(|(_, object)| {
            object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .parse()
        });
        version.is_some()
    });
    version.unwrap().unwrap()
}

/// All nodes have the address, as kube-proxy wants it, and the wire is quiet.
fn at_most_one_answers(cluster: &Cluster, address: &str) {
    let shown = format!("ip -4 address show dev kube-ipvs0 | grep -c ' {address}/32'");
    for node in cluster.nodes() {
        wait_for(&format!("{node} has {address} on kube-ipvs0"), || {
            let ran = cluster.bed.exec(&node, &shown, Duration::from_secs(60));
            ran.unwrap().status == 0
        });
    }
    let address: IpAddr = address.parse().unwrap();
    let answering = cluster.bed.answering(address).unwrap();
    assert!(answering.len() <= 1, "{answering:?}");
}

impl Guide {
    /// Another Service that asks for an address, in `spec.loadBalancerIP` as in the guide.
    fn asking(&self, name: &str, address: &str) -> Value {
        let mut service = service(name, &json!({self.annotation: POOL}));
        service["spec"]["loadBalancerIP"] = json!(address);
        service
    }

    /// `kubectl apply -f` of one of its manifests; right after its CRD the API server may not know a kind yet.
    #[track_caller]
    fn apply(&self, mooring: &Mooring<'_>, file: &str) {
        let folder = mooring::tree().join("manifests/samples").join(self.folder);
        let path = folder.join(file).canonicalize().unwrap();
        let apply = ["apply", "-f", path.to_str().unwrap()];
        mooring.wait_for("the manifest is taken", || mooring.bed.kubectl(&apply).ok());
    }

    /// Makes its pool.
    fn apply_pool(&self, mooring: &Mooring<'_>) {
        self.apply(mooring, "pool.yaml");
        if let Some(rest) = self.rest {
            let spec = json!({"spec": {"reuseAfterSeconds": rest.as_secs()}});
            mooring.merge(&format!("{}/{POOL}", self.pools), &spec);
        }
    }

    fn walk(&self, cluster: &Cluster, mooring: &Mooring<'_>) {
        let pool = format!("{}/{POOL}", self.pools);
        self.apply_pool(mooring);
        let begin = Instant::now();
        self.apply(mooring, "service.yaml");
        mooring.wait_for_published("my-service", &[FIRST]);
        println!(
            "my-service has its address after {:.1} s",
            begin.elapsed().as_secs_f64()
        );
        self.shown(cluster, mooring, &pool);

        // The guide's second form asks for the very same address.
        let claim = mooring.external_ip(FIRST)["metadata"]["uid"].take();
        self.apply(mooring, "service-requested.yaml");
        mooring.create(&self.asking("requested", ASKED_FOR));
        mooring.wait_for_published("requested", &[ASKED_FOR]);
        mooring.wait_for_usage(&pool, 9, 2);
        assert_eq!(mooring.external_ip(FIRST)["metadata"]["uid"], claim);
        assert_eq!(mooring.published("my-service"), [FIRST]);

        mooring.create(&self.asking("too-late", ASKED_FOR));
        let held = format!("default/requested has {ASKED_FOR}");
        let event = mooring.wait_for_event("too-late", "AllocationFailed", &held);
        println!("{event}");
        assert!(event.contains(" Warning "), "{event}");
        assert_eq!(mooring.published("too-late"), [""; 0]);
        let why = cluster.explain("too-late");
        assert!(why.contains(&held), "{why}");

        self.released(cluster, mooring, &pool);
        for name in ["my-service", "requested", "too-late"] {
            let ignoring = ["delete", "service", name, "--ignore-not-found"];
            cluster.bed.kubectl(&ignoring).unwrap();
        }
        mooring.wait_for_usage(&pool, 9, 0);
        mooring.delete(&pool);
        mooring.wait_for("the pool is gone", || {
            mooring.object(&pool).is_null().then_some(())
        });
    }

    /// What an administrator sees of the first Service.
    fn shown(&self, cluster: &Cluster, mooring: &Mooring<'_>, pool: &str) {
        let columns = cluster.bed.kubectl(&["get", "svc", "my-service"]).unwrap();
        print!("{columns}");
        assert!(columns.contains(FIRST), "{columns}");
        let usage = mooring.wait_for_usage(pool, 9, 1);
        if self.pools == POOLS {
            assert_eq!(usage["free"], 8, "{usage}");
            mooring.wait_for_pool(POOL, "Ready", "Available");
            mooring.wait_for_pool(POOL, "NodesEligible", "SomeEligible");
        }
        print!("{}", cluster.bed.kubectl(&["get", pool]).unwrap());

        let object = mooring.external_ip(FIRST);
        let spec = &object["spec"];
        assert_eq!(
            spec["pool"],
            json!({"group": self.group, "name": POOL}),
            "{object}"
        );
        assert_eq!(spec["services"][0]["name"], "my-service", "{object}");
        let planned = mooring.wait_for("a node is planned", || {
            let node = mooring.external_ip(FIRST)["spec"]["node"].take();
            node.as_str().map(str::to_owned)
        });
        assert!(INGRESS_NODES.contains(&planned.as_str()), "{planned}");

        for subject in ["my-service", FIRST] {
            let why = cluster.explain(subject);
            for part in [FIRST, POOL, planned.as_str(), "network-role"] {
                assert!(why.contains(part), "no {part} in:\n{why}");
            }
        }
        let status = cluster.mooring(&["status"]).expect_code(0).stdout;
        println!("{status}");
        for part in [FIRST, POOL, "my-service", planned.as_str()] {
            assert!(status.contains(part), "no {part} in:\n{status}");
        }
    }

    /// A released address rests. The Service that had it gets it back at once, another one when it has rested.
    fn released(&self, cluster: &Cluster, mooring: &Mooring<'_>, pool: &str) {
        let claims = Watch::on(&cluster.bed, "claims", &[EXTERNAL_IPS]);
        wait_for("the watch has begun", || !claims.seen().is_empty());
        mooring.delete("service/requested");
        let begin = Instant::now();
        wait_for("the address is released", || {
            claims.seen().iter().any(|(_, object)| {
                object["metadata"]["name"] == object_name(ASKED_FOR).as_str()
                    && object["spec"]["released"]["name"] == "requested"
            })
        });
        println!(
            "released {:.1} s after the deletion",
            begin.elapsed().as_secs_f64()
        );
        let Some(rest) = self.rest else {
            mooring.wait_for_announced(ASKED_FOR, "Released");
            let why = cluster.explain("too-late");
            assert!(why.contains("rests until"), "{why}");
            mooring.wait_for_usage(pool, 9, 1);
            mooring.create(&self.asking("requested", ASKED_FOR));
            mooring.wait_for_published("requested", &[ASKED_FOR]);
            println!("taken back after {:.1} s", begin.elapsed().as_secs_f64());
            assert_eq!(mooring.published("too-late"), [""; 0]);
            return;
        };
        mooring.wait_for_published("too-late", &[ASKED_FOR]);
        let rested = begin.elapsed();
        println!("reused after {:.1} s", rested.as_secs_f64());
        // The API's times are whole seconds.
        assert!(rested + Duration::from_secs(1) >= rest, "{rested:?}");
    }
}

/// A network in Antrea's newer version: its edges are left out, as with Antrea.
fn newer(mooring: &Mooring<'_>) {
    mooring
        .bed
        .kubectl_with(&["create", "-f", "-"], NEWER)
        .unwrap();
    mooring.create(&service("newer", &json!({ANTREAS.annotation: "newer"})));
    assert_eq!(mooring.address_of("newer"), "10.10.1.1");
    mooring.wait_for_usage(&format!("{ANTREA_POOLS}/newer"), 14, 1);
}
