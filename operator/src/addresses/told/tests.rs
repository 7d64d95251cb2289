use std::net::IpAddr;

use mooring_core::ipam::outcome::{Note, Way};
use mooring_core::ipam::pool::PoolId;

use super::*;

fn has(address: &str, way: Way) -> Outcome {
    let address: IpAddr = address.parse().unwrap();
    Outcome {
        state: State::Assigned,
        addresses: vec![address],
        wanting: Vec::new(),
        notes: vec![Note::Has {
            address,
            pool: PoolId::mooring("p"),
            way,
        }],
    }
}

fn pending(pool: &str) -> Outcome {
    Outcome {
        state: State::Pending,
        addresses: Vec::new(),
        wanting: Vec::new(),
        notes: vec![Note::NoSuchPool(pool.to_owned())],
    }
}

fn reason(headline: Option<Headline>) -> Option<&'static str> {
    headline.map(|headline| headline.reason)
}

#[test]
fn an_address_that_a_service_simply_has_is_not_told_after_a_restart() {
    let mut told = Told::default();
    let kept = has("10.0.0.1", Way::Kept);
    assert_eq!(told.news("u", &kept, Occasion::Look), None);
    assert_eq!(told.news("u", &kept, Occasion::Look), None);
}

#[test]
fn a_publication_is_told_once_with_how_the_address_came_about() {
    let mut told = Told::default();
    let new = has("10.0.0.1", Way::LowestFree);
    let news = told.news("u", &new, Occasion::Publication).unwrap();
    assert!(news.message.contains("lowest free"), "{news:?}");
    let kept = has("10.0.0.1", Way::Kept);
    assert_eq!(told.news("u", &kept, Occasion::Look), None);
    assert_eq!(told.news("u", &kept, Occasion::Publication), None);
    let other = has("10.0.0.2", Way::Requested);
    assert!(told.news("u", &other, Occasion::Publication).is_some());
}

#[test]
fn what_needs_attention_is_told_once_and_again_when_it_differs() {
    let mut told = Told::default();
    let look = |told: &mut Told, pool| reason(told.news("u", &pending(pool), Occasion::Look));
    assert_eq!(look(&mut told, "a"), Some("AllocationFailed"));
    assert_eq!(look(&mut told, "a"), None);
    assert_eq!(look(&mut told, "b"), Some("AllocationFailed"));
}

#[test]
fn that_a_trouble_is_over_is_told() {
    let mut told = Told::default();
    told.news("u", &pending("a"), Occasion::Look);
    let kept = has("10.0.0.1", Way::Kept);
    let news = told.news("u", &kept, Occasion::Look);
    assert_eq!(reason(news), Some("Allocated"));
}

#[test]
fn services_of_others_are_told_nothing_unless_they_were_ours() {
    let mut told = Told::default();
    let other = Outcome {
        state: State::NotOurs,
        addresses: Vec::new(),
        wanting: Vec::new(),
        notes: vec![Note::NoAutoAssign],
    };
    assert_eq!(told.news("u", &other, Occasion::Look), None);
    told.news("u", &has("10.0.0.1", Way::Kept), Occasion::Look);
    let news = told.news("u", &other, Occasion::Look);
    assert_eq!(reason(news), Some("NotOurs"));
    assert_eq!(told.news("u", &other, Occasion::Look), None);
}

#[test]
fn services_that_are_gone_are_forgotten() {
    let mut told = Told::default();
    told.news("u", &pending("a"), Occasion::Look);
    told.retain(|uid| uid != "u");
    assert!(told.news("u", &pending("a"), Occasion::Look).is_some());
}

#[test]
fn that_a_node_parts_with_its_addresses_is_told_once_for_each_time_and_reason() {
    use mooring_core::external_ip::Farewell;
    use mooring_core::placement::{Exit, Obstacle};

    let mut told = Told::default();
    let mut news = |reason: Option<Obstacle>, parts| {
        let farewell = |reason| Farewell {
            reason,
            leaving: 2,
            staying: 0,
        };
        let all = reason
            .map(|reason| ("n1", farewell(reason)))
            .into_iter()
            .collect();
        told.farewells(&all, |_| parts).len()
    };
    let shuts_down = || Some(Obstacle::Exiting(Exit::ShuttingDown));
    assert_eq!(news(shuts_down(), true), 1);
    assert_eq!(news(shuts_down(), true), 0);
    assert_eq!(news(None, true), 0, "all are gone");
    assert_eq!(news(shuts_down(), true), 0, "one is left");
    assert_eq!(news(Some(Obstacle::Draining), true), 1);
    assert_eq!(news(None, false), 0, "it is back");
    assert_eq!(news(Some(Obstacle::Draining), true), 1);
}
