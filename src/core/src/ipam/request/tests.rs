use std::collections::BTreeMap;

use proptest::prelude::*;

use super::annotation::*;
use super::*;
use crate::ipam::cluster_addresses::ClusterAddresses;
use crate::ipam::pool::{self, PoolId, PoolObject, PoolSpec};
use crate::ipam::range::RangeText;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn service(annotations: &[(&str, &str)]) -> Service {
    Service {
        load_balancer: true,
        families: vec![Family::V4],
        annotations: annotations
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..Service::default()
    }
}

fn dual(annotations: &[(&str, &str)]) -> Service {
    Service {
        families: vec![Family::V6, Family::V4],
        ..service(annotations)
    }
}

fn ask(service: &Service) -> Request {
    request(service, Others::default()).expect("Mooring's")
}

fn problems(service: &Service) -> Vec<String> {
    ask(service)
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn whose_a_service_is_follows_from_type_class_and_annotations() {
    let plain = service(&[]);
    assert_eq!(ask(&plain).claim, Claim::Unasked);
    for name in [POOL, IPS, SHARE, ANTREA_POOL] {
        assert_eq!(ask(&service(&[(name, "x")])).claim, Claim::Asked, "{name}");
    }
    for name in METALLB_POOL {
        assert_eq!(
            ask(&service(&[(name, "x")])).claim,
            Claim::IfPoolExists,
            "{name}"
        );
    }
    for name in [ANTREA_SHARE, METALLB_IPS[0], METALLB_SHARE[1]] {
        assert_eq!(
            ask(&service(&[(name, "x")])).claim,
            Claim::Unasked,
            "{name}"
        );
    }
    assert_eq!(ask(&service(&[(ANTREA_POOL, " ")])).claim, Claim::Unasked);

    let of_class = |class: &str, annotations| Service {
        class: Some(class.to_owned()),
        ..service(annotations)
    };
    assert_eq!(ask(&of_class(CLASS, &[])).claim, Claim::Asked);
    let other = request(
        &of_class("io.cilium/bgp", &[(POOL, "blue")]),
        Others::default(),
    );
    assert_eq!(
        other.expect_err("another's").to_string(),
        r#"its spec.loadBalancerClass is "io.cilium/bgp", which another controller serves; Mooring's is "mooring.dev/mooring""#
    );
    let cluster_ip = Service {
        load_balancer: false,
        ..service(&[(POOL, "blue")])
    };
    assert_eq!(
        request(&cluster_ip, Others::default()),
        Err(NotOurs::NotLoadBalancer)
    );
    let gone = Service {
        terminating: true,
        ..service(&[(POOL, "blue")])
    };
    assert_eq!(request(&gone, Others::default()), Err(NotOurs::Terminating));
}

#[test]
fn antreas_services_are_left_to_antrea_where_it_serves_them() {
    let others = Others {
        antrea_serves: true,
    };
    let of_antrea = service(&[(ANTREA_POOL, "pool"), (POOL, "blue")]);
    assert_eq!(request(&of_antrea, others), Err(NotOurs::AntreaServes));
    assert!(request(&of_antrea, Others::default()).is_ok());
    assert!(request(&service(&[(POOL, "blue")]), others).is_ok());
    assert!(request(&service(&[(ANTREA_POOL, "")]), others).is_ok());
}

#[test]
fn the_guides_service_asks_for_its_pool_and_address() {
    let guide = Service {
        load_balancer_ip: Some("10.10.0.2".to_owned()),
        ..service(&[(ANTREA_POOL, "service-external-ip-pool")])
    };
    let asked = ask(&guide);
    assert_eq!(
        asked.pools,
        [PoolChoice {
            name: "service-external-ip-pool".to_owned(),
            first: Source::Antrea
        }]
    );
    assert_eq!(asked.addresses, [ip("10.10.0.2")]);
    assert_eq!((asked.share, asked.problems), (None, Vec::new()));
}

#[test]
fn pools_are_asked_in_their_order() {
    let names = |service: &Service| -> Vec<String> {
        ask(service).pools.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        names(&service(&[(POOL, " blue, red ,,blue")])),
        ["blue", "red"]
    );
    assert_eq!(names(&service(&[(METALLB_POOL[1], "blue")])), ["blue"]);
    let agree = service(&[
        (POOL, "blue"),
        (METALLB_POOL[0], "blue"),
        (ANTREA_POOL, "blue"),
    ]);
    assert_eq!(names(&agree), ["blue"]);
    assert!(problems(&agree).is_empty());
    assert_eq!(ask(&agree).pools[0].first, Source::Mooring);
}

#[test]
fn a_pool_of_either_kind_is_found_and_the_meant_one_first() {
    let object = |id: PoolId, cidr: &str| PoolObject {
        id,
        uid: String::new(),
        created: None,
        terminating: false,
        spec: PoolSpec {
            ranges: vec![RangeText::cidr(cidr)],
            ..PoolSpec::default()
        },
    };
    let pools = pool::check(
        &[
            object(PoolId::mooring("both"), "10.0.0.0/24"),
            object(PoolId::antrea("both"), "10.0.1.0/24"),
            object(PoolId::antrea("theirs"), "10.0.2.0/24"),
        ],
        &ClusterAddresses::default(),
    );
    let found = |name: &str, first| {
        let choice = PoolChoice {
            name: name.to_owned(),
            first,
        };
        choice.find(&pools).map(|pool| pool.id.clone())
    };
    assert_eq!(
        found("both", Source::Mooring),
        Some(PoolId::mooring("both"))
    );
    assert_eq!(found("both", Source::Antrea), Some(PoolId::antrea("both")));
    assert_eq!(
        found("theirs", Source::Mooring),
        Some(PoolId::antrea("theirs"))
    );
    assert_eq!(found("nobodys", Source::Mooring), None);
}

#[test]
fn addresses_are_read_from_all_places_in_their_canonical_form() {
    let both = [ip("10.0.0.1"), ip("2001:db8::aa")];
    for name in [IPS, METALLB_IPS[0], METALLB_IPS[1]] {
        let asked = ask(&dual(&[(name, "2001:0DB8::AA, 10.0.0.1")]));
        assert_eq!(asked.addresses, both, "{name}");
        assert_eq!(asked.problems, [], "{name}");
        assert_eq!(asked.address(Family::V6), Some(both[1]));
    }
    let one_of_them = Service {
        load_balancer_ip: Some("2001:db8:0::aa".to_owned()),
        ..dual(&[
            (IPS, "10.0.0.1,2001:db8::aa"),
            (METALLB_IPS[0], "2001:db8::aa, 10.0.0.1"),
        ])
    };
    assert_eq!(ask(&one_of_them).addresses, both);
    assert!(problems(&one_of_them).is_empty());
    assert!(
        problems(&service(&[(METALLB_IPS[0], "")])).is_empty(),
        "as MetalLB takes it"
    );
}

#[test]
fn bad_values_are_named_with_what_to_write_instead() {
    let with_ip = |text: &str, annotations| Service {
        load_balancer_ip: Some(text.to_owned()),
        ..service(annotations)
    };
    let long = "x".repeat(254);
    let pools: Vec<String> = (0..17).map(|number| format!("p{number}")).collect();
    for (service, message) in [
        (
            service(&[(IPS, "10.0.0.256")]),
            r#"annotation mooring.dev/ips: "10.0.0.256" is not an IP address: write one as in 10.0.0.1 or 2001:db8::1"#,
        ),
        (
            service(&[(IPS, "10.0.0.1-10.0.0.9")]),
            r#"annotation mooring.dev/ips: "10.0.0.1-10.0.0.9" is not an IP address: write one as in 10.0.0.1 or 2001:db8::1"#,
        ),
        (
            service(&[(IPS, " , ,")]),
            "annotation mooring.dev/ips is empty: write a value, or remove it",
        ),
        (
            service(&[(POOL, "")]),
            "annotation mooring.dev/pool is empty: write a value, or remove it",
        ),
        (
            service(&[(SHARE, "")]),
            "annotation mooring.dev/share is empty: write a value, or remove it",
        ),
        (
            with_ip("fe80::1%eth0", &[]),
            r#"spec.loadBalancerIP: "fe80::1%eth0" has a zone, which means something on one host only: leave out the % and what follows"#,
        ),
        (
            with_ip("::ffff:10.0.0.1", &[]),
            r#"spec.loadBalancerIP: "::ffff:10.0.0.1" is an IPv4 address written as IPv6, which no host answers for: write 10.0.0.1"#,
        ),
        (
            service(&[(METALLB_IPS[0], "10.0.0.1,10.0.0.2")]),
            "annotation metallb.io/loadBalancerIPs: has both 10.0.0.1 and 10.0.0.2: a Service gets one address of each \
             family, keep one of them",
        ),
        (
            service(&[(IPS, "2001:db8::1")]),
            "2001:db8::1 is IPv6, which the Service does not have: add IPv6 to spec.ipFamilies, or ask for an address of \
             the other family",
        ),
        (
            with_ip("10.0.0.2", &[(IPS, "10.0.0.1")]),
            "annotation mooring.dev/ips and spec.loadBalancerIP ask for different addresses: make them equal, or remove \
             one of them",
        ),
        (
            service(&[(METALLB_IPS[0], "10.0.0.1"), (METALLB_IPS[1], "10.0.0.2")]),
            "annotation metallb.io/loadBalancerIPs and annotation metallb.universe.tf/loadBalancerIPs ask for different \
             addresses: make them equal, or remove one of them",
        ),
        (
            service(&[(POOL, "blue"), (ANTREA_POOL, "red")]),
            "annotation mooring.dev/pool and annotation service.antrea.io/external-ip-pool ask for different pools: make \
             them equal, or remove one of them",
        ),
        (
            service(&[(SHARE, "a"), (METALLB_SHARE[0], "b")]),
            "annotation mooring.dev/share and annotation metallb.io/allow-shared-ip ask for different keys: make them \
             equal, or remove one of them",
        ),
        (
            service(&[(POOL, "Blue Pool")]),
            r#"annotation mooring.dev/pool: "Blue Pool" cannot be the name of a pool: names have up to 253 lower-case letters, digits, - and ."#,
        ),
        (
            service(&[(POOL, &pools.join(","))]),
            "annotation mooring.dev/pool: has 17 entries, more than 16: remove some",
        ),
        (
            service(&[(ANTREA_SHARE, "yes")]),
            r#"annotation service.antrea.io/allow-shared-load-balancer-ip: "yes" is neither true nor false: write one of the two"#,
        ),
        (
            service(&[(SHARE, &long)]),
            "annotation mooring.dev/share: is longer than 253 characters: take a shorter key",
        ),
    ] {
        assert_eq!(problems(&service), [message]);
    }
}

#[test]
fn sharing_has_a_key_or_antreas_boolean() {
    let share = |annotations: &[(&str, &str)]| ask(&service(annotations)).share;
    let key = Some(Share::Key("web".to_owned()));
    assert_eq!(share(&[]), None);
    assert_eq!(share(&[(SHARE, "web")]), key);
    assert_eq!(
        share(&[(METALLB_SHARE[0], "web"), (METALLB_SHARE[1], " web ")]),
        key
    );
    for (text, wanted) in [
        ("true", true),
        ("1", true),
        ("T", true),
        ("false", false),
        ("0", false),
        ("", false),
    ] {
        let wanted = wanted.then_some(Share::Anybody);
        assert_eq!(share(&[(ANTREA_SHARE, text)]), wanted, "{text}");
    }
    assert_eq!(
        share(&[(SHARE, "web"), (ANTREA_SHARE, "true")]),
        key,
        "the narrower one"
    );
}

#[test]
fn families_come_from_the_service_and_else_from_what_it_asks_for() {
    let families = |families: &[Family], ips: &str| {
        let service = Service {
            families: families.to_vec(),
            ..service(&[(IPS, ips)])
        };
        ask(&service).families
    };
    use Family::{V4, V6};
    assert_eq!(families(&[V6, V4, V6], "10.0.0.1"), [V6, V4]);
    assert_eq!(families(&[], "2001:db8::1"), [V6]);
    assert_eq!(families(&[], "nonsense"), [V4]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        "[0-9a-fA-F:.,% /-]{0,60}",
        "(10\\.0\\.0\\.[0-9]{1,3},? ?){0,200}",
        "(fe80::[0-9a-f]{1,4}%[a-z0-9]{1,4},){0,20}",
        Just("true".to_owned()),
        Just("x,".repeat(100_000)),
        Just("\u{202e}\u{0}\u{feff},\u{1f980}".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn whatever_is_written_there_is_an_answer_that_fits_in_a_message(
        values in prop::collection::vec((0..ALL.len(), text()), 0..6),
        load_balancer_ip in prop::option::of(text()),
        class in prop::option::of(prop_oneof![Just(CLASS.to_owned()), ".{0,40}"]),
        families in prop::collection::vec(prop_oneof![Just(Family::V4), Just(Family::V6)], 0..3),
        antrea_serves: bool,
    ) {
        let service = Service {
            load_balancer: true,
            class,
            load_balancer_ip,
            families,
            annotations: values.into_iter().map(|(name, value)| (ALL[name].to_owned(), value)).collect(),
            ..Service::default()
        };
        match request(&service, Others { antrea_serves }) {
            Err(reason) => prop_assert!(reason.to_string().chars().count() < 600),
            Ok(request) => {
                prop_assert!((1..=2).contains(&request.families.len()));
                prop_assert!(request.addresses.len() <= 2);
                prop_assert!(request.addresses.is_sorted());
                prop_assert!(request.pools.len() <= 16);
                prop_assert!(request.problems.len() < 24, "{} problems", request.problems.len());
                for problem in &request.problems {
                    let said = problem.to_string();
                    prop_assert!(said.chars().count() < 1_200 && !said.contains('\n'), "{said}");
                }
                for address in &request.addresses {
                    prop_assert_eq!(request.address(Family::of(*address)), Some(*address));
                }
            }
        }
    }
}
