//! Where a Service with `externalTrafficPolicy: Local` can be served.

use std::collections::BTreeSet;

use crate::ipam::range::Family;

/// One endpoint of a Service, from its EndpointSlices. A condition that is not set there counts as true, as the API
/// defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Its node; an endpoint without one is on none.
    pub node: Option<String>,
    /// The `addressType` of its slice.
    pub family: Family,
    /// It takes new connections.
    pub ready: bool,
    /// It still serves, though it may be terminating.
    pub serving: bool,
}

/// The nodes that have endpoints of a Service whose traffic must not leave the node it arrives on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalService {
    /// As `namespace/name`.
    pub name: String,
    /// The nodes that can serve it.
    pub nodes: BTreeSet<String>,
}

impl LocalService {
    /// From all endpoints of the Service, for an address of `family`. Nodes with ready endpoints; only where there is no
    /// ready endpoint at all, those with endpoints that still serve while they terminate, as kube-proxy uses them.
    pub fn of<'a>(
        name: impl Into<String>,
        family: Family,
        endpoints: impl IntoIterator<Item = &'a Endpoint>,
    ) -> Self {
        let (mut ready, mut serving) = (BTreeSet::new(), BTreeSet::new());
        for endpoint in endpoints {
            let Some(node) = endpoint.node.as_ref().filter(|_| endpoint.family == family) else {
                continue;
            };
            if endpoint.ready {
                ready.insert(node.clone());
            } else if endpoint.serving {
                serving.insert(node.clone());
            }
        }
        Self {
            name: name.into(),
            nodes: if ready.is_empty() { serving } else { ready },
        }
    }
}
