mod address;
mod address_write;
mod change;
mod conditions;
mod ip_set;
mod ipvs;
mod legacy;
mod link;
mod monitor;
mod netlink;
mod nft;
mod onward;
mod port_filter;
mod question;
mod responder;
mod route;
mod sysctl;
mod table;
mod targets;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

pub use monitor::{Monitor, News};
use responder::Teller;

use crate::{
    Address, DefaultRoute, Facility, Filtered, Host, HostRoute, IpFamily, IpvsDestination,
    IpvsMatch, IpvsService, Link, NewAddress, NftChain, NftTable, Onward, PortFilter, Put,
    ReadError, Removed, Responder, ServiceTarget, Sysctl, SysctlError, WriteError, Written,
};

/// The kernel this process runs on, in the network namespace of the calling thread. Only what answers stays with the one where
/// it was set first.
#[derive(Clone, Debug)]
pub struct LinuxHost {
    proc: PathBuf,
    teller: Teller,
}

// === impl LinuxHost ===

impl LinuxHost {
    /// Through `/proc`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_proc("/proc")
    }

    /// Through another mount of procfs: a container whose own `/proc/sys` is read-only can be given the host's. The
    /// network is still that of the calling thread, since procfs shows each reader its own.
    #[must_use]
    pub fn with_proc(proc: impl Into<PathBuf>) -> Self {
        Self {
            proc: proc.into(),
            teller: Teller::default(),
        }
    }
}

impl Default for LinuxHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for LinuxHost {
    fn read_sysctl(&self, sysctl: &Sysctl) -> Result<i32, SysctlError> {
        sysctl::read(&self.proc, sysctl)
    }

    fn write_sysctl(&mut self, sysctl: &Sysctl, value: i32) -> Result<Written, SysctlError> {
        sysctl::write(&self.proc, sysctl, value)
    }

    fn links(&self) -> Result<Vec<Link>, ReadError> {
        link::read()
    }

    fn addresses(&self) -> Result<Vec<Address>, ReadError> {
        address::read()
    }

    fn put_address(&mut self, address: &NewAddress) -> Result<Put, WriteError> {
        address_write::put(address)
    }

    fn remove_address(&mut self, link: u32, ip: IpAddr, prefix: u8) -> Result<Removed, WriteError> {
        address_write::remove(link, ip, prefix)
    }

    fn set_port_filter(&mut self, wanted: &PortFilter) -> Result<Facility<Filtered>, WriteError> {
        port_filter::set(wanted)
    }

    fn set_onward(&mut self, wanted: &Onward) -> Result<Facility<()>, WriteError> {
        onward::set(wanted)
    }

    fn set_responder(&mut self, wanted: &Responder) -> Result<Facility<()>, WriteError> {
        self.teller.set(wanted)
    }

    fn renew_responder(&mut self) -> Result<(), WriteError> {
        self.teller.renew()
    }

    fn default_routes(&self, family: IpFamily) -> Result<Vec<DefaultRoute>, ReadError> {
        route::defaults(family)
    }

    fn host_routes(&self, family: IpFamily) -> Result<Vec<HostRoute>, ReadError> {
        route::hosts(family)
    }

    fn ipvs_services(&self) -> Result<Facility<Vec<IpvsService>>, ReadError> {
        ipvs::services()
    }

    fn ipvs_destinations(
        &self,
        service: &IpvsMatch,
    ) -> Result<Facility<Vec<IpvsDestination>>, ReadError> {
        ipvs::destinations(service)
    }

    fn nft_tables(&self) -> Result<Facility<Vec<NftTable>>, ReadError> {
        nft::tables()
    }

    fn nft_chains(&self) -> Result<Facility<Vec<NftChain>>, ReadError> {
        nft::chains()
    }

    fn legacy_tables(&self, family: IpFamily) -> Result<Facility<Vec<String>>, ReadError> {
        legacy::tables(&self.proc, family)
    }

    fn nftables_targets(
        &self,
        family: IpFamily,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        targets::nftables(family)
    }

    fn iptables_targets(
        &self,
        family: IpFamily,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        targets::iptables(&self.proc, family)
    }

    fn ipset_targets(
        &self,
        family: IpFamily,
        wanted: &BTreeSet<ServiceTarget>,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError> {
        targets::ipset(family, wanted)
    }
}
