use std::fmt;

use crate::InterfaceName;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it, never used twice while a namespace lives.
    pub index: u32,
    /// Its name, which may change.
    pub name: InterfaceName,
    /// The Ethernet address; none on tunnels and on loopback, which shows zeros.
    pub mac: Option<MacAddress>,
    /// The driver's word where it has one: `dummy`, `veth`, `bridge`, `ifb`; none for hardware and loopback.
    pub kind: Option<String>,
    /// Administratively up.
    pub up: bool,
    /// Up, and so is what is underneath (`LOWER_UP`).
    pub carrier: bool,
    /// The loopback (`IFF_LOOPBACK`).
    pub loopback: bool,
    /// It takes no part in ARP (`IFF_NOARP`), as `dummy` links and tunnels do not.
    pub no_arp: bool,
    /// The index of the bridge, bond or VRF that it is a port of.
    pub controller: Option<u32>,
    /// The index of the link that it is built on, as a VLAN is; none where that is in another network namespace.
    pub parent: Option<u32>,
    /// The index of the port that a bond sends by, in the modes where it sends by one at a time.
    pub active_port: Option<u32>,
    /// How often the carrier came or went since the link was made (`carrier_changes`,
    /// Documentation/ABI/testing/sysfs-class-net).
    pub carrier_changes: u32,
    /// In bytes.
    pub mtu: u32,
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
