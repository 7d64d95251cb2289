//! The modes of kube-proxy, and what else can handle Services in its place.

use std::fmt;
use std::str::FromStr;

pub mod antrea;
pub mod endpoints;
mod live;
mod observed;

pub use live::LiveMode;
pub use observed::{Answer, ArpSeen, Endpoints, KernelSeen, LinkSeen, Observed};

/// How kube-proxy handles Service traffic on a node, spelt as in its configuration (`mode`) and as its `/proxyMode`
/// endpoint answers. An unset mode is `Option::None`: which one kube-proxy then takes depends on its version
/// (iptables up to 1.39, nftables from 1.40).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProxyMode {
    /// Rules in the classic tables; the default up to Kubernetes 1.39.
    Iptables,
    /// Virtual services in the kernel's IPVS; the only mode in which `ipvs.strictARP` means anything.
    Ipvs,
    /// Tables `kube-proxy` of families ip and ip6.
    Nftables,
    /// The one mode of Windows nodes.
    Kernelspace,
}

impl ProxyMode {
    /// All modes.
    pub const ALL: [Self; 4] = [
        Self::Iptables,
        Self::Ipvs,
        Self::Nftables,
        Self::Kernelspace,
    ];

    /// The mode as kube-proxy spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Ipvs => "ipvs",
            Self::Nftables => "nftables",
            Self::Kernelspace => "kernelspace",
        }
    }
}

impl fmt::Display for ProxyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no mode of kube-proxy's. Modes are case-sensitive: kube-proxy does not start with `IPVS`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a mode of kube-proxy (they are iptables, ipvs, nftables and kernelspace, in lower case)"
)]
pub struct UnknownMode(pub String);

impl FromStr for ProxyMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_reads_back_as_it_prints() {
        for mode in ProxyMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }

    #[test]
    fn modes_are_case_sensitive() {
        assert!("IPVS".parse::<ProxyMode>().is_err());
    }
}
