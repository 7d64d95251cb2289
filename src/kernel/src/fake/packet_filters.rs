//! nftables and legacy iptables, and what stands in them.

use super::{FakeHost, table_of};
use crate::{IpFamily, NftChain, NftTable, Onward, PortFilter, Responder, ServiceTarget};

// === impl FakeHost ===

impl FakeHost {
    /// Adds a table of nftables; brings nftables back if it was taken away.
    pub fn add_nft_table(&mut self, table: NftTable) {
        self.nft.get_or_insert_default().entry(table).or_default();
    }

    /// Adds a chain of nftables, and its table if that is not there.
    pub fn add_nft_chain(&mut self, chain: NftChain) {
        let tables = self.nft.get_or_insert_default();
        tables.entry(chain.table).or_default().insert(chain.name);
    }

    /// Makes this a kernel without nftables, as some are built.
    pub fn take_nft_away(&mut self) {
        self.nft = None;
        self.by_nftables.clear();
        self.by_iptables.clear();
        self.port_filter = PortFilter::default();
        self.onward = Onward::default();
    }

    /// Makes the nftables of this kernel one without `reject`.
    pub fn take_nft_reject_away(&mut self) {
        self.rejects = false;
    }

    /// What [`crate::Host::set_port_filter`] set last, as far as the kernel could; no address if there is no table.
    #[must_use]
    pub fn port_filter(&self) -> &PortFilter {
        &self.port_filter
    }

    /// What [`crate::Host::set_responder`] set last, and how often it was renewed since anything but its addresses was
    /// set; no link if there is no table.
    #[must_use]
    pub fn responder(&self) -> (&Responder, u32) {
        (&self.responder, self.renewals)
    }

    /// Adds a port of a Service as kube-proxy does in mode `nftables`, with its table if that is not there.
    pub fn add_nftables_target(&mut self, target: ServiceTarget) {
        self.add_nft_table(table_of(target.family(), "kube-proxy"));
        self.by_nftables.insert(target);
    }

    /// Takes a port of a Service out of kube-proxy's map.
    pub fn remove_nftables_target(&mut self, target: &ServiceTarget) {
        self.by_nftables.remove(target);
    }

    /// Adds a port of a Service as kube-proxy does in mode `iptables` by iptables-nft, with its chain if that is not
    /// there.
    pub fn add_iptables_target(&mut self, target: ServiceTarget) {
        self.add_nft_chain(NftChain {
            table: table_of(target.family(), "nat"),
            name: "KUBE-SERVICES".to_owned(),
        });
        self.by_iptables.insert(target);
    }

    /// Adds a port of a Service as kube-proxy does in mode `iptables` by legacy iptables, with its table.
    pub fn add_legacy_target(&mut self, target: ServiceTarget) {
        self.add_legacy_table(target.family(), "nat");
        self.by_legacy.insert(target);
    }

    /// Takes the rule for a port of a Service out of kube-proxy's chain.
    pub fn remove_iptables_target(&mut self, target: &ServiceTarget) {
        self.by_iptables.remove(target);
    }

    /// Adds a table of legacy iptables; brings it back if it was taken away.
    pub fn add_legacy_table(&mut self, family: IpFamily, name: &str) {
        let tables = self.legacy.entry(family).or_default();
        tables.insert(name.to_owned());
    }

    /// Makes this a kernel without legacy iptables, as newer ones are.
    pub fn take_legacy_tables_away(&mut self) {
        self.legacy.clear();
        self.by_legacy.clear();
    }
}
