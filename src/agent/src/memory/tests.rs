use std::process::id;

use mooring_core::ipam::pool::{Ownership, PoolId};
use mooring_core::ipam::service::{Protocol, ServicePort};
use mooring_core::kube_proxy::snapshot::ObjectName;
use mooring_core::mooring::Served;

use super::*;
use crate::api::Link;

fn known() -> Known {
    let port = ServicePort {
        protocol: Protocol::Udp,
        port: 53,
    };
    let address = Address {
        name: "10-77-0-200".to_owned(),
        uid: "u1".to_owned(),
        resource_version: "7".to_owned(),
        address: "10.77.0.200".parse().unwrap(),
        pool: PoolId::mooring("blue"),
        planned: Some("n1".to_owned()),
        heirs: vec!["n2".to_owned()],
        plan: 3,
        cause: Some("MovedByHand".to_owned()),
        services: [Served {
            service: ObjectName::new("shop", "dns"),
            ports: vec![port],
            health_port: Some(31_000),
            service_proxy: Some("other".to_owned()),
        }]
        .into(),
        status: mooring_api::external_ip::ExternalIPStatus {
            node: Some("n2".to_owned()),
            ..Default::default()
        },
    };
    let link = Link {
        name: "eth0".to_owned(),
        mac: "02:00:00:00:00:01".to_owned(),
        subnets: vec!["10.77.0.0/24".to_owned()],
        addresses: vec!["10.77.0.11".parse().unwrap()],
    };
    let node = NodeLinks {
        node: "n1".to_owned(),
        uplinks: vec![link],
    };
    let pool = Pool {
        ownership: Ownership::Fenced,
        ..Pool::by_default(PoolId::mooring("blue"))
    };
    let keys = [1, 2].map(|first| {
        let mut key = vec![7; 32];
        key[0] = first;
        key
    });
    Known {
        addresses: vec![Arc::new(address)],
        pools: vec![pool],
        nodes: vec![Arc::new(node)],
        keys: Some(Keys::new(keys).unwrap()),
    }
}

/// A directory that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mooring-memory-{name}-{}", id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_was_written_is_read_and_nobody_else_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new("whole");
    let memory = Memory::new(&place.0);
    assert_eq!(memory.read(), None);
    memory.write(&known()).unwrap();
    assert_eq!(memory.read(), Some(known()));
    let mode = fs::metadata(place.0.join(NAME))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let nothing = Known {
        addresses: Vec::new(),
        pools: Vec::new(),
        nodes: Vec::new(),
        keys: None,
    };
    memory.write(&nothing).unwrap();
    assert_eq!(memory.read(), Some(nothing));
}

#[test]
fn what_is_damaged_cut_or_of_another_version_is_left_aside() {
    let place = Place::new("damaged");
    let memory = Memory::new(&place.0);
    memory.write(&known()).unwrap();
    let whole = fs::read(place.0.join(NAME)).unwrap();
    let mut damaged = vec![
        whole[..whole.len() - 1].to_vec(),
        Vec::new(),
        b"x\n".to_vec(),
    ];
    for at in (0..whole.len()).step_by(7) {
        let mut other = whole.clone();
        other[at] ^= 1;
        damaged.push(other);
    }
    let later = String::from_utf8(whole.clone()).unwrap();
    damaged.push(later.replacen(" 2 ", " 1 ", 1).into_bytes());
    for text in damaged {
        fs::write(place.0.join(NAME), &text).unwrap();
        assert_eq!(memory.read(), None, "{}", String::from_utf8_lossy(&text));
    }
}
