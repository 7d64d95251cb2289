//! Addresses that need a Lease.

use super::*;
use crate::fencing;

const IP: &str = "10.77.0.200";

/// A node that shall have a Fenced address, and could.
fn fenced(mode: LiveMode) -> Bench {
    let mut bench = Bench::new(mode);
    let wanted = Wanted {
        ownership: Ownership::Fenced,
        ..wanted(IP)
    };
    bench.moorings.want([wanted], bench.now);
    bench.moorings.program(programmed(&[IP]));
    bench
}

fn permit(bench: &mut Bench, until: Option<Now>) {
    let until = until.map(|until| (address(IP), until));
    bench.moorings.permit(Permits {
        until: until.into_iter().collect(),
        ..Permits::default()
    });
}

#[test]
fn a_fenced_address_is_held_only_for_as_long_as_it_is_permitted() {
    let mut bench = fenced(LiveMode::Ipvs);
    assert!(!held(&bench.run(Duration::from_secs(2))));
    let why = fencing::Standing::Unread;
    assert_eq!(bench.state(), State::NoLease { why });
    let until = bench.now + Duration::from_secs(3);
    permit(&mut bench, Some(until));
    assert!(held(&bench.tick()));
    assert!(bench.moorings.deadline().is_some_and(|due| due <= until));
    let last = until - Duration::from_millis(1);
    assert!(held(&bench.run(last - bench.now)));
    assert!(bench.moorings.lapsed(bench.now).is_empty());
    assert_eq!(bench.moorings.lapsed(until), BTreeSet::from([address(IP)]));
    assert!(!held(&bench.run(until - bench.now)));
    assert!(bench.moorings.lapsed(until).is_empty());
    // The wire is asked once more, and then it is held again if it may be.
    let again = until + Duration::from_secs(5);
    permit(&mut bench, Some(again));
    assert!(!held(&bench.tick()));
    assert!(held(&bench.run(Duration::from_secs(1))));
}

#[test]
fn a_permit_that_is_taken_back_ends_at_once() {
    let mut bench = fenced(LiveMode::Ipvs);
    let until = bench.now + Duration::from_secs(60);
    permit(&mut bench, Some(until));
    assert!(held(&bench.run(Duration::from_secs(2))));
    permit(&mut bench, None);
    assert!(!held(&bench.tick()));
}

#[test]
fn the_kernel_never_answers_for_a_fenced_address() {
    for mode in [LiveMode::Iptables, LiveMode::Nftables, LiveMode::Ipvs] {
        let mut bench = fenced(mode);
        let until = bench.now + Duration::from_secs(60);
        permit(&mut bench, Some(until));
        let orders = bench.run(Duration::from_secs(2));
        assert!(held(&orders) && orders.bind.is_empty(), "{mode:?}");
        assert!(bench.moorings.stand_ins().is_empty(), "{mode:?}");
    }
}

#[test]
fn a_fenced_address_that_stands_from_before_needs_a_permit_too() {
    let mut bench = fenced(LiveMode::Iptables);
    bench.moorings.adopt([(address(IP), "eth0")], bench.now);
    assert!(!held(&bench.tick()));
}
