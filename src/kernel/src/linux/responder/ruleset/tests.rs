use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{ADDRESSES4, ADDRESSES6, ALIVE, CLAIMABLE4, ELEMENTS_PER_MESSAGE, elements};
use crate::{Answering, InterfaceName, MacAddress, Responder};

fn on_link(index: u32, addresses: &[&str], claimable: &[&str]) -> Responder {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let answering = Answering {
        name: InterfaceName::new("up0").unwrap(),
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        addresses: parse(addresses),
        claimable: parse(claimable),
    };
    Responder {
        links: BTreeMap::from([(index, answering)]),
        lasts: Duration::from_millis(200),
    }
}

#[test]
fn an_element_is_a_link_and_an_address_of_a_single_host() {
    let addresses = [
        "10.9.0.100",
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "::",
        "ff02::1",
    ];
    let wanted = on_link(7, &addresses, &["10.9.0.7", "fd00::7"]);
    let keys = |set| -> Vec<Vec<u8>> {
        let elements = elements(set, &wanted).into_iter();
        elements.map(|element| element.key).collect()
    };
    let key = |ip: &[u8]| [&7_u32.to_ne_bytes(), ip].concat();
    assert!(keys(&ALIVE).is_empty(), "it is silent until it is renewed");
    assert_eq!(keys(&ADDRESSES4), [key(&[10, 9, 0, 100])]);
    assert_eq!(keys(&CLAIMABLE4), [key(&[10, 9, 0, 7])]);
    let six: IpAddr = "fd00::1".parse().unwrap();
    assert_eq!(keys(&ADDRESSES6), [key(&super::octets(&six))]);
}

#[test]
fn no_attribute_is_longer_than_its_length_can_say() {
    let mut wanted = on_link(7, &[], &[]);
    let many = (0..=u16::MAX).map(|number| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 1, number]));
    wanted.links.get_mut(&7).unwrap().addresses = many.collect::<BTreeSet<_>>();
    let elements = elements(&ADDRESSES6, &wanted);
    assert_eq!(elements.len(), 1 << 16);
    let longest = ADDRESSES6.elements(&elements[..ELEMENTS_PER_MESSAGE]);
    assert!(longest.len() < usize::from(u16::MAX), "{}", longest.len());
}
