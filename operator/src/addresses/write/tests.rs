use mooring_core::ipam::claim::{Claim, Release};
use mooring_core::ipam::pool::PoolId;
use mooring_core::kube_proxy::snapshot::Timestamp;

use super::*;

fn released() -> Berthed {
    Berthed {
        claim: Claim {
            address: "10.0.0.1".parse().unwrap(),
            pool: PoolId::mooring("p"),
            holders: Vec::new(),
            released: Some(Release {
                at: Timestamp::from_unix_seconds(0),
                by: ObjectName::new("default", "web"),
            }),
        },
        node: None,
        heirs: Vec::new(),
        plan: 2,
        cause: None,
    }
}

#[test]
fn what_an_update_takes_away_is_said() {
    let patch = spec_patch(&spec(&released()));
    assert_eq!(patch["services"], Value::Null);
    assert_eq!(patch["node"], Value::Null);
    for field in ["services", "heirs", "cause"] {
        assert!(patch.as_object().unwrap().contains_key(field), "{field}");
    }
    assert_eq!(patch["plan"], 2);
    assert_eq!(patch["released"]["name"], "web");
}

#[test]
fn an_address_that_is_taken_again_is_not_released_any_more() {
    let mut berthed = released();
    berthed.claim.released = None;
    berthed.node = Some("n1".to_owned());
    let patch = spec_patch(&spec(&berthed));
    assert!(patch.as_object().unwrap().contains_key("released"));
    assert_eq!(patch["released"], Value::Null);
    assert_eq!(patch["node"], "n1");
}

#[test]
fn a_status_is_written_whole_or_taken_away() {
    let entry = Ingress {
        ip: Some("10.0.0.1".to_owned()),
        ip_mode: Some("VIP".to_owned()),
        ..Ingress::default()
    };
    assert_eq!(
        ingress(&[entry]),
        json!([{"ip": "10.0.0.1", "ipMode": "VIP"}])
    );
    assert_eq!(ingress(&[]), Value::Null);
}

#[test]
fn a_failed_write_of_a_claim_holds_back_whatever_is_written_to_it() {
    let berthed = released();
    let create = Write::Create(berthed.clone());
    let seen = Seen {
        uid: "u".to_owned(),
        version: "1".to_owned(),
    };
    let delete = Write::Delete {
        name: object_name::of(berthed.claim.address),
        seen,
    };
    assert_eq!(create.object(), delete.object());
    assert_eq!(create.object(), claim("10-0-0-1"));
}
