use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn no_cluster_hands_out_what_is_no_address_of_a_host() {
    let none = ClusterAddresses::default();
    for text in [
        "0.0.0.0",
        "127.0.0.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:10.0.0.1",
    ] {
        let occupant = none.occupant(ip(text));
        assert!(matches!(occupant, Some(Occupant::NotUnicast(_))), "{text}");
    }
    for text in [
        "10.0.0.1",
        "169.254.100.1",
        "198.51.100.1",
        "223.255.255.255",
        "::2",
        "fd00::1",
        "2001:db8::1",
    ] {
        assert_eq!(none.occupant(ip(text)), None, "{text}");
    }
    assert_eq!(none.entries().count(), NOT_UNICAST.len());
}

#[test]
fn each_occupant_says_who_it_is_and_what_follows() {
    let subnet = AddressRange::network(ip("10.77.0.0"), 24).expect("a network");
    for (occupant, text) in [
        (Occupant::Node("n1".into()), "an address of node n1"),
        (Occupant::Gateway("n1".into()), "the gateway of node n1"),
        (Occupant::ApiServer, "the address of the API server"),
        (
            Occupant::Services,
            "in the range of cluster IPs of Services",
        ),
        (
            Occupant::Pods(Some("n1".into())),
            "in the range of Pods on node n1",
        ),
        (Occupant::Pods(None), "in the range of Pods"),
        (
            Occupant::SubnetEdge(subnet),
            "the network or broadcast address of the nodes' subnet 10.77.0.0/24",
        ),
        (
            Occupant::ForeignService("shop/web".into()),
            "the address of Service shop/web, which has it from another controller",
        ),
        (
            Occupant::IpvsProbe,
            "what kube-proxy tries mode ipvs out with",
        ),
    ] {
        assert_eq!(occupant.to_string(), text);
        assert!(
            occupant.consequence().contains("not handed out"),
            "{occupant}"
        );
    }
}

#[test]
fn the_edges_of_the_nodes_subnets_are_taken() {
    let mut cluster = ClusterAddresses::default();
    for cidr in ["10.77.0.5/24", "10.78.0.0/31", "2001:db8::/64"] {
        cluster.add_subnet_of_nodes(cidr).expect("a network");
    }
    for (text, taken) in [
        ("10.77.0.0", true),
        ("10.77.0.255", true),
        ("10.77.0.1", false),
        ("10.78.0.0", false),
        ("10.78.0.1", false),
        ("2001:db8::ffff:ffff:ffff:ffff", false),
    ] {
        let edge = matches!(cluster.occupant(ip(text)), Some(Occupant::SubnetEdge(_)));
        assert_eq!(edge, taken, "{text}");
    }
    assert!(cluster.add_subnet_of_nodes("10.77.0.0").is_err());
}

#[test]
fn the_same_is_kept_once_and_a_mapped_address_is_what_it_means() {
    let mut cluster = ClusterAddresses::default();
    let before = cluster.entries().count();
    cluster.add(Occupant::ApiServer, ip("10.77.0.1"));
    cluster.add(Occupant::ApiServer, ip("::ffff:10.77.0.1"));
    assert_eq!(cluster.entries().count(), before + 1);
    cluster
        .add_cidr(Occupant::Services, "10.96.0.1/12")
        .expect("a network");
    assert_eq!(
        cluster.occupant(ip("10.96.255.1")),
        Some(&Occupant::Services)
    );
    assert!(cluster.add_cidr(Occupant::Services, "10.96.0.0").is_err());
    cluster.add_ipvs();
    assert_eq!(
        cluster.occupant(ip("198.51.100.7")),
        Some(&Occupant::IpvsProbe)
    );
}
