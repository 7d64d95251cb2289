//! Addresses on links, as the thread finds and puts them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use mooring_core::condition::{ConditionStatus, ConditionType};
use mooring_core::ipam::pool::Ping;
use mooring_core::ipam::range::{AddressRange, HostBits};
use mooring_core::ipam::service::Protocol;
use mooring_core::mooring;
pub(super) use mooring_core::mooring::is_ours;
use mooring_core::mooring::{
    Deed, IPVS_LINK, LIFETIME, Node, Path, StandingAddress, Uplink, deeds,
};
use mooring_core::node::NodeReport;
use mooring_core::wire::Mac;
use mooring_kernel::{
    Address, AddressFlags, Facility, Host, IpvsProtocol, Lifetime, Link, NewAddress, Onward, Open,
    PortFilter, ReadError, WriteError,
};
use tracing::{info, warn};

/// How long packets go on to the node that had an address before, if no agent is left to say for how much longer.
const ONWARD_LASTS: Duration = Duration::from_secs(600);

/// A link that frames go over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentLink {
    pub name: String,
    /// What the node's report calls it, which may be a former name.
    pub reported: String,
    pub index: u32,
    pub mac: Mac,
}

/// The links and addresses of one look.
#[derive(Debug, Default)]
pub(super) struct Hull {
    links: BTreeMap<String, u32>,
    standing: Vec<StandingAddress>,
    on_ipvs_link: BTreeSet<IpAddr>,
    /// What was closed last.
    closed: Option<PortFilter>,
    /// What is sent on, and since when the kernel knows; what an earlier agent said of it ends by itself.
    onward: BTreeMap<IpAddr, IpAddr>,
    renewed: mooring::Now,
    /// What could not be done when it was last tried, so that it is logged once.
    complained: BTreeSet<String>,
}

/// The node as its report has it, with the links as they are now. A link that has another name by now is known by its
/// index, which `former` has.
pub(super) fn node(
    host: &dyn Host,
    segments: &[SegmentLink],
    name: &str,
    report: &NodeReport,
    default_routes: &[String],
) -> Result<(Node, Vec<SegmentLink>), ReadError> {
    let links = host.links()?;
    let find = |name: &str| {
        let mut segments = segments.iter();
        let index = segments.find(|old| old.name == name || old.reported == name);
        links
            .iter()
            .find(|link| link.name.as_os_str() == name)
            .or_else(|| {
                links
                    .iter()
                    .find(|link| Some(link.index) == index.map(|old| old.index))
            })
    };
    let mut found = Vec::new();
    let mut uplinks = Vec::new();
    for reported in &report.uplinks {
        let Some((link, mac)) = find(&reported.name).and_then(|link| Some((link, mac(link)?)))
        else {
            continue;
        };
        let name = link.name.to_string();
        uplinks.push(Uplink {
            name: name.clone(),
            mac,
            up: link.up && link.carrier,
            path: path(link, &links),
            subnets: (reported.subnets.iter())
                .filter_map(|subnet| AddressRange::from_cidr(subnet, HostBits::Clear).ok())
                .collect(),
            addresses: reported.addresses.clone(),
            arp_ignore: reported.arp_ignore,
        });
        found.push(SegmentLink {
            name,
            reported: reported.name.clone(),
            index: link.index,
            mac,
        });
    }
    let renamed = |name: &String| find(name).map_or(name.clone(), |link| link.name.to_string());
    let node = Node {
        name: name.to_owned(),
        mode: report.mode,
        proxy_trouble: proxy_trouble(report),
        uplinks,
        default_routes: default_routes.iter().map(renamed).collect(),
    };
    Ok((node, found))
}

/// What the node's look at its kube-proxy came to, unless that is good.
fn proxy_trouble(report: &NodeReport) -> Option<String> {
    let mut conditions = report.conditions.iter();
    let bad = conditions.find(|condition| {
        condition.kind == ConditionType::KubeProxyHealthy
            && condition.status != ConditionStatus::True
    });
    bad.map(|condition| condition.message.clone())
}

fn path(link: &Link, links: &[Link]) -> Path {
    let parent = |link: &&Link| links.iter().find(|found| Some(found.index) == link.parent);
    // No deeper than anybody builds them, so that this ends whatever the kernel says.
    let mut built_on = std::iter::successors(Some(link), parent).take(8);
    Path {
        link: link.index,
        port: built_on.find_map(|link| link.active_port),
        carrier_changes: link.carrier_changes,
    }
}

fn mac(link: &Link) -> Option<Mac> {
    link.mac.map(|mac| Mac(mac.0))
}

// === impl Hull ===

impl Hull {
    /// Looks at all links and addresses.
    pub(super) fn survey(&mut self, host: &dyn Host) -> Result<(), ReadError> {
        let links = host.links()?;
        let addresses = host.addresses()?;
        self.links = links
            .iter()
            .map(|link| (link.name.to_string(), link.index))
            .collect();
        let ipvs = self.links.get(IPVS_LINK).copied();
        let (there, elsewhere): (Vec<&Address>, Vec<&Address>) = addresses
            .iter()
            .partition(|address| Some(address.link) == ipvs);
        self.on_ipvs_link = there.iter().map(|address| address.ip).collect();
        self.standing = elsewhere
            .into_iter()
            .filter_map(|address| standing(address, &links))
            .collect();
        Ok(())
    }

    /// The addresses of ours that stand on links, by interface.
    pub(super) fn ours(&self) -> impl Iterator<Item = (IpAddr, &str)> {
        let ours = self.standing.iter().filter(|found| is_ours(found));
        ours.map(|found| (found.address, found.interface.as_str()))
    }

    /// Whether an address was on `kube-ipvs0` when it was looked last.
    pub(super) fn is_on_ipvs_link(&self, address: &IpAddr) -> bool {
        self.on_ipvs_link.contains(address)
    }

    /// Takes those addresses of ours away that nothing answers for any more.
    pub(super) fn let_go(&mut self, host: &mut dyn Host, goes_on: &dyn Fn(&IpAddr) -> bool) {
        self.remove(host, |found| !goes_on(&found.address));
    }

    /// Takes all addresses of ours away that are not where they shall be.
    pub(super) fn sweep(&mut self, host: &mut dyn Host, bind: &BTreeMap<IpAddr, String>) {
        self.remove(host, |found| {
            bind.get(&found.address) != Some(&found.interface)
        });
    }

    fn remove(&mut self, host: &mut dyn Host, goes: impl Fn(&StandingAddress) -> bool) {
        let goes = |found: &StandingAddress| is_ours(found) && goes(found);
        let (gone, kept) = std::mem::take(&mut self.standing)
            .into_iter()
            .partition(goes);
        self.standing = kept;
        let gone: Vec<StandingAddress> = gone;
        for found in gone {
            let Some(link) = self.links.get(&found.interface) else {
                continue;
            };
            match host.remove_address(*link, found.address, found.prefix) {
                Ok(_) => {
                    info!(ip = %found.address, iface = found.interface, "took an address off an interface");
                }
                Err(error) => {
                    let what = format!("it goes by itself within {} s", LIFETIME.as_secs());
                    self.complain(&error, &what);
                    self.standing.push(found);
                }
            }
        }
    }

    /// Puts addresses on uplinks, and renews those that are there. What fails is told with the reason.
    pub(super) fn bind(
        &mut self,
        host: &mut dyn Host,
        wanted: &BTreeMap<IpAddr, String>,
    ) -> Vec<(IpAddr, String)> {
        let mut failed = Vec::new();
        for deed in deeds(wanted, &self.standing) {
            let Deed::Put {
                interface,
                address,
                new,
            } = deed
            else {
                continue;
            };
            let Some(link) = self.links.get(&interface) else {
                failed.push((address, format!("there is no interface {interface}")));
                continue;
            };
            match host.put_address(&new_address(*link, address)) {
                Ok(_) if new => {
                    info!(ip = %address, iface = interface, "put an address on an interface");
                    self.standing.push(fresh(interface, address));
                }
                Ok(_) => {}
                Err(error) => failed.push((address, error.to_string())),
            }
        }
        failed
    }

    /// Closes addresses on uplinks, but for what is named. Why it could not be done is told.
    pub(super) fn close(
        &mut self,
        host: &mut dyn Host,
        open: &BTreeMap<IpAddr, mooring::Open>,
    ) -> Result<(), String> {
        let filter = PortFilter {
            addresses: open
                .iter()
                .map(|(address, open)| (*address, in_kernel(open)))
                .collect(),
        };
        if self.closed.as_ref() == Some(&filter) {
            return Ok(());
        }
        self.closed = None;
        match host.set_port_filter(&filter) {
            Ok(Facility::Present(_)) => {
                self.closed = Some(filter);
                Ok(())
            }
            Ok(Facility::Absent) if open.is_empty() => Ok(()),
            Ok(Facility::Absent) => Err("the kernel has no nf_tables".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Has packets of connections go on to the nodes where these began. Where that cannot be done, they break as they do without
    /// Mooring.
    pub(super) fn send_on(
        &mut self,
        host: &mut dyn Host,
        onward: &BTreeMap<IpAddr, IpAddr>,
        now: mooring::Now,
    ) {
        let runs_out = !onward.is_empty() && now >= self.renewed + ONWARD_LASTS / 2;
        if self.onward == *onward && !runs_out {
            return;
        }
        let wanted = Onward {
            to: onward.clone(),
            lasts: ONWARD_LASTS,
        };
        let why = match host.set_onward(&wanted) {
            Ok(Facility::Present(())) => None,
            Ok(Facility::Absent) => Some("the kernel's nf_tables has no dup".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        // Not again and again: it will not be different in a moment.
        self.onward.clone_from(onward);
        self.renewed = now;
        if let Some(why) = why.filter(|why| self.complained.insert(why.clone())) {
            warn!(
                reason = why,
                "connections that are open when an address moves to this node break"
            );
        }
    }

    /// Puts addresses on `kube-ipvs0` that kube-proxy will put there itself. That it fails, or that the link is not there, is
    /// no harm for longer than kube-proxy takes.
    pub(super) fn ensure(&mut self, host: &mut dyn Host, wanted: &BTreeSet<IpAddr>) {
        let Some(link) = self.links.get(IPVS_LINK).copied() else {
            return;
        };
        for address in wanted {
            if self.on_ipvs_link.contains(address) {
                continue;
            }
            match host.put_address(&permanent(link, *address)) {
                Ok(_) => {
                    info!(ip = %address, "put an address on kube-ipvs0, where kube-proxy did not have it");
                    self.on_ipvs_link.insert(*address);
                }
                Err(error) => self.complain(&error, "kube-proxy puts it there at its next sync"),
            }
        }
    }

    /// Takes addresses off `kube-ipvs0` that a kube-proxy in mode ipvs left there.
    pub(super) fn clear(&mut self, host: &mut dyn Host, leftovers: &BTreeSet<IpAddr>) {
        let Some(link) = self.links.get(IPVS_LINK).copied() else {
            return;
        };
        let there: Vec<IpAddr> = self.on_ipvs_link.intersection(leftovers).copied().collect();
        for address in there {
            match host.remove_address(link, address, whole(address)) {
                Ok(_) => {
                    info!(ip = %address, "took an address off kube-ipvs0 that a former mode ipvs had left there");
                    self.on_ipvs_link.remove(&address);
                }
                Err(error) => self.complain(
                    &error,
                    "this node may answer for it beside the one that has it",
                ),
            }
        }
    }

    /// Renews what an agent before this one left.
    pub(super) fn renew_ours(&mut self, host: &mut dyn Host) -> Result<(), ReadError> {
        self.survey(host)?;
        let ours: BTreeMap<IpAddr, String> = self
            .ours()
            .map(|(address, interface)| (address, interface.to_owned()))
            .collect();
        for (address, why) in self.bind(host, &ours) {
            warn!(ip = %address, reason = why, "cannot renew an address of the agent before this one");
        }
        Ok(())
    }

    fn complain(&mut self, error: &WriteError, consequence: &str) {
        if self.complained.insert(error.to_string()) {
            warn!(reason = %error, consequence, "cannot change an address");
        }
    }
}

/// An address as it stands on a link; `None` on a link that is gone by now.
fn standing(address: &Address, links: &[Link]) -> Option<StandingAddress> {
    let link = links.iter().find(|link| link.index == address.link)?;
    Some(StandingAddress {
        interface: link.name.to_string(),
        address: address.ip,
        prefix: address.prefix,
        valid: match address.valid {
            Lifetime::For(time) => Some(time),
            Lifetime::Forever => None,
        },
        deprecated: address.flags.contains(AddressFlags::DEPRECATED),
        idle: address.flags.contains(AddressFlags::DAD_FAILED)
            || address.flags.contains(AddressFlags::TENTATIVE),
    })
}

fn fresh(interface: String, address: IpAddr) -> StandingAddress {
    StandingAddress {
        interface,
        address,
        prefix: whole(address),
        valid: Some(LIFETIME),
        deprecated: true,
        idle: false,
    }
}

/// As [`is_ours`] knows it again.
pub(super) fn new_address(link: u32, address: IpAddr) -> NewAddress {
    NewAddress {
        valid: Lifetime::For(LIFETIME),
        preferred: Lifetime::For(Duration::ZERO),
        ..permanent(link, address)
    }
}

fn permanent(link: u32, address: IpAddr) -> NewAddress {
    NewAddress {
        link,
        ip: address,
        prefix: whole(address),
        // Who has it was asked already, and IPv6 would be silent for a second. A route to the address alone is not needed.
        flags: match address {
            IpAddr::V4(_) => AddressFlags::default(),
            IpAddr::V6(_) => AddressFlags::NO_DAD | AddressFlags::NO_PREFIX_ROUTE,
        },
        valid: Lifetime::Forever,
        preferred: Lifetime::Forever,
    }
}

fn in_kernel(open: &mooring::Open) -> Open {
    let ports = open.ports.iter();
    Open {
        ports: ports
            .map(|port| (protocol(port.protocol), port.port))
            .collect(),
        ping: open.ping == Ping::Allow,
    }
}

fn protocol(protocol: Protocol) -> IpvsProtocol {
    match protocol {
        Protocol::Tcp => IpvsProtocol::Tcp,
        Protocol::Udp => IpvsProtocol::Udp,
        Protocol::Sctp => IpvsProtocol::Sctp,
    }
}

fn whole(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests;
