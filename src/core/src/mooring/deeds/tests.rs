use super::*;

fn ours(interface: &str, address: &str, left: u64) -> StandingAddress {
    let address: IpAddr = address.parse().unwrap();
    StandingAddress {
        interface: interface.to_owned(),
        address,
        prefix: if address.is_ipv4() { 32 } else { 128 },
        valid: Some(Duration::from_secs(left)),
        deprecated: true,
        idle: false,
    }
}

fn wanted(pairs: &[(&str, &str)]) -> BTreeMap<IpAddr, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(address, interface)| (address.parse().unwrap(), (*interface).to_owned()))
        .collect()
}

fn put(interface: &str, address: &str, new: bool) -> Deed {
    Deed::Put {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
        new,
    }
}

fn remove(interface: &str, address: &str) -> Deed {
    Deed::Remove {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    }
}

#[test]
fn only_addresses_with_our_marks_are_ours() {
    let one = ours("eth0", "10.77.0.200", 60);
    assert!(is_ours(&one));
    assert!(is_ours(&ours("eth0", "fd00:77::200", 1)));
    let rows = [
        (
            "a node's own address",
            StandingAddress {
                prefix: 24,
                ..one.clone()
            },
        ),
        (
            "one for ever",
            StandingAddress {
                valid: None,
                ..one.clone()
            },
        ),
        (
            "one of DHCP",
            StandingAddress {
                deprecated: false,
                ..one.clone()
            },
        ),
        ("one that stays for longer", ours("eth0", "10.77.0.200", 61)),
    ];
    for (name, standing) in rows {
        assert!(!is_ours(&standing), "{name}");
    }
}

#[test]
fn what_is_missing_is_put_there_and_what_is_old_is_renewed() {
    let wanted = wanted(&[
        ("10.77.0.200", "eth0"),
        ("10.77.0.201", "eth0"),
        ("10.77.0.202", "eth0"),
    ]);
    let standing = [
        ours("eth0", "10.77.0.201", 40),
        ours("eth0", "10.77.0.202", 41),
    ];
    assert_eq!(
        deeds(&wanted, &standing),
        [
            put("eth0", "10.77.0.200", true),
            put("eth0", "10.77.0.201", false)
        ]
    );
    assert_eq!(
        deeds(&wanted, &[ours("eth1", "10.77.0.200", 50)])[0],
        remove("eth1", "10.77.0.200")
    );
}

#[test]
fn leftovers_of_ours_go_first_and_those_of_others_stay() {
    let foreign = StandingAddress {
        prefix: 24,
        valid: None,
        deprecated: false,
        ..ours("eth0", "10.77.0.11", 9)
    };
    let standing = [
        foreign,
        ours("eth0", "10.77.0.203", 12),
        ours("eth1", "10.77.0.204", 12),
    ];
    assert_eq!(
        deeds(&wanted(&[("10.77.0.200", "eth0")]), &standing),
        [
            remove("eth0", "10.77.0.203"),
            remove("eth1", "10.77.0.204"),
            put("eth0", "10.77.0.200", true),
        ]
    );
}

#[test]
fn an_address_that_somebody_else_keeps_there_is_left_alone() {
    let permanent = StandingAddress {
        valid: None,
        deprecated: false,
        ..ours("eth0", "10.77.0.200", 9)
    };
    assert_eq!(
        deeds(
            &wanted(&[("10.77.0.200", "eth0")]),
            std::slice::from_ref(&permanent)
        ),
        []
    );
    assert_eq!(deeds(&BTreeMap::new(), &[permanent]), []);
}

#[test]
fn an_address_that_the_kernel_does_not_use_is_put_there_anew() {
    let failed = StandingAddress {
        idle: true,
        ..ours("eth0", "fd00:77::200", 50)
    };
    assert_eq!(
        deeds(&wanted(&[("fd00:77::200", "eth0")]), &[failed]),
        [put("eth0", "fd00:77::200", true)]
    );
}
