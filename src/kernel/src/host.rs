use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::{
    Address, ArpSetting, DefaultRoute, EffectiveArp, Facility, Filtered, HostRoute, InterfaceName,
    IpFamily, IpvsDestination, IpvsMatch, IpvsService, Link, NewAddress, NftChain, NftTable,
    Onward, PortFilter, Put, ReadError, Removed, Responder, ServiceTarget, Sysctl, SysctlError,
    WriteError, Written,
};

/// What a node's kernel can be asked, and the few things it can be told. Every call blocks, for milliseconds; whoever is async hands it to a thread.
pub trait Host {
    /// The value as it stands. The kernel takes any number here, also one it gives no meaning to.
    fn read_sysctl(&self, sysctl: &Sysctl) -> Result<i32, SysctlError>;

    /// Reads first and writes only a value that differs, so that a right value needs no right to write.
    fn write_sysctl(&mut self, sysctl: &Sysctl, value: i32) -> Result<Written, SysctlError>;

    /// What `interface` goes by: its own value and that of `all`, read in this order, so that an interface that is not
    /// there is what the error is about.
    fn effective_arp(
        &self,
        interface: &InterfaceName,
        setting: ArpSetting,
    ) -> Result<EffectiveArp, SysctlError> {
        let interface = self.read_sysctl(&Sysctl::of(interface, setting))?;
        let all = self.read_sysctl(&Sysctl::all(setting))?;
        Ok(EffectiveArp { all, interface })
    }

    /// Every link, by index.
    fn links(&self) -> Result<Vec<Link>, ReadError>;

    /// Every address of every link: by link, IPv4 before IPv6, then by number.
    fn addresses(&self) -> Result<Vec<Address>, ReadError>;

    /// Has an address be on a link as `address` says: adds it, or gives the one that is there the lifetimes anew. Telling
    /// the two apart takes a question more for one that is there: it is first added only if it is not, then replaced.
    ///
    /// What is there already is the same address by the kernel's rules: with IPv4 that of the same prefix, with IPv6 one of
    /// any prefix, which keeps it. A replaced IPv4 address keeps the flags it was added with; a replaced IPv6 address takes
    /// the new ones, but it is not freed of a duplicate address detection that found another holder.
    ///
    /// Lifetimes that the kernel does not take (0 for the valid one, or a preferred one that is longer) and a prefix too
    /// long for the family are [`WriteError::Refused`] with EINVAL.
    fn put_address(&mut self, address: &NewAddress) -> Result<Put, WriteError>;

    /// Has an address not be on a link, which is also so if the link is not there. An IPv4 address takes those of its
    /// subnet with it that came after it, unless `promote_secondaries` is set; a /32 has none.
    fn remove_address(&mut self, link: u32, ip: IpAddr, prefix: u8) -> Result<Removed, WriteError>;

    /// Has exactly the ports that `wanted` names be open on its addresses, in place of what was set before: the table
    /// `inet mooring` of nftables is replaced in one transaction, and with no address it goes. Nothing else is touched. It
    /// stays when the process ends, and goes with its network namespace.
    ///
    /// For an address not to be open for a moment, it is set before the address is put, and reset after it is removed.
    ///
    /// [`Facility::Absent`] is a kernel whose nftables lacks what it takes, or that has none: nothing is filtered then.
    fn set_port_filter(&mut self, wanted: &PortFilter) -> Result<Facility<Filtered>, WriteError>;

    /// Has packets go on as `wanted` says, in place of what was set before: the tables `ip mooring` and `ip6 mooring` of
    /// nftables are replaced, one after the other, and one without an address goes. Nothing else is touched. It outlives the
    /// process, and goes with its network namespace.
    ///
    /// [`Facility::Absent`] is a kernel whose nftables lacks what it takes, such as `dup`, or that has none.
    fn set_onward(&mut self, wanted: &Onward) -> Result<Facility<()>, WriteError>;

    /// Has the kernel answer ARP requests and Neighbor Solicitations exactly as `wanted` says, in place of what was set before,
    /// in one transaction: the table `netdev mooring` of nftables is replaced, or, if nothing but addresses differs from what
    /// this host has set last, changed. With no link it goes. Nothing else is touched.
    ///
    /// It answers nothing until it is [renewed](Self::renew_responder), and then for no longer than [`Responder::lasts`]. A
    /// change of addresses leaves that as it is. The table stays when the process ends, and is silent from then on.
    ///
    /// [`Facility::Absent`] is a kernel whose nftables lacks what it takes, or that has none. A link that is not there is
    /// [`WriteError::NoLink`].
    fn set_responder(&mut self, wanted: &Responder) -> Result<Facility<()>, WriteError>;

    /// Has the kernel go on to answer for another [`Responder::lasts`]. Where nothing was set, nothing happens.
    ///
    /// It takes a frame that is sent over the loopback, and no transaction: those of others in nftables would have to be
    /// tried again if one came between them and what they have read, and each waits for those of all others.
    fn renew_responder(&mut self) -> Result<(), WriteError>;

    /// The default routes of the main table, the preferred first: by metric, then by link. One with several next hops is
    /// there once for each link.
    fn default_routes(&self, family: IpFamily) -> Result<Vec<DefaultRoute>, ReadError>;

    /// The routes of the main table to single addresses, by address and link. One with several next hops is there once for
    /// each link.
    fn host_routes(&self, family: IpFamily) -> Result<Vec<HostRoute>, ReadError>;

    /// Every virtual service of IPVS, in the order of what they match.
    fn ipvs_services(&self) -> Result<Facility<Vec<IpvsService>>, ReadError>;

    /// The destinations of one virtual service, by address and port; none if there is no such service.
    fn ipvs_destinations(
        &self,
        service: &IpvsMatch,
    ) -> Result<Facility<Vec<IpvsDestination>>, ReadError>;

    /// Every table of nftables, by family and name. That the kernel loads nftables to answer cannot be helped.
    fn nft_tables(&self) -> Result<Facility<Vec<NftTable>>, ReadError>;

    /// Every chain of nftables, by table and name. There can be thousands: kube-proxy makes some for each Service.
    fn nft_chains(&self) -> Result<Facility<Vec<NftChain>>, ReadError>;

    /// The tables of legacy iptables that this network namespace uses, by name. Tables of iptables-nft are nftables'.
    fn legacy_tables(&self, family: IpFamily) -> Result<Facility<Vec<String>>, ReadError>;

    /// What kube-proxy takes for Services in mode `nftables`, in order: the keys of its map `service-ips`, ClusterIPs
    /// included. Without the table or the map that is nothing. A port whose Service has no endpoint is not there.
    fn nftables_targets(&self, family: IpFamily)
    -> Result<Facility<Vec<ServiceTarget>>, ReadError>;

    /// What kube-proxy takes for Services in mode `iptables`, in order: the rules of its chain KUBE-SERVICES that take
    /// all traffic to one port of one address to a chain of a Service, ClusterIPs included. Rules with other conditions
    /// are passed over, and a port whose Service has no endpoint is not there.
    ///
    /// Those of iptables-nft, and those of legacy iptables where its table `nat` is in use; reading these takes CAP_NET_ADMIN:
    /// without, [`ReadError::Refused`] with EPERM (`do_ipt_get_ctl`). [`Facility::Absent`] is a kernel without nftables where that
    /// table is not in use.
    fn iptables_targets(&self, family: IpFamily)
    -> Result<Facility<Vec<ServiceTarget>>, ReadError>;

    /// What of `wanted` kube-proxy knows for addresses of load balancers in mode `ipvs`, in order: the elements of its set
    /// `KUBE-LOAD-BALANCER` of ipset, or `KUBE-6-LOAD-BALANCER` with IPv6. Its rules masquerade traffic to these, without
    /// which the answers of endpoints on other nodes are lost, and `KUBE-IPVS-FILTER` refuses all else on the addresses of
    /// `kube-ipvs0`. It fills the set after it has made all its virtual services (`syncProxyRules` in
    /// pkg/proxy/ipvs/proxier.go).
    ///
    /// Each is asked for by itself, so that this takes a time that goes with `wanted` and not with the size of the set. What
    /// is of another family, or neither TCP, UDP nor SCTP, is not in it; where nothing is left to ask for, nothing is asked,
    /// and nothing is present. It takes CAP_NET_ADMIN: without, [`ReadError::Refused`] with EPERM (`nfnetlink_rcv`).
    ///
    /// [`Facility::Absent`] is a kernel without ipset, or one where that set is not. That the kernel loads ipset to answer
    /// cannot be helped.
    fn ipset_targets(
        &self,
        family: IpFamily,
        wanted: &BTreeSet<ServiceTarget>,
    ) -> Result<Facility<Vec<ServiceTarget>>, ReadError>;
}
