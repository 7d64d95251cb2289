//! The two ARP settings of IPv4 that decide who answers for an address (kernel, Documentation/networking/ip-sysctl.rst).

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::{InterfaceName, OsError};

/// One of the settings that kube-proxy's `strictARP` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArpSetting {
    /// `arp_ignore`: for which local addresses the kernel answers. 0 any, 1 only those of the interface asked, 2 those
    /// whose subnet covers the sender too, 3 not those of scope host, 8 none.
    Ignore,
    /// `arp_announce`: which address the kernel names as the sender of its own requests. 0 any, 1 rather one of the
    /// target's subnet, 2 always the best one.
    Announce,
}

/// Whose setting: the directory under `net/ipv4/conf`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conf {
    /// `all`: holds for every interface by way of the maximum.
    All,
    /// One interface.
    Interface(InterfaceName),
}

/// One value under `net/ipv4/conf`. It prints with slashes, which sysctl(8) understands too: with dots the name of an
/// interface such as `eth0.100` could not be told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sysctl {
    /// Whose.
    pub conf: Conf,
    /// Which.
    pub setting: ArpSetting,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The value stood there already; nothing was written.
    Unchanged,
    /// The value was written.
    Changed {
        /// What stood there before, for whoever has to put it back.
        from: i32,
    },
}

/// What an interface goes by: the kernel takes the maximum of `all` and the interface's own value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveArp {
    /// `net/ipv4/conf/all`.
    pub all: i32,
    /// The interface's own value.
    pub interface: i32,
}

/// Why a sysctl could not be read or written. Every variant names it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SysctlError {
    /// No such file, nor the interface's directory.
    #[error("{sysctl} does not exist: there is no such interface, or IPv4 is off on it")]
    NotFound {
        /// Which one.
        sysctl: Sysctl,
    },
    /// The file system is mounted read-only, as in a container that is not privileged.
    #[error(
        "{sysctl} cannot be written, as /proc/sys is mounted read-only: run privileged, or mount the host's /proc/sys"
    )]
    ReadOnly {
        /// Which one.
        sysctl: Sysctl,
    },
    /// The kernel does not let this process.
    #[error(
        "{sysctl}: permission denied; it takes root of the user namespace that owns the network"
    )]
    Denied {
        /// Which one.
        sysctl: Sysctl,
    },
    /// What stands there is not a number.
    #[error("{sysctl} holds \"{text}\", which is not a number")]
    NotANumber {
        /// Which one.
        sysctl: Sysctl,
        /// What was read.
        text: String,
    },
    /// Anything else.
    #[error("{sysctl}: {error}")]
    Other {
        /// Which one.
        sysctl: Sysctl,
        /// What the kernel said.
        error: OsError,
    },
}

// === impl ArpSetting ===

impl ArpSetting {
    /// Both, in the order in which kube-proxy writes them.
    pub const BOTH: [Self; 2] = [Self::Ignore, Self::Announce];

    /// The name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Ignore => "arp_ignore",
            Self::Announce => "arp_announce",
        }
    }
}

impl fmt::Display for ArpSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

// === impl Sysctl ===

impl Sysctl {
    /// The value that holds for every interface.
    #[must_use]
    pub fn all(setting: ArpSetting) -> Self {
        let conf = Conf::All;
        Self { conf, setting }
    }

    /// The interface's own value.
    #[must_use]
    pub fn of(interface: &InterfaceName, setting: ArpSetting) -> Self {
        let conf = Conf::Interface(interface.clone());
        Self { conf, setting }
    }

    /// Where it lies below `/proc/sys`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let conf = match &self.conf {
            Conf::All => "all".as_ref(),
            Conf::Interface(name) => name.as_os_str(),
        };
        let mut path = PathBuf::from("net/ipv4/conf");
        path.push(conf);
        path.push(self.setting.file_name());
        path
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

// === impl EffectiveArp ===

impl EffectiveArp {
    /// The value that counts.
    #[must_use]
    pub fn value(self) -> i32 {
        self.all.max(self.interface)
    }
}

#[cfg(test)]
mod tests;
