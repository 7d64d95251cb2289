//! From the kernel's lists to what the decisions look at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_core::proxy_mode::{ArpSeen, KernelSeen, LinkSeen};
use mooring_kernel::{
    Address, ArpSetting, DefaultRoute, Facility, Host, InterfaceName, IpFamily, Link, ReadError,
    Sysctl, SysctlError,
};

/// What changes with the proxy and is long on a node with many Services: IPVS and packet filters. It is read less often
/// than links are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Traces {
    ipvs_services: Option<usize>,
    nft: BTreeMap<(String, String), Vec<String>>,
    legacy_tables: Vec<String>,
    unread: Vec<String>,
}

/// A word on each thing that could not be read.
#[derive(Default)]
struct Unread(Vec<String>);

/// Links, addresses, sysctls and default routes as they are now, together with the traces read earlier.
pub(crate) fn look(host: &dyn Host, traces: &Traces) -> KernelSeen {
    let mut unread = Unread::default();
    let links = unread.or_default(host.links());
    let addresses = unread.or_default(host.addresses());
    let all = both(host, Sysctl::all);
    let name_of = |index: u32| {
        let link = links.iter().find(|link| link.index == index);
        link.map(|link| link.name.to_string())
    };
    let mut routes = unread.or_default(host.default_routes(IpFamily::V4));
    routes.extend(unread.or_default(host.default_routes(IpFamily::V6)));
    let mut default_routes: Vec<String> = Vec::new();
    for name in routes.iter().filter_map(|route| name_of(route.link)) {
        if !default_routes.contains(&name) {
            default_routes.push(name);
        }
    }
    let links = links.iter().map(|link| {
        let controller = link.controller.and_then(name_of);
        let seen = LinkSeen {
            gateways: gateways(link, &routes),
            ..link_seen(host, link, controller, &addresses, &all)
        };
        (link.name.to_string(), seen)
    });
    KernelSeen {
        links: links.collect(),
        default_routes,
        ipvs_services: traces.ipvs_services,
        nft: traces.nft.clone(),
        legacy_tables: traces.legacy_tables.clone(),
        unread: [unread.0, traces.unread.clone()].concat(),
    }
}

/// What the proxies that run, and those that once did, left in IPVS and the packet filters.
pub(crate) fn traces(host: &dyn Host) -> Traces {
    let mut unread = Unread::default();
    let services = unread.facility(host.ipvs_services());
    let mut nft: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for table in unread.facility(host.nft_tables()).unwrap_or_default() {
        nft.entry((table.family.to_string(), table.name))
            .or_default();
    }
    for chain in unread.facility(host.nft_chains()).unwrap_or_default() {
        let table = (chain.table.family.to_string(), chain.table.name);
        let names = nft.entry(table).or_default();
        if names
            .last()
            .is_none_or(|last| stem(last).is_none() || stem(last) != stem(&chain.name))
        {
            names.push(chain.name);
        }
    }
    let mut legacy_tables = Vec::new();
    for family in [IpFamily::V4, IpFamily::V6] {
        for name in unread
            .facility(host.legacy_tables(family))
            .unwrap_or_default()
        {
            if !legacy_tables.contains(&name) {
                legacy_tables.push(name);
            }
        }
    }
    Traces {
        ipvs_services: services.map(|services| services.len()),
        nft,
        legacy_tables,
        unread: unread.0,
    }
}

/// What the names of the chains that kube-proxy makes for each Service or endpoint begin with: one of each tells as much
/// as thousands. Chains are listed by name, so those of a stem follow each other.
fn stem(chain: &str) -> Option<&'static str> {
    const STEMS: [&str; 9] = [
        "KUBE-SVC-",
        "KUBE-SVL-",
        "KUBE-SEP-",
        "KUBE-EXT-",
        "KUBE-FW-",
        "endpoint-",
        "external-",
        "firewall-",
        "service-",
    ];
    STEMS.into_iter().find(|stem| chain.starts_with(stem))
}

fn link_seen(
    host: &dyn Host,
    link: &Link,
    controller: Option<String>,
    addresses: &[Address],
    all: &Result<(i32, i32), SysctlError>,
) -> LinkSeen {
    let own = both(host, |setting| Sysctl::of(&link.name, setting));
    let arp = match (all, own) {
        (Ok(all), Ok(own)) => Ok(ArpSeen { all: *all, own }),
        (Err(error), _) => Err(error.to_string()),
        (_, Err(error)) => Err(error.to_string()),
    };
    LinkSeen {
        kind: link.kind.clone(),
        mac: link.mac.map(|mac| mac.to_string()),
        up: link.up,
        loopback: link.loopback,
        no_arp: link.no_arp,
        controller,
        addresses: addresses
            .iter()
            .filter(|address| address.link == link.index)
            .map(|address| (address.ip, address.prefix))
            .collect(),
        gateways: Vec::new(),
        arp,
    }
}

/// The routers behind a link, each once.
fn gateways(link: &Link, routes: &[DefaultRoute]) -> Vec<IpAddr> {
    let here = routes.iter().filter(|route| route.link == link.index);
    let gateways: BTreeSet<IpAddr> = here.filter_map(|route| route.gateway).collect();
    gateways.into_iter().collect()
}

fn both(host: &dyn Host, of: impl Fn(ArpSetting) -> Sysctl) -> Result<(i32, i32), SysctlError> {
    let ignore = host.read_sysctl(&of(ArpSetting::Ignore))?;
    let announce = host.read_sysctl(&of(ArpSetting::Announce))?;
    Ok((ignore, announce))
}

/// The sysctl that the decisions call by interface and setting; `None` if no interface can have that name.
pub(crate) fn sysctl(interface: &str, setting: mooring_core::node::ArpSetting) -> Option<Sysctl> {
    let setting = match setting {
        mooring_core::node::ArpSetting::Ignore => ArpSetting::Ignore,
        mooring_core::node::ArpSetting::Announce => ArpSetting::Announce,
    };
    let name = InterfaceName::new(interface).ok()?;
    Some(Sysctl::of(&name, setting))
}

// === impl Unread ===

impl Unread {
    fn or_default<T: Default>(&mut self, read: Result<T, ReadError>) -> T {
        read.unwrap_or_else(|error| {
            self.0.push(error.to_string());
            T::default()
        })
    }

    fn facility<T>(&mut self, read: Result<Facility<T>, ReadError>) -> Option<T> {
        match read {
            Ok(Facility::Present(value)) => Some(value),
            Ok(Facility::Absent) => None,
            Err(error) => {
                self.0.push(error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
