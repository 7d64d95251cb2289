use std::collections::{BTreeMap, BTreeSet};

use crate::{ArpSetting, Conf, Host, InterfaceName, Sysctl, SysctlError, Written};

/// A kernel in memory, for tests of whoever uses a [`Host`]. It starts as a fresh network namespace does, with nothing but
/// `lo`, and is changed by calls named after what an administrator would do.
#[derive(Clone, Debug)]
pub struct FakeHost {
    links: BTreeSet<InterfaceName>,
    sysctls: BTreeMap<Sysctl, i32>,
    read_only: bool,
}

// === impl FakeHost ===

impl FakeHost {
    /// A fresh network namespace: `lo`, every sysctl 0.
    #[must_use]
    pub fn new() -> Self {
        let lo = InterfaceName::new("lo").expect("invariant: lo is a name");
        Self {
            links: BTreeSet::from([lo]),
            sysctls: BTreeMap::new(),
            read_only: false,
        }
    }

    /// Adds an interface, whose sysctls are 0.
    pub fn add_link(&mut self, name: InterfaceName) {
        self.links.insert(name);
    }

    /// Removes an interface and its sysctls.
    pub fn remove_link(&mut self, name: &InterfaceName) {
        self.links.remove(name);
        for setting in ArpSetting::BOTH {
            self.sysctls.remove(&Sysctl::of(name, setting));
        }
    }

    /// Mounts `/proc/sys` read-only, or writable again.
    pub fn set_sysctls_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for FakeHost {
    fn read_sysctl(&self, sysctl: &Sysctl) -> Result<i32, SysctlError> {
        match &sysctl.conf {
            Conf::Interface(name) if !self.links.contains(name) => Err(SysctlError::NotFound {
                sysctl: sysctl.clone(),
            }),
            _ => Ok(self.sysctls.get(sysctl).copied().unwrap_or(0)),
        }
    }

    fn write_sysctl(&mut self, sysctl: &Sysctl, value: i32) -> Result<Written, SysctlError> {
        let from = self.read_sysctl(sysctl)?;
        if from == value {
            return Ok(Written::Unchanged);
        }
        if self.read_only {
            return Err(SysctlError::ReadOnly {
                sysctl: sysctl.clone(),
            });
        }
        self.sysctls.insert(sysctl.clone(), value);
        Ok(Written::Changed { from })
    }
}
