use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use mooring_kernel::{FakeHost, InterfaceName, MacAddress};

use super::*;

const OWN: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const START: Now = Duration::from_secs(100);

fn name(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

/// With two links.
fn host() -> FakeHost {
    let mut host = FakeHost::new();
    for link in ["up0", "up1"] {
        host.add_link(name(link), "veth").unwrap();
    }
    host
}

/// These addresses, on a link of that host.
fn on(link: &str, addresses: &[&str]) -> Responder {
    let links = host().links().unwrap();
    let found = links.iter().find(|found| found.name == name(link));
    let answering = Answering {
        name: name(link),
        mac: OWN,
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        claimable: BTreeSet::new(),
    };
    Responder {
        links: BTreeMap::from([(found.unwrap().index, answering)]),
        ..silence()
    }
}

fn answered(host: &FakeHost) -> Vec<String> {
    let (set, _) = host.responder();
    let addresses = set.links.values().flat_map(|link| &link.addresses);
    addresses.map(IpAddr::to_string).collect()
}

#[test]
fn more_waits_for_a_moment_and_less_does_not() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    let [one, two] = ["10.9.0.1", "10.9.0.2"];
    deputy.follow(&mut host, &on("up0", &[one]), START);
    assert_eq!(answered(&host), [one]);
    let soon = START + Duration::from_millis(10);
    deputy.follow(&mut host, &on("up0", &[one, two]), soon);
    assert_eq!(answered(&host), [one]);
    assert_eq!(deputy.waits(), Some(START + GAP));
    deputy.follow(&mut host, &on("up0", &[one, two]), START + GAP);
    assert_eq!(answered(&host), [one, two]);
    assert_eq!(deputy.waits(), None);

    deputy.reduce(&mut host, &on("up0", &[two]), START + GAP);
    assert_eq!(answered(&host), [two]);
    deputy.follow(&mut host, &on("up1", &[two]), START + GAP);
    let (set, _) = host.responder();
    assert_eq!(*set, on("up1", &[two]), "it moves at once");
}

#[test]
fn what_goes_on_is_not_touched_by_a_reduction() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    let [one, two] = ["10.9.0.1", "10.9.0.2"];
    deputy.follow(&mut host, &on("up0", &[one]), START);
    deputy.renew(&mut host, START);
    deputy.reduce(&mut host, &on("up0", &[one, two]), START);
    assert_eq!(host.responder(), (&on("up0", &[one]), 1), "not set anew");
    let mut other = on("up0", &[one]);
    other.links.values_mut().next().unwrap().mac = MacAddress([2, 0, 0, 0, 0, 2]);
    deputy.reduce(&mut host, &other, START);
    assert_eq!(answered(&host), [""; 0], "never with a former MAC address");
    deputy.follow(&mut host, &other, START);
    let later = deputy.waits().unwrap();
    deputy.follow(&mut host, &other, later);
    assert_eq!(*host.responder().0, other);
}

#[test]
fn it_is_renewed_now_and_then_while_it_answers() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    let one = on("up0", &["10.9.0.1"]);
    deputy.renew(&mut host, START);
    deputy.follow(&mut host, &one, START);
    for (after, renewals) in [(0, 1), (10, 1), (49, 1), (50, 2), (60, 2), (120, 3)] {
        deputy.renew(&mut host, START + Duration::from_millis(after));
        assert_eq!(host.responder(), (&one, renewals), "{after}");
    }
    deputy.close(&mut host, START + GAP);
    assert_eq!(answered(&host), [""; 0]);
    deputy.renew(&mut host, START + 2 * GAP);
    assert_eq!(host.responder().1, 3, "there is nothing to renew");
    deputy.follow(&mut host, &one, START + 2 * GAP);
    assert_eq!(answered(&host), ["10.9.0.1"], "it comes back");
    deputy.dismiss(&mut host, START + 2 * GAP);
    assert_eq!(*host.responder().0, silence());
}

#[test]
fn what_an_agent_before_it_left_is_replaced() {
    let mut host = host();
    host.set_responder(&on("up0", &["10.9.0.9"])).unwrap();
    Deputy::default().follow(&mut host, &silence(), START);
    assert_eq!(answered(&host), [""; 0]);
}

#[test]
fn where_it_fails_it_is_tried_again_later() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    let one = on("up0", &["10.9.0.1"]);
    host.set_net_admin(false);
    let begun = Instant::now();
    deputy.follow(&mut host, &one, START);
    assert!(deputy.trouble.is_some());
    assert!(
        begun.elapsed() < LASTS,
        "nothing is answered that has to end"
    );
    deputy.renew(&mut host, START);
    host.set_net_admin(true);
    assert_eq!(host.responder().1, 0, "nothing is renewed");
    assert_eq!(deputy.waits(), Some(START + RETRY));
    deputy.follow(&mut host, &one, START + RETRY);
    deputy.renew(&mut host, START + RETRY);
    assert_eq!(host.responder(), (&one, 1));
    assert_eq!(deputy.trouble, None);
}

#[test]
fn if_it_cannot_be_told_to_end_nothing_goes_on_until_it_has_ended_by_itself() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    deputy.follow(&mut host, &on("up0", &["10.9.0.1"]), START);
    deputy.renew(&mut host, START);
    host.set_net_admin(false);
    let begun = Instant::now();
    deputy.close(&mut host, START);
    assert!(begun.elapsed() >= LASTS);
    host.set_net_admin(true);
    deputy.renew(&mut host, START + LASTS);
    assert_eq!(host.responder().1, 1, "it is not renewed any more");
}

#[test]
fn a_kernel_without_it_is_no_trouble_while_nothing_is_answered() {
    let (mut host, mut deputy) = (host(), Deputy::default());
    host.take_nft_away();
    deputy.follow(&mut host, &silence(), START);
    assert_eq!((deputy.trouble.as_ref(), deputy.waits), (None, None));
    deputy.follow(&mut host, &on("up0", &["10.9.0.1"]), START + GAP);
    assert!(deputy.trouble.is_some());
    assert_eq!(deputy.waits(), Some(START + GAP + RETRY));
}
