use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use crate::OsError;

/// What was being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// An address, onto a link.
    Put {
        /// The index of the link.
        link: u32,
        /// The address.
        ip: IpAddr,
        /// The length of its prefix, in bits.
        prefix: u8,
    },
    /// An address, off its link.
    Remove {
        /// The index of the link.
        link: u32,
        /// The address.
        ip: IpAddr,
        /// The length of its prefix, in bits.
        prefix: u8,
    },
    /// The filter of ports.
    PortFilter,
    /// Where packets go on to.
    Onward,
    /// What the kernel answers for this process.
    Responder,
}

/// Why a write did not come about. Only after [`WriteError::TimedOut`], [`WriteError::Malformed`] and
/// [`WriteError::Socket`] can it have come about all the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// No socket, or it failed.
    #[error("{writing}: the netlink socket failed: {error}")]
    Socket {
        /// What was being written.
        writing: Writing,
        /// What the system said.
        error: OsError,
    },
    /// There is no link of that index.
    #[error("{writing}: there is no such link")]
    NoLink {
        /// What was being written.
        writing: Writing,
    },
    /// The kernel does not let this process.
    #[error(
        "{writing}: permission denied; it takes CAP_NET_ADMIN in the user namespace that owns the network"
    )]
    Denied {
        /// What was being written.
        writing: Writing,
    },
    /// The kernel understood and said no.
    #[error("{writing}: the kernel refuses: {error}")]
    Refused {
        /// What was being written.
        writing: Writing,
        /// What the kernel said.
        error: OsError,
    },
    /// The kernel did not answer; it normally does within milliseconds.
    #[error("{writing}: no answer from the kernel within {within:?}")]
    TimedOut {
        /// What was being written.
        writing: Writing,
        /// How long it was waited for.
        within: Duration,
    },
    /// An answer that is not understood.
    #[error("{writing}: the kernel's answer is not understood: {detail}")]
    Malformed {
        /// What was being written.
        writing: Writing,
        /// What is wrong with it.
        detail: String,
    },
}

// === impl WriteError ===

impl WriteError {
    /// What the kernel's no means.
    pub(crate) fn refused(writing: Writing, error: OsError) -> Self {
        const EPERM: i32 = 1;
        const ENODEV: i32 = 19;
        match error.raw() {
            EPERM => Self::Denied { writing },
            ENODEV => Self::NoLink { writing },
            _ => Self::Refused { writing, error },
        }
    }
}

// === impl Writing ===

impl fmt::Display for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { link, ip, prefix } => write!(f, "putting {ip}/{prefix} on link {link}"),
            Self::Remove { link, ip, prefix } => {
                write!(f, "removing {ip}/{prefix} from link {link}")
            }
            Self::PortFilter => f.write_str("replacing the table inet mooring of nftables"),
            Self::Onward => f.write_str("replacing the tables ip and ip6 mooring of nftables"),
            Self::Responder => {
                f.write_str("replacing or renewing the table netdev mooring of nftables")
            }
        }
    }
}

#[cfg(test)]
mod tests;
