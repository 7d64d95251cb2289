use std::net::Ipv4Addr;

use mooring_core::ipam::claim::{Claim, Holder};
use mooring_core::ipam::plan::StatusWrite;
use mooring_core::ipam::pool::PoolId;
use mooring_core::ipam::service::{Service, TrafficPolicy};
use mooring_core::kube_proxy::snapshot::ObjectName;

use super::*;
use crate::addresses::copies::Versioned;
use crate::addresses::source::Change;
use crate::addresses::write::claim;
use crate::cache::Update;

fn address(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap()))
}

fn name(number: usize) -> ObjectName {
    ObjectName::new("default", format!("s{number:05}"))
}

/// So many new Services, each with an address.
fn new_services(number: usize) -> (Decision, Stores) {
    let mut stores = Stores::default();
    let mut decision = Decision::default();
    for number in 0..number {
        let service = Service {
            id: name(number),
            uid: number.to_string(),
            load_balancer: true,
            ..Service::default()
        };
        let holder = Holder {
            service: service.id.clone(),
            uid: service.uid.clone(),
            ports: Vec::new(),
            share: None,
            asked: true,
            traffic_policy: TrafficPolicy::Cluster,
            health_port: None,
            service_proxy: None,
        };
        decision.create.push(Berthed {
            claim: Claim {
                address: address(number),
                pool: PoolId::mooring("p"),
                holders: vec![holder],
                released: None,
            },
            node: None,
            heirs: Vec::new(),
            plan: 0,
            cause: None,
        });
        decision.statuses.push(StatusWrite {
            service: service.id.clone(),
            uid: service.uid.clone(),
            ingress: Vec::new(),
            needs: vec![address(number)],
        });
        let object = Versioned {
            uid: service.uid.clone(),
            version: "1".to_owned(),
            value: service.into(),
        };
        let key = name(number).to_string();
        stores.apply(Change::Services(Update::Set(key, object)));
    }
    (decision, stores)
}

fn next(decision: &Decision, stores: &Stores, held: &Held) -> Batch {
    Batch::next(decision, stores, held, Instant::now())
}

fn claimed(batch: &Batch) -> Vec<String> {
    batch.claims.iter().map(Write::object).collect()
}

#[test]
fn the_oldest_services_come_first_each_with_its_claim() {
    let (decision, stores) = new_services(MOST);
    let batch = next(&decision, &stores, &Held::default());
    assert_eq!(batch.statuses.len(), MOST / 2);
    let first: Vec<String> = (0..MOST / 2)
        .map(|number| claim(&object_name::of(address(number))))
        .collect();
    assert_eq!(claimed(&batch), first);
}

#[test]
fn a_status_waits_for_a_claim_that_is_held_back_and_the_others_do_not() {
    let (decision, stores) = new_services(2);
    let mut held = Held::default();
    let object = claim(&object_name::of(address(0)));
    held.fail(&object, "refused", Instant::now());
    let batch = next(&decision, &stores, &held);
    assert_eq!(batch.claims.len(), 1);
    assert_eq!(batch.statuses.len(), 1);
    assert_ne!(claimed(&batch), [object]);
}

#[test]
fn what_may_not_be_done_at_all_is_left_out() {
    let (decision, stores) = new_services(2);
    let mut held = Held::default();
    let create = Write::Create(decision.create[0].clone());
    held.fail(&create.operation().to_string(), "forbidden", Instant::now());
    assert_eq!(next(&decision, &stores, &held), Batch::default());
}

#[test]
fn a_claim_is_made_although_the_status_has_to_wait() {
    let (mut decision, stores) = new_services(1);
    decision.statuses.clear();
    let batch = next(&decision, &stores, &Held::default());
    assert_eq!(batch.claims.len(), 1);
    assert!(batch.statuses.is_empty());
}

#[test]
fn a_service_that_was_made_anew_gets_nothing_that_was_meant_for_the_former_one() {
    let (decision, mut stores) = new_services(1);
    let key = name(0).to_string();
    let mut object = stores.services.get(&key).unwrap().clone();
    object.uid = "other".to_owned();
    object.version = "2".to_owned();
    stores.apply(Change::Services(Update::Set(key, object)));
    let batch = next(&decision, &stores, &Held::default());
    assert!(batch.statuses.is_empty());
}
