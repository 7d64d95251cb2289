use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_api::external_ip::{ExternalIPStatus, Method};
use mooring_core::condition::ConditionType;
use mooring_core::ipam::pool::{Bind, Ownership, Ping, PoolId, Ports};
use mooring_core::ipam::service::{Protocol, ServicePort};
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::mooring::{
    self, Berth, Hindrance, Holding, Node, Place, Served, Standing, State,
};

use mooring_core::peer::{PeerId, Term};

use super::*;
use crate::api::{Link, NodeLinks, Pool};

const ADDRESS: &str = "10.77.0.200";
const N1: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);

fn ip() -> IpAddr {
    ADDRESS.parse().unwrap()
}

fn address(planned: Option<&str>, holder: Option<&str>) -> Address {
    let http = ServicePort {
        protocol: Protocol::Tcp,
        port: 80,
    };
    Address {
        name: "10-77-0-200".to_owned(),
        uid: "1".to_owned(),
        resource_version: "5".to_owned(),
        address: ip(),
        pool: PoolId::mooring("lan"),
        planned: planned.map(str::to_owned),
        heirs: vec!["n3".to_owned()],
        plan: 4,
        cause: Some("Draining".to_owned()),
        services: [Served {
            service: ObjectName::new("default", "web"),
            ports: vec![http],
            health_port: None,
            service_proxy: None,
        }]
        .into(),
        status: ExternalIPStatus {
            node: holder.map(str::to_owned),
            ..ExternalIPStatus::default()
        },
    }
}

fn links(node: &str, mac: &str) -> Arc<NodeLinks> {
    let link = Link {
        name: "eth0".to_owned(),
        mac: mac.to_owned(),
        subnets: vec!["10.77.0.0/24".to_owned()],
        addresses: vec!["10.77.0.11".parse().unwrap()],
    };
    Arc::new(NodeLinks {
        node: node.to_owned(),
        uplinks: vec![link],
    })
}

fn moored(state: State) -> Moored {
    let standing = Standing {
        address: ip(),
        state,
    };
    Moored {
        node: Node {
            name: "n1".to_owned(),
            ..Node::default()
        },
        at: Duration::from_secs(100),
        standings: [standing].into(),
    }
}

fn holding() -> State {
    State::Holding(Holding {
        berth: Berth {
            interface: "eth0".to_owned(),
            method: mooring::Method::Responder,
            place: Place::IpvsLink,
            outside: false,
        },
        mac: Some(N1),
        since: Duration::from_secs(90),
        took: Duration::from_millis(2_500),
        claimed_by: None,
        fenced: false,
        forsaken: None,
        exposed: None,
    })
}

fn said(state: State, address: &Address, from: Option<&str>) -> Option<Said> {
    let moored = moored(state);
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let way = said::Way {
        term: Term {
            plan: 4,
            takeovers: 0,
        },
        from,
        taken: None,
        rival: None,
    };
    said::said(&moored.standings[0], &moored, at, address, way, |_| None)
}

#[test]
fn the_fleet_knows_every_address_that_is_planned_somewhere_and_a_service_has() {
    let mut resting = address(Some("n1"), None);
    resting.services = [].into();
    let rows = [
        (address(Some("n1"), None), 1),
        (address(Some("n2"), Some("n1")), 1),
        (address(None, None), 0),
        (resting, 0),
    ];
    for (address, count) in rows {
        let found = wanted::charges(&[Arc::new(address.clone())], &[]);
        assert_eq!(found.len(), count, "{address:?}");
        if let [Charge { post, .. }] = &found[..] {
            let planned = address.planned.as_deref().unwrap();
            assert_eq!(post.plan, 4);
            assert!(post.chain().eq([PeerId::of(planned), PeerId::of("n3")]));
        }
    }
}

#[test]
fn what_a_node_had_taken_over_stands_in_the_status() {
    let mut taken = address(Some("n2"), Some("n1"));
    taken.status.term = Some(mooring_api::external_ip::Term {
        plan: 4,
        takeovers: 2,
    });
    let mut planned = taken.clone();
    planned.status.term = Some(mooring_api::external_ip::Term {
        plan: 4,
        takeovers: 0,
    });
    let claims = |node: &str, address: &Address| wanted::claims(node, &[Arc::new(address.clone())]);
    let claim = claims("n1", &taken)[0];
    assert_eq!((claim.holder, claim.term.takeovers), (PeerId::of("n1"), 2));
    assert_eq!(claims("n2", &taken), []);
    assert_eq!(claims("n1", &planned), []);
}

#[test]
fn an_address_is_subject_to_its_pool() {
    let addresses = [Arc::new(address(Some("n1"), None))];
    let pool = Pool {
        id: PoolId::mooring("lan"),
        bind: Bind::Uplink,
        interfaces: vec!["eth1".to_owned()],
        ports: Ports::All,
        ping: Ping::Deny,
        ownership: Ownership::Fenced,
    };
    let of_pool = wanted::charges(&addresses, &[pool]);
    assert_eq!(of_pool[0].post.ownership, Ownership::Fenced);
    let of_pool: Vec<_> = of_pool.into_iter().map(|charge| charge.wanted).collect();
    assert_eq!(
        (of_pool[0].bind, of_pool[0].ports, of_pool[0].ping),
        (Bind::Uplink, Ports::All, Ping::Deny)
    );
    assert_eq!(of_pool[0].interfaces, ["eth1"]);
    let gone = wanted::charges(&addresses, &[]);
    assert_eq!(gone[0].post.ownership, Ownership::Available);
    let gone: Vec<_> = gone.into_iter().map(|charge| charge.wanted).collect();
    assert_eq!(
        (gone[0].bind, gone[0].ports, gone[0].ping),
        (Bind::Auto, Ports::ServiceOnly, Ping::Allow)
    );
}

#[test]
fn exactly_one_node_watches_an_address_and_never_its_holder() {
    let nodes = [
        links("n1", "52:54:00:77:00:0b"),
        links("n2", "52:54:00:77:00:0c"),
        links("n3", "52:54:00:77:00:0d"),
    ];
    let none = BTreeSet::new();
    let held = [Arc::new(address(Some("n1"), Some("n1")))];
    let watchers: Vec<&str> = ["n1", "n2", "n3"]
        .into_iter()
        .filter(|node| !wanted::watched(node, &held, &nodes, &none).is_empty())
        .collect();
    assert_eq!(watchers.len(), 1, "{watchers:?}");
    assert_ne!(watchers, ["n1"]);
    let free = [Arc::new(address(Some("n1"), None))];
    assert!(wanted::watched(watchers[0], &free, &nodes, &none).is_empty());
    assert_eq!(wanted::peers(&nodes)[&N1], "n1");
}

#[test]
fn a_node_that_holds_says_since_when_where_and_from_whom() {
    let said = said(holding(), &address(Some("n1"), None), Some("n2")).unwrap();
    let held = said.held.unwrap();
    assert_eq!(
        (held.node.as_str(), held.interface.as_str()),
        ("n1", "eth0")
    );
    assert_eq!(held.mac.as_deref(), Some("52:54:00:77:00:0b"));
    assert_eq!(held.method, Method::Responder);
    assert_eq!(held.since.0.as_second(), 1_700_000_000 - 10);
    let moved = held.last_move.unwrap();
    assert_eq!(
        (moved.from.as_deref(), moved.duration_milliseconds),
        (Some("n2"), 2_500)
    );
    assert_eq!(moved.reason, "Draining", "as the plan says");
    let kinds: Vec<ConditionType> = said
        .conditions
        .iter()
        .map(|condition| condition.kind)
        .collect();
    assert_eq!(kinds, [ConditionType::Announced, ConditionType::Conflict]);
}

#[test]
fn an_address_that_was_taken_over_tells_from_whom_and_how_long_nobody_answered() {
    let known = address(Some("n2"), Some("n2"));
    let moored = moored(holding());
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let term = Term {
        plan: 4,
        takeovers: 1,
    };
    let way = said::Way {
        term,
        from: Some("n2"),
        taken: Some(said::TakenOver {
            from: Some("n2".to_owned()),
            missed: Duration::from_millis(190),
        }),
        rival: None,
    };
    let said = said::said(&moored.standings[0], &moored, at, &known, way, |_| None);
    let held = said.unwrap().held.unwrap();
    assert_eq!(held.term, Some(term));
    let moved = held.last_move.unwrap();
    assert_eq!(
        (moved.reason.as_str(), moved.from.as_deref()),
        ("TakeOver", Some("n2"))
    );
    assert_eq!(moved.duration_milliseconds, 2_690);
}

#[test]
fn who_had_an_address_as_well_is_told_once_and_with_how_long() {
    let mut known = address(Some("n2"), Some("n1"));
    let moored = moored(holding());
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let overlap = |known: &Address, at: Timestamp, until: Option<u64>| {
        let way = said::Way {
            term: Term {
                plan: 4,
                takeovers: 1,
            },
            from: Some("n2"),
            taken: None,
            rival: until.map(|until| said::Beside {
                node: Some("n2".to_owned()),
                until: Duration::from_millis(until),
            }),
        };
        let said = said::said(&moored.standings[0], &moored, at, known, way, |_| None);
        said.unwrap().held.unwrap().last_overlap
    };
    assert_eq!(overlap(&known, at, None), None);
    let told = overlap(&known, at, Some(95_500)).unwrap();
    assert_eq!(
        (told.node.as_deref(), told.duration_milliseconds),
        (Some("n2"), 5_500)
    );
    assert_eq!(told.time.0.as_second(), 1_699_999_995);
    known.status.last_overlap = Some(told.clone());
    let later = at + Duration::from_millis(700);
    assert_eq!(overlap(&known, later, Some(95_500)), Some(told.clone()));
    assert_eq!(
        overlap(&known, later, None),
        Some(told.clone()),
        "by the next process"
    );
    assert_eq!(
        overlap(&known, later, Some(89_000)),
        Some(told),
        "it has taken the address once more since"
    );
    let again = overlap(&known, at, Some(99_000)).unwrap();
    assert_eq!(again.duration_milliseconds, 9_000);
}

#[test]
fn an_agent_that_starts_anew_goes_on_from_what_its_predecessor_said() {
    let mut known = address(Some("n1"), Some("n1"));
    let since = Time(Timestamp::from_second(1_600_000_000).unwrap());
    known.status.since = Some(since.clone());
    let held = said(holding(), &known, None).unwrap().held.unwrap();
    assert_eq!(held.since, since);
    assert_eq!(held.last_move, None);
}

#[test]
fn a_node_that_does_not_hold_says_why_and_one_that_asks_says_nothing() {
    let known = address(Some("n1"), None);
    let hindered = State::Hindered(Hindrance::NoUplink);
    let why = said(hindered, &known, None).unwrap();
    assert_eq!(why.held, None);
    assert!(why.conditions[0].message.contains("none of its interfaces"));
    assert_eq!(said(State::Asking, &known, None), None);
}

#[test]
fn a_word_is_remembered_until_the_object_says_it_or_is_later() {
    let known = address(Some("n1"), None);
    let word = |version: &str| Word {
        what: What::Said(Box::new(said(holding(), &known, None).unwrap())),
        version: Some(version.to_owned()),
    };
    assert!(!word("7").is_over(&known), "the watch is behind");
    assert!(!word("5").is_over(&known), "nothing has changed since");
    assert!(word("4").is_over(&known), "somebody wrote after it");
    let let_go = |version: &str| Word {
        what: What::LetGo,
        version: Some(version.to_owned()),
    };
    assert!(!let_go("5").is_over(&known), "it is not heard yet");
    assert!(let_go("4").is_over(&known));
}

#[test]
fn an_address_of_somebody_else_s_is_watched_without_a_holder_unless_it_is_one_of_mooring_s() {
    let nodes = [
        links("n1", "52:54:00:77:00:0b"),
        links("n2", "52:54:00:77:00:0c"),
    ];
    let held = [Arc::new(address(Some("n1"), Some("n1")))];
    let other: IpAddr = "10.77.0.201".parse().unwrap();
    let foreign = BTreeSet::from([ip(), other]);
    let watched = wanted::watched("n2", &held, &nodes, &foreign);
    assert_eq!(watched[&ip()].as_deref(), Some("n1"));
    assert_eq!(watched[&other], None);
}

/// What this node saw of an address of somebody else's, and when.
fn answered(macs: &[Mac], at: i64) -> BTreeMap<IpAddr, Answered> {
    let answered = Answered {
        macs: macs.iter().copied().collect(),
        since: Timestamp::from_second(at).unwrap(),
    };
    BTreeMap::from([(ip(), answered)])
}

#[test]
fn what_a_witness_sees_keeps_its_time_and_outlives_a_restart_until_it_looks_again() {
    const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 1]);
    let watched = BTreeSet::from([ip()]);
    let node_of = |mac| (mac == N1).then_some("n1");
    let say = |answered: &_, kept: &[_]| said::witnessed(&watched, answered, kept, node_of);
    assert_eq!(say(&BTreeMap::new(), &[]), [], "nobody looked yet");
    let first = say(&answered(&[N1], 100), &[]);
    assert_eq!(first[0].since.unix_seconds(), 100);
    assert_eq!(first[0].responders[0].node.as_deref(), Some("n1"));
    assert_eq!(say(&BTreeMap::new(), &first), first, "the agent is new");
    assert_eq!(
        say(&answered(&[N1], 200), &first),
        first,
        "the same is seen"
    );
    let second = say(&answered(&[N1, STRANGER], 300), &first);
    assert_eq!(second[0].since.unix_seconds(), 300);
    let nodes: Vec<_> = second[0].responders.iter().map(|one| &one.node).collect();
    assert_eq!(nodes, [&None, &Some("n1".to_owned())]);
    let elsewhere = said::witnessed(&BTreeSet::new(), &answered(&[N1], 100), &first, node_of);
    assert_eq!(elsewhere, [], "another node is the witness now");
}
