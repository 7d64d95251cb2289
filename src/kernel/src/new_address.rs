use std::net::IpAddr;

use crate::{AddressFlags, Lifetime};

/// An address to be put on a link, of scope global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// The index of the link.
    pub link: u32,
    /// The address.
    pub ip: IpAddr,
    /// The length of the prefix, in bits: 32 or 128 for an address without a subnet.
    pub prefix: u8,
    /// What can be asked for: [`AddressFlags::NO_DAD`] and [`AddressFlags::NO_PREFIX_ROUTE`]. The kernel sets by itself
    /// what follows from the lifetimes.
    pub flags: AddressFlags,
    /// After which time the kernel removes it unless it is put again; part of a second counts as a whole one. 0 is not
    /// taken.
    pub valid: Lifetime,
    /// For how long it may be chosen as a source, at most as long as it is valid. With 0 it is
    /// [`AddressFlags::DEPRECATED`] at once: it answers, and nobody uses it for connections of his own.
    pub preferred: Lifetime,
}

/// What putting an address did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was not there before.
    Added,
    /// It was there; its lifetimes run anew.
    Renewed,
}

/// What removing an address did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone now.
    Removed,
    /// It was gone already, or its link was.
    WasNotThere,
}
