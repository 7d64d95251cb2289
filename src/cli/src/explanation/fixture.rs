//! A cluster in memory to explain, in each state that a Service or an address can be in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use mooring_core::external_ip::{ClusterNode, How, Known, Networks, Said, Seen, Snapshot, decide};
use mooring_core::guard::foreign::ForeignAddress;
use mooring_core::ipam::plan::Gate;
use mooring_core::ipam::pool::{PoolId, PoolObject, PoolSpec};
use mooring_core::ipam::range::{Family, RangeText};
use mooring_core::ipam::request::{Others, annotation};
use mooring_core::ipam::service::{
    FamilyPolicy, Ingress, Protocol, Service, ServicePort, TrafficPolicy,
};
use mooring_core::kube_proxy::snapshot::{ObjectName, Timestamp};
use mooring_core::mooring::Method;
use mooring_core::node::{NodeReport, NodeView, Uplink};

use super::{Explanation, Look, Operator, address, service};

/// Three nodes in 10.0.0.0/16, pool blue with three addresses for everybody, pool red with ten for namespace secret.
pub(crate) struct Cluster {
    pub snapshot: Snapshot,
    pub operator: Operator,
    pub nodes_seen: bool,
    pub foreign: Vec<ForeignAddress>,
    pub gaps: Vec<String>,
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn node(name: &str, number: u8) -> ClusterNode {
    ClusterNode {
        view: NodeView {
            name: name.to_owned(),
            ready: true,
            reporting: true,
            report: Some(NodeReport {
                uplinks: vec![Uplink {
                    name: "eth0".to_owned(),
                    mac: format!("02:00:00:00:00:{number:02x}"),
                    subnets: vec!["10.0.0.0/16".to_owned()],
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    arp_ignore: 1,
                    arp_announce: 2,
                }],
                ..NodeReport::default()
            }),
        },
        labels: BTreeMap::new(),
        cordoned: false,
        draining: false,
        exit: None,
        life: mooring_core::placement::Life::default(),
        silent_since: None,
        unserved_since: None,
        addresses: vec![IpAddr::from([10, 0, 0, number])],
        pod_cidrs: vec![format!("10.244.{number}.0/24")],
    }
}

impl Default for Cluster {
    fn default() -> Self {
        let mut cluster = Self {
            snapshot: Snapshot {
                pools: Vec::new(),
                services: Vec::new(),
                namespaces: BTreeMap::new(),
                addresses: Vec::new(),
                nodes: vec![node("n1", 11), node("n2", 12), node("n3", 13)],
                endpoints: BTreeMap::new(),
                networks: Networks {
                    service_cidrs: vec!["10.96.0.0/12".to_owned()],
                    api_servers: vec![ip("10.0.0.11")],
                },
                others: Others::default(),
                gate: Gate::Open,
                now: Timestamp::from_unix_seconds(1_800_000_000),
            },
            operator: Operator::Runs,
            nodes_seen: true,
            foreign: Vec::new(),
            gaps: Vec::new(),
        };
        cluster.pool("blue", "10.0.1.1", "10.0.1.3", |_| {});
        cluster.pool("red", "10.0.2.1", "10.0.2.10", |spec| {
            spec.namespaces = vec!["secret".to_owned()];
        });
        cluster
    }
}

impl Cluster {
    pub(crate) fn pool(
        &mut self,
        name: &str,
        first: &str,
        last: &str,
        change: impl FnOnce(&mut PoolSpec),
    ) {
        let mut spec = PoolSpec {
            ranges: vec![RangeText::between(first, last)],
            ..PoolSpec::default()
        };
        change(&mut spec);
        self.snapshot.pools.retain(|pool| pool.id.name != name);
        self.snapshot.pools.push(PoolObject {
            id: PoolId::mooring(name),
            uid: format!("pool-{name}"),
            created: Some(Timestamp::from_unix_seconds(1)),
            terminating: false,
            spec,
        });
    }

    /// Of type LoadBalancer, with an annotation that names a pool unless that is empty.
    pub(crate) fn service(&mut self, name: &str, pool: &str, change: impl FnOnce(&mut Service)) {
        let created = Timestamp::from_unix_seconds(1_700_000_000)
            .plus_seconds(i64::try_from(self.snapshot.services.len()).unwrap_or_default());
        let mut service = Service {
            id: ObjectName::new("shop", name),
            uid: format!("service-{name}"),
            created: Some(created),
            load_balancer: true,
            families: vec![Family::V4],
            ports: vec![ServicePort {
                protocol: Protocol::Tcp,
                port: 80,
            }],
            ..Service::default()
        };
        if !pool.is_empty() {
            service
                .annotations
                .insert(annotation::POOL.to_owned(), pool.to_owned());
        }
        change(&mut service);
        self.snapshot.services.push(Arc::new(service));
    }

    /// Changes a Service that is there.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut Service)) {
        let found = self
            .snapshot
            .services
            .iter_mut()
            .find(|service| service.id.name == name)
            .expect("a Service of that name");
        change(Arc::make_mut(found));
    }

    /// Carries decisions out until there is nothing to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10 {
            let decision = decide(&self.snapshot);
            if decision.is_settled() {
                return;
            }
            let addresses = &mut self.snapshot.addresses;
            for berthed in decision.create.iter().chain(&decision.update) {
                addresses.retain(|known| known.claim.address != berthed.claim.address);
                addresses.push(Arc::new(Known {
                    claim: berthed.claim.clone(),
                    planned: berthed.node.clone(),
                    heirs: berthed.heirs.clone(),
                    plan: berthed.plan,
                    cause: berthed.cause.clone(),
                    taken_by: None,
                    term: None,
                    last_move: None,
                    last_overlap: None,
                    moves: Vec::new(),
                    announced: None,
                    request_met: None,
                }));
            }
            addresses.retain(|known| !decision.delete.contains(&known.claim.address));
            for write in decision.statuses {
                self.change(&write.service.name, |service| {
                    service.ingress = write.ingress
                });
            }
        }
        panic!("a decision that is carried out is not settled");
    }

    /// Makes the Service `web`, whose address n1 answers for.
    pub(crate) fn moor(&mut self) {
        self.service("web", "blue", |_| {});
        self.settle();
        self.take("10.0.1.1", "n1", "True", "Announced");
    }

    /// Lets a node answer for an address, as its agent says in these words.
    pub(crate) fn take(&mut self, address: &str, node: &str, status: &str, reason: &str) {
        let known = self
            .snapshot
            .addresses
            .iter_mut()
            .find(|known| known.claim.address == ip(address))
            .expect("an ExternalIP");
        let known = Arc::make_mut(known);
        known.taken_by = Some(node.to_owned());
        known.announced = Some(
            Said {
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: format!("as the agent on {node} says"),
                since: self.snapshot.now,
            }
            .into(),
        );
    }

    /// Lets the status say how the node of an address answers, and what node n2 saw on the wire.
    pub(crate) fn see(&mut self, address: &str, method: Method, status: &str, reason: &str) {
        let now = self.snapshot.now;
        let mut all = self.snapshot.addresses.iter_mut();
        let known = all
            .find(|known| known.claim.address == ip(address))
            .expect("an ExternalIP");
        let announced = Arc::make_mut(known).announced.as_mut();
        let announced = announced.expect("what its agent says");
        announced.how = Some(How {
            interface: "eth0".to_owned(),
            mac: Some("02:00:00:00:00:0b".to_owned()),
            method,
            since: Some(now.plus_seconds(-600)),
        });
        announced.seen = Some(Seen {
            single: Said {
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: "as the witness on n2 says".to_owned(),
                since: now,
            },
            since: Some(now.plus_seconds(-540)),
        });
    }

    /// The agent of the planned node says why the node has not taken the address.
    pub(crate) fn wait(&mut self, address: &str, reason: &str) {
        let since = self.snapshot.now;
        let mut all = self.snapshot.addresses.iter_mut();
        let known = all
            .find(|known| known.claim.address == ip(address))
            .expect("an ExternalIP");
        let known = Arc::make_mut(known);
        let node = known.planned.as_deref().expect("a planned node");
        let said = Said {
            status: "False".to_owned(),
            reason: reason.to_owned(),
            message: format!("Node {node} is to have {address}, as its agent says."),
            since,
        };
        known.announced = Some(said.into());
    }

    pub(crate) fn look(self) -> Look {
        Look {
            decision: decide(&self.snapshot),
            snapshot: self.snapshot,
            operator: self.operator,
            nodes_seen: self.nodes_seen,
            foreign: self.foreign,
            gaps: self.gaps,
        }
    }

    pub(crate) fn explain(self, name: &str) -> Explanation {
        let look = self.look();
        match name.parse() {
            Ok(ip) => address(&look, ip),
            Err(_) => {
                let id = ObjectName::new("shop", name);
                service(&look, look.find(&id).expect("a Service of that name"))
            }
        }
    }
}

fn annotate(service: &mut Service, name: &str, value: &str) {
    service
        .annotations
        .insert(name.to_owned(), value.to_owned());
}

fn ingress(address: &str) -> Vec<Ingress> {
    vec![Ingress {
        ip: Some(address.to_owned()),
        ip_mode: Some("VIP".to_owned()),
        ..Ingress::default()
    }]
}

/// A pool blue whose three addresses three Services have.
fn full() -> Cluster {
    let mut cluster = Cluster::default();
    for name in ["a", "b", "c"] {
        cluster.service(name, "blue", |_| {});
    }
    cluster.settle();
    cluster
}

/// Each state with a name, and the explanation.
pub(crate) fn states() -> Vec<(&'static str, Explanation)> {
    let of = |name, subject: &str, change: &dyn Fn(&mut Cluster)| {
        let mut cluster = Cluster::default();
        change(&mut cluster);
        (name, cluster.explain(subject))
    };
    let asks = |name, key: &'static str, value: &'static str| {
        of(name, "web", &|cluster| {
            cluster.service("web", "blue", |web| annotate(web, key, value));
        })
    };
    let mut states = vec![
        of("not-ours-type", "web", &|cluster| {
            cluster.service("web", "", |web| web.load_balancer = false);
        }),
        of("not-ours-class", "web", &|cluster| {
            cluster.service("web", "", |web| web.class = Some("cloud".to_owned()));
        }),
        of("not-ours-antrea", "web", &|cluster| {
            cluster.snapshot.others.antrea_serves = true;
            cluster.service("web", "", |web| {
                annotate(web, annotation::ANTREA_POOL, "blue")
            });
        }),
        of("not-ours-metallb", "web", &|cluster| {
            cluster.service("web", "", |web| {
                annotate(web, annotation::METALLB_POOL[0], "lan")
            });
        }),
        of("not-ours-no-auto-assign", "web", &|cluster| {
            cluster.service("web", "", |_| {});
        }),
        of("not-ours-foreign-status", "web", &|cluster| {
            cluster.pool("blue", "10.0.1.1", "10.0.1.3", |spec| {
                spec.auto_assign = true
            });
            cluster.service("web", "", |web| {
                web.ingress = ingress("203.0.113.7");
                web.status_writers = vec!["cloud-controller".to_owned()];
            });
        }),
        asks("pending-not-an-address", annotation::IPS, "10.0.1.x"),
        asks("pending-in-no-pool", annotation::IPS, "10.9.9.9"),
        asks("pending-contradiction", annotation::METALLB_POOL[0], "red"),
        of("pending-no-such-pool", "web", &|cluster| {
            cluster.service("web", "violet", |_| {});
        }),
        of("pending-not-allowed", "web", &|cluster| {
            cluster.service("web", "red", |_| {});
        }),
        of("pending-no-default-pool", "web", &|cluster| {
            cluster.service("web", "", |web| {
                web.class = Some("mooring.dev/mooring".to_owned());
            });
        }),
        of("pending-pool-problem", "web", &|cluster| {
            cluster.pool("green", "10.0.1.3", "10.0.1.9", |_| {});
            let pool = cluster.snapshot.pools.last_mut().expect("green");
            pool.created = Some(Timestamp::from_unix_seconds(2));
            cluster.service("web", "green", |_| {});
        }),
        of("pending-other-pool", "web", &|cluster| {
            cluster.service("web", "blue", |web| {
                annotate(web, annotation::IPS, "10.0.2.1")
            });
        }),
        of("pending-dual-stack", "web", &|cluster| {
            cluster.service("web", "blue", |web| {
                web.families = vec![Family::V4, Family::V6];
                web.family_policy = FamilyPolicy::RequireDualStack;
            });
        }),
        of("withheld", "web", &|cluster| {
            cluster.snapshot.gate = Gate::Closed {
                message: "node n2 answers ARP for addresses that it does not own".to_owned(),
            };
            cluster.service("web", "blue", |_| {});
            cluster.settle();
        }),
        of("assigned-not-carried-out", "web", &|cluster| {
            cluster.operator = Operator::Stopped;
            cluster.service("web", "blue", |_| {});
        }),
        of("assigned-auto", "web", &|cluster| {
            cluster.pool("blue", "10.0.1.1", "10.0.1.3", |spec| {
                spec.auto_assign = true
            });
            cluster.service("web", "", |_| {});
            cluster.settle();
        }),
        of("assigned-with-successors", "web", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.snapshot.nodes[0].view.reporting = false;
            cluster.settle();
            cluster.take("10.0.1.1", "n2", "True", "Announced");
        }),
        of("assigned-shared", "web", &|cluster| {
            cluster.service("dns", "blue", |dns| {
                annotate(dns, annotation::SHARE, "key");
                dns.ports[0].port = 53;
            });
            cluster.service("web", "blue", |web| {
                annotate(web, annotation::SHARE, "key");
                annotate(web, annotation::IPS, "10.0.1.1");
            });
            cluster.settle();
        }),
        of("assigned-no-node", "web", &|cluster| {
            cluster.service("web", "blue", |web| {
                web.traffic_policy = TrafficPolicy::Local
            });
            cluster.snapshot.nodes[0].labels.insert(
                mooring_core::placement::EXCLUDE_LABEL.to_owned(),
                String::new(),
            );
            cluster.snapshot.nodes[1].view.ready = false;
            cluster.settle();
        }),
        of("assigned-drained", "web", &|cluster| {
            cluster.moor();
            for node in &mut cluster.snapshot.nodes {
                node.draining = true;
            }
        }),
        of("assigned-moving", "web", &|cluster| {
            cluster.moor();
            cluster.snapshot.nodes[0].labels.insert(
                mooring_core::placement::EXCLUDE_LABEL.to_owned(),
                String::new(),
            );
            cluster.settle();
            cluster.take("10.0.1.1", "n1", "True", "Announced");
        }),
        of("assigned-without-nodes", "web", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.snapshot.nodes.clear();
            cluster.settle();
        }),
        of("assigned-otherwise", "web", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.service("db", "blue", |_| {});
            cluster.settle();
            cluster.change("web", |web| annotate(web, annotation::IPS, "10.0.1.2"));
        }),
        of("ip-in-use", "10.0.1.1", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.settle();
            cluster.take("10.0.1.1", "n3", "False", "ProxyNotProgrammed");
        }),
        of("ip-in-use-otherwise", "10.0.1.1", &|cluster| {
            cluster.moor();
            cluster.change("web", |web| annotate(web, annotation::IPS, "10.0.1.300"));
        }),
        of("ip-answered", "10.0.1.1", &|cluster| {
            cluster.moor();
            cluster.see("10.0.1.1", Method::Responder, "True", "OneResponder");
        }),
        of("ip-answered-twice", "10.0.1.1", &|cluster| {
            cluster.moor();
            cluster.see("10.0.1.1", Method::Uplink, "False", "SeveralResponders");
        }),
        of("ip-waits", "10.0.1.1", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.settle();
            cluster.wait("10.0.1.1", "AnsweredElsewhere");
        }),
        of("ip-of-silent-node", "10.0.1.1", &|cluster| {
            cluster.moor();
            cluster.see("10.0.1.1", Method::Responder, "False", "NoResponder");
            cluster.snapshot.nodes.truncate(2);
            for node in &mut cluster.snapshot.nodes {
                node.view.ready = false;
                node.view.reporting = false;
            }
        }),
        of("ip-resting", "10.0.1.1", &|cluster| {
            cluster.service("web", "blue", |_| {});
            cluster.settle();
            cluster.change("web", |web| web.load_balancer = false);
            cluster.settle();
            cluster.service("other", "blue", |other| {
                annotate(other, annotation::IPS, "10.0.1.1");
            });
        }),
        of("ip-free", "10.0.1.3", &|_| {}),
        of("ip-blocked", "10.0.1.3", &|cluster| {
            cluster.snapshot.nodes[0].addresses.push(ip("10.0.1.3"));
        }),
        of("ip-of-node", "10.0.0.12", &|_| {}),
        of("ip-of-cluster-ips", "10.96.0.1", &|_| {}),
        of("ip-of-pods", "10.244.12.7", &|_| {}),
        of("ip-of-foreign-service", "203.0.113.7", &|cluster| {
            cluster.service("web", "", |web| web.ingress = ingress("203.0.113.7"));
        }),
        of("ip-in-no-pool", "2001:db8::1", &|_| {}),
    ];
    let mut cluster = full();
    cluster.service("web", "blue", |_| {});
    states.push(("pending-exhausted", cluster.explain("web")));
    let mut cluster = full();
    cluster.service("web", "blue", |web| {
        annotate(web, annotation::IPS, "10.0.1.2")
    });
    states.push(("pending-held", cluster.explain("web")));
    let mut cluster = full();
    cluster.snapshot.nodes.clear();
    cluster.nodes_seen = false;
    cluster.gaps = vec!["no node is known, as this user may not list nodes".to_owned()];
    cluster.operator = Operator::Unseen;
    states.push(("incomplete", cluster.explain("a")));
    states
}
