//! The two ARP sysctls that decide who answers for an address, and what their values do.

use std::fmt;

use crate::proxy_mode::ArpSeen;

/// One of the two sysctls that kube-proxy's `strictARP` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArpSetting {
    /// `arp_ignore`: for which of its addresses the kernel answers.
    Ignore,
    /// `arp_announce`: which of its addresses the kernel names when it asks.
    Announce,
}

impl ArpSetting {
    /// Both, in the order in which kube-proxy sets them.
    pub const BOTH: [Self; 2] = [Self::Ignore, Self::Announce];

    /// As in `/proc/sys`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "arp_ignore",
            Self::Announce => "arp_announce",
        }
    }

    /// What `strictARP` sets it to, and what a node in mode ipvs needs at least.
    pub fn needed(self) -> i32 {
        match self {
            Self::Ignore => 1,
            Self::Announce => 2,
        }
    }

    /// The whole name for an interface, or for `all`: dots between the parts, slashes for the dots in the interface's
    /// name, as sysctl(8) has it.
    pub fn name(self, interface: &str) -> String {
        format!("net.ipv4.conf.{}.{self}", interface.replace('.', "/"))
    }

    /// The interface and the setting of a whole name.
    pub fn of_name(name: &str) -> Option<(String, Self)> {
        let rest = name.strip_prefix("net.ipv4.conf.")?;
        Self::BOTH.into_iter().find_map(|setting| {
            let interface = rest.strip_suffix(setting.as_str())?.strip_suffix('.')?;
            (!interface.is_empty()).then(|| (interface.replace('/', "."), setting))
        })
    }

    /// The interface's own value.
    pub(crate) fn own(self, seen: &ArpSeen) -> i32 {
        match self {
            Self::Ignore => seen.own.0,
            Self::Announce => seen.own.1,
        }
    }

    /// The value of `all`.
    pub(crate) fn all(self, seen: &ArpSeen) -> i32 {
        match self {
            Self::Ignore => seen.all.0,
            Self::Announce => seen.all.1,
        }
    }

    /// The value that counts.
    pub(crate) fn effective(self, seen: &ArpSeen) -> i32 {
        self.own(seen).max(self.all(seen))
    }
}

impl fmt::Display for ArpSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// With this effective `arp_ignore` an interface does not answer for addresses of other interfaces. 3 leaves out those of
/// scope host alone, and the kernel takes 4 to 7, which are reserved, for 0 (`arp_ignore` in net/ipv4/arp.c).
pub(crate) fn is_quiet(arp_ignore: i32) -> bool {
    matches!(arp_ignore, 1 | 2 | 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_1_and_2_and_8_are_quiet() {
        let quiet: Vec<i32> = (-1..10).filter(|value| is_quiet(*value)).collect();
        assert_eq!(quiet, [1, 2, 8]);
    }

    #[test]
    fn dots_of_an_interface_are_slashes_in_the_name() {
        let name = ArpSetting::Announce.name("eth0.100");
        assert_eq!(name, "net.ipv4.conf.eth0/100.arp_announce");
        assert_eq!(
            ArpSetting::of_name(&name),
            Some(("eth0.100".to_owned(), ArpSetting::Announce))
        );
        assert_eq!(ArpSetting::of_name("net.ipv4.conf.arp_ignore"), None);
        assert_eq!(ArpSetting::of_name("net.ipv4.ip_forward"), None);
    }

    proptest! {
        #[test]
        fn a_name_reads_back(interface in "[a-z0-9._@-]{1,15}") {
            for setting in ArpSetting::BOTH {
                prop_assert_eq!(
                    ArpSetting::of_name(&setting.name(&interface)),
                    Some((interface.clone(), setting))
                );
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = ArpSetting::of_name(&text);
        }
    }
}
