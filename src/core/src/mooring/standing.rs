//! How it stands with an address, and what is said about that.

use crate::condition::Condition;
use crate::fencing::{self, lease_name};
use crate::ipam::claim::SERVICE_PROXY_NAME;
use crate::ipam::reason::{AnnouncedReason, ConflictReason};
use crate::ipam::service::ServicePort;
use crate::kube_proxy::snapshot::ObjectName;
use crate::proxy_mode::LiveMode;
use crate::wire::Mac;

use super::Now;
use super::berth::{Berth, Hindrance, Method, Place};
use super::wanted::{Node, SYNCED, Served};

/// How it stands with an address that a node shall answer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The address.
    pub address: std::net::IpAddr,
    /// How far the node is.
    pub state: State,
}

/// How far a node is with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It cannot.
    Hindered(Hindrance),
    /// It asks the wire who has it, which takes less than a second.
    Asking,
    /// Somebody else answers for it.
    Elsewhere {
        /// Who.
        mac: Mac,
    },
    /// The node's service proxy does not forward it.
    NotProgrammed(Unforwarded),
    /// The node's service proxy forwards it, and says that it leads nowhere.
    NotHealthy {
        /// The Service.
        service: ObjectName,
        /// Where it says so.
        port: u16,
    },
    /// What the service proxy forwards cannot be read.
    ProxyUnread {
        /// Why.
        why: String,
    },
    /// The address is Fenced, and the node does not hold its Lease.
    NoLease {
        /// Why not.
        why: fencing::Standing,
    },
    /// It tried, and could not.
    Failed {
        /// Why.
        why: String,
    },
    /// It answers for it.
    Holding(Holding),
}

/// What a service proxy does not forward, of the Service that it forwards most of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unforwarded {
    /// The Service.
    pub service: ObjectName,
    /// One of its ports.
    pub port: ServicePort,
    /// Why not, as far as that is known.
    pub cause: Option<Cause>,
}

/// Why a service proxy does not forward a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The Service's label leaves it to this other service proxy.
    LeftTo(String),
    /// Something is wrong with the service proxy, or it does not say that it works.
    Trouble(String),
}

/// An address that the node answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Where and how.
    pub berth: Berth,
    /// The MAC address that it answers with.
    pub mac: Option<Mac>,
    /// Since when.
    pub since: Now,
    /// How long it took from when it was wanted.
    pub took: Now,
    /// Who else says that it has the address.
    pub claimed_by: Option<Mac>,
    /// It may do so only while it holds the address's Lease.
    pub fenced: bool,
    /// What the node's service proxy has not forwarded for long.
    pub forsaken: Option<Unforwarded>,
    /// Why the node's own listeners can be reached on the address, although its pool does not want that.
    pub exposed: Option<String>,
}

// === impl Standing ===

impl Standing {
    /// What the node holds, if it does.
    pub fn holding(&self) -> Option<&Holding> {
        match &self.state {
            State::Holding(holding) => Some(holding),
            _ => None,
        }
    }

    /// The condition `Announced`; `None` while the wire is being asked, as that is over before anybody could read it.
    pub fn announced(&self, node: &Node) -> Option<Condition> {
        let (address, name, mode) = (self.address, &node.name, node.mode);
        Some(match &self.state {
            State::Asking => return None,
            State::Holding(holding) => holding.announced(address, node),
            State::Hindered(hindrance) => Condition::new(
                AnnouncedReason::Failed,
                format!(
                    "Node {name} is to have {address} and cannot, so that nobody can reach it: {hindrance}."
                ),
            ),
            State::Elsewhere { mac } => Condition::new(
                AnnouncedReason::AnsweredElsewhere,
                format!(
                    "Node {name} is to have {address}, but {mac} answers for it on the wire. Two answers would break \
                     connections at random, so the node waits until that one is silent. If {mac} is no node of this cluster, \
                     somebody else uses the address: stop that, or take it out of the pool."
                ),
            ),
            State::NotProgrammed(lack) => Condition::new(
                AnnouncedReason::ProxyNotProgrammed,
                format!(
                    "Node {name} is to have {address}, but what handles Services there (mode {mode}) does not forward port \
                     {port} of Service {service} yet. It takes the address as soon as it does. {why}.",
                    port = lack.port,
                    service = lack.service,
                    why = lack.why(name),
                ),
            ),
            State::NotHealthy { service, port } => Condition::new(
                AnnouncedReason::ProxyNotProgrammed,
                format!(
                    "Node {name} is to have {address}, but what handles Services there (mode {mode}) says on port {port}, the \
                     healthCheckNodePort of Service {service}, that it cannot be reached there (status 503): no endpoint on the \
                     node is ready, or it has not heard of one yet. It takes the address as soon as that is over. If this \
                     lasts, see: curl http://{name}:{port}/healthz"
                ),
            ),
            State::ProxyUnread { why } => Condition::new(
                AnnouncedReason::ProxyNotProgrammed,
                format!(
                    "Node {name} is to have {address}, but it cannot be read whether what handles Services there (mode {mode}) \
                     forwards it, so it is not taken: {why}."
                ),
            ),
            State::NoLease { why } => Condition::new(
                AnnouncedReason::NoLease,
                format!(
                    "Node {name} is to have {address}, which is Fenced: nobody answers for it without its Lease, {lease} in \
                     Mooring's namespace. The node does not, as {why}.",
                    lease = lease_name(address),
                ),
            ),
            State::Failed { why } => Condition::new(
                AnnouncedReason::Failed,
                format!(
                    "Node {name} is to have {address} and could not take it, so that nobody can reach it; it tries again \
                     every few seconds: {why}."
                ),
            ),
        })
    }

    /// The condition `Conflict`; `None` while nothing is known. `node_of` names the node that has a MAC address.
    pub fn conflict<'a>(&self, node_of: impl Fn(Mac) -> Option<&'a str>) -> Option<Condition> {
        let address = self.address;
        let mac = match &self.state {
            State::Elsewhere { mac } => Some(mac),
            State::Holding(holding) => holding.claimed_by.as_ref(),
            State::NotProgrammed(_) | State::NotHealthy { .. } | State::NoLease { .. } => None,
            _ => return None,
        };
        let Some(mac) = mac else {
            let message = format!("Nobody else on the segment was heard to have {address}.");
            return Some(Condition::new(ConflictReason::NoConflict, message));
        };
        Some(match node_of(*mac) {
            Some(other) => Condition::new(
                ConflictReason::OtherNode,
                format!(
                    "Node {other} ({mac}) says on the wire that it has {address}, and it is not the one that shall have it. If \
                     this lasts for more than seconds, see what mooring-agent logs there, and whether the kernel there answers \
                     for addresses of other interfaces: kubectl mooring status."
                ),
            ),
            None => Condition::new(
                ConflictReason::ForeignHost,
                format!(
                    "{mac}, which is no node of this cluster, says on the wire that it has {address}. Clients reach whoever they \
                     heard last, so connections break. Find the host with that MAC address and take the address from it, or \
                     take it out of the pool."
                ),
            ),
        })
    }
}

// === impl Unforwarded ===

impl Unforwarded {
    pub(super) fn of(served: &Served, port: ServicePort, node: &Node) -> Self {
        // Whatever is wrong with kube-proxy, it would not forward that one.
        let left_to = served.service_proxy.clone().map(Cause::LeftTo);
        let trouble = || node.proxy_trouble.clone().map(Cause::Trouble);
        Self {
            service: served.service.clone(),
            port,
            cause: left_to.or_else(trouble),
        }
    }

    /// The cause, or else where to look for it; on the node of that name.
    fn why(&self, node: &str) -> String {
        match &self.cause {
            Some(Cause::LeftTo(other)) => format!(
                "The cause: the Service's label {SERVICE_PROXY_NAME}={other} leaves it to another service proxy than \
                 kube-proxy. Remove the label, unless that one forwards the Service"
            ),
            Some(Cause::Trouble(trouble)) => {
                format!("The cause may be this: {}", trouble.trim_end_matches('.'))
            }
            None => format!(
                "If this lasts, see whether the Service has ready endpoints, and what kube-proxy logs on {node}"
            ),
        }
    }
}

// === impl Holding ===

impl Holding {
    fn announced(&self, address: std::net::IpAddr, node: &Node) -> Condition {
        let (name, interface) = (&node.name, &self.berth.interface);
        if let Some(lack) = &self.forsaken {
            return Condition::new(
                AnnouncedReason::ProxyNotProgrammed,
                format!(
                    "Node {name} answers for {address}, but what handles Services there (mode {mode}) has not forwarded port \
                     {port} of Service {service} for more than {seconds} s, so that clients reach nothing. {why}.",
                    mode = node.mode,
                    port = lack.port,
                    service = lack.service,
                    seconds = SYNCED.as_secs(),
                    why = lack.why(name),
                ),
            );
        }
        let mac = self
            .mac
            .map_or_else(String::new, |mac| format!(" with {mac}"));
        let how = self.berth.how(node.mode);
        let exposed = self.exposed.as_ref().map_or_else(String::new, |why| {
            format!(
                ". Beware: what can be reached on every address of the node, such as sshd, NodePorts and hostPorts, can be \
                 reached on this one, too, as its ports could not be closed: {why}"
            )
        });
        let fenced = match self.fenced {
            true => format!(
                ". It is Fenced: the node answers only while it holds the Lease {}",
                lease_name(address)
            ),
            false => String::new(),
        };
        let answers = format!(
            "Node {name} answers for {address} on {interface}{mac}: {how}{fenced}{exposed}"
        );
        if !self.berth.outside {
            return Condition::new(AnnouncedReason::Announced, format!("{answers}."));
        }
        let via = node.via(interface, address);
        Condition::new(
            AnnouncedReason::OutsideNodeSubnet,
            format!(
                "{answers}. No interface of the node has the address in its subnet, so that a router has to send its traffic \
                 there: it needs a route to {address}{via}, and another one when the address moves."
            ),
        )
    }
}

impl Berth {
    /// Who answers, and why so.
    fn how(&self, mode: LiveMode) -> String {
        match (self.method, self.place) {
            (Method::Uplink, _) => format!(
                "the address is on the interface, where mode {mode} forwards its traffic from, and the kernel answers"
            ),
            (Method::Responder, Place::IpvsLink) => {
                "the agent answers, as kube-proxy in mode ipvs keeps the address on kube-ipvs0, for which the kernel does not"
                    .to_owned()
            }
            (Method::Responder, _) => format!(
                "the agent answers, and the address is on no interface, as mode {mode} does not need it there"
            ),
        }
    }
}

impl Node {
    /// The next hop of a route to the address, in words.
    fn via(&self, interface: &str, address: std::net::IpAddr) -> String {
        let uplink = self.uplinks.iter().find(|uplink| uplink.name == interface);
        let own = uplink.and_then(|uplink| {
            let mut addresses = uplink.addresses.iter();
            addresses.find(|own| own.is_ipv4() == address.is_ipv4())
        });
        own.map_or_else(String::new, |own| format!(" via {own}"))
    }
}

#[cfg(test)]
mod tests;
