//! What the kernel makes of an address that is put or removed (net/ipv4/devinet.c, net/ipv6/addrconf.c).

use std::net::IpAddr;
use std::time::Duration;

use crate::{
    Address, AddressFlags, AddressScope, Lifetime, Link, NewAddress, OsError, Put, Removed,
};

const EINVAL: i32 = 22;
const DEPRECATED: AddressFlags = AddressFlags::DEPRECATED;
const PERMANENT: AddressFlags = AddressFlags::PERMANENT;

pub(super) fn put(
    addresses: &mut Vec<Address>,
    link: &Link,
    new: &NewAddress,
) -> Result<Put, OsError> {
    let longest = if new.ip.is_ipv4() { 32 } else { 128 };
    let valid = new.valid.seconds();
    if new.prefix > longest || valid == 0 || new.preferred.seconds() > valid {
        return Err(OsError::from_raw(EINVAL));
    }
    let asked = AddressFlags::NO_DAD | AddressFlags::NO_PREFIX_ROUTE;
    if let Some(there) = addresses.iter_mut().find(|there| is_same(there, new)) {
        there.flags = match new.ip {
            IpAddr::V4(_) => without(there.flags, PERMANENT | DEPRECATED),
            IpAddr::V6(_) => {
                without(there.flags, PERMANENT | DEPRECATED | asked) | and(new.flags, asked)
            }
        };
        last(there, new);
        return Ok(Put::Renewed);
    }
    let mut flags = and(new.flags, asked);
    let follows = |first: &Address| is_of_subnet(first, new.link, new.ip, new.prefix);
    if new.ip.is_ipv4() && addresses.iter().any(follows) {
        flags = flags | AddressFlags::SECONDARY;
    }
    let detects = !link.no_arp && !link.loopback && !flags.contains(AddressFlags::NO_DAD);
    if new.ip.is_ipv6() && detects {
        flags = flags | AddressFlags::TENTATIVE;
    }
    let mut address = Address {
        link: new.link,
        ip: new.ip,
        prefix: new.prefix,
        scope: AddressScope::Global,
        flags,
        valid: new.valid,
        preferred: new.preferred,
    };
    last(&mut address, new);
    addresses.push(address);
    addresses.sort_by_key(Address::place);
    Ok(Put::Added)
}

pub(super) fn remove(addresses: &mut Vec<Address>, link: u32, ip: IpAddr, prefix: u8) -> Removed {
    let place = (link, ip, prefix);
    let Some(at) = addresses.iter().position(|there| there.place() == place) else {
        return Removed::WasNotThere;
    };
    let gone = addresses.remove(at);
    if !gone.flags.contains(AddressFlags::SECONDARY) {
        addresses.retain(|other| {
            let secondary = other.flags.contains(AddressFlags::SECONDARY);
            !(secondary && is_of_subnet(other, link, ip, prefix))
        });
    }
    Removed::Removed
}

/// The lifetimes of `new` and the flags that follow from them. IPv4 shows no preferred lifetime of an address that is there
/// for ever (`inet_fill_ifaddr`).
fn last(address: &mut Address, new: &NewAddress) {
    let whole = |lifetime: Lifetime| Lifetime::from_seconds(lifetime.seconds());
    address.valid = whole(new.valid);
    address.preferred = whole(new.preferred);
    if address.preferred == Lifetime::For(Duration::ZERO) {
        address.flags = address.flags | DEPRECATED;
    }
    if address.valid == Lifetime::Forever {
        address.flags = address.flags | PERMANENT;
        if address.ip.is_ipv4() {
            address.preferred = Lifetime::Forever;
        }
    }
}

/// Whether the kernel takes them for one.
fn is_same(there: &Address, new: &NewAddress) -> bool {
    let prefix = new.ip.is_ipv6() || there.prefix == new.prefix;
    prefix && there.link == new.link && there.ip == new.ip
}

/// Whether both are IPv4 addresses of one subnet of one link.
fn is_of_subnet(address: &Address, link: u32, ip: IpAddr, prefix: u8) -> bool {
    let (IpAddr::V4(one), IpAddr::V4(other)) = (address.ip, ip) else {
        return false;
    };
    let mask = u32::MAX
        .checked_shl(32 - u32::from(prefix.min(32)))
        .unwrap_or(0);
    let differ = (one.to_bits() ^ other.to_bits()) & mask != 0;
    address.link == link && address.prefix == prefix && !differ
}

fn and(flags: AddressFlags, mask: AddressFlags) -> AddressFlags {
    AddressFlags::from_bits(flags.bits() & mask.bits())
}

fn without(flags: AddressFlags, mask: AddressFlags) -> AddressFlags {
    AddressFlags::from_bits(flags.bits() & !mask.bits())
}
