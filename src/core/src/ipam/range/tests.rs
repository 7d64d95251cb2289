use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn cidr(text: &str) -> AddressRange {
    AddressRange::from_cidr(text, HostBits::Refuse).expect("a network")
}

fn between(first: &str, last: &str) -> AddressRange {
    AddressRange::new(ip(first), ip(last)).expect("a range")
}

fn parse(text: &RangeText) -> Result<AddressRange, RangeProblem> {
    AddressRange::parse(text, HostBits::Refuse)
}

#[test]
fn both_forms_are_read_in_both_families() {
    for (text, first, last, printed) in [
        (
            RangeText::cidr("10.0.0.0/24"),
            "10.0.0.0",
            "10.0.0.255",
            "10.0.0.0/24",
        ),
        (
            RangeText::cidr("10.0.0.7/32"),
            "10.0.0.7",
            "10.0.0.7",
            "10.0.0.7/32",
        ),
        (
            RangeText::cidr("0.0.0.0/0"),
            "0.0.0.0",
            "255.255.255.255",
            "0.0.0.0/0",
        ),
        (
            RangeText::cidr("2001:DB8:0:0::/64"),
            "2001:db8::",
            "2001:db8::ffff:ffff:ffff:ffff",
            "2001:db8::/64",
        ),
        (
            RangeText::cidr("::/0"),
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::/0",
        ),
        (
            RangeText::between("10.10.0.2", "10.10.0.10"),
            "10.10.0.2",
            "10.10.0.10",
            "10.10.0.2-10.10.0.10",
        ),
        (
            RangeText::between("2001:0DB8::00aa", "2001:db8::AA"),
            "2001:db8::aa",
            "2001:db8::aa",
            "2001:db8::aa",
        ),
    ] {
        let range = parse(&text).expect("a range");
        assert_eq!(
            (range.first(), range.last()),
            (ip(first), ip(last)),
            "{text:?}"
        );
        assert_eq!(range.to_string(), printed);
    }
}

#[test]
fn what_is_wrong_is_named_with_the_field_and_what_to_write() {
    let both = RangeText {
        end: Some("10.0.0.9".to_owned()),
        ..RangeText::cidr("10.0.0.0/24")
    };
    let start = RangeText {
        start: Some("10.0.0.1".to_owned()),
        ..RangeText::default()
    };
    let end = RangeText {
        end: Some("10.0.0.1".to_owned()),
        ..RangeText::default()
    };
    for (text, message) in [
        (
            RangeText::default(),
            "is empty: set cidr (as in 10.0.0.0/24), or start and end",
        ),
        (
            both,
            "has cidr together with start or end: keep one of the two forms",
        ),
        (
            start,
            "has no end: start and end belong together, for a single address set both to it",
        ),
        (
            end,
            "has no start: start and end belong together, for a single address set both to it",
        ),
        (
            RangeText::cidr("10.0.0.7/24"),
            r#"cidr: "10.0.0.7/24" is not the first address of its network: write 10.0.0.0/24 for the whole network, or start and end"#,
        ),
        (
            RangeText::cidr("10.0.0.7"),
            r#"cidr: "10.0.0.7" has no prefix length: write 10.0.0.7/32 for this one address, or the length of the network"#,
        ),
        (
            RangeText::cidr("10.0.0.0/33"),
            r#"cidr: "10.0.0.0/33" has not a prefix length from 0 to 32 behind the slash"#,
        ),
        (
            RangeText::cidr("2001:db8::/+64"),
            r#"cidr: "2001:db8::/+64" has not a prefix length from 0 to 128 behind the slash"#,
        ),
        (
            RangeText::cidr("fe80::1%eth0/64"),
            r#"cidr: "fe80::1%eth0" has a zone, which means something on one host only: leave out the % and what follows"#,
        ),
        (
            RangeText::between("fe80::1%eth0", "fe80::2"),
            r#"start: "fe80::1%eth0" has a zone, which means something on one host only: leave out the % and what follows"#,
        ),
        (
            RangeText::between("10.0.0.1", "::ffff:10.0.0.2"),
            r#"end: "::ffff:10.0.0.2" is an IPv4 address written as IPv6, which no host answers for: write 10.0.0.2"#,
        ),
        (
            RangeText::between("10.0.0.1", "2001:db8::1"),
            "start 10.0.0.1 is IPv4, end 2001:db8::1 is IPv6: both have to be of one family, make two ranges",
        ),
        (
            RangeText::between("10.0.0.9", "10.0.0.1"),
            "start 10.0.0.9 is above end 10.0.0.1: swap them",
        ),
        (
            RangeText::between("10.0.0.010", "10.0.0.20"),
            r#"start: "10.0.0.010" is not an IP address: write one as in 10.0.0.1 or 2001:db8::1"#,
        ),
        (
            RangeText::between("१०.0.0.1", ""),
            r#"start: "१०.0.0.1" is not an IP address: write one as in 10.0.0.1 or 2001:db8::1"#,
        ),
    ] {
        let problem = parse(&text).expect_err("a problem");
        assert_eq!(problem.to_string(), message);
    }
}

#[test]
fn antreas_networks_may_be_written_by_any_of_their_addresses() {
    let range = AddressRange::from_cidr("1.1.2.1/30", HostBits::Clear).expect("a network");
    assert_eq!(range, cidr("1.1.2.0/30"));
}

#[test]
fn edges_are_left_out_as_the_kind_of_pool_has_them() {
    for (text, edges, count) in [
        ("10.0.0.0/24", Edges::Keep, 256_u128),
        ("10.0.0.0/24", Edges::Avoid, 254),
        ("10.0.0.0/30", Edges::Avoid, 2),
        ("10.0.0.0/31", Edges::Avoid, 2),
        ("10.0.0.0/32", Edges::Avoid, 1),
        ("2001:db8::/124", Edges::Avoid, 15),
        ("2001:db8::/126", Edges::Avoid, 3),
        ("2001:db8::/127", Edges::Avoid, 2),
        ("2001:db8::/128", Edges::Avoid, 1),
        // The numbers of Antrea's own allocator, where it does not go wrong.
        ("10.0.0.0/24", Edges::Antrea, 254),
        ("10.0.0.0/28", Edges::Antrea, 14),
        ("10.0.0.0/30", Edges::Antrea, 2),
        ("2001:db8::/124", Edges::Antrea, 15),
        ("10.0.0.0/31", Edges::Antrea, 0),
        ("10.0.0.0/32", Edges::Antrea, 0),
        ("0.0.0.0/32", Edges::Antrea, 0),
        ("255.255.255.255/32", Edges::Antrea, 0),
        ("2001:db8::/128", Edges::Antrea, 0),
        ("0.0.0.0/0", Edges::Avoid, (1 << 32) - 2),
    ] {
        let left: Addresses = cidr(text).without(edges).iter().collect();
        assert_eq!(left.count(), Count::from(count), "{text} {edges:?}");
    }
    let meant = between("10.0.0.0", "10.0.0.255");
    for edges in [Edges::Keep, Edges::Avoid, Edges::Antrea] {
        assert_eq!(meant.without(edges), Some(meant), "{edges:?}");
    }
    let inner = cidr("10.0.0.0/24")
        .without(Edges::Avoid)
        .expect("addresses");
    assert_eq!(inner.to_string(), "10.0.0.1-10.0.0.254");
}

#[test]
fn everything_is_counted_exactly() {
    let all: Addresses = [cidr("::/0"), cidr("0.0.0.0/0")].iter().collect();
    let count = all.count();
    assert_eq!(count.to_string(), "340282366920938463463374607436063178752");
    assert_eq!(count.as_u64(), None);
    let v6 = all.of(Family::V6).count();
    assert_eq!(v6.to_string(), "340282366920938463463374607431768211456");
    let less = v6.saturating_sub(Count::from(1_u128));
    assert_eq!(less.to_string(), u128::MAX.to_string());
    assert_eq!(Count::from(3_usize).saturating_sub(v6), Count::ZERO);
    let sixty_four = Addresses::from_iter([&cidr("2001:db8::/64")]).count();
    assert_eq!(sixty_four.to_string(), "18446744073709551616");
    assert_eq!(sixty_four.as_u64(), None);
    let twice = v6 + v6;
    assert_eq!(twice.to_string(), "680564733841876926926749214863536422912");
    assert_eq!(twice.saturating_sub(v6), v6);
}

#[test]
fn ranges_that_touch_or_overlap_become_one() {
    let mut set = Addresses::default();
    for range in [
        between("10.0.0.20", "10.0.0.30"),
        between("10.0.0.1", "10.0.0.5"),
        between("10.0.0.6", "10.0.0.9"),
        between("10.0.0.8", "10.0.0.12"),
    ] {
        set.insert(&range);
    }
    assert_eq!(set.to_string(), "10.0.0.1-10.0.0.12, 10.0.0.20-10.0.0.30");
    set.remove(&between("10.0.0.10", "10.0.0.25"));
    assert_eq!(set.to_string(), "10.0.0.1-10.0.0.9, 10.0.0.26-10.0.0.30");
    set.remove(&between("10.0.0.3", "10.0.0.3"));
    assert_eq!(
        set.to_string(),
        "10.0.0.1-10.0.0.2, 10.0.0.4-10.0.0.9, 10.0.0.26-10.0.0.30"
    );
    set.insert(&cidr("10.0.0.0/24"));
    assert_eq!(set.to_string(), "10.0.0.0-10.0.0.255");
}

#[test]
fn the_ends_of_a_family_are_addresses_like_others() {
    let mut set = Addresses::from_iter([&cidr("::/0")]);
    set.remove(&between("::", "::"));
    let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    set.remove(&between(last, last));
    assert_eq!(set.count().to_string(), (u128::MAX - 1).to_string());
    set.insert(&between(last, last));
    set.insert(&between("::", "::"));
    assert_eq!(set.ranges().count(), 1);
    let taken = BTreeSet::from([ip(last)]);
    let end = Addresses::from_iter([&between(last, last)]);
    assert_eq!(end.lowest_free(Family::V6, &taken), None);
}

#[test]
fn a_huge_pool_costs_nothing() {
    let pool = Addresses::from_iter([&cidr("2001:db8::/64")]);
    let taken: BTreeSet<IpAddr> = ["2001:db8::", "2001:db8::1", "2001:db8::3"].map(ip).into();
    assert_eq!(
        pool.lowest_free(Family::V6, &taken),
        Some(ip("2001:db8::2"))
    );
    assert_eq!(pool.lowest_free(Family::V4, &taken), None);
    assert!(pool.contains(ip("2001:db8::dead:beef")));
    // An offset that differs only above its lowest 64 bits is another address.
    let small = Addresses::from_iter([&cidr("2021:1::aa00/120")]);
    assert!(small.contains(ip("2021:1::aa05")));
    assert!(!small.contains(ip("2021:9::aa05")));
    assert!(!small.contains(ip("2001:db8:dead:beef::aa05")));
}

#[test]
fn the_overlap_is_named() {
    let overlap = |one: &AddressRange, other: &AddressRange| {
        one.overlap(other).map(|range| range.to_string())
    };
    let network = cidr("10.0.0.0/24");
    assert_eq!(
        overlap(&network, &between("10.0.0.200", "10.0.1.9")),
        Some("10.0.0.200-10.0.0.255".to_owned())
    );
    assert_eq!(
        overlap(&cidr("10.0.0.0/8"), &network),
        Some("10.0.0.0/24".to_owned())
    );
    assert_eq!(overlap(&network, &cidr("10.0.1.0/24")), None);
    assert_eq!(overlap(&network, &cidr("::/0")), None);
}

/// A small family: the addresses `10.0.0.0` to `10.0.0.63`.
fn small(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number % 64))
}

proptest! {
    #[test]
    fn a_set_is_what_a_list_of_its_addresses_would_be(
        steps in prop::collection::vec((any::<bool>(), 0_u8..64, 0_u8..64), 0..24),
        taken in prop::collection::btree_set(0_u8..64, 0..24),
    ) {
        let mut set = AddressSet::empty(Family::V4);
        let mut model = BTreeSet::new();
        for (add, a, b) in steps {
            let (first, last) = (a.min(b), a.max(b));
            let range = AddressRange::new(small(first), small(last)).expect("ordered");
            if add {
                set.insert(&range);
                model.extend((first..=last).map(small));
            } else {
                set.remove(&range);
                model.retain(|address| !range.contains(*address));
            }
            let spans: Vec<_> = set.ranges().collect();
            for pair in spans.windows(2) {
                prop_assert!(number(pair[0].last()) + 1 < number(pair[1].first()), "a gap");
            }
        }
        let taken: BTreeSet<IpAddr> = taken.into_iter().map(small).collect();
        prop_assert_eq!(set.count(), Count::from(model.len()));
        for number in 0..64 {
            prop_assert_eq!(set.contains(small(number)), model.contains(&small(number)));
        }
        prop_assert_eq!(set.lowest_free(&taken), model.difference(&taken).next().copied());
        let probe = AddressRange::new(small(20), small(40)).expect("ordered");
        let lowest = model.iter().find(|address| probe.contains(**address)).copied();
        prop_assert_eq!(set.overlap(&probe).map(|range| range.first()), lowest);
    }

    #[test]
    fn any_text_is_read_without_panic(
        cidr in prop::option::of(".{0,40}"),
        start in prop::option::of("[0-9a-f:.%/]{0,40}"),
        end in prop::option::of(".{0,40}"),
    ) {
        let text = RangeText { cidr, start, end };
        for host_bits in [HostBits::Refuse, HostBits::Clear] {
            match AddressRange::parse(&text, host_bits) {
                Ok(range) => prop_assert!(range.first() <= range.last()),
                Err(problem) => prop_assert!(problem.to_string().chars().count() < 400),
            }
        }
    }

    #[test]
    fn a_network_reads_back(number: u128, length in 0_u8..=128) {
        let range = AddressRange::network(IpAddr::V6(Ipv6Addr::from(number)), length).expect("a network");
        prop_assert!(range.contains(IpAddr::V6(Ipv6Addr::from(number))));
        let read = AddressRange::from_cidr(&range.to_string(), HostBits::Refuse);
        let mapped = matches!(read, Err(RangeProblem::Mapped { .. }));
        prop_assert!(mapped || read == Ok(range));
    }

    #[test]
    fn counts_add_up_as_numbers(a: u128, b: u128) {
        let sum = Count::from(a) + Count::from(b);
        prop_assert_eq!(sum.saturating_sub(Count::from(b)), Count::from(a));
        if let Some(plain) = a.checked_add(b) {
            prop_assert_eq!(sum.to_string(), plain.to_string());
        } else {
            // 2^128 + x, digit by digit: half of it twice.
            let wrapped = a.wrapping_add(b);
            let shown = sum.to_string();
            prop_assert_eq!(shown.len(), 39);
            let tail = (u128::MAX % 10_u128.pow(30) + 1 + wrapped % 10_u128.pow(30)) % 10_u128.pow(30);
            prop_assert_eq!(&shown[9..], format!("{tail:030}"));
        }
    }
}
