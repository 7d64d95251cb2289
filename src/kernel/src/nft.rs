use std::fmt;

/// A table of nftables: one of kube-proxy's own in mode `nftables`, or those that iptables-nft keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NftTable {
    /// What traffic its chains can see.
    pub family: NftFamily,
    /// Its name, unique within the family.
    pub name: String,
}

/// A chain of nftables. The tables of iptables-nft have those of iptables, under the same names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NftChain {
    /// The table that it is in.
    pub table: NftTable,
    /// Its name, unique within the table.
    pub name: String,
}

/// `NFPROTO_*` of linux/netfilter.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NftFamily {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// ARP.
    Arp,
    /// One device, before anything else.
    Netdev,
    /// Bridges.
    Bridge,
    /// IPv6.
    Ip6,
    /// A number without a name.
    Other(u8),
}

// === impl NftFamily ===

impl From<u8> for NftFamily {
    fn from(family: u8) -> Self {
        match family {
            1 => Self::Inet,
            2 => Self::Ip,
            3 => Self::Arp,
            5 => Self::Netdev,
            7 => Self::Bridge,
            10 => Self::Ip6,
            other => Self::Other(other),
        }
    }
}

impl NftFamily {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Arp => 3,
            Self::Netdev => 5,
            Self::Bridge => 7,
            Self::Ip6 => 10,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for NftFamily {
    /// The word nft(8) uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet => f.write_str("inet"),
            Self::Ip => f.write_str("ip"),
            Self::Arp => f.write_str("arp"),
            Self::Netdev => f.write_str("netdev"),
            Self::Bridge => f.write_str("bridge"),
            Self::Ip6 => f.write_str("ip6"),
            Self::Other(number) => write!(f, "family {number}"),
        }
    }
}

// === impl NftTable ===

impl fmt::Display for NftTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}
