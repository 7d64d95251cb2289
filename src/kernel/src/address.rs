use std::net::IpAddr;
use std::time::Duration;

/// An address on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The index of the link.
    pub link: u32,
    /// The address itself, not the peer's.
    pub ip: IpAddr,
    /// The length of the prefix, in bits.
    pub prefix: u8,
    /// How far it reaches.
    pub scope: AddressScope,
    /// What state it is in.
    pub flags: AddressFlags,
    /// How long it will be there.
    pub valid: Lifetime,
    /// How long it may be chosen as a source.
    pub preferred: Lifetime,
}

/// How far an address reaches (`rtm_scope`, linux/rtnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressScope {
    /// Everywhere.
    Global,
    /// Within the site, IPv6 only.
    Site,
    /// On its link.
    Link,
    /// Within this host; not answered for under `arp_ignore` 3.
    Host,
    /// A number without a name.
    Other(u8),
}

/// How long something of an address lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifetime {
    /// Whole seconds from when it was read.
    For(Duration),
    /// Without end.
    Forever,
}

/// `IFA_F_*` of linux/if_addr.h, also those that have no name here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressFlags(u32);

// === impl Address ===

impl Address {
    /// Where it stands in a list: by link, IPv4 before IPv6, then by number.
    pub(crate) fn place(&self) -> (u32, IpAddr, u8) {
        (self.link, self.ip, self.prefix)
    }
}

// === impl AddressScope ===

impl From<u8> for AddressScope {
    fn from(scope: u8) -> Self {
        match scope {
            0 => Self::Global,
            200 => Self::Site,
            253 => Self::Link,
            254 => Self::Host,
            other => Self::Other(other),
        }
    }
}

// === impl AddressFlags ===

impl AddressFlags {
    /// IPv4: another address of the same subnet came first, and takes this one with it when it goes. IPv6 uses the same
    /// bit for temporary addresses.
    pub const SECONDARY: Self = Self(0x01);
    /// Added without duplicate address detection.
    pub const NO_DAD: Self = Self(0x02);
    /// Duplicate address detection found another holder; the kernel does not use the address.
    pub const DAD_FAILED: Self = Self(0x08);
    /// Its preferred lifetime is over.
    pub const DEPRECATED: Self = Self(0x20);
    /// Duplicate address detection is not over; the kernel does not answer for the address yet.
    pub const TENTATIVE: Self = Self(0x40);
    /// Its lifetime has no end.
    pub const PERMANENT: Self = Self(0x80);
    /// Added without a route for its prefix.
    pub const NO_PREFIX_ROUTE: Self = Self(0x200);

    /// From the kernel's bits.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The kernel's bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl std::ops::BitOr for AddressFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

// === impl Lifetime ===

impl Lifetime {
    /// From the kernel's seconds, where all ones mean for ever (`INFINITY_LIFE_TIME`, net/addrconf.h).
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Self {
        match seconds {
            u32::MAX => Self::Forever,
            seconds => Self::For(Duration::from_secs(seconds.into())),
        }
    }
    /// As the kernel counts: part of a second is a whole one, and what would read as for ever is a second less.
    pub(crate) fn seconds(self) -> u32 {
        match self {
            Self::Forever => u32::MAX,
            Self::For(time) => {
                let whole = time
                    .as_secs()
                    .saturating_add(u64::from(time.subsec_nanos() > 0));
                u32::try_from(whole).map_or(u32::MAX - 1, |seconds| seconds.min(u32::MAX - 1))
            }
        }
    }
}

#[cfg(test)]
mod tests;
