mod address;
mod ip_set;
mod packet_filters;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::{
    Address, ArpSetting, Conf, DefaultRoute, Facility, Filtered, Host, HostRoute, InterfaceName,
    IpFamily, IpvsDestination, IpvsMatch, IpvsService, Link, MacAddress, NewAddress, NftChain,
    NftFamily, NftTable, Onward, OsError, PortFilter, Put, ReadError, Removed, Responder,
    ServiceTarget, Sysctl, SysctlError, WriteError, Writing, Written,
};

/// A kernel in memory, for tests of whoever uses a [`Host`]. It starts as a fresh network namespace does, with nothing but
/// `lo`, and is changed by calls named after what an administrator would do.
#[derive(Clone, Debug)]
pub struct FakeHost {
    links: BTreeMap<u32, Link>,
    next_index: u32,
    addresses: Vec<Address>,
    routes: BTreeMap<IpFamily, BTreeSet<DefaultRoute>>,
    host_routes: BTreeSet<HostRoute>,
    /// None while the module is not loaded.
    ipvs: Option<BTreeMap<IpvsMatch, Balanced>>,
    /// By the index of the link, 0 for `all`: a renamed link keeps its own.
    sysctls: BTreeMap<(u32, ArpSetting), i32>,
    /// None in a kernel without it.
    nft: Option<BTreeMap<NftTable, BTreeSet<String>>>,
    legacy: BTreeMap<IpFamily, BTreeSet<String>>,
    by_nftables: BTreeSet<ServiceTarget>,
    /// By iptables-nft, and by legacy iptables.
    by_iptables: BTreeSet<ServiceTarget>,
    by_legacy: BTreeSet<ServiceTarget>,
    /// kube-proxy's, where it made one.
    ip_sets: BTreeMap<IpFamily, BTreeSet<ServiceTarget>>,
    port_filter: PortFilter,
    onward: Onward,
    responder: Responder,
    /// How often it was renewed since it was silent last.
    renewals: u32,
    rejects: bool,
    read_only: bool,
    net_admin: bool,
}

#[derive(Clone, Debug)]
struct Balanced {
    scheduler: String,
    destinations: Vec<IpvsDestination>,
}

// === impl FakeHost ===

impl FakeHost {
    /// A fresh network namespace: `lo`, every sysctl 0.
    #[must_use]
    pub fn new() -> Self {
        let lo = Link {
            index: 1,
            name: InterfaceName::new("lo").expect("invariant: lo is a name"),
            mac: None,
            kind: None,
            up: false,
            carrier: false,
            loopback: true,
            no_arp: false,
            controller: None,
            parent: None,
            active_port: None,
            carrier_changes: 0,
            mtu: 65536,
        };
        Self {
            links: BTreeMap::from([(lo.index, lo)]),
            next_index: 2,
            addresses: Vec::new(),
            routes: BTreeMap::new(),
            host_routes: BTreeSet::new(),
            ipvs: None,
            sysctls: BTreeMap::new(),
            nft: Some(BTreeMap::new()),
            legacy: BTreeMap::from([
                (IpFamily::V4, BTreeSet::new()),
                (IpFamily::V6, BTreeSet::new()),
            ]),
            by_nftables: BTreeSet::new(),
            by_iptables: BTreeSet::new(),
            by_legacy: BTreeSet::new(),
            ip_sets: BTreeMap::new(),
            port_filter: PortFilter::default(),
            onward: Onward::default(),
            responder: Responder::default(),
            renewals: 0,
            rejects: true,
            read_only: false,
            net_admin: true,
        }
    }

    /// Adds a link of a kind such as `dummy`, which is down and whose sysctls are 0, and returns its index. `None` if a
    /// link has that name.
    pub fn add_link(&mut self, name: InterfaceName, kind: &str) -> Option<u32> {
        if self.find(&name).is_some() {
            return None;
        }
        let index = self.next_index;
        self.next_index += 1;
        let [a, b, c, d] = index.to_be_bytes();
        let link = Link {
            index,
            name,
            mac: Some(MacAddress([0x02, 0, a, b, c, d])),
            kind: Some(kind.to_owned()),
            up: false,
            carrier: false,
            loopback: false,
            no_arp: matches!(kind, "dummy" | "ifb"),
            controller: None,
            parent: None,
            active_port: None,
            carrier_changes: 0,
            mtu: 1500,
        };
        self.links.insert(index, link);
        Some(index)
    }

    /// Removes a link with its addresses, routes and sysctls; its ports are nobody's then.
    pub fn remove_link(&mut self, name: &InterfaceName) {
        if let Some(index) = self.find(name).map(|link| link.index) {
            self.links.remove(&index);
            self.addresses.retain(|address| address.link != index);
            self.sysctls.retain(|(link, _), _| *link != index);
            for routes in self.routes.values_mut() {
                routes.retain(|route| route.link != index);
            }
            self.host_routes.retain(|route| route.link != index);
            for link in self.links.values_mut() {
                for other in [
                    &mut link.controller,
                    &mut link.parent,
                    &mut link.active_port,
                ] {
                    *other = other.filter(|other| *other != index);
                }
            }
        }
    }

    /// The link of that name, to change what it shows; its index stays what it was.
    pub fn change_link(&mut self, name: &InterfaceName, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.values_mut().find(|link| link.name == *name) {
            let index = link.index;
            change(link);
            link.index = index;
        }
    }

    /// Puts an address on its link, in place of the same one with another state. An address whose link is not there is
    /// dropped. Nothing follows from it: which flags the kernel would set is for the caller to say.
    pub fn set_address(&mut self, address: Address) {
        if self.links.contains_key(&address.link) {
            let place = address.place();
            self.addresses.retain(|other| other.place() != place);
            self.addresses.push(address);
            self.addresses.sort_by_key(Address::place);
        }
    }

    /// Adds a default route. One whose link is not there is dropped.
    pub fn add_default_route(&mut self, family: IpFamily, route: DefaultRoute) {
        if self.links.contains_key(&route.link) {
            self.routes.entry(family).or_default().insert(route);
        }
    }

    /// Adds a route to one address. One whose link is not there is dropped.
    pub fn add_host_route(&mut self, route: HostRoute) {
        if self.links.contains_key(&route.link) {
            self.host_routes.insert(route);
        }
    }

    /// Takes a default route away.
    pub fn remove_default_route(&mut self, family: IpFamily, route: DefaultRoute) {
        if let Some(routes) = self.routes.get_mut(&family) {
            routes.remove(&route);
        }
    }

    /// Loads IPVS, which starts without a service.
    pub fn load_ipvs(&mut self) {
        self.ipvs.get_or_insert_default();
    }

    /// Puts a virtual service there with its destinations, in place of the one that matches the same; loads IPVS.
    pub fn set_ipvs_service(
        &mut self,
        service: IpvsService,
        mut destinations: Vec<IpvsDestination>,
    ) {
        destinations.sort_by_key(|destination| (destination.ip, destination.port));
        let balanced = Balanced {
            scheduler: service.scheduler,
            destinations,
        };
        let services = self.ipvs.get_or_insert_default();
        services.insert(service.matches, balanced);
    }

    /// Removes a virtual service.
    pub fn remove_ipvs_service(&mut self, service: &IpvsMatch) {
        if let Some(services) = &mut self.ipvs {
            services.remove(service);
        }
    }

    fn key(&self, sysctl: &Sysctl) -> Result<(u32, ArpSetting), SysctlError> {
        let index = match &sysctl.conf {
            Conf::All => Some(0),
            Conf::Interface(name) => self.find(name).map(|link| link.index),
        };
        let index = index.ok_or_else(|| SysctlError::NotFound {
            sysctl: sysctl.clone(),
        })?;
        Ok((index, sysctl.setting))
    }

    fn find(&self, name: &InterfaceName) -> Option<&Link> {
        self.links.values().find(|link| link.name == *name)
    }

    /// Mounts `/proc/sys` read-only, or writable again.
    pub fn set_sysctls_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Takes CAP_NET_ADMIN away, which a container need not have, or gives it back.
    pub fn set_net_admin(&mut self, net_admin: bool) {
        self.net_admin = net_admin;
    }

    fn may(&self, writing: Writing) -> Result<(), WriteError> {
        if self.net_admin {
            Ok(())
        } else {
            Err(WriteError::Denied { writing })
        }
    }
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for FakeHost {
    fn read_sysctl(&self, sysctl: &Sysctl) -> Result<i32, SysctlError> {
        let key = self.key(sysctl)?;
        Ok(self.sysctls.get(&key).copied().unwrap_or(0))
    }

    fn write_sysctl(&mut self, sysctl: &Sysctl, value: i32) -> Result<Written, SysctlError> {
        let from = self.read_sysctl(sysctl)?;
        if from == value {
            return Ok(Written::Unchanged);
        }
        if self.read_only {
            return Err(SysctlError::ReadOnly {
                sysctl: sysctl.clone(),
            });
        }
        self.sysctls.insert(self.key(sysctl)?, value);
        Ok(Written::Changed { from })
    }

    fn links(&self) -> Result<Vec<Link>, ReadError> {
        Ok(self.links.values().cloned().collect())
    }

    fn addresses(&self) -> Result<Vec<Address>, ReadError> {
        Ok(self.addresses.clone())
    }

    fn put_address(&mut self, address: &NewAddress) -> Result<Put, WriteError> {
        let writing = Writing::Put {
            link: address.link,
            ip: address.ip,
            prefix: address.prefix,
        };
        self.may(writing)?;
        let link = self.links.get(&address.link);
        let link = link.ok_or(WriteError::NoLink { writing })?;
        address::put(&mut self.addresses, link, address)
            .map_err(|error: OsError| WriteError::refused(writing, error))
    }

    fn remove_address(&mut self, link: u32, ip: IpAddr, prefix: u8) -> Result<Removed, WriteError> {
        self.may(Writing::Remove { link, ip, prefix })?;
        Ok(address::remove(&mut self.addresses, link, ip, prefix))
    }

    fn set_port_filter(&mut self, wanted: &PortFilter) -> Result<Facility<Filtered>, WriteError> {
        self.replace_port_filter(wanted)
    }

    fn set_onward(&mut self, wanted: &Onward) -> Result<Facility<()>, WriteError> {
        self.replace_onward(wanted)
    }

    fn set_responder(&mut self, wanted: &Responder) -> Result<Facility<()>, WriteError> {
        self.replace_responder(wanted)
    }

    fn renew_responder(&mut self) -> Result<(), WriteError> {
        self.may(Writing::Responder)?;
        self.renewals += u32::from(!self.responder.links.is_empty());
        Ok(())
    }

    fn default_routes(&self, family: IpFamily) -> Result<Vec<DefaultRoute>, ReadError> {
        let routes = self.routes.get(&family);
        Ok(routes.into_iter().flatten().copied().collect())
    }

    fn host_routes(&self, family: IpFamily) -> Result<Vec<HostRoute>, ReadError> {
        let of = |route: &&HostRoute| route.ip.is_ipv4() == (family == IpFamily::V4);
        Ok(self.host_routes.iter().filter(of).copied().collect())
    }

    fn ipvs_services(&self) -> Result<Facility<Vec<IpvsService>>, ReadError> {
        let Some(services) = &self.ipvs else {
            return Ok(Facility::Absent);
        };
        let listed = services.iter().map(|(matches, balanced)| IpvsService {
            matches: *matches,
            scheduler: balanced.scheduler.clone(),
        });
        Ok(Facility::Present(listed.collect()))
    }

    fn ipvs_destinations(
        &self,
        service: &IpvsMatch,
    ) -> Result<Facility<Vec<IpvsDestination>>, ReadError> {
        let Some(services) = &self.ipvs else {
            return Ok(Facility::Absent);
        };
        let balanced = services.get(service);
        Ok(Facility::Present(
            balanced.map_or_else(Vec::new, |balanced| balanced.destinations.clone()),
        ))
    }

    fn nft_tables(&self) -> Result<Facility<Vec<NftTable>>, ReadError> {
        Ok(match &self.nft {
            None => Facility::Absent,
            Some(tables) => Facility::Present(tables.keys().cloned().collect()),
        })
    }

    fn nft_chains(&self) -> Result<Facility<Vec<NftChain>>, ReadError> {
        let Some(tables) = &self.nft else {
            return Ok(Facility::Absent);
        };
        let chains = tables.iter().flat_map(|(table, names)| {
            names.iter().map(|name| NftChain {
                table: table.clone(),
                name: name.clone(),
            })
        });
        Ok(Facility::Present(chains.collect()))
    }

    fn legacy_tables(&self, family: IpFamily) -> Result<Facility<Vec<String>>, ReadError> {
        Ok(match self.legacy.get(&family) {
            None => Facility::Absent,
            Some(names) => Facility::Present(names.iter().cloned().collect()),
        })
    }

    fn nftables_targets(
        &self,
        family: IpFamily,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        if self.nft.is_none() {
            return Ok(Facility::Absent);
        }
        Ok(Facility::Present(of_family(&self.by_nftables, family)))
    }

    fn iptables_targets(
        &self,
        family: IpFamily,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        let legacy = self.legacy.get(&family);
        let legacy_nat = legacy.is_some_and(|names| names.contains("nat"));
        if self.nft.is_none() && !legacy_nat {
            return Ok(Facility::Absent);
        }
        let mut targets = self.by_iptables.clone();
        if legacy_nat {
            targets.extend(&self.by_legacy);
        }
        Ok(Facility::Present(of_family(&targets, family)))
    }

    fn ipset_targets(
        &self,
        family: IpFamily,
        wanted: &BTreeSet<ServiceTarget>,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        Ok(ip_set::members(self.ip_sets.get(&family), family, wanted))
    }
}

fn table_of(family: IpFamily, name: &str) -> NftTable {
    let family = match family {
        IpFamily::V4 => NftFamily::Ip,
        IpFamily::V6 => NftFamily::Ip6,
    };
    let name = name.to_owned();
    NftTable { family, name }
}

fn of_family(targets: &BTreeSet<ServiceTarget>, family: IpFamily) -> Vec<ServiceTarget> {
    let of_it = targets.iter().filter(|target| target.family() == family);
    of_it.copied().collect()
}
