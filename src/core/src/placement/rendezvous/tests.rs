use super::*;

/// Kept for ever: nodes of different versions must agree. The values are those of `printf NODE#IP | sha256sum`; the
/// four of `iris` are known from another implementation of the same hash as well.
const GOLDEN: [(&str, &str, u64); 10] = [
    ("iris1", "10.20.30.1", 0xe42a_d61a_4159_fa2d),
    ("iris2", "10.20.30.1", 0xaf6c_b4e7_6058_14d2),
    ("iris1", "10.20.30.2", 0x610c_5b6d_22f6_0ca5),
    ("iris2", "10.20.30.2", 0x6429_fb4c_07ee_ae89),
    ("node-a", "10.10.0.2", 0x6194_7d13_3132_800c),
    ("node-b", "10.10.0.2", 0x00cf_ef34_a15d_3d24),
    ("node-c", "10.10.0.2", 0x75b5_3996_6da7_61f3),
    ("node-a", "2001:db8::10", 0x5525_059d_790a_d6c9),
    ("node-b", "2001:db8::10", 0x21d5_668f_18c0_3bbe),
    ("node-c", "2001:db8::10", 0xd30d_3eb7_a242_70e0),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn scores_are_the_golden_ones() {
    for (node, address, expected) in GOLDEN {
        assert_eq!(score(node, ip(address)), expected, "{node}#{address}");
    }
}

#[test]
fn successors_are_in_the_golden_order_whatever_order_the_nodes_come_in() {
    for nodes in [
        ["node-a", "node-b", "node-c"],
        ["node-c", "node-b", "node-a"],
        ["node-b", "node-c", "node-a"],
    ] {
        assert_eq!(
            successors(ip("10.10.0.2"), nodes),
            ["node-c", "node-a", "node-b"]
        );
        assert_eq!(
            successors(ip("2001:db8::10"), nodes),
            ["node-c", "node-a", "node-b"]
        );
    }
}

#[test]
fn an_ipv4_address_written_as_ipv6_has_the_scores_of_the_ipv4_address() {
    assert_eq!(
        score("node-a", ip("::ffff:10.10.0.2")),
        score("node-a", ip("10.10.0.2"))
    );
}

#[test]
fn a_node_named_twice_counts_once() {
    assert_eq!(
        successors(ip("10.10.0.2"), ["node-a", "node-a"]),
        ["node-a"]
    );
}

#[test]
fn nobody_succeeds_where_there_is_no_node() {
    assert_eq!(successor(ip("10.10.0.2"), []), None);
}
