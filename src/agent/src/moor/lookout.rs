//! Reads what the service proxy forwards: again and again while somebody waits for it, and now and then whether what is held is
//! forwarded on. Its lists are long on nodes with many Services, so this has a thread of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mooring_core::ipam::service::Protocol;
use mooring_core::mooring::{Programmed, ProxyState, Target};
use mooring_core::proxy_mode::LiveMode;
use mooring_kernel::{
    Facility, Host, IpFamily, IpvsMatch, IpvsProtocol, LinuxHost, ReadError, ServiceTarget,
};

use super::health_ports::HealthPorts;
use super::{Moor, Order};

/// The link by which a node's own traffic, and that from outside, gets to Open vSwitch.
const ANTREA_GATEWAY: &str = "antrea-gw0";
/// Between two readings: the first while a proxy is about to program what was just published, the last while it is not.
const GAPS: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));
/// The gap grows with this part of the time that a question is open.
const PATIENCE: u32 = 50;
/// A reading that takes long is not made more often than leaves nine tenths of the time to others.
const SHARE: u32 = 9;
/// The same of what is held, as nobody waits for that: forty-nine fiftieths.
const LEISURE: u32 = 49;
/// Each with whether it is IPv4.
const FAMILIES: [(IpFamily, bool); 2] = [(IpFamily::V4, true), (IpFamily::V6, false)];

/// What is to be read.
#[derive(Debug)]
pub(super) enum Look {
    /// What is waited for: again and again, until something else is waited for.
    Awaited(Question),
    /// Whether what handles Services on the node forwards on what is held: once.
    Held(LiveMode, BTreeSet<Target>),
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Question {
    /// What handles Services on the node.
    pub mode: LiveMode,
    /// What it shall forward; nothing: nobody waits.
    pub targets: BTreeSet<Target>,
    /// The health check ports of the Services among them.
    pub health_ports: BTreeSet<u16>,
    /// Where the proxy may listen on them: the node's own addresses.
    pub addresses: Vec<IpAddr>,
}

/// What is known of one way to forward.
type Found = Result<Facility<BTreeSet<Target>>, ReadError>;

/// Starts the thread.
pub(super) fn start(moor: Moor) -> Result<Sender<Look>> {
    let (sender, looks) = mpsc::channel::<Look>();
    let health = HealthPorts::new()?;
    thread::Builder::new()
        .name("lookout".to_owned())
        .spawn(move || {
            let mut open: Option<(Question, Instant)> = None;
            // Whoever hears of it looks at all addresses, before anything else runs on the node.
            let mut told = None;
            let mut hindsight = Hindsight::default();
            loop {
                let newer = match &open {
                    None => looks.recv().map_err(|_| RecvTimeoutError::Disconnected),
                    Some((question, opened)) => {
                        let begin = Instant::now();
                        let state = ProxyState {
                            programmed: read(&LinuxHost::new(), question),
                            unhealthy: health
                                .unhealthy(&question.health_ports, &question.addresses),
                        };
                        if told.as_ref() != Some(&state) {
                            told = Some(state.clone());
                            moor.order(Order::Proxy(state));
                        }
                        looks.recv_timeout(gap(opened.elapsed(), begin.elapsed()))
                    }
                };
                match newer {
                    Ok(Look::Awaited(question)) => {
                        let waits = !question.targets.is_empty();
                        open = waits.then(|| (question, Instant::now()));
                        told = None;
                    }
                    Ok(Look::Held(mode, held)) => {
                        if let Some(missing) = hindsight.look(&LinuxHost::new(), mode, &held) {
                            moor.order(Order::Missing(missing));
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })
        .context("no thread to read the service proxy's rules with")?;
    Ok(sender)
}

/// What was seen of what is held.
#[derive(Debug, Default)]
struct Hindsight {
    /// Something was missing.
    missed: bool,
    /// When the next reading may begin.
    rested: Option<Instant>,
}

impl Hindsight {
    /// What is missing; `None` if nothing is, as before, or if the last reading took so long that this one would be too soon.
    fn look(
        &mut self,
        host: &dyn Host,
        mode: LiveMode,
        held: &BTreeSet<Target>,
    ) -> Option<BTreeSet<Target>> {
        let begin = Instant::now();
        if self.rested.is_some_and(|rested| begin < rested) {
            return None;
        }
        let missing = missing(host, mode, held);
        self.rested = Some(Instant::now() + begin.elapsed() * LEISURE);
        let before = std::mem::replace(&mut self.missed, !missing.is_empty());
        (self.missed || before).then_some(missing)
    }
}

/// How long to wait before the next reading, by how long the question is open and how long the last reading took.
fn gap(open: Duration, took: Duration) -> Duration {
    (open / PATIENCE).clamp(GAPS.0, GAPS.1).max(took * SHARE)
}

/// What of what is waited for is forwarded.
pub(super) fn read(host: &dyn Host, question: &Question) -> Programmed {
    programmed(host, question.mode, &question.targets)
}

/// What is not forwarded any more; of what cannot be read, nothing is missing.
fn missing(host: &dyn Host, mode: LiveMode, held: &BTreeSet<Target>) -> BTreeSet<Target> {
    match programmed(host, mode, held) {
        Programmed::Targets(forwarded) => held.difference(&forwarded).copied().collect(),
        Programmed::NotRead | Programmed::Failed(_) | Programmed::Hidden(_) => BTreeSet::new(),
    }
}

/// What of the targets is forwarded, where that handles Services.
fn programmed(host: &dyn Host, mode: LiveMode, wanted: &BTreeSet<Target>) -> Programmed {
    let ipvs = || ipvs(host, wanted);
    let filter = |read: &dyn Fn(IpFamily) -> Result<Facility<Vec<ServiceTarget>>, ReadError>| {
        filtered(read, wanted)
    };
    let iptables = || filter(&|family| host.iptables_targets(family));
    let nftables = || filter(&|family| host.nftables_targets(family));
    match mode {
        LiveMode::Ipvs => one(masqueraded(host, ipvs()), "IPVS"),
        LiveMode::KubeRouter => one(ipvs(), "IPVS"),
        LiveMode::Nftables => one(nftables(), "nftables"),
        LiveMode::Iptables => one(iptables(), "iptables"),
        LiveMode::AntreaProxyAll => antrea(host, wanted),
        LiveMode::Ebpf => Programmed::Hidden("in eBPF programs".to_owned()),
        // Whatever forwards it, forwards it.
        LiveMode::None | LiveMode::Unknown => {
            let found = [ipvs(), nftables(), iptables()];
            let all = found.into_iter().filter_map(|found| match found {
                Ok(Facility::Present(targets)) => Some(targets),
                _ => None,
            });
            Programmed::Targets(all.flatten().collect())
        }
    }
}

/// Antrea lays a route to each external IP over its gateway, once Open vSwitch knows what to do with the packets; ports are
/// not told.
fn antrea(host: &dyn Host, wanted: &BTreeSet<Target>) -> Programmed {
    let read = || -> Result<BTreeSet<IpAddr>, ReadError> {
        let links = host.links()?;
        let gateway = |link: &u32| {
            let mut links = links.iter().filter(|found| found.index == *link);
            links.any(|found| found.name.as_os_str() == ANTREA_GATEWAY)
        };
        let mut routed = host.host_routes(IpFamily::V4)?;
        routed.extend(host.host_routes(IpFamily::V6)?);
        let routed = routed.into_iter().filter(|route| gateway(&route.link));
        Ok(routed.map(|route| route.ip).collect())
    };
    match read() {
        Ok(routed) => {
            let here = wanted
                .iter()
                .filter(|target| routed.contains(&target.address));
            Programmed::Targets(here.copied().collect())
        }
        Err(error) => Programmed::Failed(error.to_string()),
    }
}

fn one(found: Found, what: &str) -> Programmed {
    match found {
        Ok(Facility::Present(targets)) => Programmed::Targets(targets),
        Ok(Facility::Absent) => Programmed::Failed(format!("the kernel has no {what}")),
        Err(error) => Programmed::Failed(error.to_string()),
    }
}

/// Virtual services with a destination: kube-proxy makes one without for a Service that has no endpoints.
fn ipvs(host: &dyn Host, wanted: &BTreeSet<Target>) -> Found {
    let Facility::Present(services) = host.ipvs_services()? else {
        return Ok(Facility::Absent);
    };
    let mut targets = BTreeSet::new();
    for service in services {
        let Some(target) = of_ipvs(&service.matches).filter(|target| wanted.contains(target))
        else {
            continue;
        };
        if let Facility::Present(destinations) = host.ipvs_destinations(&service.matches)?
            && !destinations.is_empty()
        {
            targets.insert(target);
        }
    }
    Ok(Facility::Present(targets))
}

/// Of what has a virtual service, what kube-proxy also has in its set of ipset for addresses of load balancers. It makes
/// virtual services while it goes through the Services and fills its sets only then (`syncProxyRules` in
/// pkg/proxy/ipvs/proxier.go): seconds later with thousands of Services. Until then, traffic to endpoints on other nodes is
/// not masqueraded, and its answers are lost.
///
/// kube-proxy makes the sets before the first virtual service. Where that of a family is not there at all, as with a build
/// of kube-proxy that knows no such set, nothing is waited for but the virtual service.
fn masqueraded(host: &dyn Host, forwarded: Found) -> Found {
    let Facility::Present(forwarded) = forwarded? else {
        return Ok(Facility::Absent);
    };
    let asked = forwarded.iter().copied().map(service_target).collect();
    let mut targets = BTreeSet::new();
    for (family, v4) in FAMILIES {
        match host.ipset_targets(family, &asked)? {
            Facility::Present(found) => targets.extend(found.into_iter().filter_map(target)),
            Facility::Absent => {
                let of_it = forwarded.iter().filter(|t| t.address.is_ipv4() == v4);
                targets.extend(of_it.copied());
            }
        }
    }
    Ok(Facility::Present(targets))
}

fn of_ipvs(matches: &IpvsMatch) -> Option<Target> {
    let IpvsMatch::Address { ip, protocol, port } = *matches else {
        return None;
    };
    target(ServiceTarget { ip, protocol, port })
}

fn target(found: ServiceTarget) -> Option<Target> {
    let protocol = match found.protocol {
        IpvsProtocol::Tcp => Protocol::Tcp,
        IpvsProtocol::Udp => Protocol::Udp,
        IpvsProtocol::Sctp => Protocol::Sctp,
        IpvsProtocol::Other(_) => return None,
    };
    Some(Target {
        address: found.ip,
        protocol,
        port: found.port,
    })
}

fn service_target(target: Target) -> ServiceTarget {
    let protocol = match target.protocol {
        Protocol::Tcp => IpvsProtocol::Tcp,
        Protocol::Udp => IpvsProtocol::Udp,
        Protocol::Sctp => IpvsProtocol::Sctp,
    };
    ServiceTarget {
        ip: target.address,
        protocol,
        port: target.port,
    }
}

/// Of the families that are waited for, what is wanted. A family that the kernel has no rules for has none.
fn filtered(
    read: &dyn Fn(IpFamily) -> Result<Facility<Vec<ServiceTarget>>, ReadError>,
    wanted: &BTreeSet<Target>,
) -> Found {
    let mut all: Facility<BTreeSet<Target>> = Facility::Absent;
    for (family, v4) in FAMILIES {
        if !wanted.iter().any(|target| target.address.is_ipv4() == v4) {
            continue;
        }
        if let Facility::Present(found) = read(family)? {
            let found = found.into_iter().filter_map(target);
            let found = found.filter(|target| wanted.contains(target));
            match &mut all {
                Facility::Present(targets) => targets.extend(found),
                Facility::Absent => all = Facility::Present(found.collect()),
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
