use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::OsError;

/// What was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The links.
    Links,
    /// The addresses of the links.
    Addresses,
    /// The services of IPVS.
    IpvsServices,
    /// The destinations of one service of IPVS.
    IpvsDestinations,
    /// The routes.
    Routes,
    /// The tables of nftables.
    NftTables,
    /// The chains of nftables.
    NftChains,
    /// What kube-proxy programmed in mode `nftables`.
    NftablesTargets,
    /// What kube-proxy programmed in mode `iptables`.
    IptablesTargets,
    /// What kube-proxy put into its sets of ipset in mode `ipvs`.
    IpsetTargets,
    /// The tables of legacy iptables.
    LegacyTables,
    /// What changes.
    Changes,
}

/// Why a reading of the kernel came to nothing. None of these says that there was nothing to read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// No socket, or it failed.
    #[error("reading {reading}: the netlink socket failed: {error}")]
    Socket {
        /// What was being read.
        reading: Reading,
        /// What the system said.
        error: OsError,
    },
    /// A file of procfs could not be read.
    #[error("reading {reading}: the file in /proc cannot be read: {error}")]
    File {
        /// What was being read.
        reading: Reading,
        /// What the system said.
        error: OsError,
    },
    /// The kernel understood and said no.
    #[error("reading {reading}: the kernel refuses: {error}")]
    Refused {
        /// What was being read.
        reading: Reading,
        /// What the kernel said.
        error: OsError,
    },
    /// The kernel did not answer; it normally does within milliseconds.
    #[error("reading {reading}: no answer from the kernel within {within:?}")]
    TimedOut {
        /// What was being read.
        reading: Reading,
        /// How long it was waited for.
        within: Duration,
    },
    /// Each list the kernel gave had changed while it was given, so that none can be trusted.
    #[error(
        "reading {reading}: it changed during each of {attempts} readings; try again when the node is calmer"
    )]
    Unsettled {
        /// What was being read.
        reading: Reading,
        /// How often it was tried.
        attempts: u8,
    },
    /// An answer that is not understood.
    #[error("reading {reading}: the kernel's answer is not understood: {detail}")]
    Malformed {
        /// What was being read.
        reading: Reading,
        /// What is wrong with it.
        detail: String,
    },
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::IpvsServices => "IPVS services",
            Self::IpvsDestinations => "IPVS destinations",
            Self::Routes => "routes",
            Self::NftTables => "tables of nftables",
            Self::NftChains => "chains of nftables",
            Self::NftablesTargets => "kube-proxy's map service-ips of nftables",
            Self::IptablesTargets => "kube-proxy's chain KUBE-SERVICES of iptables",
            Self::IpsetTargets => "kube-proxy's set KUBE-LOAD-BALANCER of ipset",
            Self::LegacyTables => "tables of legacy iptables",
            Self::Changes => "changes of links, addresses and routes",
        })
    }
}
